"""What `up` shows when it is done: where the page is, who its people are, how to go on."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from kakuninsho.server.lifecycle import Running
from kakuninsho.server.people import PEOPLE


def show(running: Running, console: Console, *, data: str) -> None:
    """Print the table of people once, with their passwords the first time only."""
    if running.was_up:
        console.print(f"すでに動いています (up already): {running.url}", highlight=False)
    table = Table(title=f"資格確認書 一括交付  {running.url}", title_justify="left")
    table.add_column("利用者")
    table.add_column("パスワード" if running.is_new else "")
    table.add_column("役割")
    for person in PEOPLE:
        table.add_row(person.name, running.passwords[person.name] if running.is_new else "", person.title)
    console.print(table)
    if running.is_new:
        console.print("パスワードはこの一度だけ表示します (shown this once).")
    for name, text in (
        ("パスワード (passwords)", str(running.password_file)),
        (
            "最初に (begin with)",
            "extract_register を 基準日 2025-04-30 で実行、次に hand_off_to_printer を 2025-05-15 で",
        ),
        ("日を進める (let days pass)", f"python -m kakuninsho.sandbox advance --root {data}/outside --to 2025-07-01"),
        ("記録 (logs)", str(running.run_folder)),
        ("止める (stop)", f"make down DATA={data}"),
    ):
        console.print(f"{name}: {text}", highlight=False, soft_wrap=True)
