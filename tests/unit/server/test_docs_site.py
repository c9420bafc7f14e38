"""The page of `make docs`, without dbt: what it leads to and how it shows a refusal."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from kakuninsho.docs_site import find_reports, render
from kakuninsho.settings import Settings


def report(folder: Path, name: str, *outcomes: tuple[str, str]) -> None:
    file = folder / "as_of=2025-04-30" / "inbound" / f"{name}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    rules = [{"outcome": outcome, "severity": severity} for outcome, severity in outcomes]
    file.write_text(json.dumps({"rules": rules}), encoding="utf-8")
    file.with_suffix(".html").write_text("page", encoding="utf-8")


def test_each_report_has_its_verdict(tmp_path: Path) -> None:
    report(tmp_path, "clean", ("passed", "critical"))
    report(tmp_path, "noted", ("passed", "critical"), ("failed", "warning"))
    report(tmp_path, "stopped", ("failed", "warning"), ("failed", "critical"), ("error", "critical"))
    found = {item.suite: item.verdict for item in find_reports(tmp_path)}
    assert {suite: verdict[0] for suite, verdict in found.items()} == {
        "inbound/clean": "ok",
        "inbound/noted": "warn",
        "inbound/stopped": "stop",
    }
    assert found["inbound/stopped"][1].startswith("停止 2 件")


def test_report_without_a_page_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "lonely.json").write_text('{"rules": []}', encoding="utf-8")
    assert find_reports(tmp_path) == []


def test_links_lead_to_files_also_after_the_folder_is_copied(tmp_path: Path) -> None:
    settings = replace(Settings.from_environment(), data=tmp_path)
    settings.store.initialise()
    published = tmp_path / "published"
    report(published / "validations", "clean", ("passed", "critical"))
    (tmp_path / "summary.json").write_text(
        json.dumps({"ledger": [{"stage": "1_register", "left": 1000, "right": 999, "difference": 1}]}),
        encoding="utf-8",
    )
    page = render(settings, find_reports(published / "validations"), "campaign.html")
    assert 'href="../validations/as_of=2025-04-30/inbound/clean.html"' in page
    assert 'href="summary.json"' in page
    assert '<tr class="stop"><td>加入者データ <span class="soft">1_register</span></td><td class="n">1,000</td>' in page


def test_page_before_anything_happened_says_so(tmp_path: Path) -> None:
    settings = replace(Settings.from_environment(), data=tmp_path)
    settings.store.initialise()
    page = render(settings, [], "campaign.html")
    assert "まだ何も取り込まれていません" in page
    assert "まだありません" in page
