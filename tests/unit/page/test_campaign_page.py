"""The campaign page shows what the published copy says, and nothing that it need not."""

from __future__ import annotations

import re
from pathlib import Path

import kit
import pytest

from kakuninsho.page import figures, render, words
from kakuninsho.page.charts import TILES
from kakuninsho.page.documents import RUNBOOKS, page, runbook_titles
from kakuninsho.paths import DBT_PROJECT


@pytest.fixture
def html(tmp_path: Path) -> str:
    kit.publish(tmp_path)
    return render.campaign_page(figures.read(tmp_path), title="令和7年度", base="../", runbooks=runbook_titles())


def test_the_ledgers_numbers_are_the_marts(html: str) -> None:
    rows = dict(re.findall(r'<tr data-stage="(\w+)">(.*?)</tr>', html, re.S))
    sides = {stage: re.findall(r'class="n (?:left|right|difference)">([\d,]+)<', row) for stage, row in rows.items()}
    assert sides == {"1_register": ["39,700,000", "39,700,000", "0"], "5_pieces": ["7,001", "7,000", "1"]}
    assert "不一致" in rows["5_pieces"]
    assert "不一致" not in rows["1_register"]


def test_every_figure_of_the_flow_of_people_is_shown(html: str) -> None:
    for row in kit.tables()["rpt_people_flow"]:
        assert f"{row['people_count']:,}" in html


def test_the_first_figure_is_who_has_nothing_in_hand(html: str) -> None:
    first = html[html.index('<div class="key ') :]
    assert first.startswith('<div class="key bad" id="nothing-in-hand"><span>手元に何もない人</span><b>18</b>')
    assert "全員 9,998 人のうち</span>" in first
    table = html[html.index('id="everyone"') : html.index('id="season"')]
    assert '<td>住所がない・不備</td><td class="n">15</td>' in table
    assert '<td>a_new_reason</td><td class="n">3</td>' in table  # what has no word is shown as it is


def test_served_n_of_n_is_said_only_where_nobody_is_without(tmp_path: Path, html: str) -> None:
    assert "9,998 人のうち 9,998 人" not in html
    kit.publish(tmp_path, fct_everyone=[row for row in kit.tables()["fct_everyone"] if row["line"] != "without"])
    served = render.campaign_page(figures.read(tmp_path), title="令和7年度", base="../", runbooks={})
    assert "全員 9,980 人のうち 9,980 人" in served
    assert '<div class="key good" id="nothing-in-hand">' in served


def test_each_reason_of_having_nothing_has_a_japanese_word() -> None:
    model = (DBT_PROJECT / "models" / "intermediate" / "everyone" / "int_everyone.sql").read_text(encoding="utf-8")
    last_line = model[model.index("else case\n") : model.index("as reason_code\n    from in_lines")]
    named = set(re.findall(r"(?:then|else) '(\w+)'", last_line))
    assert len(named) > 8
    assert named <= set(words.WITHOUT)
    lines = (DBT_PROJECT / "macros" / "dispositions.sql").read_text(encoding="utf-8")
    held = set(re.findall(r"when \d+ then '(\w+)'", lines)) - {"new_enrollee"}
    assert held <= set(words.WITHOUT)


def test_each_prefecture_has_a_tile_of_its_own(html: str) -> None:
    assert len(TILES) == len(set(TILES.values())) == 47
    assert html.count('class="chart map map-progress"') == 1
    assert html.count("<title>福井支部 返戻率: 3.0%</title>") == 1


def test_an_unknown_usage_rate_stays_unknown(html: str) -> None:
    assert "<title>東京支部 マイナ保険証の利用率: なし・少数</title>" in html
    assert "<title>富山支部 マイナ保険証の利用率: 36.7%</title>" in html


def test_each_identity_and_state_has_a_japanese_word() -> None:
    identities = (DBT_PROJECT / "models" / "marts" / "ledger" / "fct_ledger.sql").read_text(encoding="utf-8")
    assert set(re.findall(r"when '(\w+)'", identities)) <= set(words.LEDGER)
    lots = (DBT_PROJECT / "models" / "intermediate" / "pieces" / "int_lots.sql").read_text(encoding="utf-8")
    states = lots[lots.rindex("case\n            when is_voided") : lots.rindex("as status")]
    assert len(re.findall(r"(?:then|else) '(\w+)'", states)) > 8
    assert set(re.findall(r"(?:then|else) '(\w+)'", states)) <= set(words.LOT_STATES)


def test_an_alert_leads_to_its_runbook(html: str) -> None:
    assert 'href="../docs/runbooks/lot_withheld.html"' in html
    assert (RUNBOOKS / "lot_withheld.md").is_file()


def test_text_from_data_is_escaped(html: str) -> None:
    assert "<b>lot</b>" not in html
    assert "&lt;b&gt;lot&lt;/b&gt;" in html


def test_few_people_of_a_branch_are_not_counted_out(html: str) -> None:
    table = html[html.index('id="work-list"') : html.index('id="usage"')]
    assert '<td>福井支部</td><td class="n">10未満</td><td class="n">10未満</td>' in table
    assert ">3<" not in table


def test_a_deadline_that_does_not_hold_says_why(html: str) -> None:
    assert "20 通が 2025年12月1日 に間に合わない" in html
    assert "差出日のない封筒があります。" in html


def test_the_page_fetches_nothing_and_runs_no_script(html: str) -> None:
    assert "<script" not in html
    assert re.findall(r'(?:src|href)="https?://[^"]*"', html) == []
    assert html.count("<svg") > 5


def test_proofs_are_led_to_only_for_those_who_may_approve(tmp_path: Path, html: str) -> None:
    assert "proofs/" not in html
    kit.publish(tmp_path)
    found = figures.read(tmp_path)
    assert 'href="/campaign/proofs/"' in render.campaign_page(
        found, title="x", base="/campaign/", runbooks={}, may_approve=True
    )


def test_before_anything_is_planned_the_page_still_stands(tmp_path: Path) -> None:
    kit.publish(tmp_path)
    found = figures.read(tmp_path)
    empty = figures.Figures(
        **{
            **found.__dict__,
            "waves": [], "lots": [], "alerts": [], "waiting": [], "usage_rates": [], "weeks": [], "verdict": None,
            "ledger": [],
        }
    )  # fmt: skip
    page = render.campaign_page(empty, title="令和7年度", base="", runbooks={})
    assert "まだ計画がありません" in page
    assert "判断を待つ人はいません" in page


def test_without_a_published_copy_the_reader_is_told_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(figures.NothingPublishedError, match="publish_for_analysts"):
        figures.read(tmp_path)


def test_a_copy_of_an_older_release_is_said_to_be_old(tmp_path: Path) -> None:
    kit.publish(tmp_path, rpt_campaign=[{"campaign": "fy2025"}])
    with pytest.raises(figures.NothingPublishedError, match="古い版"):
        figures.read(tmp_path)


def test_links_between_runbooks_lead_to_pages(tmp_path: Path) -> None:
    html = page(RUNBOOKS / "README.md", back="../index.html")
    assert 'href="lot_withheld.html"' in html
    assert ".md" not in re.sub(r"<code>.*?</code>", "", html)
