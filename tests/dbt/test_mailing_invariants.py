"""Each invariant of the mailing is seen to fail: a plan that breaks all of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from mailing_facts import HANDED_OFF, SNAPSHOT, Envelope, Lot, MailingFacts, address, household, person

from kakuninsho.campaign import load_campaign
from kakuninsho.warehouse import TransformError, warehouse

POSTED = load_campaign().window_of("18").posting_dates[0]
FAMILY, OTHER, TWICE, VOID = (household(number) for number in range(1, 5))
TESTS = {
    "assert_live_certificate_is_in_live_envelope",
    "assert_one_live_certificate_per_member",
    "assert_certificates_fit_in_envelope",
    "assert_one_household_per_envelope",
    "assert_control_numbers_are_given_once",
}


def test_a_plan_that_breaks_every_invariant_fails_every_test(tmp_path: Path) -> None:
    facts = MailingFacts(tmp_path)
    people = [person(FAMILY, suffix) for suffix in range(5)] + [person(key) for key in (OTHER, TWICE, VOID)]
    facts.register(SNAPSHOT, people, [address(key) for key in (FAMILY, OTHER, TWICE, VOID)])
    voided = Lot("fy2025-H-18-20251010-01", POSTED, [Envelope([VOID * 100])])
    facts.plan("home-2025-04-30", "home", HANDED_OFF, [voided], approved=False)
    broken = Lot(
        "fy2025-H-18-20251017-01",
        POSTED,
        [
            Envelope([FAMILY * 100 + suffix for suffix in range(5)]),  # five in an envelope
            Envelope([TWICE * 100, OTHER * 100]),  # two households
            Envelope([TWICE * 100], changes={"sequence": 999}),  # a second live certificate; a wrong number
        ],
    )
    facts.plan("home-2025-04-30-2", "home", HANDED_OFF, [broken])
    facts.build(HANDED_OFF, select=["+int_certificates", "+fct_ledger", "+fct_list_differences", "+fct_employer_lists"])
    # No fact can make a certificate live in a dead envelope; a fault of the model could.
    with warehouse(facts.store.data, read_only=False) as connection:
        connection.execute(f"update intermediate.int_certificates set is_live = true where member_key = {VOID * 100}")
    with pytest.raises(TransformError) as failure:
        facts.build(HANDED_OFF, command="test", select=["path:tests/mailing"])
    assert {name for name in TESTS if name in str(failure.value)} == TESTS
