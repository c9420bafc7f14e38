"""Peers: the core as a user would write it in pandas, polars and PySpark, on the same input (benchmarks/peers)."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console

from kakuninsho.bench.errors import PartError
from kakuninsho.bench.guard import run_part
from kakuninsho.bench.limits import parse_memory
from kakuninsho.gates.text import printable_characters
from kakuninsho.paths import PROJECT_ROOT
from kakuninsho.printer.charset import SUBSTITUTIONS, printed_width
from kakuninsho.settings import Settings

FOLDER = PROJECT_ROOT / "benchmarks" / "peers"
PYTHON = PROJECT_ROOT / "benchmarks" / ".venv" / "bin" / "python"
PEERS = ("polars", "pandas", "pyspark")
HYPHENS = "[-\u2010-\u2015\u2212\u30fc\uff0d]"


def run_peers(
    settings: Settings, folder: Path, values: dict[str, Any], memory: str, *, log: Path, console: Console
) -> dict[str, dict[str, Any]]:
    """Run each peer on the landed register of a run, within the same limit.

    A peer that ends without a result is a finding, not an error: the outcome says why. The files of one that ends
    count only when they hold the floor's certificates in the floor's order.

    Args:
        settings: of the run whose register is read.
        folder: the run's folder with the floor's files; peers write beside them.
        values: the campaign's parameters as the floor gets them.
        memory: as in 8GB.
        log: where the peers' own words go.
        console: where the outcomes are shown.
    """
    python = PYTHON if PYTHON.is_file() else Path(sys.executable)
    wanted = order_hash(folder / "floor" / "order")
    inputs = folder / "peers.json"
    inputs.write_text(json.dumps(_inputs(settings, values), default=str), encoding="utf-8")
    found: dict[str, dict[str, Any]] = {}
    for name in PEERS:
        out = folder / "peers" / name
        command = [
            str(python), str(FOLDER / f"{name}_core.py"), "--register", str(values["register"]),
            "--inputs", str(inputs), "--out", str(out), "--memory", str(parse_memory(memory)), "--events", "{events}",
        ]  # fmt: skip
        try:
            part = run_part(name, command, out, memory, log=log)
        except PartError as error:
            found[name] = {"seconds": None, "peak_rss_mb": None, "outcome": _reason(error)}
        else:
            same = order_hash(out / "lots" if (out / "lots").is_dir() else out) == wanted
            found[name] = {
                "seconds": part.seconds,
                "peak_rss_mb": part.peak_rss // 10**6,
                "outcome": "the floor's certificates in the floor's order" if same else "**other certificates**",
            }
        shutil.rmtree(out, ignore_errors=True)
        console.print(f"  {name}: {found[name]['seconds'] or ''} {found[name]['outcome']}", highlight=False)
    return found


def order_hash(folder: Path) -> str:
    """SHA-256 over control number, slot, member and validity of every line, lot by lot in order of name."""
    digest = hashlib.sha256()
    for files in _lots(folder):
        for path in files:
            with path.open("rb") as lines:
                for line in lines:
                    digest.update(b",".join(line.replace(b'"', b"").rstrip(b"\r\n").split(b",", 4)[:4]) + b"\n")
    return digest.hexdigest()


def _lots(folder: Path) -> Iterator[list[Path]]:
    """The files of each lot: one of its name, or the parts in a folder of its name as Spark writes them."""
    for path in sorted(folder.iterdir(), key=lambda path: path.name.removeprefix("lot_id=").removesuffix(".csv")):
        if path.is_dir() and path.name.startswith("lot_id="):
            yield sorted(path.glob("part-*"))
        elif path.suffix == ".csv":
            yield [path]


def _inputs(settings: Settings, values: dict[str, Any]) -> dict[str, Any]:
    """What every peer is told: parameters, posting dates, and the text rules as regular expressions."""
    known = {*printable_characters(), *SUBSTITUTIONS}
    return values | {
        "posting_dates": [
            {"prefecture": int(window.prefecture_code), "posting_date": day, "ordinal": number,
             "of": len(window.posting_dates)}
            for window in settings.campaign.windows
            for number, day in enumerate(window.posting_dates)
        ],
        "unprintable": f"[^{_class(known)}]",
        "narrow": f"[{_class({character for character in known if printed_width(character) == 1})}]",
        "substitutions": SUBSTITUTIONS,
        "hyphens": HYPHENS,
    }  # fmt: skip


def _class(characters: set[str]) -> str:
    """Inside of a character class that Python, Rust and Java read alike."""
    ranges: list[list[int]] = []
    for point in sorted(map(ord, characters)):
        if ranges and ranges[-1][1] == point - 1:
            ranges[-1][1] = point
        else:
            ranges.append([point, point])
    return "".join(_escaped(first) + "-" + _escaped(last) for first, last in ranges)


def _escaped(point: int) -> str:
    character = chr(point)
    return f"\\{character}" if character in r"\\]^-[&~" else character


def _reason(error: PartError) -> str:
    return str(error).split(": ", 1)[1].split(". The last phase")[0].splitlines()[0][:160]
