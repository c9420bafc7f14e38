"""A held person whom somebody releases is in the next wave; who was taken out and who is still protected is not."""

from __future__ import annotations

from datetime import date

import pytest
from mailing_facts import HANDED_OFF, SNAPSHOT, Envelope, Lot, MailingFacts, address, household, person

from explained import assert_explained, settings_of
from kakuninsho.operations import publishing
from kakuninsho.operations.deciding import DecisionError, check_decision, read_wish, record_by
from kakuninsho.operations.members import CaseBook, MemberKey

BETWEEN, NO_ADDRESS, PROTECTED, STILL, TAKEN_OUT, PLANNED = (household(number) for number in range(1, 7))
MARTS = ["+path:models/marts/mailing", "+fct_member_dispositions", "+fct_late_dispositions", "+fct_alerts"]
POSTED, RELEASED, DECIDED = date(2025, 10, 10), date(2025, 10, 9), date(2025, 8, 5)


@pytest.fixture(scope="module")
def facts(tmp_path_factory: pytest.TempPathFactory) -> MailingFacts:
    """Five held people after the hand-off, with a delta that brings an address and lifts one protection."""
    facts = MailingFacts(tmp_path_factory.mktemp("decisions"))
    between = {"decided_on": date(2024, 12, 1)}
    facts.register(
        SNAPSHOT,
        [
            person(BETWEEN, **between),
            person(NO_ADDRESS),
            person(PROTECTED, protected=True),
            person(STILL, protected=True),
            person(TAKEN_OUT, **between),
            person(PLANNED),
        ],
        [address(key) for key in (BETWEEN, PROTECTED, STILL, TAKEN_OUT, PLANNED)],
    )
    lot = Lot("fy2025-H-18-20251010-01", POSTED, [Envelope([PLANNED * 100])])
    facts.plan("home-2025-04-30", "home", HANDED_OFF, [lot])
    facts.register(date(2025, 8, 1), [person(PROTECTED)], [address(NO_ADDRESS)], kind="delta")
    facts.build(date(2025, 8, 1), select=MARTS)
    publishing.export(facts.store.data)
    return facts


def test_a_released_person_is_in_the_next_wave(facts: MailingFacts) -> None:
    settings = settings_of(facts.store.data)
    cases = CaseBook(settings.data)

    def decide(key: int, decision: str, reason: str | None = None, second: str | None = None) -> None:
        wish = read_wish(settings, cases.number(key * 100), decision, DECIDED, reason)
        record_by(settings, wish, "operator", second, approved=second is not None)

    with pytest.raises(DecisionError):  # no address has come for this household's record to speak of
        check_decision(settings, read_wish(settings, cases.number(PROTECTED * 100), "release", DECIDED, None))
    decide(BETWEEN, "release")
    decide(NO_ADDRESS, "correct_address")
    decide(NO_ADDRESS, "release")
    for key in (PROTECTED, STILL):
        decide(key, "correct_address")
        decide(key, "release", second="approver1")
    decide(TAKEN_OUT, "exclude", "declined")
    facts.build(RELEASED, select=["+int_plan_pending_supplementary"], run_kind="release", posting_date=POSTED)
    query = "select household_key from intermediate.int_plan_pending_supplementary order by all"
    assert facts.rows(query) == [(BETWEEN,), (NO_ADDRESS,), (PROTECTED,)]


def test_the_explanation_names_the_decision_and_the_lines_after_it(facts: MailingFacts) -> None:
    facts.build(RELEASED, select=MARTS)
    publishing.export(facts.store.data)
    settings = settings_of(facts.store.data)
    released = assert_explained(settings, str(MemberKey.unpack(BETWEEN * 100)))
    tables = [judgement.table for judgement in released.judgements]
    assert tables == ["disposition", "after_decision"]
    assert released.judgements[1].outcome.startswith("対象")
    assert released.judgements[1].lines[0]["line"] == "household_without_insured"  # the line after the hold
    assert [row["decided_by"] for row in released.decisions] == ["operator"]
    taken_out = assert_explained(settings, str(MemberKey.unpack(TAKEN_OUT * 100)))
    assert taken_out.judgements[1].rule == "人の判断で対象外とした"
    assert taken_out.decisions[0]["why"] == "本人が希望しない"
