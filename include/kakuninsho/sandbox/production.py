"""A posting day: pieces are pulled, spoiled and printed again, or posted; some will come back.

Set-based, one pass over the day's pieces. What becomes of a piece depends on the seed and its control number
alone, so neither the order in which lots arrived nor a restart changes anything.
"""

from __future__ import annotations

import logging
from datetime import date, timedelta

from kakuninsho.sandbox.batches import Batch, add_batch
from kakuninsho.sandbox.calendar import next_worked, on_or_after, works
from kakuninsho.sandbox.chance import SPAN, between_sql, draw_sql, happens_sql
from kakuninsho.sandbox.core_system import HELD_AT_LEAST
from kakuninsho.sandbox.workshop import Workshop

log = logging.getLogger("kakuninsho.sandbox")

# 特定記録 by bulk senders: first digit 5 or 6, two of the region, two from 60 to 99, five of a serial number.
NUMBERS_PER_REGION = 2 * 40 * 100_000
UNKNOWN_PIECES_FROM = 999_000_000  # sequences that no insurer has given


def tracking_number(region: int, serial: int) -> int:
    """Tracking number (追跡番号) as a number of 11 digits; the last is the first ten mod 7.

    `serial` runs from 0 to NUMBERS_PER_REGION - 1 within a region and posting date.
    """
    first = 5 + serial // (NUMBERS_PER_REGION // 2)
    bulk = 60 + serial // 100_000 % 40
    ten = ((first * 100 + region) * 100 + bulk) * 100_000 + serial % 100_000
    return ten * 10 + ten % 7


def _tracking_sql(serial: str) -> str:
    ten = (
        f"(((5 + {serial} // {NUMBERS_PER_REGION // 2}) * 100 + prefecture) * 100"
        f" + 60 + ({serial} // 100000) % 40) * 100000 + {serial} % 100000"
    )
    return f"(({ten}) * 10 + ({ten}) % 7)"


class Production:
    """Printing hall and post office."""

    def __init__(self, workshop: Workshop) -> None:
        self._workshop = workshop
        self._state = workshop.state
        self._faults = workshop.faults
        self._rates = workshop.rates
        self._seed = workshop.seed

    def post(self, day: date) -> None:
        """All that happens to pieces on one day; inside the caller's transaction."""
        if works(day):
            self._collect(day)
            if self._state.value("select count(*) from today"):
                self._misbehave_with_pulls()
                self._replace_spoiled(day)
                self._misbehave_with_posted()
                self._record(day)
            self._state.run("drop table today")
        self._report_returns(day)

    def _collect(self, day: date) -> None:
        """Table `today`: each piece of the lots due today and each piece to be printed again, with its outcome."""
        spoils = happens_sql(self._seed, "spoiled", "due.sequence", self._rates.spoiled)
        self._state.run(
            f"""
            create or replace temp table today as
            with due as (
                select lot_no, sequence, is_sample, sequence as parent, sequence as root
                from pieces semi join
                    (select lot_no from jobs where state = 'waiting' and not is_held and due_on <= date '{day}')
                    using (lot_no)
                union all
                select lot_no, sequence, false, parent, root from reprints where due_on <= date '{day}'
            ),
            -- A piece printed again is pulled when it, the piece before it or the first of the chain is listed.
            pulled as (
                select lot_no, sequence from due semi join pulls using (lot_no, sequence)
                union
                select due.lot_no, due.sequence
                from due join pulls on pulls.lot_no = due.lot_no and pulls.sequence = due.parent
                where due.parent <> due.sequence
                union
                select due.lot_no, due.sequence
                from due join pulls on pulls.lot_no = due.lot_no and pulls.sequence = due.root
                where due.root <> due.sequence
            )
            select
                due.*, lots.lot_id, lots.kind, lots.prefecture,
                case
                    when pulled.sequence is not null then 'pulled'
                    -- Samples are watched over: one that is reported spoiled would look like a lost one.
                    when not due.is_sample and {spoils} then 'spoiled'
                    else 'posted'
                end as outcome,
                null::bigint as replacement,
                false as is_silent
            from due
            join lots using (lot_no)
            left join pulled on pulled.lot_no = due.lot_no and pulled.sequence = due.sequence
            """
        )

    def _replace_spoiled(self, day: date) -> None:
        """Give each spoiled piece the next number of its lot's range; without one the piece is not spoiled."""
        state = self._state
        state.run(
            """
            create or replace temp table replaced as
            select lot_no, sequence, root,
                replacement_next + row_number() over (partition by lot_no order by sequence) - 1 as given,
                replacement_last
            from today join lots using (lot_no)
            where outcome = 'spoiled'
            qualify given <= replacement_last
            """
        )
        state.run(
            """
            update today set
                outcome = case when given.replacement is null then 'posted' else 'spoiled' end,
                replacement = given.replacement
            from (select today.sequence, replaced.given as replacement
                from today left join replaced using (sequence) where today.outcome = 'spoiled') as given
            where today.sequence = given.sequence
            """
        )
        state.run("delete from reprints where due_on <= ?", day)
        state.run(
            "insert into reprints select lot_no, given, sequence, root, ? from replaced",
            next_worked(day),
        )
        state.run(
            """
            update lots set replacement_next = used.last + 1
            from (select lot_no, max(given) as last from replaced group by lot_no) as used
            where lots.lot_no = used.lot_no
            """
        )
        state.run("drop table replaced")

    def _record(self, day: date) -> None:
        """Write events and returns of `today`, close its lots, and note when they are reported."""
        state, seed = self._state, self._seed
        region_and_day = f"concat(prefecture, '|{day}')"
        offset = f"({draw_sql(seed, 'tracking', region_and_day)} % {NUMBERS_PER_REGION})::bigint"
        state.run(
            f"""
            create or replace temp table tracked as
            with numbered as (
                select *, ({offset} + row_number() over (partition by prefecture order by sequence))
                    % {NUMBERS_PER_REGION} as serial
                from today where outcome = 'posted'
            )
            select lot_no, sequence, kind, is_sample, {_tracking_sql("serial")} as tracking_number from numbered
            """
        )
        state.run(
            """
            insert into events
            select today.lot_no, sequence, outcome, ?, tracking_number, replacement
            from today left join tracked using (sequence)
            where not is_silent
            order by sequence
            """,
            day,
        )
        self._send_back(day)
        self._reach_people(day)
        state.run("drop table tracked")
        state.run("update jobs set state = 'posted' where state = 'waiting' and not is_held and due_on <= ?", day)
        reported = state.rows(
            """
            select lot_no, lot_id, count(*) filter (where not is_silent), count(*)
            from today group by all order by lot_id
            """
        )
        for lot_no, lot_id, count, _ in reported:
            extra = self._add_unknown_piece(lot_no, lot_id, day)
            add_batch(self._workshop, Batch("piece_report", lot_no, lot_id, day, count + extra))
        log.info("%s: %d pieces of %d lots handled", day, sum(row[3] for row in reported), len(reported))

    def _send_back(self, day: date) -> None:
        """Decide which posted pieces come back, when and why."""
        rates, seed, state = self._rates, self._seed, self._state
        if not state.value("select count(*) from tracked where not is_sample"):
            return
        year = day.year
        first = date.fromisoformat(f"{year}-{rates.very_late_first}")
        last = date.fromisoformat(f"{year}-{rates.very_late_last}")
        if first <= day + timedelta(days=rates.return_days_last):
            # Posted too near to the end of the season to turn up after it: as late as the season's span.
            span = (last - first).days
            first = day + timedelta(days=rates.return_days_last + 1)
            last = first + timedelta(days=span)
        by_kind = {"H": rates.returned_home, "S": rates.returned_home}
        by_kind |= {"E": rates.returned_employer, "L": rates.returned_employer_list}
        returned = " or ".join(
            f"kind = '{kind}' and {happens_sql(seed, 'returned', 'sequence', rate)}" for kind, rate in by_kind.items()
        )
        very_late = f"kind in ('H', 'S') and {happens_sql(seed, 'very_late', 'sequence', rates.returned_very_late)}"
        soon = between_sql(seed, "return_delay", "sequence", rates.return_days_first, rates.return_days_last)
        at_the_end = between_sql(seed, "very_late_delay", "sequence", 0, (last - first).days)
        state.run(
            f"""
            create or replace temp table back as
            select lot_no, sequence, tracking_number,
                case
                    when {returned} then date '{day}' + {soon}
                    when {very_late} then date '{first}' + {at_the_end}
                end as back_on,
                {draw_sql(seed, "return_reason", "sequence")} / {SPAN}.0 as drawn
            from tracked
            where not is_sample
            """
        )
        edge, reasons = 0.0, []
        for reason, part in rates.return_reasons.items():
            edge += part
            reasons.append(f"when drawn < {edge:.9f} then '{reason}'")
        other = list(rates.return_reasons)[-1]
        received = [row[0] for row in state.rows("select distinct back_on from back where back_on is not null")]
        # Returns are booked in on worked days.
        for back_on in received:
            state.run(
                f"""
                insert into returns
                select lot_no, sequence, tracking_number, ?, case {" ".join(reasons)} else '{other}' end
                from back where back_on = ? order by sequence
                """,
                on_or_after(back_on),
                back_on,
            )
        self._misname_returns()
        state.run("drop table back")

    def _reach_people(self, day: date) -> None:
        """Certificates of today's pieces that reach people who will send them back in the reply envelope.

        A piece printed again brings certificates with its own number; packets keep theirs in a bundle made again.
        """
        self._state.run(
            f"""
            insert or ignore into given_back
            select
                case
                    when tracked.kind = 'E' or today.root = today.sequence then held.certificate_id
                    else control_number(today.sequence) || '-' || split_part(held.certificate_id, '-', 2)
                end,
                greatest(held.gives_back_on, date '{day + HELD_AT_LEAST}'), held.until, null, false
            from tracked
            join today on today.lot_no = tracked.lot_no and today.sequence = tracked.sequence
            join held on held.lot_no = today.lot_no and held.sequence = today.root
            anti join returns on returns.lot_no = tracked.lot_no and returns.sequence = tracked.sequence
            """
        )

    def _report_returns(self, day: date) -> None:
        for lot_no, lot_id, count in self._state.rows(
            """
            select lot_no, lot_id, count(*) from returns join lots using (lot_no)
            where returned_on = ? group by all order by lot_id
            """,
            day,
        ):
            add_batch(self._workshop, Batch("return_report", lot_no, lot_id, day, count))

    # --- misbehaviour -------------------------------------------------------------------------------------

    def _strike(self, name: str, outcome: str, change: str) -> None:
        """Change up to as many pieces of `today` as this misbehaviour has left, seeded by their numbers."""
        for item, left in self._faults.left(name):
            changed = self._state.rows(
                f"""
                update today set {change}
                where sequence in (
                    select sequence from today
                    where outcome = ? and not is_sample and not is_silent and contains(lot_id, ?)
                    order by {draw_sql(self._seed, name, "sequence")} limit {left}
                )
                """,
                outcome,
                item.lot,
            )
            times = int(changed[0][0])
            if times:
                self._faults.use(item, times)

    def _misbehave_with_pulls(self) -> None:
        self._strike("post_pulled", "pulled", "outcome = 'posted'")
        self._strike("unconfirmed_pull", "pulled", "is_silent = true")

    def _misbehave_with_posted(self) -> None:
        self._strike("spoil_without_replacement", "posted", "outcome = 'spoiled'")
        self._strike("drop_piece_report", "posted", "is_silent = true")

    def _misname_returns(self) -> None:
        """Give some of the returns just decided a reason that the contract does not have."""
        for item, left in self._faults.left("unknown_return_reason"):
            changed = self._state.rows(
                f"""
                update returns set reason_code = 'R77'
                where sequence in (
                    select sequence from back join lots using (lot_no)
                    where back_on is not null and contains(lot_id, ?)
                    order by {draw_sql(self._seed, "unknown_return_reason", "sequence")} limit {left}
                )
                """,
                item.lot,
            )
            times = int(changed[0][0])
            if times:
                self._faults.use(item, times)

    def _add_unknown_piece(self, lot_no: int, lot_id: str, day: date) -> int:
        """Report posted what nobody ordered; as often as told, all in the first lot that fits."""
        added = 0
        for item, left in self._faults.left("unknown_piece"):
            if item.lot in lot_id:
                known = self._state.value("select count(*) from events where sequence >= ?", UNKNOWN_PIECES_FROM)
                for number in range(known, known + left):
                    self._state.run(
                        "insert into events values (?, ?, 'posted', ?, ?, null)",
                        lot_no,
                        UNKNOWN_PIECES_FROM + number,
                        day,
                        tracking_number(99, number),
                    )
                self._faults.use(item, left)
                added += left
        return added
