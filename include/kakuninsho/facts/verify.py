"""Reading every fact again: its bytes, its place in the chain, its signature (rules: approvals and evidence).

Needs the facts and the public keys alone. What is derived is no evidence and is not looked at.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from kakuninsho.facts.chain import FACT, FIRST, HEAD, LOCK, SIGNATURE, CorruptFactError, Head, digest, parse
from kakuninsho.facts.schemas import KINDS
from kakuninsho.facts.signing import Signature, is_signed, public_keys
from kakuninsho.facts.store import EMPTY, FactStore, sha256_of

MANIFEST_SUFFIX = ".manifest.json"
FACTS_HEAD = "facts_head"  # the member of a manifest to the printer that carries the head


@dataclass(frozen=True)
class Finding:
    """Something that is not as it landed. `code` says what, `subject` names the fact and the file."""

    code: str  # corrupt, missing, added, reordered, changed, unsigned, foreign_key, head_differs
    subject: str
    detail: str = ""

    def __str__(self) -> str:
        """One line."""
        return f"{self.code}: {self.subject}" + (f" ({self.detail})" if self.detail else "")


@dataclass
class Verified:
    """What was read, and every finding."""

    facts: int = 0
    bytes: int = 0
    head: Head = field(default_factory=Head)
    findings: list[Finding] = field(default_factory=list)
    not_vouched: list[str] = field(default_factory=list)  # facts of an earlier version, before they were chained
    vouched_outside: int = 0  # up to this link the head has left the house in a manifest, or was given
    deleted: dict[str, str] = field(default_factory=dict)  # day of deletion by fact

    def find(self, code: str, subject: str, detail: str = "") -> None:
        """Note a finding."""
        self.findings.append(Finding(code, subject, detail))


@dataclass(frozen=True)
class _Link:
    number: int
    previous: str
    sha256: str
    subject: str


def verify_facts(store: FactStore, *, head: tuple[int, str] | None = None) -> Verified:
    """Read every byte of every fact and compare it with what landed.

    Args:
        store: the facts, and where the public keys lie.
        head: count and hash of a head that was kept elsewhere, to be found in the chain.
    """
    result = Verified()
    keys = public_keys(store.keys)
    deleted = _deletions(store, result)
    adopted = _adoptions(store)
    links: list[_Link] = []
    for path in _folders(store.root, result):
        _read(store.root, path, keys, deleted, adopted, links, result)
    _check_chain(links, result)
    _check_head(store, links, result)
    outside = _heads_in_manifests(store)
    if head is not None:
        outside.append((head[0], head[1], "the head that was given"))
    _check_outside(outside, links, result)
    result.findings.sort(key=str)
    return result


def _folders(root: Path, result: Verified) -> Iterator[Path]:
    """Every folder that is a fact; what lies beside them and is none is a finding."""
    kinds = {root / kind for kind in KINDS}
    parents = {parent for kind in kinds for parent in kind.parents if root in parent.parents}
    for path in sorted(root.iterdir()) if root.is_dir() else ():
        if path.name in {HEAD, LOCK}:
            continue
        yield from _below(path, root, kinds, parents, result)


def _below(path: Path, root: Path, kinds: set[Path], parents: set[Path], result: Verified) -> Iterator[Path]:
    name = str(path.relative_to(root))
    if path in parents and path not in kinds:
        for child in sorted(path.iterdir()):
            yield from _below(child, root, kinds, parents, result)
    elif path in kinds:
        for child in sorted(path.iterdir()):
            if child.name == EMPTY:
                continue
            if not (child / FACT).is_file():
                result.find("added" if child.is_file() else "missing", f"{name}/{child.name}", f"has no {FACT}")
            else:
                yield child
    else:
        result.find("added", name, "is no kind of fact")


def _read(
    root: Path,
    path: Path,
    keys: dict[str, Ed25519PublicKey],
    deleted: dict[tuple[str, str], str],
    adopted: dict[str, str],
    links: list[_Link],
    result: Verified,
) -> None:
    subject = str(path.relative_to(root))
    content = (path / FACT).read_bytes()
    result.facts += 1
    result.bytes += len(content)
    try:
        meta = parse(path / FACT, content)
    except CorruptFactError:
        result.find("corrupt", f"{subject}/{FACT}", "cannot be read")
        return
    if f"{meta['kind']}/{meta['name']}" != subject:
        result.find("changed", f"{subject}/{FACT}", "is of another fact")
    _read_payload(path, subject, meta, deleted, result)
    chain = meta.get("chain")
    if chain is None:
        if adopted.get(subject) not in {None, digest(content)}:
            result.find("changed", f"{subject}/{FACT}", "differs from what was adopted")
        elif subject not in adopted:
            result.not_vouched.append(subject)
        return
    _check_signature(path, subject, content, keys, result)
    links.append(_Link(int(chain["number"]), str(chain["previous"]), digest(content), subject))


def _read_payload(
    path: Path, subject: str, meta: dict[str, Any], deleted: dict[tuple[str, str], str], result: Verified
) -> None:
    listed: dict[str, str] = meta["sha256"]
    present = {str(file.relative_to(path)) for file in path.rglob("*") if file.is_file()} - {FACT, SIGNATURE}
    for name in sorted(listed.keys() | present):
        file = path / name
        if name not in listed:
            result.find("added", f"{subject}/{name}")
        elif name not in present:
            day = deleted.get((subject, listed[name]))
            if day is None:
                result.find("missing", f"{subject}/{name}")
            else:
                result.deleted[subject] = day
        else:
            result.bytes += file.stat().st_size
            if sha256_of(file) != listed[name]:
                result.find("changed", f"{subject}/{name}", "its bytes are not those that landed")


def _check_signature(
    path: Path, subject: str, content: bytes, keys: dict[str, Ed25519PublicKey], result: Verified
) -> None:
    try:
        signature = Signature.read((path / SIGNATURE).read_text(encoding="ascii"))
    except (FileNotFoundError, UnicodeDecodeError):
        result.find("unsigned", f"{subject}/{SIGNATURE}")
        return
    if signature.key_id not in keys:
        result.find("foreign_key", f"{subject}/{SIGNATURE}", f"key {signature.key_id[:16]} is none of ours")
    elif not is_signed(content, signature, keys):
        result.find("changed", f"{subject}/{FACT}", "its signature does not fit")


def _check_chain(links: list[_Link], result: Verified) -> None:
    links.sort(key=lambda link: (link.number, link.subject))
    previous, expected = FIRST, 1
    for link in links:
        if link.number < expected:
            result.find("reordered", link.subject, f"number {link.number} is there twice")
            continue
        if link.number > expected:
            gap = f"{expected}" if link.number == expected + 1 else f"{expected} to {link.number - 1}"
            result.find("missing", f"link {gap} of the chain", f"before {link.subject}")
        elif link.previous != previous:
            result.find("reordered", link.subject, "does not follow the fact before it")
        previous, expected = link.sha256, link.number + 1


def _check_head(store: FactStore, links: list[_Link], result: Verified) -> None:
    last = links[-1] if links else None
    found = Head(last.number, last.sha256) if last else Head()
    result.head = found
    try:
        told = json.loads((store.root / HEAD).read_bytes())
        count, sha256, name = int(told["count"]), str(told["sha256"]), f"{told['kind']}/{told['name']}"
    except FileNotFoundError:
        if links:
            result.find("missing", HEAD)
        return
    except (ValueError, KeyError, TypeError):
        result.find("corrupt", HEAD, f"the facts themselves give {found.count} {found.sha256}")
        return
    if (count, sha256) != (found.count, found.sha256):
        missing = count == found.count + 1 and not (store.root / name).exists()
        why = (
            f"{name} is missing, or its landing was cut off" if missing else f"it says {count}, there are {found.count}"
        )
        result.find("missing" if missing else "head_differs", name if missing else HEAD, why)


def _heads_in_manifests(store: FactStore) -> list[tuple[int, str, str]]:
    """Heads that left the house: count, hash and where they stand."""
    heads = []
    folder = store.root / "transfers"
    for path in sorted(folder.glob(f"*/*{MANIFEST_SUFFIX}")) if folder.is_dir() else ():
        try:
            told = str(json.loads(path.read_bytes()).get(FACTS_HEAD) or "")
        except (ValueError, AttributeError):
            continue  # its bytes are judged with its fact
        count, _, sha256 = told.partition(" ")
        if count.isdecimal():
            heads.append((int(count), sha256, f"the manifest {path.name}"))
    return heads


def _check_outside(outside: list[tuple[int, str, str]], links: list[_Link], result: Verified) -> None:
    by_number = {link.number: link.sha256 for link in links} | {0: FIRST}
    for count, sha256, where in outside:
        if by_number.get(count) == sha256:
            result.vouched_outside = max(result.vouched_outside, count)
        else:
            result.find("head_differs", where, f"link {count} of the chain is another, or gone")


def _deletions(store: FactStore, result: Verified) -> dict[tuple[str, str], str]:
    """Day of deletion by fact and payload hash, as the facts of kind `deletions` say."""
    found: dict[tuple[str, str], str] = {}
    folder = store.root / "deletions"
    for path in sorted(folder.glob("*/deletions.parquet")) if folder.is_dir() else ():
        if path.parent.name == EMPTY:
            continue
        try:
            rows = pq.read_table(path).to_pylist()
        except (OSError, ValueError):
            result.find("corrupt", f"deletions/{path.parent.name}/{path.name}", "cannot be read")
            continue
        for row in rows:
            found[f"{row['kind']}/{row['name']}", row["sha256"]] = str(row["received_on"])
    return found


def _adoptions(store: FactStore) -> dict[str, str]:
    """SHA-256 of the fact.json of facts of an earlier version, by name, as the adoption says."""
    folder = store.root / "adoptions"
    rows = [
        row
        for path in (sorted(folder.glob("*/adoptions.parquet")) if folder.is_dir() else ())
        if path.parent.name != EMPTY
        for row in pq.read_table(path).to_pylist()
    ]
    return {f"{row['kind']}/{row['name']}": row["sha256"] for row in rows}
