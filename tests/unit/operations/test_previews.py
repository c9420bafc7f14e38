"""Reports of what a run would do: counts that add up, and text that cannot break the page."""

from __future__ import annotations

from kakuninsho.operations.previews import Preview, Table, markdown, page

REPORT = Preview(
    "home-2025-04-30",
    "計画の内訳",
    (("計画", "home-2025-04-30"), ("範囲", "<全支部>")),
    (Table("支部ごと", ("支部", "ロット", "封筒・束"), (("01 北海道支部", 1, 1200), ("計", 1, 1200))),),
    ("期限が近い <3 件>",),
)


def test_markdown_has_a_line_per_row_with_counts_to_the_right() -> None:
    text = markdown(REPORT)
    assert "| --- | ---: | ---: |" in text
    assert "| 01 北海道支部 | 1 | 1,200 |" in text
    assert "- ⚠ 期限が近い" in text


def test_page_is_whole_and_escapes_what_it_is_given() -> None:
    text = page(REPORT)
    assert text.startswith('<!doctype html><html lang="ja">')
    assert "&lt;全支部&gt;" in text
    assert "<3" not in text
    assert '<td class="n">1,200</td>' in text
