"""The command line. Exit codes: 0 done, 1 refused or not closed (the message says why), 2 wrong use, 130 interrupted.

What a person reads is Japanese where the environment's language is, else English (`messages`); `--json` gives machines
one document on stdout, and a refusal as one on stderr.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from kakuninsho.messages import t
from kakuninsho.settings import Settings
from kakuninsho.terminal import DAY, EXIT_CODES, AsJson, Commands, Data, as_lines, console, errors, on_one_line

app = typer.Typer(
    name="kakuninsho",
    cls=Commands,
    help=t(
        "資格確認書の一括交付: 加入者データから、判定・計画・印刷会社への提供・投函・返戻・事業所発送まで。",
        "Eligibility certificates from the register to the letter box: decide, plan, print, post, follow up, account.",
    ),
    epilog=t(
        f"{EXIT_CODES}\n\n表示は LANG / LC_ALL が ja のとき日本語、それ以外は英語です。",
        f"{EXIT_CODES}\n\nText is Japanese where LANG or LC_ALL says ja, else English.",
    ),
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)

RUN = t("年度の業務を動かす", "Run")
LOOK = t("状況を見る", "Look")
DECIDE = t("人の判断", "Decide")
FILES = t("データの授受", "Files in and out")
UPKEEP = t("説明書・計測", "Documents and measurements")

Members = Annotated[int, typer.Option(help=t("合成する加入者数", "members of the synthetic register"), min=1)]
Seed = Annotated[
    int, typer.Option(help=t("合成データと発送結果の種", "seed of the register and of what happens to mail"))
]
Given = Annotated[
    Path | None,
    typer.Option(
        "--register", help=t("合成データの代わりに使う加入者データ", "a folder of register/v1 drops to use instead")
    ),
]
Branch = Annotated[
    str | None,
    typer.Option(help=t("支部の都道府県コード 2桁", "prefecture code of the branch, two digits"), metavar="01-47"),
]
Person = Annotated[
    str,
    typer.Argument(
        metavar="MEMBER",
        help=t(
            "保険者番号-記号-番号-枝番、または整理番号 (作業一覧)、資格確認書番号",
            "insurer number, symbol, number and suffix joined by hyphens; or a case number, or a certificate's",
        ),
    ),
]


def _settings(data: Path) -> Settings:
    os.environ["KAKUNINSHO_DATA"] = str(data.resolve())
    return Settings.from_environment()


def _absolute(folder: Path | None) -> Path | None:
    return folder.resolve() if folder else None


def _show(payload: Any, tables: Callable[[], Iterable[Table]], *, as_json: bool) -> None:
    """One document for machines, or tables for a person. Tables nobody will read are not made."""
    if as_json:
        as_lines(payload)
        return
    for table in tables():
        console.print(table)


@app.command(
    rich_help_panel=RUN,
    help=t(
        "年度の業務を 4月から 12月1日まで Airflow で再現し、台帳を示す。台帳が閉じなければ終了コード 1。",
        "Replay a whole season through Airflow, April to 1 December, and show the ledger. Ends with 1 when it is open.",
    ),
)
def season(
    data: Data = Path("var/season"),
    members: Members = 20_000,
    seed: Seed = 2025,
    register: Given = None,
    until: Annotated[date | None, typer.Option(help=t("この日で止める", "stop after this day"), **DAY)] = None,
    as_json: AsJson = False,
) -> None:
    """Replay a whole season."""
    import json

    from kakuninsho.replay.season import replay

    closes = replay(
        data.resolve(),
        members=members,
        seed=seed,
        register=_absolute(register),
        until=until,
        console=Console(stderr=True) if as_json else console,
    )
    if as_json:
        as_lines(json.loads((data.resolve() / "summary.json").read_text(encoding="utf-8")))
    if not closes:
        raise typer.Exit(1)


@app.command(
    rich_help_panel=RUN,
    help=t(
        "Airflow と代役 (印刷会社・郵便局・基幹システム) を動かし、画面の利用者を示す。",
        "Start Airflow with its page and the stand-in printer, post office and core system, until `down`.",
    ),
)
def up(
    data: Data = Path("var/season"),
    members: Members = 20_000,
    seed: Seed = 2025,
    register: Given = None,
    port: Annotated[int, typer.Option(help=t("画面のポート", "port of the page"))] = 8080,
    as_json: AsJson = False,
) -> None:
    """Start Airflow with its page."""
    from kakuninsho.replay.installation import Beginning
    from kakuninsho.server import lifecycle
    from kakuninsho.server.display import show
    from kakuninsho.server.people import PEOPLE

    _settings(data)
    wanted = Beginning.of(members, seed, _absolute(register))
    progress = errors if as_json else console
    with progress.status(t("準備", "preparing")) as status:
        tell = status.update if progress.is_terminal else progress.print
        running = lifecycle.up(data.resolve(), wanted, port=port, tell=tell)
    if not as_json:
        show(running, console, data=str(data))
        return
    secrets = running.passwords if running.is_new else {}
    people = [{"name": person.name, "role": person.role, "password": secrets.get(person.name)} for person in PEOPLE]
    as_lines({"url": running.url, "was_up": running.was_up, "people": people, "broken_dags": running.broken})


@app.command(rich_help_panel=RUN, help=t("`up` で動かしたものを止める。", "Stop what `up` started."))
def down(data: Data = Path("var/season"), as_json: AsJson = False) -> None:
    """Stop what `up` started."""
    from kakuninsho.server import lifecycle

    stopped = lifecycle.down(data.resolve())
    if as_json:
        as_lines({"stopped": stopped})
    elif stopped:
        console.print(t("止めました: ", "stopped: ") + ", ".join(stopped), highlight=False)
    else:
        console.print(t("動いていません", "nothing runs"))


@app.command(
    rich_help_panel=LOOK,
    help=t(
        "台帳の恒等式を示す。閉じていなければ終了コード 1。",
        "Show the ledger's identities, both sides of each. Ends with 1 when one is open.",
    ),
)
def ledger(
    data: Data = Path("var/season"),
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help=t("事実から作り直してから示す", "derive everything from the facts first"))
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show the ledger."""
    from kakuninsho.facts.chain import CorruptFactError
    from kakuninsho.facts.soundness import require_sound
    from kakuninsho.operations import publishing
    from kakuninsho.operations.published_copy import NothingPublishedError, require_published
    from kakuninsho.operations.summary import summarise
    from kakuninsho.replay.tables import ledger_table
    from kakuninsho.warehouse import TransformError

    settings, is_sound = _settings(data), True
    if rebuild:
        day = publishing.newest_fact_on(settings.store)
        if day is None:
            raise NothingPublishedError(settings.data)
        try:
            require_sound(settings.store)
        except CorruptFactError as error:  # the ledger shows which identity it opens; `verify` says what differs
            errors.print(str(error), highlight=False, markup=False)
            is_sound = False
        try:
            publishing.publish(settings, day, thorough=True, over_corrupt=True)
        except TransformError as error:  # an open ledger fails its test: the identities say which
            errors.print(str(error), highlight=False, markup=False)
    require_published(settings)
    rows = summarise(settings)["ledger"]
    _show(rows, lambda: [ledger_table(rows)], as_json=as_json)
    if not is_sound or not all(row["closes"] for row in rows):
        raise typer.Exit(1)


@app.command(
    rich_help_panel=LOOK,
    help=t(
        "一人について分かっていることをすべて示す: 見た規則、決めた規則、出来事と元のファイル、このあと。",
        "Everything known of one person: rules looked at, the one that decided, events, files, what comes next.",
    ),
)
def explain(member: Person, data: Data = Path("var/season"), as_json: AsJson = False) -> None:
    """Everything known of one person."""
    from kakuninsho.documents.explanation import explanation_tables
    from kakuninsho.operations.explaining import explain as find
    from kakuninsho.operations.work_list import find_member

    settings = _settings(data)
    explanation = find(settings, find_member(settings, member))
    _show(explanation.as_dict(), lambda: explanation_tables(explanation), as_json=as_json)


@app.command(
    rich_help_panel=LOOK,
    help=t(
        "期限の見込み: 週ごとの差出しと印刷・引受の能力。間に合わない見込みなら終了コード 1。",
        "Whether the last day of service holds: what is to be posted each week against printer and post. Else 1.",
    ),
)
def forecast(data: Data = Path("var/season"), as_json: AsJson = False) -> None:
    """Whether the last day of service holds."""
    from kakuninsho.operations.forecasting import deadline
    from kakuninsho.replay.tables import forecast_table

    found = deadline(_settings(data))
    if as_json:
        as_lines(found.as_dict())
    else:
        console.print(forecast_table(found))
        console.print(found.sentence(), highlight=False)
    if not found.holds:
        raise typer.Exit(1)


@app.command(
    name="card-expiry",
    rich_help_panel=LOOK,
    help=t(
        "電子証明書の有効期限が来る人と猶予が終わる人の見込み、今後12か月。",
        "Electronic certificates that expire and whose grace ends, in the coming twelve months.",
    ),
)
def expiring_cards(
    data: Data = Path("var/season"),
    branch: Branch = None,
    as_json: AsJson = False,
) -> None:
    """Cards that expire in the coming twelve months."""
    from dataclasses import asdict

    from kakuninsho.operations.forecasting import by_month, card_expiry
    from kakuninsho.replay.tables import card_table

    found = card_expiry(_settings(data), branch)
    _show([asdict(item) for item in found], lambda: [card_table(by_month(found))], as_json=as_json)


@app.command(
    name="usage-rates",
    rich_help_panel=LOOK,
    help=t(
        "マイナ保険証の利用率: 二つの月を並べ、上位・下位 5 と全国。",
        "Usage rates of the card: top five, bottom five and the nation, two months side by side.",
    ),
)
def usage_rates(
    data: Data = Path("var/season"),
    month: Annotated[str | None, typer.Option(help=t("月", "the month"), metavar="YYYY-MM")] = None,
    beside: Annotated[
        str | None, typer.Option(help=t("左に並べる前の月", "an earlier month beside it"), metavar="YYYY-MM")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Usage rates of two months side by side."""
    from kakuninsho.operations.usage import ranking, side_by_side
    from kakuninsho.replay.tables import ranking_table

    found = ranking(_settings(data), month, beside)
    _show(found.as_dict(), lambda: [ranking_table(*side_by_side(found))], as_json=as_json)


@app.command(
    rich_help_panel=DECIDE,
    help=t("支部で人の判断を待つ人と、何を決めるかを示す。", "Who waits for a person at a branch, and what to decide."),
)
def worklist(
    data: Data = Path("var/season"),
    branch: Branch = None,
    out: Annotated[Path | None, typer.Option(help=t("CSV に書く", "write as CSV"), metavar="FILE")] = None,
    as_json: AsJson = False,
) -> None:
    """Who waits for a person."""
    from dataclasses import asdict

    from kakuninsho.operations.work_list import work_list, write_work_list
    from kakuninsho.replay.tables import work_list_table

    lines = work_list(_settings(data), branch)
    if out is not None:
        write_work_list(lines, out)
    if as_json:
        as_lines([asdict(line) for line in lines])
    elif out is not None:
        on_one_line(f"{out}: {len(lines)}")
    else:
        console.print(work_list_table(lines))


@app.command(
    rich_help_panel=DECIDE,
    help=t(
        "一人についての判断を事実として記録する。画面では DAG record_decision。",
        "Record a person's decision as a fact. In the page: the DAG record_decision.",
    ),
)
def decide(
    member: Annotated[
        str,
        typer.Argument(
            metavar="CASE",
            help=t(
                "整理番号 (作業一覧) または 保険者番号-記号-番号-枝番。resume は支部の都道府県コード 2 桁",
                "case number of the work list, or member key; for resume the branch's prefecture code",
            ),
        ),
    ],
    decision: Annotated[str, typer.Option(help="release, exclude, correct_address, resume")],
    by: Annotated[str, typer.Option(help=t("判断した人", "the person who decided"))],
    on: Annotated[date, typer.Option(help=t("判断した日", "the day"), **DAY)],
    reason: Annotated[
        str | None,
        typer.Option(
            help=t("exclude の理由: ", "why somebody is taken out: ")
            + "not_entitled, membership_ended, declined, unreachable, served_at_branch, other_route, entered_in_error"
        ),
    ] = None,
    data: Data = Path("var/season"),
    as_json: AsJson = False,
) -> None:
    """Record a person's decision as a fact."""
    from kakuninsho.operations.deciding import check_decision, read_wish, record_decision, refuse_second_person

    settings = _settings(data)
    wish = read_wish(settings, member, decision, on, reason)
    checked = check_decision(settings, wish)
    refuse_second_person(checked)
    fact = record_decision(settings, wish.member, wish.decision, by, wish.on, wish.reason_code)
    if as_json:
        told = {"case": checked.case, "source": fact.meta["source"], "warnings": checked.warnings}
        as_lines({"fact": fact.name, **told})
        return
    console.print(t("記録しました: ", "recorded: ") + f"{checked.case}  {fact.name}", highlight=False)
    for warning in checked.warnings:
        console.print(f"[yellow]{warning}[/]", highlight=False)


@app.command(
    rich_help_panel=LOOK,
    help=t(
        "二つの日の加入者データ、または二つの計画の違いを支部ごとに示す: 新規、離脱、転居、事由の変更。",
        "What changed between the registers of two days, or between two plans, by branch: came in, left, moved, need.",
    ),
)
def changes(
    before: Annotated[date | None, typer.Option("--from", help=t("前の日", "the earlier day"), **DAY)] = None,
    after: Annotated[date | None, typer.Option("--to", help=t("後の日", "the later day"), **DAY)] = None,
    plans: Annotated[
        tuple[str, str] | None,
        typer.Option(help=t("前と後の計画の名前", "names of the earlier and the later plan"), metavar="PLAN PLAN"),
    ] = None,
    data: Data = Path("var/season"),
    as_json: AsJson = False,
) -> None:
    """What changed between two days or two plans."""
    from kakuninsho.operations.changes import plan_changes, register_changes
    from kakuninsho.replay.tables import changes_tables

    if plans:
        found = plan_changes(_settings(data), *plans)
    elif before and after:
        found = register_changes(_settings(data), before, after)
    else:
        raise typer.BadParameter(
            t("--from と --to、または --plans を指定します", "give --from and --to, or --plans with two names")
        )
    changed = found.as_dict()
    _show(changed, lambda: changes_tables(changed), as_json=as_json)


@app.command(
    rich_help_panel=UPKEEP,
    help=t(
        "すべての事実を読み直す: ハッシュ、連鎖、署名、ロットの作り直し、台帳。違いがあれば終了コード 1。",
        "Read every fact again: hashes, chain, signatures, each lot made again, the ledger. Exit 1 names what differs.",
    ),
)
def verify(
    data: Data = Path("var/season"),
    head: Annotated[
        str | None,
        typer.Option(
            metavar="COUNT:SHA256",
            help=t("外に控えた末尾 (件数:ハッシュ) と比べる", "compare with a head that was kept outside"),
        ),
    ] = None,
    facts_only: Annotated[
        bool, typer.Option("--facts-only", help=t("ロットと台帳は作り直さない", "do not make lots and ledger again"))
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Read every fact again."""
    from kakuninsho.operations.verifying import Report, as_dict, verify

    given = _head(head) if head else None
    report: Report = verify(_settings(data), head=given, thorough=not facts_only)
    if as_json:
        as_lines(as_dict(report))
    else:
        for line in report.lines():
            console.print(line, highlight=False, soft_wrap=True)
    raise typer.Exit(0 if report.is_sound else 1)


def _head(text: str) -> tuple[int, str]:
    count, _, sha256 = text.partition(":")
    if not count.isdecimal() or not sha256:
        raise typer.BadParameter(t("--head は 件数:SHA-256 の形です", "--head is COUNT:SHA256"))
    return int(count), sha256


@app.command(
    rich_help_panel=UPKEEP,
    help=t(
        "事実をフォルダまたは S3 互換の保管先へ写す (差分のみ、両端で照合)。",
        "Copy facts to a folder or an S3-compatible store: what is new only, verified at both ends.",
    ),
)
def backup(
    to: Annotated[str, typer.Option(metavar="URL", help=t("写し先 (s3://… またはフォルダ)", "s3://… or a folder"))],
    data: Data = Path("var/season"),
    lock_days: Annotated[
        int | None,
        typer.Option(
            help=t("この日数は誰も消せない (オブジェクトロック)", "days in which nobody can remove it (object lock)")
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Copy facts to a store."""
    from kakuninsho.facts.backup import backup

    copied = backup(_settings(data).store, to, lock_days=lock_days)
    _show_copied(copied, as_json=as_json)


@app.command(
    rich_help_panel=UPKEEP,
    help=t(
        "写しから事実を戻し、照合してから使う。空のデータフォルダにだけ戻せる。",
        "Bring facts back from a backup, verified before they are used; into an empty data folder only.",
    ),
)
def restore(
    source: Annotated[str, typer.Option("--from", metavar="URL", help=t("写しのある所", "where the backup is"))],
    data: Data = Path("var/season"),
    as_json: AsJson = False,
) -> None:
    """Bring facts back from a backup."""
    from kakuninsho.facts.backup import restore

    _show_copied(restore(_settings(data).store, source), as_json=as_json)


def _show_copied(copied: Any, *, as_json: bool) -> None:
    counts = {name: getattr(copied, name) for name in ("facts", "files", "bytes", "known", "head")}
    if as_json:
        as_lines(counts)
        return
    said = t(
        f"事実 {copied.facts:,} 件、{copied.files:,} ファイル ({copied.bytes:,} バイト) を写しました。"
        f"すでにあったもの {copied.known:,} 件。末尾 {copied.head}",
        f"{copied.facts:,} facts, {copied.files:,} files ({copied.bytes:,} bytes) copied, "
        f"{copied.known:,} were there; head {copied.head}",
    )
    console.print(said, highlight=False, soft_wrap=True)


@app.command(
    rich_help_panel=UPKEEP,
    help=t(
        "以前の版の事実を連鎖に加えて署名する。加える前の状態は保証できない。",
        "Take facts of an earlier version into the chain and sign them; what they were before cannot be vouched for.",
    ),
)
def adopt(
    on: Annotated[date, typer.Option(help=t("加えた日", "the day"), **DAY)],
    data: Data = Path("var/season"),
    as_json: AsJson = False,
) -> None:
    """Take facts of an earlier version into the chain."""
    count = _settings(data).store.adopt(on)
    if as_json:
        as_lines({"adopted": count})
        return
    said = t(
        f"{count:,} 件の事実を連鎖に加えました。それより前に変えられていなかったことは保証できません",
        f"{count:,} facts were taken into the chain; that they had not been changed before cannot be vouched for",
    )
    console.print(said, highlight=False)


@app.command(
    rich_help_panel=UPKEEP,
    help=t(
        "説明書 (dbt docs、検査報告) の入口を <data>/published/docs/ に作る。",
        "Make dbt docs and the validation reports under <data>/published/docs/.",
    ),
)
def docs(data: Data = Path("var/season"), as_json: AsJson = False) -> None:
    """Make dbt docs and the validation reports."""
    from kakuninsho import docs_site

    page = docs_site.build(_settings(data))
    if as_json:
        as_lines({"page": str(page)})
    else:
        on_one_line(str(page))


@app.command(
    rich_help_panel=UPKEEP,
    help=t(
        "全国規模の計測: 工程ごとの時間・メモリ・ディスクと、最小の処理 (floor.sql) との比。",
        "Measure the pipeline phase by phase on a national register, beside the least work there is (floor.sql).",
    ),
)
def bench(
    data: Annotated[Path, typer.Option("--data", help=t("作業フォルダ", "folder for registers and runs"))] = Path(
        "var/bench"
    ),
    members: Members = 39_700_000,
    seed: Seed = 2025,
    memory: Annotated[str, typer.Option(help=t("使ってよいメモリ", "limit of all processes together"))] = "8GB",
    register: Given = None,
    results: Annotated[
        Path | None, typer.Option(help=t("結果の JSON を書くフォルダ", "folder of the JSONs with figures"))
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help=t("実行結果のフォルダを残す", "keep the folder of the run"))
    ] = False,
    peers: Annotated[
        bool, typer.Option("--peers", help=t("pandas, polars, PySpark とも比べる", "pandas, polars, PySpark as well"))
    ] = False,
    airflow: Annotated[
        bool, typer.Option("--airflow", help=t("Airflow 自体の時間だけを計る", "only what Airflow itself takes"))
    ] = False,
    page: Annotated[
        bool, typer.Option("--page", help=t("計測せず、説明書の頁だけを書く", "measure nothing, write the docs page"))
    ] = False,
) -> None:
    """Measure the pipeline beside the floor."""
    from kakuninsho.bench import commands

    folder = results or commands.RESULTS
    if page:
        commands.write_page(folder, commands.PAGE, console)
        return
    if airflow:
        commands.measure_airflow(
            data.resolve(), members=members, seed=seed, memory=memory, results=folder, console=console
        )
        return
    commands.bench(
        data.resolve(),
        members=members,
        seed=seed,
        memory=memory,
        register=_absolute(register),
        results=folder,
        keep=keep,
        peers=peers,
        console=console,
    )


@app.command(
    name="employer-list",
    rich_help_panel=FILES,
    help=t(
        "事業所の送付予定対象者一覧表を、確定した計画から作る。個人情報を含む。",
        "One employer's list from the frozen plan, equal to what was sent. Holds personal data.",
    ),
)
def employer_list(
    employer: Annotated[
        str, typer.Option(help=t("保険者番号-記号", "insurer number and symbol, joined by a hyphen"), metavar="KEY")
    ],
    out: Annotated[Path, typer.Option(help=t("書くファイル", "file to write"), metavar="FILE")],
    form: Annotated[str, typer.Option("--format", help="pdf, csv, xlsx")] = "pdf",
    data: Data = Path("var/season"),
    as_json: AsJson = False,
) -> None:
    """One employer's list from the frozen plan."""
    from kakuninsho.operations.employer_lists import EmployerKey, write_employer_list
    from kakuninsho.operations.employer_lists import employer_list as find

    found = find(_settings(data), EmployerKey.parse(employer))
    write_employer_list(found, form, out)
    if as_json:
        as_lines({"file": str(out), "format": form, "lines": len(found.lines)})
    else:
        on_one_line(f"{out}: {len(found.lines)}")


def _add_groups() -> None:
    from kakuninsho.printer.commands import app as printer_commands
    from kakuninsho.register.commands import app as register_commands

    app.add_typer(
        printer_commands,
        name="printer",
        rich_help_panel=FILES,
        help=t(
            "印刷会社とのデータ授受: 受入試験、校正刷り、作り直し。",
            "The printer: acceptance, proofs, lots made again.",
        ),
    )
    app.add_typer(
        register_commands,
        name="register",
        rich_help_panel=FILES,
        help=t("加入者データ: 検査と合成。", "Register drops: check them, make synthetic ones."),
    )


_add_groups()


if __name__ == "__main__":
    app()
