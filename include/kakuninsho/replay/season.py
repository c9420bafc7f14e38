"""`make season`: set up, replay the whole season through Airflow, print the ledger, write summary.json."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from kakuninsho.messages import t
from kakuninsho.replay.tables import (
    FOLLOW_UP_COLUMNS,
    WAVE_COLUMNS,
    counts_table,
    everyone_table,
    ledger_table,
    register_table,
)
from kakuninsho.settings import Settings


class SeasonError(RuntimeError):
    """The season stopped. Says why and what to do."""


def replay(
    data: Path,
    *,
    members: int,
    seed: int,
    register: Path | None,
    until: date | None,
    console: Console,
    sandbox_arguments: tuple[str, ...] = (),
) -> bool:
    """Replay a season into a data folder. Returns whether the ledger closes.

    Args:
        data: where everything is written.
        members: size of the synthetic register; not used when a register is given.
        seed: of the synthetic register and of the sandbox.
        register: a folder of register/v1 drops to use instead.
        until: stop after this day; the season is then not complete and the ledger may wait.
        console: where progress and tables are printed.
        sandbox_arguments: further arguments of the sandbox's `serve`.

    Raises:
        SeasonError: a run failed, or the folder holds a season of another register.
    """
    from kakuninsho.replay.driver import ReplayError, ReplayStopped, Season, open_log
    from kakuninsho.replay.installation import InstallationError, prepare, running_sandbox

    outside = data / "outside"
    _refuse_where_people_answer(data)
    _same_season(data, members=members, seed=seed, register=register)
    settings = replace(
        Settings.from_environment(),
        data=data,
        register=register or outside / "core" / "register",
        feeds=outside / "core" / "feeds",
        keys=data / "keys",
    )
    eve = (settings.campaign.parameters.snapshot_as_of - timedelta(days=1)).isoformat()
    try:
        prepare(settings, outside)
        if register is None:
            _make_register(settings, outside / "core", members, seed, console)
        with (
            running_sandbox(
                outside, seed=seed, arguments=("--start", eve, "--acknowledge", "daily", *sandbox_arguments)
            ) as sandbox,
            open_log(data) as log_file,
        ):
            accepts = register is not None and os.environ.get("ACCEPT_SHARE") == "1"
            season = Season(settings, sandbox, log_file=log_file, accepts_shares=accepts)
            with _ending_on_request(season):
                _play(season, console, until)
    except (InstallationError, ReplayError) as error:
        raise SeasonError(f"{error}\n{t('記録', 'log')}: {data / 'replay.log'}") from error
    except ReplayStopped:
        console.print(t("中断しました。同じコマンドで続きから再開できます", "stopped; the same command goes on"))
        raise SystemExit(128 + signal.SIGTERM) from None
    return _report(settings, outside, console, complete=until is None)


def _play(season: Any, console: Console, until: date | None) -> None:
    started = time.monotonic()
    with Progress(
        TextColumn("[bold]{task.fields[day]}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
        console=console,
        transient=not console.is_terminal,
    ) as bar:
        task = bar.add_task(t("準備", "preparing"), total=None, day="          ")
        month = ""

        def tell(progress: Any) -> None:
            nonlocal month
            day = progress.run.moment.date().isoformat()
            bar.update(task, completed=progress.number, total=progress.of, description=progress.display_name, day=day)
            if not console.is_terminal and day[:7] != month:
                month = day[:7]
                console.print(f"{month}  {progress.number:>4} / {progress.of}  {time.monotonic() - started:6.1f} s")

        season.play(tell, until=until)


@contextmanager
def _ending_on_request(season: Any) -> Iterator[None]:
    """While the season is played, SIGTERM ends it between two runs instead of within one.

    Written for Airflow 3.3, whose task runner takes SIGTERM for itself in each task and never gives it back: in a
    replay, which runs tasks in its own process, that is not let happen.
    """
    before = signal.signal(signal.SIGTERM, lambda *_: season.stop())
    real = signal.signal

    def kept(number: int, handler: Any) -> Any:
        caller = sys._getframe(1).f_globals.get("__name__")
        if number == signal.SIGTERM and caller == "airflow.sdk.execution_time.task_runner":
            return signal.getsignal(number)
        return real(number, handler)

    try:
        with patch("signal.signal", kept):
            yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _refuse_where_people_answer(data: Path) -> None:
    """A replay answers approvals by itself, so it never touches a folder in which people do.

    Raises:
        SeasonError: people work in this folder, or have answered there.
    """
    from kakuninsho.facts.store import FactStore
    from kakuninsho.plans.approvals import people_who_answered
    from kakuninsho.replay.answering import PEOPLE

    people = people_who_answered(FactStore(data)) - set(PEOPLE)
    if people or (data / "airflow" / "passwords.json").exists():
        raise SeasonError(
            t(
                f"{data} では人が承認に答えています。再現は自分で答えるため、このフォルダでは実行しません。"
                "別の DATA を指定してください",
                f"in {data} people answer approvals; a replay answers by itself and does not run there. "
                "Choose another DATA folder",
            )
        )


def _make_register(settings: Settings, core: Path, members: int, seed: int, console: Console) -> None:
    from kakuninsho.replay.installation import make_register

    with Progress(
        TextColumn(t("合成データ", "synthetic register")),
        BarColumn(),
        TextColumn("{task.description}"),
        console=console,
    ) as bar:
        task = bar.add_task("", total=1.0)
        make_register(
            settings,
            core,
            members,
            seed,
            lambda what, share: bar.update(task, description=what, completed=share),
        )
        bar.update(task, completed=1.0)


def _same_season(data: Path, *, members: int, seed: int, register: Path | None) -> None:
    """A data folder holds one season: refuse another register or seed in it.

    Raises:
        SeasonError: the folder was made with other arguments.
    """
    from kakuninsho.replay.installation import Beginning, begin

    wanted = Beginning.of(members, seed, register)
    made = begin(data, wanted)
    if made != wanted:
        raise SeasonError(
            f"{data} holds a season of {made}; this one is of {wanted}. Choose another DATA folder or delete it"
        )


def _report(settings: Settings, outside: Path, console: Console, *, complete: bool) -> bool:
    from kakuninsho.operations.summary import write_summary

    summary = write_summary(settings)
    console.print(register_table(summary["register"]))
    console.print(counts_table(t("個人宛発送", "Waves"), "月", WAVE_COLUMNS, summary["waves"]))
    console.print(
        counts_table(t("未着後 事業所発送", "Follow-ups"), "実施日", FOLLOW_UP_COLUMNS, summary["follow_ups"])
    )
    console.print(everyone_table(summary["everyone"]))
    console.print(ledger_table(summary["ledger"]))
    agrees = _compare_expected(settings, outside, console)
    for name, path in (
        (t("事実", "facts"), settings.store.root),
        (t("公開", "published"), settings.data / "published"),
        (t("印刷会社が受け取ったもの", "at the printer"), outside / "sftp" / "to_printer"),
        (t("要約", "summary"), settings.data / "summary.json"),
        (t("記録", "log"), settings.data / "replay.log"),
    ):
        console.print(f"{name}: {path}", highlight=False, soft_wrap=True)
    if not complete:
        text = t("年度の途中で止めました", "stopped before the season's end")
        console.print(f"[yellow]{text}[/]")
    return bool(summary["closes"]) and agrees


def _compare_expected(settings: Settings, outside: Path, console: Console) -> bool:
    """Compare each member's disposition, and those of later drops, with what was planted; True without such files."""
    folder = outside / "core" / "synthetic"
    pairs = {
        mart: folder / f"expected_{name}.parquet"
        for mart, name in (
            ("fct_member_dispositions", "dispositions"),
            ("fct_late_dispositions", "late_dispositions"),
        )
    }
    pairs = {mart: path for mart, path in pairs.items() if path.exists()}
    if not pairs:
        return True
    from kakuninsho.warehouse import published

    with published(settings.data) as connection:
        counts = [
            connection.execute(
                f"""
                select count(*) filter (found.disposition is distinct from expected.disposition
                    or found.reason_code is distinct from expected.reason_code), count(*)
                from read_parquet('{expected}') as expected
                full join marts.{mart} as found
                    using (insurer_number, symbol, number, suffix)
                """
            ).fetchone()
            or (0, 0)
            for mart, expected in pairs.items()
        ]
    wrong, people = (sum(column) for column in zip(*counts, strict=True))
    same, different = t("一致", "the same"), t("不一致", "different")
    mark = f"[green]{same}[/]" if not wrong else f"[bold red]{different}[/]"
    text = t(
        f"合成時の想定との比較: {people:,} 人中 {wrong:,} 人が異なる",
        f"beside what was planted: {wrong:,} of {people:,} people differ",
    )
    console.print(f"{text} {mark}")
    return not wrong
