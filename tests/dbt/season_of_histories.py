"""A world of independent households lived through a whole season, and what must hold on every day looked at.

The printer does what each household's history says of its pieces. A rule that is broken names the households that break
it; those are then made simpler, all candidates together in one world, until nothing can be left out any more.
"""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from fast_player import CompiledProject, FastPlayer
from household_histories import (
    CLOSED_ON,
    DECISION_DAYS,
    DROPS,
    FOLLOW_UPS,
    RELEASES,
    REQUEST_RUNS,
    SNAPSHOT,
    History,
    Mail,
    Row,
)
from mailing_facts import _write
from printing_house import ONE_DAY, PrintingHouse

from kakuninsho.facts.schemas import REGISTER
from kakuninsho.plans.draft import PlanRequest

HAND_OFF, LISTS = date(2025, 5, 15), date(2025, 6, 16)
OWN_TESTS = {
    "assert_live_certificate_is_in_live_envelope",
    "assert_one_live_certificate_per_member",
    "assert_certificates_fit_in_envelope",
    "assert_one_household_per_envelope",
    "assert_control_numbers_are_given_once",
}
Broken = dict[str, set[int]]  # rule: places of the households that break it; none where nobody can be named
MODELS = ("int_certificates", "int_envelopes", "fct_ledger", "stg_plans__certificates", "stg_plans__seed_pieces")


class SeasonOfHistories:
    """One world."""

    def __init__(self, data: Path, project: CompiledProject, households: Sequence[History]) -> None:
        self.player = FastPlayer(data, project)
        self.households = households
        self.house = PrintingHouse(self.player, self._mail_of)
        self.place_of = {history.household_key(place): place for place, history in enumerate(households)}
        self.upto = 0  # later drops that have been told
        self.broken: defaultdict[str, set[int]] = defaultdict(set)
        self.dead: set[str] = set()
        self.pieces: defaultdict[int, int] = defaultdict(int)  # of each household, so far
        self.wishes = 0

    # --- what comes in --------------------------------------------------------------------------------------

    def tell_register(self, day: date, kind: str) -> None:
        """Land a drop: every row, or those that differ from the drop before."""
        tables: dict[str, list[Row]] = {name: [] for name in REGISTER}
        for place, history in enumerate(self.households):
            now = history.state(place, self.upto)
            before = history.state(place, self.upto - 1) if kind == "delta" else {}
            for (table, key), row in now.items():
                if kind == "delta" and before.get((table, key)) == row:
                    continue
                if isinstance(row, dict):
                    tables[table].append({"as_of": day} | row)
                elif row == "rejected":
                    number = len(tables["rejects"]) + 1
                    tables["rejects"].append(
                        {"as_of": day, "file": table, "row_number": number, "reason_code": "bad_code", "row_key": key}
                    )
        store = self.player.store
        with store.land("register", f"as_of={day}", received_on=day, source="histories") as draft:
            for table, columns in REGISTER.items():
                _write(draft.table(table), columns, tables[table])
            rejected = [row["file"] for row in tables["rejects"]]
            manifest = {name: len(rows) + rejected.count(name) for name, rows in tables.items() if name != "rejects"}
            draft.totals.update(kind=kind, manifest_rows=manifest)

    def tell_requests(self, run: int) -> None:
        """Requests, decisions and certificates given back that arrive before a run."""
        day = REQUEST_RUNS[run]
        rows = []
        for place, history in enumerate(self.households):
            for request in history.requests:
                for _ in range(request.times if request.run == run else 0):
                    self.wishes += 1
                    member = history.household_key(place) * 100 + request.suffix
                    rows.append(
                        {
                            "request_id": f"R{self.wishes:06d}",
                            "member_key": member,
                            "requested_on": day - 5 * ONE_DAY,
                            "kind": request.kind,
                        }
                    )
        self.house.feed("issue_requests", day, rows)
        self.tell_decisions(run + 1)
        back = {
            history.household_key(place) * 100 + suffix
            for place, history in enumerate(self.households)
            for given_on, suffix in history.given_back
            if given_on == run
        }
        held = self.player.rows(
            "select certificate_id, member_key from intermediate.int_certificates"
            " where status in ('posted', 'delivered', 'at_employer') or reason_code = 'return_expected'"
        )
        self.house.feed(
            "certificate_returns",
            day,
            [{"certificate_id": number, "returned_on": day} for number, member in held if member in back],
        )

    def tell_decisions(self, number: int) -> None:
        """What people decided by one of the days of decision."""
        day = DECISION_DAYS[number]
        rows = [
            {
                "member_key": history.household_key(place) * 100 + decision.suffix,
                "decided_on": day,
                "decision": decision.decision,
                "decided_by": decision.by,
            }
            for place, history in enumerate(self.households)
            for decision in history.decisions
            if decision.day == number
        ]
        self.house.feed("decisions", day, rows)

    def resume(self, day: date) -> None:
        """A person lets branches go on whose mail comes back too often: the stop rule has its own tests."""
        rows = [
            {"member_key": branch * 110_000_000 * 10**9, "decided_on": day, "decision": "resume", "decided_by": "A"}
            for branch in sorted({history.branch for history in self.households})
        ]
        self.house.feed("decisions", day, rows)

    # --- plans and the printer ------------------------------------------------------------------------------

    def plan(self, wish: PlanRequest, *, is_sent: bool = True) -> dict[str, list[Row]]:
        """Draft, freeze, approve and hand over a plan; returns its tables."""
        player = self.player
        folder = player.freeze(wish)
        tables = {path.stem: pq.read_table(path).to_pylist() for path in folder.glob("*.parquet")}
        self._judge(wish, tables)
        if not is_sent:
            return tables
        self.house.hand_over(wish, tables)
        return tables

    def _mail_of(self, piece: Row) -> Mail:
        """What the history of the household, or of the employer's one household, says of its next piece."""
        place = self.place_of[piece["household_key"] or piece["employer_key"] * 10_000_000 + 1]
        number, mail = self.pieces[place], self.households[place].mail
        self.pieces[place] += 1
        return mail[number] if number < len(mail) else Mail()

    # --- the season -----------------------------------------------------------------------------------------

    def play(self) -> Broken:
        """From the snapshot to the close; returns the rules that did not hold."""
        drops = iter(DROPS)

        def tell_until(day: date) -> None:
            while self.upto < len(DROPS) and DROPS[self.upto][0] <= day:
                drop_on, kind = next(drops)
                self.upto += 1
                self.tell_register(drop_on, kind)

        self.tell_register(SNAPSHOT, "full")
        self.tell_decisions(0)
        home = self.plan(PlanRequest("home", HAND_OFF, run_on=SNAPSHOT))
        self.check(HAND_OFF)
        steps: list[tuple[date, int, Callable[[date], Any]]] = [(LISTS, 9, self._lists)]
        steps += [(day, 9, lambda day: self._release(day, home)) for day in RELEASES]
        steps += [(day, 7, self._follow_up) for day in FOLLOW_UPS]
        steps += [(day, 11, self._requests) for day in REQUEST_RUNS]
        for day, _, step in sorted(steps, key=lambda item: item[:2]):
            tell_until(day)
            step(day)
            self.check(day)
        wish = PlanRequest("follow_up", CLOSED_ON, run_on=CLOSED_ON)
        self.plan(wish, is_sent=False)
        self.check(CLOSED_ON, is_last=True)
        return dict(self.broken)

    def _lists(self, day: date) -> None:
        self.house.post(self.plan(PlanRequest("employer_list", day, run_on=day)))

    def _requests(self, day: date) -> None:
        self.tell_requests(REQUEST_RUNS.index(day))
        posting = day + ONE_DAY * (3 if day.weekday() == 4 else 1)
        wish = PlanRequest("request", day, posting_date=posting, run_on=day)
        self.house.post(self.plan(wish))

    def _follow_up(self, day: date) -> None:
        self.house.post(self.plan(PlanRequest("follow_up", day, run_on=day)))

    def _release(self, day: date, home: dict[str, list[Row]]) -> None:
        self.resume(day)
        release = self.plan(PlanRequest("release", day, posting_date=RELEASES[day]))
        pulled = frozenset(row["envelope_id"] for row in release["pulls"])
        released = {row["lot_id"] for row in release["release_lots"] if row["is_released"]}
        self.house.post(home, released, pulled)
        self.house.post(release)
        leaving = {row["envelope_id"] for row in home["envelopes"] if row["lot_id"] in released} - pulled
        left = {row["member_key"] for row in home["certificates"] if row["envelope_id"] in leaving}
        self._find_protected("no protected person's piece is released", left)

    # --- what must hold -------------------------------------------------------------------------------------

    def _judge(self, wish: PlanRequest, tables: dict[str, list[Row]]) -> None:
        """Of a plan by itself: nobody protected in it, nobody voluntary at an employer."""
        bundled = {row["member_key"] for row in tables["follow_ups"] if row["outcome"] == "employer_bundle"}
        people = {row["member_key"] for row in (*tables["certificates"], *tables["list_lines"])} | bundled
        self._find_protected(f"no protected person is in a plan ({wish.kind})", people)
        packets = {row["envelope_id"] for row in tables["envelopes"] if row["lot_kind"] == "employer"}
        at_employer = {row["member_key"] for row in tables["certificates"] if row["envelope_id"] in packets}
        at_employer |= bundled | {row["member_key"] for row in tables["list_lines"]}
        self._find(
            f"no voluntary person is at an employer ({wish.kind})",
            [key for key in at_employer if self._household(key).is_voluntary(self._place(key), self.upto)],
        )

    def _place(self, member: int) -> int:
        return self.place_of[member // 100]

    def _household(self, member: int) -> History:
        return self.households[self._place(member)]

    def _find_protected(self, rule: str, members: set[int]) -> None:
        self._find(
            rule,
            [key for key in members if self._household(key).is_protected(self._place(key), self.upto, key % 100)],
        )

    def _find(self, rule: str, members: Sequence[int]) -> None:
        if members:
            self.broken[rule] |= {self._place(key) for key in members}

    def _ask(self, rule: str, query: str) -> None:
        """A query for members who break a rule."""
        self._find(rule, [row[0] for row in self.player.rows(query)])

    def check(self, day: date, *, is_last: bool = False) -> None:
        """Hold every invariant on a day."""
        more = ("fct_unserved_people", "int_members_evaluated") if is_last else ()
        self.player.run(day, (*MODELS, *more))
        self._ask(
            "nobody holds two live certificates",
            "select member_key from intermediate.int_certificates where is_live group by all having count(*) > 1",
        )
        self._ask(
            "at most four certificates are in an envelope",
            "select min(member_key) from staging.stg_plans__certificates group by envelope_id having count(*) > 4",
        )
        self._ask(
            "no envelope is of two households",
            """
            select certificates.member_key
            from staging.stg_plans__certificates as certificates join staging.stg_plans__envelopes using (envelope_id)
            where certificates.member_key // 100 <> stg_plans__envelopes.household_key
            """,
        )
        self._ask(
            "nothing is followed up, planned or bundled twice",
            """
            select member_key from staging.stg_plans__follow_ups group by member_key, certificate_id having count(*) > 1
            union all
            select min(member_key) from staging.stg_plans__certificates group by certificate_id having count(*) > 1
            """,
        )
        self._ask(
            "who was sent a certificate is sent another only in its place",
            """
            select member_key from intermediate.int_certificates as later
            where has_left and exists (
                select 1 from intermediate.int_certificates as earlier
                where earlier.member_key = later.member_key and earlier.has_left and earlier.is_live
                    and earlier.certificate_id < later.certificate_id
            )
            """,
        )
        self._ask(
            "no certificate leaves after its last valid day",
            """
            select member_key from intermediate.int_certificates
            join staging.stg_plans__certificates as printed using (member_key)
            where printed.certificate_id = frozen_certificate_id and has_left
                and printed.valid_until < int_certificates.posting_date
            """,
        )
        found = self.player.failing()
        assert found.keys() >= OWN_TESTS
        for test, is_broken in found.items():
            if is_broken:
                self.broken[test] |= set()
        rows = self.player.rows("select certificate_id, member_key, is_live, status, reason_code"
                                " from intermediate.int_certificates")  # fmt: skip
        self._find(
            "what was pulled, spoiled, superseded or given back is never live again",
            [member for number, member, is_live, _, _ in rows if is_live and number in self.dead],
        )
        self.dead |= {
            number
            for number, _, _, status, reason in rows
            if status in ("pulled", "spoiled", "superseded") or reason == "returned_by_member"
        }
        for stage, difference, open_count in self.player.rows(
            "select stage, difference, open_count from marts.fct_ledger order by stage"
        ):
            if difference:
                self.broken[f"the ledger closes: {stage}"] |= set()
            if is_last and open_count:
                self.broken[f"nothing is open at the end: {stage}"] |= set()
        if is_last:
            self._check_everyone()

    def _check_everyone(self) -> None:
        """At the season's end every target is served, listed, or has ended for a recorded reason."""
        self._ask(
            "every target has a live certificate, a place on the list of the unserved, or a recorded end",
            """
            with listed as (
                select (substr(insurer_number, 3, 2)::bigint * 110000000 + symbol::bigint) * 1000000000
                    + number::bigint * 100 + suffix::bigint as member_key
                from marts.fct_unserved_people
            )
            select member_key from intermediate.int_members_evaluated as members
            where disposition = 'target' and effective_disposition <> 'excluded'
                and not exists (select 1 from listed where listed.member_key = members.member_key)
                and not exists (
                    select 1 from intermediate.int_certificates as certificates
                    where certificates.member_key = members.member_key
                        and (is_live or status = 'closed' or (status = 'pulled' and reason_code in (
                            'membership_lost', 'reached_75', 'validity_over', 'already_has_certificate'
                        )))
                )
            """,
        )


# --- worlds that fail, made small ------------------------------------------------------------------------------


def broken_rules(data: Path, project: CompiledProject, households: Sequence[History]) -> Broken:
    """Play a world in a folder of its own, which is removed afterwards."""
    shutil.rmtree(data, ignore_errors=True)
    season = SeasonOfHistories(data, project, households)
    try:
        return season.play()
    finally:
        season.player.close()
        shutil.rmtree(data, ignore_errors=True)


def culprits(data: Path, project: CompiledProject, households: Sequence[History], rule: str) -> list[History]:
    """One household or more that break a rule: named by it, or found by halving the world."""
    while len(households) > 1:
        named = broken_rules(data, project, households).get(rule)
        if named:
            return [households[place] for place in sorted(named)]
        half = len(households) // 2
        first = broken_rules(data, project, households[:half])
        households = households[:half] if rule in first else households[half:]
    return list(households)


def simplest(data: Path, project: CompiledProject, history: History, rule: str) -> History:
    """The history with everything left out that the broken rule does not need.

    All candidates of a step live in one world: households are independent.
    """
    while True:
        candidates = list(dict.fromkeys(history.simpler()))
        if not candidates:
            return history
        named = broken_rules(data, project, candidates).get(rule)
        if named is None:
            return history
        if named:
            history = candidates[min(named)]
            continue
        for candidate in candidates:  # a rule that names nobody: one by one
            if rule in broken_rules(data, project, [candidate]):
                history = candidate
                break
        else:
            return history


def explain(data: Path, project: CompiledProject, households: Sequence[History], broken: Broken) -> str:
    """Each broken rule with one household that breaks it, as simple as can be."""
    told = []
    for rule, places in sorted(broken.items()):
        found = [households[place] for place in sorted(places)] or culprits(data, project, households, rule)
        smallest = simplest(data, project, min(found, key=lambda history: len(str(history))), rule)
        told.append(f"{rule} ({len(places) or 'unnamed'} households):\n{smallest}")
    return "\n".join(told)
