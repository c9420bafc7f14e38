"""A process of its own that plays single DAG runs of a small season through Airflow, as the replay driver does.

Airflow settles its home when it is imported, so a test that needs it starts a process. Told by lines of JSON on its
standard input, it answers each with one line:

    {"play_until": "2025-05-23"}                      the runs that the timetables name
    {"run": "hand_off_to_printer", "on": "2025-05-26T09:00", "conf": {…}}
    {"advance": "2025-05-27"}                         the outside world's day
"""

from __future__ import annotations

import json
import sys
from datetime import date, datetime
from pathlib import Path
from typing import Any

from kakuninsho.replay.driver import TOKYO, ReplayError, Run, Season, open_log
from kakuninsho.replay.installation import make_register, prepare, running_sandbox
from kakuninsho.sandbox import control
from kakuninsho.settings import Settings


def main(data: Path, members: int, sandbox_arguments: tuple[str, ...]) -> None:
    outside = data / "outside"
    settings = Settings(
        data=data,
        register=outside / "core" / "register",
        feeds=outside / "core" / "feeds",
        keys=data / "keys",
        campaign_name="fy2025",
    )
    prepare(settings, outside)
    make_register(settings, outside / "core", members, 7, lambda *_: None)
    arguments = ("--acknowledge", "daily", *sandbox_arguments)
    with running_sandbox(outside, seed=7, arguments=arguments) as sandbox, open_log(data) as log_file:
        season = Season(settings, sandbox, log_file=log_file)
        for line in sys.stdin:
            print(json.dumps(answer(season, json.loads(line))), flush=True)


def answer(season: Season, told: dict[str, Any]) -> dict[str, object]:
    try:
        if "play_until" in told:
            return {"runs": season.play(lambda _: None, until=date.fromisoformat(str(told["play_until"])))}
        if "advance" in told:
            control.advance(season.sandbox.root, date.fromisoformat(str(told["advance"])))
            return {}
        moment = datetime.fromisoformat(str(told["on"])).replace(tzinfo=TOKYO)
        states = season.run(Run(moment, str(told["run"])), conf=told.get("conf"))
    except ReplayError as error:
        return {"error": str(error)}
    return {"states": states}


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), tuple(sys.argv[3:]))
