"""The outside world as a whole: its date, what arrives, what happens on each day."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from kakuninsho.sandbox.answers import Answers
from kakuninsho.sandbox.calendar import ONE_DAY, works
from kakuninsho.sandbox.core_system import ReplyEnvelopes, publish
from kakuninsho.sandbox.errors import ControlError, SetUpError
from kakuninsho.sandbox.misbehave import Misbehaviour
from kakuninsho.sandbox.production import Production
from kakuninsho.sandbox.rates import Rates
from kakuninsho.sandbox.root import Root, load_keys
from kakuninsho.sandbox.state import Faults, State
from kakuninsho.sandbox.take_in import TakeIn, newest_day_in_names
from kakuninsho.sandbox.workshop import Workshop

log = logging.getLogger("kakuninsho.sandbox")

CLOCKS = ("control", "wall", "follow", "rush")
FARTHEST = timedelta(days=400)  # a date farther ahead is a slip of the pen


@dataclass
class Options:
    """How a sandbox is started. Clocks are described in docs/sandbox.md."""

    seed: int
    start: date | None  # of a new root; one that was begun knows its date
    clock: str = "control"
    acknowledge: str = "promptly"  # or daily: when the date moves on
    rates: Rates = field(default_factory=Rates)
    misbehaviours: list[Misbehaviour] = field(default_factory=list)


class World:
    """Printer, post office and core system on one date. Used by one thread only."""

    def __init__(self, root: Root, options: Options) -> None:
        self._root = root
        self._options = options
        keys = load_keys(root)
        self.state = State(root.state)
        try:
            self._remember_seed(options.seed)
            self._replies = ReplyEnvelopes(root, self.state)
        except SetUpError:
            self.state.close()
            raise
        faults = Faults(self.state, options.misbehaviours)
        workshop = Workshop(root, keys, self.state, faults, options.rates, options.seed, self._replies)
        self._take_in = TakeIn(workshop)
        self._production = Production(workshop)
        self._answers = Answers(workshop)
        publish(root, self.today)
        self._answers.deliver(self.today)  # what a killed process had decided and not written
        self._replies.deliver()

    def _remember_seed(self, seed: int) -> None:
        known = self.state.setting("seed")
        if known is not None and known != str(seed):
            raise SetUpError(f"this root was begun with seed {known}: start with that seed, or with an empty state/")
        with self.state.transaction():
            self.state.remember("seed", str(seed))
            if self.state.today is None:
                if self._options.start is None:
                    raise SetUpError("a new root without a register drop knows no date: give --start YYYY-MM-DD")
                self.state.remember("date", self._options.start.isoformat())

    def close(self) -> None:
        self.state.close()

    @property
    def today(self) -> date:
        """The date out there."""
        today: date | None = self.state.today
        if today is None:  # remembered at the start
            raise SetUpError("the sandbox has no date")
        return today

    def look(self) -> int:
        """Take in every complete file that has arrived; returns how many. Acknowledges when told to promptly."""
        names = self._take_in.waiting()
        if names and self._options.clock == "follow":
            # The day before: what is ordered for a day must be known when that day begins.
            self._pass_days(self._newest(names) - ONE_DAY)
        taken = self._take(names)
        if self._options.acknowledge == "promptly":
            self._acknowledge()
        if taken and self._options.clock == "follow":
            self._acknowledge()
            self._pass_days(self._newest(names))
        elif taken and self._options.clock == "rush":
            self._rush()
        return taken

    def _newest(self, names: list[str]) -> date:
        newest = newest_day_in_names(names)
        return newest if newest is not None and newest - self.today < FARTHEST else self.today

    def _take(self, names: list[str]) -> int:
        taken = 0
        for name in names:
            try:
                if self._take_in.take(name, self.today):
                    taken += 1
                else:
                    self._take_in.note_waiting(name, self.today)
            except Exception:
                # One file that breaks the reader must not stop the others; it stays unanswered.
                log.exception("could not judge %s", name)
        return taken

    def _acknowledge(self) -> None:
        with self.state.transaction():
            self._answers.plan_acknowledgements(self.today)
        self._answers.deliver(self.today)

    def advance(self, to: date) -> dict[str, Any]:
        """Let the days pass up to and including `to`.

        Raises:
            ControlError: `to` is before today.
        """
        if to < self.today:
            raise ControlError(f"the sandbox's date is {self.today} already: it cannot go back to {to}")
        self._take(self._take_in.waiting())
        if to > self.today or self._options.acknowledge == "promptly":
            self._acknowledge()
        self._pass_days(to)
        publish(self._root, self.today)  # what was laid backstage for a day that has begun
        return {"date": self.today.isoformat()}

    def _pass_days(self, to: date) -> None:
        while self.today < to:
            # Days on which nothing can happen are passed in one step; register drops of them appear together.
            busy = self._next_busy_day()
            day = to if busy is None else min(to, max(busy, self.today + ONE_DAY))
            with self.state.transaction():
                self.state.remember("date", day.isoformat())
                self._production.post(day)
                if works(day):
                    self._answers.plan_reports(day)
                    self._answers.plan_acknowledgements(day)
                    self._replies.receive(day)
            self._answers.deliver(day)
            publish(self._root, day)
            self._replies.deliver()
            # A release order may have waited for its pull list until now.
            if self._has_waiting_orders():
                self._take(self._take_in.waiting())

    def _has_waiting_orders(self) -> bool:
        waiting: bool = self.state.value("select exists (select 1 from settings where starts_with(name, 'waits|'))")
        return waiting

    def _next_busy_day(self) -> date | None:
        """The first day on which something is due, at the earliest tomorrow; None when nothing is."""
        tomorrow = self.today + ONE_DAY
        if self._has_waiting_orders():
            return tomorrow
        day: date | None = self.state.value(
            """
            select min(day) from (
                select min(due_on) as day from jobs where state = 'waiting' and not is_held
                union all select min(due_on) from reprints
                union all select min(returned_on) from returns where returned_on >= $tomorrow
                union all select min(due_on) from batches where answer is null
                union all select min(change_on) from answers
                union all select min($tomorrow::date) from acknowledgements where answer is null
            )
            """.replace("$tomorrow", f"date '{tomorrow}'")
        )
        replies = self._replies.next_day()
        return min((found for found in (day, replies and max(replies, tomorrow)) if found), default=None)

    def _rush(self) -> None:
        """Let days pass until nothing is left to happen: for trying the printer's side without a clock."""
        until = self.today + FARTHEST
        while (day := self._next_busy_day()) is not None and day <= until:
            self._pass_days(max(day, self.today + ONE_DAY))

    def status(self) -> dict[str, Any]:
        """What is known, in counts."""
        return {
            "date": self.today.isoformat(),
            "seed": self._options.seed,
            "clock": self._options.clock,
            "lots": dict(self.state.rows("select state, count(*) from jobs group by all order by all")),
            "events": dict(self.state.rows("select event_type, count(*) from events group by all order by all")),
            "unreported": self.state.value(
                "select coalesce(sum(row_count), 0)::bigint from batches where answer is null"
            ),
            "answers": self.state.value("select count(*) from answers where is_delivered"),
            "misused": dict(self.state.rows("select name, used from misused order by name")),
        }
