"""Approves and sends a frozen plan in forked children: a test can kill one without paying for imports each time.

Reads one JSON object a line (data, target, plan_id, day), forks, prints the child's process id, then its exit code.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

from approvals_kit import approve
from kakuninsho.operations import planning
from kakuninsho.printer.layout import contract
from kakuninsho.printer.transfer import SftpTarget
from kakuninsho.settings import Settings


def approve_and_send(data: str, target: dict[str, Any], plan_id: str, day: str) -> None:
    settings = replace(Settings.from_environment(), data=Path(data), keys=Path(data) / "keys")
    where = SftpTarget(**{**target, "client_key": Path(str(target["client_key"]))})
    on = date.fromisoformat(day)
    approve(settings, plan_id, on)
    planning.send_plan(settings, plan_id, where, on)


def main() -> None:
    contract()  # read once here, not in each child
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            try:
                approve_and_send(**json.loads(line))
                os._exit(0)
            except BaseException as error:
                print(type(error).__name__, error, file=sys.stderr, flush=True)
                os._exit(1)
        print(child, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    main()
