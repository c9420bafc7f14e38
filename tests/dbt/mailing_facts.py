"""Small facts for tests of the mailing models: a register of a few households, plans, files, reports.

Everything is landed through the store that production uses, so a test reads the same files as a run does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from kakuninsho.campaign import load_campaign
from kakuninsho.facts.schemas import APPROVALS, FEEDS, PLANS, REGISTER, TRANSFERS, Columns
from kakuninsho.facts.store import ARROW_TYPES, FactStore
from kakuninsho.plans.control_numbers import control_number
from kakuninsho.warehouse import Context, run_models, warehouse

Row = dict[str, Any]
SNAPSHOT = date(2025, 4, 30)
HANDED_OFF = date(2025, 5, 15)
FUKUI = 18
SAMPLES = 2
SPARE = 5


def household(number: int, *, prefecture: int = FUKUI, symbol: int = 1234567) -> int:
    """Packed key of a household of an employer with a symbol of 7 digits."""
    return (prefecture * 110_000_000 + symbol) * 10_000_000 + number


def person(household_key: int, suffix: int = 0, **changes: Any) -> Row:
    """A row of members: an employee's household of people born in 1980 unless told otherwise."""
    return {
        "member_key": household_key * 100 + suffix,
        "household_key": household_key,
        "enrolment": "employee",
        "name": f"健保　太郎{suffix}",
        "name_kana": f"ケンポ　タロウ{suffix}",
        "sex": "male",
        "birth_date": date(1980, 5, 1),
        "qualified_on": date(2010, 4, 1),
        "decided_on": date(2010, 4, 5),
        "lost_on": None,
        "protected": False,
    } | changes


def address(household_key: int, **changes: Any) -> Row:
    """A row of addresses."""
    return {
        "household_key": household_key,
        "postal_code": f"918{household_key % 10000:04d}",
        "address": "福井県福井市大手３－４－１",
        "building": None,
        "country": "JP",
        "updated_on": date(2020, 1, 1),
    } | changes


@dataclass
class Envelope:
    """One envelope to be frozen: its people, and what a test wants to know of it afterwards."""

    members: Sequence[int]
    position: int = 1
    of: int = 1
    changes: Row = field(default_factory=dict)
    number: str = ""


@dataclass
class Lot:
    """One lot to be frozen."""

    lot_id: str
    posting_date: date
    envelopes: list[Envelope]
    kind: str = "home"
    changes: Row = field(default_factory=dict)
    samples: list[str] = field(default_factory=list)
    spares: list[str] = field(default_factory=list)
    sample_count: int = SAMPLES


def _valid_until(member: Row) -> date:
    """What a certificate of the season says (rules: validity): a voluntary household's ends with its second year."""
    started: date = member["qualified_on"]
    base = date(2029, 11, 30)
    if member["enrolment"] != "voluntary":
        return base
    return min(base, started.replace(year=started.year + 2) - timedelta(days=1))


class MailingFacts:
    """Facts of one small campaign in a folder."""

    def __init__(self, data: Path) -> None:
        self.store = FactStore(data)
        self.store.initialise()
        self.campaign = load_campaign()
        self.sequence = 0
        self.people: dict[int, Row] = {}
        self.homes: dict[int, Row] = {}
        self.files = 0

    # --- facts ------------------------------------------------------------------------------------

    def register(
        self,
        as_of: date,
        members: Sequence[Row],
        addresses: Sequence[Row] = (),
        *,
        employers: Sequence[Row] = (),
        cards: Sequence[Row] = (),
        rejects: Sequence[Row] = (),
        kind: str = "full",
    ) -> None:
        """Land a drop. The first one also gives the values that plans print."""
        tables = {
            "members": members,
            "addresses": addresses,
            "employers": employers,
            "my_number_cards": cards,
            "rejects": rejects,
        }
        if not self.people:
            self.people = {row["member_key"]: row for row in members}
            self.homes = {row["household_key"]: row for row in addresses}
        with self.store.land("register", f"as_of={as_of}", received_on=as_of, source="test") as draft:
            for table, rows in tables.items():
                _write(draft.table(table), REGISTER[table], [{"as_of": as_of} | row for row in rows])
            draft.totals.update(
                kind=kind,
                manifest_rows={
                    table: len(rows) + sum(row["file"] == table for row in rejects)
                    for table, rows in tables.items()
                    if table != "rejects"
                },
            )

    def plan(
        self,
        plan_id: str,
        kind: str,
        frozen_on: date,
        lots: Sequence[Lot] = (),
        *,
        pulls: Sequence[Row] = (),
        release_lots: Sequence[Row] = (),
        follow_ups: Sequence[Row] = (),
        list_lines: Sequence[Row] = (),
        approved: bool | None = True,
        sent: bool = True,
        **changes: Any,
    ) -> None:
        """Freeze a plan with numbers as production gives them; approve, send and acknowledge it unless told not to."""
        stamp = {"plan_id": plan_id, "received_on": frozen_on}
        rows: dict[str, list[Row]] = {table: [] for table in PLANS}
        for lot in lots:
            self._number(lot, stamp, rows)
        rows["pulls"] = [stamp | row for row in pulls]
        rows["release_lots"] = [stamp | row for row in release_lots]
        rows["follow_ups"] = [stamp | row for row in follow_ups]
        rows["list_lines"] = [stamp | row for row in list_lines]
        rows["plan"] = [
            stamp
            | {
                "plan_kind": kind,
                "register_as_of": frozen_on,
                "envelope_count": len(rows["envelopes"]),
                "certificate_count": len(rows["certificates"]),
                "member_count": len({row["member_key"] for row in rows["certificates"]}),
            }
            | changes
        ]
        with self.store.land("plans", plan_id, received_on=frozen_on, source="test") as draft:
            for table, columns in PLANS.items():
                _write(draft.table(table), columns, rows[table])
            draft.totals["last_sequence"] = self.sequence
        if approved is not None:
            self.answer(plan_id, frozen_on, approved=approved)
        if sent and approved:
            self.send(lots, plan_id, frozen_on)
            self.acknowledge(lots, frozen_on)

    def answer(self, plan_id: str, day: date, *, approved: bool) -> None:
        """Two people's answers on a plan."""
        for number, name in enumerate(("people/a", "people/b"), start=1):
            row = {
                "plan_id": plan_id,
                "subject_sha256": "0" * 64,
                "decision": "approved" if approved else "rejected",
                "decided_by": name,
                "received_on": day,
            }
            with self.store.land("approvals", f"{plan_id}--{number}", received_on=day, source="test") as draft:
                _write(draft.table("approvals"), APPROVALS["approvals"], [row])

    def send(self, lots: Sequence[Lot], plan_id: str, day: date) -> None:
        """Lot files announced to the printer; samples are in them."""
        for lot in lots:
            row = {
                "plan_id": plan_id,
                "lot_id": lot.lot_id,
                "file_kind": "lot",
                "file_name": f"{lot.lot_id}.csv",
                "step": "announced",
                "envelope_count": len(lot.envelopes) + lot.sample_count,
                "received_on": day,
            }
            with self.store.land("transfers", f"{lot.lot_id}--announced", received_on=day, source="test") as draft:
                _write(draft.table("transfers"), TRANSFERS["transfers"], [row])

    def sendable(self, plan_id: str) -> list[Lot]:
        """The lots of a plan that was drafted and frozen, as `send` and `acknowledge` take them."""
        rows = pq.read_table(self.store.get("plans", plan_id).table("lots")).sort_by("lot_id").to_pylist()
        return [
            Lot(
                row["lot_id"],
                row["posting_date"],
                [Envelope([])] * row["envelope_count"],
                sample_count=row["seed_count"],
            )
            for row in rows
        ]

    def acknowledge(self, lots: Sequence[Lot], day: date, result: str = "accepted") -> None:
        """The printer's answer to lot files."""
        self.feed(
            "acknowledgements",
            day,
            [
                {
                    "file_name": f"{lot.lot_id}.csv",
                    "lot_id": lot.lot_id,
                    "result": result,
                    "envelope_count": len(lot.envelopes) + lot.sample_count,
                    "acknowledged_on": day,
                }
                for lot in lots
            ],
        )

    def feed(self, feed: str, day: date, rows: Sequence[Row]) -> Path:
        """A received file of a feed; returns its Parquet file."""
        self.files += 1
        name = f"{self.files:016x}"
        stamp = {"source_file": f"{feed}-{self.files}.csv", "received_on": day}
        with self.store.land(f"feeds/{feed}", name, received_on=day, source="test") as draft:
            _write(
                draft.table("rows"),
                FEEDS[feed]["rows"],
                [stamp | {"row_number": number} | row for number, row in enumerate(rows, start=1)],
            )
            _write(draft.table("rejects"), FEEDS[feed]["rejects"], [])
        return self.store.get(f"feeds/{feed}", name).table("rows")

    def report(self, day: date, lot: Lot, events: Mapping[str, str], *, occurred_on: date | None = None) -> Path:
        """A piece report on a lot: event type by control number; `spoiled:<number>` names the replacement."""
        rows = [
            {
                "lot_id": lot.lot_id,
                "envelope_id": number,
                "event_type": event.split(":")[0],
                "occurred_on": occurred_on or lot.posting_date,
                "tracking_number": f"T{number}" if event == "posted" else None,
                "replacement_id": event.split(":")[1] if ":" in event else None,
            }
            for number, event in events.items()
        ]
        return self.feed("piece_reports", day, rows)

    def returned(self, day: date, numbers: Sequence[str], reason: str = "R01", returned_on: date | None = None) -> Path:
        """A return report."""
        return self.feed(
            "return_reports",
            day,
            [
                {
                    "envelope_id": number,
                    "tracking_number": f"T{number}",
                    "returned_on": returned_on or day,
                    "reason_code": reason,
                }
                for number in numbers
            ],
        )

    # --- runs -------------------------------------------------------------------------------------

    def build(self, as_of: date, *, select: Sequence[str] = (), command: str = "run", **context: Any) -> None:
        """Build models for a day."""
        run_models(self.store, self.campaign, Context(as_of, **context), command=command, select=select)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Rows of a query on the warehouse."""
        with warehouse(self.store.data) as connection:
            return connection.execute(query).fetchall()

    def ledger(self) -> dict[str, int]:
        """Differences of the ledger that are not 0, by stage."""
        return dict(self.rows("select stage, difference from marts.fct_ledger where not closes"))

    # --- inside -----------------------------------------------------------------------------------

    def _next(self) -> tuple[int, str]:
        self.sequence += 1
        return self.sequence, control_number(self.sequence)

    def _number(self, lot: Lot, stamp: Row, rows: dict[str, list[Row]]) -> None:
        first = self.sequence + 1
        day = {
            "posting_date": lot.posting_date,
            "wave_key": f"{lot.posting_date:%Y-%m}",
            "lot_kind": lot.kind,
        }
        lot.samples.clear()
        for place in range(1, SAMPLES + 1):
            sequence, number = self._next()
            lot.samples.append(number)
            rows["seed_pieces"].append(
                stamp
                | {
                    "envelope_id": number,
                    "sequence": sequence,
                    "lot_id": lot.lot_id,
                    "position_in_lot": place,
                }
            )
        prefecture = FUKUI
        for envelope in lot.envelopes:
            sequence, envelope.number = self._next()
            key = envelope.members[0] // 100 if envelope.members else None
            prefecture = key // 1_100_000_000_000_000 if key else prefecture
            home = self.homes.get(key, {}) if key else {}
            insured = self.people.get(key * 100, {}) if key else {}
            rows["envelopes"].append(
                stamp
                | day
                | {
                    "envelope_id": envelope.number,
                    "sequence": sequence,
                    "lot_id": lot.lot_id,
                    "household_key": key,
                    "employer_key": key // 10_000_000 if key else None,
                    "position": envelope.position,
                    "envelopes_in_household": envelope.of,
                    "is_additional": lot.kind == "supplementary",
                    "certificate_count": len(envelope.members),
                    "prefecture": prefecture,
                    "addressee_name": insured.get("name"),
                    "postal_code": home.get("postal_code"),
                    "address": home.get("address"),
                    "building": home.get("building"),
                }
                | {name: value for name, value in envelope.changes.items() if name in PLANS["envelopes"]}
            )
            for slot, member in enumerate(envelope.members, start=1):
                row = self.people[member]
                rows["certificates"].append(
                    stamp
                    | {name: row[name] for name in ("enrolment", "name", "name_kana", "sex", "birth_date")}
                    | {
                        "certificate_id": f"{envelope.number}-{slot}",
                        "envelope_id": envelope.number,
                        "slot": slot,
                        "member_key": member,
                        "household_key": member // 100,
                        "route": "home",
                        "need": "no_card",
                        "issued_on": lot.posting_date,
                        "valid_until": _valid_until(row),
                        "qualified_on": row["qualified_on"],
                    }
                    | {name: value for name, value in envelope.changes.items() if name in PLANS["certificates"]}
                )
        replacement_first = self.sequence + 1
        lot.spares[:] = [self._next()[1] for _ in range(SPARE)]
        rows["lots"].append(
            stamp
            | day
            | {
                "lot_id": lot.lot_id,
                "prefecture": prefecture,
                "envelope_count": len(lot.envelopes),
                "certificate_count": sum(len(envelope.members) for envelope in lot.envelopes),
                "seed_count": SAMPLES,
                "first_sequence": first,
                "replacement_first": replacement_first,
                "replacement_last": self.sequence,
                "weight_g": 30.0,
                "postage_yen": 320,
            }
            | lot.changes
        )


def _write(path: Path, columns: Columns, rows: Sequence[Row]) -> None:
    schema = pa.schema([(name, ARROW_TYPES[kind]) for name, kind in columns.items()])
    full = [{name: row.get(name) for name in columns} for row in rows]
    pq.write_table(pa.Table.from_pylist(full, schema=schema), path)


def without_row(path: Path, condition: str) -> bytes:
    """Take the one row that meets a condition out of a Parquet file; returns the file as it was."""
    before = path.read_bytes()
    connection = duckdb.connect()
    kept = connection.execute(f"select * from '{path}' where not coalesce({condition}, false)").to_arrow_table()
    rows = pq.read_metadata(path).num_rows
    if kept.num_rows != rows - 1:
        raise AssertionError(f"{condition} must meet one row, not {rows - kept.num_rows}")
    path.unlink()
    pq.write_table(kept, path)
    return before
