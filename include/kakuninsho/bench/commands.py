"""`kakuninsho bench`: runs the parts one after the other, each watched, and shows and keeps the figures."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from rich.console import Console

from kakuninsho.bench import report
from kakuninsho.bench.guard import PartFigures, PhaseFigures, command_of, run_part
from kakuninsho.paths import PROJECT_ROOT

RESULTS = PROJECT_ROOT / "benchmarks" / "results"
PAGE = PROJECT_ROOT / "docs" / "national-scale.md"


def bench(
    data: Path, *, members: int, seed: int, memory: str, register: Path | None, results: Path, keep: bool, peers: bool,
    console: Console,
) -> Path:  # fmt: skip
    """Measure one size and write its JSON. Returns the JSON's path.

    Args:
        data: folder for registers and runs; a synthetic register of the same size and seed is used again.
        members: size of the synthetic register.
        seed: of the synthetic register.
        memory: limit of all processes of a part together, as in 8GB.
        register: a folder of register/v1 drops to use instead.
        results: folder of JSONs.
        keep: leave the run's folder, tens of gigabytes at national size, instead of removing it.
        peers: measure pandas, polars and PySpark on the same input as well.
        console: where phases are shown as they end.

    Raises:
        PartError: a part failed, did not close or used too much memory; nothing is written then.
    """
    before = report.machine()
    home = data / f"{members}-{seed}"
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder, log = home / "run", home / "bench.log"
    log.unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
    drops = register or home / "register"

    def run(part: str, watched: Path) -> PartFigures:
        console.print(f"[bold]{part}[/]")
        command = command_of(part, data=folder, register=drops, members=members, seed=seed, memory=memory)
        return run_part(part, command, watched, memory, log=log, tell=lambda phase: _show(phase, console))

    parts = []
    if not (drops / "expected_dispositions.parquet").is_file() and register is None:
        shutil.rmtree(drops, ignore_errors=True)
        made = run("register", home)
        (home / "register.json").write_text(_as_json(made), encoding="utf-8")
        parts.append(made)
    parts.append(run("season", folder))
    parts.append(run("floor", folder))
    parts.append(run("compare", folder))
    record = report.assemble(members, seed, memory, before, PROJECT_ROOT, parts)
    if peers:
        from kakuninsho.bench.floor import input_values
        from kakuninsho.bench.peers import run_peers
        from kakuninsho.bench.season import settings_of

        settings = settings_of(folder, drops)
        values = input_values(settings, folder / "floor" / "lots")
        record["peers"] = run_peers(settings, folder, values, memory, log=log, console=console)
    earlier = home / "register.json"
    if "register" not in record["parts"] and earlier.is_file():
        record["parts"] = {"register": _from_json(earlier)} | record["parts"]
        record["figures"] = report.figures(record)
    path = report.write(record, results)
    if not keep:
        shutil.rmtree(folder, ignore_errors=True)
    console.print(report.phase_table(record))
    if members >= report.NATIONAL:
        console.print(report.target_table(record))
    console.print(f"{path}", highlight=False, soft_wrap=True)
    return path


def write_page(results: Path, page: Path, console: Console) -> None:
    """Write tables and chart of the page from the JSONs."""
    runs = report.read(results)
    airflow = results / "airflow.json"
    overhead = json.loads(airflow.read_text(encoding="utf-8")) if airflow.is_file() else None
    report.write_page(runs, page, overhead)
    console.print(f"{page}: {len(runs)} sizes", highlight=False, soft_wrap=True)


def _show(phase: PhaseFigures, console: Console) -> None:
    found = phase.as_dict()
    speed = f"{found['rows_per_second']:>12,} 行/秒" if found["rows_per_second"] else ""
    console.print(
        f"  {phase.phase:38} {phase.seconds:8.1f} s {found['peak_rss_mb']:7,} MB {found['peak_disk_mb']:8,} MB {speed}",
        highlight=False,
        soft_wrap=True,
    )


def _as_json(part: PartFigures) -> str:
    found = {"seconds": part.seconds, "phases": [phase.as_dict() for phase in part.phases], "result": part.result}
    return json.dumps(found, default=str) + "\n"


def _from_json(path: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads(path.read_text(encoding="utf-8"))
    return found


def measure_airflow(data: Path, *, members: int, seed: int, memory: str, results: Path, console: Console) -> Path:
    """Measure what Airflow takes for ten DAG runs beside their work, and write `airflow.json`. Returns its path.

    Raises:
        PartError: a DAG run failed.
    """
    folder, log = data / "airflow", data / "airflow.log"
    shutil.rmtree(folder, ignore_errors=True)
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    before = report.machine()
    command = command_of("overhead", data=folder, register=folder, members=members, seed=seed, memory=memory)
    part = run_part("overhead", command, folder, memory, log=log, tell=lambda phase: _show(phase, console))
    results.mkdir(parents=True, exist_ok=True)
    path = results / "airflow.json"
    found = {"commit": report.commit(PROJECT_ROOT), "machine": before} | part.result
    path.write_text(json.dumps(found, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    console.print(f"{path}: {part.result}", highlight=False, soft_wrap=True)
    return path
