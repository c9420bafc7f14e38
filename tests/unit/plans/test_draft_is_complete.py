"""A draft that leaves out a pending certificate, or holds one twice, is refused with the counts."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import duckdb
import pytest

from kakuninsho.plans.draft import PlanError, PlanRequest, _check_complete

REQUEST = PlanRequest("home", date(2025, 5, 15), run_on=date(2025, 4, 30))


def drafted(folder: Path, *, pending: int, written: int, held: tuple[int, ...]) -> duckdb.DuckDBPyConnection:
    """A draft's two tables beside the pending model; `held` is what each envelope says that it holds."""
    connection = duckdb.connect()
    connection.execute(f"create table pending as select range as member_key from range({pending})")
    connection.execute(f"copy (select range as slot from range({written})) to '{folder / 'certificates.parquet'}'")
    connection.execute(
        f"""copy (select unnest({list(held)}::integer[]) as certificate_count, null::varchar as bundle_id
        union all select 9, 'in a bundle that is counted already') to '{folder / "envelopes.parquet"}'"""
    )
    return connection


def test_a_complete_draft_passes(tmp_path: Path) -> None:
    _check_complete(drafted(tmp_path, pending=5, written=5, held=(4, 1)), tmp_path, REQUEST)


@pytest.mark.parametrize(
    ("pending", "written", "held"),
    [(5, 4, (4, 1)), (5, 6, (4, 1)), (5, 5, (4,)), (5, 5, (4, 1, 1)), (0, 1, ())],
)
def test_any_difference_is_refused_with_the_counts(
    tmp_path: Path, pending: int, written: int, held: tuple[int, ...]
) -> None:
    connection = drafted(tmp_path, pending=pending, written=written, held=held)
    with pytest.raises(PlanError, match=f"{pending} certificates are pending, {written} were written.*{sum(held)}"):
        _check_complete(connection, tmp_path, REQUEST)
