"""The watched process: runs one part of the benchmark and tells each phase's begin and end, a JSON object a line."""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from kakuninsho.bench.limits import DUCKDB_SHARE_ALONE, duckdb_limit, limit_process

PARTS = ("register", "season", "floor", "compare", "overhead")


class Teller:
    """Writes what happens to the parent's pipe."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._largest = 0

    def tell(self, **event: Any) -> None:
        """One event."""
        self._out.write(json.dumps(event, default=str) + "\n")
        self._out.flush()

    @contextmanager
    def phase(self, name: str) -> Iterator[dict[str, Any]]:
        """A phase; the body adds counts to the dict that it gets."""
        self.tell(event="begin", phase=name)
        counts: dict[str, Any] = {}
        started, cpu = time.monotonic(), time.process_time()
        yield counts
        seconds = time.monotonic() - started
        self.tell(
            event="end",
            phase=name,
            seconds=round(seconds, 2),
            cpu_seconds=round(time.process_time() - cpu, 2),
            counts=counts,
            grown_to=self._grown_to(),
        )

    def _grown_to(self) -> int:
        """Largest resident memory of this process in bytes where it has grown since it was last told; else 0."""
        largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        before, self._largest = self._largest, largest
        return largest if largest > before else 0


def main() -> int:
    """Run a part. Its limits are set before anything large is imported."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--register", type=Path, required=True)
    parser.add_argument("--members", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--memory", required=True)
    parser.add_argument("--events", type=int, required=True, help="file descriptor of the parent's pipe")
    given = parser.parse_args()
    limit_process(given.memory)
    with os.fdopen(given.events, "w", encoding="utf-8") as out:
        teller = Teller(out)
        try:
            result = _run(given, teller)
        except Exception as error:
            teller.tell(event="failed", error=f"{type(error).__name__}: {str(error)[:2000]}")
            import traceback

            traceback.print_exc(file=sys.stderr)
            return 1
        teller.tell(event="result", result=result)
    return 0


def _run(given: argparse.Namespace, teller: Teller) -> dict[str, Any]:
    if given.part == "register":
        return _make_register(given, teller)
    if given.part == "season":
        from kakuninsho.bench.season import Bench, settings_of

        settings = settings_of(given.data, given.register)
        return Bench(settings, given.data / "outside", teller.phase).run()
    from kakuninsho.bench.season import settings_of

    if given.part == "overhead":
        from kakuninsho.bench import overhead

        own = settings_of(given.data, given.data / "outside" / "core" / "register")
        return overhead.measure(own, given.members, given.seed, teller.phase)
    from kakuninsho.bench import floor

    settings = settings_of(given.data, given.register)
    if given.part == "floor":
        limit = duckdb_limit(given.memory, DUCKDB_SHARE_ALONE)
        return floor.run(settings, given.data / "floor", teller.phase, limit)
    return floor.compare(settings, given.data / "floor", teller.phase)


def _make_register(given: argparse.Namespace, teller: Teller) -> dict[str, Any]:
    from kakuninsho.bench.limits import duckdb_limit
    from kakuninsho.bench.season import drops_needed
    from kakuninsho.campaign import load_campaign
    from kakuninsho.register.synthetic import generate

    campaign = load_campaign()
    snapshot = campaign.parameters.snapshot_as_of
    with teller.phase("synthetic register") as counts:
        report = generate(
            given.members,
            given.seed,
            given.register,
            campaign,
            drops=drops_needed(campaign),
            memory_limit=duckdb_limit(given.memory),
        )
        counts["rows"] = sum(sum(files.values()) for files in report.drops.values())
        counts["drops"] = list(report.drops)
    return {"drops": report.drops, "snapshot": snapshot.isoformat()}


if __name__ == "__main__":
    sys.exit(main())
