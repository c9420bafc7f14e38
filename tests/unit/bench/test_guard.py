"""The benchmark's guard: phases, memory, disk, and a part that must be ended (docs/national-scale.md)."""

from __future__ import annotations

import sys
import textwrap

import pytest

from kakuninsho.bench.errors import BenchError, PartError
from kakuninsho.bench.guard import run_part
from kakuninsho.bench.limits import duckdb_limit, parse_memory


def _command(body: str) -> list[str]:
    script = textwrap.dedent(
        """
        import json, os, sys, time
        out = os.fdopen(int(sys.argv[1]), "w")
        def tell(**event):
            out.write(json.dumps(event) + "\\n")
            out.flush()
        """
    )
    return [sys.executable, "-c", script + textwrap.dedent(body), "{events}"]


def test_a_part_tells_its_phases_and_its_result(tmp_path):
    command = _command(
        """
        tell(event="begin", phase="one")
        held = bytearray(60_000_000)
        open("PLACE/file", "wb").write(b"x" * 1_000_000)
        time.sleep(0.5)
        tell(event="end", phase="one", seconds=0.5, cpu_seconds=0.1, counts={"rows": 1000})
        tell(event="result", result={"certificates": 7})
        """.replace("PLACE", str(tmp_path / "work"))
    )
    (tmp_path / "work").mkdir()
    part = run_part("season", command, tmp_path / "work", "2GB", log=tmp_path / "log")
    (phase,) = part.phases
    assert part.result == {"certificates": 7}
    assert phase.as_dict()["rows_per_second"] == 2000
    assert phase.peak_rss > 60_000_000
    assert 1_000_000 <= phase.disk_after < 1_100_000


def test_a_part_above_the_limit_is_ended_and_gives_no_figures(tmp_path):
    command = _command(
        """
        tell(event="begin", phase="large")
        held = bytearray(400_000_000)
        time.sleep(30)
        """
    )
    with pytest.raises(PartError, match=r"more than MEMORY=200MB.*last phase was 'large'"):
        run_part("season", command, tmp_path / "work", "200MB", log=tmp_path / "log")


def test_children_count_towards_the_limit(tmp_path):
    command = _command(
        """
        import subprocess
        tell(event="begin", phase="children")
        each = "held = bytearray(150_000_000); import time; time.sleep(30)"
        held = [subprocess.Popen([sys.executable, "-c", each]) for _ in range(2)]
        time.sleep(30)
        """
    )
    with pytest.raises(PartError, match="MEMORY=250MB"):
        run_part("season", command, tmp_path / "work", "250MB", log=tmp_path / "log")


def test_a_peak_between_two_samples_is_seen(tmp_path):
    command = _command(
        """
        tell(event="begin", phase="short")
        tell(event="end", phase="short", seconds=0.1, cpu_seconds=0.1, counts={}, grown_to=900_000_000)
        tell(event="result", result={})
        """
    )
    with pytest.raises(PartError, match="used 900 MB for a moment, more than MEMORY=500MB"):
        run_part("season", command, tmp_path / "work", "500MB", log=tmp_path / "log")


def test_a_part_that_fails_says_why(tmp_path):
    command = _command('tell(event="begin", phase="first"); tell(event="failed", error="BenchError: 2 lots differ")')
    with pytest.raises(PartError, match="2 lots differ"):
        run_part("compare", command, tmp_path / "work", "2GB", log=tmp_path / "log")


def test_a_part_that_dies_is_no_result(tmp_path):
    with pytest.raises(PartError, match="ended with code 3 and no result"):
        run_part("season", _command("sys.exit(3)"), tmp_path / "work", "2GB", log=tmp_path / "log")


def test_memory_is_a_size_with_its_unit():
    assert parse_memory("8GB") == 8_000_000_000
    assert parse_memory("6 GiB") == 6 * 2**30
    assert duckdb_limit("8GB") == "4196MiB"
    with pytest.raises(BenchError, match="8GB"):
        parse_memory("8")
