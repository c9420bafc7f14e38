"""The last door: one wrong byte in a file that leaves is found, by file, record and field, and nothing else is told."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from kakuninsho.facts.store import Fact, FactStore
from kakuninsho.gates import GateFailedError
from kakuninsho.gates.file_bytes import Claimed, Reading, read_files
from kakuninsho.gates.file_orders import order_files
from kakuninsho.gates.file_plan import LOT_RECORDS, ORDER_RECORDS, fields_of
from kakuninsho.gates.last_door import judge_files
from kakuninsho.plans.control_numbers import control_number
from kakuninsho.printer import samples
from kakuninsho.printer.charset import encode_cp932
from kakuninsho.printer.lot_file import (
    ClearFile,
    write_lots,
    write_pull_list,
    write_release_order,
    write_stop_order,
    write_urgent_pull_list,
)
from kakuninsho.printer.samples import CAMPAIGN, HOME_LOT, PEOPLE, POSTED

Rows = list[list[str]]
FIELDS = [(record, field["name"]) for record in (*LOT_RECORDS, *ORDER_RECORDS) for field in fields_of(record)]
# The plan whose files hold a record of each kind.
PLAN_OF = dict.fromkeys("HECT", "home") | {"B": "bundles", "L": "lists", "N": "lists"}
PLAN_OF |= {"pull_list": "release", "release_order": "release", "stop_order": "stop", "urgent_pull_list": "urgent"}


class Door:
    """Five frozen plans of the golden sample and one stop, with their files."""

    def __init__(self, folder: Path) -> None:
        self.store = FactStore(folder / "data")
        self.store.initialise()
        out = folder / "out"
        home, bundles = samples.home_plan(self.store), samples.follow_up_plan(self.store)
        lists, release = samples.list_plan(self.store), self._release()
        stop = samples.land_plan(
            self.store,
            "stop-2025-10-01",
            date(2025, 10, 1),
            {"plan": [{"plan_kind": "stop"}], "stop_lots": [{"lot_id": HOME_LOT, "effect": "hold", "order_number": 1}]},
        )
        urgent = samples.urgent_pull_plan(self.store)
        written = write_lots(home, [HOME_LOT], CAMPAIGN, out)
        with self.store.land(
            "transfers",
            f"{written[0].name}--sealed",
            received_on=date(2025, 5, 15),
            source=written[0].name,
            source_sha256=written[0].sha256,
        ):
            pass
        pulls = write_pull_list(release, POSTED, CAMPAIGN, out)
        order = write_release_order(POSTED, {HOME_LOT: written[0].sha256}, CAMPAIGN, out, pull_lists=(pulls,))
        self.plans = {
            "home": home,
            "bundles": bundles,
            "lists": lists,
            "release": release,
            "stop": stop,
            "urgent": urgent,
        }
        self.files = {
            "home": written,
            "bundles": write_lots(bundles, [samples.BUNDLE_LOT], CAMPAIGN, out),
            "lists": write_lots(lists, [samples.LIST_LOT], CAMPAIGN, out),
            "release": [pulls, order],
            "urgent": [write_urgent_pull_list(urgent, samples.PULLED_URGENTLY, CAMPAIGN, out)],
            "stop": [write_stop_order(date(2025, 10, 1), {HOME_LOT: "hold"}, CAMPAIGN, out)],
        }
        self.work = folder / "work"
        self.bytes = {file.path: file.path.read_bytes() for files in self.files.values() for file in files}

    def together(self) -> tuple[Fact, list[ClearFile]]:
        """A release with a supplementary lot: a lot and two orders in one plan, read in one pass."""
        lot_id = "fy2025-S-18-20251003-01"
        piece = {"household_key": samples.HOUSEHOLD_7, "position": 1, "envelopes_in_household": 1}
        piece |= {"certificate_count": 1, "weight_g": 28.2, "postage_yen": 320, "addressee_name": "山﨑 次郎"}
        piece |= {"postal_code": "9100002", "address": "福井県福井市町屋2丁目3"}
        number = control_number(63)
        person = dict(
            zip(("member_key", "name", "name_kana", "sex", "birth_date", "qualified_on"), PEOPLE[2], strict=True)
        )
        card = {"certificate_id": f"{number}-1", "envelope_id": number, "slot": 1, "issued_on": POSTED}
        totals = {"envelope_count": 1, "certificate_count": 1, "weight_g": 84.6, "postage_yen": 960}
        tables = {
            "plan": [{"plan_kind": "release", "posting_date": POSTED}],
            "lots": [samples.lot_row(lot_id, "supplementary", POSTED, 61, totals)],
            "envelopes": [samples.piece_row(lot_id, "supplementary", 63, 3, **piece)],
            "certificates": [person | card | {"valid_until": date(2026, 2, 28)}],
            "seed_pieces": samples.seed_rows(lot_id, 61),
            "release_lots": [{"lot_id": HOME_LOT, "posting_date": POSTED, "is_released": True}],
        }
        plan = samples.land_plan(self.store, "release-2025-10-03-2", date(2025, 10, 2), tables)
        out = self.work / "together"
        lots = write_lots(plan, [lot_id], CAMPAIGN, out)
        pulls = write_pull_list(plan, POSTED, CAMPAIGN, out)
        hashes = {HOME_LOT: self.files["home"][0].sha256, lot_id: lots[0].sha256}
        return plan, [*lots, pulls, write_release_order(POSTED, hashes, CAMPAIGN, out, pull_lists=(pulls,))]

    def _release(self) -> Fact:
        pulls = [
            {"lot_id": HOME_LOT, "envelope_id": control_number(number), "posting_date": POSTED} for number in (3, 4)
        ]
        tables = {
            "plan": [{"plan_kind": "release", "posting_date": POSTED}],
            "pulls": pulls,
            "release_lots": [{"lot_id": HOME_LOT, "posting_date": POSTED, "is_released": True}],
        }
        return samples.land_plan(self.store, "release-2025-10-03", date(2025, 10, 2), tables)

    def read(self, name: str, files: list[ClearFile] | None = None) -> Reading:
        claimed = claims(self.files[name] if files is None else files)
        own = {file.lot_id: file.sha256 for file in claimed if file.lot_id}
        orders = order_files(self.store, self.plans[name], CAMPAIGN, own)
        return read_files(self.plans[name], claimed, orders, self.work)


def claims(files: list[ClearFile]) -> list[Claimed]:
    return [Claimed(file.path, file.lot_id, file.row_count, file.byte_count, file.sha256) for file in files]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Door:
    return Door(tmp_path_factory.mktemp("door"))


@pytest.fixture
def door(built: Door) -> Door:
    for path, raw in built.bytes.items():
        path.write_bytes(raw)
    return built


def change(file: ClearFile, edit: Callable[[Rows], Rows | None]) -> None:
    """Change the records of a file on disk and write them as the contract says."""
    is_lot = file.file_kind == "lot"
    rows = list(csv.reader(io.StringIO(file.path.read_bytes().decode("cp932" if is_lot else "utf-8"), newline="")))
    rows = edit(rows) or rows
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\r\n").writerows(rows)
    file.path.write_bytes(encode_cp932(text.getvalue()) if is_lot else text.getvalue().encode("utf-8"))


def file_of(door: Door, record: str) -> ClearFile:
    files = door.files[PLAN_OF[record]]
    return next((file for file in files if file.file_kind == record), files[0])


def first(rows: Rows, record: str) -> int:
    """The last row of a record (samples come first), or the last row of an order."""
    return max(index for index, row in enumerate(rows) if row[0] == record) if record in LOT_RECORDS else len(rows) - 1


def found(reading: Reading) -> dict[str, int]:
    """Everything that is not as planned, by name."""
    told = {f"{row['record']}.{row['field']}": row["differing"] for row in reading.fields if row["differing"]}
    for row in reading.records:
        for name in ("missing", "over", "twice", "out_of_order", "extra_fields"):
            if row[name]:
                told[f"{row['record']} {name}"] = row[name]
    unreadable = [row for row in reading.files if row["is_there"] and not row["is_readable"]]
    return {**told, "unreadable": len(unreadable)} if unreadable else told


@pytest.mark.parametrize("name", ["home", "bundles", "lists", "release", "stop"])
def test_files_as_planned_pass_with_every_field_compared(door: Door, name: str) -> None:
    reading = door.read(name)
    assert found(reading) == {}
    compared = {row["record"] for row in reading.fields if row["compared"]}
    assert compared == {record for record, plan in PLAN_OF.items() if plan == name} | (
        {"H", "E", "C", "T"} if name == "bundles" else {"H", "T"} if name == "lists" else set()
    )


@pytest.mark.parametrize(("record", "name"), FIELDS, ids=[f"{record}-{name}" for record, name in FIELDS])
def test_one_wrong_field_is_found_by_its_name_and_no_other(door: Door, record: str, name: str) -> None:
    index = [field["name"] for field in fields_of(record)].index(name)

    def edit(rows: Rows) -> None:
        value = rows[first(rows, record)][index]
        rows[first(rows, record)][index] = ("8" if value[:1] != "8" else "7") + value[1:]

    change(file_of(door, record), edit)
    assert found(door.read(PLAN_OF[record])) == {f"{record}.{name}": 1}


@pytest.mark.parametrize("record", [*LOT_RECORDS, *ORDER_RECORDS])
def test_a_record_missing_over_or_twice_is_found(door: Door, record: str) -> None:
    file, plan = file_of(door, record), PLAN_OF[record]
    change(file, lambda rows: [*rows[: first(rows, record)], *rows[first(rows, record) + 1 :]])
    assert found(door.read(plan)) == {f"{record} missing": 1}
    file.path.write_bytes(door.bytes[file.path])
    change(file, lambda rows: [*rows[: first(rows, record) + 1], *rows[first(rows, record) :]])
    assert found(door.read(plan)) == {f"{record} twice": 1}
    if record in {"H", "T"}:
        return  # there is one of it: another is the same one twice
    file.path.write_bytes(door.bytes[file.path])
    key = 0 if record == "stop_order" else 1

    def over(rows: Rows) -> Rows:
        at = first(rows, record)
        another = [*rows[at][:key], "00000009993", *rows[at][key + 1 :]]
        if record == "release_order":
            another = ["fy2025-H-18-20251003-09", *rows[at][1:]]
        return [*rows[: at + 1], another, *rows[at + 1 :]]

    change(file, over)
    assert found(door.read(plan)) == {f"{record} over": 1}


def test_two_pieces_in_the_other_order_are_found(door: Door) -> None:
    def turn(rows: Rows) -> Rows:
        at = [index for index, row in enumerate(rows) if row[0] == "E"]
        return [*rows[: at[2]], *rows[at[3] : -1], *rows[at[2] : at[3]], rows[-1]]

    change(door.files["home"][0], turn)
    assert found(door.read("home")) == {"C out_of_order": 1}


@pytest.mark.parametrize("name", ["lists", "release"])
def test_two_lines_in_the_other_order_are_found(door: Door, name: str) -> None:
    change(door.files[name][0], lambda rows: [*rows[:-3], rows[-2], rows[-3], rows[-1]] if name == "lists" else None)
    change(door.files[name][0], lambda rows: [rows[0], rows[2], rows[1]] if name == "release" else None)
    assert list(found(door.read(name)).values()) == [1]
    assert next(iter(found(door.read(name)))).endswith("out_of_order")


def test_every_name_and_address_of_another_and_every_validity_1999_is_found(door: Door) -> None:
    """The fault that the counts of the writer never showed: the file is whole, and all of it is wrong."""

    def edit(rows: Rows) -> None:
        for row in rows:
            if row[0] == "E":
                row[8], row[10] = "他人 太郎", "東京都千代田区1-1"
            if row[0] == "C":
                row[8], row[14] = "他人 太郎", "1999-01-01"

    change(door.files["home"][0], edit)
    assert found(door.read("home")) == {"E.addressee_name": 4, "E.address": 4, "C.name": 5, "C.valid_until": 5}


def test_the_gate_names_file_field_and_number_and_no_value(door: Door, tmp_path: Path) -> None:
    file = door.files["home"][0]
    change(file, lambda rows: rows[-2].__setitem__(8, "他人 太郎"))
    with pytest.raises(GateFailedError) as raised:
        judge_files(door.store, door.plans["home"], CAMPAIGN, claims([file]), tmp_path / "reports")
    told = str(raised.value)
    assert f"{file.name}: C.name 1" in told
    assert "他人" not in told and "山﨑" not in told
    # The hash, too, is no longer the one that would be approved.
    assert {finding.rule for finding in raised.value.result.failures} == {"C_name", "claims_are_true"}


def test_the_gate_passes_files_as_planned(door: Door, tmp_path: Path) -> None:
    for name, plan in door.plans.items():
        result = judge_files(door.store, plan, CAMPAIGN, claims(door.files[name]), tmp_path / name)
        assert result is not None and result.passed


def test_a_planned_file_that_is_not_there_and_one_that_is_not_planned_are_found(door: Door) -> None:
    file = door.files["home"][0]
    (missing,) = door.read("home", files=[]).files
    assert (missing["is_planned"], missing["is_there"]) == (True, False)
    other = replace(file, path=file.path.with_name(file.name.replace("_4.csv", "_5.csv")))
    other.path.write_bytes(door.bytes[file.path])
    rows = door.read("home", files=[file, other]).files
    other.path.unlink()
    assert [row["is_planned"] for row in rows] == [True, False]


@pytest.mark.parametrize(
    "damage",
    [
        lambda raw: raw.replace(b"\r\n", b"\n"),
        lambda raw: raw.removesuffix(b"\r\n"),
        lambda raw: raw.replace(b'"home"', b"home"),
        lambda raw: raw.replace(b'"home"', b'"ho\r\nme"'),
        lambda raw: raw.replace(b'"home"', b'"\x81"'),
        lambda raw: raw.replace(b"\xfb\xfc", b"\xee\xe0"),
        lambda raw: b"",
    ],
    ids=["line ends", "last line end", "no quotes", "line end in a text", "half a character", "NEC form", "empty"],
)
def test_bytes_that_are_not_as_the_contract_writes_them_are_unreadable(door: Door, damage: Callable) -> None:
    file = door.files["home"][0]
    file.path.write_bytes(damage(door.bytes[file.path]))
    assert found(door.read("home"))["unreadable"] == 1


def test_a_field_too_many_is_found(door: Door) -> None:
    change(door.files["home"][0], lambda rows: rows[2].append("x"))
    assert found(door.read("home")) == {"C extra_fields": 1}


def test_lots_and_orders_of_one_plan_are_read_together(door: Door) -> None:
    plan, files = door.together()
    own = {file.lot_id: file.sha256 for file in files if file.lot_id}
    reading = read_files(plan, claims(files), order_files(door.store, plan, CAMPAIGN, own), door.work)
    assert found(reading) == {}
    assert {row["record"]: (row["planned"], row["found"]) for row in reading.records} == {
        "H": (1, 1),
        "E": (3, 3),
        "C": (3, 3),
        "T": (1, 1),
        "pull_list": (1, 1),  # its header line
        "release_order": (3, 3),
    }
    assert all(row["row_count"] == row["claimed_row_count"] for row in reading.files)


def test_a_record_of_no_known_kind_is_found(door: Door) -> None:
    change(door.files["home"][0], lambda rows: [*rows[:-1], ["X", *rows[-2][1:]], rows[-1]])
    reading = door.read("home")
    assert found(reading) == {"unknown over": 1}
    assert f"{door.files['home'][0].name}: unknown found 1" in reading.broken()


def test_lots_read_together_and_spread_give_the_same(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    together = door.read("home")
    monkeypatch.setattr("kakuninsho.gates.file_bytes.GROUP_BYTES", 1)
    monkeypatch.setattr("kakuninsho.gates.file_bytes.BYTES_WORTH_A_PROCESS", 0)
    assert door.read("release").broken() == []
    assert door.read("home") == together
