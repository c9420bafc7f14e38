"""What `up` shows when it is done: where the page is, who its people are, how to go on."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from kakuninsho.server.lifecycle import Running
from kakuninsho.server.people import PEOPLE


def show(running: Running, console: Console, *, data: str) -> None:
    """Print the table of people, with their passwords the first time only."""
    if running.was_up:
        console.print(f"すでに動いています (up already): {running.url}", highlight=False)
    table = Table(title=f"資格確認書 一括交付  {running.url}", title_justify="left")
    table.add_column("利用者")
    table.add_column("役割")
    if running.is_new:
        table.add_column("パスワード")
    for person in PEOPLE:
        table.add_row(person.name, person.title, *([running.passwords[person.name]] if running.is_new else []))
    console.print(table)
    if running.is_new:
        console.print("パスワードはこの一度だけ表示します (shown this once).")
    if running.broken:
        console.print(f"[bold red]読めない DAG (cannot be read):[/] {', '.join(running.broken)}")
    if running.beginning.members is not None:
        console.print(f"合成データ (synthetic register): {running.beginning.members:,} 人", highlight=False)
    first, then = running.first_days
    for name, text in (
        ("パスワード (passwords)", str(running.password_file)),
        (
            "始め方 (begin)",
            "「日を進める (代役)」を実行するたびに、次に予定のある日の DAG が順に始まります (let_days_pass)",
        ),
        ("一つずつ (one by one)", f"extract_register を基準日 {first} で、次に hand_off_to_printer を {then} で実行"),
        ("記録 (logs)", str(running.run_folder)),
        ("止める (stop)", f"make down DATA={data}"),
    ):
        console.print(f"{name}: {text}", highlight=False, soft_wrap=True)
