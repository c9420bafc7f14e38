"""What the page shows, read from the published copy: small tables that publishing has aggregated."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, fields
from datetime import date
from pathlib import Path
from typing import TypeVar

import duckdb

from kakuninsho.page.words import LOT_KINDS
from kakuninsho.warehouse import published

Row = TypeVar("Row")


class NothingPublishedError(RuntimeError):
    """There is no published copy yet, or an older release made it. Says what to do."""


@dataclass(frozen=True)
class Campaign:
    """The day that everything stands for, and the calendar."""

    campaign: str
    as_of: date
    newest_register_as_of: date | None
    snapshot_as_of: date
    hand_off_on: date
    employer_lists_on: date
    closing_follow_up_on: date
    served_by: date
    stop_rate: float


@dataclass(frozen=True)
class Step:
    """One mark of the leaflet's chart."""

    step_no: int
    step_code: str
    starts_on: date
    ends_on: date
    done_count: int
    total_count: int
    state: str


@dataclass(frozen=True)
class FlowStep:
    """One bar of the waterfall of people."""

    step_code: str
    step_kind: str
    people_count: int


# What endangers a person stands first, then what is critical.
FIRST_ALERTS = (
    "alert_code not in ('protected_piece_posted', 'protected_after_release', 'pulled_piece_posted'),"
    " severity, alert_code, subject"
)


@dataclass(frozen=True)
class Identity:
    """One identity of the ledger."""

    stage: str
    left_side: int
    right_side: int
    difference: int
    closes: bool
    open_count: int


@dataclass(frozen=True)
class Branch:
    """How far a branch is."""

    prefecture_code: str
    branch_name: str
    to_be_served_count: int
    served_count: int
    planned_count: int
    pulled_count: int
    posted_count: int
    open_count: int
    returned_count: int
    employer_bundle_count: int
    branch_desk_count: int
    last_posting_on: date | None
    is_stopped: bool


@dataclass(frozen=True)
class Wave:
    """A month of home mail."""

    wave_key: str
    planned_count: int
    pulled_count: int
    posted_count: int
    returned_count: int
    open_count: int


@dataclass(frozen=True)
class Lot:
    """A job of the printer."""

    lot_id: str
    wave_key: str
    branch_name: str
    kind: str
    posting_date: date
    envelope_count: int
    certificate_count: int
    postage_yen: int
    status: str
    posted_count: int
    pulled_count: int
    spoiled_count: int
    returned_count: int


@dataclass(frozen=True)
class Alert:
    """Something that waits for a person."""

    alert_code: str
    subject: str
    count: int
    raised_on: date | None
    severity: str


@dataclass(frozen=True)
class Waiting:
    """People of one branch and stage who wait for a decision."""

    prefecture_code: str
    branch_name: str
    stage: str
    people_count: int


@dataclass(frozen=True)
class InLine:
    """People of the nation in one line of everyone, by reason (rules: everyone, on any day)."""

    line: str
    reason_code: str
    people: int


@dataclass(frozen=True)
class Without:
    """People of one branch who have nothing in hand."""

    prefecture_code: str
    branch_name: str
    people: int


@dataclass(frozen=True)
class UsageRate:
    """Use of マイナ保険証 in a prefecture; 00 is the nation."""

    prefecture_code: str
    month: str
    rate: float | None
    rank: int | None


@dataclass(frozen=True)
class Week:
    """A week of the deadline forecast, in envelopes."""

    week_start: date
    to_post: int
    printer_capacity: int
    post_capacity: int
    posted: int
    backlog_after: int


@dataclass(frozen=True)
class Verdict:
    """Whether the last day of service holds."""

    to_post: int
    late: int
    without_date: int
    reason_code: str | None
    holds: bool
    deliver_by_posting_on: date


@dataclass(frozen=True)
class Figures:
    """Everything of the page."""

    campaign: Campaign
    steps: list[Step]
    flow: list[FlowStep]
    ledger: list[Identity]
    branches: list[Branch]
    waves: list[Wave]
    lots: list[Lot]
    alerts: list[Alert]
    waiting: list[Waiting]
    usage_rates: list[UsageRate]
    weeks: list[Week]
    verdict: Verdict | None
    everyone: list[InLine]
    without_by_branch: list[Without]

    def in_line(self, line: str) -> int:
        """People in one line of everyone."""
        return sum(row.people for row in self.everyone if row.line == line)

    @property
    def everyone_count(self) -> int:
        """Everyone on the day: what every share of people is a share of."""
        return sum(row.people for row in self.everyone)

    @property
    def without(self) -> list[InLine]:
        """Who has nothing in hand, by reason, the largest first."""
        return sorted(
            (row for row in self.everyone if row.line == "without"), key=lambda row: (-row.people, row.reason_code)
        )

    def people(self, step_code: str) -> int:
        """People of one step of the flow."""
        return next(step.people_count for step in self.flow if step.step_code == step_code)

    @property
    def served_count(self) -> int:
        """People whose certificate is on its way, delivered or at the employer."""
        return sum(self.people(code) for code in ("delivered", "in_transit", "at_employer"))

    @property
    def posted_count(self) -> int:
        """Home envelopes posted."""
        return sum(wave.posted_count for wave in self.waves)

    @property
    def returned_count(self) -> int:
        """Home envelopes that came back."""
        return sum(wave.returned_count for wave in self.waves)

    @property
    def is_closed(self) -> bool:
        """Whether every identity closes and nothing is open."""
        return all(row.closes and not row.open_count for row in self.ledger)

    @property
    def lot_states(self) -> dict[str, Counter[str]]:
        """Number of lots by kind and state."""
        counts: dict[str, Counter[str]] = {}
        for lot in self.lots:
            counts.setdefault(lot.kind, Counter())[lot.status] += 1
        order = list(LOT_KINDS)
        return dict(sorted(counts.items(), key=lambda item: order.index(item[0]) if item[0] in order else len(order)))


def read(data: Path) -> Figures:
    """Read the published copy of a data folder through a connection of its own, open only meanwhile.

    Raises:
        NothingPublishedError: nothing is published yet, or the copy was made before the page's marts.
    """
    if not (data / "published" / "analytics.duckdb").is_file():
        raise NothingPublishedError("まだ公開されていません。DAG publish_for_analysts を実行してください。")
    with published(data) as connection:
        try:
            return _read(connection)
        except (duckdb.CatalogException, duckdb.BinderException) as error:
            raise NothingPublishedError(
                "公開データが古い版のものです。DAG publish_for_analysts を実行してください。"
            ) from error


def _read(connection: duckdb.DuckDBPyConnection) -> Figures:
    branches = _rows(connection, Branch, "marts.rpt_branch_progress", "prefecture_code")
    return Figures(
        campaign=_rows(connection, Campaign, "marts.rpt_campaign", "campaign")[0],
        steps=_rows(connection, Step, "marts.rpt_season_steps", "step_no, starts_on"),
        flow=_rows(connection, FlowStep, "marts.rpt_people_flow", "step_no"),
        ledger=_rows(connection, Identity, "marts.fct_ledger", "stage"),
        branches=branches,
        waves=_rows(connection, Wave, "marts.fct_waves", "wave_key"),
        lots=_rows(
            connection,
            Lot,
            "marts.fct_lots inner join marts.dim_branches using (insurer_number)",
            "posting_date, lot_id",
        ),
        alerts=_rows(connection, Alert, "marts.fct_alerts", FIRST_ALERTS),
        waiting=_rows(
            connection,
            Waiting,
            "(select prefecture_code, branch_name, stage, sum(people_count)::bigint as people_count"
            " from marts.rpt_work_list_counts group by all)",
            "prefecture_code, stage",
        ),
        usage_rates=_rows(connection, UsageRate, "marts.fct_usage_rates", "month, prefecture_code"),
        weeks=_rows(connection, Week, "marts.fct_deadline_forecast", "week_start"),
        everyone=_rows(
            connection,
            InLine,
            "(select line, reason_code, sum(people)::bigint as people from marts.fct_everyone group by all)",
            "line, reason_code",
        ),
        without_by_branch=_rows(
            connection,
            Without,
            "(select insurer_number[3:4] as prefecture_code, branch_name, sum(people)::bigint as people"
            " from marts.fct_everyone inner join marts.dim_branches using (insurer_number)"
            " where line = 'without' group by all)",
            "prefecture_code",
        ),
        verdict=next(iter(_rows(connection, Verdict, "marts.fct_deadline_verdict", "as_of")), None),
    )


def _rows(connection: duckdb.DuckDBPyConnection, kind: type[Row], source: str, order: str) -> list[Row]:
    columns = ", ".join(f'"{field.name}"' for field in fields(kind))  # type: ignore[arg-type]  # a dataclass of above
    found = connection.execute(f"select {columns} from {source} order by {order}").fetchall()
    return [kind(*row) for row in found]
