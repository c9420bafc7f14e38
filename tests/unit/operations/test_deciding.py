"""What may be decided of whom, by whom, and when two people are needed (rules: what becomes of each row, held)."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kakuninsho.facts.schemas import REGISTER
from kakuninsho.facts.store import ARROW_TYPES
from kakuninsho.operations.deciding import (
    Decision,
    DecisionError,
    check_decision,
    decisions_of,
    read_wish,
    record_by,
    record_decision,
    refuse_second_person,
)
from kakuninsho.operations.members import CaseBook, MemberKey
from kakuninsho.operations.published_copy import NothingPublishedError
from kakuninsho.settings import Settings

ON, SNAPSHOT = date(2025, 6, 2), date(2025, 4, 30)


def member(number: int) -> MemberKey:
    return MemberKey.parse(f"01180017-1234567-{number}-00")


BETWEEN, PROTECTED, NO_ADDRESS, AT_DESK, TARGET, EXCLUDED, PROTECTED_STILL, ASKED_NOTHING = (
    member(number) for number in range(1, 9)
)
WAITING = [
    (BETWEEN, "snapshot", "between_routes"),
    (PROTECTED, "snapshot", "address_protected"),
    (PROTECTED_STILL, "pulled", "address_protected"),
    (NO_ADDRESS, "snapshot", "address_missing"),
    (AT_DESK, "branch_desk", "household_voluntary"),
    (ASKED_NOTHING, "nothing_in_hand", "no_request_filed"),
]
DISPOSED = [
    (BETWEEN, "held", "between_routes"),
    (PROTECTED, "held", "address_protected"),
    (PROTECTED_STILL, "target", "no_card"),
    (NO_ADDRESS, "held", "address_missing"),
    (AT_DESK, "target", "no_card"),
    (TARGET, "target", "no_card"),
    (EXCLUDED, "excluded", "card_usable"),
    (ASKED_NOTHING, "excluded", "new_enrollee"),
]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = replace(Settings.from_environment(), data=tmp_path / "data")
    settings.store.initialise()
    addresses = [
        {"household_key": key.packed // 100, "postal_code": "918-8501", "address": "福井県福井市", "country": "JP"}
        for key in (BETWEEN, PROTECTED, PROTECTED_STILL)
    ]
    members = [
        {"member_key": key.packed, "household_key": key.packed // 100, "protected": key in (PROTECTED, PROTECTED_STILL)}
        for key, *_ in DISPOSED
    ]
    land_register(settings, SNAPSHOT, "full", members, addresses)
    land_register(settings, date(2025, 5, 9), "delta", [{**members[1], "protected": False}], [])
    return settings


def land_register(
    settings: Settings, as_of: date, kind: str, members: list[dict[str, Any]], addresses: list[dict[str, Any]]
) -> None:
    with settings.store.land("register", f"as_of={as_of}", received_on=as_of, source="test") as draft:
        for table, columns in REGISTER.items():
            schema = pa.schema([(name, ARROW_TYPES[kind]) for name, kind in columns.items()])
            rows = {"members": members, "addresses": addresses}.get(table, [])
            full = [{name: row.get(name) for name in columns} | {"as_of": as_of} for row in rows]
            pq.write_table(pa.Table.from_pylist(full, schema=schema), draft.table(table))
        draft.totals["kind"] = kind


@pytest.fixture
def published(settings: Settings) -> Settings:
    (settings.data / "published").mkdir(parents=True)

    def rows(lines: list[tuple[MemberKey, str, str]]) -> str:
        quoted = "', '"
        return ", ".join(f"('{str(key).replace('-', quoted)}', '{one}', '{two}')" for key, one, two in lines)

    with duckdb.connect(str(settings.data / "published" / "analytics.duckdb")) as connection:
        connection.execute(
            f"""create schema marts;
            create table marts.fct_work_list as select *, null as certificate_id, null as request_id
            from (values {rows(WAITING)}) as lines (insurer_number, symbol, number, suffix, stage, reason_code);
            create table marts.fct_member_dispositions as select * from (values {rows(DISPOSED)})
            as lines (insurer_number, symbol, number, suffix, effective_disposition, effective_reason_code);
            create table marts.fct_late_dispositions as from marts.fct_member_dispositions limit 0;
            create table marts.fct_alerts as
            select * from (values ('stop_rate_exceeded', '01180017'), ('protected_piece_posted', 'H-1'))
            as lines (alert_code, subject);
            create table marts.fct_target_shares as select * from (
                values (null, date '2025-04-30', 0.61963, 'stopped'), ('01180017', date '2025-04-30', 0.3, 'usual')
            ) as lines (insurer_number, drop_as_of, share, state);
            create table marts.fct_lots as select 'H-1' as lot_id, 'home' as kind;
            create table marts.fct_certificates as select *, 'H-1' as lot_id
            from (values {rows([(TARGET, "", "")])}) as lines (insurer_number, symbol, number, suffix, a, b);
            create table marts.fct_employer_lists as select * from marts.fct_certificates"""
        )
    return settings


def wish(key: MemberKey, decision: str, reason: str | None = None, on: date = ON) -> Decision:
    return Decision(key, decision, on, reason)


# --- the fact -------------------------------------------------------------------------------------------------


def test_a_decision_becomes_a_fact_like_one_of_the_feed(settings: Settings) -> None:
    fact = record_decision(settings, BETWEEN, "exclude", "支部 担当, 一郎", ON, "declined")
    (row,) = pq.read_table(fact.table("rows")).to_pylist()
    assert (row["member_key"], row["decision"], row["decided_on"], row["decided_by"], row["reason_code"]) == (
        BETWEEN.packed,
        "exclude",
        ON,
        "支部 担当, 一郎",
        "declined",
    )
    assert row["received_on"] == ON


def test_the_same_decision_twice_is_one_fact(settings: Settings) -> None:
    first = record_decision(settings, BETWEEN, "exclude", "担当", ON, "declined")
    assert record_decision(settings, BETWEEN, "exclude", "担当", ON, "declined").name == first.name
    assert len(settings.store.all("feeds/decisions")) == 1


def test_a_branch_is_resumed_without_a_member(published: Settings) -> None:
    given = read_wish(published, "18", "resume", ON, None)
    assert check_decision(published, given).needs_second is False
    record_by(published, given, "operator", None, approved=False)
    (row,) = decisions_of(published, TARGET)
    assert (row["decision"], row["decided_by"], row["member_key"]) == ("resume", "operator", TARGET.branch_packed)


@pytest.mark.parametrize(("decision", "by"), [("forget", "担当"), ("release", "　")])
def test_a_decision_that_is_not_as_agreed_lands_nothing(settings: Settings, decision: str, by: str) -> None:
    with pytest.raises(DecisionError):
        record_decision(settings, BETWEEN, decision, by, ON)
    assert settings.store.all("feeds/decisions") == []


# --- the form -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("subject", "decision", "reason", "told"),
    [
        ("01180017-1234567-1-00", "forget", None, "どれか"),
        ("01180017-1234567-1-00", "exclude", None, "理由が要ります"),
        ("01180017-1234567-1-00", "exclude", "luck", "理由が要ります"),
        ("01180017-1234567-1-00", "release", "declined", "理由は exclude"),
        ("01180017-1234567-1-00", "incident_closed", None, "理由が要ります"),
        ("01180017-1234567-1-00", "incident_closed", "declined", "理由が要ります"),
        ("48", "resume", None, "都道府県コード"),
    ],
)
def test_a_form_that_does_not_hold_together_is_refused_in_japanese(
    published: Settings, subject: str, decision: str, reason: str | None, told: str
) -> None:
    with pytest.raises(DecisionError) as caught:
        read_wish(published, subject, decision, ON, reason)
    assert told in caught.value.ja


def test_a_case_number_is_enough(published: Settings) -> None:
    case = CaseBook(published.data).number(NO_ADDRESS.packed)
    assert read_wish(published, case, "exclude", ON, "unreachable") == wish(NO_ADDRESS, "exclude", "unreachable")


def test_nothing_personal_passes_between_tasks(published: Settings) -> None:
    checked = check_decision(published, wish(BETWEEN, "release"))
    assert BETWEEN.symbol not in repr(checked)
    assert str(BETWEEN.packed) not in repr(checked)


# --- who may be decided on ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (wish(TARGET, "release"), "保留ではありません"),
        (wish(EXCLUDED, "release"), "保留ではありません"),
        (wish(EXCLUDED, "exclude", "declined"), "保留ではありません"),
        (wish(AT_DESK, "release"), "支部にあります"),
        (wish(member(99), "release"), "加入者はいません"),
        (wish(NO_ADDRESS, "correct_address"), "先に基幹システムで"),
        (wish(ASKED_NOTHING, "issue"), None),
        (wish(ASKED_NOTHING, "release"), "保留ではありません"),
        (wish(EXCLUDED, "issue"), "手元に何もない"),
        (wish(TARGET, "issue"), "手元に何もない"),
        (wish(AT_DESK, "issue"), "手元に何もない"),
        (wish(BETWEEN, "issue"), "保留です"),
        (wish(member(1), "resume"), None),
        (wish(MemberKey("01130012", "0000000", "0", "00"), "resume"), "停止していません"),
    ],
)
def test_only_an_open_case_is_decided_on(published: Settings, given: Decision, told: str | None) -> None:
    if told is None:
        assert not check_decision(published, given).needs_second
        return
    with pytest.raises(DecisionError) as caught:
        check_decision(published, given)
    assert told in caught.value.ja


def test_a_target_may_be_taken_out_with_a_reason(published: Settings) -> None:
    record_by(published, wish(TARGET, "exclude", "declined"), "operator", None, approved=False)
    assert [row["reason_code"] for row in decisions_of(published, TARGET)] == ["declined"]


def test_a_corrected_address_is_one_that_the_newest_register_has(published: Settings) -> None:
    address = {
        "household_key": NO_ADDRESS.packed // 100,
        "postal_code": "9188501",
        "address": "福井市",
        "country": "JP",
    }
    land_register(published, date(2025, 6, 1), "delta", [], [address])
    record_by(published, wish(NO_ADDRESS, "correct_address"), "operator", None, approved=False)
    with pytest.raises(DecisionError):  # not on a day before that register
        check_decision(published, wish(NO_ADDRESS, "correct_address", on=date(2025, 5, 31)))


def test_opposite_decisions_of_one_day_have_no_order(published: Settings) -> None:
    record_by(published, wish(BETWEEN, "release"), "operator", None, approved=False)
    with pytest.raises(DecisionError) as caught:
        check_decision(published, wish(BETWEEN, "exclude", "declined"))
    assert "反対の判断" in caught.value.ja
    check_decision(published, wish(BETWEEN, "exclude", "declined", on=date(2025, 6, 3)))


def test_to_issue_and_to_exclude_are_opposites_too(published: Settings) -> None:
    record_by(published, wish(ASKED_NOTHING, "issue"), "operator", None, approved=False)
    with pytest.raises(DecisionError) as caught:
        check_decision(published, wish(ASKED_NOTHING, "exclude", "declined"))
    assert "反対の判断 (issue)" in caught.value.ja


def test_nothing_is_decided_before_the_newest_plan(published: Settings) -> None:
    with published.store.land("plans", "home-2025-04-30", received_on=date(2025, 6, 3), source="test"):
        pass
    with pytest.raises(DecisionError) as caught:
        check_decision(published, wish(BETWEEN, "release"))
    assert "2025-06-03" in caught.value.ja


def test_nobody_decides_on_what_nobody_can_see(settings: Settings) -> None:
    with pytest.raises(NothingPublishedError):
        check_decision(settings, wish(BETWEEN, "release"))


def test_an_unknown_user_decides_nothing(published: Settings) -> None:
    with pytest.raises(DecisionError) as caught:
        record_by(published, wish(BETWEEN, "release"), "", None, approved=False)
    assert "分かりません" in caught.value.ja
    assert published.store.all("feeds/decisions") == []


# --- protection takes two people and a recorded delivery place ------------------------------------------------


def test_protection_is_not_released_without_a_recorded_delivery_place(published: Settings) -> None:
    with pytest.raises(DecisionError) as caught:
        check_decision(published, wish(PROTECTED, "release"))
    assert "correct_address" in caught.value.ja


def test_two_different_people_release_protection(published: Settings) -> None:
    record_by(published, wish(PROTECTED, "correct_address"), "operator", None, approved=False)
    given = wish(PROTECTED, "release")
    checked = check_decision(published, given)
    assert checked.needs_second
    assert checked.warnings == ()
    for second, approved, told in (
        ("operator", True, "同じ人"),
        (" operator ", True, "同じ人"),
        ("approver1", False, "認めなかった"),
        (None, True, "認めなかった"),
    ):
        with pytest.raises(DecisionError) as caught:
            record_by(published, given, "operator", second, approved=approved)
        assert told in caught.value.ja
    with pytest.raises(DecisionError, match="two people log in"):
        refuse_second_person(check_decision(published, given))
    assert len(record_by(published, given, "operator", "approver1", approved=True)) == 2
    released = [row["decided_by"] for row in decisions_of(published, PROTECTED) if row["decision"] == "release"]
    assert sorted(released) == ["approver1", "operator"]


def test_two_people_close_an_incident_with_a_reason(published: Settings) -> None:
    given = wish(TARGET, "incident_closed", "recovered")
    assert check_decision(published, given).needs_second
    with pytest.raises(DecisionError):
        record_by(published, given, "operator", "operator", approved=True)
    assert len(record_by(published, given, "operator", "approver1", approved=True)) == 2
    assert [row["reason_code"] for row in decisions_of(published, TARGET)] == ["recovered", "recovered"]
    with pytest.raises(DecisionError, match="no piece of this person"):
        check_decision(published, wish(BETWEEN, "incident_closed", "recovered"))


def test_a_share_of_targets_is_accepted_for_the_nation_and_only_where_one_waits(published: Settings) -> None:
    given = read_wish(published, "00", "accept_share", ON, "core_system_confirmed")
    assert not check_decision(published, given).needs_second
    (fact,) = record_by(published, given, "operator", None, approved=False)
    (row,) = pq.read_table(fact.table("rows")).to_pylist()
    assert (row["member_key"], row["drop_as_of"], row["accepted_share"]) == (0, SNAPSHOT, 0.6196)
    with pytest.raises(DecisionError, match="no share of targets waits"):
        check_decision(published, read_wish(published, "18", "accept_share", ON, "core_system_confirmed"))


def test_protection_in_the_newest_register_is_said_to_both(
    published: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_ALL", "ja_JP.UTF-8")
    record_by(published, wish(PROTECTED_STILL, "correct_address"), "operator", None, approved=False)
    (warning,) = check_decision(published, wish(PROTECTED_STILL, "release")).warnings
    assert "支援措置" in warning
