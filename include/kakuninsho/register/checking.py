"""SQL that sorts the rows of a delivered file into accepted and rejected (contract register/v1, Rejects).

Three streaming scans of the file: keys that occur twice; the first rule that each row breaks (rows that break none
leave no trace); the accepted rows, written typed. Only rows that repeat a key are compared as a whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb

from kakuninsho.register.contract import Column, Table, holds_my_number
from kakuninsho.register.errors import InboundError, Reason
from kakuninsho.register.reading import Source, identifier, quoted, run

MY_NUMBER = "my_number"


def parsed_sql(source: Source, table: Table) -> str:
    """SQL: the file's rows with their number, each column as text (null when empty), dates and booleans typed."""
    columns = [_parsed(column, source.types[column.name]) for column in table.columns]
    extras = [
        f"nullif(cast({identifier(name)} as varchar), '') as {extra}"
        for name, extra in _extra_columns(source, table).items()
    ]
    shaped = f" where file_row_number + 1 not in ({_numbers(source.misshapen)})" if source.misshapen else ""
    return f"select file_row_number + 1 as row_number, {', '.join(columns + extras)} from {source.relation}{shaped}"


def _numbers(rows: tuple[int, ...]) -> str:
    return f"select unnest({list(rows)}::bigint[])"


def _extra_columns(source: Source, table: Table) -> dict[str, str]:
    names = [name for name in source.types if name not in table.column_names]
    return {name: f"extra_column_{n}" for n, name in enumerate(names)}


def _parsed(column: Column, source_type: str) -> str:
    name = identifier(column.name)
    text = f"nullif({name}, '')" if source_type == "VARCHAR" else f"nullif(cast({name} as varchar), '')"
    if column.kind == "date" and source_type == "DATE":
        in_range = f"{name} between date '0001-01-01' and date '9999-12-31'"
        return f"{name}, case when {in_range} then {name} end as {column.name}_value"
    if column.kind == "date":
        # A date that is printed back as it came is one of YYYY-MM-DD; ten characters leave years 0 and 10000 out.
        exact = f"length({text}) = 10 and cast(try_cast({text} as date) as varchar) = {text}"
        value = f"case when {exact} then try_cast({text} as date) end"
        return f"{text} as {name}, {value} as {column.name}_value"
    if column.kind == "boolean" and source_type == "BOOLEAN":
        return f"{name}, {name} as {column.name}_value"
    if column.kind == "boolean":
        value = f"case {text} when 'true' then true when 'false' then false end"
        return f"{text} as {name}, {value} as {column.name}_value"
    return f"{text} as {name}"


def failures(source: Source, table: Table, *, as_of: date | None) -> list[tuple[str, str, str]]:
    """(column, code, SQL condition) in the order in which they judge a row; My Numbers before everything."""
    found: list[tuple[str, str, str]] = []
    extras = list(_extra_columns(source, table).values())
    texts = [
        column.name
        for column in table.columns
        if (column.kind == "text" or source.types[column.name] not in {"DATE", "BOOLEAN"})
        and (table.free_text is None or column.name in table.free_text)
    ]
    found += [(name, MY_NUMBER, holds_my_number(identifier(name))) for name in texts]
    found += [("a column more", MY_NUMBER, holds_my_number(name)) for name in extras]
    day = f"date '{as_of.isoformat()}'" if as_of else "null"
    for column in table.columns:
        if column.required:
            found.append((column.name, "missing_value", f"{identifier(column.name)} is null"))
        if column.kind != "text":
            code = "bad_date" if column.kind == "date" else "bad_format"
            unreadable = f"{column.name} is not null and {column.name}_value is null"
            found.append((column.name, code, unreadable))
        found += [(column.name, check.code, check.fails.replace("{as_of}", day)) for check in column.checks]
    return found


@dataclass(frozen=True)
class BrokenRule:
    """A rule that rows of a file break."""

    column: str
    code: str
    rows: int
    first: tuple[int, ...]  # row numbers

    def __str__(self) -> str:
        """As a refusal tells it."""
        return f"{self.column} {self.code} {self.rows}, first in row {', '.join(map(str, self.first))}"


class FileSorter:
    """Sorts the rows of one file. Holds its temporary tables on a connection of the caller's."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        source: Source,
        table: Table,
        *,
        error: type[InboundError],
        as_of: date | None = None,
    ) -> None:
        self.connection = connection
        self.source = source
        self.table = table
        self.error = error
        self.as_of = as_of
        self._parsed = parsed_sql(source, table)

    def _run(self, sql: str) -> list[tuple[object, ...]]:
        return run(self.connection, sql, label=self.source.label, error=self.error)

    def find_repeated_keys(self) -> int:
        """Find the keys that occur more than once; returns the rows beyond the first of each."""
        keys = ", ".join(map(identifier, self.table.key))
        self._run(
            f"""
            create or replace temp table repeated_keys as
            select key_hash, count(*) as holders
            from (select hash({keys}) as key_hash from ({self._parsed}))
            group by key_hash
            having count(*) > 1
            """
        )
        return int(str(self._run("select coalesce(sum(holders - 1), 0) from repeated_keys")[0][0]))

    def judge(self) -> dict[str, int]:
        """Fill the temporary table `judged` (row_number, column_name, reason_code, row_key) of rejected rows.

        Returns the rows by reason code.

        Raises:
            InboundError: a My Number was found.
        """
        self._compare_repeated()
        rules = failures(self.source, self.table, as_of=self.as_of)
        chain = " ".join(f"when {condition} then {n}" for n, (_, _, condition) in enumerate(rules))
        self._run(
            f"""
            create or replace temp table failed as
            select row_number, failure, row_key
            from (
                select row_number, case {chain} end as failure, {self.table.row_key} as row_key
                from ({self._parsed})
            )
            where failure is not null
            """
        )
        names = ", ".join(f"({n}, '{column}', '{code}')" for n, (column, code, _) in enumerate(rules))
        self._run(
            f"""
            create or replace temp table judged as
            select row_number, column_name, reason_code, row_key
            from failed
            inner join (values {names}) as rules (failure, column_name, reason_code) using (failure)
            where reason_code = '{MY_NUMBER}' or row_number not in (select row_number from compared)
            union all
            select row_number, null, reason_code, row_key
            from compared
            union all
            select unnest({list(self.source.misshapen)}::bigint[]), null, 'bad_format', null
            """
        )
        self._refuse_my_numbers()
        counts = self._run("select reason_code, count(*) from judged group by all order by all")
        return {str(code): int(str(count)) for code, count in counts}

    def broken_rules(self) -> list[BrokenRule]:
        """What rows were rejected for, most first: column, code, count and the first row numbers. No value."""
        found = self._run(
            """
            select coalesce(column_name, 'row'), reason_code, count(*), list_sort(min(row_number, 3))
            from judged
            group by all
            order by 3 desc, 1, 2
            """
        )
        return [BrokenRule(str(column), str(code), int(str(n)), tuple(rows)) for column, code, n, rows in found]  # type: ignore[arg-type]

    def repeated_rows(self) -> tuple[int, ...]:
        """The first row numbers whose keys occur more than once."""
        keys = ", ".join(map(identifier, self.table.key))
        found = self._run(
            f"""
            select row_number from ({self._parsed})
            where hash({keys}) in (select key_hash from repeated_keys) order by row_number limit 3
            """
        )
        return tuple(int(str(row[0])) for row in found)

    def readable_flag(self, column: str) -> str:
        """SQL that tells, of a row of `judged`, what a boolean column says in any row of its key.

        True where one says so, false where all say so, null where one cannot be read (rules: a rejected row still
        protects).
        """
        self._run(
            f"""
            create or replace temp table said as
            with rows_of_rejects as (
                select row_number, {self.table.row_key} as row_key, {column}_value as value
                from ({self._parsed})
                where row_number in (select row_number from judged)
                    or {self.table.row_key} in (select row_key from judged where row_key is not null)
            ),
            keys as (
                select coalesce(row_key, -row_number) as of_key,
                    bool_or(value) as is_true, bool_or(value is null) as is_unreadable
                from rows_of_rejects
                group by of_key
            )
            select of_key, case when is_true then true when not is_unreadable then false end as value from keys
            """
        )
        return "(select said.value from said where said.of_key = coalesce(judged.row_key, -judged.row_number))"

    def _compare_repeated(self) -> None:
        """Exact copies first, then keys that several of the remaining rows hold."""
        columns = ", ".join(map(identifier, self.table.column_names))
        keys = ", ".join(map(identifier, self.table.key))
        whole_key = " and ".join(f"{identifier(name)} is not null" for name in self.table.key)
        self._run(
            f"""
            create or replace temp table compared as
            with candidates as (
                select row_number, {self.table.row_key} as row_key, {columns}
                from ({self._parsed})
                where hash({keys}) in (select key_hash from repeated_keys)
            ),
            copies as (
                select *, row_number() over (partition by {columns} order by row_number) as copy_number
                from candidates
            ),
            firsts as (
                select *, count(*) over (partition by {keys}) as holders
                from copies
                where copy_number = 1
            )
            select row_number, 'duplicate_row' as reason_code, null::{self.table.row_key_type} as row_key
            from copies
            where copy_number > 1
            union all
            select row_number, 'conflicting_duplicate' as reason_code, row_key
            from firsts
            where holders > 1 and {whole_key}
            """
            if self._run("select count(*) from repeated_keys")[0][0]
            else f"""
            create or replace temp table compared as
            select null::bigint as row_number, null::varchar as reason_code, null::{self.table.row_key_type} as row_key
            where false
            """
        )

    def _refuse_my_numbers(self) -> None:
        found = self._run(
            f"select column_name, count(*) from judged where reason_code = '{MY_NUMBER}' group by all order by all"
        )
        if found:
            raise self.error(
                Reason.MY_NUMBER,
                file=self.source.label,
                rule=f"a My Number stands in {', '.join(str(column) for column, _ in found)}",
                rows=sum(int(str(count)) for _, count in found),
                action="treat it as an incident of the sender, delete the file, and ask for one without My Numbers",
            )

    def write_accepted(self, target: Path, outputs: Mapping[str, str]) -> int:
        """Write the accepted rows, in the file's order, with these output columns (name: SQL)."""
        selected = ", ".join(f"{sql} as {name}" for name, sql in outputs.items())
        return int(
            str(
                self._run(
                    f"""
                    copy (
                        select {selected}
                        from ({self._parsed})
                        where row_number not in (select row_number from judged)
                    ) to {quoted(target)} (format parquet)
                    """
                )[0][0]
            )
        )


def output_columns(table: Table, columns: Mapping[str, str], constants: Mapping[str, str]) -> dict[str, str]:
    """SQL of each output column of a fact's table: a constant, an expression of the contract, or a file's column."""
    kinds = {column.name: column.kind for column in table.columns}
    outputs: dict[str, str] = {}
    for name, sql_type in columns.items():
        if name in constants:
            sql = constants[name]
        elif name in table.outputs:
            sql = table.outputs[name]
        else:
            sql = identifier(name) if kinds[name] == "text" else f"{name}_value"
        outputs[name] = f"cast({sql} as {sql_type})"
    return outputs
