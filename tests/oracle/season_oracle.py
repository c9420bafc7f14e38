"""A finished (or stopped) season beside the oracle: every decision of it is made again from the drops and the feeds.

Control numbers are the pipeline's own choice: they are read from the frozen plans, and only tie a household's piece
to what the printer says of it.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
from routes_oracle import Routes

from oracle import (
    Campaign,
    Drop,
    Envelope,
    Finding,
    Key,
    Register,
    dispositions,
    employer_list,
    first_plan,
    follow_up,
    newest_register,
    read_campaign,
    read_drop,
    recheck,
    unpack,
    unpack_household,
    valid_until,
)


def disagreements(pipeline: dict[Any, Any], oracle: dict[Any, Any], keys: int = 3) -> list[str]:
    """Kinds of disagreement with their counts and up to three keys (of synthetic people)."""
    found: dict[tuple[str, str], list[Any]] = defaultdict(list)
    for key in pipeline.keys() | oracle.keys():
        ours, theirs = oracle.get(key, "absent"), pipeline.get(key, "absent")
        if ours != theirs:
            found[str(theirs), str(ours)].append(key)
    return [
        f"{len(some)} x pipeline {theirs}, oracle {ours}: e.g. {sorted(some, key=str)[:keys]}"
        for (theirs, ours), some in sorted(found.items())
    ]


@dataclass
class SeasonOracle:
    """What must have come out of a season's drops and feeds."""

    data: Path
    register: Path
    campaign_folder: Path

    @cached_property
    def campaign(self) -> Campaign:
        return read_campaign(self.campaign_folder)

    @cached_property
    def drops(self) -> list[Drop]:
        """The drops that landed: a register folder may hold later ones."""
        names = sorted(path.name for path in (self.data / "facts" / "register").glob("as_of=*"))
        return [read_drop(self.register / name) for name in names]

    @cached_property
    def planned_from(self) -> Register:
        return newest_register(self.drops, self.campaign.snapshot_as_of)

    @cached_property
    def dispositions(self) -> dict[Key, tuple[str, str]]:
        return dispositions(self.planned_from, self.campaign)

    @cached_property
    def first_plan(self) -> list[Envelope]:
        return first_plan(self.dispositions, self.campaign)

    @cached_property
    def routes(self) -> Routes:
        """Requests, late releases and where certificates are."""
        return Routes(self)

    # --- facts --------------------------------------------------------------------------------------------------

    def plan(self, plan_id: str, table: str) -> list[dict[str, Any]]:
        """Rows of a frozen plan."""
        return self.rows(f"facts/plans/{plan_id}/{table}.parquet")

    def rows(self, pattern: str) -> list[dict[str, Any]]:
        """Rows of every fact file of a pattern."""
        return [row for path in sorted(self.data.glob(pattern)) for row in pq.read_table(path).to_pylist()]

    def marts(self, query: str) -> list[tuple[Any, ...]]:
        """Rows of the published marts."""
        with duckdb.connect(str(self.data / "published" / "analytics.duckdb"), read_only=True) as connection:
            return connection.execute(query).fetchall()

    def plan_ids(self, prefix: str) -> list[str]:
        """Frozen plans of a kind that nobody rejected."""
        rejected = {
            row["plan_id"] for row in self.rows("facts/approvals/*/approvals.parquet") if row["decision"] != "approved"
        }
        names = sorted(path.name for path in (self.data / "facts" / "plans").glob(f"{prefix}-*"))
        return [name for name in names if name not in rejected]

    @cached_property
    def members_of(self) -> dict[str, tuple[Key, ...]]:
        """Members by control number, pieces printed again included."""
        members: dict[str, list[tuple[int, Key]]] = defaultdict(list)
        for row in self.rows("facts/plans/*/certificates.parquet"):
            members[row["envelope_id"]].append((row["slot"], unpack(row["member_key"])))
        found = {envelope: tuple(key for _, key in sorted(rows)) for envelope, rows in members.items()}
        spoiled = [
            row for row in self.rows("facts/feeds/piece_reports/*/rows.parquet") if row["event_type"] == "spoiled"
        ]
        for row in sorted(spoiled, key=lambda row: (row["occurred_on"], row["received_on"])):
            if row["envelope_id"] in found and row["replacement_id"]:
                found[row["replacement_id"]] = found[row["envelope_id"]]
        return found

    # --- comparisons: what the pipeline says, what the oracle says -------------------------------------------------

    def envelopes_of(self, plan_id: str) -> dict[Any, Any]:
        """(household, k): (n, members, posting date) of a frozen plan."""
        return {
            (unpack_household(row["household_key"]), row["position"], row["posting_date"]): (
                row["envelopes_in_household"],
                self.members_of[row["envelope_id"]],
            )
            for row in self.plan(plan_id, "envelopes")
        }

    def validity(self) -> tuple[dict[Key, Any], dict[Key, Any]]:
        """(need, issue date, last valid day) of the certificates of the first plan."""
        plan_id = self.plan_ids("home")[-1]
        theirs = {
            unpack(row["member_key"]): (row["need"], row["issued_on"], row["valid_until"])
            for row in self.plan(plan_id, "certificates")
        }
        ours = {}
        for envelope in self.first_plan:
            for key in envelope.members:
                day = envelope.posting_date
                member, insured = self.planned_from.member(key), self.planned_from.insured(key)
                assert day is not None
                assert member is not None
                assert insured is not None
                expires = valid_until(day, member, insured, key[3] != "00")
                ours[key] = (self.dispositions[key][1], day, expires)
        return theirs, ours

    def releases(self) -> list[tuple[date, Register]]:
        """Posting dates that have a frozen release, with the register that it was checked against."""
        plans = [self.plan(plan_id, "plan")[0] for plan_id in self.plan_ids("release")]
        return [(plan["posting_date"], newest_register(self.drops, plan["register_as_of"])) for plan in plans]

    def recheck(self, posting_date: date, newest: Register) -> tuple[dict[Key, Any], list[Envelope]]:
        """Member: (reason, outcome, why held) of the pulled envelopes, and the envelopes packed anew."""
        envelopes = [envelope for envelope in self.first_plan if envelope.posting_date == posting_date]
        plan_id = next(name for name in self.plan_ids("release") if name.startswith(f"release-{posting_date}"))
        certificates = self.routes.state(self.routes.moment_of(plan_id), newest)
        served = {
            one.member
            for one in certificates
            if one.reason == "superseded_by_request" or (one.is_live and (one.has_left or one.route != "home"))
        }
        served |= {
            key
            for envelope in envelopes
            for key in envelope.members
            if newest.has_certificate_elsewhere(key, posting_date)
        }
        released = self.routes.late_releases(plan_id, posting_date, newest)
        pulled, anew = recheck(
            envelopes, posting_date, self.planned_from, newest, self.campaign, served=served, released=released
        )
        packed_anew = Finding("packed_anew", "planned_again")
        findings = {key: finding or packed_anew for members in pulled.values() for key, finding in members.items()}
        return {key: (found.reason, found.outcome, found.hold) for key, found in findings.items()}, anew

    def employer_lists(self) -> tuple[set[Key], set[Key]]:
        """Everyone on the employer lists."""
        theirs, ours = set(), set()
        for plan_id in self.plan_ids("employer-list"):
            plan = self.plan(plan_id, "plan")[0]
            newest = newest_register(self.drops, plan["register_as_of"])
            ours |= employer_list(self.dispositions, self.planned_from, newest, plan["run_on"])
            theirs |= {unpack(row["member_key"]) for row in self.plan(plan_id, "list_lines")}
        return theirs, ours

    def follow_ups(self) -> dict[tuple[str, date], str]:
        """(control number, run): outcome of every returned envelope, run after run."""
        mail = {
            row["envelope_id"]
            for row in self.rows("facts/plans/*/envelopes.parquet")
            if row["lot_kind"] in ("home", "supplementary")
        }
        mail |= {
            row["replacement_id"]
            for row in self.rows("facts/feeds/piece_reports/*/rows.parquet")
            if row["replacement_id"]
        }
        returns = self.rows("facts/feeds/return_reports/*/rows.parquet")
        outcomes: dict[tuple[str, date], str] = {}
        done: set[str] = set()
        for plan_id in self.plan_ids("follow-up"):
            plan = self.plan(plan_id, "plan")[0]
            run_on = plan["run_on"]
            newest = newest_register(self.drops, plan["register_as_of"])
            due = {
                row["envelope_id"]
                for row in returns
                if row["returned_on"] < run_on and row["received_on"] <= plan["received_on"]
            }
            ended: dict[str, set[Key]] = defaultdict(set)
            for one in self.routes.state(self.routes.moment_of(plan_id), newest):
                if not one.is_live:
                    ended[one.number.rsplit("-", 1)[0]].add(one.member)
            for envelope in (due & mail & self.members_of.keys()) - done:
                outcome = follow_up(self.members_of[envelope], run_on, newest, ended[envelope])[0]
                # Nothing goes to an employer any more after the closing run (rules: undelivered mail).
                is_over = run_on > self.campaign.closing_follow_up_on and outcome == "employer_bundle"
                outcomes[envelope, run_on] = "branch_desk" if is_over else outcome
                done.add(envelope)
        return outcomes

    def request_runs(self) -> list[tuple[str, dict[Any, Any], dict[Any, Any]]]:
        """Of every run: plan, and what pipeline and oracle say of requests, certificates and envelopes."""
        decided: set[str] = set()
        told = []
        for plan_id in self.plan_ids("request"):
            plan = self.plan(plan_id, "plan")[0]
            newest = newest_register(self.drops, plan["register_as_of"])
            issues = self.routes.issues(plan_id, newest, plan["register_as_of"], decided)
            decided |= {issue.request_id for issue in issues if issue.request_id and issue.outcome != "held"}
            ours: dict[Any, Any] = {
                ("request", issue.request_id): (issue.member, issue.outcome, issue.reason)
                for issue in issues
                if issue.request_id
            }
            for issue in issues:
                if issue.outcome == "issue":
                    member, insured = newest.member(issue.member), newest.insured(issue.member)
                    assert member is not None
                    assert insured is not None
                    day = plan["posting_date"]
                    ours["certificate", issue.member] = (
                        "request" if issue.request_id else issue.kind,
                        issue.need,
                        day,
                        valid_until(day, member, insured, issue.member[3] != "00"),
                        issue.supersedes,
                        "supplementary" if issue.at_home else "employer",
                    )
            for envelope in self.routes.packets(issues, plan["posting_date"]):
                ours["envelope", envelope.household, envelope.position] = (envelope.count, envelope.members)
            told.append((plan_id, self._request_plan(plan_id), ours))
        return told

    def _request_plan(self, plan_id: str) -> dict[Any, Any]:
        """A frozen request plan in the same words."""
        rows: dict[Any, Any] = {
            ("request", row["request_id"]): (unpack(row["member_key"]), row["outcome"], row["reason_code"])
            for row in self.plan(plan_id, "request_outcomes")
        }
        kinds = {row["envelope_id"]: row for row in self.plan(plan_id, "envelopes")}
        for row in self.plan(plan_id, "certificates"):
            rows["certificate", unpack(row["member_key"])] = (
                row["route"],
                row["need"],
                row["issued_on"],
                row["valid_until"],
                row["supersedes_certificate_id"],
                kinds[row["envelope_id"]]["lot_kind"],
            )
        for number, row in kinds.items():
            if row["household_key"] is not None:
                household = unpack_household(row["household_key"])
                rows["envelope", household, row["position"]] = (
                    row["envelopes_in_household"],
                    self.members_of[number],
                )
        return rows
