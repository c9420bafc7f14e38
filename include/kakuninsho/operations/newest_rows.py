"""One row of the newest register on a day, read from the landed drops (contract register/v1: the newest register)."""

from __future__ import annotations

from datetime import date
from typing import Any, Literal

import duckdb

from kakuninsho.facts.schemas import REGISTER
from kakuninsho.facts.store import Fact
from kakuninsho.settings import Settings
from kakuninsho.warehouse.context import newest_register

_KEYS = {
    "members": "member_key",
    "addresses": "household_key",
    "employers": "employer_key",
    "my_number_cards": "member_key",
}


def newest_row(
    settings: Settings, table: Literal["members", "addresses", "employers", "my_number_cards"], key: int, on: date
) -> dict[str, Any] | None:
    """The row of a packed key in the newest register on a day; None where there is none or its newest was rejected."""
    full, deltas = newest_register(settings.store, on)
    drops: list[Fact] = [*sorted(deltas, key=lambda drop: drop.name, reverse=True), *([full] if full else [])]
    columns = ", ".join(REGISTER[table])
    connection = duckdb.connect(":memory:")
    try:
        for drop in drops:
            if not drop.table(table).is_file():  # deleted by retention
                continue
            cursor = connection.execute(
                f"select {columns} from read_parquet(?, hive_partitioning = false) where {_KEYS[table]} = ?",
                [str(drop.table(table)), key],
            )
            row = cursor.fetchone()
            if row is not None:
                return dict(zip(REGISTER[table], row, strict=True))
            rejected = connection.execute(
                "select 1 from read_parquet(?, hive_partitioning = false) where file = ? and row_key = ? limit 1",
                [str(drop.table("rejects")), table, key],
            ).fetchone()
            if rejected is not None:
                return None
    finally:
        connection.close()
    return None
