"""The store of facts: immutable folders under `<data>/facts/`, written aside, checked, and renamed into place."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from kakuninsho import __version__
from kakuninsho.facts.chain import (
    DRAFT,
    FACT,
    HEAD,
    SIGNATURE,
    CorruptFactError,
    Head,
    digest,
    flush,
    locked,
    parse,
    read_head,
    write_flushed,
    write_head,
)
from kakuninsho.facts.schemas import ADOPTIONS, DELETIONS, KINDS, Columns
from kakuninsho.facts.signing import generate_signing_key, load_signer

EMPTY = "_empty"
SCHEMA_VERSION = 2  # 1: neither chained nor signed
ARROW_TYPES = {
    "DATE": pa.date32(),
    "BIGINT": pa.int64(),
    "INTEGER": pa.int32(),
    "VARCHAR": pa.string(),
    "BOOLEAN": pa.bool_(),
    "DOUBLE": pa.float64(),
}


class FactConflictError(RuntimeError):
    """The same name came with other content. Says which fact and what to do; carries no row."""


@dataclass(frozen=True)
class Fact:
    """One landed fact. `meta` is its fact.json."""

    kind: str
    name: str
    path: Path
    meta: dict[str, Any]

    @property
    def number(self) -> int:
        """Its number in the chain of facts: what landed later has a higher one; 0 before facts were chained."""
        return int(self.meta.get("chain", {}).get("number", 0))

    def table(self, name: str) -> Path:
        """The Parquet file of one of its tables."""
        return self.path / f"{name}.parquet"


@dataclass
class Draft:
    """A fact being written: put files in `path`, totals in `totals`; the store adds the rest."""

    path: Path
    totals: dict[str, Any] = field(default_factory=dict)

    def table(self, name: str) -> Path:
        """Where to write one of its tables."""
        return self.path / f"{name}.parquet"


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def link_or_copy(source: Path, target: Path) -> None:
    """The same immutable bytes under a second name; a copy where the file system has no links."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def write_empty(path: Path, columns: Columns) -> None:
    """Write a Parquet file of these columns without a row."""
    schema = pa.schema([(name, ARROW_TYPES[kind]) for name, kind in columns.items()])
    pq.write_table(schema.empty_table(), path)


class FactStore:
    """Facts of one data folder. The only place that creates or removes a folder under `facts/`."""

    def __init__(self, data: Path, keys: Path | None = None) -> None:
        self.data = data
        self.root = data / "facts"
        self.keys = keys or data / "keys"  # the folder of the key that facts are signed with

    def initialise(self) -> None:
        """Make the folders (0700) and a zero-row file of every table: an empty glob is an error to a reader.

        The key that signs is made with the first fact; afterwards a missing key is an error.
        """
        self.data.mkdir(parents=True, exist_ok=True)
        self.data.chmod(0o700)
        self.data_tmp()
        for kind, tables in KINDS.items():
            folder = self.root / kind / EMPTY
            _private_folder(folder, below=self.data)
            for table, columns in tables.items():
                empty = folder / f"{table}.parquet"
                # A column that came with a later version is in no older file: the zero-row file brings it.
                if not empty.exists() or pq.read_schema(empty).names != list(columns):
                    write_empty(empty, columns)

    def find(self, kind: str, name: str) -> Fact | None:
        """The fact of this name, or None."""
        path = self.root / kind / name
        try:
            changed = (path / "fact.json").stat().st_mtime_ns
        except FileNotFoundError:
            return None
        meta = _read_meta(path / "fact.json", changed)
        if int(meta.get("schema_version", 1)) > SCHEMA_VERSION:
            raise CorruptFactError(
                f"the fact {kind}/{name} was written by a later version (schema {meta['schema_version']}; this one "
                f"reads up to {SCHEMA_VERSION}): install that version again"
            )
        return Fact(kind, name, path, meta)

    def get(self, kind: str, name: str) -> Fact:
        """The fact of this name.

        Raises:
            KeyError: there is none.
        """
        fact = self.find(kind, name)
        if fact is None:
            raise KeyError(f"no fact {kind}/{name} under {self.root}")
        return fact

    def all(self, kind: str, *, until: date | None = None) -> list[Fact]:
        """Facts of a kind received on or before a day, in order of name."""
        folder = self.root / kind
        if not folder.is_dir():
            return []
        facts = [self.find(kind, name) for name in sorted(path.name for path in folder.iterdir())]
        return [fact for fact in facts if fact and (until is None or fact.meta["received_on"] <= until.isoformat())]

    @contextmanager
    def land(
        self, kind: str, name: str, *, received_on: date, source: str, source_sha256: str | None = None
    ) -> Iterator[Draft]:
        """Write a fact: yields a draft in a temporary folder, then hashes, describes, chains, signs and renames it.

        Its files are on the disk before it has its name. Nothing is left behind when the body raises. A fact that
        exists is never written again: callers ask `find` first; landing over one is a conflict.

        Raises:
            FactConflictError: a fact of this name exists.
            SigningKeyError: the key that facts are signed with is gone.
        """
        target = self.root / kind / name
        if target.exists():
            raise FactConflictError(f"{kind}/{name} has landed already and facts are never changed")
        _private_folder(target.parent, below=self.data)
        staging = Path(tempfile.mkdtemp(prefix=DRAFT, dir=self.data_tmp()))
        try:
            draft = Draft(staging)
            yield draft
            files = {
                str(path.relative_to(staging)): sha256_of(path) for path in sorted(staging.rglob("*")) if path.is_file()
            }
            for file in files:
                flush(staging / file)
            rows = {
                file.removesuffix(".parquet"): pq.read_metadata(staging / file).num_rows
                for file in files
                if file.endswith(".parquet")
            }
            meta = {
                "schema_version": SCHEMA_VERSION,
                "kind": kind,
                "name": target.name,
                "source": source,
                "source_sha256": source_sha256,
                "received_on": received_on.isoformat(),
                "rows": rows,
                "totals": draft.totals,
                "sha256": files,
                "code_version": __version__,
                "landed_at": datetime.now(tz=UTC).isoformat(timespec="seconds"),  # audit only, never read by a rule
            }
            staging.chmod(0o700)
            with locked(self.root):
                self._name(kind, target, staging, meta)
        finally:
            shutil.rmtree(staging, ignore_errors=True)

    def _name(self, kind: str, target: Path, staging: Path, meta: dict[str, Any]) -> None:
        """Chain, sign and rename a written draft, while nobody else lands."""
        if target.exists():
            raise FactConflictError(f"{kind}/{target.name} was landed by another run meanwhile")
        head = read_head(self.root)
        if head.count == 0:
            generate_signing_key(self.keys)
        signer = load_signer(self.keys)
        meta["chain"] = {"number": head.count + 1, "previous": head.sha256}
        content = (json.dumps(meta, ensure_ascii=False, indent=1, default=str) + "\n").encode()
        (staging / FACT).write_bytes(content)
        (staging / SIGNATURE).write_text(f"{signer.sign(content)}\n", encoding="ascii")
        for path in (staging / FACT, staging / SIGNATURE, staging):
            flush(path)
        known = self.root / HEAD
        before = known.read_bytes() if known.exists() else None
        write_head(self.root, Head(head.count + 1, digest(content), kind, target.name, head.sha256))
        try:
            os.rename(staging, target)  # noqa: PTH104 (a rename that must fail, not overwrite)
        except OSError as error:
            known.unlink() if before is None else write_flushed(known, before)
            raise FactConflictError(f"{kind}/{target.name} was landed by another run meanwhile") from error
        flush(target.parent)

    def delete_payloads(self, payload: Sequence[tuple[Fact, str]], *, received_on: date, approved: str) -> None:
        """Delete files of facts; each fact.json stays as it is, and a fact says what was deleted.

        That fact lands first: a run that is cut off is done again, and what lies there still is deleted then. The only
        place that removes anything below `facts/`.

        Args:
            payload: facts and the file of each that goes. What may not go is for the caller to know (rules: evidence).
            received_on: the day of the deletion.
            approved: name of the subject that two people approved.
        """
        rows = [
            {
                "kind": fact.kind,
                "name": fact.name,
                "file": file,
                "sha256": fact.meta["sha256"][file],
                "received_on": received_on,
            }
            for fact, file in payload
        ]
        if rows and self.find("deletions", approved) is None:
            with self.land("deletions", approved, received_on=received_on, source="retention") as draft:
                schema = pa.schema([(column, ARROW_TYPES[kind]) for column, kind in DELETIONS["deletions"].items()])
                pq.write_table(pa.Table.from_pylist(rows, schema=schema), draft.table("deletions"))
        self._remove_deleted()

    def _remove_deleted(self) -> None:
        """Remove what the landed deletions name: out of the facts by a rename first, then from the disk."""
        for deletion in self.all("deletions"):
            for row in pq.read_table(deletion.table("deletions")).to_pylist():
                payload = self.root / row["kind"] / row["name"] / row["file"]
                if payload.is_file():
                    gone = Path(tempfile.mkdtemp(prefix=".deleted-", dir=self.data_tmp()))
                    payload.replace(gone / payload.name)
                    flush(payload.parent)
                    shutil.rmtree(gone)

    def deleted_on(self, fact: Fact) -> str | None:
        """The day on which the payload of a fact was deleted, or None."""
        for deletion in self.all("deletions"):
            rows = pq.read_table(
                deletion.table("deletions"), filters=[("kind", "=", fact.kind), ("name", "=", fact.name)]
            )
            if rows.num_rows:
                return str(deletion.meta["received_on"])
        return None

    def adopt(self, received_on: date) -> int:
        """Take the facts of an earlier version, which were not chained, into the chain as they are now.

        What they were before cannot be vouched for. Returns how many were adopted; none the second time.
        """
        known = {
            (row["kind"], row["name"])
            for fact in self.all("adoptions")
            for row in pq.read_table(fact.table("adoptions")).to_pylist()
        }
        rows = [
            {"kind": kind, "name": fact.name, "sha256": sha256_of(fact.path / FACT), "received_on": received_on}
            for kind in KINDS
            for fact in self.all(kind)
            if "chain" not in fact.meta and (kind, fact.name) not in known
        ]
        if rows:
            with self.land(
                "adoptions", f"{received_on}-{len(known):06d}", received_on=received_on, source="adopt"
            ) as draft:
                schema = pa.schema([(column, ARROW_TYPES[kind]) for column, kind in ADOPTIONS["adoptions"].items()])
                pq.write_table(pa.Table.from_pylist(rows, schema=schema), draft.table("adoptions"))
        return len(rows)

    def head(self) -> Head:
        """The end of the chain of facts."""
        return read_head(self.root)

    def data_tmp(self) -> Path:
        """A folder for drafts on the same file system as the facts."""
        folder = self.data / "tmp"
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return folder


@lru_cache(maxsize=20_000)
def _read_meta(path: Path, changed: int) -> dict[str, Any]:
    return parse(path, path.read_bytes())


def _private_folder(folder: Path, *, below: Path) -> None:
    """Make a folder and those above it that are ours, each readable by the owner only."""
    for part in reversed([folder, *folder.parents]):
        if below in part.parents and not part.is_dir():
            part.mkdir(mode=0o700, exist_ok=True)


def refuse_changed(fact: Fact, *tables: str) -> None:
    """Refuse a fact whose bytes on disk are not those that landed: asked before anything is made from it.

    `tables` narrows it to some tables, where they are still there (retention may have deleted them).

    Raises:
        CorruptFactError: names the file that has changed, is missing or was added.
    """
    landed: dict[str, str] = fact.meta["sha256"]
    there = {str(path.relative_to(fact.path)): path for path in sorted(fact.path.rglob("*")) if path.is_file()}
    there = {name: path for name, path in there.items() if name not in {FACT, SIGNATURE}}
    if tables:
        names = {f"{table}.parquet" for table in tables} & set(there)
        landed = {name: digest for name, digest in landed.items() if name in names}
        there = {name: path for name, path in there.items() if name in names}
    wrong = [f"{name} has changed" for name, path in there.items() if landed.get(name) not in {None, sha256_of(path)}]
    wrong += [f"{name} is missing" for name in sorted(set(landed) - set(there))]
    wrong += [f"{name} was not landed with it" for name in sorted(set(there) - set(landed))]
    if wrong:
        raise CorruptFactError(
            f"fact {fact.kind}/{fact.name}: {'; '.join(wrong)} since it landed (fact.json, sha256). Facts are never "
            "changed: nothing was made from it. Restore the file from the backup, and find out who changed it"
        )
