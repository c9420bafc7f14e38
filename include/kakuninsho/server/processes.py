"""Background processes with a mark on disk each, so that another command finds them again and stops only its own."""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

STOP_SECONDS = 40.0
CHILD_SECONDS = 5.0


@dataclass(frozen=True)
class Process:
    """One background process of an installation: `<run>/<name>.json` marks it, `<run>/<name>.log` is its log."""

    name: str
    folder: Path

    @property
    def mark(self) -> Path:
        """Number and time of birth of the process; a number alone may belong to somebody else by now."""
        return self.folder / f"{self.name}.json"

    @property
    def log(self) -> Path:
        """What the process prints."""
        return self.folder / f"{self.name}.log"

    def find(self) -> psutil.Process | None:
        """The running process, or None when it has ended or was never started."""
        try:
            known = json.loads(self.mark.read_text(encoding="utf-8"))
            process = psutil.Process(int(known["pid"]))
            is_ours = abs(process.create_time() - float(known["born"])) < 1
            return process if is_ours and process.status() != psutil.STATUS_ZOMBIE else None
        except (FileNotFoundError, ValueError, KeyError, psutil.NoSuchProcess):
            return None

    def start(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        """Start it detached from the terminal, with its output in the log."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self.log.open("ab") as log:
            started = subprocess.Popen(  # noqa: S603 (our own programs, named by `lifecycle`)
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=dict(environment),
                start_new_session=True,
            )
        self.adopt(started.pid)

    def adopt(self, pid: int) -> None:
        """Mark a process that was just started as this one."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        part = self.mark.with_suffix(".part")
        part.write_text(json.dumps({"pid": pid, "born": psutil.Process(pid).create_time()}) + "\n", encoding="utf-8")
        part.replace(self.mark)

    def last_lines(self, number: int = 5) -> str:
        """The end of its log."""
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-number:])


def stop(processes: Sequence[Process], *, seconds: float = STOP_SECONDS) -> list[str]:
    """Stop processes together, with everything that they started; returns the names of those that ran.

    Each is asked to end first and ended after `seconds`.
    """
    running = {process: found for process in processes if (found := process.find())}
    family = [child for parent in running.values() for child in _family(parent)]
    for parent in running.values():
        _ask(parent, "terminate")
    alive = _wait([*running.values()], seconds)
    # What a process started may outlive it, or have been started since.
    family = list({*family, *(child for parent in alive for child in _family(parent))})
    for child in family:
        _ask(child, "terminate")
    for rest in _wait([*alive, *family], CHILD_SECONDS):
        _ask(rest, "kill")
    _wait([*alive, *family], CHILD_SECONDS)
    for process in processes:
        process.mark.unlink(missing_ok=True)
    return [process.name for process in running]


def _family(process: psutil.Process) -> list[psutil.Process]:
    try:
        return list(process.children(recursive=True))
    except psutil.NoSuchProcess:
        return []


def _ask(process: psutil.Process, verb: str) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        getattr(process, verb)()


def _wait(processes: list[psutil.Process], seconds: float) -> list[psutil.Process]:
    _, alive = psutil.wait_procs(processes, timeout=seconds)
    return list(alive)
