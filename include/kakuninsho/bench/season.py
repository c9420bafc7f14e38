"""The pipeline's phases from the register to a published ledger, by the stage functions that the DAGs call.

One posting date is released, the one with the most envelopes, and one follow-up is run: what a month costs at most.
The two people's approvals are answered at once, as in a replay, and the facts say so.
"""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

from kakuninsho.bench import answers, checks
from kakuninsho.bench.door import open_door
from kakuninsho.campaign import Campaign, add_business_days
from kakuninsho.operations import answers as taking_in
from kakuninsho.operations import extraction, planning, publishing
from kakuninsho.operations.waves import hand_off_wish, release_wish
from kakuninsho.plans.approvals import APPROVED, land_answer
from kakuninsho.plans.draft import PlanRequest
from kakuninsho.settings import Settings
from kakuninsho.warehouse import Context, run_models

APPROVERS = ("bench-1", "bench-2")


@dataclass
class Bench:
    """One run over a data folder that is empty at the start. `phase` opens a phase, which yields a dict for counts."""

    settings: Settings
    outside: Path
    phase: Callable[[str], Any]
    plans: dict[str, str] = field(default_factory=dict)  # plan_id by kind

    # --- the days -------------------------------------------------------------------------------

    @property
    def snapshot(self) -> date:
        """The campaign's day."""
        return self.settings.campaign.parameters.snapshot_as_of

    def run(self) -> dict[str, Any]:
        """Every phase in order; returns counts of the whole."""
        values = self.settings.campaign.parameters
        self.start()
        self.take_register_in(self.snapshot)
        with open_door(self.outside, self.settings) as self.target:
            self.make_plan(hand_off_wish(self.settings, values.hand_off_on), "home")
            self.acknowledge("home", add_business_days(values.hand_off_on, 3))
            lists_on = values.employer_lists_on
            self.make_plan(PlanRequest("employer_list", lists_on, run_on=lists_on), "lists")
            self.acknowledge("lists", add_business_days(lists_on, 3))
            posting_date = busiest_in_calendar(self.settings.campaign)
            release_on = self.settings.campaign.release_on(posting_date)
            self.take_register_in(release_on, "snapshot")
            self.make_plan(release_wish(self.settings, release_on), "release")
            self.report_pieces(posting_date)
            follow_up_on = self.follow_up_day(posting_date)
            self.report_returns(posting_date, add_business_days(follow_up_on, -1))
            self.make_plan(PlanRequest("follow_up", follow_up_on, run_on=follow_up_on), "follow-up")
            self.acknowledge("follow-up", add_business_days(follow_up_on, 3))
        with self.phase("publish") as counts:
            day = publishing.newest_fact_on(self.settings.store)
            assert day is not None  # noqa: S101 (a register has landed)
            publishing.publish(self.settings, day, thorough=True)
            counts["rows"] = checks.published_rows(self.settings)
        with self.phase("check") as counts:
            found = checks.check_all(self.settings, self.expected)
            counts["rows"] = found["certificates"]
        return found | {"posting_date": posting_date.isoformat(), "follow_up_on": follow_up_on.isoformat()}

    @property
    def expected(self) -> Path | None:
        """What the synthetic register says of each person; none for a register of one's own."""
        path = self.settings.register / "expected_dispositions.parquet"
        return path if path.is_file() else None

    def follow_up_day(self, posting_date: date) -> date:
        """The first run at which three weeks of returns are there."""
        return next(day for day in self.settings.campaign.follow_up_runs if (day - posting_date).days > 21)

    # --- phases ---------------------------------------------------------------------------------

    def start(self) -> None:
        """What every run pays once whatever its size: modules, dbt's parsing, seeds and views."""
        from kakuninsho.replay.installation import prepare

        with self.phase("start-up"):
            prepare(self.settings, self.outside)
            run_models(
                self.settings.store,
                self.settings.campaign,
                Context(self.snapshot),
                command="run",
                select=["int_run_context"],
            )
            import kakuninsho.gates.gx  # noqa: F401 (only to load it within this phase)

    def take_register_in(self, as_of: date, name: str = "register") -> None:
        """The tasks of extract_register."""
        settings = self.settings
        with self.phase(f"{name}: load and validate") as counts:
            names = extraction.find(settings, as_of)
            rejected = extraction.stage(settings, names, as_of)
            counts["rows"] = _rows_of_drops(settings.register, names)
            counts["rejected"] = sum(sum(files.values()) for files in rejected.values())
        with self.phase(f"{name}: gates") as counts:
            extraction.judge(settings, names, as_of)
            counts["rows"] = _rows_of_drops(settings.register, names)
        with self.phase(f"{name}: land"):
            extraction.land(settings, names, as_of)

    def make_plan(self, wish: PlanRequest, name: str) -> None:
        """The tasks of every DAG that makes a plan, sealing and sending apart."""
        settings = self.settings
        wish = planning.check(settings, wish)
        with self.phase(f"{name}: dbt and draft") as counts:
            totals = planning.draft(settings, wish)
            counts["rows"] = totals["row_count"] or totals["certificate_count"]
            counts["certificates"] = totals["certificate_count"]
        with self.phase(f"{name}: gate") as counts:
            planning.judge(settings, wish)
            counts["rows"] = totals["row_count"] or totals["certificate_count"]
        with self.phase(f"{name}: freeze"):
            plan_id = planning.freeze(settings, wish)
        self.plans[name] = plan_id
        with self.phase(f"{name}: lot files") as counts:
            files = planning.write_files(settings, plan_id)
            counts["rows"] = totals["certificate_count"] or totals["row_count"]
            counts["files"] = len(files)
        with self.phase(f"{name}: sealing") as counts:
            subject = planning.subject_of(settings, plan_id)
            for number, person in enumerate(APPROVERS, start=1):
                land_answer(
                    settings.store, subject, number, decision=APPROVED, decided_by=person, received_on=wish.as_of
                )
            _, sealed = planning.approved_files(settings, plan_id)
            planning.seal_plan(settings, plan_id, sealed, wish.as_of)
            counts["rows"] = totals["certificate_count"] or totals["row_count"]
            counts["bytes"] = sum(file.byte_count for file in sealed)
        with self.phase(f"{name}: sending") as counts:
            sent = planning.send_plan(settings, plan_id, self.target, wish.as_of)
            counts["files"] = sent["files"]
        shutil.rmtree(self.outside / "sftp" / "to_printer", ignore_errors=True)
        (self.outside / "sftp" / "to_printer").mkdir()

    def acknowledge(self, name: str, as_of: date) -> None:
        """Every file that was sent is acknowledged."""
        self._take_in(f"{name}: acknowledgements", "acknowledgements", as_of, answers.acknowledgements)

    def report_pieces(self, posting_date: date) -> None:
        """Each piece of the released lots is posted, pulled or printed again."""
        as_of = add_business_days(posting_date, 3)
        self.acknowledge("release", as_of)
        self._take_in("piece reports", "piece_reports", as_of, answers.piece_reports, self.plans["release"])

    def report_returns(self, posting_date: date, as_of: date) -> None:
        """Some of the posted pieces come back."""
        self._take_in("returns", "return_reports", as_of, answers.return_reports, posting_date)

    def _take_in(self, name: str, feed: str, as_of: date, write: Callable[..., str], *arguments: Any) -> None:
        """The tasks of take_in_printer_reports; writing the answers is the printer's work and not timed."""
        inbox = self.settings.data / "inbox"
        shutil.rmtree(inbox, ignore_errors=True)
        inbox.mkdir(mode=0o700)
        file = write(self.settings, inbox, as_of, *arguments)
        with self.phase(f"{name}: take in") as counts:
            taking_in.judge_and_stage(self.settings, [(feed, file)], inbox, as_of)
            taking_in.land(self.settings, [(feed, file)], as_of)
            counts["rows"] = answers.row_count(inbox / file)
        shutil.rmtree(inbox, ignore_errors=True)


def busiest_in_calendar(campaign: Campaign) -> date:
    """The posting date on which most branches post: the one with the most envelopes in any register of some size."""
    found = Counter(day for window in campaign.windows for day in window.posting_dates)
    return max(found, key=lambda day: (found[day], day))


def drops_needed(campaign: Campaign) -> tuple[date, ...]:
    """Days of the drops that a run reads: the snapshot, and full drop and delta before the busiest posting date."""
    until = campaign.release_on(busiest_in_calendar(campaign))
    drops = {day: kind for day, kind in campaign.register_drops.items() if day < until}
    full = max(day for day, kind in drops.items() if kind == "full")
    return (campaign.parameters.snapshot_as_of, full, *[max(drops)][: max(drops) > full])


def _rows_of_drops(register: Path, names: list[str]) -> int:
    manifests = [json.loads((register / name / "manifest.json").read_text(encoding="utf-8")) for name in names]
    return sum(file["rows"] for manifest in manifests for file in manifest["files"])


def settings_of(data: Path, register: Path) -> Settings:
    """An installation of its own below `data`, over a register that lies elsewhere."""
    settings = replace(
        Settings.from_environment(),
        data=data,
        register=register,
        feeds=data / "outside" / "core" / "feeds",
        keys=data / "keys",
    )
    os.environ.update(settings.environment())
    return settings
