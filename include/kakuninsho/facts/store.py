"""The store of facts: immutable folders under `<data>/facts/`, written aside, checked, and renamed into place."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from kakuninsho import __version__
from kakuninsho.facts.schemas import KINDS, Columns

EMPTY = "_empty"
SCHEMA_VERSION = 1
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


class ChangedFactError(RuntimeError):
    """The bytes of a fact on disk are not those that landed. Names the fact and its file; carries no row."""


@dataclass(frozen=True)
class Fact:
    """One landed fact. `meta` is its fact.json."""

    kind: str
    name: str
    path: Path
    meta: dict[str, Any]

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

    def __init__(self, data: Path) -> None:
        self.data = data
        self.root = data / "facts"

    def initialise(self) -> None:
        """Make the folders (0700) and a zero-row file of every table: an empty glob is an error to a reader."""
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
        return Fact(kind, name, path, _read_meta(path / "fact.json", changed))

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
        """Write a fact: yields a draft in a temporary folder, then hashes, describes and renames it.

        Nothing is left behind when the body raises. A fact that exists is never written again: callers ask
        `find` first; landing over one is a conflict.

        Raises:
            FactConflictError: a fact of this name exists.
        """
        target = self.root / kind / name
        if target.exists():
            raise FactConflictError(f"{kind}/{name} has landed already and facts are never changed")
        _private_folder(target.parent, below=self.data)
        staging = Path(tempfile.mkdtemp(prefix=".draft-", dir=self.data_tmp()))
        try:
            draft = Draft(staging)
            yield draft
            files = {
                str(path.relative_to(staging)): sha256_of(path) for path in sorted(staging.rglob("*")) if path.is_file()
            }
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
            (staging / "fact.json").write_text(
                json.dumps(meta, ensure_ascii=False, indent=1, default=str) + "\n", encoding="utf-8"
            )
            staging.chmod(0o700)
            try:
                os.rename(staging, target)  # noqa: PTH104 (a rename that must fail, not overwrite)
            except OSError as error:
                raise FactConflictError(f"{kind}/{target.name} was landed by another run meanwhile") from error
        finally:
            shutil.rmtree(staging, ignore_errors=True)

    def data_tmp(self) -> Path:
        """A folder for drafts on the same file system as the facts."""
        folder = self.data / "tmp"
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return folder


@lru_cache(maxsize=20_000)
def _read_meta(path: Path, changed: int) -> dict[str, Any]:
    meta: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return meta


def _private_folder(folder: Path, *, below: Path) -> None:
    """Make a folder and those above it that are ours, each readable by the owner only."""
    for part in reversed([folder, *folder.parents]):
        if below in part.parents and not part.is_dir():
            part.mkdir(mode=0o700, exist_ok=True)


def refuse_changed(fact: Fact, *tables: str) -> None:
    """Refuse a fact whose bytes on disk are not those that landed: asked before anything is made from it.

    `tables` narrows it to some tables, where they are still there (retention may have deleted them).

    Raises:
        ChangedFactError: names the file that has changed, is missing or was added.
    """
    landed: dict[str, str] = fact.meta["sha256"]
    there = {str(path.relative_to(fact.path)): path for path in sorted(fact.path.rglob("*")) if path.is_file()}
    there.pop("fact.json", None)
    if tables:
        names = {f"{table}.parquet" for table in tables} & set(there)
        landed = {name: digest for name, digest in landed.items() if name in names}
        there = {name: path for name, path in there.items() if name in names}
    wrong = [f"{name} has changed" for name, path in there.items() if landed.get(name) not in {None, sha256_of(path)}]
    wrong += [f"{name} is missing" for name in sorted(set(landed) - set(there))]
    wrong += [f"{name} was not landed with it" for name in sorted(set(there) - set(landed))]
    if wrong:
        raise ChangedFactError(
            f"fact {fact.kind}/{fact.name}: {'; '.join(wrong)} since it landed (fact.json, sha256). Facts are never "
            "changed: nothing was made from it. Restore the file from the backup, and find out who changed it"
        )
