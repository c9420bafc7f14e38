"""What each task did: one JSON per run under `<data>/runs/`, read by bench, pages and summary. Audit only."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

from kakuninsho.derived import read_json, write_json


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
        write_json(data / "runs" / f"{as_of.isoformat()}-{phase}-{time.time_ns()}-{os.getpid()}.json", record)


def records(data: Path) -> list[dict[str, Any]]:
    """Every record of a data folder that can be read, in order of day, phase and time."""
    folder = data / "runs"
    paths = sorted(folder.glob("*.json")) if folder.is_dir() else []
    found = (read_json(path) for path in paths if not path.name.startswith("."))
    return [record for record in found if isinstance(record, dict)]


def peak_rss_mb() -> int:
    """The largest resident memory that this process has had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
