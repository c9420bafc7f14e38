"""The golden sample of the contract: small frozen plans of invented people, and the files that come of them.

`python -m kakuninsho.printer.samples` writes contract/samples/ again; a test holds the committed bytes against it. A
changed byte there is a changed contract: it needs a line in the contract's table of changes.
"""

from __future__ import annotations

import tempfile
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from kakuninsho.facts.schemas import PLANS, Columns
from kakuninsho.facts.store import ARROW_TYPES, Fact, FactStore
from kakuninsho.plans.control_numbers import control_number
from kakuninsho.printer.layout import SAMPLES
from kakuninsho.printer.lot_file import (
    ClearFile,
    write_lot,
    write_pull_list,
    write_release_order,
    write_stop_order,
    write_urgent_pull_list,
)

CAMPAIGN = "fy2025"
FUKUI = 18
EMPLOYER = FUKUI * 110_000_000 + 10_000_000 + 12_345_678
HOUSEHOLD_123 = EMPLOYER * 10_000_000 + 123
HOUSEHOLD_7 = EMPLOYER * 10_000_000 + 7
HOME_LOT = f"{CAMPAIGN}-H-18-20251003-01"
BUNDLE_LOT = f"{CAMPAIGN}-E-18-20251104-01"
LIST_LOT = f"{CAMPAIGN}-L-18-20250616-01"
POSTED, BUNDLED, LISTED = date(2025, 10, 3), date(2025, 11, 4), date(2025, 6, 16)
PULLED_URGENTLY = date(2025, 10, 2)
PEOPLE = [
    (HOUSEHOLD_123 * 100, "髙橋 一郎", "タカハシ イチロウ", "male", date(1980, 2, 29), date(2010, 4, 1)),
    (HOUSEHOLD_123 * 100 + 1, '髙橋 "花" 子', "タカハシ ハナコ", "female", date(1982, 5, 6), date(2012, 7, 1)),
    (HOUSEHOLD_7 * 100, "山﨑 次郎", "ヤマサキ ジロウ", "male", date(1951, 3, 1), date(1999, 4, 1)),
]
Row = dict[str, Any]


def land_plan(store: FactStore, plan_id: str, received_on: date, tables: dict[str, list[Row]]) -> Fact:
    """Land a plan of these rows; columns not given are null, plan_id and received_on are added."""
    with store.land("plans", plan_id, received_on=received_on, source="sample") as draft:
        for table, columns in PLANS.items():
            rows = [{"plan_id": plan_id, "received_on": received_on, **row} for row in tables.get(table, [])]
            _write(draft.table(table), columns, rows)
    return store.get("plans", plan_id)


def _write(path: Path, columns: Columns, rows: list[Row]) -> None:
    schema = pa.schema([(name, ARROW_TYPES[kind]) for name, kind in columns.items()])
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), path)


def lot_row(lot_id: str, kind: str, posting_date: date, first: int, totals: Row) -> Row:
    """A lot of two samples, then its pieces, then 20 numbers for pieces printed again."""
    last = first + 1 + totals["envelope_count"]
    return {
        "lot_id": lot_id,
        "lot_kind": kind,
        "prefecture": FUKUI,
        "posting_date": posting_date,
        "wave_key": f"{posting_date:%Y-%m}",
        "seed_count": 2,
        "first_sequence": first,
        "replacement_first": last + 1,
        "replacement_last": last + 20,
        **totals,
    }


def seed_rows(lot_id: str, first: int) -> list[Row]:
    """The two samples of a lot."""
    return [
        {"envelope_id": control_number(first + index), "sequence": first + index, "lot_id": lot_id}
        | {"position_in_lot": index + 1}
        for index in range(2)
    ]


def piece_row(lot_id: str, kind: str, sequence: int, position_in_lot: int, **values: Any) -> Row:
    """An envelope, bundle or list of a plan."""
    return {
        "envelope_id": control_number(sequence),
        "sequence": sequence,
        "lot_id": lot_id,
        "lot_kind": kind,
        "position_in_lot": position_in_lot,
        "employer_key": EMPLOYER,
        "is_additional": False,
        "prefecture": FUKUI,
        **values,
    }


def home_plan(store: FactStore) -> Fact:
    """One home lot: two samples, a couple (its names need the IBM rows and doubled quotes), a man turning 75."""
    envelope_of = {PEOPLE[0][0]: (3, 1), PEOPLE[1][0]: (3, 2), PEOPLE[2][0]: (4, 1)}
    people = {
        "issued_on": POSTED,
        "valid_until": date(2029, 11, 30),
        "route": "home",
        "need": "no_card",
        "enrolment": "employee",
    }
    certificates = [
        people
        | dict(zip(("member_key", "name", "name_kana", "sex", "birth_date", "qualified_on"), person, strict=True))
        | {
            "certificate_id": f"{control_number(envelope_of[person[0]][0])}-{envelope_of[person[0]][1]}",
            "envelope_id": control_number(envelope_of[person[0]][0]),
            "slot": envelope_of[person[0]][1],
            "household_key": person[0] // 100,
        }
        for person in PEOPLE
    ]
    certificates[2]["valid_until"] = date(2026, 2, 28)
    alone = {"position": 1, "envelopes_in_household": 1, "postage_yen": 320}
    envelopes = [
        piece_row(HOME_LOT, "home", 3, 3, household_key=HOUSEHOLD_123, certificate_count=2, weight_g=30.4, **alone)
        | {"addressee_name": "髙橋 一郎", "postal_code": "9100001"}
        | {"address": "福井県福井市大手1丁目2-3", "building": "大手ハイツ101"},
        piece_row(HOME_LOT, "home", 4, 4, household_key=HOUSEHOLD_7, certificate_count=1, weight_g=28.2, **alone)
        | {"addressee_name": "山﨑 次郎", "postal_code": "9100002", "address": "福井県福井市町屋2丁目～3"},
    ]
    totals = {"envelope_count": 2, "certificate_count": 3, "weight_g": 115.0, "postage_yen": 1280}
    tables = {
        "plan": [{"plan_kind": "home"}],
        "lots": [lot_row(HOME_LOT, "home", POSTED, 1, totals)],
        "envelopes": envelopes,
        "certificates": certificates,
        "seed_pieces": seed_rows(HOME_LOT, 1),
    }
    return land_plan(store, "home-2025-04-30", date(2025, 5, 15), tables)


def release_plan(store: FactStore) -> Fact:
    """The release of the home lot's posting date: one envelope is pulled."""
    pull = {"lot_id": HOME_LOT, "envelope_id": control_number(4), "posting_date": POSTED}
    pull |= {"certificate_id": f"{control_number(4)}-1", "reason_code": "membership_lost", "outcome": "closed"}
    return land_plan(
        store, "release-2025-10-03", date(2025, 10, 2), {"plan": [{"plan_kind": "release"}], "pulls": [pull]}
    )


def urgent_pull_plan(store: FactStore) -> Fact:
    """After the release somebody of the couple is protected: their envelope must not be posted."""
    pull = {"lot_id": HOME_LOT, "envelope_id": control_number(3), "posting_date": POSTED, "order_number": 1}
    pulls = [
        pull | {"certificate_id": f"{control_number(3)}-1", "reason_code": "address_protected", "outcome": "held"},
        pull | {"certificate_id": f"{control_number(3)}-2", "reason_code": "packed_anew", "outcome": "planned_again"},
    ]
    return land_plan(
        store, "pull-2025-10-02-5f0e8a11", PULLED_URGENTLY, {"plan": [{"plan_kind": "pull"}], "pulls": pulls}
    )


EMPLOYER_PLACE = {
    "addressee_name": "株式会社みほん",
    "postal_code": "9100005",
    "address": "福井県福井市大手3丁目1",
}
# The man of the second envelope is known to leave before old cards end.
NOTICE = {
    "notice": "令和7年12月1日までに資格を喪失される方の従来の保険証は、事業所で回収し返却してください。"
    "令和7年12月2日以後に喪失される方の従来の保険証は、ご本人が破棄できます。",
    "old_card_packets": control_number(4),
}


def follow_up_plan(store: FactStore) -> Fact:
    """One employer bundle: both envelopes of the home lot came back and go to the employer."""
    bundle = piece_row(BUNDLE_LOT, "employer", 27, 3, certificate_count=3, weight_g=65.6, postage_yen=390)
    packets = [(3, 1), (3, 2), (4, 1)]
    follow_ups = [
        {
            "envelope_id": control_number(sequence),
            "certificate_id": f"{control_number(sequence)}-{slot}",
            "envelope_outcome": "employer_bundle",
            "outcome": "employer_bundle",
            "bundle_id": control_number(27),
        }
        for sequence, slot in packets
    ]
    totals = {"envelope_count": 1, "certificate_count": 3, "weight_g": 122.0, "postage_yen": 1030}
    tables = {
        "plan": [{"plan_kind": "follow_up"}],
        "lots": [lot_row(BUNDLE_LOT, "employer", BUNDLED, 25, totals)],
        "envelopes": [bundle | EMPLOYER_PLACE | NOTICE],
        "seed_pieces": seed_rows(BUNDLE_LOT, 25),
        "follow_ups": follow_ups,
    }
    return land_plan(store, "follow-up-2025-11-04", date(2025, 11, 4), tables)


def list_plan(store: FactStore) -> Fact:
    """One employer list of three lines."""
    piece = piece_row(LIST_LOT, "employer_list", 52, 3, certificate_count=0, weight_g=16.0, postage_yen=320)
    lines = [
        {"list_id": control_number(52), "lot_id": LIST_LOT, "employer_key": EMPLOYER, "member_key": key, "name": name}
        for key, name, *_ in PEOPLE
    ]
    totals = {"envelope_count": 1, "certificate_count": 0, "weight_g": 48.0, "postage_yen": 960}
    tables = {
        "plan": [{"plan_kind": "employer_list"}],
        "lots": [lot_row(LIST_LOT, "employer_list", LISTED, 50, totals)],
        "envelopes": [piece | EMPLOYER_PLACE],
        "seed_pieces": seed_rows(LIST_LOT, 50),
        "list_lines": lines,
    }
    return land_plan(store, "employer-list-2025-06-16", date(2025, 6, 16), tables)


def write_samples(data: Path, out_dir: Path) -> list[ClearFile]:
    """Write every sample file to the printer into `out_dir`; `data` is a scratch data folder."""
    store = FactStore(data)
    store.initialise()
    home = write_lot(home_plan(store), HOME_LOT, CAMPAIGN, out_dir)
    bundles = write_lot(follow_up_plan(store), BUNDLE_LOT, CAMPAIGN, out_dir)
    lists = write_lot(list_plan(store), LIST_LOT, CAMPAIGN, out_dir)
    pulls = write_pull_list(release_plan(store), POSTED, CAMPAIGN, out_dir)
    release = write_release_order(POSTED, {HOME_LOT: home.sha256}, CAMPAIGN, out_dir, pull_lists=(pulls,))
    stop = write_stop_order(date(2025, 10, 1), {HOME_LOT: "hold"}, CAMPAIGN, out_dir)
    urgent = write_urgent_pull_list(urgent_pull_plan(store), PULLED_URGENTLY, CAMPAIGN, out_dir)
    return [home, bundles, lists, pulls, release, stop, urgent]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        for clear in write_samples(Path(scratch), SAMPLES):
            print(clear.name, clear.sha256)
