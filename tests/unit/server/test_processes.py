"""Background processes: found again by another command, stopped with their children, never somebody else's."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import psutil
import pytest

from kakuninsho.server.processes import Process, stop

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]
PARENT = [
    sys.executable,
    "-c",
    f"import subprocess, time; subprocess.Popen({SLEEP!r}); print('born', flush=True); time.sleep(60)",
]
STUBBORN = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('born', flush=True); time.sleep(60)",
]


def start(process: Process, command: list[str]) -> psutil.Process:
    process.start(command, os.environ)
    found = process.find()
    assert found is not None
    return found


def wait_for_output(process: Process) -> None:
    deadline = time.monotonic() + 20
    while "born" not in process.last_lines() and time.monotonic() < deadline:
        time.sleep(0.05)


def test_process_is_found_by_its_mark_and_stopped(tmp_path: Path) -> None:
    process = Process("sleeper", tmp_path / "run")
    running = start(process, SLEEP)
    assert Process("sleeper", tmp_path / "run").find() == running
    assert stop([process]) == ["sleeper"]
    assert process.find() is None
    assert not process.mark.exists()
    assert stop([process]) == []


def test_children_end_with_their_parent(tmp_path: Path) -> None:
    process = Process("parent", tmp_path)
    running = start(process, PARENT)
    wait_for_output(process)
    (child,) = running.children()
    stop([process])
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE


def test_process_that_does_not_listen_is_ended(tmp_path: Path) -> None:
    process = Process("stubborn", tmp_path)
    start(process, STUBBORN)
    wait_for_output(process)
    assert stop([process], seconds=0.2) == ["stubborn"]
    assert process.find() is None


def test_number_that_belongs_to_another_process_by_now_is_left_alone(tmp_path: Path) -> None:
    process = Process("reborn", tmp_path)
    process.mark.write_text(json.dumps({"pid": os.getpid(), "born": 0.0}), encoding="utf-8")
    assert process.find() is None
    assert stop([process]) == []


@pytest.mark.parametrize("text", ["", "{}", "no json"])
def test_broken_mark_counts_as_not_running(tmp_path: Path, text: str) -> None:
    process = Process("broken", tmp_path)
    process.mark.write_text(text, encoding="utf-8")
    assert process.find() is None
