"""The end of the season: remaining returns go to the branch desk, everyone unserved is listed, the ledger closes."""

from __future__ import annotations

import logging
from datetime import date

from kakuninsho.operations import planning, publishing
from kakuninsho.operations.summary import write_summary
from kakuninsho.plans.draft import PlanRequest
from kakuninsho.settings import Settings
from kakuninsho.warehouse import published

log = logging.getLogger(__name__)


class SeasonOpenError(RuntimeError):
    """The season cannot be closed: says which identity of the ledger is open, and by how many."""


def close_season(settings: Settings, as_of: date) -> dict[str, int]:
    """Close the season as of its last day, while the caller holds the warehouse's slot. Returns counts of unserved.

    Raises:
        SeasonOpenError: an identity of the ledger is open, a piece or file is unanswered, an alert is critical,
            or the employer lists and the mail differ without a reason.
    """
    wish = planning.check(settings, PlanRequest("follow_up", as_of, run_on=as_of))
    planning.draft(settings, wish)
    planning.judge(settings, wish)
    planning.freeze(settings, wish)
    publishing.publish(settings, as_of, thorough=True)
    summary = write_summary(settings)
    with published(settings.data) as connection:
        unserved = dict(
            connection.execute(
                "select reason_code, count(*) from marts.fct_unserved_people group by all order by all"
            ).fetchall()
        )
        # A stopped branch is a decision of its own, and what it withheld is open in the ledger.
        alerts = connection.execute(
            "select alert_code, count(*) from marts.fct_alerts"
            " where severity = 'critical' and alert_code <> 'stop_rate_exceeded' group by all order by all"
        ).fetchall()
        unexplained = connection.execute(
            "select coalesce(sum(people_count), 0) from marts.fct_list_differences where reason_code is null"
        ).fetchall()[0][0]
    for reason, count in unserved.items():
        log.info("not served: %-32s %d", reason, count)
    still_open = [row for row in summary["ledger"] if not row["closes"] or row["open"]]
    if still_open or alerts or unexplained:
        reasons = [f"{row['stage']} {row['left']} against {row['right']}, {row['open']} open" for row in still_open]
        reasons += [f"alert {code} ({count}, docs/runbooks/{code}.md)" for code, count in alerts]
        if unexplained:
            reasons.append(
                f"{unexplained} people are on an employer list or in the mail, not both, without a reason"
                " (marts.fct_list_differences)"
            )
        raise SeasonOpenError(
            f"the season cannot be closed: {'; '.join(reasons)}. "
            "Follow the runbooks, take missing reports in, or find the lost fact, and run close_season again"
        )
    return unserved
