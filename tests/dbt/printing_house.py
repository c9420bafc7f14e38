"""A printer in a few lines: takes lots of frozen plans and reports what becomes of each piece, as it is told."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from datetime import date, timedelta

from household_histories import CLOSED_ON, Mail, Row
from mailing_facts import MailingFacts, _write

from kakuninsho.facts.schemas import TRANSFERS
from kakuninsho.plans.control_numbers import control_number
from kakuninsho.plans.draft import PlanRequest

ONE_DAY = timedelta(days=1)


class PrintingHouse:
    """Answers for one season. `mail_of` says what happens to a piece of a plan."""

    def __init__(self, facts: MailingFacts, mail_of: Callable[[Row], Mail]) -> None:
        self.facts = facts
        self.mail_of = mail_of

    def feed(self, name: str, day: date, rows: list[Row]) -> None:
        """Land a file of a feed, if there is anything to say."""
        if rows:
            self.facts.feed(name, day, rows)

    def hand_over(self, wish: PlanRequest, tables: dict[str, list[Row]]) -> None:
        """Two people approve a plan, its lots are sent, and the printer accepts them."""
        self.facts.answer(wish.plan_id, wish.as_of, approved=True)
        if not tables["lots"]:
            return
        rows = [
            {
                "plan_id": wish.plan_id,
                "lot_id": lot["lot_id"],
                "file_kind": "lot",
                "file_name": f"{lot['lot_id']}.csv",
                "step": "announced",
                "envelope_count": lot["envelope_count"] + lot["seed_count"],
                "received_on": wish.as_of,
            }
            for lot in tables["lots"]
        ]
        with self.facts.store.land("transfers", wish.plan_id, received_on=wish.as_of, source="histories") as draft:
            _write(draft.table("transfers"), TRANSFERS["transfers"], rows)
        answers = [
            {key: row[key] for key in ("file_name", "lot_id", "envelope_count")}
            | {"result": "accepted", "acknowledged_on": wish.as_of}
            for row in rows
        ]
        self.feed("acknowledgements", wish.as_of, answers)

    def post(
        self, tables: dict[str, list[Row]], lots: set[str] | None = None, pulled: frozenset[str] = frozenset()
    ) -> None:
        """Post lots of a plan, all of them unless told which, but for the pieces to be pulled."""
        reports: defaultdict[date, list[Row]] = defaultdict(list)
        returns: defaultdict[date, list[Row]] = defaultdict(list)
        spare = {
            lot["lot_id"]: iter(range(lot["replacement_first"], lot["replacement_last"] + 1)) for lot in tables["lots"]
        }
        day_of = {lot["lot_id"]: lot["posting_date"] for lot in tables["lots"]}
        pieces = [row | {"is_sample": True} for row in tables["seed_pieces"]]
        pieces += [row | {"is_sample": False} for row in tables["envelopes"] if row["bundle_id"] is None]
        for piece in pieces:
            lot, number = piece["lot_id"], piece["envelope_id"]
            if lots is not None and lot not in lots:
                continue
            day, event = day_of[lot], {"lot_id": lot, "envelope_id": number}
            if number in pulled:
                reports[day + 3 * ONE_DAY].append(event | {"event_type": "pulled", "occurred_on": day})
                continue
            mail = Mail() if piece["is_sample"] else self.mail_of(piece)
            for _ in range(mail.spoiled):
                again = control_number(next(spare[lot]))
                spoiled = event | {"event_type": "spoiled", "occurred_on": day, "replacement_id": again}
                reports[day + 3 * ONE_DAY].append(spoiled)
                event, day = event | {"envelope_id": again}, day + ONE_DAY
            known = min(day + (10 if mail.is_late else 3) * ONE_DAY, CLOSED_ON)
            tracked = {"tracking_number": f"5{int(number) % 10**10:010d}"}
            reports[known].append(event | tracked | {"event_type": "posted", "occurred_on": day})
            if mail.returned_after is not None and piece.get("lot_kind") != "employer_list":
                back = day + mail.returned_after * ONE_DAY
                told = {"envelope_id": event["envelope_id"], "returned_on": back, "reason_code": mail.reason}
                returns[back + ONE_DAY].append(told | tracked)
        for feed, files in (("piece_reports", reports), ("return_reports", returns)):
            for day, rows in sorted(files.items()):
                if day <= CLOSED_ON:
                    self.feed(feed, day, rows)
