"""Requests, rolling issue, late releases, and where a certificate is on a day: the rules of the other routes again.

Decisions of earlier runs are read from the frozen plans, which the other comparisons have judged by then; what this run
must decide is worked out from the register, the feeds and the printer's reports that were known at its hour.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING

from oracle import (
    Campaign,
    Envelope,
    Key,
    LateJudge,
    LateOutcome,
    Register,
    Row,
    delivery_hold,
    disposition,
    is_blank,
    is_printable,
    is_protected,
    last_day_of_month_after,
    left_by,
    need_on,
    pack,
    postal_digits,
    unpack,
    valid_until,
)

if TYPE_CHECKING:
    from season_oracle import SeasonOracle

Moment = tuple[date, int]
HOURS = {"home": 8, "employer_list": 8, "follow_up": 7, "release": 9, "resend": 9, "request": 11}
HELD_REQUESTS = (
    "row_missing",
    "address_protected",
    "between_routes",
    "household_without_insured",
    "card_record_rejected",
    "address_overseas",
    "address_missing",
    "unprintable_text",
    "employer_unknown",
    "employer_closed",
    "employer_unreachable",
)


@dataclass(frozen=True)
class Certificate:
    """A certificate as it stands at a moment; `number` is that of the piece printed last."""

    number: str
    frozen: str
    member: Key
    route: str
    lot: str
    is_live: bool
    status: str
    reason: str | None
    has_left: bool
    can_be_pulled: bool
    made_on: date


@dataclass(frozen=True)
class Issue:
    """What the rules make of one wish."""

    member: Key
    request_id: str | None
    kind: str
    outcome: str
    reason: str | None
    need: str
    at_home: bool
    supersedes: str | None
    needed_on: date


class Routes:
    """Everything that was known of a season, by moment."""

    def __init__(self, season: SeasonOracle) -> None:
        self.season = season

    @property
    def campaign(self) -> Campaign:
        return self.season.campaign

    # --- facts --------------------------------------------------------------------------------------------------

    @cached_property
    def plans(self) -> dict[str, Row]:
        """Plans that nobody rejected, with the hour at which their kind runs."""
        kinds = ("home", "release", "resend", "follow-up", "request", "employer-list")
        names = [name for kind in kinds for name in self.season.plan_ids(kind)]
        return {name: self.season.plan(name, "plan")[0] for name in names}

    def _of_plans(self, table: str) -> list[Row]:
        return [row for name in self.plans for row in self.season.plan(name, table)]

    @cached_property
    def certificates(self) -> list[Row]:
        return self._of_plans("certificates")

    @cached_property
    def envelopes(self) -> dict[str, Row]:
        return {row["envelope_id"]: row for row in self._of_plans("envelopes")}

    @cached_property
    def pulls(self) -> list[Row]:
        return self._of_plans("pulls")

    @cached_property
    def release_lots(self) -> list[Row]:
        return self._of_plans("release_lots")

    @cached_property
    def follow_ups(self) -> list[Row]:
        return self._of_plans("follow_ups")

    def _feed(self, name: str) -> list[Row]:
        return self.season.rows(f"facts/feeds/{name}/*/rows.parquet")

    @cached_property
    def reports(self) -> list[Row]:
        return self._feed("piece_reports")

    @cached_property
    def returns(self) -> list[Row]:
        return self._feed("return_reports")

    @cached_property
    def given_back(self) -> list[Row]:
        return self._feed("certificate_returns")

    @cached_property
    def requests(self) -> list[Row]:
        """One row a request: its first delivery."""
        first: dict[str, Row] = {}
        rows = self._feed("issue_requests")
        for row in sorted(rows, key=lambda row: (row["received_on"], row["source_file"], row["row_number"])):
            first.setdefault(row["request_id"], row)
        return list(first.values())

    @cached_property
    def decisions(self) -> list[Row]:
        return [row | {"member": unpack(row["member_key"])} for row in self._feed("decisions")
                if row["decision"] != "resume"]  # fmt: skip

    def moment_of(self, plan_id: str) -> Moment:
        """The day and hour at which a plan was drafted."""
        plan = self.plans[plan_id]
        return plan["received_on"], HOURS[plan["plan_kind"]]

    def _is_known(self, row: Row, moment: Moment) -> bool:
        return self.moment_of(row["plan_id"]) < moment

    @staticmethod
    def _has_come(row: Row, moment: Moment) -> bool:
        """Whether a row of the core system's feeds was there: the run for requests takes them in."""
        day: date = row["received_on"]
        return (day, HOURS["request"]) <= moment

    # --- where a certificate is -------------------------------------------------------------------------------------

    def state(self, moment: Moment, newest: Register) -> list[Certificate]:  # noqa: PLR0912 (first match wins)
        """Every certificate of the plans frozen before a moment."""
        day = moment[0]
        events: dict[str, Row] = {}
        for row in sorted(self.reports, key=lambda row: (row["occurred_on"], row["received_on"], row["row_number"])):
            if row["received_on"] <= day:
                events[row["envelope_id"]] = row
        spoiled = {number: row["replacement_id"] for number, row in events.items() if row["event_type"] == "spoiled"}
        returned = {row["envelope_id"] for row in self.returns if row["received_on"] <= day}
        back = {row["certificate_id"] for row in self.given_back if self._has_come(row, moment)}
        listed = {row["envelope_id"] for row in self.pulls if self._is_known(row, moment)}
        superseded = {row["supersedes_certificate_id"] for row in self.certificates if self._is_known(row, moment)}
        followed: dict[str, Row] = {}
        for row in sorted(self.follow_ups, key=lambda row: row["run_on"]):
            if self._is_known(row, moment):
                followed[row["certificate_id"]] = row
        released = {row["lot_id"] for row in self.release_lots if row["is_released"] and self._is_known(row, moment)}

        def last_number(number: str) -> str:
            while spoiled.get(number):
                number = spoiled[number]
            return number

        def event_of(number: str) -> str | None:
            return events[number]["event_type"] if number in events else None

        found = []
        for row in self.certificates:
            if not self._is_known(row, moment):
                continue
            envelope = self.envelopes[row["envelope_id"]]
            number = last_number(row["envelope_id"])
            certificate_id = f"{number}-{row['slot']}"
            member = unpack(row["member_key"])
            event, follow_up = event_of(number), followed.get(certificate_id)
            bundle = (follow_up or {}).get("bundle_id") or envelope["bundle_id"]
            bundle = last_number(bundle) if bundle else None
            is_posted, is_returned = event == "posted", number in returned
            bundle_left = bundle is not None and (event_of(bundle) == "posted" or bundle in returned)
            status, reason = "planned", None
            if event == "spoiled":
                status = "spoiled"
            elif event == "pulled" or (not is_posted and row["envelope_id"] in listed):
                status = "pulled"
            elif superseded & {certificate_id, row["certificate_id"]}:
                status, reason = "superseded", "superseded_by_request"
            elif certificate_id in back:
                status, reason = "closed", "returned_by_member"
            elif follow_up and follow_up["outcome"] in ("closed", "held"):
                status, reason = follow_up["outcome"], follow_up["reason_code"]
            elif (follow_up and follow_up["outcome"] == "branch_desk") or bundle in returned:
                status = "at_branch_desk"
            elif bundle_left:
                status = "at_employer"
            elif follow_up or is_returned:
                status = "returned"
            elif is_posted:
                status = "posted"
            if status in ("posted", "at_employer") and self._has_left_membership(member, newest, day):
                status, reason = "closed", "return_expected"
            kind = self.plans[row["plan_id"]]["plan_kind"]
            in_release = kind not in ("home", "resend") or envelope["lot_id"] in released
            has_left = is_posted or is_returned or (envelope["bundle_id"] is not None and bundle_left)
            found.append(
                Certificate(
                    certificate_id,
                    row["certificate_id"],
                    member,
                    row["route"],
                    envelope["lot_id"],
                    status not in ("spoiled", "pulled", "superseded", "closed"),
                    status,
                    reason,
                    has_left,
                    row["route"] == "home" and not has_left and not in_release,
                    self.plans[row["plan_id"]]["received_on"],
                )
            )
        return found

    @staticmethod
    def _has_left_membership(member: Key, newest: Register, day: date) -> bool:
        people = [row for row in (newest.member(member), newest.insured(member)) if row is not None]
        return any(row["lost_on"] is not None and row["lost_on"] <= day for row in people)

    # --- requests and rolling issue -----------------------------------------------------------------------------------

    def became_unable(self, plan: Row, newest: Register, certificates: Iterable[Certificate]) -> list[Key]:
        """Who could use the card on the snapshot's day, on joining or on a later drop's, and cannot, or soon cannot."""
        campaign, planned, posting = self.campaign, self.season.planned_from, plan["posting_date"]
        served = {
            one.member for one in certificates if one.is_live or one.reason in ("returned_by_member", "return_expected")
        }
        later = [drop for drop in self.season.drops if campaign.snapshot_as_of < drop.as_of <= plan["register_as_of"]]

        def was_able(card: Row | None, day: date, *, in_grace: bool) -> bool:
            return card is not None and need_on(card, day) in ((None, "certificate_in_grace") if in_grace else (None,))

        found = []
        for key, member in newest.rows["members"].items():
            card = newest.rows["my_number_cards"].get(key)
            need = need_on(card, posting)
            if key in served or need is None or newest.has_certificate_elsewhere(key, posting):
                continue
            if need == "certificate_in_grace":
                assert card is not None
                expired = card["certificate_expires_on"]
                if plan["run_on"] <= last_day_of_month_after(expired, campaign.rolling_months_after_expiry):
                    continue
            first = planned.rows["my_number_cards"].get(key)
            able = was_able(first, campaign.snapshot_as_of, in_grace=not campaign.mail_in_grace)
            if member["decided_on"] >= campaign.new_enrollee_from:
                able = able or any(was_able(row, member["decided_on"], in_grace=True) for row in (first, card))
            able = able or any(
                was_able(drop.accepted["my_number_cards"].get(key), drop.as_of, in_grace=False) for drop in later
            )
            if able:
                found.append(key)
        return found

    def decided(self, plan: Row, certificates: Iterable[Certificate]) -> list[Key]:
        """Whom a person decided to serve, and who got nothing of it yet."""
        said: dict[Key, date] = {}
        for row in self.decisions:
            if row["decision"] == "issue" and row["received_on"] <= plan["received_on"]:
                said[row["member"]] = max(said.get(row["member"], row["decided_on"]), row["decided_on"])
        had = defaultdict(list)
        for one in certificates:
            had[one.member].append(one)
        return [
            key
            for key, day in said.items()
            if day >= self.campaign.snapshot_as_of and not any(one.is_live or one.made_on >= day for one in had[key])
        ]

    def issues(self, plan_id: str, newest: Register, newest_as_of: date, decided: set[str]) -> list[Issue]:
        """What a run must make of every open request and of everyone who became unable."""
        plan, moment = self.plans[plan_id], self.moment_of(plan_id)
        posting = plan["posting_date"]
        certificates = self.state(moment, newest)
        live: dict[Key, list[Certificate]] = defaultdict(list)
        for one in certificates:
            if one.is_live:
                live[one.member].append(one)
        wishes: list[tuple[Key, str | None, str, date]] = [
            (unpack(row["member_key"]), row["request_id"], row["kind"], row["requested_on"])
            for row in self.requests
            if row["received_on"] <= moment[0] and row["request_id"] not in decided
        ]
        unable = self.became_unable(plan, newest, certificates)
        wishes += [(key, None, "rolling", posting) for key in unable]
        wishes += [(key, None, "decided", posting) for key in self.decided(plan, certificates) if key not in unable]
        judged = [self._judge(wish, newest, newest_as_of, plan, live.get(wish[0], [])) for wish in wishes]
        best: dict[Key, list[Issue]] = defaultdict(list)
        for issue in judged:
            if issue.outcome == "issue":
                best[issue.member].append(issue)
        first = {
            member: min(
                some,
                key=lambda one: (
                    one.kind != "lost_or_damaged",
                    one.kind in ("rolling", "decided"),
                    one.needed_on,
                    one.request_id or "",
                ),
            )
            for member, some in best.items()
        }
        return [
            issue
            if issue.outcome != "issue" or issue is first[issue.member]
            else Issue(
                issue.member,
                issue.request_id,
                issue.kind,
                "refused",
                "already_has_certificate",
                issue.need,
                issue.at_home,
                None,
                issue.needed_on,
            )
            for issue in judged
        ]

    def _judge(  # noqa: PLR0912 (first match wins)
        self,
        wish: tuple[Key, str | None, str, date],
        newest: Register,
        newest_as_of: date,
        plan: Row,
        live: list[Certificate],
    ) -> Issue:
        key, request_id, kind, needed_on = wish
        campaign, posting = self.campaign, plan["posting_date"]
        member, insured = newest.member(key), newest.insured(key)
        card = newest.rows["my_number_cards"].get(key)
        need = need_on(card, needed_on)
        usable = need is None or (need == "certificate_in_grace" and not campaign.mail_in_grace)
        has_rejected_card = card is None and key in newest.rejected["my_number_cards"]
        is_fixed = any(not one.can_be_pulled for one in live)
        elsewhere = newest.has_certificate_elsewhere(key, posting)
        known = [row for row in self.decisions if row["member"] == key and row["received_on"] <= plan["received_on"]]
        known.sort(key=lambda row: (row["decided_on"], row["received_on"], row["row_number"]))
        since = needed_on if request_id else campaign.snapshot_as_of
        if kind == "decided":
            since = max(row["decided_on"] for row in known if row["decision"] == "issue")
        said = [row["decision"] for row in known if row["decided_on"] >= since]
        said = [word for word in said if word in ("release", "exclude", "issue")]
        is_excluded = said[-1:] == ["exclude"]
        is_released = [word for word in said if word != "issue"][-1:] == ["release"]
        employer_hold = (
            None if insured and insured["enrolment"] == "voluntary" else self._employer_hold(key, newest, plan)
        )
        reason = None
        if member is None:
            is_unknown_yet = newest_as_of < needed_on or key in newest.rejected["members"]
            reason = "row_missing" if is_unknown_yet else "not_a_member"
        elif left := left_by(key, newest, posting):
            reason = left
        elif is_protected(key, newest):
            reason = "address_protected"
        elif is_excluded:
            reason = "decided_excluded"
        elif self._is_between_routes(key, member, known):
            reason = "between_routes"
        elif insured is None:
            reason = "household_without_insured"
        elif kind == "new_enrollee" and member["decided_on"] < campaign.new_enrollee_from:
            reason = "not_a_new_enrollee"
        elif kind != "lost_or_damaged" and (is_fixed or elsewhere):
            reason = "already_has_certificate"
        elif has_rejected_card and not is_released:
            reason = "card_record_rejected"
        elif usable and (
            kind in ("new_enrollee", "decided") or (kind == "lost_or_damaged" and not live and not elsewhere)
        ):
            reason = "card_usable"
        elif valid_until(posting, member, insured, key[3] != "00") < posting:
            reason = "validity_over"
        else:
            reason = delivery_hold(key, newest, campaign)
            if reason is None and employer_hold and not is_released:
                reason = employer_hold
        outcome = "issue" if reason is None else "held" if reason in HELD_REQUESTS else "refused"
        at_home = bool(insured and insured["enrolment"] == "voluntary") or employer_hold is not None
        replaced = max((one.number for one in live), default=None) if outcome == "issue" else None
        return Issue(key, request_id, kind, outcome, reason, need or kind, at_home, replaced, needed_on)

    def _is_between_routes(self, key: Key, member: Row, known: list[Row]) -> bool:
        """Line 5 on every route: neither rule of the seed covers the day, and the need existed at the snapshot."""
        campaign = self.campaign
        need = need_on(self.season.planned_from.rows["my_number_cards"].get(key), campaign.snapshot_as_of)
        needed = need is not None and (need != "certificate_in_grace" or campaign.mail_in_grace)
        return (
            campaign.enrolled_through < member["decided_on"] < campaign.new_enrollee_from
            and needed
            and _last_word(known) != "release"
        )

    def _employer_hold(self, key: Key, newest: Register, plan: Row) -> str | None:
        employer = newest.employer(key)
        if employer is None:
            return "employer_unknown"
        if employer["closed_on"] is not None and employer["closed_on"] <= plan["run_on"]:
            return "employer_closed"
        texts = [
            (employer["name"], self.campaign.max_name_width),
            (employer["address"], self.campaign.max_address_width),
            (employer["building"], self.campaign.max_building_width),
        ]
        is_reachable = (
            not is_blank(employer["name"])
            and not is_blank(employer["address"])
            and postal_digits(employer["postal_code"]) is not None
            and all(is_printable(text, limit) for text, limit in texts)
        )
        return None if is_reachable else "employer_unreachable"

    def packets(self, issues: Iterable[Issue], posting: date) -> list[Envelope]:
        """Envelopes of the households that get certificates in a run."""
        households: dict[Key, list[Key]] = defaultdict(list)
        for issue in issues:
            if issue.outcome == "issue":
                households[issue.member[:3]].append(issue.member)
        return [
            envelope
            for household, members in sorted(households.items())
            for envelope in pack(household, members, self.campaign.certificates_per_envelope, posting_date=posting)
        ]

    # --- late releases ----------------------------------------------------------------------------------------------

    def late_releases(  # noqa: PLR0912 (one test per rule)
        self, plan_id: str, posting: date, newest: Register
    ) -> list[Key]:
        """People whom a decision let in after the first plan and who go out on this posting date."""
        moment, campaign, season = self.moment_of(plan_id), self.campaign, self.season
        known = [row for row in self.decisions if self._has_come(row, moment)]
        judged = self.late_outcomes(self.plans[plan_id]["register_as_of"], known)
        households = {row["member"][:3] for row in known if row["decision"] in ("release", "correct_address")}
        certificates = self.state(moment, newest)
        live = {one.member for one in certificates if one.is_live}
        had_one = {one.member for one in certificates}
        first_plan_on = min(plan["received_on"] for plan in self.plans.values() if plan["plan_kind"] == "home")
        held_on: dict[Key, date] = {}
        for row in self.pulls:
            if row["outcome"] == "held" and self._is_known(row, moment):
                held_on[unpack(row["member_key"])] = self.plans[row["plan_id"]]["received_on"]
        found = []
        back = self._rows_back(plan_id, moment, known, live)
        people = {key: decided for key, decided in season.dispositions.items() if key[:3] in households or key in back}
        people |= {key: (one.outcome, one.reason) for key, one in judged.items()}
        for key, (outcome, reason) in people.items():
            if key in live:
                continue
            dates = campaign.posting_dates[key[0]]
            if posting not in dates and posting <= dates[-1]:
                continue
            own = [row for row in known if row["member"] == key]
            said_on = max(
                (
                    row["received_on"]
                    for row in known
                    if row["member"][:3] == key[:3] and row["decision"] in ("release", "correct_address")
                ),
                default=date.min,
            )
            if key in had_one:
                if key not in back and not (key in held_on and said_on > held_on[key]):
                    continue
            elif outcome == "target" and key not in judged and said_on < first_plan_on:
                continue
            is_let_in = outcome == "target" or self._is_let_in(key, outcome, reason, own, judged.get(key))
            if not is_let_in or self._is_held_by_person(own):
                continue
            if _last_word(own) == "exclude":
                continue
            member, insured = newest.member(key), newest.insured(key)
            if member is None or insured is None or newest.address(key) is None:
                continue
            if left_by(key, newest, posting) or is_protected(key, newest) or delivery_hold(key, newest, campaign):
                continue
            if valid_until(posting, member, insured, key[3] != "00") >= posting:
                found.append(key)
        return found

    @cached_property
    def late_judge(self) -> LateJudge:
        return LateJudge(self.season.drops, self.campaign)

    def late_outcomes(self, day: date, decisions: list[Row]) -> dict[Key, LateOutcome]:
        """Whom a drop up to a day has judged, rejected or held for a rejected row at the snapshot."""
        first: dict[Key, date] = {}
        for row in decisions:
            if row["decision"] in ("release", "exclude"):
                first[row["member"]] = min(row["received_on"], first.get(row["member"], date.max))
        return self.late_judge.outcomes(day, self.season.dispositions, first)

    def _rows_back(self, plan_id: str, moment: Moment, known: list[Row], live: set[Key]) -> set[Key]:
        """Who was pulled for a missing or rejected row, and is free by the first later drop that has it again."""
        newest: dict[Key, Row] = {}
        for row in sorted(self.pulls, key=lambda row: self.plans[row["plan_id"]]["received_on"]):
            if row["outcome"] == "held" and self._is_known(row, moment):
                newest[unpack(row["member_key"])] = row
        events = {row["envelope_id"] for row in self.reports if row["event_type"] == "posted"
                  and row["received_on"] <= moment[0]}  # fmt: skip
        incidents = {
            unpack(row["member_key"])[:3]
            for row in self.pulls
            if row["envelope_id"] in events and self._is_known(row, moment)
        }
        found = set()
        for key, row in newest.items():
            plan = self.plans[row["plan_id"]]
            has_decided = any(one["member"] == key and one["received_on"] > plan["received_on"] for one in known)
            if row["outcome_reason_code"] != "row_missing" or has_decided or key in live or key[:3] in incidents:
                continue
            for drop in self.late_judge.later(self.plans[plan_id]["register_as_of"], plan["register_as_of"]):
                register = self.late_judge.register(drop.as_of)
                if register.member(key) is None or register.insured(key) is None:
                    continue
                if not (
                    left_by(key, register, drop.as_of)
                    or is_protected(key, register)
                    or delivery_hold(key, register, self.campaign)
                ):
                    found.add(key)
                break
        return found

    @staticmethod
    def _is_held_by_person(own: list[Row]) -> bool:
        said = [row for row in own if row["decision"] in ("hold_piece", "release")]
        said.sort(key=lambda row: (row["decided_on"], row["received_on"], row["row_number"]))
        return bool(said) and said[-1]["decision"] == "hold_piece"

    def _is_let_in(self, key: Key, outcome: str, reason: str, own: list[Row], late: LateOutcome | None) -> bool:
        """Whether a released hold leads through the remaining lines of what becomes of a row."""
        if outcome != "held" or _last_word(own) != "release":
            return False
        if reason == "address_protected":
            people = {row["decided_by"] for row in own if row["decision"] == "release"}
            if len(people) < 2 or not any(row["decision"] == "correct_address" for row in own):
                return False
        if late is not None:
            return self.late_judge.judge(key, late.judged_on, after=reason)[0] == "target"
        return disposition(key, self.season.planned_from, self.campaign, after=reason)[0] == "target"


def _last_word(decisions: list[Row]) -> str | None:
    said = [row for row in decisions if row["decision"] in ("release", "exclude")]
    said.sort(key=lambda row: (row["decided_on"], row["received_on"], row["row_number"]))
    return str(said[-1]["decision"]) if said else None
