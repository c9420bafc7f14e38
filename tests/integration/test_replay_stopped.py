"""SIGTERM ends a replay between two runs, and the same command goes on from there."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow


def season(data: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "kakuninsho.cli", "season", "--members", "1000", "--seed", "3"]
    return subprocess.Popen(
        [*command, "--until", "2025-05-31", "--data", str(data)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
    )


def test_a_replay_that_is_told_to_stop_ends_cleanly_and_goes_on(tmp_path: Path) -> None:
    data = tmp_path / "season"
    first = season(data)
    plans = data / "facts" / "plans"
    while first.poll() is None and not list(plans.glob("home-*")):
        time.sleep(0.2)
    first.send_signal(signal.SIGTERM)
    told = first.communicate(timeout=300)[0]
    assert first.returncode == 128 + signal.SIGTERM, told
    assert "stopped; the same command goes on" in told and "Traceback" not in told
    assert not (data / "summary.json").exists()

    again = season(data)
    told = again.communicate(timeout=900)[0]
    assert again.returncode == 0, told
    summary = json.loads((data / "summary.json").read_text(encoding="utf-8"))
    assert all(row["difference"] == 0 for row in summary["ledger"])
    assert len(list(plans.glob("home-*"))) == 1
