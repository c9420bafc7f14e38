"""Facts copied to a folder or an S3-compatible store, and back (rules: approvals and evidence).

    <url>/facts/<kind>/<name>/…     every file of a fact; its fact.json last, so that half a fact is none
    <url>/facts/head.json           the end of the chain, last of all
    <url>/heads/<count>-<hash>      each head that was ever backed up
    <url>/keys/<key id>.pem         the public keys, without which nothing can be verified

Only what is not there is copied. What is copied is hashed before it leaves and read back after it has arrived.
"""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from fsspec.core import url_to_fs

from kakuninsho.facts.chain import FACT, HEAD, SIGNATURE, CorruptFactError, flush, parse, read_head
from kakuninsho.facts.schemas import KINDS
from kakuninsho.facts.signing import PUBLIC
from kakuninsho.facts.store import Fact, FactStore, sha256_of
from kakuninsho.facts.verify import Verified, verify_facts

BLOCK = 4 * 1024 * 1024
OBJECT_LOCK = "COMPLIANCE"  # nobody, not even the store's administrator, removes it before its day


class BackupError(RuntimeError):
    """A backup or a restore that cannot go on. Says what is wrong and what to do."""


@dataclass
class Copied:
    """What was copied, and what was there already."""

    facts: int = 0
    files: int = 0
    bytes: int = 0
    known: int = 0  # facts that were there already
    head: str = ""
    checked: Verified = field(default_factory=Verified)  # after a restore


class Remote:
    """A place for backups: `file:///backup`, `s3://bucket/folder`, or a plain folder."""

    def __init__(self, url: str, *, lock_until: datetime | None = None) -> None:
        self.fs, self.root = url_to_fs(url)
        protocol = self.fs.protocol if isinstance(self.fs.protocol, str) else self.fs.protocol[0]
        self.is_s3 = protocol in {"s3", "s3a"}
        if lock_until is not None and not self.is_s3:
            raise BackupError(f"only an S3-compatible store can lock objects, {protocol} cannot: leave --lock-days out")
        self.extra: dict[str, Any] = (
            {"ObjectLockMode": OBJECT_LOCK, "ObjectLockRetainUntilDate": lock_until} if lock_until else {}
        )
        if not self.is_s3:
            self.fs.makedirs(self.root, exist_ok=True)

    def path(self, name: str) -> str:
        """The whole path of a name below the place."""
        return f"{self.root.rstrip('/')}/{name}"

    def sizes(self, folder: str) -> dict[str, int]:
        """Size by name of every file below a folder of the place."""
        self.fs.invalidate_cache()
        try:
            found = self.fs.find(self.path(folder), detail=True)
        except FileNotFoundError:
            return {}
        prefix = self.path(folder).strip("/") + "/"
        return {path.strip("/").removeprefix(prefix): int(info["size"]) for path, info in found.items()}

    def put(self, local: Path, name: str, sha256: str) -> int:
        """Copy a file there and read it back. Returns its bytes.

        Raises:
            BackupError: the bytes that arrived are others.
        """
        target = self.path(name)
        if not self.is_s3:
            self.fs.makedirs(target.rpartition("/")[0], exist_ok=True)
        self.fs.put_file(str(local), target, **self.extra)
        if self.hash(name) != sha256:
            raise BackupError(f"{name} did not arrive as it was sent: run the backup again, it goes on where it was")
        return local.stat().st_size

    def put_bytes(self, content: bytes, name: str) -> None:
        """Write a small file there."""
        if not self.is_s3:
            self.fs.makedirs(self.path(name).rpartition("/")[0], exist_ok=True)
        self.fs.pipe_file(self.path(name), content, **self.extra)

    def hash(self, name: str) -> str:
        """SHA-256 of what lies there."""
        digest = hashlib.sha256()
        with self.fs.open(self.path(name), "rb") as file:
            while block := file.read(BLOCK):
                digest.update(block)
        return digest.hexdigest()

    def get(self, name: str, local: Path) -> None:
        """Copy a file from there."""
        local.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.fs.get_file(self.path(name), str(local))


def backup(store: FactStore, url: str, *, lock_days: int | None = None) -> Copied:
    """Copy every fact that is not there yet, oldest link first; an interrupted backup goes on.

    Args:
        store: the facts.
        url: where to.
        lock_days: for how many days nobody can remove what is copied now, where the store has object lock.

    Raises:
        BackupError: something did not arrive as it was sent.
        CorruptFactError: a fact is not as it landed; it is not copied, and names itself.
    """
    until = datetime.now(tz=UTC) + timedelta(days=lock_days) if lock_days else None
    remote = Remote(url, lock_until=until)
    copied = Copied()
    there = remote.sizes("facts")
    facts = [fact for kind in KINDS for fact in store.all(kind)]
    for fact in sorted(facts, key=lambda fact: fact.number):
        _back_up(fact, remote, there, copied)
    for key in sorted((store.keys / PUBLIC).glob("*.pem")):
        remote.put_bytes(key.read_bytes(), f"keys/{key.name}")
    head = read_head(store.root)
    copied.head = f"{head.count}:{head.sha256}"
    if (store.root / HEAD).is_file():
        content = (store.root / HEAD).read_bytes()
        remote.put_bytes(content, f"heads/{head.count:09d}-{head.sha256}")
        remote.put_bytes(content, f"facts/{HEAD}")
    return copied


def _back_up(fact: Fact, remote: Remote, there: dict[str, int], copied: Copied) -> None:
    place = f"{fact.kind}/{fact.name}"
    hashes: dict[str, str] = {file: sha for file, sha in fact.meta["sha256"].items() if (fact.path / file).is_file()}
    names = [*sorted(hashes), *([SIGNATURE] if (fact.path / SIGNATURE).is_file() else []), FACT]
    missing = [name for name in names if there.get(f"{place}/{name}") != (fact.path / name).stat().st_size]
    if not missing:
        copied.known += 1
        return
    for name in missing:
        found = sha256_of(fact.path / name)
        if hashes.get(name, found) != found:
            raise CorruptFactError(
                f"{place}/{name} is damaged and was not copied. Run `kakuninsho verify`, and restore it from an "
                "earlier backup"
            )
        copied.bytes += remote.put(fact.path / name, f"facts/{place}/{name}", found)
        copied.files += 1
    copied.facts += 1


def restore(store: FactStore, url: str) -> Copied:
    """Copy a backup into a data folder without facts, verify it, and only then let it be the facts.

    An interrupted restore goes on: what has arrived whole is not copied again.

    Raises:
        BackupError: there are facts in the folder already, there is no backup, or what came is not sound.
    """
    if any(store.all(kind) for kind in KINDS):
        raise BackupError(f"{store.data} has facts already: restore into an empty data folder")
    remote = Remote(url)
    sizes = remote.sizes("facts")
    if HEAD not in sizes:
        raise BackupError("there is no whole backup at this address: it has no facts/head.json")
    arrival = store.data / "restore" / "facts"
    aside = FactStore(arrival.parent, store.keys)
    aside.root.mkdir(parents=True, exist_ok=True, mode=0o700)
    copied = Copied()
    for key in remote.sizes("keys"):
        remote.get(f"keys/{key}", store.keys / PUBLIC / key)
    for name in sorted(sizes, key=lambda name: (name == HEAD, name)):
        if _arrive(remote, name, arrival / name, sizes[name]):
            copied.files += 1
            copied.bytes += sizes[name]
    aside.initialise()
    copied.checked = verify_facts(aside)
    if copied.checked.findings:
        found = "; ".join(str(finding) for finding in copied.checked.findings[:5])
        raise BackupError(f"what was restored is not sound, so it is not used: {found}. Take an earlier backup")
    shutil.rmtree(store.root, ignore_errors=True)
    arrival.rename(store.root)
    shutil.rmtree(arrival.parent, ignore_errors=True)
    flush(store.data)
    copied.facts, copied.head = copied.checked.facts, f"{copied.checked.head.count}:{copied.checked.head.sha256}"
    return copied


def _arrive(remote: Remote, name: str, target: Path, size: int) -> bool:
    """Copy one file, unless it has arrived before; whether it was copied."""
    if target.is_file() and target.stat().st_size == size and name != HEAD:
        return False
    part = target.with_name(f".{target.name}.part")
    remote.get(f"facts/{name}", part)
    if target.name == FACT:
        parse(target, part.read_bytes())
    part.chmod(0o600)
    part.replace(target)
    flush(target)
    return True
