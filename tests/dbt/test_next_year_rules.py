"""The models under a second campaign: dispositions on its own days, and validity on each route (rules 2 to 4, 9)."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from mailing_facts import MailingFacts, address, household, person

from campaigns import write_next_year
from kakuninsho.campaign import load_campaign
from kakuninsho.operations.planning import MODELS

pytestmark = pytest.mark.slow  # tests/unit/campaign/test_next_year.py is the quick one

SNAPSHOT, HAND_OFF = date(2026, 4, 30), date(2026, 5, 15)
WHO = (
    "through", "between", "new", "lost", "lost_after", "turns_75", "turns_75_after", "usable", "grace", "expired",
    "family", "voluntary", "old", "request", "care", "rolling",
)  # fmt: skip
KEY = {name: household(number) for number, name in enumerate(WHO, start=1)}


def _card(member: int, **changes: Any) -> dict[str, Any]:
    return {
        "member_key": member,
        "has_card": True,
        "number_filed": True,
        "registered": True,
        "certificate_expires_on": date(2029, 1, 1),
        "registration_cancelled_on": None,
    } | changes


@pytest.fixture(scope="module")
def facts(tmp_path_factory: pytest.TempPathFactory) -> MailingFacts:
    """Households on the edges of the campaign's days, evaluated and planned on the day of its hand-off."""
    facts = MailingFacts(tmp_path_factory.mktemp("next-year"))
    facts.campaign = load_campaign("fy2026", write_next_year(tmp_path_factory.mktemp("campaigns")))
    recent = {"decided_on": date(2026, 1, 10), "qualified_on": date(2026, 1, 6)}
    members = [
        person(KEY["through"], decided_on=date(2025, 11, 30), qualified_on=date(2025, 11, 1)),
        person(KEY["between"], decided_on=date(2025, 12, 1), qualified_on=date(2025, 11, 1)),
        person(KEY["new"], decided_on=date(2025, 12, 2), qualified_on=date(2025, 11, 1)),
        person(KEY["lost"], lost_on=SNAPSHOT),
        person(KEY["lost_after"], lost_on=date(2026, 5, 1)),
        person(KEY["turns_75"], birth_date=date(1951, 4, 30)),
        person(KEY["turns_75_after"], birth_date=date(1951, 5, 1)),
        person(KEY["usable"]),
        person(KEY["grace"]),
        person(KEY["expired"]),
        *(person(KEY["family"], suffix) for suffix in range(5)),
        person(KEY["voluntary"], enrolment="voluntary", qualified_on=date(2025, 4, 1), decided_on=date(2025, 4, 9)),
        person(KEY["old"], birth_date=date(1955, 8, 20)),
        person(KEY["old"], 1),
        person(KEY["request"], **recent),
        person(KEY["care"], birth_date=date(1952, 2, 29)),
        person(KEY["rolling"]),
    ]
    cards = [
        _card(KEY["usable"] * 100, certificate_expires_on=SNAPSHOT),
        _card(KEY["grace"] * 100, certificate_expires_on=date(2026, 1, 1)),
        _card(KEY["expired"] * 100, certificate_expires_on=date(2025, 12, 31)),
        _card(KEY["care"] * 100),
        _card(KEY["rolling"] * 100),
    ]
    employer = {
        "employer_key": KEY["through"] // 10_000_000,
        "name": "株式会社　見本",
        "postal_code": "918-8888",
        "address": "福井県福井市大手３－１７－１",
    }
    facts.register(SNAPSHOT, members, [address(key) for key in KEY.values()], employers=[employer], cards=cards)
    cancelled = _card(KEY["rolling"] * 100, registration_cancelled_on=date(2026, 6, 1))
    facts.register(date(2026, 6, 30), [], kind="delta", cards=[cancelled])
    facts.build(HAND_OFF, select=MODELS["home"], run_kind="home")
    return facts


def test_dispositions_turn_on_the_days_of_the_campaign(facts: MailingFacts) -> None:
    found = dict(
        facts.rows(
            "select household_key, any_value(coalesce(reason_code, need) order by member_key)"
            " from intermediate.int_members_evaluated group by household_key"
        )
    )
    assert {name: found[key] for name, key in KEY.items()} == {
        "through": "no_card",
        "between": "between_routes",
        "new": "new_enrollee",
        "lost": "membership_lost",
        "lost_after": "no_card",
        "turns_75": "reached_75",
        "turns_75_after": "no_card",
        "usable": "card_usable",
        "grace": "certificate_in_grace",
        "expired": "certificate_expired",
        "family": "no_card",
        "voluntary": "no_card",
        "old": "no_card",
        "request": "new_enrollee",
        "care": "card_usable",
        "rolling": "card_usable",
    }


def test_home_certificates_are_issued_and_valid_by_the_campaign(facts: MailingFacts) -> None:
    rows = facts.rows(
        "select household_key, posting_date, wave_key, issued_on, max(valid_until)"
        " from intermediate.int_plan_pending_home group by all"
    )
    posting = load_posting_date(facts)
    assert {row[1:4] for row in rows} == {(posting, f"{posting:%Y-%m}", posting)}
    valid = {row[0]: row[4] for row in rows}
    assert valid[KEY["family"]] == date(2030, 11, 30)
    assert valid[KEY["voluntary"]] == date(2027, 3, 31)
    assert valid[KEY["old"]] == date(2030, 8, 19)


@pytest.mark.parametrize(
    ("posted_on", "base"), [(date(2026, 11, 30), date(2030, 11, 30)), (date(2026, 12, 1), date(2031, 11, 30))]
)
def test_requests_and_rolling_issue_on_both_sides_of_the_turn(facts: MailingFacts, posted_on: date, base: date) -> None:
    run_on = date(2026, 11, 20)
    if posted_on == date(2026, 11, 30):
        asked = {"requested_on": date(2026, 11, 10)}
        facts.feed(
            "issue_requests",
            run_on,
            [
                {"request_id": "new", "member_key": KEY["request"] * 100, "kind": "new_enrollee", **asked},
                {"request_id": "care", "member_key": KEY["care"] * 100, "kind": "care_needed", **asked},
            ],
        )
    facts.build(run_on, select=MODELS["request"], run_kind="request", posting_date=posted_on, run_on=run_on)
    found = {
        household_key: (route, issued_on, valid_until)
        for household_key, route, issued_on, valid_until in facts.rows(
            "select household_key, route, issued_on, valid_until from intermediate.int_plan_pending_request"
        )
    }
    assert found[KEY["request"]] == ("request", posted_on, base)
    assert found[KEY["care"]] == ("request", posted_on, date(2027, 2, 28))  # born on 29 February 1952
    assert found[KEY["rolling"]] == ("rolling", posted_on, base)


def load_posting_date(facts: MailingFacts) -> date:
    """The first posting date of 福井 in the campaign."""
    return facts.campaign.window_of("18").posting_dates[0]


def test_the_register_s_folder_names_the_year(facts: MailingFacts, tmp_path: Path) -> None:
    assert [fact.name for fact in facts.store.all("register")] == ["as_of=2026-04-30", "as_of=2026-06-30"]
    assert facts.rows("select count(*) from staging.stg_registers where is_campaign_drop and file = 'members'") == [
        (1,)
    ]
