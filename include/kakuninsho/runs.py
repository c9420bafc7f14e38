"""What each task did: one JSON per run under `<data>/runs/`, read by bench, pages and summary. Audit only."""

from __future__ import annotations

import json
import os
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any


@contextmanager
def recorded(data: Path, phase: str, as_of: date) -> Iterator[dict[str, Any]]:
    """Time a stage and write its record; the body adds counts (never values of rows) to the dict it gets."""
    record: dict[str, Any] = {"phase": phase, "as_of": as_of.isoformat()}
    started = time.monotonic()
    try:
        yield record
        record["state"] = "success"
    except BaseException as error:
        record["state"] = "failed"
        record["error"] = type(error).__name__
        raise
    finally:
        record["seconds"] = round(time.monotonic() - started, 3)
        record["peak_rss_mb"] = peak_rss_mb()
        folder = data / "runs"
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        name = f"{as_of.isoformat()}-{phase}-{time.time_ns()}-{os.getpid()}.json"
        (folder / name).write_text(json.dumps(record, ensure_ascii=False, default=str) + "\n", encoding="utf-8")


def records(data: Path) -> list[dict[str, Any]]:
    """Every record of a data folder, in order of day, phase and time."""
    folder = data / "runs"
    paths = sorted(folder.glob("*.json")) if folder.is_dir() else []
    return [json.loads(path.read_text(encoding="utf-8")) for path in paths]


def peak_rss_mb() -> int:
    """The largest resident memory that this process has had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
