"""The drops of a register folder: which are there, which are complete, and what their manifests promise."""

from __future__ import annotations

import hashlib
import json
import logging
import re
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from kakuninsho.facts.store import sha256_of
from kakuninsho.register.contract import CONTRACT, DROP_KINDS, OPTIONAL_TABLES, TABLES
from kakuninsho.register.errors import Reason, RegisterDropError

log = logging.getLogger(__name__)

MANIFEST = "manifest.json"
PREFIX = "as_of="
SEND_AGAIN = "ask the core system's operators to deliver the drop again, the manifest last"


@dataclass(frozen=True)
class Drop:
    """A folder `as_of=YYYY-MM-DD` of the register."""

    as_of: date
    path: Path

    @property
    def name(self) -> str:
        """The folder's name, which is also the name of its fact."""
        return f"{PREFIX}{self.as_of.isoformat()}"

    @property
    def is_complete(self) -> bool:
        """Whether the manifest, which arrives last, is there."""
        return (self.path / MANIFEST).is_file()


@dataclass(frozen=True)
class PromisedFile:
    """One file as the manifest promises it."""

    table: str
    name: str
    rows: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """A drop's manifest.json, checked."""

    as_of: date
    kind: str  # full, delta
    files: dict[str, PromisedFile]  # by table, in the contract's order; what need not be there may be absent

    @property
    def content_sha256(self) -> str:
        """SHA-256 of what was promised: the same for the same files, however the JSON is laid out."""
        content = [
            CONTRACT,
            self.as_of.isoformat(),
            self.kind,
            *([file.name, file.rows, file.sha256] for file in self.files.values()),
        ]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def list_drops(register: Path, until: date) -> list[Drop]:
    """Complete drops with as_of on or before a day, oldest first. What is no drop is passed over with a log line."""
    return [drop for drop in _all_drops(register) if drop.is_complete and drop.as_of <= until]


def incomplete_drops(register: Path, until: date) -> list[Drop]:
    """Drops whose manifest has not arrived: not an error, they are waited for."""
    return [drop for drop in _all_drops(register) if not drop.is_complete and drop.as_of <= until]


def drop_at(path: Path) -> Drop:
    """The drop of one folder."""
    return Drop(_day_of(path), path)


def _all_drops(register: Path) -> list[Drop]:
    if not register.is_dir():
        raise RegisterDropError(
            Reason.MISSING_FILE,
            file="register folder",
            rule="the folder is not there",
            action="check the parameter REGISTER and that the folder of the core system is mounted",
        )
    drops = []
    for path in sorted(register.iterdir()):
        day = _named_day(path.name) if path.is_dir() else None
        if day is None:
            # An upload under way (.part, .filepart), a copy, an old one: the drops beside it are complete without it.
            log.warning("%s beside the drops is no drop (as_of=YYYY-MM-DD) and is passed over", path.name)
        else:
            drops.append(Drop(day, path))
    return sorted(drops, key=lambda drop: drop.as_of)


def _named_day(name: str) -> date | None:
    """The day of a folder's name as_of=YYYY-MM-DD; None for any other name."""
    text = name.removeprefix(PREFIX)
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if name.startswith(PREFIX) and day.isoformat() == text else None


def _day_of(path: Path) -> date:
    day = _named_day(path.name)
    if day is None:
        raise RegisterDropError(
            Reason.WRONG_AS_OF,
            file=path.name,
            rule="the folder's name is not as_of=YYYY-MM-DD with a day that exists",
            action=SEND_AGAIN,
        )
    return day


def read_manifest(drop: Drop) -> Manifest:
    """Read and check a drop's manifest: contract, day, kind, and one file for each table that must be there.

    Raises:
        RegisterDropError: the manifest is not there or does not hold what the contract asks.
    """
    label = f"{drop.name}/{MANIFEST}"
    if not drop.is_complete:
        raise RegisterDropError(
            Reason.MISSING_FILE,
            file=label,
            rule="the manifest has not arrived, so the drop is not complete",
            action="wait for it; ask the core system's operators when it is late",
        )
    try:
        raw = json.loads((drop.path / MANIFEST).read_text(encoding="utf-8-sig"))
    except (ValueError, UnicodeDecodeError):
        raw = None
    if not isinstance(raw, dict):
        raise _bad_manifest(label, "the manifest is not a JSON object in UTF-8")
    if raw.get("contract") != CONTRACT:
        raise RegisterDropError(
            Reason.UNKNOWN_CONTRACT,
            file=label,
            rule=f"the contract is not {CONTRACT}, the only one that is known here",
            action="ask the core system's operators which contract they deliver; a new one needs a new release",
        )
    if raw.get("as_of") != drop.as_of.isoformat():
        raise RegisterDropError(
            Reason.WRONG_AS_OF,
            file=label,
            rule="as_of of the manifest is not the day of the folder",
            action=SEND_AGAIN,
        )
    if raw.get("kind") not in DROP_KINDS:
        raise _bad_manifest(label, f"kind is not one of {', '.join(DROP_KINDS)}")
    return Manifest(drop.as_of, raw["kind"], _promised_files(raw.get("files"), raw["kind"], label))


def _promised_files(raw: Any, kind: str, label: str) -> dict[str, PromisedFile]:
    if not isinstance(raw, list):
        raise _bad_manifest(label, "files is not a list")
    entries = raw
    found: dict[str, PromisedFile] = {}
    for entry in entries:
        file = _promised_file(entry)
        if file is None:
            raise _bad_manifest(
                label, "an entry of files is not a name of the contract with rows and a SHA-256", rows=None
            )
        if file.table in found:
            raise _bad_manifest(label, f"files has {file.table} twice")
        found[file.table] = file
    # A delta leaves out what has not changed, a full drop only what no drop need have.
    missing = [table for table in TABLES if kind == "full" and table not in found and table not in OPTIONAL_TABLES]
    if missing:
        raise RegisterDropError(
            Reason.MISSING_FILE,
            file=label,
            rule=f"the manifest has no file for {', '.join(missing)}; a full drop has each of them",
            action=SEND_AGAIN,
        )
    return {table: found[table] for table in TABLES if table in found}


def _promised_file(entry: Any) -> PromisedFile | None:
    if not isinstance(entry, dict):
        return None
    name, rows, digest = entry.get("name"), entry.get("rows"), entry.get("sha256")
    if not isinstance(name, str) or not isinstance(digest, str):
        return None
    if not isinstance(rows, int) or isinstance(rows, bool) or rows < 0:
        return None
    table, _, extension = name.partition(".")
    if table not in TABLES or extension not in {"parquet", "csv"} or not re.fullmatch("[0-9a-fA-F]{64}", digest):
        return None
    return PromisedFile(table, name, rows, digest.lower())


def _bad_manifest(label: str, rule: str, rows: int | None = None) -> RegisterDropError:
    return RegisterDropError(Reason.BAD_MANIFEST, file=label, rule=rule, rows=rows, action=SEND_AGAIN)


def verify_files(drop: Drop, manifest: Manifest) -> None:
    """Check that every promised file is there with the promised bytes; names first, hashes after.

    Raises:
        RegisterDropError: a file is missing or its SHA-256 differs.
    """
    for file in manifest.files.values():
        if not (drop.path / file.name).is_file():
            raise RegisterDropError(
                Reason.MISSING_FILE,
                file=f"{drop.name}/{file.name}",
                rule="the manifest names a file that is not there",
                action=SEND_AGAIN,
            )
    for file in manifest.files.values():
        if sha256_of(drop.path / file.name) != file.sha256:
            raise RegisterDropError(
                Reason.WRONG_HASH,
                file=f"{drop.name}/{file.name}",
                rule="the SHA-256 of the file is not the one in the manifest",
                action=SEND_AGAIN,
            )
