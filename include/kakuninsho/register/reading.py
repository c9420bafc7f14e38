"""Reading delivered files: hashes, CSV to Parquet of text, and SQL whose errors never quote a row."""

from __future__ import annotations

import csv
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from kakuninsho.register.contract import Table
from kakuninsho.register.csv_shape import IN_UTF8, SEND_AGAIN, csv_shape, encoding_told, write_without_misshapen
from kakuninsho.register.errors import InboundError, Reason

__all__ = ["SEND_AGAIN", "Source", "identifier", "open_csv", "open_parquet", "quoted", "run"]
# Names that DuckDB's reader or our own SQL would take for something else.
_RESERVED = frozenset({"file_row_number", "file_index", "filename"})
_ROWS_AT_ONCE = 100_000


@dataclass(frozen=True)
class Source:
    """A delivered file that DuckDB can read: a Parquet file, its row count, and its columns with their types."""

    label: str
    path: Path
    rows: int
    types: dict[str, str]
    misshapen: tuple[int, ...] = ()  # rows of a CSV file with more or fewer fields than the header: always rejected

    @property
    def relation(self) -> str:
        """SQL that reads the file with its row numbers. A folder's name is never a column (country=JP/as_of=…)."""
        return f"read_parquet({quoted(self.path)}, file_row_number = true, hive_partitioning = false)"


def quoted(text: str | Path) -> str:
    """A SQL string literal."""
    return "'" + str(text).replace("'", "''") + "'"


def identifier(name: str) -> str:
    """A SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def run(
    connection: duckdb.DuckDBPyConnection, sql: str, *, label: str, error: type[InboundError]
) -> list[tuple[Any, ...]]:
    """Execute SQL over a delivered file.

    DuckDB's messages quote the row they stumble over. They are not passed on, nor kept as the cause: the
    refusal is raised after the original has been dropped.

    Raises:
        InboundError: the file cannot be read; names the line where DuckDB says one.
    """
    try:
        return list(connection.execute(sql).fetchall())
    except (duckdb.OutOfMemoryException, duckdb.ParserException, duckdb.BinderException, duckdb.CatalogException):
        raise  # ours to mend, not the sender's
    except (duckdb.Error, UnicodeDecodeError) as caught:
        # The client cannot decode a message that quotes half a character.
        line = re.search(r"\bLine: (\d+)", str(caught))
    place = f" at line {line[1]}" if line else ""
    raise error(
        Reason.UNREADABLE,
        file=label,
        rule=f"the file is cut off, damaged or not what its name says{place}",
        action=SEND_AGAIN,
    )


def open_parquet(
    connection: duckdb.DuckDBPyConnection,
    path: Path,
    table: Table,
    *,
    label: str,
    error: type[InboundError],
    target: Path | None = None,
) -> Source:
    """Describe a delivered Parquet file and check that it has every column of the contract, once, as readable text.

    Args:
        connection: of the caller.
        path: the file.
        table: of the contract.
        label: the file's name in messages.
        error: the refusal's class.
        target: where the file is written again when a further column has a name that only a copy can change.
    """
    names = _parquet_columns(path, label=label, error=error)
    _require_columns(names, table, label=label, error=error)
    relation = f"read_parquet({quoted(path)}, hive_partitioning = false, binary_as_string = true)"
    described = run(connection, f"describe select * from {relation}", label=label, error=error)
    types = {str(row[0]): str(row[1]) for row in described}
    _require_text(path, table, names, label=label, error=error)
    rows = int(run(connection, f"select count(*) from {relation}", label=label, error=error)[0][0])
    unmarked = any(pa.types.is_binary(kind) for kind in _arrow_types(path, label=label, error=error))
    if target is not None and (unmarked or {name.lower() for name in names} & _RESERVED):
        selected = ", ".join(
            identifier(name) if name in table.column_names else f"{identifier(name)} as extra_{n}"
            for n, name in enumerate(types)
        )
        run(connection, f"copy (select {selected} from {relation}) to {quoted(target)} (format parquet)",
            label=label, error=error)  # fmt: skip
        types = {
            name if name in table.column_names else f"extra_{n}": kind for n, (name, kind) in enumerate(types.items())
        }
        return Source(label, target, rows, types)
    return Source(label, path, rows, types)


def _schema(path: Path, *, label: str, error: type[InboundError]) -> pa.Schema:
    try:
        return pq.read_schema(path)
    except (pa.ArrowException, OSError, ValueError):
        pass
    raise error(
        Reason.UNREADABLE,
        file=label,
        rule="the file is cut off, damaged or not what its name says",
        action=SEND_AGAIN,
    )


def _parquet_columns(path: Path, *, label: str, error: type[InboundError]) -> list[str]:
    """The columns' names as they are in the file: DuckDB would give the second of a name another one."""
    return list(_schema(path, label=label, error=error).names)


def _arrow_types(path: Path, *, label: str, error: type[InboundError]) -> list[pa.DataType]:
    return list(_schema(path, label=label, error=error).types)


def _require_text(path: Path, table: Table, names: list[str], *, label: str, error: type[InboundError]) -> None:
    """Raise where a text is not UTF-8 or holds a NUL, with its column and row. A dictionary is looked at once."""
    kinds = _arrow_types(path, label=label, error=error)
    texts = [
        name
        for name, kind in zip(names, kinds, strict=True)
        if name in table.column_names and (_is_text(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind))
    ]
    rule, place = "", 0
    first = 0
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=_ROWS_AT_ONCE, columns=texts) if texts else ():
                for name in texts:
                    found = _first_bad_text(batch.column(batch.schema.get_field_index(name)))
                    if found is not None:
                        rule, place = f"column {name}: {found[1]}", first + found[0] + 1
                        break
                if rule:
                    break
                first += batch.num_rows
    except (pa.ArrowException, OSError, ValueError):
        rule, place = "", -1
    if place < 0:
        raise error(
            Reason.UNREADABLE,
            file=label,
            rule="the file is cut off, damaged or not what its name says",
            action=SEND_AGAIN,
        )
    if rule:
        raise error(Reason.NOT_UTF8, file=label, rule=f"{rule}, in row {place}", action=IN_UTF8)


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _first_bad_text(column: pa.Array) -> tuple[int, str] | None:
    """Place of the first text of a column that is no UTF-8 or holds a NUL, and what it is; None for none."""
    kind = column.type
    wide = pa.types.is_large_string(kind) or pa.types.is_large_binary(kind)
    values = column.cast(pa.large_binary() if wide else pa.binary())
    buffer = values.buffers()[2]
    if buffer is None:
        return None
    raw = bytes(buffer)
    try:
        raw.decode("utf-8")
        if b"\0" not in raw:
            return None
    except UnicodeDecodeError:
        pass
    for place, value in enumerate(values.to_pylist()):
        if value is None:
            continue
        told = ""
        try:
            value.decode("utf-8")
        except UnicodeDecodeError as caught:
            told = encoding_told(value[caught.start : caught.start + 2])
        if told or b"\0" in value:
            return place, told or "a text holds a NUL character (U+0000), as UTF-16 does"
    return None


def open_csv(
    connection: duckdb.DuckDBPyConnection,
    path: Path,
    table: Table,
    target: Path,
    *,
    label: str,
    error: type[InboundError],
) -> Source:
    """Bring a delivered CSV file into a Parquet file of text at `target`, row for row in its order.

    UTF-8 (a BOM is accepted), header line, RFC 4180. Columns that the contract does not name are kept under
    names of ours, since a file without a header line would bring a person's values as names.
    """
    shape = csv_shape(path, label=label, error=error)
    header = _read_header(path, label=label, error=error)
    _require_columns(header, table, label=label, error=error)
    known = set(table.column_names)
    names = [name if name in known else f"extra_{n}" for n, name in enumerate(header)]
    columns = ", ".join(f"'c{n}': 'VARCHAR'" for n in range(len(header)))
    absent = [column.name for column in table.columns if column.may_be_absent and column.name not in names]
    selected = ", ".join(
        [f"c{n} as {identifier(name)}" for n, name in enumerate(names)]
        + [f"null::varchar as {identifier(name)}" for name in absent]
    )
    readable = path
    if shape.misshapen:
        readable = target.with_suffix(".shaped.csv")
        write_without_misshapen(path, shape, readable)
    copy = f"""
        copy (
            select {selected}
            from read_csv(
                {quoted(readable)}, header = true, auto_detect = false, all_varchar = true, strict_mode = true,
                delim = ',', quote = '"', escape = '"', columns = {{{columns}}},
                hive_partitioning = false
            )
        ) to {quoted(target)} (format parquet)
    """
    try:
        rows = int(run(connection, copy, label=label, error=error)[0][0])
    finally:
        if readable != path:
            readable.unlink(missing_ok=True)
    if rows != shape.rows:
        raise error(
            Reason.UNREADABLE,
            file=label,
            rule=f"the file has {shape.rows} rows by its line ends and {rows} when read: it is damaged",
            action=SEND_AGAIN,
        )
    types = dict.fromkeys([*names, *absent], "VARCHAR")
    return Source(label, target, rows, types, shape.misshapen_rows)


def _require_columns(names: list[str], table: Table, *, label: str, error: type[InboundError]) -> None:
    missing = [column.name for column in table.columns if not column.may_be_absent and column.name not in names]
    if missing:
        raise error(
            Reason.MISSING_COLUMN,
            file=label,
            rule=f"the contract's column {', '.join(missing)} is not in the file",
            action="ask the sender for the file with every column and a header line that names them",
        )
    times = Counter(name.lower() for name in names)
    twice = [name for name in table.column_names if times[name] > 1]
    if twice:
        raise error(
            Reason.MISSING_COLUMN,
            file=label,
            rule=f"the column {', '.join(twice)} is there twice and it is unclear which one counts",
            action="ask the sender for the file with each column once",
        )


def _read_header(path: Path, *, label: str, error: type[InboundError]) -> list[str]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return next(csv.reader(file, strict=True), [])
    except (UnicodeDecodeError, csv.Error):
        pass
    raise error(Reason.UNREADABLE, file=label, rule="the header line cannot be read as CSV", action=SEND_AGAIN)
