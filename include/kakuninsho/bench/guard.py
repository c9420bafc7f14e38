"""Runs a part of the benchmark in a process of its own: samples its memory and disk, ends it above the limit."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from kakuninsho.bench.errors import PartError
from kakuninsho.bench.limits import parse_memory

SAMPLE_SECONDS = 0.1
DISK_SAMPLE_SECONDS = 2.0
# The SFTP server plays the printer's side: its memory is another machine's.
OTHERS = "kakuninsho.bench.door"


@dataclass
class PhaseFigures:
    """What a phase took. Bytes are of the whole tree of processes, at their largest within the phase."""

    phase: str
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    counts: dict[str, Any] = field(default_factory=dict)
    peak_rss: int = 0
    peak_disk: int = 0  # of the part's folder, spilled files included
    disk_after: int = 0

    def as_dict(self) -> dict[str, Any]:
        """For JSON, with rows per second."""
        rows = self.counts.get("rows")
        return {
            "phase": self.phase,
            "seconds": self.seconds,
            "cpu_seconds": self.cpu_seconds,
            "rows": rows,
            "rows_per_second": round(rows / self.seconds) if rows and self.seconds else None,
            "peak_rss_mb": self.peak_rss // 10**6,
            "peak_disk_mb": self.peak_disk // 10**6,
            "disk_after_mb": self.disk_after // 10**6,
            "counts": {key: value for key, value in self.counts.items() if key != "rows"},
        }


@dataclass
class PartFigures:
    """Phases of a part and what it gave."""

    part: str
    seconds: float
    phases: list[PhaseFigures]
    result: dict[str, Any]

    @property
    def peak_rss(self) -> int:
        """Largest memory of the tree of processes."""
        return max((phase.peak_rss for phase in self.phases), default=0)


def run_part(
    part: str,
    command: list[str],
    folder: Path,
    memory: str,
    *,
    log: Path,
    tell: Callable[[PhaseFigures], None] = lambda _: None,
) -> PartFigures:
    """Run a command that tells its phases on the descriptor that is put in place of `{events}`.

    Raises:
        PartError: it failed, or its processes together used more memory than the limit and were ended.
    """
    limit = parse_memory(memory)
    read, write = os.pipe()
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    started = time.monotonic()
    with log.open("ab") as log_file:
        process = subprocess.Popen(  # noqa: S603 (a part of ours or a peer, see `command_of` and `peers`)
            [word.replace("{events}", str(write)) for word in command],
            pass_fds=[write],
            stdin=subprocess.DEVNULL,
            stdout=log_file,
            stderr=log_file,
            env=environment,
        )
    os.close(write)
    watched = _Watched(part, folder, tell)
    reader = threading.Thread(target=watched.read, args=(read,), daemon=True)
    reader.start()
    next_look = 0.0
    try:
        while process.poll() is None:
            used = _memory_of(process.pid)
            watched.saw_memory(used)
            if used > limit:
                watched.error = f"its processes used {used // 10**6:,} MB, more than MEMORY={memory}, and were ended"
                _end(process.pid)
                break
            if time.monotonic() > next_look:
                next_look = time.monotonic() + DISK_SAMPLE_SECONDS
                watched.saw_disk(_size_of(folder))
            time.sleep(SAMPLE_SECONDS)
        process.wait()
    except BaseException:
        _end(process.pid)
        raise
    reader.join(timeout=10)
    largest = max((phase.peak_rss for phase in watched.phases), default=0)
    if largest > limit and not watched.error:
        watched.error = f"it used {largest // 10**6:,} MB for a moment, more than MEMORY={memory}"
    if watched.error or watched.result is None:
        reason = watched.error or f"ended with code {process.returncode} and no result"
        raise PartError(f"{part}: {reason}. The last phase was {watched.phase!r}; see {log}")
    return PartFigures(part, round(time.monotonic() - started, 1), watched.phases, watched.result)


class _Watched:
    """What is known of a running part; written by two threads, each to its own fields."""

    def __init__(self, part: str, folder: Path, tell: Callable[[PhaseFigures], None]) -> None:
        self.part, self.folder, self.tell = part, folder, tell
        self.phases: list[PhaseFigures] = []
        self.result: dict[str, Any] | None = None
        self.error = ""
        self._now = PhaseFigures("between phases")

    @property
    def phase(self) -> str:
        return self._now.phase

    def saw_memory(self, used: int) -> None:
        self._now.peak_rss = max(self._now.peak_rss, used)

    def saw_disk(self, used: int) -> None:
        self._now.peak_disk = max(self._now.peak_disk, used)

    def read(self, descriptor: int) -> None:
        with os.fdopen(descriptor, encoding="utf-8") as events:
            for line in events:
                event = json.loads(line)
                if event["event"] == "begin":
                    self._now = PhaseFigures(event["phase"])
                elif event["event"] == "end":
                    phase, self._now = self._now, PhaseFigures("between phases")
                    phase.seconds, phase.cpu_seconds = event["seconds"], event["cpu_seconds"]
                    phase.counts = event["counts"]
                    # What rose and fell between two samples, as the kernel has seen it of the process itself.
                    phase.peak_rss = max(phase.peak_rss, event.get("grown_to", 0))
                    phase.disk_after = _size_of(self.folder)
                    phase.peak_disk = max(phase.peak_disk, phase.disk_after)
                    self.phases.append(phase)
                    self.tell(phase)
                elif event["event"] == "result":
                    self.result = event["result"]
                else:
                    self.error = event["error"]


def _tree(pid: int) -> list[psutil.Process]:
    """The process and its descendants, but for those that play the other side."""
    try:
        root = psutil.Process(pid)
        found = [root, *root.children(recursive=True)]
    except psutil.Error:
        return []
    ours = []
    for process in found:
        with suppress(psutil.Error):
            if OTHERS not in process.cmdline():
                ours.append(process)
    return ours


def _memory_of(pid: int) -> int:
    total = 0
    for process in _tree(pid):
        with suppress(psutil.Error):
            total += process.memory_info().rss
    return total


def _end(pid: int) -> None:
    with suppress(psutil.Error):
        root = psutil.Process(pid)
        for process in [*root.children(recursive=True), root]:
            with suppress(psutil.Error):
                process.kill()


def _size_of(folder: Path) -> int:
    """Bytes below a folder on disk; a file with two names counts once."""
    total = 0
    seen: set[int] = set()
    waiting = [str(folder)]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    with suppress(FileNotFoundError):
                        if entry.is_dir(follow_symlinks=False):
                            waiting.append(entry.path)
                            continue
                        status = entry.stat(follow_symlinks=False)
                        if status.st_ino not in seen:
                            seen.add(status.st_ino)
                            total += status.st_blocks * 512
        except (FileNotFoundError, NotADirectoryError):
            continue
    return total


def command_of(part: str, *, data: Path, register: Path, members: int, seed: int, memory: str) -> list[str]:
    """The command line of a part of ours."""
    return [
        sys.executable, "-m", "kakuninsho.bench.part", part, "--data", str(data), "--register", str(register),
        "--members", str(members), "--seed", str(seed), "--memory", memory, "--events", "{events}",
    ]  # fmt: skip
