"""A drop beside the full drop before it, branch by branch: what is missing is told before anybody is not served.

Rules: a wave and its releases, "a register that lost people is not believed". The drop is landed all the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import duckdb

from kakuninsho.campaign import branch_names
from kakuninsho.campaign.model import Parameters

# Of each table the key, and what it is divided by to give the prefecture (facts/schemas.py).
_BRANCH_OF = {
    "members": "member_key // (110000000::bigint * 10000000 * 100)",
    "addresses": "household_key // (110000000::bigint * 10000000)",
    "employers": "employer_key // 110000000",
    "my_number_cards": "member_key // (110000000::bigint * 10000000 * 100)",
}
_NAMES = {
    "members": "加入者の行",
    "addresses": "住所の行",
    "employers": "事業所の行",
    "my_number_cards": "マイナンバーカードの行",
}


class HasTables(Protocol):
    """A drop, staged or landed, by its Parquet files."""

    def table(self, name: str) -> Path:
        """The file of a table."""


@dataclass(frozen=True)
class BranchLoss:
    """A branch whose table is much smaller than before, or that has many more members without a card row."""

    prefecture: int
    what: str  # members, addresses, employers, my_number_cards; without_card: members without a card row
    rows: int
    rows_before: int

    def sentence(self, drop: str) -> str:
        """What the approvers read: branch and counts."""
        branch = branch_names().get(self.prefecture, str(self.prefecture))
        if self.what == "without_card":
            return (
                f"{drop} の加入者データ: {branch}で、マイナンバーカードの行のない加入者が "
                f"{self.rows_before:,} 人から {self.rows:,} 人に増えています。行が欠けていないか確かめてください"
            )
        return (
            f"{drop} の加入者データ: {branch}の{_NAMES[self.what]}が {self.rows_before:,} 行から "
            f"{self.rows:,} 行に減っています。支部の行が欠けていないか確かめてください"
        )


def losses(
    connection: duckdb.DuckDBPyConnection, staged: HasTables, before: HasTables, parameters: Parameters
) -> list[BranchLoss]:
    """Branches of a staged full drop that lost rows beside a landed one, by branch and table."""
    found: list[BranchLoss] = []
    for table, branch in _BRANCH_OF.items():
        now = _counts(connection, str(staged.table(table)), branch)
        then = _counts(connection, str(before.table(table)), branch)
        found += [
            BranchLoss(prefecture, table, now.get(prefecture, 0), rows)
            for prefecture, rows in then.items()
            if now.get(prefecture, 0) < parameters.min_share_of_previous_rows * rows
            and rows - now.get(prefecture, 0) >= parameters.branch_rows_fewer_at_least
        ]
    now = _without_card(connection, str(staged.table("members")), str(staged.table("my_number_cards")))
    then = _without_card(connection, str(before.table("members")), str(before.table("my_number_cards")))
    found += [
        BranchLoss(prefecture, "without_card", rows, then.get(prefecture, 0))
        for prefecture, rows in now.items()
        if rows > (1 + parameters.max_growth_without_card_row) * then.get(prefecture, 0)
        and rows - then.get(prefecture, 0) >= parameters.branch_rows_fewer_at_least
    ]
    return sorted(found, key=lambda loss: (loss.prefecture, loss.what))


def _counts(connection: duckdb.DuckDBPyConnection, path: str, branch: str) -> dict[int, int]:
    rows = connection.execute(
        f"select ({branch})::integer, count(*) from read_parquet(?) group by all",
        [path],
    )
    return {int(prefecture): int(count) for prefecture, count in rows.fetchall()}


def _without_card(connection: duckdb.DuckDBPyConnection, members: str, cards: str) -> dict[int, int]:
    rows = connection.execute(
        f"""select ({_BRANCH_OF["members"]})::integer, count(*)
        from read_parquet(?) anti join (select member_key from read_parquet(?)) as cards using (member_key)
        group by all""",
        [members, cards],
    )
    return {int(prefecture): int(count) for prefecture, count in rows.fetchall()}
