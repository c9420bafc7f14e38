"""The work list of a branch, and decisions recorded at the command line."""

from __future__ import annotations

import csv
from dataclasses import replace
from datetime import date
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from kakuninsho.operations.explaining import MemberKey
from kakuninsho.operations.work_list import DecisionError, record_decision, work_list, write_work_list
from kakuninsho.settings import Settings

MEMBER = MemberKey.parse("01180017-1234567-1-00")
ON = date(2025, 6, 2)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return replace(Settings.from_environment(), data=tmp_path / "data")


def test_a_decision_becomes_a_fact_like_one_of_the_feed(settings: Settings) -> None:
    fact = record_decision(settings, MEMBER, "release", "支部 担当, 一郎", ON)
    (row,) = pq.read_table(fact.table("rows")).to_pylist()
    assert (row["member_key"], row["decision"], row["decided_on"], row["decided_by"], row["received_on"]) == (
        MEMBER.packed,
        "release",
        ON,
        "支部 担当, 一郎",
        ON,
    )


def test_the_same_decision_twice_is_one_fact(settings: Settings) -> None:
    first = record_decision(settings, MEMBER, "exclude", "担当", ON)
    assert record_decision(settings, MEMBER, "exclude", "担当", ON).name == first.name
    assert len(settings.store.all("feeds/decisions")) == 1


@pytest.mark.parametrize(
    ("decision", "by", "member"),
    [
        ("forget", "担当", "01180017-1234567-1-00"),
        ("release", " ", "01180017-1234567-1-00"),
        ("release", "担当", "01990017-1234567-1-00"),
        ("release", "担当", "01180017-123-1-00"),
    ],
)
def test_a_decision_that_is_not_as_agreed_lands_nothing(
    settings: Settings, decision: str, by: str, member: str
) -> None:
    with pytest.raises(DecisionError):
        record_decision(settings, MemberKey.parse(member), decision, by, ON)
    assert settings.store.all("feeds/decisions") == []


def test_the_work_list_is_of_one_branch_and_says_what_to_decide(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(DecisionError, match="nothing is published"):
        work_list(settings)
    (settings.data / "published").mkdir(parents=True)
    with duckdb.connect(str(settings.data / "published" / "analytics.duckdb")) as connection:
        connection.execute(
            """create schema marts; create table marts.fct_work_list as select * from (values
                ('01180017', '1234567', '1', '00', 'request', 'employer_closed', null, 'r-1'),
                ('01180017', '1234567', '2', '00', 'branch_desk', 'employer_closed', '00000000195-1', null),
                ('01130012', '1234567', '3', '00', 'snapshot', 'between_routes', null, null)
            ) as lines (insurer_number, symbol, number, suffix, stage, reason_code, certificate_id, request_id)"""
        )
    lines = work_list(settings, "18")
    assert [(line.member[-4:], line.stage) for line in lines] == [("1-00", "request"), ("2-00", "branch_desk")]
    assert "release" in lines[0].decide
    assert "窓口" in lines[1].decide
    assert len(work_list(settings)) == 3
    with pytest.raises(DecisionError, match="01 to 47"):
        work_list(settings, "48")
    write_work_list(lines, tmp_path / "list.csv")
    with (tmp_path / "list.csv").open(encoding="utf-8-sig", newline="") as file:
        assert len(list(csv.reader(file))) == 3
