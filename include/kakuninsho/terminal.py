"""What the commands have in common: the two consoles, options, exit codes, and how a refusal is shown.

Exit codes: 0 done; 1 refused, or not closed; 2 wrong use; 130 interrupted. No refusal of the package and no missing
file ends in a traceback; only a mistake in the program does.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer
import typer.rich_utils
from rich.console import Console
from rich.markup import escape
from typer.core import TyperGroup

from kakuninsho.messages import describe, is_japanese, t

REFUSED = 1
EXIT_CODES = t(
    "終了コード: 0 完了 / 1 中止または不一致 (理由を表示) / 2 使い方の誤り / 130 中断",
    "Exit codes: 0 done / 1 refused or not closed (the message says why) / 2 wrong use / 130 interrupted",
)

console = Console()
errors = Console(stderr=True, soft_wrap=True)

if is_japanese():
    typer.rich_utils.ARGUMENTS_PANEL_TITLE = "引数"
    typer.rich_utils.OPTIONS_PANEL_TITLE = "オプション"
    typer.rich_utils.COMMANDS_PANEL_TITLE = "コマンド"
    typer.rich_utils.ERRORS_PANEL_TITLE = "使い方の誤り"
    typer.rich_utils.DEFAULT_STRING = "[既定: {}]"
    typer.rich_utils.ENVVAR_STRING = "[環境変数: {}]"
    typer.rich_utils.REQUIRED_LONG_STRING = "[必須]"
    typer.rich_utils.RICH_HELP = "[blue]'{command_path} {help_option}'[/] で説明を表示します。"
    typer.rich_utils.ABORTED_TEXT = "中断しました。"


def parse_day(text: str) -> date:
    """A day as YYYY-MM-DD.

    Raises:
        BadParameter: it is none.
    """
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(t(f"日付は YYYY-MM-DD で指定します: {text}", f"a day is YYYY-MM-DD: {text}")) from None


Data = Annotated[
    Path, typer.Option("--data", help=t("データフォルダ", "data folder"), envvar="KAKUNINSHO_DATA", show_envvar=True)
]
AsJson = Annotated[bool, typer.Option("--json", help=t("機械可読の JSON で出す", "JSON for machines"))]
DAY: dict[str, Any] = {"parser": parse_day, "metavar": "YYYY-MM-DD"}


class Commands(TyperGroup):
    """A group of commands whose refusals are one message, in the language of the environment."""

    _wants_json = False

    def main(self, args: Sequence[str] | None = None, *rest: Any, **extra: Any) -> Any:
        """Run the command line. See the module for exit codes."""
        self._wants_json = "--json" in (sys.argv[1:] if args is None else args)
        return super().main(args, *rest, **extra)

    def invoke(self, ctx: Any) -> Any:
        """Run a command; a refusal is shown and becomes exit code 1."""
        if ctx.parent is not None:  # the outermost group answers for all
            return super().invoke(ctx)
        try:
            return super().invoke(ctx)
        except (typer.Exit, typer.Abort):
            raise
        except Exception as error:
            told = describe(error)
            if told is None:
                raise
            tell_refusal(told, type(error).__name__, as_json=self._wants_json)
        raise typer.Exit(REFUSED)


def tell_refusal(message: str, kind: str, *, as_json: bool = False) -> None:
    """Write a refusal to stderr: for a person, or as one line of JSON."""
    if as_json:
        typer.echo(json.dumps({"error": kind, "message": message}, ensure_ascii=False), err=True)
        return
    headline, _, rest = message.partition(": ")
    text = f"[bold red]{escape(headline)}[/]: {escape(rest)}" if rest else f"[bold red]{escape(headline)}[/]"
    errors.print(text, highlight=False)


def as_lines(payload: Any) -> None:
    """Write JSON to stdout, one document on one line."""
    typer.echo(json.dumps(payload, ensure_ascii=False, default=str))


def on_one_line(text: str) -> None:
    """Show a path, or what begins with one: on one line however narrow the terminal is, so that it can be copied."""
    console.print(text, highlight=False, soft_wrap=True)
