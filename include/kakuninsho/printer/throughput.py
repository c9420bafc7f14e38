"""How fast lots of a frozen plan are written and sealed, and how much memory that takes: a figure, not a check."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pyarrow.parquet as pq

from kakuninsho.facts.store import Fact
from kakuninsho.printer.lot_file import write_lots
from kakuninsho.printer.sealing import Keys, seal

SAMPLING_SECONDS = 0.05


@dataclass(frozen=True)
class Throughput:
    """What it took. `peak_rss_mb` is of this process and those that it starts, taken together."""

    lots: int
    certificates: int
    bytes_clear: int
    seconds_files: float
    seconds_sealing: float
    cpu_seconds_files: float  # of all processes: what the wall clock would say on an idle machine, times the cores
    peak_rss_mb: int

    @property
    def certificates_per_second(self) -> float:
        """Of the files alone."""
        return self.certificates / self.seconds_files

    @property
    def sealed_certificates_per_second(self) -> float:
        """From the frozen plan to sealed lots."""
        return self.certificates / (self.seconds_files + self.seconds_sealing)


def measure(
    plan: Fact, campaign: str, out_dir: Path, keys: Keys, *, workers: int = 2, lots: int | None = None
) -> Throughput:
    """Write and seal the lots of a frozen plan (the first `lots` of them) into `out_dir`, and say what it took.

    Raises:
        LotFileError, SealError: as in production; a figure of files that may not leave means nothing.
    """
    lot_ids = pq.read_table(plan.table("lots"), columns=["lot_id"]).column("lot_id").to_pylist()[:lots]
    with _peak_rss() as peak:
        started, busy = time.perf_counter(), _cpu_seconds()
        files = write_lots(plan, lot_ids, campaign, out_dir, workers=workers)
        written, busy = time.perf_counter(), _cpu_seconds() - busy
        for file in files:
            seal(file.path, file.path.with_name(f"{file.name}.pgp"), keys)
        sealed = time.perf_counter()
    return Throughput(
        lots=len(files),
        certificates=sum(file.certificate_count or 0 for file in files),
        bytes_clear=sum(file.byte_count for file in files),
        seconds_files=round(written - started, 3),
        seconds_sealing=round(sealed - written, 3),
        cpu_seconds_files=round(busy, 3),
        peak_rss_mb=peak[0] // 1024**2,
    )


def _cpu_seconds() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


@contextmanager
def _peak_rss() -> Iterator[list[int]]:
    """Watch the resident memory of this process and its children; the list's one entry is the peak in bytes."""
    peak, done = [0], threading.Event()
    own = psutil.Process()

    def watch() -> None:
        while not done.is_set():
            total = 0
            for process in (own, *own.children(recursive=True)):
                try:
                    total += process.memory_info().rss
                except psutil.NoSuchProcess:
                    continue
            peak[0] = max(peak[0], total)
            done.wait(SAMPLING_SECONDS)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield peak
    finally:
        done.set()
        watcher.join()
