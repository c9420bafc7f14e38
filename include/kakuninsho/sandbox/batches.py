"""When what happened to a lot on a day is reported: usually within three days, sometimes late."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from kakuninsho.sandbox.calendar import add_worked, next_worked, on_or_after
from kakuninsho.sandbox.chance import between, share
from kakuninsho.sandbox.workshop import Workshop

MISBEHAVED_LATE_WORKED_DAYS = 15


def reported_on(workshop: Workshop, stream: str, lot_id: str, occurred_on: date) -> date:
    """The worked day on which the events of a lot and day are reported, by `report_latest_worked_days` at most."""
    rates, seed = workshop.rates, workshop.seed
    key = f"{stream}|{lot_id}|{occurred_on}"
    if share(seed, "reported_late", key) < rates.reported_late:
        first, last = rates.report_late_days_first, rates.report_late_days_last
    else:
        first, last = rates.report_days_first, rates.report_days_last
    delay = timedelta(days=between(seed, "report_delay", key, first, last))
    return min(on_or_after(occurred_on + delay), add_worked(occurred_on, rates.report_latest_worked_days))


@dataclass(frozen=True)
class Batch:
    """The events (piece_report) or returns (return_report) of one lot and day."""

    stream: str
    lot_no: int
    lot_id: str
    occurred_on: date
    row_count: int


def add_batch(workshop: Workshop, batch: Batch) -> None:
    """Note that the events of a lot and day are to be reported, and when; inside the caller's transaction."""
    if batch.row_count == 0:
        return
    faults = workshop.faults
    due = reported_on(workshop, batch.stream, batch.lot_id, batch.occurred_on)
    if faults.strikes("late_report", batch.lot_id):
        due = add_worked(batch.occurred_on, MISBEHAVED_LATE_WORKED_DAYS)
    reports = [due]
    if faults.strikes("duplicate_report", batch.lot_id):
        reports.append(next_worked(due))
    for day in reports:
        workshop.state.run(
            """
            insert into batches (stream, campaign, lot_no, occurred_on, due_on, row_count)
            select ?, campaign, lot_no, ?, ?, ? from lots where lot_no = ?
            """,
            batch.stream,
            batch.occurred_on,
            day,
            batch.row_count,
            batch.lot_no,
        )
