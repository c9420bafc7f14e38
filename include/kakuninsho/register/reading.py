"""Reading delivered files: hashes, CSV to Parquet of text, and SQL whose errors never quote a row."""

from __future__ import annotations

import codecs
import csv
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from kakuninsho.register.contract import Table
from kakuninsho.register.errors import InboundError, Reason

SEND_AGAIN = "ask the sender to make the file again and to send it with its manifest"
_BLOCK = 1 << 20


@dataclass(frozen=True)
class Source:
    """A delivered file that DuckDB can read: a Parquet file, its row count, and its columns with their types."""

    label: str
    path: Path
    rows: int
    types: dict[str, str]


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
    except duckdb.Error as caught:
        line = re.search(r"\bLine: (\d+)", str(caught))
    place = f" at line {line[1]}" if line else ""
    raise error(
        Reason.UNREADABLE,
        file=label,
        rule=f"the file is cut off, damaged or not what its name says{place}",
        action=SEND_AGAIN,
    )


def open_parquet(
    connection: duckdb.DuckDBPyConnection, path: Path, table: Table, *, label: str, error: type[InboundError]
) -> Source:
    """Describe a delivered Parquet file and check that it has every column of the contract."""
    relation = f"read_parquet({quoted(path)})"
    described = run(connection, f"describe select * from {relation}", label=label, error=error)
    types = {str(row[0]): str(row[1]) for row in described}
    _require_columns(list(types), table, label=label, error=error)
    rows = run(connection, f"select count(*) from {relation}", label=label, error=error)[0][0]
    return Source(label, path, int(rows), types)


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
    copy = f"""
        copy (
            select {selected}
            from read_csv(
                {quoted(path)}, header = true, auto_detect = false, all_varchar = true, strict_mode = true,
                delim = ',', quote = '"', escape = '"', columns = {{{columns}}}
            )
        ) to {quoted(target)} (format parquet)
    """
    refusal: InboundError | None = None
    rows = 0
    try:
        rows = run(connection, copy, label=label, error=error)[0][0]
    except InboundError as caught:
        refusal = caught
    if refusal is not None:
        _require_utf8(path, label=label, error=error)
        raise refusal
    return Source(label, target, int(rows), dict.fromkeys([*names, *absent], "VARCHAR"))


def _require_columns(names: list[str], table: Table, *, label: str, error: type[InboundError]) -> None:
    missing = [column.name for column in table.columns if not column.may_be_absent and column.name not in names]
    if missing:
        raise error(
            Reason.MISSING_COLUMN,
            file=label,
            rule=f"the contract's column {', '.join(missing)} is not in the file",
            action="ask the sender for the file with every column and a header line that names them",
        )
    twice = [name for name, times in Counter(names).items() if times > 1 and name in table.column_names]
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
    except UnicodeDecodeError:
        readable = True
    except csv.Error:
        readable = False
    if readable:
        _require_utf8(path, label=label, error=error)
    raise error(Reason.UNREADABLE, file=label, rule="the header line cannot be read as CSV", action=SEND_AGAIN)


def _require_utf8(path: Path, *, label: str, error: type[InboundError]) -> None:
    """Raise where the bytes are not UTF-8, with the line of the first that is not."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    line, broken = 1, False
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            try:
                decoder.decode(block)
            except UnicodeDecodeError as caught:
                # Counted from the decoder's own buffer: right to within a character cut between blocks.
                line += block[: caught.start].count(b"\n")
                broken = True
                break
            line += block.count(b"\n")
    if broken:
        raise error(
            Reason.NOT_UTF8,
            file=label,
            rule=f"the file is not UTF-8 from line {line} on (CP932 by mistake?)",
            action="ask the sender to write the file in UTF-8 and to send it again with its manifest",
        )
