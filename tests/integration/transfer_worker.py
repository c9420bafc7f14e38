"""Sends lots; each line: data, folder, printer, target (see forked.py)."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from forked import serve
from transfer_server import clear_file

from kakuninsho.facts.store import FactStore
from kakuninsho.printer.layout import contract
from kakuninsho.printer.sealing import load_keys
from kakuninsho.printer.transfer import SftpTarget, send_all

LOTS = 10
SIZE = 60_000


def send_lots(data: str, folder: str, printer: str, target: dict[str, object]) -> None:
    files = [clear_file(Path(folder), number, SIZE) for number in range(1, LOTS + 1)]
    where = SftpTarget(**{**target, "client_key": Path(str(target["client_key"]))})
    keys = load_keys(Path(printer) / "keys")
    send_all(FactStore(Path(data)), files, where, keys, received_on=date(2025, 5, 15), plan_id="home-2025-04-30")


if __name__ == "__main__":
    contract()  # read once here, not in each child
    serve(send_lots)
