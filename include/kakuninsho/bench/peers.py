"""Peers: the core as a user would write it in pandas, polars and PySpark, on the same input (benchmarks/peers)."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from rich.console import Console

from kakuninsho.bench.errors import PartError
from kakuninsho.bench.guard import run_part
from kakuninsho.paths import PROJECT_ROOT

FOLDER = PROJECT_ROOT / "benchmarks" / "peers"
PYTHON = PROJECT_ROOT / "benchmarks" / ".venv" / "bin" / "python"
PEERS = ("pandas", "polars", "pyspark")


def run_peers(
    settings_folder: Path, memory: str, floor: dict[str, Any], *, log: Path, console: Console
) -> dict[str, dict[str, Any]]:
    """Run each peer on the landed register of a run, within the same limit.

    A peer that ends without a result is a finding, not an error: the outcome says why. The result of one that ends
    counts only when it found the floor's certificates in the floor's order.
    """
    python = PYTHON if PYTHON.is_file() else Path(sys.executable)
    found: dict[str, dict[str, Any]] = {}
    for name in PEERS:
        out = settings_folder / "peers" / name
        command = [
            str(python), str(FOLDER / f"{name}_core.py"), "--facts", str(settings_folder / "facts"),
            "--inputs", str(settings_folder / "floor" / "inputs"), "--out", str(out), "--memory", memory,
            "--events", "{events}",
        ]  # fmt: skip
        console.print(f"[bold]{name}[/]")
        try:
            part = run_part(name, command, out, memory, log=log)
        except PartError as error:
            found[name] = {"seconds": None, "peak_rss_mb": None, "outcome": _reason(error)}
        else:
            same = part.result.get("sha256") == floor.get("order_sha256")
            found[name] = {
                "seconds": part.seconds,
                "peak_rss_mb": part.peak_rss // 10**6,
                "outcome": "the floor's certificates in the floor's order" if same else "**other certificates**",
            }
        console.print(f"  {found[name]['outcome']}", highlight=False)
    return found


def _reason(error: PartError) -> str:
    return str(error).split(": ", 1)[1].split(". The last phase")[0].splitlines()[0][:160]
