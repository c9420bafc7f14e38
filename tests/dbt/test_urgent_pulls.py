"""Protection that becomes known after sending: what is out is found, listed, and followed.

Rules: a wave, to the letter box.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from mailing_facts import Envelope, Lot, MailingFacts, address, household, person

from approvals_kit import approve
from kakuninsho.operations import planning, urgent_pulls
from kakuninsho.plans.approvals import Subject, reject
from kakuninsho.plans.draft import PlanError
from kakuninsho.settings import Settings

RELEASED, KNOWN, POSTED = date(2025, 8, 4), date(2025, 8, 4), date(2025, 8, 5)
COUPLE, ALONE, LATER = household(1), household(2), household(3)
OUT, WAITING = "fy2025-H-18-20250805-01", "fy2025-H-18-20250812-01"


class Mailed(MailingFacts):
    """Two lots handed over, the first of them released: a couple and somebody alone are in it."""

    def __init__(self, data: Path) -> None:
        super().__init__(data)
        people = [person(COUPLE), person(COUPLE, 1), person(ALONE), person(LATER)]
        self.register(date(2025, 4, 30), people, [address(key) for key in (COUPLE, ALONE, LATER)])
        self.lot = Lot(OUT, POSTED, [Envelope([COUPLE * 100, COUPLE * 100 + 1]), Envelope([ALONE * 100])])
        waiting = Lot(WAITING, date(2025, 8, 12), [Envelope([LATER * 100])])
        self.plan("home-2025-04-30", "home", date(2025, 5, 15), [self.lot, waiting])
        released = [{"lot_id": OUT, "posting_date": POSTED, "is_released": True}]
        self.plan("release-2025-08-05", "release", RELEASED, release_lots=released, posting_date=POSTED)


@pytest.fixture
def facts(tmp_path: Path) -> Mailed:
    return Mailed(tmp_path / "data")


def settings_of(facts: Mailed) -> Settings:
    return replace(Settings.from_environment(), data=facts.store.data, keys=facts.store.keys)


def found(facts: Mailed, on: date = KNOWN) -> urgent_pulls.Found | None:
    settings = settings_of(facts)
    return urgent_pulls.look(settings, on) if urgent_pulls.may_concern(settings, on) else None


def protect(facts: Mailed, *rows: dict[str, Any], on: date = KNOWN) -> None:
    facts.register(on, rows, kind="delta")


def pull(facts: Mailed, on: date = KNOWN) -> str:
    """Draft, freeze and approve the urgent pull of a day; returns the plan's name."""
    settings, seen = settings_of(facts), found(facts, on)
    wish = planning.check(settings, urgent_pulls.wish_of(on, seen))
    planning.draft(settings, wish)
    planning.judge(settings, wish)
    plan_id = planning.freeze(settings, wish)
    planning.write_files(settings, plan_id)
    approve(settings, plan_id, on)
    return plan_id


def ledger(facts: Mailed, on: date) -> dict[str, tuple[int, int]]:
    """Terms of 5d: how many, how many open. The ledger has no difference."""
    facts.build(on, select=["+fct_ledger", "+fct_certificates", "+fct_alerts"])
    assert facts.ledger() == {}
    return {
        term: (count, open_count)
        for term, count, open_count in facts.rows(
            "select term, term_count, open_count from marts.fct_ledger_terms where stage = '5d_pull_lists'"
            " and side = 'right' order by term"
        )
    }


def alerts(facts: Mailed) -> dict[str, int]:
    codes = ("protected_after_release", "protected_piece_posted", "pulled_piece_posted")
    return dict(facts.rows(f"select alert_code, count from marts.fct_alerts where alert_code in {codes}"))


def test_one_protected_person_in_a_released_envelope_is_found_and_listed_whole(facts: Mailed) -> None:
    protect(facts, person(COUPLE, 1, protected=True), person(LATER, protected=True))
    seen = found(facts)
    assert seen is not None
    assert seen.by_lot == ((OUT, 1),)  # the other lot is re-checked by its own release
    plan_id = pull(facts)
    assert plan_id == f"pull-2025-08-04-{seen.digest}"
    rows = pq.read_table(facts.store.get("plans", plan_id).table("pulls")).sort_by("member_key").to_pylist()
    assert [(row["member_key"] % 100, row["reason_code"], row["outcome"]) for row in rows] == [
        (0, "packed_anew", "planned_again"),
        (1, "address_protected", "held"),
    ]
    (file,) = planning.clear_files(settings_of(facts), plan_id)
    assert file.name == "pv1_fy2025_urgent_20250804_01_1.csv"
    assert file.path.read_text().splitlines()[1] == f'"{OUT}","{facts.lot.envelopes[0].number}"'
    assert found(facts) is None  # nothing is listed twice


def test_a_pull_that_is_confirmed_closes_and_the_alert_ends(facts: Mailed) -> None:
    protect(facts, person(COUPLE, protected=True))
    pull(facts)
    assert ledger(facts, POSTED) == {"not_reported": (1, 0)}
    assert alerts(facts) == {"protected_after_release": 1}
    lot = facts.lot
    facts.report(date(2025, 8, 11), lot, {lot.envelopes[0].number: "pulled", lot.envelopes[1].number: "posted"})
    assert ledger(facts, date(2025, 8, 11)) == {"pulled": (1, 0)}
    assert alerts(facts) == {}
    number = lot.envelopes[0].number
    assert facts.rows(
        f"select status, reason_code from marts.fct_certificates where envelope_id = '{number}' order by suffix"
    ) == [("pulled", "address_protected"), ("pulled", "address_protected")]


def test_a_pull_that_came_too_late_is_a_term_of_its_own_until_two_people_close_the_incident(
    facts: Mailed,
) -> None:
    protect(facts, person(COUPLE, protected=True))
    pull(facts)
    lot = facts.lot
    facts.report(date(2025, 8, 11), lot, {envelope.number: "posted" for envelope in lot.envelopes})
    assert ledger(facts, date(2025, 8, 11)) == {"pulled_too_late": (1, 1)}
    assert alerts(facts) == {"protected_piece_posted": 1}
    decision = {"member_key": COUPLE * 100 + 1, "decision": "incident_closed", "reason_code": "recovered"}
    closed_on = date(2025, 8, 12)
    facts.feed("decisions", closed_on, [decision | {"decided_on": closed_on, "decided_by": "a"}])
    assert ledger(facts, closed_on) == {"pulled_too_late": (1, 1)}  # one person is not two
    facts.feed("decisions", closed_on, [decision | {"decided_on": closed_on, "decided_by": "b"}])
    assert ledger(facts, closed_on) == {"pulled_too_late": (1, 0)}
    assert alerts(facts) == {}


@pytest.mark.slow
def test_a_piece_that_somebody_holds_after_sending_is_pulled(facts: Mailed) -> None:
    row = {"member_key": ALONE * 100, "decided_on": KNOWN, "decision": "hold_piece", "decided_by": "operator"}
    facts.feed("decisions", KNOWN, [row])
    seen = found(facts)
    assert seen is not None and seen.by_lot == ((OUT, 1),)
    plan_id = pull(facts)
    rows = pq.read_table(facts.store.get("plans", plan_id).table("pulls")).to_pylist()
    assert [row["reason_code"] for row in rows] == ["by_person"]


@pytest.mark.parametrize("known_before", [True, False])
def test_what_was_known_before_or_is_about_nobody_builds_nothing(facts: Mailed, known_before: bool) -> None:
    if known_before:
        protect(facts, person(COUPLE, protected=True), on=date(2025, 7, 31))
        planning.note_nothing_to_do(settings_of(facts), urgent_pulls.wish_of(date(2025, 7, 31), None))
        protect(facts, person(COUPLE, protected=True))
    else:
        protect(facts, person(household(9), protected=True), person(COUPLE, name="別の　名前"))
    assert not urgent_pulls.may_concern(settings_of(facts), KNOWN)


@pytest.mark.slow
def test_people_are_asked_again_about_a_pull_that_was_rejected(facts: Mailed) -> None:
    protect(facts, person(COUPLE, protected=True))
    plan_id = pull(facts)
    assert not urgent_pulls.may_concern(settings_of(facts), KNOWN)
    reject(facts.store, Subject(plan_id, ""), decided_by="approver1", received_on=KNOWN)
    assert urgent_pulls.may_concern(settings_of(facts), KNOWN)
    assert planning.check(settings_of(facts), urgent_pulls.wish_of(KNOWN, found(facts))).plan_id == f"{plan_id}-2"


@pytest.mark.slow
def test_what_is_reported_posted_is_not_out_any_more(facts: Mailed) -> None:
    lot = facts.lot
    facts.report(KNOWN, lot, {envelope.number: "posted" for envelope in lot.envelopes})
    protect(facts, person(COUPLE, protected=True))
    assert found(facts) is None


@pytest.mark.slow
def test_other_pieces_than_were_seen_are_not_drafted(facts: Mailed) -> None:
    protect(facts, person(COUPLE, protected=True))
    settings = settings_of(facts)
    wish = planning.check(settings, urgent_pulls.wish_of(KNOWN, found(facts)))
    protect(facts, person(ALONE, protected=True), on=POSTED)
    with pytest.raises(PlanError, match="other pieces must be stopped now"):
        planning.draft(settings, replace(wish, as_of=POSTED))


def test_the_alert_is_raised_at_once_and_only_once(facts: Mailed) -> None:
    protect(facts, person(COUPLE, protected=True))
    settings, seen = settings_of(facts), found(facts)
    assert seen is not None
    urgent_pulls.raise_alert(settings, KNOWN, seen, [])
    urgent_pulls.raise_alert(settings, KNOWN, seen, [])
    (told,) = (settings.data / "alerts").glob("*.json")
    assert "protected_after_release" in told.read_text(encoding="utf-8")
