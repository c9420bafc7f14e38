"""The stand-in world beside a server that people play with: its day, and what the campaign has planned next.

A real installation has no such world: everything here does nothing, or is not there, without `KAKUNINSHO_SANDBOX`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

VARIABLE = "KAKUNINSHO_SANDBOX"
PATIENCE_SECONDS = 120.0  # it answers between two days, and a day of many lots takes a while
TOKYO = ZoneInfo("Asia/Tokyo")


class OutsideError(RuntimeError):
    """The stand-in world does not answer, or its day cannot be the one that is wanted. Says what to do."""


@dataclass(frozen=True, order=True)
class Planned:
    """One run that the campaign's calendar names."""

    moment: datetime
    dag_id: str

    @property
    def day(self) -> date:
        """The day that it stands for."""
        return self.moment.date()


def root() -> Path | None:
    """The folder of the stand-in world, or None in a real installation."""
    given = os.environ.get(VARIABLE)
    return Path(given) if given else None


def today(folder: Path) -> date:
    """The stand-in world's day.

    Raises:
        OutsideError: nothing answers.
    """
    from kakuninsho.sandbox import control

    try:
        return date.fromisoformat(control.status(folder, timeout=PATIENCE_SECONDS)["date"])
    except control.ControlError as error:
        raise OutsideError(f"the stand-in world does not answer ({error}); run `make up` again") from error


def reach(folder: Path, day: date) -> bool:
    """Let days pass out there until `day`; a world that is farther already stays. Returns whether any passed.

    Raises:
        OutsideError: nothing answers, or what happens on these days fails.
    """
    from kakuninsho.sandbox import control

    if today(folder) >= day:
        return False
    try:
        control.advance(folder, day)
    except control.ControlError as error:
        raise OutsideError(f"the stand-in world could not reach {day}: {error}; see its log sandbox.log") from error
    return True


def planned(events: Mapping[str, Iterable[datetime]]) -> list[Planned]:
    """Every run that the DAGs' calendars name, by day and hour."""
    return sorted(Planned(moment.astimezone(TOKYO), dag_id) for dag_id, moments in events.items() for moment in moments)


def due(runs: Iterable[Planned], now: date, to: date | None) -> list[Planned]:
    """Runs to play next: those after `now` up to `to`; without `to` those of the next day that has any.

    `to` may be today itself: its runs once more.

    Raises:
        OutsideError: `to` has passed out there.
    """
    ordered = sorted(runs)
    if to is not None and to < now:
        raise OutsideError(f"the stand-in world's day is {now}: it cannot go back to {to}")
    if to == now:
        return [run for run in ordered if run.day == now]
    ahead = [run for run in ordered if run.day > now]
    last = to or (ahead[0].day if ahead else now)
    return [run for run in ahead if run.day <= last]
