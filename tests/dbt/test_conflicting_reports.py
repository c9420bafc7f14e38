"""Reports of the printer that contradict each other: an alert each, nothing overwritten (printer/v1, answers)."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from mailing_facts import HANDED_OFF, SNAPSHOT, Envelope, Lot, MailingFacts, address, household, person

from kakuninsho.paths import PROJECT_ROOT

POSTED, PUBLISHED = date(2025, 10, 10), date(2025, 10, 31)
LOT = Lot("fy2025-H-18-20251010-01", POSTED, [Envelope([household(number) * 100]) for number in range(1, 4)])
CODES = {"piece_posted_twice", "returned_before_posting", "piece_posted_and_pulled", "spoiled_piece_posted"}


@pytest.fixture(scope="module")
def facts(tmp_path_factory: pytest.TempPathFactory) -> MailingFacts:
    made = MailingFacts(tmp_path_factory.mktemp("conflicts"))
    homes = [household(number) for number in range(1, 4)]
    made.register(SNAPSHOT, [person(key) for key in homes], [address(key) for key in homes])
    made.plan("home-2025-04-30", "home", HANDED_OFF, [LOT])
    made.acknowledge([LOT], date(2025, 5, 19))
    released = [{"lot_id": LOT.lot_id, "posting_date": POSTED, "is_released": True}]
    made.plan("release-2025-10-10", "release", date(2025, 10, 9), release_lots=released, posting_date=POSTED)
    pieces = [*LOT.samples, *(envelope.number for envelope in LOT.envelopes)]
    made.report(date(2025, 10, 14), LOT, dict.fromkeys(pieces, "posted"))
    return made


def reported(number: str, event: str, day: date, tracking: str | None = None) -> dict[str, Any]:
    return {
        "lot_id": LOT.lot_id,
        "envelope_id": number,
        "event_type": event,
        "occurred_on": day,
        "tracking_number": tracking,
        "replacement_id": None,
    }


def alerts(facts: MailingFacts) -> dict[str, tuple[str, int, str]]:
    facts.build(PUBLISHED, select=["+fct_alerts", "+fct_mail_events"])
    rows = facts.rows("select alert_code, subject, count, severity from marts.fct_alerts")
    return {code: tuple(rest) for code, *rest in rows if code in CODES}


def test_each_conflict_is_an_alert_of_its_own_and_the_same_report_again_is_none(facts: MailingFacts) -> None:
    first, second, third = (envelope.number for envelope in LOT.envelopes)
    # The printer repeats its report of everybody; the piece comes back on the day of its posting.
    facts.report(date(2025, 10, 20), LOT, {first: "posted", second: "posted", third: "posted"})
    facts.returned(date(2025, 10, 20), [second], returned_on=POSTED)
    assert alerts(facts) == {}

    facts.feed("piece_reports", date(2025, 10, 21), [reported(first, "posted", POSTED + timedelta(days=1), "U1")])
    facts.returned(date(2025, 10, 21), [second], returned_on=POSTED - timedelta(days=1))
    # Whichever report is the newer.
    facts.feed("piece_reports", date(2025, 10, 21), [reported(third, "pulled", POSTED - timedelta(days=1))])
    found = alerts(facts)
    assert found == {
        "piece_posted_twice": (LOT.lot_id, 1, "critical"),
        "returned_before_posting": (LOT.lot_id, 1, "warning"),
        "piece_posted_and_pulled": (LOT.lot_id, 1, "critical"),
    }
    events = facts.rows(
        f"select occurred_on, is_posted_twice from marts.fct_mail_events where envelope_id = '{first}' order by all"
    )
    assert events == [(POSTED, True), (POSTED + timedelta(days=1), True)]

    facts.feed("piece_reports", date(2025, 10, 22), [reported(third, "spoiled", POSTED + timedelta(days=3))])
    assert alerts(facts)["spoiled_piece_posted"] == (LOT.lot_id, 1, "critical")


@pytest.mark.parametrize("code", sorted(CODES))
def test_each_of_them_has_a_runbook(code: str) -> None:
    assert (PROJECT_ROOT / "docs" / "runbooks" / f"{code}.md").read_text(encoding="utf-8").count("**") == 6
    assert Path(PROJECT_ROOT / "docs" / "runbooks" / "README.md").read_text(encoding="utf-8").count(f"[{code}]") == 1
