"""Small register drops for tests: four clean files with their manifest, and ways to spoil them."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

AS_OF = date(2025, 4, 30)
FUKUI = "01180017"
NAME = "越前　花子"
KANA = "エチゼン　ハナコ"
NUMBER = "4649123"
# Nothing of a person may be said anywhere but in the tables.
PERSONAL = (NAME, KANA, NUMBER, "大手三丁目")

Row = dict[str, str | None]
Rows = dict[str, list[Row]]


def member(number: int = 1, suffix: str = "00", /, **changes: str | None) -> Row:
    row: Row = {
        "insurer_number": FUKUI,
        "symbol": "1234567",
        "number": str(number),
        "suffix": suffix,
        "relationship": "insured" if suffix == "00" else "dependent",
        "enrolment": "employee",
        "name": NAME,
        "name_kana": KANA,
        "sex": "female",
        "birth_date": "1980-02-29",
        "qualified_on": "2010-04-01",
        "decided_on": "2010-04-05",
        "lost_on": None,
        "protected": "false",
    }
    return {**row, **changes}


def address(number: int = 1, /, **changes: str | None) -> Row:
    row: Row = {
        "insurer_number": FUKUI,
        "symbol": "1234567",
        "number": str(number),
        "postal_code": "9100005",
        "address": "福井県福井市大手三丁目1番1号",
        "building": None,
        "country": "JP",
        "updated_on": "2020-01-01",
    }
    return {**row, **changes}


def employer(symbol: str = "1234567", /, **changes: str | None) -> Row:
    row: Row = {
        "insurer_number": FUKUI,
        "symbol": symbol,
        "name": "株式会社足羽",
        "postal_code": "9100005",
        "address": "福井県福井市大手二丁目",
        "building": None,
        "closed_on": None,
    }
    return {**row, **changes}


def card(number: int = 1, suffix: str = "00", /, **changes: str | None) -> Row:
    row: Row = {
        "insurer_number": FUKUI,
        "symbol": "1234567",
        "number": str(number),
        "suffix": suffix,
        "has_card": "true",
        "number_filed": "true",
        "registered": "true",
        "certificate_expires_on": "2027-02-28",
        "registration_cancelled_on": None,
    }
    return {**row, **changes}


def issued(number: int = 1, suffix: str = "00", /, **changes: str | None) -> Row:
    row: Row = {
        "insurer_number": FUKUI,
        "symbol": "1234567",
        "number": str(number),
        "suffix": suffix,
        "issued_on": "2025-01-10",
        "valid_until": "2029-11-30",
        "ended_on": None,
    }
    return {**row, **changes}


def clean(count: int = 3) -> Rows:
    """`count` households of one, one employer."""
    numbers = range(1, count + 1)
    return {
        "members": [member(n) for n in numbers],
        "addresses": [address(n) for n in numbers],
        "employers": [employer()],
        "my_number_cards": [card(n) for n in numbers],
    }


def csv_bytes(rows: list[Row], columns: list[str] | None = None, *, bom: bool = False) -> bytes:
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, columns or list(rows[0]), extrasaction="ignore", lineterminator="\r\n")
    writer.writeheader()
    writer.writerows([{key: value or "" for key, value in row.items()} for row in rows])
    return out.getvalue().encode("utf-8-sig" if bom else "utf-8")


def typed_table(rows: list[Row]) -> pa.Table:
    """The types of the contract: text, date32, boolean."""
    columns: dict[str, Any] = {}
    for name in rows[0]:
        values = [row[name] for row in rows]
        if name.endswith("_on") or name == "birth_date":
            columns[name] = pa.array([v and date.fromisoformat(v) for v in values], pa.date32())
        elif set(values) <= {"true", "false"}:
            columns[name] = pa.array([v == "true" for v in values], pa.bool_())
        else:
            columns[name] = pa.array(values, pa.string())
    return pa.table(columns)


def _csv_rows(path: Path) -> int:
    try:
        return len(list(csv.reader(io.StringIO(path.read_bytes().decode("utf-8", "replace"))))) - 1
    except csv.Error:  # spoiled on purpose
        return 3


def write_manifest(folder: Path, kind: str = "full", **changes: Any) -> None:
    """The manifest of the files that are there."""
    files = []
    for path in sorted(folder.glob("*.csv")) + sorted(folder.glob("*.parquet")):
        if path.suffix == ".parquet":
            rows = pq.read_metadata(path).num_rows if path.read_bytes()[-4:] == b"PAR1" else 3
        else:
            rows = _csv_rows(path)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        files.append({"name": path.name, "rows": max(rows, 0), "sha256": digest})
    manifest = {"contract": "register/v1", "as_of": folder.name.removeprefix("as_of="), "kind": kind, "files": files}
    (folder / "manifest.json").write_text(json.dumps({**manifest, **changes}), encoding="utf-8")


def deliver(
    register: Path, rows: Rows | None = None, *, as_of: date = AS_OF, form: str = "csv", kind: str = "full"
) -> Path:
    """Write a drop and its manifest; returns its folder."""
    folder = register / f"as_of={as_of.isoformat()}"
    folder.mkdir(parents=True, exist_ok=True)
    empty = {
        "members": member(),
        "addresses": address(),
        "employers": employer(),
        "my_number_cards": card(),
        "issued_certificates": issued(),
    }
    for table, lines in (rows or clean()).items():
        if form == "csv":
            (folder / f"{table}.csv").write_bytes(csv_bytes(lines, list(empty[table])))
        else:
            pq.write_table(typed_table(lines or [empty[table]]).slice(0, len(lines)), folder / f"{table}.parquet")
    write_manifest(folder, kind)
    return folder
