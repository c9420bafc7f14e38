"""An explanation as tables and as a page: readable, complete, and nothing in it is taken for markup."""

from __future__ import annotations

import stat
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from kakuninsho.documents.explanation import explanation_page, explanation_tables, write_report
from kakuninsho.operations.explaining import Explanation, Judgement

LINES = [
    {"line": "membership_lost", "question": "資格を喪失したか", "answer": "いいえ"},
    {"line": "reached_75", "question": "75歳になったか", "answer": "はい → 対象外"},
]
PERSON = Explanation(
    member="01180017-1234567-1-00",
    case="ABCDE-FGHJK",
    as_of=date(2025, 10, 31),
    disposition=None,
    judgements=[
        Judgement(
            "disposition", "抽出時の判定", date(2025, 4, 30), "register/as_of=2025-04-30", LINES, "75歳", "対象外"
        )
    ],
    register=None,
    rejects=[],
    decisions=[],
    requests=[],
    certificates=[],
    envelopes=[],
    employer_list=[],
    follow_ups=[],
    events=[],
    old_card="破棄できる",
    next_steps=["待つ"],
)


@pytest.fixture(autouse=True)
def japanese(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "ja_JP.UTF-8")


def test_a_wide_part_is_shown_upright() -> None:
    wide = {f"column_{number}": number + 1 for number in range(12)}
    tables = explanation_tables(replace(PERSON, events=[wide, wide]))
    assert [len(table.columns) for table in tables] == [2, 2, 2, 2, 1]


def test_a_narrow_part_has_a_row_each_and_no_key() -> None:
    rows = [{"what": "投函", "symbol": "1"}, {"what": "返戻", "symbol": "1"}]
    events = explanation_tables(replace(PERSON, events=rows))[2]
    assert (events.row_count, [column.header for column in events.columns]) == (2, ["何が"])


def test_of_a_part_with_many_columns_those_that_tell_are_shown() -> None:
    row = {"certificate_id": "00000000195-1", "status": "posted", "rule": "投函", "next_step": "待つ", "lot_id": "x"}
    certificates = explanation_tables(replace(PERSON, certificates=[row]))[2]
    assert [column.header for column in certificates.columns] == ["資格確認書番号", "状態", "決めた規則", "このあと"]


def test_the_page_marks_the_line_that_decided_and_what_comes_next() -> None:
    page = explanation_page(PERSON, asked_by="operator", asked_on=date(2025, 11, 1))
    assert page.count('<tr class="decided">') == 1
    assert '<tr class="decided"><td>75歳になったか</td>' in page
    assert "<li>待つ</li><li>破棄できる</li>" in page
    assert "operator" in page
    assert "http" not in page


def test_what_others_wrote_is_text_and_no_markup() -> None:
    rows = [{"what": "<script>alert(1)</script>"}]
    page = explanation_page(replace(PERSON, events=rows), asked_by="<b>", asked_on=date(2025, 11, 1))
    assert "<script>" not in page
    assert "<b>" not in page


def test_a_report_is_its_owners_alone_and_its_name_says_nothing_of_the_person(tmp_path: Path) -> None:
    path = write_report(tmp_path, PERSON, asked_by="operator", asked_on=date(2025, 11, 1))
    assert path == tmp_path / "restricted" / "explanations" / "explanation_ABCDE-FGHJK_2025-11-01.html"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for folder in (path.parent, path.parent.parent):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    write_report(tmp_path, PERSON, asked_by="analyst", asked_on=date(2025, 11, 1))
    asked = (path.parent / "asked.csv").read_text(encoding="utf-8").splitlines()
    assert asked == ["2025-11-01,operator,ABCDE-FGHJK", "2025-11-01,analyst,ABCDE-FGHJK"]
