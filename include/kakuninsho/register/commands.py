"""`kakuninsho register …`: what can be done with a register folder by hand."""

from __future__ import annotations

import tempfile
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from kakuninsho.campaign import DEFAULT_CAMPAIGN
from kakuninsho.messages import describe, t
from kakuninsho.terminal import DAY, AsJson, Commands, as_lines, console, errors, tell_refusal

if TYPE_CHECKING:
    from kakuninsho.register.drops import Drop

app = typer.Typer(cls=Commands, no_args_is_help=True, pretty_exceptions_enable=False)


@app.callback()
def _group() -> None:
    """Register drops."""


STATES = {
    "accepted": ("受入れ可", "fine"),
    "refused": ("受け入れられない", "refused"),
    "waiting": ("manifest を待っている", "waiting: no manifest yet"),
}


@app.command(
    help=t(
        "加入者データのフォルダを確かめ、却下される行を数える。何も取り込まない。受け入れられなければ終了コード 1。",
        "Verify every drop of a register folder and count its rejects; lands nothing. Ends with 1 when one is refused.",
    )
)
def check(
    folder: Annotated[
        Path,
        typer.Argument(
            help=t(
                "加入者データのフォルダ、またはその中の一つ (as_of=YYYY-MM-DD)",
                "register folder, or one drop of it (as_of=YYYY-MM-DD)",
            )
        ),
    ],
    campaign: Annotated[
        str,
        typer.Option(
            help=t("却下の上限を決める年度の設定", "campaign whose limit of rejects holds"),
            envvar="KAKUNINSHO_CAMPAIGN",
        ),
    ] = DEFAULT_CAMPAIGN,
    until: Annotated[
        date | None, typer.Option(help=t("この日までの配信だけ", "only drops up to this day"), **DAY)
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help=t(
                "却下された行をこの CSV に書く (ファイル・行番号・列・理由だけ。値は書かない)",
                "write the rejected rows to this CSV file: file, row number, column and code, no other value",
            )
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Verify every drop of a register folder.

    Each refusal says which file, which rule, how many rows and what to do.
    """
    from kakuninsho.register.drops import PREFIX, drop_at, incomplete_drops, list_drops

    day = until or date.max
    if out is not None:
        out.write_text("drop,file,row_number,column_name,reason_code\n", encoding="utf-8")
    is_drop = folder.name.startswith(PREFIX)
    drops = [drop_at(folder)] if is_drop else list_drops(folder, day)
    waiting = [] if is_drop else incomplete_drops(folder, day)
    found = [_checked(drop, campaign, as_json=as_json, out=out) for drop in drops]
    found += [{"drop": drop.name, "kind": None, "state": "waiting", "reason": None, "files": {}} for drop in waiting]
    if as_json:
        as_lines(found)
    else:
        console.print(_table(found))
    if not found:
        errors.print(
            t(
                f"フォルダに配信 ({PREFIX}YYYY-MM-DD) がありません",
                f"there is no drop ({PREFIX}YYYY-MM-DD) in the folder",
            ),
            highlight=False,
        )
    if not found or any(item["state"] == "refused" for item in found):
        raise typer.Exit(1)


def _checked(drop: Drop, campaign: str, *, as_json: bool, out: Path | None) -> dict[str, Any]:
    """What becomes of a drop: its files with their counts, or the refusal, which is told at once."""
    from kakuninsho.campaign import campaigns_folder, load_campaign
    from kakuninsho.register.errors import RegisterDropError
    from kakuninsho.register.landing import stage_drop

    with tempfile.TemporaryDirectory(prefix="register-check-") as work:
        rejects = Path(work) / "rejects.csv" if out else None
        try:
            staged = stage_drop(drop, load_campaign(campaign, campaigns_folder()), Path(work), rejects_to=rejects)
        except RegisterDropError as error:
            _append_rejects(rejects, out)
            tell_refusal(describe(error) or str(error), type(error).__name__, as_json=as_json)
            return {"drop": drop.name, "kind": None, "state": "refused", "reason": str(error.reason), "files": {}}
        _append_rejects(rejects, out)
    files = {
        name: {"rows": file.rows, "accepted": file.accepted, "rejected": file.rejected, "rejects": file.rejects}
        for name, file in staged.files.items()
    }
    return {"drop": staged.name, "kind": staged.kind, "state": "accepted", "reason": None, "files": files}


def _append_rejects(rejects: Path | None, out: Path | None) -> None:
    """Add a drop's rejects, without their header line, to the file that was asked for."""
    if rejects is None or out is None or not rejects.is_file():
        return
    with rejects.open(encoding="utf-8") as lines, out.open("a", encoding="utf-8") as all_rejects:
        next(lines, None)
        all_rejects.writelines(lines)


def _table(found: list[dict[str, Any]]) -> Table:
    headings = (
        ("配信", "drop"),
        ("種別", "kind"),
        ("ファイル", "file"),
        ("行", "rows"),
        ("受入れ", "accepted"),
        ("却下", "rejected"),
        ("却下の理由", "rejects by code"),
    )
    table = Table(*(t(*heading) for heading in headings))
    for item in found:
        for name, file in item["files"].items():
            codes = ", ".join(f"{code} {count:,}" for code, count in file["rejects"].items())
            counts = (f"{file[part]:,}" for part in ("rows", "accepted", "rejected"))
            table.add_row(item["drop"], item["kind"], name, *counts, codes)
        if item["state"] != "accepted":
            reason = f": {item['reason']}" if item["reason"] else ""
            table.add_row(item["drop"], "", "", "", "", "", f"{t(*STATES[item['state']])}{reason}")
    return table


@app.command(
    help=t(
        "合成の加入者データを作る: 年度の全配信と、仕込んだ事例、想定される判定。",
        "Make a synthetic register: drops of a season with planted cases, and what is to be expected of them.",
    )
)
def generate(
    out: Annotated[
        Path, typer.Option(help=t("配信を書くフォルダ。空であること", "folder for the drops; must hold none yet"))
    ],
    members: Annotated[
        int, typer.Option(help=t("基準日の加入者の行数", "rows of members in the campaign's drop"))
    ] = 20_000,
    seed: Annotated[int, typer.Option(help=t("種", "another seed, another register"))] = 2025,
    format: Annotated[str, typer.Option(help=t("parquet か csv", "parquet or csv"))] = "parquet",
    drops: Annotated[
        str, typer.Option(help=t("all (全配信) か campaign (基準日だけ)", "all, or only the campaign's own"))
    ] = "all",
    campaign: Annotated[
        str,
        typer.Option(
            help=t("暦を決める年度の設定", "campaign whose calendar gives the drops"), envvar="KAKUNINSHO_CAMPAIGN"
        ),
    ] = DEFAULT_CAMPAIGN,
    memory: Annotated[str, typer.Option(help=t("DuckDB のメモリ", "memory for DuckDB"))] = "4GB",
    threads: Annotated[int, typer.Option(help=t("DuckDB のスレッド数", "threads for DuckDB"))] = 2,
    as_json: AsJson = False,
) -> None:
    """Make a synthetic register."""
    from rich.progress import Progress, SpinnerColumn, TimeElapsedColumn

    from kakuninsho.campaign import campaigns_folder, load_campaign
    from kakuninsho.register.synthetic import generate as generate_register

    if format not in ("parquet", "csv") or drops not in ("all", "campaign"):
        raise typer.BadParameter(
            t(
                "--format は parquet か csv、--drops は all か campaign です",
                "--format is parquet or csv, --drops is all or campaign",
            )
        )
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
    if as_json:
        as_lines(
            {
                "drops": report.drops,
                "dispositions": report.dispositions,
                "planted": len(report.planted),
                "seconds": report.seconds,
            }
        )
        return
    table = Table(t("配信", "drop"), *next(iter(report.drops.values())))
    for day, rows in report.drops.items():
        table.add_row(day, *(f"{count:,}" for count in rows.values()))
    console.print(table)
    outcome = Table(t("理由または事由", "reason or need"), t("人", "members"))
    for reason, count in sorted(report.dispositions.items(), key=lambda item: -item[1]):
        outcome.add_row(reason, f"{count:,}")
    console.print(outcome)
    planted = len(report.planted)
    console.print(
        t(f"仕込んだ事例 {planted} 種、{report.seconds} 秒", f"{planted} kinds of planted cases, {report.seconds} s")
    )
