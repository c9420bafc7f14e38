"""What a case is: a valid candidate made by SQL, and for each rule of its suite the SQL that breaks it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import duckdb

from kakuninsho import gates
from kakuninsho.campaign import load_campaign
from kakuninsho.facts.schemas import Columns

run_gate = partial(gates.run_gate, campaign=load_campaign())


@dataclass(frozen=True)
class Break:
    """SQL that breaks one rule and no other; `parameters` are laid over the case's own."""

    sql: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Case:
    """`base` fills the tables of `schema`, made empty, so that every rule of the suite holds."""

    schema: Mapping[str, Columns]
    base: str
    parameters: Mapping[str, Any]
    breaks: Mapping[str, Break]


def write_candidate(folder: Path, schema: Mapping[str, Columns], *statements: str) -> dict[str, Path]:
    """Make the tables of a schema, run the statements, write one Parquet file each."""
    with duckdb.connect() as connection:
        for table, columns in schema.items():
            listed = ", ".join(f"{name} {kind}" for name, kind in columns.items())
            connection.execute(f"create table {table} ({listed})")
        connection.execute(
            "create macro control_number(sequence) as lpad(sequence::varchar, 9, '0')"
            " || lpad((98 - (sequence * 100) % 97)::varchar, 2, '0')"
        )
        for statement in statements:
            if statement:
                connection.execute(statement)
        files = {table: folder / f"{table}.parquet" for table in schema}
        for table, path in files.items():
            connection.execute(f"copy {table} to '{path}' (format parquet)")
    return files
