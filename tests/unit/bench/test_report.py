"""Figures and the page of the benchmark, from small records (docs/national-scale.md)."""

from __future__ import annotations

import pytest

from kakuninsho.bench import report
from kakuninsho.bench.errors import BenchError


def _phase(name, seconds, rows=None, rss=500):
    speed = round(rows / seconds) if rows and seconds else None
    return {"phase": name, "seconds": seconds, "cpu_seconds": seconds, "rows": rows, "rows_per_second": speed,
            "peak_rss_mb": rss, "peak_disk_mb": 10, "disk_after_mb": 10, "counts": {}}  # fmt: skip


def _run(members, scale, fixed=0.0):
    season = [
        _phase("start-up", 8.0),
        _phase("register: gates", fixed + 2.0 * scale, 1000),
        _phase("home: dbt and draft", fixed + 10.0 * scale, 1000),
        _phase("home: freeze", 1.0),
        _phase("home: lot files", fixed + 4.0 * scale, 100),
        _phase("home: sealing", 1.0 * scale, 100, rss=900),
        _phase("publish", fixed + 20.0 * scale, 100),
        _phase("check", 50.0),
    ]
    parts = {
        "season": {"seconds": 1.0, "phases": season, "result": {}},
        "floor": {"seconds": 1.0, "phases": [_phase("floor: lot files", 10.0)], "result": {}},
        "compare": {"seconds": 1.0, "phases": [], "result": {"lots": 3, "sha256": "ab" * 32}},
    }
    run = {"members": members, "memory": "8GB", "measured_at": "2025-12-01T09:00+00:00", "commit": "abc",
           "machine": {"cores": 2, "cpu": "x", "memory_gb": 8, "system": "Linux", "python": "3.11", "duckdb": "1.5",
                       "load_before": 0.1}, "parts": parts}  # fmt: skip
    return run | {"figures": report.figures(run)}


def test_register_to_sealed_counts_every_phase_up_to_sealing_and_the_check_counts_nowhere():
    figures = _run(1_000_000, 1.0)["figures"]
    assert figures["register_to_sealed_seconds"] == 8 + 2 + 10 + 1 + 4 + 1
    assert figures["whole_seconds"] == 46
    assert figures["ratio_core"] == 1.5
    assert figures["ratio_everything"] == 2.6
    assert figures["certificates_per_second"] == 20
    assert figures["peak_rss_mb"] == 900


def test_growth_takes_the_fixed_part_out():
    runs = [_run(2_000, 0.0, fixed=3.0), _run(400_000, 4.0, fixed=3.0), _run(4_000_000, 48.0, fixed=3.0)]
    rows = {row["phase"]: row for row in report.growth(runs)}
    assert rows["publish"]["fixed"] == 3.0
    assert rows["publish"]["per_million"] == pytest.approx([200.0, 240.0])
    assert "start-up" not in rows
    assert "check" not in rows
    assert "home: freeze" not in rows  # below 1 % of the whole


def test_the_page_marks_what_grows_and_what_is_not_reached(tmp_path):
    page = tmp_path / "national-scale.md"
    page.write_text(f"# Before\n{report.BEGIN}\nOUTDATED\n{report.END}\nafter\n", encoding="utf-8")
    runs = [_run(400_000, 4.0), _run(39_700_000, 480.0)]
    report.write_page(runs, page)
    text = page.read_text(encoding="utf-8")
    assert text.startswith("# Before\n")
    assert text.endswith(f"{report.END}\nafter\n")
    assert "OUTDATED" not in text
    assert "| core, times the floor | < 1.5 × | 672.10 × | **not reached** |" in text
    assert "| peak resident memory | < 8,000 MB | 900 MB | reached |" in text
    assert "| publish |  | 200.00 | **241.81** |" in text
    assert (tmp_path / "national-scale.svg").read_text(encoding="utf-8").startswith("<svg")


def test_a_page_without_a_place_for_figures_is_refused(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# Nothing\n", encoding="utf-8")
    with pytest.raises(BenchError, match="no place for figures"):
        report.write_page([], page)
