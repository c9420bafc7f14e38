"""Is the share of targets believable? Asked before the hand-off is drafted (rules: campaign parameters)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb
import pyarrow.parquet as pq

from kakuninsho.campaign import branch_names
from kakuninsho.messages import TwoLanguageError
from kakuninsho.plans.draft import OFF_SHARES

NATION = 0


class TargetShareError(TwoLanguageError):
    """Far more or far fewer targets than expected: no hand-off before a person accepts it. Says where and how many."""


@dataclass(frozen=True)
class OffShare:
    """The nation (0) or a branch whose share of targets is off."""

    prefecture: int
    drop_as_of: date
    accepted_count: int
    target_count: int
    share: float
    expected_share: float
    state: str  # warned, stopped
    is_accepted: bool

    @property
    def where(self) -> tuple[str, str]:
        """Its name, in Japanese and in English."""
        if self.prefecture == NATION:
            return "全国", "the nation"
        return branch_names()[self.prefecture], f"branch {self.prefecture:02d}"

    @property
    def sentence(self) -> str:
        """What an approver reads."""
        accepted = "。人が確かめて認めています (accept_share)" if self.is_accepted else ""
        return (
            f"{self.where[0]}: {self.drop_as_of} の加入者 {self.accepted_count:,} 人のうち対象者は "
            f"{self.target_count:,} 人 ({self.share:.1%}) で、"
            f"想定の {self.expected_share:.1%} から離れています{accepted}"
        )


def off_shares(connection: duckdb.DuckDBPyConnection) -> list[OffShare]:
    """Shares that are off, from the warehouse, the nation first."""
    rows = connection.execute(
        f"select {', '.join(OFF_SHARES)} from intermediate.int_target_shares where state <> 'usual' order by prefecture"
    ).fetchall()
    return [OffShare(*row) for row in rows]


def require_believable(shares: Sequence[OffShare]) -> None:
    """Refuse a hand-off while a share is far off that nobody has accepted.

    Raises:
        TargetShareError: nation or branch, expected and found, and what to do.
    """
    stopped = [share for share in shares if share.state == "stopped" and not share.is_accepted]
    if stopped:
        raise TargetShareError(
            "引渡しの計画は作っていません。"
            + "。".join(share.sentence for share in stopped)
            + "。加入者データの欠けを確かめてください。正しければ record_decision の accept_share "
            "(支部は都道府県コード、全国は 00) を記録してから、もう一度実行してください",
            "the hand-off is not drafted: "
            + "; ".join(
                f"{share.where[1]}: {share.target_count:,} targets of {share.accepted_count:,} accepted members of "
                f"{share.drop_as_of} ({share.share:.4f}; expected {share.expected_share:.4f})"
                for share in stopped
            )
            + ". Look for rows that are missing; where it is right, record the decision accept_share "
            "(two digits of the branch, 00 for the nation) and run again",
        )


def warnings(path: Path) -> list[str]:
    """What the approvers of a hand-off must know, from what lies beside its draft."""
    if not path.is_file():
        return []
    return [OffShare(**row).sentence for row in pq.read_table(path).to_pylist()]
