"""What changed between two registers and two plans, against a count in plain Python."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from typer.testing import CliRunner

from kakuninsho.facts.schemas import PLANS, REGISTER, Columns
from kakuninsho.facts.store import ARROW_TYPES, FactStore
from kakuninsho.operations.changes import (
    ChangesError,
    as_lines,
    branch_table,
    plan_changes,
    register_before,
    register_changes,
)
from kakuninsho.settings import Settings

Row = dict[str, Any]
FIRST, SECOND = date(2025, 4, 30), date(2025, 7, 31)
FUKUI, TOKYO = 18, 13
TABLES = ("members", "addresses", "employers", "my_number_cards", "rejects")


def household(number: int, prefecture: int = FUKUI) -> int:
    return (prefecture * 110_000_000 + 1_060_708) * 10_000_000 + number


def member(household_key: int, suffix: int = 0, **changes: Any) -> Row:
    return {"member_key": household_key * 100 + suffix, "household_key": household_key, "lost_on": None} | changes


def address(household_key: int, **changes: Any) -> Row:
    place = {"postal_code": "9188505", "address": "福井市大手３－４", "building": None, "country": "JP"}
    return {"household_key": household_key} | place | changes


def card(household_key: int, suffix: int = 0, **changes: Any) -> Row:
    usable = {"has_card": True, "number_filed": True, "registered": True, "certificate_expires_on": date(2028, 5, 5)}
    return {"member_key": household_key * 100 + suffix} | usable | changes


def write(path: Path, columns: Columns, rows: Sequence[Row]) -> None:
    schema = pa.schema([(name, ARROW_TYPES[kind]) for name, kind in columns.items()])
    pq.write_table(pa.Table.from_pylist([dict.fromkeys(columns) | row for row in rows], schema), path)


def land(store: FactStore, as_of: date, kind: str = "full", **tables: Sequence[Row]) -> None:
    with store.land("register", f"as_of={as_of}", received_on=as_of, source="test") as draft:
        for table in TABLES:
            write(draft.table(table), REGISTER[table], [{"as_of": as_of} | row for row in tables.get(table, [])])
        draft.totals.update(kind=kind, manifest_rows={})


def installation(folder: Path) -> Settings:
    store = FactStore(folder)
    store.initialise()
    return Settings(folder, folder, folder, folder, "fy2025")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return installation(tmp_path / "data")


def counts(settings: Settings, before: date = FIRST, after: date = SECOND) -> dict[str, tuple[int, ...]]:
    found = register_changes(settings, before, after)
    return {
        row.branch: (row.before, row.came_in, row.left, row.after, row.moved, row.changed_need)
        for row in found.branches
    }


# --- two registers --------------------------------------------------------------------------------


def test_came_in_and_left_are_counted_by_branch(settings: Settings) -> None:
    stays, goes, comes, gone = household(1), household(2), household(3, TOKYO), household(4)
    land(settings.store, FIRST, members=[member(stays), member(goes), member(gone)])
    land(settings.store, SECOND, members=[member(stays), member(goes, lost_on=SECOND), member(comes)])
    assert counts(settings) == {"東京支部": (0, 1, 0, 1, 0, 0), "福井支部": (3, 0, 2, 1, 0, 0)}


def test_lost_on_the_day_after_is_still_a_member(settings: Settings) -> None:
    land(settings.store, FIRST, members=[member(household(1))])
    land(settings.store, SECOND, members=[member(household(1), lost_on=SECOND + timedelta(days=1))])
    assert counts(settings) == {"福井支部": (1, 0, 0, 1, 0, 0)}


def test_dependents_leave_with_the_insured_person(settings: Settings) -> None:
    home = household(1)
    land(settings.store, FIRST, members=[member(home), member(home, 1)])
    land(settings.store, SECOND, members=[member(home, lost_on=SECOND), member(home, 1)])
    assert counts(settings) == {"福井支部": (2, 0, 2, 0, 0, 0)}


def test_all_members_of_a_household_move_and_another_width_is_no_move(settings: Settings) -> None:
    moved, same, left = household(1), household(2), household(3)
    before = [member(moved), member(moved, 1), member(same), member(left)]
    land(settings.store, FIRST, members=before, addresses=[address(key) for key in (moved, same, left)])
    land(
        settings.store,
        SECOND,
        members=[*before[:3], member(left, lost_on=SECOND)],
        addresses=[
            address(moved, building="大手ハイツ"),
            address(same, address="福井市大手3－4"),
            address(left, country="US"),
        ],
    )
    assert counts(settings) == {"福井支部": (4, 0, 1, 3, 2, 0)}


def test_need_changes_by_a_new_row_and_by_time_alone(settings: Settings) -> None:
    gets, expires, same = household(1), household(2), household(3)
    people = [member(key) for key in (gets, expires, same)]
    running_out = card(expires, certificate_expires_on=date(2025, 5, 31))
    land(settings.store, FIRST, members=people, my_number_cards=[running_out, card(same)])
    land(settings.store, SECOND, members=people, my_number_cards=[running_out, card(same), card(gets)])
    found = register_changes(settings, FIRST, SECOND)
    assert [(need.before, need.after, need.people) for need in found.needs] == [
        ("no_card", "usable", 1),
        ("usable", "certificate_in_grace", 1),
    ]
    assert found.total.changed_need == 2


def test_a_delta_is_laid_over_the_full_drop_before_it(settings: Settings) -> None:
    land(settings.store, FIRST, members=[member(household(1)), member(household(2))])
    land(settings.store, SECOND, "delta", members=[member(household(2), lost_on=SECOND), member(household(3))])
    assert counts(settings) == {"福井支部": (2, 1, 1, 2, 0, 0)}
    assert register_before(settings.store, f"as_of={SECOND}") == FIRST


def test_days_without_a_register_or_in_the_wrong_order_are_refused(settings: Settings) -> None:
    with pytest.raises(ChangesError, match="no full register"):
        register_changes(settings, FIRST, SECOND)
    with pytest.raises(ChangesError, match="must be before"):
        register_changes(settings, SECOND, FIRST)


days = st.sampled_from([None, FIRST, FIRST + timedelta(days=1), SECOND, SECOND + timedelta(days=1)])
rows = st.fixed_dictionaries(
    {"is_there": st.booleans(), "lost_on": days, "address": st.sampled_from(["あ", "い"]), "need": st.booleans()}
)
registers = st.lists(st.tuples(rows, rows, rows, rows), min_size=1, max_size=30)


@examples(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
@given(registers)
def test_counts_agree_with_plain_python(people: list[tuple[Row, Row, Row, Row]]) -> None:
    """Households of an insured person and a dependent, each at the first and at the second day."""
    drops: dict[date, dict[str, list[Row]]] = {day: {name: [] for name in TABLES} for day in (FIRST, SECOND)}
    is_member: dict[tuple[int, int], list[bool]] = {}
    for number, household_rows in enumerate(people, start=1):
        key = household(number)
        for side, day in enumerate((FIRST, SECOND)):
            insured, dependent = household_rows[side], household_rows[2 + side]
            drops[day]["addresses"].append(address(key, address=insured["address"]))
            gone = insured["is_there"] and insured["lost_on"] is not None and insured["lost_on"] <= day
            for suffix, row in enumerate((insured, dependent)):
                if row["is_there"]:
                    drops[day]["members"].append(member(key, suffix, lost_on=row["lost_on"]))
                if row["need"]:
                    drops[day]["my_number_cards"].append(card(key, suffix))
                lost = row["lost_on"] is not None and row["lost_on"] <= day
                is_member.setdefault((number, suffix), []).append(row["is_there"] and not lost and not gone)
    both = {who for who, sides in is_member.items() if all(sides)}
    moved = sum(people[number - 1][0]["address"] != people[number - 1][1]["address"] for number, _ in both)
    needs = sum(
        people[number - 1][2 * suffix]["need"] != people[number - 1][2 * suffix + 1]["need"] for number, suffix in both
    )
    with tempfile.TemporaryDirectory() as folder:
        settings = installation(Path(folder) / "data")
        for day, tables in drops.items():
            land(settings.store, day, **tables)
        total = register_changes(settings, FIRST, SECOND).total
    assert (total.came_in, total.left, total.moved, total.changed_need) == (
        sum(sides == [False, True] for sides in is_member.values()),
        sum(sides == [True, False] for sides in is_member.values()),
        moved,
        needs,
    )
    assert total.before + total.came_in - total.left == total.after


# --- two plans ------------------------------------------------------------------------------------


def plan(store: FactStore, plan_id: str, people: dict[int, Row]) -> None:
    """A plan with one envelope a household; a person's row may change need or address."""
    tables: dict[str, list[Row]] = {name: [] for name in PLANS}
    for number, (key, changes) in enumerate(people.items(), start=1):
        place = {name: changes.get(name) for name in ("postal_code", "address", "building")}
        tables["envelopes"].append({"envelope_id": f"{number:011d}", "household_key": key, **place})
        tables["certificates"].append(
            {"envelope_id": f"{number:011d}", "member_key": key * 100, "need": changes.get("need", "no_card")}
        )
    for prefecture in {key // 1_100_000_000_000_000 for key in people}:
        count = sum(key // 1_100_000_000_000_000 == prefecture for key in people)
        tables["lots"].append({"prefecture": prefecture, "envelope_count": count, "certificate_count": count})
    with store.land("plans", plan_id, received_on=SECOND, source="test") as draft:
        for name, columns in PLANS.items():
            write(draft.table(name), columns, tables[name])


def test_two_plans_differ_by_who_came_in_left_moved_and_changed_need(settings: Settings) -> None:
    stays, leaves, comes, moves, changes = (household(number) for number in range(1, 6))
    plan(settings.store, "home-2025-04-30", {stays: {}, leaves: {}, moves: {"address": "い"}, changes: {}})
    after = {
        stays: {},
        comes: {},
        moves: {"address": "ろ"},
        changes: {"need": "not_registered"},
        household(6, TOKYO): {},
    }
    plan(settings.store, "home-2025-04-30-2", after)
    found = plan_changes(settings, "home-2025-04-30", "home-2025-04-30-2")
    assert {row.branch: (row.came_in, row.left, row.moved, row.changed_need) for row in found.branches} == {
        "東京支部": (1, 0, 0, 0),
        "福井支部": (1, 1, 1, 1),
    }
    table = {row["branch"]: row for row in branch_table(settings, "home-2025-04-30", "home-2025-04-30-2")}
    assert table["福井支部"] == {
        "branch": "福井支部",
        "envelope_count": 4,
        "certificate_count": 4,
        "envelope_count_before": 4,
        "certificate_count_before": 4,
        "came_in": 1,
        "left": 1,
        "moved": 1,
        "changed_need": 1,
    }
    assert table["東京支部"]["envelope_count_before"] == 0


def test_approvers_of_a_release_see_pieces_by_branch_not_people_of_another_day(settings: Settings) -> None:
    plan(settings.store, "release-2025-08-01", {household(1): {}})
    plan(settings.store, "release-2025-08-08", {household(2): {}, household(3): {}})
    assert branch_table(settings, "release-2025-08-01", "release-2025-08-08") == [
        {
            "branch": "福井支部",
            "envelope_count": 2,
            "certificate_count": 2,
            "envelope_count_before": 1,
            "certificate_count_before": 1,
        }
    ]
    assert branch_table(settings, None, "release-2025-08-08")[0]["envelope_count_before"] == 0


def test_a_plan_that_is_not_frozen_is_refused(settings: Settings) -> None:
    with pytest.raises(ChangesError, match="home-2025-04-30 is not frozen"):
        plan_changes(settings, "home-2025-04-30", "home-2025-04-30-2")


# --- shown ----------------------------------------------------------------------------------------


def test_command_tells_the_same_to_people_and_machines(settings: Settings) -> None:
    from kakuninsho.cli import app

    land(settings.store, FIRST, members=[member(household(1))])
    land(settings.store, SECOND, members=[member(household(1)), member(household(2))])
    arguments = ["changes", "--from", str(FIRST), "--to", str(SECOND), "--data", str(settings.data)]
    told = json.loads(CliRunner().invoke(app, [*arguments, "--json"]).output)
    assert told["total"] == {"before": 1, "came_in": 1, "left": 0, "after": 2, "moved": 0, "changed_need": 0}
    assert told["branches"][0]["insurer_number"] == "01180017"
    assert "福井支部" in CliRunner().invoke(app, arguments).output
    assert CliRunner().invoke(app, ["changes", "--data", str(settings.data)]).exit_code == 2


def test_lines_of_the_log_have_branches_that_changed_and_the_total(settings: Settings) -> None:
    land(settings.store, FIRST, members=[member(household(1)), member(household(2, TOKYO))])
    land(settings.store, SECOND, members=[member(household(2, TOKYO))])
    lines = as_lines(register_changes(settings, FIRST, SECOND))
    assert [line.split()[0] for line in lines] == ["branch", "01180017", "total"]
