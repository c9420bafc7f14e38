"""Sends lots in forked children, so that a test can kill one without paying for imports each time.

Reads one JSON object a line (data, folder, printer, target), forks, prints the child's process id, then its exit code.
"""

from __future__ import annotations

import json
import os
import sys
from datetime import date
from pathlib import Path

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


def main() -> None:
    contract()  # read once here, not in each child
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            try:
                send_lots(**json.loads(line))
                os._exit(0)
            except BaseException as error:
                print(type(error).__name__, error, file=sys.stderr, flush=True)
                os._exit(1)
        print(child, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    main()
