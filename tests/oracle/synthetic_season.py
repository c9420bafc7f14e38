"""A synthetic register's whole season on the campaign's own days, with its feeds, without Airflow and without seals.

The drops and feeds go through the doors of production, plans through its drafting and freezing, models through their
own SQL; only the printer is a few lines, and gates and transport are left to their own tests.
"""

from __future__ import annotations

import csv
import random
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
from fast_player import CompiledProject, FastPlayer
from household_histories import Mail, Row
from printing_house import PrintingHouse

from kakuninsho.campaign import add_business_days
from kakuninsho.feeds import receive_feed
from kakuninsho.plans.draft import PlanRequest
from kakuninsho.register.drops import list_drops
from kakuninsho.register.landing import land_register, stage_drop
from kakuninsho.register.synthetic import generate

MARTS = (
    "fct_register_rejects",
    "fct_member_dispositions",
    "fct_late_dispositions",
    "fct_envelopes",
    "fct_certificates",
    "fct_employer_lists",
    "fct_employer_follow_ups",
    "fct_requests",
    "fct_unserved_people",
    "fct_ledger",
)


class SyntheticSeason:
    """One season below a folder: `register/` and `data/`."""

    def __init__(self, base: Path, project: CompiledProject, members: int, seed: int) -> None:
        self.base, self.seed = base, seed
        self.player = FastPlayer(base / "data", project)
        self.campaign = self.player.campaign
        generate(members, seed, base / "register", self.campaign)
        self.house = PrintingHouse(self.player, self._mail_of)
        self.taken: set[Path] = set()
        self.home: dict[str, list[Row]] = {}

    def _mail_of(self, piece: Row) -> Mail:
        dice = random.Random(f"{self.seed}-{piece['envelope_id']}")
        comes_back = dice.random() < (0.06 if piece["household_key"] else 0.03)
        return Mail(
            spoiled=int(dice.random() < 0.02),
            is_late=dice.random() < 0.1,
            returned_after=dice.randint(4, 24) if comes_back else None,
            reason=dice.choice(["R01", "R02", "R04", "R05"]),
        )

    def play(self) -> None:
        """From the snapshot to the close; leaves facts and published marts as a season does."""
        values, campaign = self.campaign.parameters, self.campaign
        first_dates = {window.posting_dates[0] for window in campaign.windows}
        steps: list[tuple[date, int, Callable[[date], Any]]] = []
        steps += [(day, 20, self._land) for day in campaign.register_drops]
        steps.append((values.hand_off_on, 8, self._hand_off))
        steps.append((values.employer_lists_on, 8, self._lists))
        steps += [(day, 7, self._follow_up) for day in campaign.follow_up_runs]
        # Where no branch's first lots leave, only late releases could: they wait for the next date that is played.
        steps += [(day, 9, self._release) for day, posting in campaign.releases.items() if posting in first_dates]
        steps += [(day, 11, self._requests) for day in campaign.request_runs]
        for day, _, step in sorted(steps, key=lambda item: item[:2]):
            step(day)
        self.player.freeze(PlanRequest("follow_up", values.served_by, run_on=values.served_by))
        self.player.run(values.served_by, MARTS)
        self._publish()

    def _land(self, day: date) -> None:
        drop = next(drop for drop in list_drops(self.base / "register", day) if drop.name == f"as_of={day}")
        work = self.base / "work" / drop.name
        work.mkdir(parents=True)
        land_register(self.player.store, stage_drop(drop, self.campaign, work), day)

    def _plan(self, wish: PlanRequest, *, is_posted: bool = True) -> dict[str, list[Row]]:
        folder = self.player.freeze(wish)
        tables = {path.stem: pq.read_table(path).to_pylist() for path in folder.glob("*.parquet")}
        self.house.hand_over(wish, tables)
        if is_posted:
            self.house.post(tables)
        return tables

    def _hand_off(self, day: date) -> None:
        wish = PlanRequest("home", day, run_on=self.campaign.parameters.snapshot_as_of)
        self.home = self._plan(wish, is_posted=False)

    def _lists(self, day: date) -> None:
        self._plan(PlanRequest("employer_list", day, run_on=day))

    def _follow_up(self, day: date) -> None:
        self._plan(PlanRequest("follow_up", day, run_on=day))

    def _release(self, day: date) -> None:
        posting = self.campaign.releases[day]
        release = self._plan(PlanRequest("release", day, posting_date=posting))
        pulled = frozenset(row["envelope_id"] for row in release["pulls"])
        released = {row["lot_id"] for row in release["release_lots"] if row["is_released"]}
        self.house.post(self.home, released, pulled)

    def _requests(self, day: date) -> None:
        for feed in ("issue_requests", "decisions"):
            for path in sorted(self.base.glob(f"register/feeds/*/{feed}_*.csv")):
                if path not in self.taken and date.fromisoformat(path.parent.name) <= day:
                    receive_feed(self.player.store, feed, path, day)
                    self.taken.add(path)
        self._give_back(day)
        self._plan(PlanRequest("request", day, posting_date=add_business_days(day, 1), run_on=day))

    def _give_back(self, day: date) -> None:
        """The reply envelopes that have come by a run: of people who left, and hold a certificate by then."""
        with (self.base / "register" / "certificates_given_back.csv").open(encoding="utf-8", newline="") as file:
            leaving = {
                (row["insurer_number"][2:4], row["symbol"], row["number"], row["suffix"])
                for row in csv.DictReader(file)
                if row["gives_back_on"] <= day.isoformat()
            }
        self.player.run(day, ["int_certificates", "fct_certificates"])
        held = self.player.rows(
            """
            select certificate_id, insurer_number[3:4], symbol, number, suffix from marts.fct_certificates
            where status in ('delivered', 'at_employer') or reason_code = 'return_expected'
            order by certificate_id
            """
        )
        rows = [{"certificate_id": row[0], "returned_on": day} for row in held if row[1:] in leaving]
        self.house.feed("certificate_returns", day, rows)

    def _publish(self) -> None:
        """The marts where readers look for them."""
        folder = self.base / "data" / "published"
        folder.mkdir(parents=True, exist_ok=True)
        with duckdb.connect(str(folder / "analytics.duckdb")) as published:
            published.execute("create schema marts")
            for mart in MARTS:
                rows = self.player.connection.execute(f"from marts.{mart}").to_arrow_table()
                published.register("incoming", rows)
                published.execute(f"create table marts.{mart} as from incoming")
                published.unregister("incoming")
