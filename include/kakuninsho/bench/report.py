"""Figures of benchmark runs: a JSON per size, a table in the terminal, the page's tables and chart from the JSONs."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
from rich.table import Table

from kakuninsho.bench.errors import BenchError
from kakuninsho.bench.guard import PartFigures

Run = dict[str, Any]

BEGIN, END = "<!-- figures: written by kakuninsho bench -->", "<!-- end of figures -->"
START, LAST_OF_HAND_OFF = "start-up", "home: sealing"
CORE = ("home: dbt and draft", "home: freeze", "home: lot files")
NOT_OURS = ("check",)  # the benchmark's own
# Issue and stack: what is to be reached on two cores.
TARGETS = {
    "register_to_sealed_seconds": ("register to sealed lots, gates included", 360, "s"),
    "whole_seconds": ("all phases", 900, "s"),
    "peak_rss_mb": ("peak resident memory", 8000, "MB"),
    "ratio_core": ("core, times the floor", 1.5, "×"),
    "ratio_everything": ("register to sealed lots, times the floor", 5, "×"),
    "register_seconds": ("synthetic register", 300, "s"),
    "certificates_per_second": ("lot files and sealing, certificates a second", 100_000, "/s"),
}
AT_LEAST = {"certificates_per_second"}
NATIONAL = 30_000_000  # members from which the targets are meant
LARGEST_GROWTH = 1.15  # seconds per million members, per decade of size
SMALLEST_SHARE = 0.01  # phases below this share of the whole do not matter


def machine() -> dict[str, Any]:
    """What it ran on; no name of a machine."""
    model = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    import duckdb

    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 2**30, 1),
        "system": f"{platform.system()} {platform.release().split('-')[0]}",
        "python": platform.python_version(),
        "duckdb": duckdb.__version__,
        "load_before": round(os.getloadavg()[0], 2),
    }


def commit(root: Path) -> str:
    """The commit that was measured; marked where files differ from it."""
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--dirty"],  # noqa: S607 (git lies where the machine has it)
            cwd=root, capture_output=True, text=True, check=True,
        )  # fmt: skip
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return done.stdout.strip()


def assemble(members: int, seed: int, memory: str, before: dict[str, Any], root: Path, parts: list[PartFigures]) -> Run:
    """The record of a run."""
    found = {
        part.part: {
            "seconds": part.seconds,
            "phases": [phase.as_dict() for phase in part.phases],
            "result": part.result,
        }
        for part in parts
    }
    run: Run = {
        "members": members,
        "seed": seed,
        "memory": memory,
        "measured_at": datetime.now(tz=UTC).isoformat(timespec="minutes"),
        "commit": commit(root),
        "machine": before | {"load_after": round(os.getloadavg()[0], 2)},
        "parts": found,
    }
    run["figures"] = figures(run)
    return run


def phases(run: Run, part: str) -> list[dict[str, Any]]:
    """Phases of a part; none when it did not run."""
    found: list[dict[str, Any]] = run["parts"].get(part, {}).get("phases", [])
    return found


def figures(run: Run) -> dict[str, float]:
    """What the targets speak of, as far as the run's parts give it."""
    season = [phase for phase in phases(run, "season") if phase["phase"] not in NOT_OURS]
    seconds = {phase["phase"]: phase["seconds"] for phase in season}
    names = [phase["phase"] for phase in season]
    found: dict[str, float] = {}
    if season:
        to_sealed = sum(phase["seconds"] for phase in season[: names.index(LAST_OF_HAND_OFF) + 1])
        sealed = next(phase for phase in season if phase["phase"] == LAST_OF_HAND_OFF)
        found = {
            "start_seconds": seconds[START],
            "register_to_sealed_seconds": to_sealed,
            "whole_seconds": sum(phase["seconds"] for phase in season),  # some phases come several times
            "core_seconds": sum(seconds[name] for name in CORE),
            "peak_rss_mb": max(phase["peak_rss_mb"] for phase in season),
            "peak_disk_mb": max(phase["peak_disk_mb"] for phase in season),
            "certificates_per_second": sealed["rows"] / (seconds["home: lot files"] + seconds[LAST_OF_HAND_OFF]),
        }
    floor = sum(phase["seconds"] for phase in phases(run, "floor"))
    if floor and season:
        found |= {
            "floor_seconds": floor,
            "ratio_core": found["core_seconds"] / floor,
            "ratio_everything": found["register_to_sealed_seconds"] / floor,
        }
    register = phases(run, "register")
    if register:
        found["register_seconds"] = register[0]["seconds"]
    return {name: round(value, 2) for name, value in found.items()}


def write(run: Run, folder: Path) -> Path:
    """Write a run's JSON, named by its size."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{run['members']}.json"
    path.write_text(json.dumps(run, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return path


def read(folder: Path) -> list[Run]:
    """All runs of a folder, smallest first."""
    runs = [json.loads(path.read_text(encoding="utf-8")) for path in folder.glob("*.json") if path.stem.isdigit()]
    return sorted(runs, key=lambda run: int(run["members"]))


# --- in the terminal -------------------------------------------------------------------------------


def phase_table(run: Run) -> Table:
    """Seconds, rows a second, memory and disk of each phase."""
    table = Table(title=f"{run['members']:,} members")
    table.add_column("工程 (phase)", no_wrap=True, overflow="ellipsis")
    for name in ("秒 (s)", "行 (rows)", "行/秒", "最大 MB (RSS)", "ディスク MB"):
        table.add_column(name, justify="right")
    for part in run["parts"]:
        for phase in phases(run, part):
            table.add_row(*_cells(phase))
        table.add_section()
    return table


def _cells(phase: dict[str, Any]) -> list[str]:
    rows, speed = phase["rows"], phase["rows_per_second"]
    return [
        phase["phase"],
        f"{phase['seconds']:,.1f}",
        f"{rows:,}" if rows else "",
        f"{speed:,}" if speed else "",
        f"{phase['peak_rss_mb']:,}",
        f"{phase['peak_disk_mb']:,}",
    ]


def target_table(run: Run) -> Table:
    """Each target beside what was measured."""
    table = Table("目標 (target)", title="national size, two cores")
    for name in ("目標", "実測 (measured)", ""):
        table.add_column(name, justify="right")
    for what, wanted, found, holds in target_rows(run):
        table.add_row(what, wanted, found, "[green]✓[/]" if holds else "[red]✗[/]")
    return table


def target_rows(run: Run) -> list[tuple[str, str, str, bool]]:
    """(what, target, measured, reached), for those that were measured."""
    rows = []
    for name, (what, wanted, unit) in TARGETS.items():
        if name not in run["figures"]:
            continue
        found = run["figures"][name]
        at_least = name in AT_LEAST
        sign = "≥" if at_least else "<"
        holds = found >= wanted if at_least else found < wanted
        rows.append((what, f"{sign} {wanted:,} {unit}", f"{found:,.{2 if unit == '×' else 0}f} {unit}", holds))
    return rows


# --- the page --------------------------------------------------------------------------------------


def growth(runs: list[Run]) -> list[dict[str, Any]]:
    """Seconds per million members of each phase that matters, by size, the fixed start taken out.

    The smallest run, where it is of less than 100,000 members, tells what a phase takes whatever its size.
    """
    if not runs:
        return []
    fixed = {phase["phase"]: phase["seconds"] for phase in _timed(runs[0])} if runs[0]["members"] < 100_000 else {}
    sized = [run for run in runs if run["members"] >= 100_000]
    if not sized:
        return []
    whole = sum(phase["seconds"] for phase in _timed(sized[-1]))
    rows = []
    for phase in _timed(sized[-1]):
        name = phase["phase"]
        if name == START or phase["seconds"] < SMALLEST_SHARE * whole:
            continue
        per_million = []
        for run in sized:
            seconds = next((one["seconds"] for one in _timed(run) if one["phase"] == name), None)
            value = None if seconds is None else (seconds - fixed.get(name, 0.0)) / run["members"] * 1e6
            per_million.append(value)
        rows.append({"phase": name, "fixed": fixed.get(name), "per_million": per_million})
    return rows


def _timed(run: Run) -> list[dict[str, Any]]:
    return [phase for phase in phases(run, "season") if phase["phase"] not in NOT_OURS]


def page_part(runs: list[Run], chart_name: str, overhead: Run | None = None) -> str:
    """The part of the page that is written from the JSONs."""
    if not runs:
        return "No run has been recorded yet.\n"
    largest = runs[-1]
    where = largest["machine"]
    lines = [
        f"Measured {largest['measured_at'][:10]} at commit `{largest['commit']}` on {where['cores']} cores "
        f"({where['cpu']}), {where['memory_gb']} GB, {where['system']}, Python {where['python']}, "
        f"DuckDB {where['duckdb']}, within MEMORY={largest['memory']}. "
        f"Load of the machine before the run: {where['load_before']} "
        "(above 0, other work ran beside it).",
        "",
        f"### {largest['members']:,} members",
        "",
        *_target_lines(largest),
        f"![seconds by phase]({chart_name})",
        "",
        "| phase | s | CPU s | rows | rows/s | peak RSS MB | disk MB |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for part in largest["parts"]:
        for phase in phases(largest, part):
            name, seconds, *rest = _cells(phase)
            lines.append(f"| {name} | {seconds} | {phase['cpu_seconds']:,.0f} | {' | '.join(rest)} |")
    result = largest["parts"].get("compare", {}).get("result")
    if result:
        lines += [
            "",
            f"The floor's {result['lots']} lot files hold the same lines in the same order as the pipeline's "
            f"(SHA-256 over all lots `{result['sha256'][:16]}…`).",
        ]
    lines += ["", "### Sizes", "", *_size_rows(runs)]
    lines += ["", "### Growth", "", *_growth_rows(runs)]
    peers = [(run, run["peers"]) for run in runs if run.get("peers")]
    if peers:
        lines += ["", "### Peers", "", *_peer_rows(peers)]
    if overhead:
        lines += [
            "",
            "### Airflow's own share",
            "",
            f"{overhead['dag_runs']} DAG runs at {overhead['members']:,} members took {overhead['seconds']:,} s. "
            f"{overhead['work_seconds']:,} s were the stages' work; the rest, {overhead['overhead_seconds']:,} s or "
            f"{overhead['overhead_per_dag_run']:.2f} s a DAG run, is Airflow's, its database's, and what tasks import.",
        ]
    return "\n".join(lines) + "\n"


def _target_lines(run: Run) -> list[str]:
    if run["members"] < NATIONAL:
        return ["The targets are meant for the national size, which has not been recorded yet.", ""]
    return [
        "| target | wanted | measured | |",
        "|---|---:|---:|---|",
        *[
            f"| {what} | {wanted} | {found} | {'reached' if holds else '**not reached**'} |"
            for what, wanted, found, holds in target_rows(run)
        ],
        "",
    ]


def _size_rows(runs: list[Run]) -> list[str]:
    names = [
        ("start_seconds", "start-up s"),
        ("register_to_sealed_seconds", "register to sealed s"),
        ("whole_seconds", "all phases s"),
        ("core_seconds", "core s"),
        ("floor_seconds", "floor s"),
        ("ratio_core", "core / floor"),
        ("peak_rss_mb", "peak RSS MB"),
        ("peak_disk_mb", "peak disk MB"),
    ]
    rows = [f"| members | {' | '.join(title for _, title in names)} |", f"|---:|{'---:|' * len(names)}"]
    for run in runs:
        cells = [f"{run['figures'][name]:,.2f}" if name in run["figures"] else "" for name, _ in names]
        rows.append(f"| {run['members']:,} | {' | '.join(cells)} |")
    return rows


def _growth_rows(runs: list[Run]) -> list[str]:
    found = growth(runs)
    sized = [run for run in runs if run["members"] >= 100_000]
    if not found:
        return ["Needs a run of 100,000 members or more."]
    sizes = " | ".join(f"{run['members']:,}" for run in sized)
    rows = [
        "Seconds per million members of phases that take 1 % or more; what a phase takes at the smallest size is taken "
        f"out as fixed. Marked: more than {LARGEST_GROWTH - 1:.0%} above the size before.",
        "",
        f"| phase | fixed s | {sizes} |",
        f"|---|---:|{'---:|' * len(sized)}",
    ]
    for row in found:
        cells, before = [], None
        for value in row["per_million"]:
            grown = before is not None and value is not None and before > 0 and value / before > LARGEST_GROWTH
            cells.append("" if value is None else f"**{value:.2f}**" if grown else f"{value:.2f}")
            before = value
        fixed = "" if row["fixed"] is None else f"{row['fixed']:.1f}"
        rows.append(f"| {row['phase']} | {fixed} | {' | '.join(cells)} |")
    return rows


def _peer_rows(found: list[tuple[Run, dict[str, Any]]]) -> list[str]:
    rows = ["| members | what | s | peak RSS MB | outcome |", "|---:|---|---:|---:|---|"]
    for run, peers in found:
        for name, peer in peers.items():
            seconds = f"{peer['seconds']:,.1f}" if peer.get("seconds") is not None else ""
            memory = f"{peer['peak_rss_mb']:,}" if peer.get("peak_rss_mb") else ""
            rows.append(f"| {run['members']:,} | {name} | {seconds} | {memory} | {peer['outcome']} |")
    return rows


def write_page(runs: list[Run], page: Path, overhead: Run | None = None) -> None:
    """Put tables and chart of the runs into the page, between its marks.

    Raises:
        BenchError: the page has no such marks.
    """
    text = page.read_text(encoding="utf-8")
    if BEGIN not in text or END not in text:
        raise BenchError(f"{page.name} has no place for figures: it needs the lines {BEGIN!r} and {END!r}")
    chart = page.with_suffix(".svg")
    if runs:
        draw(runs[-1], chart)
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    page.write_text(f"{head}{BEGIN}\n\n{page_part(runs, chart.name, overhead)}\n{END}{tail}", encoding="utf-8")


def draw(run: Run, path: Path) -> None:
    """A bar per phase of one run, the floor's beside the pipeline's."""
    import altair as alt

    bars = [
        {"phase": phase["phase"], "seconds": phase["seconds"], "part": "floor" if part == "floor" else "pipeline"}
        for part in ("season", "floor")
        for phase in phases(run, part)
        if phase["phase"] not in NOT_OURS
    ]
    chart = (
        alt.Chart(alt.InlineData(values=bars), title=f"Seconds by phase, {run['members']:,} members", width=520)
        .mark_bar()
        .encode(
            x=alt.X("seconds:Q", title="seconds"),
            y=alt.Y("phase:N", sort=None, title=None, axis=alt.Axis(labelLimit=260)),
            color=alt.Color("part:N", title=None, scale=alt.Scale(domain=["pipeline", "floor"])),
        )
    )
    chart.save(str(path))
