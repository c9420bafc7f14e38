"""The command line. Exit codes: 0 done, 1 refused or not closed (the message says why), 2 wrong use."""

from __future__ import annotations

import json
import os
from datetime import date
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from kakuninsho.settings import Settings

app = typer.Typer(
    name="kakuninsho",
    help="資格確認書の一括交付: 加入者データから投函・返戻・事業所発送まで (register to letter box).",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
console = Console()
errors = Console(stderr=True)

Data = Annotated[Path, typer.Option("--data", help="データフォルダ (data folder)", envvar="KAKUNINSHO_DATA")]
AsJson = Annotated[bool, typer.Option("--json", help="機械可読の JSON で出す (JSON for machines)")]


def _settings(data: Path) -> Settings:
    os.environ["KAKUNINSHO_DATA"] = str(data.resolve())
    return Settings.from_environment()


@app.command()
def season(
    data: Data = Path("var/season"),
    members: Annotated[int, typer.Option(help="合成する加入者数 (synthetic members)")] = 20_000,
    seed: Annotated[int, typer.Option(help="合成データと発送結果の種 (seed)")] = 2025,
    register: Annotated[Path | None, typer.Option(help="与えられた加入者データ (register/v1 folder)")] = None,
    until: Annotated[str | None, typer.Option(help="この日で止める (YYYY-MM-DD)")] = None,
) -> None:
    """年度の業務を 4月から 12月1日まで Airflow で再現し、台帳を示す (replay a whole season)."""
    from kakuninsho.replay.season import SeasonError, replay

    try:
        closes = replay(
            data.resolve(),
            members=members,
            seed=seed,
            register=register.resolve() if register else None,
            until=date.fromisoformat(until) if until else None,
            console=console,
        )
    except SeasonError as error:
        errors.print(f"[bold red]中止[/] {error}", highlight=False)
        raise typer.Exit(1) from None
    if not closes:
        raise typer.Exit(1)


@app.command()
def ledger(
    data: Data = Path("var/season"),
    rebuild: Annotated[bool, typer.Option(help="事実から作り直してから示す (derive again from facts)")] = False,
    as_json: AsJson = False,
) -> None:
    """台帳の恒等式を示す。閉じていなければ終了コード 1 (the ledger's identities)."""
    from kakuninsho.operations import publishing
    from kakuninsho.operations.summary import summarise
    from kakuninsho.replay.tables import ledger_table
    from kakuninsho.warehouse import TransformError

    settings = _settings(data)
    if rebuild:
        day = publishing.newest_fact_on(settings.store)
        if day is None:
            errors.print(f"no facts under {data}")
            raise typer.Exit(1)
        try:
            publishing.publish(settings, day, thorough=True)
        except TransformError as error:
            errors.print(str(error), highlight=False)
    rows = summarise(settings)["ledger"]
    if as_json:
        typer.echo(json.dumps(rows, ensure_ascii=False))
    else:
        console.print(ledger_table(rows))
    if not all(row["closes"] for row in rows):
        raise typer.Exit(1)


@app.command()
def up(
    data: Data = Path("var/season"),
    members: Annotated[int, typer.Option(help="合成する加入者数 (members of a new folder)")] = 20_000,
    seed: Annotated[int, typer.Option(help="合成データと発送結果の種 (seed of a new folder)")] = 2025,
    register: Annotated[Path | None, typer.Option(help="与えられた加入者データ (register/v1 folder)")] = None,
    port: Annotated[int, typer.Option(help="画面のポート (port of the page)")] = 8080,
) -> None:
    """Airflow と代役を動かし、画面の利用者を示す (start Airflow with its page, until `down`)."""
    from kakuninsho.replay.installation import Beginning, InstallationError
    from kakuninsho.server import lifecycle
    from kakuninsho.server.display import show

    _settings(data)
    wanted = Beginning.of(members, seed, register.resolve() if register else None)
    try:
        with console.status("準備 (preparing)") as status:
            tell = status.update if console.is_terminal else console.print
            running = lifecycle.up(data.resolve(), wanted, port=port, tell=tell)
    except InstallationError as error:
        errors.print(f"[bold red]中止[/] {error}", highlight=False)
        raise typer.Exit(1) from None
    show(running, console, data=str(data))


@app.command()
def down(data: Data = Path("var/season")) -> None:
    """`up` で動かしたものを止める (stop what `up` started)."""
    from kakuninsho.server import lifecycle

    stopped = lifecycle.down(data.resolve())
    console.print(f"止めました (stopped): {', '.join(stopped)}" if stopped else "動いていません (nothing runs)")


@app.command()
def docs(data: Data = Path("var/season")) -> None:
    """説明書の入口を <data>/published/docs/ に作る (dbt docs, validation reports, ledger)."""
    from kakuninsho import docs_site
    from kakuninsho.warehouse import TransformError

    try:
        page = docs_site.build(_settings(data))
    except TransformError as error:
        errors.print(f"[bold red]中止[/] {error}", highlight=False)
        raise typer.Exit(1) from None
    console.print(f"{page}", highlight=False, soft_wrap=True)


@app.command()
def explain(
    member: Annotated[str, typer.Argument(help="保険者番号-記号-番号-枝番 (member key)")],
    data: Data = Path("var/season"),
    as_json: AsJson = False,
) -> None:
    """一人について分かっていることをすべて示す (everything known of one person)."""
    from kakuninsho.operations.explaining import ExplainError, MemberKey
    from kakuninsho.operations.explaining import explain as find
    from kakuninsho.replay.tables import explanation_tables

    try:
        explanation = find(_settings(data), MemberKey.parse(member))
    except ExplainError as error:
        errors.print(str(error), highlight=False)
        raise typer.Exit(1) from None
    if as_json:
        typer.echo(json.dumps(explanation.as_dict(), ensure_ascii=False, default=str))
        return
    for table in explanation_tables(explanation.as_dict()):
        console.print(table)


@app.command()
def worklist(
    data: Data = Path("var/season"),
    branch: Annotated[str | None, typer.Option(help="支部の都道府県コード 2桁 (prefecture code)")] = None,
    out: Annotated[Path | None, typer.Option(help="CSV に書く (write as CSV)")] = None,
    as_json: AsJson = False,
) -> None:
    """支部で人の判断を待つ人と、何を決めるか (who waits for a person, and what to decide)."""
    from dataclasses import asdict

    from kakuninsho.operations.work_list import DecisionError, work_list, write_work_list
    from kakuninsho.replay.tables import work_list_table

    try:
        lines = work_list(_settings(data), branch)
    except DecisionError as error:
        errors.print(str(error), highlight=False)
        raise typer.Exit(1) from None
    if out is not None:
        write_work_list(lines, out)
        console.print(f"{out}: {len(lines)}", highlight=False, soft_wrap=True)
    elif as_json:
        typer.echo(json.dumps([asdict(line) for line in lines], ensure_ascii=False))
    else:
        console.print(work_list_table(lines))


@app.command()
def decide(
    member: Annotated[str, typer.Argument(help="保険者番号-記号-番号-枝番 (member key)")],
    decision: Annotated[str, typer.Option(help="release, exclude, correct_address, resume")],
    by: Annotated[str, typer.Option(help="判断した人 (the person who decided)")],
    on: Annotated[str, typer.Option(help="判断した日 YYYY-MM-DD (the day)")],
    data: Data = Path("var/season"),
) -> None:
    """一人についての判断を事実として記録する (record a person's decision as a fact)."""
    from kakuninsho.operations.explaining import ExplainError, MemberKey
    from kakuninsho.operations.work_list import DecisionError, record_decision

    try:
        fact = record_decision(_settings(data), MemberKey.parse(member), decision, by, date.fromisoformat(on))
    except (DecisionError, ExplainError, ValueError) as error:
        errors.print(str(error), highlight=False)
        raise typer.Exit(1) from None
    console.print(f"記録しました (recorded): {fact.name}", highlight=False)


@app.command()
def bench() -> None:
    """全国規模の計測 (未実装) (the national benchmark: not built yet)."""
    errors.print("bench is not built yet; README lists what is not. kakuninsho season prints seconds per phase")
    raise typer.Exit(1)


def _add_groups() -> None:
    from kakuninsho.printer.commands import app as printer_commands
    from kakuninsho.register.commands import app as register_commands

    app.add_typer(printer_commands, name="printer", help="印刷会社とのデータ授受 (files to and from the printer)")
    app.add_typer(register_commands, name="register", help="加入者データ (register drops)")


_add_groups()


if __name__ == "__main__":
    app()
