"""The last door: files to the printer read back from their bytes, record by record, and compared with the frozen plan.

The reader knows the contract's layout and the plan's tables, and nothing of the writer (printer/lot_file.py): what each
record must say is computed here again, in SQL of its own. A record is joined to the plan by its number; what is left
on both sides, by its place in the file. Results are counts by file, record and field; no value leaves the database.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from kakuninsho.campaign import load_branches
from kakuninsho.facts.schemas import Columns
from kakuninsho.facts.store import ARROW_TYPES, Fact
from kakuninsho.gates.file_orders import OrderFile
from kakuninsho.gates.file_plan import KEYS, LOT_RECORDS, ORDER_RECORDS, fields_of, make_planned_lots
from kakuninsho.printer.layout import ContractError
from kakuninsho.warehouse.connection import memory

# One row per file that must be there or is there.
READ_FILES: Columns = {
    "file_name": "VARCHAR",
    "is_planned": "BOOLEAN",
    "is_there": "BOOLEAN",
    "is_readable": "BOOLEAN",  # the character set, quotes and line ends of the contract
    "row_count": "BIGINT",  # found: records of a lot, rows of an order without its header line
    "claimed_row_count": "BIGINT",  # by the writer: what the manifest will say
    "byte_count": "BIGINT",
    "claimed_byte_count": "BIGINT",
    "sha256": "VARCHAR",
    "claimed_sha256": "VARCHAR",
}
# One row per file and kind of record.
READ_RECORDS: Columns = {
    "file_name": "VARCHAR",
    "record": "VARCHAR",  # H, E, C, B, L, N, T, pull_list, urgent_pull_list, release_order, stop_order, unknown
    "planned": "BIGINT",
    "found": "BIGINT",
    "missing": "BIGINT",
    "over": "BIGINT",
    "twice": "BIGINT",
    "out_of_order": "BIGINT",  # records that stand before one that the plan has before them
    "extra_fields": "BIGINT",  # records with more fields than their kind has
}
# One row per file, kind of record and field.
READ_FIELDS: Columns = {
    "file_name": "VARCHAR",
    "record": "VARCHAR",
    "field": "VARCHAR",
    "compared": "BIGINT",
    "differing": "BIGINT",
}
UNKNOWN = "unknown"
WIDTH = max(len(fields_of(record)) for record in (*LOT_RECORDS, *ORDER_RECORDS)) + 1  # one more: fields over
GROUP_BYTES = 48_000_000  # files read together: a pass over many small lots, or over two large ones
BYTES_WORTH_A_PROCESS = 60_000_000
BLOCK = 1 << 20
_ROW = dict[str, Any]


@dataclass(frozen=True)
class Claimed:
    """A file as its writer gives it: where it lies, and what its manifest will say of it."""

    path: Path
    lot_id: str | None
    row_count: int
    byte_count: int
    sha256: str


@dataclass
class Reading:
    """What was read: rows of the three tables."""

    files: list[_ROW] = field(default_factory=list)
    records: list[_ROW] = field(default_factory=list)
    fields: list[_ROW] = field(default_factory=list)

    def write(self, folder: Path) -> dict[str, Path]:
        """Write the tables of the suite outbound/file_bytes as Parquet; returns their paths."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        tables = {
            "read_files": (READ_FILES, self.files),
            "read_records": (READ_RECORDS, self.records),
            "read_fields": (READ_FIELDS, self.fields),
        }
        for name, (columns, rows) in tables.items():
            schema = pa.schema([(column, ARROW_TYPES[kind]) for column, kind in columns.items()])
            pq.write_table(pa.Table.from_pylist(rows, schema=schema), folder / f"{name}.parquet")
        return {name: folder / f"{name}.parquet" for name in tables}

    def broken(self) -> list[str]:
        """What differs, by file, as words without a value: `name: E.address 3`."""
        told = [f"{row['file_name']}: {row['record']}.{row['field']} {row['differing']}" for row in self.fields]
        found = [text for text, row in zip(told, self.fields, strict=True) if row["differing"]]
        for row in self.records:
            counts = ["missing", "over", "twice", "out_of_order", "extra_fields"]
            counts += ["found"] if row["record"] == UNKNOWN else []
            found += [f"{row['file_name']}: {row['record']} {count} {row[count]}" for count in counts if row[count]]
        found += [f"{row['file_name']}: unreadable" for row in self.files if row["is_there"] and not row["is_readable"]]
        return found


def read_files(
    plan: Fact, claimed: Sequence[Claimed], orders: Sequence[OrderFile], work: Path, *, workers: int = 2
) -> Reading:
    """Read the clear files of a frozen plan and compare each record with the plan.

    `orders` are the order files that the plan asks for (gates/file_orders.py); its lots are asked of the plan itself.
    `work` is a scratch folder. Many bytes are spread over `workers` processes.
    """
    planned = _planned_files(plan, orders)
    there = {file.path.name: file for file in claimed}
    reading = Reading()
    kept: list[_Input] = []
    for name in sorted({*planned, *there}):
        file, order = there.get(name), planned.get(name)
        raw = file is not None and file.path.is_file()
        row: _ROW = {"file_name": name, "is_planned": name in planned, "is_there": raw, "is_readable": raw}
        if file is not None:
            row |= {f"claimed_{key}": getattr(file, key) for key in ("row_count", "byte_count", "sha256")}
        reading.files.append(row)
        if file is not None and raw and name in planned:
            kept.append(_Input(name, file.path, file.lot_id, order))
    groups = _groups(kept)
    total = sum(item.path.stat().st_size for item in kept)
    work.mkdir(parents=True, exist_ok=True, mode=0o700)
    if workers < 2 or len(groups) < 2 or total < BYTES_WORTH_A_PROCESS:
        parts = [_read_group(plan, group, work, 2) for group in groups]
    else:
        # Spawned, not forked: DuckDB's threads do not survive a fork.
        with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
            parts = list(pool.map(_read_group, [plan] * len(groups), groups, [work] * len(groups), [1] * len(groups)))
    seen = {row["file_name"]: row for part in parts for row in part.files}
    for row in reading.files:
        row.update(seen.get(row["file_name"], {}))
    for part in parts:
        reading.records += part.records
        reading.fields += part.fields
    return reading


@dataclass(frozen=True)
class _Input:
    name: str
    path: Path
    lot_id: str | None
    order: OrderFile | None


def _planned_files(plan: Fact, orders: Sequence[OrderFile]) -> dict[str, OrderFile | None]:
    lots = pq.read_table(plan.table("lots"), columns=["lot_id", "envelope_count", "seed_count"]).to_pylist()
    planned: dict[str, OrderFile | None] = {order.file_name: order for order in orders}
    for lot in lots:
        count = lot["envelope_count"] + lot["seed_count"]
        planned[f"pv1_{lot['lot_id'].split('-')[0]}_lot_{lot['lot_id']}_{count}.csv"] = None
    return planned


def _groups(inputs: Sequence[_Input]) -> list[list[_Input]]:
    groups: list[list[_Input]] = []
    size = 0
    for item in inputs:
        bytes_of_item = item.path.stat().st_size
        if not groups or size + bytes_of_item > GROUP_BYTES:
            groups.append([])
            size = 0
        groups[-1].append(item)
        size += bytes_of_item
    return groups


def _read_group(plan: Fact, group: list[_Input], work: Path, threads: int) -> Reading:
    """Read some files in one pass; where a file cannot be read as a table, each alone."""
    folder = Path(tempfile.mkdtemp(prefix=".read-", dir=work))
    try:
        with memory(limit="1GB", threads=threads, spill=folder / "spill") as connection:
            decoded = _decode(group, folder / "records.csv")
            try:
                return _compare(connection, plan, group, decoded, folder / "records.csv")
            except _UnreadableError:
                pass
        if len(group) == 1:
            row = {**decoded[0].row, "is_readable": False}
            return Reading(files=[row])
        alone = [_read_group(plan, [item], work, threads) for item in group]
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return Reading(*[[row for part in alone for row in getattr(part, name)] for name in ("files", "records", "fields")])


class _UnreadableError(ContractError):
    """The bytes are no table of the contract."""


# --- bytes ----------------------------------------------------------------------------------------


@dataclass
class _Decoded:
    row: _ROW
    lines: int
    size: int  # in UTF-8
    quotes: int  # half of them, in bytes


def _decode(group: Sequence[_Input], target: Path) -> list[_Decoded]:
    """Hash and count the bytes of each file, and write their text one after the other as UTF-8."""
    done = []
    with target.open("wb") as out:
        target.chmod(0o600)
        for item in group:
            digest, size, lines, quotes, written, good, last = hashlib.sha256(), 0, 0, 0, 0, True, b""
            for raw in _whole_lines(item.path):
                digest.update(raw)
                size += len(raw)
                lines += raw.count(b"\n")
                quotes += raw.count(b'"')  # no character of two bytes holds one
                last = raw[-2:]
                text = _text_of(raw, "utf-8" if item.order else "cp932")
                if text is None:
                    good = False
                    continue
                written += out.write(text)
            row = {
                "file_name": item.name,
                "is_readable": good and last == b"\r\n",
                "row_count": lines - (1 if item.order else 0),
                "byte_count": size,
                "sha256": digest.hexdigest(),
            }
            if written and last != b"\r\n":
                out.write(b"\r\n")
                lines += last[-1:] != b"\n"
            done.append(_Decoded(row, lines if good else -1, written, quotes // 2))
    return done


def _whole_lines(path: Path) -> Iterator[bytes]:
    """The bytes of a file in blocks that end with a line: no character is cut."""
    rest = b""
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            cut = block.rfind(b"\n") + 1
            if cut:
                yield rest + block[:cut]
                rest = block[cut:]
            else:
                rest += block
    if rest:
        yield rest


def _text_of(raw: bytes, encoding: str) -> bytes | None:
    """A block as UTF-8; None when it is not of the character set, or a character has its NEC form (contract: IBM)."""
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError:
        return None
    if encoding == "cp932" and (b"\xed" in raw or b"\xee" in raw) and _has_nec_form(text, raw):
        return None
    return text.encode("utf-8")


@lru_cache(maxsize=1)
def _places() -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_]]:
    """By code point: bytes that a character takes in CP932, and whether it has a form that begins with ED or EE."""
    widths = np.full(0x10000, 2, dtype=np.uint8)
    widths[:0x80] = 1
    widths[0xFF61:0xFFA0] = 1  # half-width kana
    has_nec_form = np.zeros(0x10000, dtype=np.bool_)
    for raw in (bytes((lead, trail)) for lead in (0xED, 0xEE) for trail in range(0x40, 0xFD)):
        character = raw.decode("cp932", errors="ignore")
        if len(character) == 1:
            has_nec_form[ord(character)] = True
    return widths, has_nec_form


def _has_nec_form(text: str, raw: bytes) -> bool:
    """Whether a character begins with the byte ED or EE: those bytes may also end one, so places are counted."""
    points = np.frombuffer(text.encode("utf-16-le"), dtype="<u2")
    widths, has_nec_form = _places()
    found = np.flatnonzero(has_nec_form[points])
    if not len(found):
        return False
    ends = np.cumsum(widths[points], dtype=np.int32)
    leads = np.frombuffer(raw, dtype=np.uint8)[ends[found] - 2]
    return bool(((leads == 0xED) | (leads == 0xEE)).any())


# --- comparing -------------------------------------------------------------------------------------

_COLUMNS = [f"c{index}" for index in range(WIDTH)]
_ALL = ", ".join(_COLUMNS)
# Bytes of a record but for doubled quotes, which are counted in the bytes: quotes and comma of each field, line end.
_SIZE = " + ".join(f"coalesce(strlen({name}) + 2, 0)" for name in _COLUMNS) + " + 1"


def _compare(
    connection: duckdb.DuckDBPyConnection,
    plan: Fact,
    group: Sequence[_Input],
    decoded: Sequence[_Decoded],
    source: Path,
) -> Reading:
    if any(item.lines < 0 for item in decoded):
        raise _UnreadableError
    _read_found(connection, group, decoded, source)
    _make_planned(connection, plan, group)
    twice = _twice(connection)
    connection.execute(
        "create temp table matched (file integer, kind varchar, line bigint, place hugeint, mask bigint, size bigint)"
    )
    records = [record for record in (*LOT_RECORDS, *ORDER_RECORDS) if record in _kinds(group)]
    for record in records:
        connection.execute(
            f"""insert into matched
            select f.file, '{record}', f.line, p.place, {_mask(record)}, {_SIZE}
            from planned_{record.lower()} as p
            join found as f on f.file = p.file and f.key = p.key
            where f.kind = '{record}'"""
        )
    planned = " union all ".join(f"select '{kind}' as kind, file from planned_{kind.lower()}" for kind in records)
    counts = {
        "planned": _by_kind(connection, planned),
        "found": _by_kind(connection, "select kind, file from found"),
        "matched": _by_kind(connection, "select kind, file from matched"),
        "twice": twice,
        "missing": {},
        "over": {},
    }
    if not counts["planned"] == counts["found"] == counts["matched"]:
        counts |= _pair_the_rest(connection, records)
    # Records that stand before one that the plan has before them.
    counts["out_of_order"] = _by_kind(
        connection,
        """select kind, file from (
            select file, kind, place > lead(place) over (partition by file order by line) as is_turned from matched
        ) where is_turned""",
    )
    return _results(connection, group, decoded, counts)


_Counts = dict[tuple[int, str], int]


def _by_kind(connection: duckdb.DuckDBPyConnection, query: str) -> _Counts:
    rows = connection.execute(f"select file, kind, count(*) from ({query}) group by all").fetchall()
    return {(file, kind): count for file, kind, count in rows}


def _kinds(group: Sequence[_Input]) -> set[str]:
    kinds: set[str] = set()
    for item in group:
        kinds |= {item.order.kind} if item.order else set(LOT_RECORDS)
    return kinds


def _mask(record: str) -> str:
    """SQL of the fields that differ, a bit each; the first bit after them: a field too many."""
    names = [item["name"] for item in fields_of(record)]
    bits = [f"(p.{name} is distinct from f.c{index})::bigint << {index}" for index, name in enumerate(names)]
    return " | ".join([*(f"({bit})" for bit in bits), f"((f.c{len(names)} is not null)::bigint << {len(names)})"])


def _read_found(
    connection: duckdb.DuckDBPyConnection, group: Sequence[_Input], decoded: Sequence[_Decoded], source: Path
) -> None:
    """Read the records as they stand: the file's number, the line, the record's key, and its fields."""
    ends, names, kinds = 0, "", ""
    for index, (item, text) in enumerate(zip(group, decoded, strict=True)):
        ends += text.lines
        names += f" when line <= {ends} then {index}"
        kinds += f" when line <= {ends} then '{item.order.kind}'" if item.order else f" when line <= {ends} then c0"
    keys = " ".join(f"when '{kind}' then {_key(kind)}" for kind in sorted(_kinds(group)))
    kind = f"case{kinds} end"
    try:
        connection.execute(
            f"""create temp table found as
            select case{names} end as file, line, coalesce({kind}, '') as kind, case {kind} {keys} end as key, {_ALL}
            from (
                select row_number() over () as line, *
                from read_csv('{source}', header = false, delim = ',', quote = '"', escape = '"', null_padding = true,
                    allow_quoted_nulls = false, strict_mode = true, auto_detect = false, parallel = false,
                    columns = {dict.fromkeys(_COLUMNS, "VARCHAR")})
            )"""
        )
    except duckdb.Error:
        raise _UnreadableError from None
    if connection.execute("select count(*) from found").fetchall()[0][0] != ends:
        raise _UnreadableError


def _key(record: str) -> str:
    """SQL of a record's key from its fields as they stand."""
    names = [item["name"] for item in fields_of(record)]
    return " || '/' || ".join(f"c{names.index(name)}" for name in KEYS[record]) or "''"


def _make_planned(connection: duckdb.DuckDBPyConnection, plan: Fact, group: Sequence[_Input]) -> None:
    """What the files must say: for each kind of record its file, key and place, and its fields as text."""
    lots = [(index, item.lot_id) for index, item in enumerate(group) if item.lot_id and not item.order]
    if lots:
        branches = [(int(item.prefecture_code), item.insurer_number, item.branch_name) for item in load_branches()]
        make_planned_lots(connection, plan, lots, branches)
    for record in _kinds(group) & set(ORDER_RECORDS):
        names = [item["name"] for item in fields_of(record)]
        places = [names.index(name) for name in KEYS[record]]
        told = [
            f"({index}, '{'/'.join(row[place] for place in places)}', {line}, "
            + ", ".join(f"'{value}'" for value in row)
            + ")"
            for index, item in enumerate(group)
            if item.order and item.order.kind == record
            for line, row in enumerate([tuple(names), *item.order.rows], 1)
        ]
        connection.execute(
            f"""create temp table planned_{record} as
            select * from (values {", ".join(told)}) as told (file, key, place, {", ".join(names)})"""
        )


def _twice(connection: duckdb.DuckDBPyConnection) -> _Counts:
    """Records whose number came before, by file and kind; each but the first is taken out."""
    rows: list[tuple[int, str, int]] = connection.execute(
        """select file, kind, sum(times - 1)::bigint from (
            select file, kind, key, count(*) as times from found where key is not null
            group by all having count(*) > 1
        ) group by all"""
    ).fetchall()
    if rows:
        connection.execute(
            """delete from found where line in (
                select line from (
                    select line, row_number() over (partition by file, kind, key order by line) as nth
                    from found where key is not null
                ) where nth > 1
            )"""
        )
    return {(file, kind): count for file, kind, count in rows}


def _pair_the_rest(connection: duckdb.DuckDBPyConnection, records: Sequence[str]) -> dict[str, _Counts]:
    """Pair by its place in the file what no number pairs; what has no counterpart there is missing or over."""
    planned = " union all ".join(
        f"select file, '{kind}' as kind, key, place from planned_{kind.lower()}" for kind in records
    )
    connection.execute(
        f"""create temp table planned_left as
        select * from (
            select *, row_number() over (partition by file order by place) as nth from ({planned})
        ) anti join (select file, kind, place from matched) as done using (file, kind, place);

        create temp table found_left as
        select * from (
            select *, row_number() over (partition by file order by line) as nth from found
        ) anti join (select file, line from matched) as done using (file, line);

        create temp table paired as
        select file, planned_left.kind, planned_left.key as planned_key, nth, line
        from planned_left join found_left using (file, nth)"""
    )
    for record in records:
        connection.execute(
            f"""insert into matched
            select f.file, '{record}', f.line, null, {_mask(record)}, {_SIZE}
            from planned_{record.lower()} as p
            join paired on paired.kind = '{record}' and paired.file = p.file and paired.planned_key = p.key
            join found_left as f on f.file = paired.file and f.line = paired.line"""
        )
    return {
        "missing": _by_kind(connection, "select file, kind from planned_left anti join paired using (file, nth)"),
        "over": _by_kind(connection, "select file, kind from found_left anti join paired using (file, line)"),
    }


def _results(
    connection: duckdb.DuckDBPyConnection,
    group: Sequence[_Input],
    decoded: Sequence[_Decoded],
    counts: Mapping[str, _Counts],
) -> Reading:
    masks = connection.execute("select file, kind, mask, count(*) from matched group by all").fetchall()
    sizes = dict(connection.execute(f"select file, sum({_SIZE})::bigint from found group by file").fetchall())
    reading = Reading()
    for index, (item, text) in enumerate(zip(group, decoded, strict=True)):
        # Every quote, comma and line end is accounted for: nothing stands between the fields.
        is_whole = any(file == index for file, _ in counts["twice"]) or sizes.get(index, 0) + text.quotes == text.size
        reading.files.append({**text.row, "is_readable": text.row["is_readable"] and is_whole})
        known = (item.order.kind,) if item.order else LOT_RECORDS
        told: dict[str, _ROW] = {}
        for kind in sorted({kind for values in counts.values() for file, kind in values if file == index}):
            record = kind if kind in known else UNKNOWN
            row = told.setdefault(record, dict.fromkeys(READ_RECORDS, 0) | {"file_name": item.name, "record": record})
            for name in ("planned", "found", "missing", "over", "twice", "out_of_order"):
                row[name] += counts[name].get((index, kind), 0)
        for record in [record for record in known if (index, record) in counts["planned"]]:
            names = [field["name"] for field in fields_of(record)]
            found = [(mask, count) for file, kind, mask, count in masks if (file, kind) == (index, record)]
            told[record]["extra_fields"] = sum(count for mask, count in found if mask >> len(names) & 1)
            reading.fields += [
                {
                    "file_name": item.name,
                    "record": record,
                    "field": name,
                    "compared": sum(count for _, count in found),
                    "differing": sum(count for mask, count in found if mask >> bit & 1),
                }
                for bit, name in enumerate(names)
            ]
        reading.records += told.values()
    return reading
