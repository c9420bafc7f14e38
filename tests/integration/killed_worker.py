"""Approves and sends a frozen plan; each line: data, target, plan_id, day (see forked.py)."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

from forked import serve

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


if __name__ == "__main__":
    contract()  # read once here, not in each child
    serve(approve_and_send)
