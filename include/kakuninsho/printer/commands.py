"""`kakuninsho printer …`: the contract, a printer's acceptance, and lots that were sent, by hand."""

from __future__ import annotations

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
from rich.table import Table

from kakuninsho.messages import t
from kakuninsho.terminal import DAY, AsJson, Commands, Data, as_lines, console, errors, on_one_line

if TYPE_CHECKING:
    from kakuninsho.printer.acceptance import Pace, Result

app = typer.Typer(cls=Commands, no_args_is_help=True, pretty_exceptions_enable=False)

Lot = Annotated[str, typer.Argument(help=t("ロットID", "lot id"), metavar="LOT_ID")]


@app.callback()
def _group() -> None:
    """Files to and from the printer."""


@app.command(
    help=t(
        "送付したロットを事実から作り直し、ハッシュを比べる。違えば終了コード 1。",
        "Make a sent lot again from the facts and compare its hash. Ends with 1 when it differs.",
    )
)
def rebuild(
    lot_id: Lot,
    data: Data = Path("var/season"),
    out: Annotated[
        Path | None, typer.Option(help=t("作り直したファイルを残すフォルダ", "keep the file in this folder"))
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a sent lot again and compare."""
    from kakuninsho.facts.store import FactStore
    from kakuninsho.printer.rebuild import rebuild_lot

    with tempfile.TemporaryDirectory(prefix="rebuild-") as scratch:
        folder = out or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        rebuilt = rebuild_lot(FactStore(data.resolve()), lot_id, folder)
    if as_json:
        as_lines(
            {
                "lot_id": rebuilt.lot_id,
                "plan_id": rebuilt.plan_id,
                "sent": rebuilt.sent,
                "made": rebuilt.made,
                "kept": rebuilt.kept,
                "agrees": rebuilt.agrees,
                "file": str(rebuilt.path) if out is not None else None,
            }
        )
    else:
        table = Table(title=f"{rebuilt.lot_id}  {rebuilt.plan_id}", title_justify="left", show_header=False)
        table.add_row(t("送付した内容", "sent"), rebuilt.sent)
        table.add_row(t("作り直した内容", "made again"), rebuilt.made)
        table.add_row(
            t("保管した内容", "kept"), rebuilt.kept or t("保存期間満了により削除済み", "deleted by retention")
        )
        console.print(table)
        same, different = t("一致", "the same"), t("不一致", "different")
        console.print(f"[green]{same}[/]" if rebuilt.agrees else f"[bold red]{different}[/]", highlight=False)
        if out is not None:
            on_one_line(str(rebuilt.path))
    if not rebuilt.agrees:
        raise typer.Exit(1)


@app.command(
    help=t(
        "送付したロットファイルから、実物の校正刷り PDF を作る。個人情報を含む。",
        "Proofs from the bytes that were sent, as PDF. Holds personal data.",
    )
)
def proof(
    lot_id: Lot,
    data: Data = Path("var/season"),
    out: Annotated[Path, typer.Option(help=t("PDF を書くフォルダ", "folder for the PDF"))] = Path("proofs"),
    as_json: AsJson = False,
) -> None:
    """Proofs from the bytes that were sent."""
    from kakuninsho.documents.proofs import make_proof
    from kakuninsho.facts.store import FactStore, sha256_of
    from kakuninsho.printer.rebuild import RebuildError, rebuild_lot, sealed_lot

    store = FactStore(data.resolve())
    with tempfile.TemporaryDirectory(prefix="proof-") as scratch:
        sealed = sealed_lot(store, lot_id)
        clear = sealed.path / sealed.meta["source"]
        if not clear.is_file():  # deleted by retention: the plan may still give it
            clear = rebuild_lot(store, lot_id, Path(scratch)).path
        if sha256_of(clear) != sealed.meta["source_sha256"]:
            raise RebuildError(f"lot {lot_id}: the kept file is not the one that was sent; run `printer rebuild`")
        made = make_proof(clear, out)
    if as_json:
        as_lines({"file": str(made.path), "control_numbers": list(made.control_numbers)})
        return
    pieces = t(f"{len(made.control_numbers)} 通", f"{len(made.control_numbers)} pieces")
    on_one_line(f"{made.path}  ({pieces})")


@app.command(
    help=t("授受仕様の日本語文書を機械可読の仕様から作り直す。", "Make the Japanese document of the contract again.")
)
def contract(
    out: Annotated[
        Path | None, typer.Option(help=t("書き出す先。既定は docs/printer-contract.md", "target file"))
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make the Japanese document again."""
    from kakuninsho.printer.contract_document import DOCUMENT, write_document

    path = write_document(out or DOCUMENT)
    if as_json:
        as_lines({"file": str(path)})
    else:
        on_one_line(str(path))


# --- acceptance ------------------------------------------------------------------------------------


@app.command(
    help=t(
        "印刷会社の受入試験: 架空のロットを送り、回答を仕様と照合する。不合格があれば終了コード 1。"
        "「未確認」は合格ではない。\n\n"
        '代役では --pace "python -m kakuninsho.sandbox advance --root DIR --to {date}"、'
        "serve --clock rush の相手には --pace wait。",
        "Acceptance of a printer's endpoint: invented lots go out, answers are held against the contract. Ends with 1"
        " when a check fails; a check that was not seen is no pass.\n\n"
        'With the sandbox: --pace "python -m kakuninsho.sandbox advance --root DIR --to {date}"; with serve --clock'
        " rush: --pace wait.",
    )
)
def acceptance(
    host: Annotated[str, typer.Option(help=t("SFTP のホスト", "SFTP host"))],
    host_key: Annotated[
        Path, typer.Option(help=t("登録するホスト鍵の公開鍵ファイル", "the pinned host key's public file"), exists=True)
    ],
    keys: Annotated[
        Path,
        typer.Option(
            help=t("鍵フォルダ: 当方の鍵と相手の公開鍵", "folder: our keys, the printer's public key"), exists=True
        ),
    ],
    port: Annotated[int, typer.Option(help=t("SFTP のポート", "SFTP port"))] = 22,
    username: Annotated[str, typer.Option(help=t("SFTP の利用者名", "SFTP user"))] = "insurer",
    series: Annotated[
        int, typer.Option(help=t("試験の通し番号。同じ番号は一度だけ", "number of this run; each number once"))
    ] = 1,
    begin: Annotated[
        date | None, typer.Option(help=t("相手の現在日。既定は今日", "the other side's day; today"), **DAY)
    ] = None,
    pace: Annotated[
        str,
        typer.Option(
            help=t(
                "日の進め方: wait = 待つ、または {date} を含むコマンド",
                "how days pass: wait, or a command that contains {date}",
            )
        ),
    ] = "wait",
    patience: Annotated[float, typer.Option(help=t("wait のとき一段階に待つ秒数", "seconds to wait per step"))] = 600,
    told: Annotated[
        list[str] | None,
        typer.Option(help=t("相手に起こさせた事: spoils, returns", "what it was told to do: spoils, returns")),
    ] = None,
    to_printer: Annotated[str, typer.Option(help=t("送るフォルダ", "folder to write"))] = "to_printer",
    from_printer: Annotated[str, typer.Option(help=t("受けるフォルダ", "folder to read"))] = "from_printer",
    as_json: AsJson = False,
) -> None:
    """Acceptance of a printer's endpoint."""
    from kakuninsho.printer.acceptance import RETURNS, SPOILS, play
    from kakuninsho.printer.sealing import CLIENT_KEY, load_keys
    from kakuninsho.printer.transfer import SftpTarget

    if set(told or []) - {SPOILS, RETURNS}:
        raise typer.BadParameter(t(f"--told は {SPOILS} か {RETURNS} です", f"--told is {SPOILS} or {RETURNS}"))
    today = begin or datetime.now(tz=ZoneInfo("Asia/Tokyo")).date()
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
            tell=lambda step: errors.print(f"… {t(*STEPS[step])}", highlight=False),
        )
    finally:
        shutil.rmtree(work, ignore_errors=True)
    if as_json:
        checks = [asdict(check) for check in result.checks]
        as_lines({"series": series, "passed": result.passed, "checks": checks})
    else:
        _show(result)
    if not result.passed:
        raise typer.Exit(1)


STEPS = {
    "lots": ("ロットの送付", "lots"),
    "again": ("同じファイルの再送", "the same file again"),
    "conflict": ("同名・別内容、同じロットID", "conflicts"),
    "orders": ("引抜き指示と誤った指示", "orders"),
    "release": ("差出指示、差出し、返戻", "release, posting, returns"),
    "late": ("差出後の指示", "late orders"),
}
_MARKS = {
    "passed": ("[green]合格[/]", "[green]passed[/]"),
    "failed": ("[bold red]不合格[/]", "[bold red]failed[/]"),
    "not_seen": ("[yellow]未確認[/]", "[yellow]not seen[/]"),
}


def _show(result: Result) -> None:
    headings = (("期待", "expected"), ("結果", "seen"), ("判定", "verdict"))
    title = t("受入試験", "Acceptance")
    table = Table(t("確認事項", "check"), "", *(t(*heading) for heading in headings), title=title, title_justify="left")
    for check in result.checks:
        table.add_row(t(check.ja, ""), check.name, check.expected, check.seen, t(*_MARKS[check.verdict]))
    console.print(table)
    counts = {verdict: sum(check.verdict == verdict for check in result.checks) for verdict in _MARKS}
    console.print("  ".join(f"{t(*mark)} {counts[verdict]}" for verdict, mark in _MARKS.items()), highlight=False)


def _pace(text: str, patience: float) -> Pace:
    from kakuninsho.printer.acceptance import Driven, Waiting

    return Waiting(patience) if text == "wait" else Driven(_mover(text))


def _mover(template: str) -> Callable[[date], None]:
    """Runs the command with the day in place of {date}, without a shell."""
    from kakuninsho.printer.acceptance import AcceptanceError

    if "{date}" not in template:
        raise typer.BadParameter(
            t("--pace は wait か {date} を含むコマンドです", "--pace is wait, or a command that contains {date}")
        )
    words = shlex.split(template)

    def move(day: date) -> None:
        command = [word.replace("{date}", day.isoformat()) for word in words]
        try:
            # The command of whoever runs the acceptance, and no shell between.
            done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 (see above)
        except OSError as error:
            raise AcceptanceError(f"the command of --pace cannot be run ({type(error).__name__}): {words[0]}") from None
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise AcceptanceError(f"the command of --pace failed with {done.returncode}: {last}")

    return move
