"""Rejected at the snapshot is not lost: the first later drop with the right row judges the person (rules, section 2).

One small branch through the season: rows of members, cards and addresses that were rejected and are right later, rows
that stay wrong, and people who were pulled because a full drop lacked them and who are back in a later one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import pyarrow.parquet as pq
import pytest
from fast_player import CompiledProject, FastPlayer
from household_histories import Mail
from mailing_facts import HANDED_OFF, SNAPSHOT, Row, address, household, person
from printing_house import PrintingHouse

from kakuninsho.plans.draft import PlanRequest

(
    PLAIN,
    CORRECTED,
    CONFLICT,
    LEFT,
    STILL,
    FAMILY,
    CARD,
    CARD_OK,
    HOME,
    TWICE,
    PROTECTED,
    BLANK,
    RELEASED,
    TAKEN_OUT,
    MISSING,
    MISSING_PROTECTED,
    MISSING_HELD,
    MISSING_LEFT,
    REJECTED_LATER,
) = (household(number) for number in range(1, 20))
PULLED = (MISSING, MISSING_PROTECTED, MISSING_HELD, MISSING_LEFT)
CORRECTED_ON, DELTA_ON, LOST_ON_DROP, BACK_ON = (
    date(2025, 5, 31),
    date(2025, 6, 10),
    date(2025, 9, 30),
    date(2025, 10, 15),
)
FIRST, SECOND = date(2025, 10, 10), date(2025, 10, 17)
MARTS = (
    "fct_late_dispositions",
    "fct_member_dispositions",
    "fct_ledger",
    "fct_everyone",
    "fct_unserved_people",
    "fct_work_list",
    "fct_certificates",
    "rpt_people_flow",
)


def card(key: int, **changes: Any) -> Row:
    """A usable card of the insured of a household."""
    usable = {"has_card": True, "number_filed": True, "registered": True}
    return {"member_key": key * 100, **usable, "certificate_expires_on": date(2028, 1, 1)} | changes


def reject(file: str, row_key: int, row_number: int = 1, *, protected: bool | None = False) -> Row:
    row = {"file": file, "row_number": row_number, "column_name": "sex", "reason_code": "bad_code"}
    return row | {"row_key": row_key, "protected_readable": protected}


@dataclass
class Played:
    """The season of the branch, and what each release's supplementary lot held."""

    player: FastPlayer
    house: PrintingHouse
    home: dict[str, list[Row]] = field(default_factory=dict)

    def plan(self, wish: PlanRequest) -> dict[str, list[Row]]:
        folder = self.player.freeze(wish)
        tables = {path.stem: pq.read_table(path).to_pylist() for path in folder.glob("*.parquet")}
        self.house.hand_over(wish, tables)
        return tables

    def release(self, day: date, posting: date) -> set[int]:
        """Freeze and post a release; returns the members of its supplementary lot."""
        tables = self.plan(PlanRequest("release", day, posting_date=posting))
        pulled = frozenset(row["envelope_id"] for row in tables["pulls"])
        self.house.post(tables)
        released = {row["lot_id"] for row in tables["release_lots"] if row["is_released"]}
        self.house.post(self.home, released, pulled)
        return {row["member_key"] for row in tables["certificates"]}

    def late(self, day: date) -> dict[int, tuple[str, str, date]]:
        self.player.run(day, ["int_late_judged"])
        return {
            row[0]: row[1:]
            for row in self.player.rows(
                "select member_key, effective_disposition, effective_reason_code, judged_on"
                " from intermediate.int_late_judged where cause <> 'row_missing'"
            )
        }

    def line_of(self, key: int, suffix: int = 0) -> tuple[str, str]:
        (found,) = self.player.rows(
            f"select line, reason_code from intermediate.int_everyone where member_key = {key * 100 + suffix}"
        )
        return found[0], found[1]

    def open_stages(self) -> list[tuple[Any, ...]]:
        return self.player.rows("select stage, left_side, right_side from marts.fct_ledger where difference <> 0")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CompiledProject]:
    """The compiled dbt project."""
    yield CompiledProject(tmp_path_factory.mktemp("project"))


@pytest.fixture
def played(tmp_path_factory: pytest.TempPathFactory, project: CompiledProject) -> Iterator[Played]:
    player = FastPlayer(tmp_path_factory.mktemp("late"), project)
    yield Played(player, PrintingHouse(player, lambda piece: Mail()))
    player.close()


def register(player: FastPlayer, day: date, *, corrected: bool, without: tuple[int, ...] = ()) -> None:
    """A full drop: rejected rows before the correction, right ones after it; some households missing."""
    always = [PLAIN, CARD, CARD_OK, HOME, BLANK, RELEASED, TAKEN_OUT, *PULLED, REJECTED_LATER]
    members = [person(key) for key in always if key not in without] + [person(FAMILY, 1)]
    homes = [address(key) for key in (*always, CORRECTED, CONFLICT, LEFT, STILL, FAMILY, PROTECTED) if key != HOME]
    homes = [home for home in homes if home["household_key"] not in without]
    for home in homes:
        if home["household_key"] == BLANK and not corrected:
            home["address"] = " "
    cards = [card(CONFLICT)]
    rejects = [reject("members", STILL * 100)]
    if corrected:
        members += [person(key) for key in (CORRECTED, CONFLICT, FAMILY, TWICE)]
        members += [person(LEFT, lost_on=date(2025, 5, 20)), person(PROTECTED, protected=True)]
    else:
        rejects += [reject("members", key * 100) for key in (CORRECTED, CONFLICT, LEFT, FAMILY, TWICE, PROTECTED)]
        rejects += [reject("members", CONFLICT * 100, 2)]
        rejects += [reject("my_number_cards", key * 100) for key in (CARD, CARD_OK, RELEASED, TAKEN_OUT)]
        rejects += [reject("addresses", key, n) for key in (HOME, TWICE) for n in (1, 2)]
    player.register(day, members, homes, cards=cards, rejects=rejects)


def begin(played: Played) -> None:
    """Snapshot and first plan."""
    register(played.player, SNAPSHOT, corrected=False)
    played.home = played.plan(PlanRequest("home", HANDED_OFF, run_on=SNAPSHOT))
    planned = {row["member_key"] // 100 for row in played.home["certificates"]}
    assert planned == {PLAIN, *PULLED, REJECTED_LATER}


def correct(played: Played) -> None:
    """The full drop with right rows of members, then a delta with cards and addresses."""
    register(played.player, CORRECTED_ON, corrected=True)
    cards = [card(CARD, registered=False), card(CARD_OK), card(RELEASED), card(TAKEN_OUT, has_card=False)]
    homes = [address(HOME), address(TWICE)]
    played.player.register(DELTA_ON, [], homes, cards=cards, kind="delta")


def test_before_any_right_row_people_are_unserved_by_name(played: Played) -> None:
    begin(played)
    played.player.run(date(2025, 5, 20), MARTS)
    assert played.line_of(CORRECTED) == ("without", "row_rejected")
    assert played.line_of(FAMILY, 1) == ("without", "household_without_insured")
    assert played.line_of(CARD) == ("without", "card_record_rejected")
    assert played.line_of(HOME) == ("without", "address_missing")
    assert played.player.rows("select count(*) from marts.fct_late_dispositions") == [(0,)]
    assert played.open_stages() == []


def test_the_first_later_drop_with_the_right_row_judges(played: Played) -> None:
    begin(played)
    correct(played)
    decided = {"decided_on": date(2025, 5, 20), "decided_by": "people/a"}
    played.player.feed(
        "decisions",
        date(2025, 5, 20),
        [
            {"member_key": RELEASED * 100, "decision": "release", **decided},
            {"member_key": TAKEN_OUT * 100, "decision": "exclude", **decided},
        ],
    )
    assert played.late(CORRECTED_ON) == {
        CORRECTED * 100: ("target", "no_card", CORRECTED_ON),
        CONFLICT * 100: ("excluded", "card_usable", CORRECTED_ON),
        LEFT * 100: ("excluded", "membership_lost", CORRECTED_ON),
        FAMILY * 100: ("target", "no_card", CORRECTED_ON),
        FAMILY * 100 + 1: ("target", "no_card", CORRECTED_ON),
        TWICE * 100: ("held", "address_missing", CORRECTED_ON),
        PROTECTED * 100: ("held", "address_protected", CORRECTED_ON),
    }
    found = played.late(DELTA_ON)
    # The card's and the address's rows have come; whom a person had decided stays a person's matter.
    assert {key: found[key * 100] for key in (CARD, CARD_OK, HOME, TWICE)} == {
        CARD: ("target", "not_registered", DELTA_ON),
        CARD_OK: ("excluded", "card_usable", DELTA_ON),
        HOME: ("target", "no_card", DELTA_ON),
        TWICE: ("target", "no_card", DELTA_ON),
    }
    assert found.keys().isdisjoint({BLANK * 100, STILL * 100, RELEASED * 100, TAKEN_OUT * 100})
    assert len(found) == 10


def test_a_later_word_does_not_judge_again(played: Played) -> None:
    begin(played)
    correct(played)
    usable, lost = card(CARD), person(CORRECTED, lost_on=date(2025, 6, 15))
    played.player.register(date(2025, 6, 20), [lost], cards=[usable], kind="delta")
    found = played.late(date(2025, 6, 20))
    assert found[CORRECTED * 100] == ("target", "no_card", CORRECTED_ON)
    assert found[CARD * 100] == ("target", "not_registered", DELTA_ON)


def test_targets_join_the_branch_s_next_lot_and_every_identity_closes(played: Played) -> None:
    begin(played)
    correct(played)
    played.player.run(date(2025, 6, 11), MARTS)
    assert played.open_stages() == []
    assert played.line_of(CORRECTED) == ("on_the_way", "pending_in_next_plan")
    assert played.line_of(CARD_OK) == ("able", "usable")
    late = {key * 100 for key in (CORRECTED, FAMILY, CARD, HOME, TWICE, TAKEN_OUT)} | {FAMILY * 100 + 1}
    later = "select term_count from marts.fct_ledger_terms where term = 'row_accepted_later'"
    assert played.player.rows(later) == [(len(late),)]
    assert played.release(date(2025, 10, 9), FIRST) == late
    played.player.run(date(2025, 11, 20), MARTS)
    assert played.open_stages() == []
    assert played.player.rows(later) == [(len(late),)]
    assert played.line_of(CORRECTED) == ("in_hand", "delivered")
    assert played.line_of(STILL) == ("without", "row_rejected")
    waves = "select distinct wave_key from marts.fct_late_dispositions where disposition = 'target'"
    assert played.player.rows(waves) == [("2025-10",)]
    (register_rows, rejected) = (
        played.player.rows(f"select people_count from marts.rpt_people_flow where step_code = '{step}'")[0][0]
        for step in ("register", "rejected")
    )
    assert (register_rows, rejected) == (21, 8)
    # Nobody goes twice.
    assert played.release(date(2025, 10, 16), SECOND) == set()


def test_who_left_before_the_posting_date_is_not_taken(played: Played) -> None:
    begin(played)
    correct(played)
    played.player.register(date(2025, 10, 8), [person(CORRECTED, lost_on=date(2025, 10, 1))], kind="delta")
    assert CORRECTED * 100 not in played.release(date(2025, 10, 9), FIRST)


def test_a_person_who_holds_or_excludes_keeps_the_late_target_back(played: Played) -> None:
    begin(played)
    correct(played)
    decided = {"decided_on": date(2025, 7, 1), "decided_by": "people/a"}
    rows = [
        {"member_key": CORRECTED * 100, "decision": "exclude", **decided},
        {"member_key": TWICE * 100, "decision": "hold_piece", **decided},
    ]
    played.player.feed("decisions", date(2025, 7, 1), rows)
    assert played.release(date(2025, 10, 9), FIRST).isdisjoint({CORRECTED * 100, TWICE * 100})
    played.player.run(date(2025, 10, 10), MARTS)
    assert played.line_of(CORRECTED) == ("without", "decided_excluded")
    assert played.open_stages() == []


def lose_and_find(played: Played) -> set[int]:
    """Four households are missing in a full drop and pulled; a later delta brings them back."""
    begin(played)
    register(played.player, LOST_ON_DROP, corrected=True, without=PULLED)
    played.player.register(date(2025, 10, 8), [], rejects=[reject("members", REJECTED_LATER * 100)], kind="delta")
    taken = played.release(date(2025, 10, 9), FIRST)
    back = [
        person(MISSING),
        person(MISSING_PROTECTED, protected=True),
        person(MISSING_HELD),
        person(MISSING_LEFT, lost_on=date(2025, 10, 1)),
        person(REJECTED_LATER),
    ]
    homes = [address(key) for key in (MISSING, MISSING_PROTECTED, MISSING_LEFT)]
    homes.append(address(MISSING_HELD, address=None))
    played.player.register(BACK_ON, back, homes, kind="delta")
    return taken


def test_who_was_pulled_for_a_missing_or_rejected_row_is_taken_once_it_is_back(played: Played) -> None:
    taken = lose_and_find(played)
    assert taken.isdisjoint({key * 100 for key in (*PULLED, REJECTED_LATER)})
    played.player.run(date(2025, 10, 15), MARTS)
    assert played.line_of(MISSING) == ("on_the_way", "pending_in_next_plan")
    assert played.line_of(MISSING_PROTECTED) == ("without", "address_protected")
    assert played.line_of(MISSING_HELD) == ("without", "address_missing")
    assert played.player.rows(
        f"select count(*) from intermediate.int_people_waiting where member_key = {MISSING_LEFT * 100}"
    ) == [(0,)]
    assert played.release(date(2025, 10, 16), SECOND) == {MISSING * 100, REJECTED_LATER * 100}
    played.player.run(date(2025, 11, 20), MARTS)
    assert played.line_of(MISSING) == ("in_hand", "delivered")
    assert played.open_stages() == []
    # They were targets of the snapshot, so no later drop's judgement stands beside theirs.
    assert played.player.rows(
        f"select count(*) from marts.fct_late_dispositions where number = '{MISSING % 10_000_000}'"
    ) == [(0,)]


def test_a_decision_after_the_pull_is_the_person_s_and_not_the_row_s(played: Played) -> None:
    lose_and_find(played)
    decided = {"decided_on": date(2025, 10, 14), "decided_by": "people/a"}
    rows = [{"member_key": MISSING * 100, "decision": "hold_piece", **decided}]
    played.player.feed("decisions", date(2025, 10, 14), rows)
    assert played.release(date(2025, 10, 16), SECOND) == {REJECTED_LATER * 100}
