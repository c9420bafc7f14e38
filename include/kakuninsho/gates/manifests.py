"""Manifests of sealed files, read back and held against the bytes of the files they speak of (printer/v1, manifest).

Everything that a manifest says is found again here from the file itself: its lines, its own header and trailer, its
hash, the sealed bytes. The clear file has been compared with the plan before (gates/file_bytes.py).
"""

from __future__ import annotations

import csv
import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from kakuninsho.facts.schemas import Columns
from kakuninsho.facts.store import ARROW_TYPES
from kakuninsho.printer.layout import contract, record_fields

# One row per file and field of its manifest.
MANIFEST_FIELDS: Columns = {
    "file_name": "VARCHAR",
    "field": "VARCHAR",  # of the contract; other: a member that the contract does not have for this kind of file
    "is_needed": "BOOLEAN",  # the contract has it for this kind of file
    "is_there": "BOOLEAN",
    "is_equal": "BOOLEAN",
}
OTHER = "other"
FACTS_HEAD = "facts_head"
_HEAD = re.compile(r"[0-9]+ [0-9a-f]{64}")
_KINDS = {
    "lot": "lot",
    "pull": "pull_list",
    "urgent": "urgent_pull_list",
    "release": "release_order",
    "stop": "stop_order",
}
_NAME = re.compile(r"pv1_([a-z0-9]+)_(lot|pull|urgent|release|stop)_(?:([0-9]{8})_)?.*\.csv")
_BLOCK = 1 << 20
_Row = dict[str, Any]


@dataclass(frozen=True)
class SealedFile:
    """A file that was sealed: its name, clear bytes, sealed bytes, and its manifest in clear."""

    name: str
    clear: Path
    sealed: Path
    manifest: Path


@dataclass
class ManifestReading:
    """What was read: rows of `manifest_fields`."""

    fields: list[_Row] = field(default_factory=list)

    def write(self, folder: Path) -> dict[str, Path]:
        """Write the table of the suite outbound/manifests as Parquet; returns its path."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        schema = pa.schema([(name, ARROW_TYPES[kind]) for name, kind in MANIFEST_FIELDS.items()])
        pq.write_table(pa.Table.from_pylist(self.fields, schema=schema), folder / "manifest_fields.parquet")
        return {"manifest_fields": folder / "manifest_fields.parquet"}

    def broken(self) -> list[str]:
        """What differs, by file, as words without a value."""
        return [
            f"{row['file_name']}: manifest.{row['field']}"
            for row in self.fields
            if row["is_needed"] is not row["is_there"] or not row["is_equal"]
        ]


def manifest_fields() -> list[dict[str, Any]]:
    """Fields of a manifest, in the contract's order."""
    fields: list[dict[str, Any]] = contract()["manifest"]["fields"]
    return fields


def read_manifests(files: Sequence[SealedFile]) -> ManifestReading:
    """Compare the manifests of files that were sealed together, field by field, with the files themselves."""
    reading, clear_hashes = ManifestReading(), {file.name: _look(file.clear) for file in files}
    for file in files:
        expected = _expected(file, clear_hashes)
        try:
            told = json.loads(file.manifest.read_text(encoding="utf-8"))
        except ValueError:
            told = None
        content: dict[str, Any] = told if isinstance(told, dict) else {}
        # The head of our facts stands in no byte of the file: it is held against its form.
        head = content.get(FACTS_HEAD)
        expected[FACTS_HEAD] = head if isinstance(head, str) and _HEAD.fullmatch(head) else None
        for name in [item["name"] for item in manifest_fields()]:
            needed, there = name in expected, name in content
            value, wanted = content.get(name), expected.get(name)
            reading.fields.append(
                {
                    "file_name": file.name,
                    "field": name,
                    "is_needed": needed,
                    "is_there": there,
                    "is_equal": not (needed and there) or (type(value) is type(wanted) and value == wanted),
                }
            )
        if set(content) - {item["name"] for item in manifest_fields()}:
            row = {"file_name": file.name, "field": OTHER, "is_needed": False, "is_there": True, "is_equal": True}
            reading.fields.append(row)
    return reading


@dataclass(frozen=True)
class _Look:
    """A file's own bytes: hash, size, lines, first and last line."""

    sha256: str
    size: int
    lines: int
    first: bytes
    last: bytes


def _look(path: Path) -> _Look:
    digest, size, lines, first, tail = hashlib.sha256(), 0, 0, b"", b""
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
            size += len(block)
            lines += block.count(b"\n")
            first = first or block.split(b"\n", 1)[0]
            tail = (tail + block)[-4096:]
    return _Look(digest.hexdigest(), size, lines, first, tail.rstrip(b"\r\n").rsplit(b"\n", 1)[-1])


def _record(line: bytes, record: str) -> dict[str, str]:
    values = next(csv.reader([line.decode("cp932", errors="replace")]), [])
    return dict(zip([item["name"] for item in record_fields(record)], values, strict=False))


def _expected(file: SealedFile, looked: dict[str, _Look]) -> dict[str, Any]:
    """Every member that the manifest must have, found from the bytes."""
    parts = _NAME.fullmatch(file.name)
    look, sealed = looked[file.name], _look(file.sealed)
    kind = _KINDS[parts[2]] if parts else ""
    expected: dict[str, Any] = {
        "contract": contract()["contract"],
        "campaign": parts[1] if parts else "",
        "file_kind": kind,
        "file_name": file.name,
        "row_count": look.lines - (0 if kind == "lot" else 1),
        "byte_count_clear": look.size,
        "sha256_clear": look.sha256,
        "byte_count_sealed": sealed.size,
        "sha256_sealed": sealed.sha256,
    }
    if kind == "lot":
        header, trailer = _record(look.first, "H"), _record(look.last, "T")
        expected |= {name: header.get(name, "") for name in ("lot_id", "posting_date")}
        expected |= {name: trailer.get(name, "") for name in ("enclosures", "weight_g")}
        counts = ("envelope_count", "sample_count", "packet_count", "certificate_count", "list_line_count")
        expected |= {name: _number(trailer.get(name, "")) for name in (*counts, "postage_yen")}
    if kind in {"pull_list", "release_order"} and parts:
        expected["posting_date"] = date.fromisoformat(parts[3]).isoformat()
    if kind == "release_order":
        # The pull lists that travel with it must be carried out first.
        pulls = [name for name in looked if "_pull_" in name]
        expected["related_files"] = [{"file_name": name, "sha256_clear": looked[name].sha256} for name in pulls]
    return expected


def _number(text: str) -> int:
    return int(text) if text.isdigit() else -1
