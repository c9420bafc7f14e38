"""The chain of facts: each names the SHA-256 of the one before, so that none can be taken out, put in or reordered.

A fact's own hash is that of its `fact.json`, which holds the hashes of its payload and is never written again. Beside
it lies `fact.sig`, the signature of these bytes. `facts/head.json` tells the last link without reading all of them:

    {"count": 2, "sha256": "…", "kind": "plans", "name": "home-2025-04-30", "previous": "…"}

It is written before the fact's folder is named. A head whose fact is not there was cut off between the two where the
draft still lies in `<data>/tmp`: then the link before it counts. Without the draft the fact was removed.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

FACT, SIGNATURE, HEAD, LOCK = "fact.json", "fact.sig", "head.json", ".lock"
DRAFT = ".draft-"
FIRST = "0" * 64  # what the first fact names as the one before


class CorruptFactError(RuntimeError):
    """A fact that is not as it landed. Names the file and what to do; a run never goes on over one."""


@dataclass(frozen=True)
class Head:
    """The end of the chain: how many facts there are, and the hash of the last."""

    count: int = 0
    sha256: str = FIRST
    kind: str = ""
    name: str = ""
    previous: str = FIRST


def flush(path: Path) -> None:
    """Bring a file's or a folder's content to the disk: after this a power cut does not empty it."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_flushed(path: Path, content: bytes) -> None:
    """Write a file whole or not at all, and bring it to the disk."""
    part = path.with_name(f".{path.name}.part")
    with part.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


@contextmanager
def locked(root: Path) -> Iterator[None]:
    """Keep every other process and thread from landing until the body is done."""
    descriptor = os.open(root / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def read_head(root: Path) -> Head:
    """The end of the chain of a facts folder.

    Raises:
        CorruptFactError: `head.json` cannot be read, or the fact that it names was removed.
    """
    path = root / HEAD
    while True:
        if not path.exists():
            return Head()
        content = path.read_bytes()
        try:
            head = Head(**json.loads(content))
        except (ValueError, TypeError):
            raise CorruptFactError(
                f"facts/{HEAD} is damaged: run `kakuninsho verify`, which tells the head that the facts themselves give"
            ) from None
        fact = root / head.kind / head.name / FACT
        if not head.count or fact.is_file():
            return head
        if cut_off_draft(root, head) is not None:
            return Head(head.count - 1, head.previous)
        # A reader holds no lock: the draft may have got its name, or another fact have landed, between the two looks.
        if not fact.is_file() and path.read_bytes() == content:
            raise CorruptFactError(
                f"the newest fact {head.kind}/{head.name} is missing: it was removed after it had landed. "
                "Nothing goes on over that: restore it from the backup"
            )


def cut_off_draft(root: Path, head: Head) -> Path | None:
    """The draft of a landing that was cut off after its head was written and before its folder was named."""
    for path in (root.parent / "tmp").glob(f"{DRAFT}*/{FACT}"):
        if digest(path.read_bytes()) == head.sha256:
            return path.parent
    return None


def write_head(root: Path, head: Head) -> None:
    """Name the next link, before its folder is named."""
    write_flushed(root / HEAD, (json.dumps(asdict(head)) + "\n").encode())


def digest(content: bytes) -> str:
    """SHA-256 of bytes, in hex."""
    return hashlib.sha256(content).hexdigest()


def parse(path: Path, content: bytes) -> dict[str, Any]:
    """The content of a fact.json.

    Raises:
        CorruptFactError: it is none.
    """
    try:
        meta = json.loads(content)
    except ValueError:
        meta = None
    if not isinstance(meta, dict) or not {"kind", "name", "received_on", "sha256"} <= meta.keys():
        raise CorruptFactError(
            f"the fact {path.parent.parent.name}/{path.parent.name} is damaged: its {FACT} cannot be read. "
            "Run `kakuninsho verify` to see what else is, and restore it from the backup; nothing goes on over it"
        )
    return dict(meta)
