"""`kakuninsho register …`: what can be done with a register folder by hand."""

from __future__ import annotations

import tempfile
from datetime import date
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from kakuninsho.campaign import DEFAULT_CAMPAIGN

app = typer.Typer(no_args_is_help=True, help="加入者データ (register drops)")


@app.callback()
def _group() -> None:
    """加入者データ (register drops)."""


@app.command()
def check(
    folder: Annotated[Path, typer.Argument(help="register folder, or one drop of it (as_of=YYYY-MM-DD)")],
    campaign: Annotated[
        str, typer.Option(help="campaign whose limit of rejects holds", envvar="KAKUNINSHO_CAMPAIGN")
    ] = DEFAULT_CAMPAIGN,
    until: Annotated[str, typer.Option(help="only drops up to this day, YYYY-MM-DD")] = "9999-12-31",
) -> None:
    """Verify every drop of a register folder and count its rejects, without landing anything.

    Ends with 1 when a drop is refused; each refusal says which file, which rule, how many rows and what to do.
    """
    from kakuninsho.campaign import campaigns_folder, load_campaign
    from kakuninsho.register.drops import PREFIX, drop_at, incomplete_drops, list_drops
    from kakuninsho.register.errors import RegisterDropError
    from kakuninsho.register.landing import stage_drop

    console, errors = Console(), Console(stderr=True, soft_wrap=True)
    day = date.fromisoformat(until)
    refused = 0
    table = Table("drop", "kind", "file", "rows", "accepted", "rejected", "rejects by code")
    try:
        is_drop = folder.name.startswith(PREFIX)
        drops = [drop_at(folder)] if is_drop else list_drops(folder, day)
        waiting = [] if is_drop else incomplete_drops(folder, day)
    except RegisterDropError as error:
        errors.print(str(error), highlight=False)
        raise typer.Exit(1) from None
    for drop in drops:
        with tempfile.TemporaryDirectory(prefix="register-check-") as work:
            try:
                staged = stage_drop(drop, load_campaign(campaign, campaigns_folder()), Path(work))
            except RegisterDropError as error:
                refused += 1
                table.add_row(drop.name, "", "", "", "", "", f"refused: {error.reason}")
                errors.print(str(error), highlight=False)
                continue
        for name, file in staged.files.items():
            codes = ", ".join(f"{code} {count:,}" for code, count in file.rejects.items())
            counts = (f"{file.rows:,}", f"{file.accepted:,}", f"{file.rejected:,}")
            table.add_row(staged.name, staged.kind, name, *counts, codes)
    for drop in waiting:
        table.add_row(drop.name, "", "", "", "", "", "waiting: no manifest yet")
    console.print(table)
    if not drops and not waiting:
        errors.print(f"there is no drop ({PREFIX}YYYY-MM-DD) in the folder", highlight=False)
        raise typer.Exit(1)
    if refused:
        raise typer.Exit(1)


@app.command()
def generate(
    out: Annotated[Path, typer.Option(help="folder for the drops; must hold none yet")],
    members: Annotated[int, typer.Option(help="rows of members in the campaign's drop")] = 20_000,
    seed: Annotated[int, typer.Option(help="another seed, another register")] = 2025,
    format: Annotated[str, typer.Option(help="parquet or csv")] = "parquet",
    drops: Annotated[str, typer.Option(help="all, or only the campaign's own")] = "all",
    campaign: Annotated[
        str, typer.Option(help="campaign whose calendar gives the drops", envvar="KAKUNINSHO_CAMPAIGN")
    ] = DEFAULT_CAMPAIGN,
    memory: Annotated[str, typer.Option(help="memory for DuckDB")] = "4GB",
    threads: Annotated[int, typer.Option(help="threads for DuckDB")] = 2,
) -> None:
    """Make a synthetic register: drops of a season with planted cases, and what is to be expected of them."""
    from rich.progress import Progress, SpinnerColumn, TimeElapsedColumn

    from kakuninsho.campaign import campaigns_folder, load_campaign
    from kakuninsho.register.synthetic import SyntheticRegisterError
    from kakuninsho.register.synthetic import generate as generate_register

    errors = Console(stderr=True, soft_wrap=True)
    if format not in ("parquet", "csv") or drops not in ("all", "campaign"):
        raise typer.BadParameter("--format is parquet or csv, --drops is all or campaign")
    try:
        with Progress(SpinnerColumn(), *Progress.get_default_columns(), TimeElapsedColumn(), console=errors) as bar:
            task = bar.add_task("world", total=1.0)
            report = generate_register(
                members,
                seed,
                out,
                load_campaign(campaign, campaigns_folder()),
                format="csv" if format == "csv" else "parquet",
                drops="all" if drops == "all" else "campaign",
                progress=lambda step, share: bar.update(task, description=step, completed=share),
                memory_limit=memory,
                threads=threads,
            )
    except SyntheticRegisterError as error:
        errors.print(str(error), highlight=False)
        raise typer.Exit(1) from None
    table = Table("drop", *next(iter(report.drops.values())))
    for day, rows in report.drops.items():
        table.add_row(day, *(f"{count:,}" for count in rows.values()))
    console = Console()
    console.print(table)
    outcome = Table("reason or need", "members")
    for reason, count in sorted(report.dispositions.items(), key=lambda item: -item[1]):
        outcome.add_row(reason, f"{count:,}")
    console.print(outcome)
    console.print(f"{len(report.planted)} kinds of planted cases, {report.seconds} s")
