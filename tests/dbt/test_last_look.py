"""The last look before anything leaves (rules: a wave, to the letter box): protection stops, other changes are told."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from mailing_facts import Envelope, Lot, MailingFacts, address, household, person

from approvals_kit import answer
from kakuninsho.operations.last_look import LastLook, LastLookError, look, require_free
from kakuninsho.plans.approvals import APPROVED, ApprovalError, Subject, people_who_answered, require_approved
from kakuninsho.settings import Settings

FROZEN, POSTED = date(2025, 7, 29), date(2025, 8, 1)
LATER = date(2025, 7, 30)
HOME, OTHER, PULLED = household(1), household(2), household(3)
RELEASE = Subject("release-2025-08-01", "a" * 64)


@pytest.fixture
def facts(tmp_path: Path) -> MailingFacts:
    made = MailingFacts(tmp_path / "data")
    people = [person(key, suffix) for key in (HOME, OTHER, PULLED) for suffix in (0, 1)]
    made.register(date(2025, 4, 30), people, [address(key) for key in (HOME, OTHER, PULLED)])
    lots = [Lot("H-1", POSTED, [Envelope([HOME * 100 + 1]), Envelope([PULLED * 100])]),
            Lot("H-2", date(2025, 8, 8), [Envelope([OTHER * 100])])]  # fmt: skip
    made.plan("home-2025-04-30", "home", date(2025, 5, 15), lots)
    pulled = lots[0].envelopes[1].number
    made.plan(
        RELEASE.name, "release", FROZEN,
        release_lots=[{"lot_id": "H-1", "posting_date": POSTED, "is_released": True},
                      {"lot_id": "H-2", "posting_date": POSTED, "is_released": False}],
        pulls=[{"envelope_id": pulled, "certificate_id": f"{pulled}-1", "lot_id": "H-1", "member_key": PULLED * 100}],
        approved=None,
    )  # fmt: skip
    return made


def settings_of(facts: MailingFacts) -> Settings:
    return replace(Settings.from_environment(), data=facts.store.data, keys=facts.store.keys)


def delta(facts: MailingFacts, *rows: dict[str, Any], on: date = LATER) -> None:
    facts.register(on, rows, kind="delta")


def test_nothing_new_stops_nothing(facts: MailingFacts) -> None:
    assert look(settings_of(facts), RELEASE.name, LATER) == LastLook()


@pytest.mark.parametrize("suffix", [0, 1])
def test_protection_of_the_member_or_of_the_insured_stops(facts: MailingFacts, suffix: int) -> None:
    delta(facts, person(HOME, suffix, protected=True))
    found = look(settings_of(facts), RELEASE.name, LATER)
    assert (found.protected, found.stops) == (1, True)


def test_protection_of_who_is_not_in_the_released_lots_or_was_pulled_stops_nothing(facts: MailingFacts) -> None:
    delta(facts, person(OTHER, protected=True), person(PULLED, protected=True))
    assert not look(settings_of(facts), RELEASE.name, LATER).stops


def test_a_drop_of_a_day_that_has_not_come_is_not_looked_at(facts: MailingFacts) -> None:
    delta(facts, person(HOME, protected=True))
    assert not look(settings_of(facts), RELEASE.name, FROZEN).stops


def test_protection_that_was_lifted_again_by_a_newer_drop_stops_nothing(facts: MailingFacts) -> None:
    delta(facts, person(HOME, protected=True))
    delta(facts, person(HOME), on=date(2025, 7, 31))
    assert not look(settings_of(facts), RELEASE.name, date(2025, 7, 31)).stops


def test_losses_and_other_changes_are_told_and_stop_nothing(facts: MailingFacts) -> None:
    delta(facts, person(HOME, 1, lost_on=LATER))
    found = look(settings_of(facts), RELEASE.name, LATER)
    assert (found.protected, found.left, found.other, found.stops) == (0, 1, 0, False)
    delta(facts, person(HOME, 1, name="別の　名前"), on=date(2025, 7, 31))
    found = look(settings_of(facts), RELEASE.name, date(2025, 7, 31))
    assert (found.left, found.other, found.stops) == (0, 1, False)


@pytest.mark.parametrize(("readable", "stops"), [(True, True), (None, True), (False, False)])
def test_a_rejected_row_still_protects(facts: MailingFacts, readable: bool | None, stops: bool) -> None:
    delta(facts)
    path = facts.store.get("register", f"as_of={LATER}").table("rejects")
    row = {"as_of": LATER, "file": "members", "row_number": 1, "column_name": "sex", "reason_code": "bad_code",
           "row_key": HOME * 100, "protected_readable": readable}  # fmt: skip
    write_rejects(path, row)
    found = look(settings_of(facts), RELEASE.name, LATER)
    assert (found.protected, found.rejected) == ((1, 0) if stops else (0, 1))


def write_rejects(path: Path, row: dict[str, Any]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from kakuninsho.facts.schemas import REGISTER
    from kakuninsho.facts.store import ARROW_TYPES

    schema = pa.schema([(name, ARROW_TYPES[kind]) for name, kind in REGISTER["rejects"].items()])
    pq.write_table(pa.Table.from_pylist([row], schema=schema), path)


def test_a_piece_that_a_person_holds_stops(facts: MailingFacts) -> None:
    row = {"member_key": HOME * 100 + 1, "decided_on": LATER, "decision": "hold_piece", "decided_by": "operator"}
    facts.feed("decisions", LATER, [row])
    found = look(settings_of(facts), RELEASE.name, LATER)
    assert (found.held, found.stops) == (1, True)


def test_the_hand_off_is_not_concerned(facts: MailingFacts) -> None:
    delta(facts, person(HOME, protected=True))
    assert look(settings_of(facts), "home-2025-04-30", LATER) == LastLook()


def test_a_follow_up_and_a_list_are_looked_at(facts: MailingFacts) -> None:
    delta(facts, person(HOME, protected=True), person(OTHER, protected=True))
    facts.plan("employer-list-2025-07-29", "employer_list", FROZEN,
               list_lines=[{"list_id": "1", "member_key": HOME * 100}], approved=None)  # fmt: skip
    facts.plan("follow-up-2025-07-29", "follow_up", FROZEN, approved=None,
               follow_ups=[{"member_key": HOME * 100, "outcome": "employer_bundle"},
                           {"member_key": OTHER * 100, "outcome": "branch_desk"}])  # fmt: skip
    for plan_id in ("employer-list-2025-07-29", "follow-up-2025-07-29"):
        assert look(settings_of(facts), plan_id, LATER).protected == 1


def test_nothing_is_sent_and_both_approvals_are_void(facts: MailingFacts) -> None:
    answer(facts.store, RELEASE, APPROVED, APPROVED, on=FROZEN)
    assert require_free(settings_of(facts), RELEASE, FROZEN) == LastLook()
    delta(facts, person(HOME, protected=True))
    with pytest.raises(LastLookError, match="1 are protected"):
        require_free(settings_of(facts), RELEASE, LATER)
    with pytest.raises(ApprovalError, match="was rejected"):
        require_approved(facts.store, RELEASE)
    assert "last_look" not in people_who_answered(facts.store)
