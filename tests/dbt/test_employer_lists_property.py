"""Tries to get a protected or voluntary person onto an employer list (rules: employer lists).

The models are built by dbt once; each example then lays other facts under them and runs their compiled SQL again.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from mailing_facts import SNAPSHOT, MailingFacts, _write, address, household, person

from kakuninsho.facts.schemas import FEEDS, REGISTER
from kakuninsho.warehouse import run_models, warehouse
from kakuninsho.warehouse.context import Context

Row = dict[str, Any]
LATER, LIST_DAY = date(2025, 6, 10), date(2025, 6, 16)
# Symbols by what becomes of the employer; the last has no row at all.
OPEN, CLOSES_LATER, CLOSED_ON_THE_DAY, WITHOUT_ADDRESS, UNKNOWN = range(1_060_701, 1_060_706)
SYMBOLS = (OPEN, CLOSES_LATER, CLOSED_ON_THE_DAY, WITHOUT_ADDRESS, UNKNOWN)
CLOSINGS = {OPEN: None, CLOSES_LATER: date(2025, 6, 17), CLOSED_ON_THE_DAY: LIST_DAY, WITHOUT_ADDRESS: None}
FINE = {OPEN, CLOSES_LATER}

members = st.fixed_dictionaries(
    {
        "protected": st.booleans(),
        "protected_later": st.sampled_from([None, True, False]),
        "voluntary": st.booleans(),
        "voluntary_later": st.sampled_from([None, True, False]),
        "name": st.sampled_from(["健保　太郎", "健保　太郎", "𠮷田　太郎"]),
        "decisions": st.sampled_from([(), (), ("release",), ("correct_address", "release", "release"), ("exclude",)]),
    }
)
plain = st.just(
    {"protected": False, "protected_later": None, "voluntary": False, "voluntary_later": None}
    | {"name": "健保　太郎", "decisions": ()}
)
households = st.lists(
    st.tuples(st.sampled_from(SYMBOLS), st.lists(members | plain, min_size=1, max_size=3)), min_size=1, max_size=25
)


def register_rows(world: list[tuple[int, list[Row]]]) -> tuple[list[Row], list[Row], list[Row], list[Row]]:
    """Members and addresses of the snapshot, the members of the later delta, and the decisions."""
    first, later, places, decisions = [], [], [], []
    for number, (symbol, people) in enumerate(world, start=1):
        key = household(number, symbol=symbol)
        places.append(address(key))
        for suffix, drawn in enumerate(people):
            enrolment = "voluntary" if drawn["voluntary"] else "employee"
            row = person(key, suffix, enrolment=enrolment, protected=drawn["protected"], name=drawn["name"])
            first.append(row)
            if drawn["protected_later"] is not None or drawn["voluntary_later"] is not None:
                changed = dict(row, protected=bool(drawn["protected_later"]))
                later.append(changed | {"enrolment": "voluntary" if drawn["voluntary_later"] else "employee"})
            decisions += [
                {"member_key": row["member_key"], "decided_on": LATER, "decision": decision, "decided_by": f"p{place}"}
                for place, decision in enumerate(drawn["decisions"])
            ]
    return first, later, places, decisions


class Lists:
    """The models of the lists on facts that change."""

    def __init__(self, data: Path) -> None:
        self.facts = MailingFacts(data)
        employers = [
            {
                "employer_key": household(0, symbol=symbol) // 10_000_000,
                "name": "株式会社みほん",
                "postal_code": "9188505",
            }
            | {"address": None if symbol == WITHOUT_ADDRESS else "福井市大手３", "closed_on": closed_on}
            for symbol, closed_on in CLOSINGS.items()
        ]
        self.facts.register(SNAPSHOT, [], employers=employers)
        self.facts.register(LATER, [], kind="delta")
        self.decisions = self.facts.feed("decisions", LATER, [])
        context = Context(LIST_DAY, "employer_list", run_on=LIST_DAY)
        results = run_models(
            self.facts.store, self.facts.campaign, context, command="run", select=["+int_employer_list_lines_pending"]
        )
        compiled = data / "dbt" / "target" / "compiled"
        with warehouse(data) as connection:
            tables = {row[0] for row in connection.execute("select table_name from duckdb_tables()").fetchall()}
        # In the order in which dbt ran them, so that each reads what was made before it.
        self.models = [
            (result.name, next(compiled.rglob(f"{result.name}.sql")).read_text(encoding="utf-8"))
            for result in results
            if result.name in tables and list(compiled.rglob(f"{result.name}.sql"))
        ]

    @contextmanager
    def of(self, world: list[tuple[int, list[Row]]]) -> Iterator[duckdb.DuckDBPyConnection]:
        """The lists of a world."""
        first, later, places, decisions = register_rows(world)
        drops = {SNAPSHOT: {"members": first, "addresses": places}, LATER: {"members": later}}
        for as_of, tables in drops.items():
            drop = self.facts.store.get("register", f"as_of={as_of}")
            for table, rows in tables.items():
                _write(drop.table(table), REGISTER[table], [{"as_of": as_of} | row for row in rows])
        stamp = {"source_file": "decisions.csv", "received_on": LATER}
        _write(
            self.decisions,
            FEEDS["decisions"]["rows"],
            [stamp | {"row_number": number} | row for number, row in enumerate(decisions, start=1)],
        )
        with warehouse(self.facts.store.data, read_only=False) as connection:
            for name, query in self.models:
                connection.execute(f"create or replace table intermediate.{name} as {query}")
            yield connection


@pytest.fixture(scope="module")
def lists(tmp_path_factory: pytest.TempPathFactory) -> Lists:
    return Lists(tmp_path_factory.mktemp("lists"))


def test_the_models_of_the_lists_are_run_again_for_each_example(lists: Lists) -> None:
    names = [name for name, _ in lists.models]
    assert names[-1] == "int_employer_list_lines_pending"
    assert {"int_members_judged", "int_members_evaluated", "int_employer_list_targets"} <= set(names)


def check(lists: Lists, world: list[tuple[int, list[Row]]]) -> None:
    """Nobody protected or voluntary is on a list, everyone on one is at the own open employer, nobody is left out."""
    with lists.of(world) as connection:
        listed = dict(
            connection.execute(
                "select member_key, employer_key from intermediate.int_employer_list_lines_pending"
            ).fetchall()
        )
        omitted = {
            row[0]
            for row in connection.execute(
                "select member_key from intermediate.int_employer_list_targets where reason_code is not null"
            ).fetchall()
        }
    first, later, _, _ = register_rows(world)
    newest = {row["member_key"]: row for row in first} | {row["member_key"]: row for row in later}
    snapshot = {row["member_key"]: row for row in first}
    for member_key, employer_key in listed.items():
        insured = member_key // 100 * 100
        for register in (snapshot, newest):
            assert register[insured]["enrolment"] == "employee"
        assert not newest[member_key]["protected"]
        assert not newest[insured]["protected"]
        assert employer_key == member_key // 1_000_000_000
        assert employer_key % 110_000_000 in FINE
    assert not omitted & set(listed)
    # Not by listing nobody: who has nothing against them is on the list.
    changed = {row["member_key"] // 100 for row in later}
    for number, (symbol, people) in enumerate(world, start=1):
        key = household(number, symbol=symbol)
        harmless = all(
            not drawn["protected"]
            and not drawn["voluntary"]
            and drawn["name"] == "健保　太郎"
            and not drawn["decisions"]
            for drawn in people
        )
        if harmless and key not in changed:
            everyone = {key * 100 + suffix for suffix in range(len(people))}
            assert everyone <= (set(listed) if symbol in FINE else omitted)


quick = examples(
    max_examples=6,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


@quick
@given(world=households)
def test_no_protected_and_no_voluntary_person_is_ever_listed(lists: Lists, world: list[tuple[int, list[Row]]]) -> None:
    check(lists, world)


@pytest.mark.slow
@examples(quick, max_examples=100)
@given(world=households)
def test_none_of_a_hundred_worlds_lists_them(lists: Lists, world: list[tuple[int, list[Row]]]) -> None:
    check(lists, world)


def test_the_property_sees_a_protected_person_on_a_list(lists: Lists) -> None:
    """A check that cannot fail proves nothing: without its guard the model lists the protected."""
    guarded = list(lists.models)
    broken = [
        (name, query.replace("where protected", "where false") if name == "int_employer_list_targets" else query)
        for name, query in guarded
    ]
    assert broken != guarded
    late = {"protected": False, "protected_later": True, "voluntary": False, "voluntary_later": None}
    world = [(OPEN, [late | {"name": "健保　太郎", "decisions": ()}])]
    query = "select count(*) from intermediate.int_employer_list_lines_pending"
    with lists.of(world) as connection:
        assert connection.execute(query).fetchall() == [(0,)]
    lists.models = broken
    try:
        with lists.of(world) as connection:
            assert connection.execute(query).fetchall() == [(1,)]
    finally:
        lists.models = guarded
