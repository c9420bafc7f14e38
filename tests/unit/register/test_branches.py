"""A branch that lost rows is told, on both sides of each limit (rules: a register that lost people is not believed)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kakuninsho.campaign import load_campaign
from kakuninsho.register.branches import BranchLoss, losses
from kakuninsho.warehouse import memory

EMPLOYER = 29 * 110_000_000
HOUSEHOLD = EMPLOYER * 10_000_000
MEMBER = HOUSEHOLD * 100
UNIT = {"members": ("member_key", MEMBER), "addresses": ("household_key", HOUSEHOLD)}
UNIT |= {"employers": ("employer_key", EMPLOYER), "my_number_cards": ("member_key", MEMBER)}


@dataclass(frozen=True)
class Drop:
    """Tables of one branch, each with so many rows, numbered from 0."""

    folder: Path
    rows: dict[str, int]

    def table(self, name: str) -> Path:
        key, first = UNIT[name]
        path = self.folder / f"{name}.parquet"
        self.folder.mkdir(exist_ok=True)
        pq.write_table(pa.table({key: pa.array(range(first, first + self.rows[name]), pa.int64())}), path)
        return path


def told(tmp_path: Path, now: dict[str, int], before: dict[str, int]) -> list[BranchLoss]:
    same = {"members": 500, "addresses": 500, "employers": 500, "my_number_cards": 500}
    staged, landed = Drop(tmp_path / "now", same | now), Drop(tmp_path / "before", same | before)
    with memory() as connection:
        return losses(connection, staged, landed, load_campaign().parameters)


@pytest.mark.parametrize("table", ["addresses", "employers"])
def test_a_table_below_nine_tenths_and_a_hundred_rows_fewer_is_told(tmp_path: Path, table: str) -> None:
    assert told(tmp_path, {table: 899}, {table: 1000}) == [BranchLoss(29, table, 899, 1000)]
    assert told(tmp_path, {table: 900}, {table: 1000}) == []
    assert told(tmp_path, {table: 101}, {table: 200}) == []
    assert told(tmp_path, {table: 100}, {table: 200}) == [BranchLoss(29, table, 100, 200)]


def test_a_branch_without_any_row_is_told(tmp_path: Path) -> None:
    found = told(tmp_path, dict.fromkeys(UNIT, 0), dict.fromkeys(UNIT, 500))
    assert [loss.what for loss in found] == ["addresses", "employers", "members", "my_number_cards"]
    assert "奈良支部" in found[0].sentence("2025-08-31") and "500" in found[0].sentence("2025-08-31")


def test_members_without_a_card_row_that_grow_by_more_than_half_and_by_a_hundred_are_told(tmp_path: Path) -> None:
    cards = {"members": 5000, "my_number_cards": 4800}
    assert told(tmp_path, cards | {"my_number_cards": 4699}, cards) == [BranchLoss(29, "without_card", 301, 200)]
    assert told(tmp_path, cards | {"my_number_cards": 4700}, cards) == []
    few = {"members": 5000, "my_number_cards": 4900}
    assert told(tmp_path, few | {"my_number_cards": 4801}, few) == []
