"""`kakuninsho printer …`: the contract, a printer's acceptance, and lots that were sent, by hand."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from kakuninsho.printer.acceptance import Pace, Result

app = typer.Typer(no_args_is_help=True, help="印刷会社とのデータ授受 (files to and from the printer)")
console = Console()
errors = Console(stderr=True, soft_wrap=True)

Data = Annotated[Path, typer.Option("--data", help="データフォルダ (data folder)", envvar="KAKUNINSHO_DATA")]
Lot = Annotated[str, typer.Argument(help="ロットID (lot id)", metavar="LOT_ID")]


@app.callback()
def _group() -> None:
    """印刷会社とのデータ授受 (files to and from the printer)."""


def _stop(error: Exception) -> typer.Exit:
    errors.print(f"[bold red]中止[/] {error}", highlight=False)
    return typer.Exit(1)


@app.command()
def rebuild(
    lot_id: Lot,
    data: Data = Path("var/season"),
    out: Annotated[Path | None, typer.Option(help="作り直したファイルを残すフォルダ (keep the file here)")] = None,
) -> None:
    """送付したロットを事実から作り直し、ハッシュを比べる。違えば終了コード 1 (make a sent lot again and compare)."""
    from kakuninsho.facts.store import FactStore
    from kakuninsho.printer.lot_file import LotFileError
    from kakuninsho.printer.rebuild import RebuildError, rebuild_lot

    with tempfile.TemporaryDirectory(prefix="rebuild-") as scratch:
        folder = out or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            rebuilt = rebuild_lot(FactStore(data.resolve()), lot_id, folder)
        except (RebuildError, LotFileError) as error:
            raise _stop(error) from None
    table = Table(title=f"{rebuilt.lot_id}  {rebuilt.plan_id}", title_justify="left", show_header=False)
    table.add_row("送付した内容 (sent)", rebuilt.sent)
    table.add_row("作り直した内容 (made again)", rebuilt.made)
    table.add_row("保管した内容 (kept)", rebuilt.kept or "保存期間満了により削除済み (deleted by retention)")
    console.print(table)
    console.print("[green]一致[/]" if rebuilt.agrees else "[bold red]不一致[/]", highlight=False)
    if out is not None:
        console.print(str(rebuilt.path), highlight=False, soft_wrap=True)
    if not rebuilt.agrees:
        raise typer.Exit(1)


@app.command()
def proof(
    lot_id: Lot,
    data: Data = Path("var/season"),
    out: Annotated[Path, typer.Option(help="PDF を書くフォルダ (folder for the PDF)")] = Path("proofs"),
) -> None:
    """送付したロットファイルから、実物の校正刷り PDF を作る。個人情報を含む (proofs from the bytes that were sent)."""
    from kakuninsho.documents.proofs import make_proof
    from kakuninsho.facts.store import FactStore, sha256_of
    from kakuninsho.printer.lot_file import LotFileError
    from kakuninsho.printer.rebuild import RebuildError, rebuild_lot, sealed_lot

    store = FactStore(data.resolve())
    with tempfile.TemporaryDirectory(prefix="proof-") as scratch:
        try:
            sealed = sealed_lot(store, lot_id)
            clear = sealed.path / sealed.meta["source"]
            if not clear.is_file():  # deleted by retention: the plan may still give it
                clear = rebuild_lot(store, lot_id, Path(scratch)).path
            if sha256_of(clear) != sealed.meta["source_sha256"]:
                raise RebuildError(f"lot {lot_id}: the kept file is not the one that was sent; run `printer rebuild`")
            made = make_proof(clear, out)
        except (RebuildError, LotFileError) as error:
            raise _stop(error) from None
    console.print(f"{made.path}  ({len(made.control_numbers)} 通 pieces)", highlight=False, soft_wrap=True)


@app.command()
def contract(
    out: Annotated[Path | None, typer.Option(help="書き出す先。既定は docs/printer-contract.md (target)")] = None,
) -> None:
    """授受仕様の日本語文書を機械可読の仕様から作り直す (make the Japanese document again)."""
    from kakuninsho.printer.contract_document import DOCUMENT, write_document

    path = write_document(out or DOCUMENT)
    console.print(str(path), highlight=False, soft_wrap=True)


# --- acceptance ------------------------------------------------------------------------------------


@app.command()
def acceptance(
    host: Annotated[str, typer.Option(help="SFTP のホスト (host)")],
    host_key: Annotated[Path, typer.Option(help="登録するホスト鍵の公開鍵ファイル (pinned host key)", exists=True)],
    keys: Annotated[
        Path, typer.Option(help="鍵フォルダ: 当方の鍵と相手の公開鍵 (our keys, the printer's public key)", exists=True)
    ],
    port: Annotated[int, typer.Option(help="SFTP のポート (port)")] = 22,
    username: Annotated[str, typer.Option(help="SFTP の利用者名 (user)")] = "insurer",
    series: Annotated[int, typer.Option(help="試験の通し番号。同じ番号は一度だけ (number of this run)")] = 1,
    begin: Annotated[str | None, typer.Option(help="相手の現在日 YYYY-MM-DD。既定は今日 (their day)")] = None,
    pace: Annotated[
        str,
        typer.Option(help="日の進め方: wait = 待つ、または {date} を含むコマンド (wait, or a command with {date})"),
    ] = "wait",
    patience: Annotated[float, typer.Option(help="wait のとき一段階に待つ秒数 (seconds per step)")] = 600,
    told: Annotated[
        list[str] | None, typer.Option(help="相手に起こさせた事: spoils, returns (what it was told to do)")
    ] = None,
    to_printer: Annotated[str, typer.Option(help="送るフォルダ (folder to write)")] = "to_printer",
    from_printer: Annotated[str, typer.Option(help="受けるフォルダ (folder to read)")] = "from_printer",
    as_json: Annotated[bool, typer.Option("--json", help="機械可読の JSON で出す (JSON for machines)")] = False,
) -> None:
    """印刷会社の受入試験: 架空のロットを送り、回答を仕様と照合する (acceptance of a printer's endpoint).

    終了コード 1: 不合格あり (a check failed)。「未確認」は合格ではない (not seen is no pass)。

    代役では (with the sandbox): --pace "python -m kakuninsho.sandbox advance --root DIR --to {date}"、
    serve --clock rush の相手には --pace wait。
    """
    from kakuninsho.printer.acceptance import RETURNS, SPOILS, AcceptanceError, play
    from kakuninsho.printer.sealing import CLIENT_KEY, SealError, load_keys
    from kakuninsho.printer.transfer import SftpTarget

    if set(told or []) - {SPOILS, RETURNS}:
        raise typer.BadParameter(f"--told は {SPOILS} か {RETURNS} ({SPOILS} or {RETURNS})")
    today = date.fromisoformat(begin) if begin else datetime.now(tz=ZoneInfo("Asia/Tokyo")).date()
    target = SftpTarget(
        host, port, username, keys / CLIENT_KEY, host_key.read_text(encoding="utf-8"), to_printer, from_printer
    )
    work = Path(tempfile.mkdtemp(prefix="acceptance-"))
    try:
        result = play(
            target,
            load_keys(keys),
            work,
            _pace(pace, patience),
            begin=today,
            series=series,
            told=frozenset(told or []),
            tell=lambda step: errors.print(f"… {STEPS[step]}", highlight=False),
        )
    except (AcceptanceError, SealError) as error:
        raise _stop(error) from None
    finally:
        shutil.rmtree(work, ignore_errors=True)
    if as_json:
        checks = [asdict(check) for check in result.checks]
        typer.echo(json.dumps({"series": series, "passed": result.passed, "checks": checks}, ensure_ascii=False))
    else:
        _show(result)
    if not result.passed:
        raise typer.Exit(1)


STEPS = {
    "lots": "ロットの送付 (lots)",
    "again": "同じファイルの再送 (the same file again)",
    "conflict": "同名・別内容、同じロットID (conflicts)",
    "orders": "引抜き指示と誤った指示 (orders)",
    "release": "差出指示、差出し、返戻 (release, posting, returns)",
    "late": "差出後の指示 (late orders)",
}
_MARKS = {"passed": "[green]合格[/]", "failed": "[bold red]不合格[/]", "not_seen": "[yellow]未確認[/]"}


def _show(result: Result) -> None:
    table = Table(
        "確認事項",
        "check",
        "期待 (expected)",
        "結果 (seen)",
        "判定",
        title="受入試験 (acceptance)",
        title_justify="left",
    )
    for check in result.checks:
        table.add_row(check.ja, check.name, check.expected, check.seen, _MARKS[check.verdict])
    console.print(table)
    counts = {verdict: sum(check.verdict == verdict for check in result.checks) for verdict in _MARKS}
    console.print("  ".join(f"{mark} {counts[verdict]}" for verdict, mark in _MARKS.items()), highlight=False)


def _pace(text: str, patience: float) -> Pace:
    from kakuninsho.printer.acceptance import Driven, Waiting

    return Waiting(patience) if text == "wait" else Driven(_mover(text))


def _mover(template: str) -> Callable[[date], None]:
    """Runs the command with the day in place of {date}, without a shell."""
    from kakuninsho.printer.acceptance import AcceptanceError

    if "{date}" not in template:
        raise typer.BadParameter("--pace は wait か {date} を含むコマンド (wait, or a command that contains {date})")
    words = shlex.split(template)

    def move(day: date) -> None:
        command = [word.replace("{date}", day.isoformat()) for word in words]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
        except OSError as error:
            raise AcceptanceError(f"the command of --pace cannot be run ({type(error).__name__}): {words[0]}") from None
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise AcceptanceError(f"the command of --pace failed with {done.returncode}: {last}")

    return move
