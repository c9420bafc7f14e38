"""A lot that the printer rejected is planned again: same envelopes, new lot, new numbers, nobody twice."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import pyarrow.parquet as pq
import pytest
from mailing_facts import HANDED_OFF, SNAPSHOT, Envelope, Lot, MailingFacts, address, household, person

from approvals_kit import answer
from kakuninsho.operations import planning, waves
from kakuninsho.plans.approvals import REJECTED, Subject
from kakuninsho.plans.draft import PlanRequest
from kakuninsho.settings import Settings

FAMILY, OTHER, ACCEPTED = household(1), household(2), household(3)
POSTED = date(2025, 10, 10)
REJECTED_LOT, ACCEPTED_LOT, NEW_LOT = (f"fy2025-H-18-20251010-{number:02d}" for number in (1, 2, 3))
AGAIN = date(2025, 5, 20)
WEIGHT = {"weight_g": 30.0}


def nothing(settings: Settings, wish: PlanRequest) -> str | None:
    """Draft a wish, as its tasks do, and ask whether there is anything to do."""
    planning.draft(settings, planning.check(settings, wish))
    return planning.nothing_to_do(settings, wish)


@dataclass
class Played:
    facts: MailingFacts
    settings: Settings
    rejected: Lot
    plan_id: str

    def table(self, name: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = pq.read_table(self.facts.store.get("plans", self.plan_id).table(name)).to_pylist()
        return rows


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    data = tmp_path_factory.mktemp("resend")
    facts = MailingFacts(data)
    settings = Settings(data, data, data, data / "keys", "fy2025")
    people = [person(FAMILY, suffix) for suffix in range(6)] + [person(OTHER), person(ACCEPTED)]
    facts.register(SNAPSHOT, people, [address(key) for key in (FAMILY, OTHER, ACCEPTED)])
    rejected = Lot(
        REJECTED_LOT,
        POSTED,
        [
            Envelope([FAMILY * 100 + suffix for suffix in range(4)], 1, 2, WEIGHT),
            Envelope([FAMILY * 100 + suffix for suffix in (4, 5)], 2, 2, WEIGHT),
            Envelope([OTHER * 100], changes=WEIGHT),
        ],
    )
    accepted = Lot(ACCEPTED_LOT, POSTED, [Envelope([ACCEPTED * 100])])
    facts.plan("home-2025-04-30", "home", HANDED_OFF, [rejected, accepted], sent=False)
    facts.send([rejected, accepted], "home-2025-04-30", HANDED_OFF)
    assert nothing(settings, waves.resend_wish(HANDED_OFF))  # nothing is answered yet
    facts.acknowledge([rejected], date(2025, 5, 19), "rejected")
    facts.acknowledge([accepted], date(2025, 5, 19))
    wish = waves.hand_off_wish(settings, AGAIN)
    assert wish.kind == "resend"
    wish = planning.check(settings, wish)
    planning.draft(settings, wish)
    assert planning.judge(settings, wish) == []
    plan_id = planning.freeze(settings, wish)
    facts.build(AGAIN, select=["+fct_envelopes", "+fct_certificates", "+fct_lots", "+fct_waves", "+fct_ledger"])
    return Played(facts, settings, rejected, plan_id)


def test_only_the_rejected_lot_comes_again_under_the_next_number(played: Played) -> None:
    (lot,) = played.table("lots")
    assert (lot["lot_id"], lot["replaces_lot_id"], lot["posting_date"]) == (NEW_LOT, REJECTED_LOT, POSTED)
    assert (lot["envelope_count"], lot["certificate_count"]) == (3, 7)


def test_each_envelope_names_the_one_it_replaces_and_keeps_k_of_n(played: Played) -> None:
    envelopes = played.table("envelopes")
    before = {envelope.number for envelope in played.rejected.envelopes}
    assert {row["replaces_envelope_id"] for row in envelopes} == before
    assert before.isdisjoint(row["envelope_id"] for row in envelopes)
    found = {(row["household_key"], row["position"], row["envelopes_in_household"]) for row in envelopes}
    assert found == {(FAMILY, 1, 2), (FAMILY, 2, 2), (OTHER, 1, 1)}


def test_certificates_keep_people_slots_and_validity_under_new_numbers(played: Played) -> None:
    (first,) = [fact for fact in played.facts.store.all("plans") if fact.name == "home-2025-04-30"]
    before = pq.read_table(first.table("certificates")).to_pylist()
    kept = ("member_key", "slot", "issued_on", "valid_until", "name", "birth_date")
    wanted = {tuple(row[name] for name in kept) for row in before if row["household_key"] != ACCEPTED}
    again = played.table("certificates")
    assert {tuple(row[name] for name in kept) for row in again} == wanted
    assert {row["certificate_id"] for row in again}.isdisjoint(row["certificate_id"] for row in before)


def test_what_was_rejected_is_replaced_and_nobody_has_two_live_certificates(played: Played) -> None:
    rows = played.facts.rows("select lot_id, status, count(*) from marts.fct_envelopes group by all order by all")
    assert rows == [(REJECTED_LOT, "replaced", 3), (ACCEPTED_LOT, "live", 1), (NEW_LOT, "live", 3)]
    assert played.facts.rows(
        "select count(*), count(distinct number || suffix) from marts.fct_certificates where is_live"
    ) == [(8, 8)]
    assert played.facts.rows("select planned_count from marts.fct_waves") == [(4,)]


def test_the_ledger_still_closes_and_the_new_lot_waits(played: Played) -> None:
    assert played.facts.ledger() == {}
    assert played.facts.rows("select open_count from marts.fct_ledger where stage = '3_envelopes'") == [(3,)]


def test_it_is_not_sent_again_twice_but_after_a_no_of_the_approvers_it_is(played: Played) -> None:
    assert nothing(played.settings, waves.resend_wish(date(2025, 5, 21)))
    answer(played.facts.store, Subject(played.plan_id, "0" * 64), REJECTED, on=AGAIN)
    assert nothing(played.settings, waves.resend_wish(date(2025, 5, 21))) is None
