"""The register from drop to first plan: every dbt unit test of the rules, and one small register through all models.

The unit tests are in YAML beside the models and named after their rule. They are run here, once, in one dbt call.
"""

from __future__ import annotations

import re
from datetime import date
from typing import Any

import pytest
import yaml
from mailing_facts import SNAPSHOT, MailingFacts, address, household, person

from kakuninsho.paths import DBT_PROJECT
from kakuninsho.warehouse import Context, run_models

FAMILY, DEPENDENT_ONLY, LEFT, ABROAD, VOLUNTARY, CARD, PROTECTED_SINCE = (household(number) for number in range(1, 8))
HAND_OFF, LISTS = date(2025, 5, 15), date(2025, 6, 16)
USABLE = {
    "has_card": True,
    "number_filed": True,
    "registered": True,
    "certificate_expires_on": date(2028, 5, 1),
    "registration_cancelled_on": None,
}


@pytest.fixture(scope="module")
def facts(tmp_path_factory: pytest.TempPathFactory) -> MailingFacts:
    """A register of seven households, evaluated and planned on the day of the hand-off, with every data test."""
    facts = MailingFacts(tmp_path_factory.mktemp("register"))
    members = [
        *(person(FAMILY, suffix) for suffix in range(5)),
        person(DEPENDENT_ONLY),
        person(DEPENDENT_ONLY, 1, name="健保〜花子"),
        person(LEFT, lost_on=SNAPSHOT),
        person(ABROAD),
        person(VOLUNTARY, enrolment="voluntary", qualified_on=date(2024, 10, 1)),
        person(CARD),
        person(PROTECTED_SINCE),
    ]
    homes = [address(key) for key in (FAMILY, DEPENDENT_ONLY, LEFT, VOLUNTARY, CARD, PROTECTED_SINCE)]
    homes.append(address(ABROAD, country="US", postal_code=None))
    cards = [{"member_key": key * 100, **USABLE} for key in (DEPENDENT_ONLY, CARD)]
    employer = {
        "employer_key": FAMILY // 10_000_000,
        "name": "株式会社　見本",
        "postal_code": "918-8888",
        "address": "福井県福井市大手３－１７－１",
    }
    facts.register(SNAPSHOT, members, homes, employers=[employer], cards=cards)
    facts.register(date(2025, 5, 10), [person(PROTECTED_SINCE, protected=True)], kind="delta")
    facts.build(HAND_OFF, command="build", run_kind="home")
    return facts


def _all_unit_tests() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for path in (DBT_PROJECT / "models").rglob("*.yml"):
        found += (yaml.safe_load(path.read_text(encoding="utf-8")) or {}).get("unit_tests") or []
    return found


def test_every_rule_of_the_register_has_a_unit_test_named_after_it() -> None:
    numbers = {match[1] for test in _all_unit_tests() if (match := re.match(r"rule_(\d+)_", test["name"]))}
    assert numbers >= {"2", "3", "4", "5", "10", "11", "12"}


def test_unit_tests_of_the_models_pass(facts: MailingFacts) -> None:
    results = run_models(
        facts.store,
        facts.campaign,
        Context(HAND_OFF, run_kind="home"),
        command="test",
        select=("test_type:unit",),
        exclude=(),
    )
    assert {result.name for result in results} == {test["name"] for test in _all_unit_tests()}
    assert {result.status for result in results} == {"pass"}


def test_each_row_of_the_register_ends_in_exactly_one_line(facts: MailingFacts) -> None:
    found = facts.rows("select disposition, reason_code, count(*) from marts.fct_member_dispositions group by all")
    assert sorted(found) == [
        ("excluded", "card_usable", 2),
        ("excluded", "membership_lost", 1),
        ("held", "address_overseas", 1),
        ("target", "no_card", 8),
    ]


def test_the_first_plan_holds_every_target_whatever_is_known_since(facts: MailingFacts) -> None:
    plan = facts.rows(
        """
        select household_key, position, envelopes_in_household, count(*)
        from intermediate.int_plan_pending group by all order by all
        """
    )
    assert plan == [
        (FAMILY, 1, 2, 4),
        (FAMILY, 2, 2, 1),
        (DEPENDENT_ONLY, 1, 1, 1),
        (VOLUNTARY, 1, 1, 1),
        (PROTECTED_SINCE, 1, 1, 1),
    ]


def test_printed_values_of_a_certificate(facts: MailingFacts) -> None:
    window = facts.campaign.window_of("18")
    row = facts.rows(
        f"""
        select addressee_name, name, issued_on, valid_until, wave_key, lot_number
        from intermediate.int_plan_pending where household_key = {DEPENDENT_ONLY}
        """
    )
    assert row == [("健保　太郎0", "健保～花子", window.posting_dates[0], date(2029, 11, 30), "2025-10", 1)]


def test_a_voluntary_household_has_no_employer_and_a_shorter_validity(facts: MailingFacts) -> None:
    query = f"select employer_key, valid_until from intermediate.int_plan_pending where household_key = {VOLUNTARY}"
    assert facts.rows(query) == [(None, date(2026, 9, 30))]


def test_every_target_has_a_wave_and_nobody_else(facts: MailingFacts) -> None:
    query = "select disposition, count(wave_key) from marts.fct_member_dispositions group by all order by all"
    assert facts.rows(query) == [("excluded", 0), ("held", 0), ("target", 8)]


def test_unknown_usage_rates_stay_unknown(facts: MailingFacts) -> None:
    query = """
        select month, count(*), count(rate), count(rank) from marts.fct_usage_rates group by month order by month
    """
    assert facts.rows(query) == [("2024-10", 48, 11, 10), ("2025-03", 48, 11, 10)]


def test_branches_and_windows_are_complete(facts: MailingFacts) -> None:
    assert facts.rows("select count(*) from marts.dim_branches") == [(47,)]
    assert facts.rows("select count(*), sum(posting_date_count) from marts.dim_dispatch_windows") == [
        (47, sum(len(window.posting_dates) for window in facts.campaign.windows))
    ]


def test_employer_lists_name_nobody_protected_voluntary_or_held(facts: MailingFacts) -> None:
    facts.build(
        LISTS,
        select=(
            "stg_context",
            "int_employers_judged",
            "int_employer_list_targets",
            "int_employer_list_lines_pending",
        ),
        run_kind="employer_list",
        run_on=LISTS,
    )
    lines = facts.rows("select member_key, postal_code from intermediate.int_employer_list_lines_pending order by 1")
    assert lines == [
        *((FAMILY * 100 + suffix, "9188888") for suffix in range(5)),
        (DEPENDENT_ONLY * 100 + 1, "9188888"),
    ]
