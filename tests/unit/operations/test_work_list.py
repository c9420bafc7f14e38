"""The work list of a branch, and who is meant by a case number."""

from __future__ import annotations

import csv
import stat
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from kakuninsho.operations.members import CaseBook, MemberError, MemberKey
from kakuninsho.operations.published_copy import NothingPublishedError
from kakuninsho.operations.work_list import WorkListError, find_member, work_list, write_work_list
from kakuninsho.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return replace(Settings.from_environment(), data=tmp_path / "data")


@pytest.fixture
def published(settings: Settings) -> Settings:
    (settings.data / "published").mkdir(parents=True)
    with duckdb.connect(str(settings.data / "published" / "analytics.duckdb")) as connection:
        connection.execute(
            """create schema marts; create table marts.fct_work_list as select * from (values
                ('01180017', '1234567', '1', '00', 'request', 'employer_closed', null, 'r-1'),
                ('01180017', '1234567', '2', '00', 'branch_desk', 'employer_closed', '00000000195-1', null),
                ('01180017', '1234567', '10', '00', 'returned', 'address_protected', '00000000292-1', null),
                ('01130012', '1234567', '4', '00', 'branch_desk', 'released_and_waiting', null, null),
                ('01130012', '1234567', '3', '00', 'snapshot', 'between_routes', null, null)
            ) as lines (insurer_number, symbol, number, suffix, stage, reason_code, certificate_id, request_id);
            create table marts.fct_certificates as select * from (values
                ('00000000195-1', '01180017', '1234567', '2', '00')
            ) as lines (certificate_id, insurer_number, symbol, number, suffix)"""
        )
    return settings


def test_the_work_list_is_of_one_branch_and_says_what_to_decide(published: Settings) -> None:
    lines = work_list(published, "18")
    assert [(line.member.split("-")[2], line.stage) for line in lines] == [
        ("1", "request"),
        ("2", "branch_desk"),
        ("10", "returned"),
    ]
    assert "release" in lines[0].decide
    assert "desk" in lines[1].decide  # a decision moves nothing that lies at the branch
    assert "desk" in lines[2].decide
    # Released after the last lot: there is nothing yet that could be handed over.
    assert ["request" in line.decide for line in work_list(published, "13")] == [False, True]
    assert len(work_list(published)) == 5
    with pytest.raises(WorkListError, match="01 to 47"):
        work_list(published, "48")


def test_nothing_published_is_said(settings: Settings) -> None:
    with pytest.raises(NothingPublishedError, match="publish_for_analysts"):
        work_list(settings)


def test_the_list_as_csv_is_its_owners_alone(published: Settings, tmp_path: Path) -> None:
    write_work_list(work_list(published, "18"), tmp_path / "list.csv")
    with (tmp_path / "list.csv").open(encoding="utf-8-sig", newline="") as file:
        assert len(list(csv.reader(file))) == 4
    assert stat.S_IMODE((tmp_path / "list.csv").stat().st_mode) == 0o600


def test_a_case_number_a_key_and_a_certificate_mean_the_same_member(published: Settings) -> None:
    line = work_list(published, "18")[1]
    member = MemberKey("01180017", "1234567", "2", "00")
    for text in (line.case, line.case.lower().replace("-", ""), line.member, "00000000195-1", f" {line.case} "):
        assert find_member(published, text) == member
    for text in ("00000-00000", "00000000999-1", "somebody", "01180017-1234567-0-00", "01180017-123456-1-00"):
        with pytest.raises(MemberError):
            find_member(published, text)


def test_no_key_can_be_read_from_a_case_number(tmp_path: Path) -> None:
    packed = MemberKey.parse("01180017-1234567-1-00").packed
    here, there = CaseBook(tmp_path / "here"), CaseBook(tmp_path / "there")
    assert here.number(packed) == CaseBook(tmp_path / "here").number(packed)
    assert here.number(packed) != there.number(packed)  # it takes the installation's secret
    assert len({here.number(packed + number) for number in range(1000)}) == 1000
    secret = tmp_path / "here" / "restricted" / "case_numbers.key"
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600


@pytest.mark.parametrize("text", ["01180017-1234567-1-00", "01130012-12345678-9999999-12"])
def test_a_packed_key_gives_the_key_again(text: str) -> None:
    assert str(MemberKey.unpack(MemberKey.parse(text).packed)) == text


def test_a_refusal_repeats_nothing_of_what_was_typed() -> None:
    with pytest.raises(MemberError) as caught:
        MemberKey.parse("01180017-健保太郎-1-00")
    assert "健保" not in caught.value.ja + caught.value.en
