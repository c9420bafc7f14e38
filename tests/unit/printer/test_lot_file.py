"""A lot file comes of the frozen plan alone, says what the plan says, and does not leave when it does not."""

import csv
import io
from dataclasses import replace
from datetime import date

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kakuninsho.facts.schemas import FEEDS, PLANS
from kakuninsho.facts.store import ARROW_TYPES, Fact, FactStore
from kakuninsho.plans.control_numbers import control_number
from kakuninsho.printer import samples
from kakuninsho.printer.layout import SAMPLES
from kakuninsho.printer.lot_file import (
    LotFileError,
    read_back,
    write_lot,
    write_lots,
    write_pull_list,
    write_release_order,
    write_stop_order,
)
from kakuninsho.printer.rebuild import RebuildError, rebuild_lot
from kakuninsho.printer.samples import BUNDLE_LOT, CAMPAIGN, HOME_LOT, LIST_LOT, POSTED
from kakuninsho.printer.sealing import INSURER_PUBLIC, PRINTER_PUBLIC, generate_keys, load_keys
from kakuninsho.printer.throughput import measure


@pytest.fixture
def store(tmp_path):
    facts = FactStore(tmp_path / "data")
    facts.initialise()
    return facts


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


def spoilt(plan: Fact, tmp_path, table, change):
    """The plan with one of its tables changed by a function over its rows."""
    folder = tmp_path / "facts" / "plans" / plan.name
    folder.mkdir(parents=True)
    for name in PLANS:
        rows = pq.read_table(plan.table(name)).to_pylist()
        rows = change(rows) if name == table else rows
        schema = pa.schema([(column, ARROW_TYPES[kind]) for column, kind in PLANS[name].items()])
        pq.write_table(pa.Table.from_pylist(rows, schema=schema), folder / f"{name}.parquet")
    return replace(plan, path=folder)


def set_on(index, **values):
    def change(rows):
        rows[index].update(values)
        return rows

    return change


def records(clear):
    return list(csv.reader(io.StringIO(clear.path.read_bytes().decode("cp932"), newline="")))


def test_lot_comes_out_with_the_totals_of_the_plan(store, out):
    clear = write_lot(samples.home_plan(store), HOME_LOT, CAMPAIGN, out)
    assert (clear.row_count, clear.envelope_count, clear.sample_count, clear.certificate_count) == (11, 4, 2, 5)
    assert (clear.weight_g, clear.postage_yen) == ("115.0", 1280)
    assert clear.enclosures == {"10": 4, "20": 5, "30": 4, "40": 5, "50": 4}
    assert clear.byte_count == clear.path.stat().st_size


def test_same_plan_gives_the_same_bytes_whatever_the_order_of_its_rows(store, out, tmp_path):
    plan = samples.home_plan(store)
    first = write_lot(plan, HOME_LOT, CAMPAIGN, out)
    again = write_lot(plan, HOME_LOT, CAMPAIGN, tmp_path / "again")
    turned = spoilt(plan, tmp_path, "certificates", lambda rows: rows[::-1])
    assert first.sha256 == again.sha256 == write_lot(turned, HOME_LOT, CAMPAIGN, tmp_path / "turned").sha256


def test_lots_written_together_are_the_lots_written_alone(store, out, tmp_path, monkeypatch):
    plan = samples.home_plan(store)
    alone = write_lot(plan, HOME_LOT, CAMPAIGN, out)
    together = write_lots(plan, [HOME_LOT], CAMPAIGN, tmp_path / "together")
    assert [clear.sha256 for clear in together] == [alone.sha256]
    monkeypatch.setattr("kakuninsho.printer.lot_file.CERTIFICATES_WORTH_A_PROCESS", 0)
    spread = write_lots(plan, [HOME_LOT, HOME_LOT], CAMPAIGN, tmp_path / "spread")
    assert [clear.sha256 for clear in spread] == [alone.sha256] * 2


@pytest.mark.parametrize(
    "case",
    [
        ("certificates", lambda rows: rows[1:], "certificates: 4 in the records, 5 in the plan"),
        ("envelopes", lambda rows: rows[1:], "pieces: 3 in the records, 4 in the plan"),
        ("seed_pieces", lambda rows: rows[1:], "samples: 1 in the records, 2 in the plan"),
        ("lots", set_on(0, weight_g=115.1), "weight"),
        ("lots", set_on(0, postage_yen=1281), "postage"),
        ("envelopes", set_on(0, certificate_count=1), "certificates are not as many"),
        ("envelopes", set_on(0, position_in_lot=9), "positions given twice or left out"),
        ("envelopes", set_on(0, postal_code="910-001"), "postal codes"),
        ("envelopes", set_on(0, address="あ" * 61), "wider than the contract's field (lot_envelopes.address)"),
        ("envelopes", set_on(0, building="ｱ" * 81), "wider than the contract's field (lot_envelopes.building)"),
        ("certificates", set_on(0, name="あ" * 40 + "a"), "wider than the contract's field (lot_certificates.name)"),
        ("certificates", set_on(0, member_key=samples.PEOPLE[0][0] + 110_000_000 * 10**9), "another branch"),
        ("certificates", set_on(0, name="𠮷田 一郎"), "not in CP932"),
        ("certificates", set_on(0, name="〜"), "come back changed"),
        ("certificates", set_on(0, name="一\x07郎"), "control or private-use"),
        ("certificates", set_on(0, name="\ue000"), "control or private-use"),
        ("certificates", set_on(0, name="一\r\n郎"), "line ends inside a text"),
        ("certificates", set_on(0, name=None), "lack a value"),
        ("certificates", set_on(0, birth_date=None), "lack a value"),
        ("envelopes", set_on(0, addressee_name=None), "lack a value"),
        ("lots", set_on(0, lot_kind="other"), "no such kind"),
        ("lots", set_on(0, prefecture=48), "not one of the 47"),
    ],
)
def test_lot_that_is_not_as_it_must_be_is_not_written(store, out, tmp_path, case):
    table, change, words = case
    plan = spoilt(samples.home_plan(store), tmp_path, table, change)
    with pytest.raises(LotFileError) as raised:
        write_lot(plan, HOME_LOT, CAMPAIGN, out)
    assert words in str(raised.value)
    assert not [path for path in out.glob("*") if path.is_file()]


def test_errors_carry_no_value_of_a_person(store, out, tmp_path):
    plan = spoilt(samples.home_plan(store), tmp_path, "certificates", set_on(0, name="𠮷田 秘密"))
    with pytest.raises(LotFileError) as raised:
        write_lot(plan, HOME_LOT, CAMPAIGN, out)
    assert "秘密" not in str(raised.value) and "12345678" not in str(raised.value)


def test_wrong_check_digits_are_found(store, out, tmp_path):
    def change(rows):
        rows[1]["envelope_id"] = "00000000487"
        return rows

    plan = spoilt(samples.home_plan(store), tmp_path, "envelopes", change)
    with pytest.raises(LotFileError, match="wrong check digits"):
        write_lot(plan, HOME_LOT, CAMPAIGN, out)


def test_widest_text_that_the_rules_allow_is_printed(store, out, tmp_path):
    plan = spoilt(samples.home_plan(store), tmp_path, "envelopes", set_on(0, address="あ" * 59 + "ｱa"))
    assert write_lot(plan, HOME_LOT, CAMPAIGN, out).row_count == 11


def test_lot_that_the_plan_does_not_hold_is_named(store, out):
    with pytest.raises(LotFileError, match="holds 0 lots"):
        write_lot(samples.home_plan(store), LIST_LOT, CAMPAIGN, out)


# --- bundles and lists -----------------------------------------------------------------------------


def test_packet_of_a_bundle_is_printed_as_it_first_was_without_the_people_taken_out(store, out, tmp_path):
    samples.home_plan(store)
    plan = samples.follow_up_plan(store)

    def take_out(rows):
        rows[1].update(bundle_id=None, outcome="closed", reason_code="membership_lost")
        return rows

    taken = spoilt(plan, tmp_path, "follow_ups", take_out)
    taken = spoilt(replace(taken), tmp_path / "2", "lots", set_on(0, certificate_count=2))
    taken = spoilt(taken, tmp_path / "3", "envelopes", set_on(0, certificate_count=2))
    clear = write_lot(taken, BUNDLE_LOT, CAMPAIGN, out, plans_glob=str(store.root / "plans" / "*"),
        reports_glob=str(store.root / "feeds" / "piece_reports" / "*" / "rows.parquet"))  # fmt: skip
    rows = records(clear)
    packet = next(row for row in rows if row[0] == "E" and row[1] == control_number(3))
    assert packet[12:] == ["1", "10:1 20:1 30:1 40:1 50:1", "0.0", "0"]
    certificates = [row for row in rows if row[0] == "C" and row[2] == control_number(3)]
    assert [(row[1], row[13], row[14]) for row in certificates] == [
        (f"{control_number(3)}-1", "2025-10-03", "2029-11-30")
    ]


def test_packet_printed_again_before_it_was_posted_keeps_its_new_number(store, out, tmp_path):
    samples.home_plan(store)
    chain = [(3, 5), (5, 6)]  # spoiled twice: 3 became 5, 5 became 6, and 6 came back
    with store.land("feeds/piece_reports", "0001", received_on=date(2025, 10, 6), source="x") as draft:
        for table, columns in FEEDS["piece_reports"].items():
            schema = pa.schema([(name, ARROW_TYPES[kind]) for name, kind in columns.items()])
            rows = [
                {"lot_id": HOME_LOT, "envelope_id": control_number(old), "event_type": "spoiled"}
                | {"replacement_id": control_number(new), "received_on": date(2025, 10, 6)}
                for old, new in chain
            ]
            pq.write_table(pa.Table.from_pylist(rows if table == "rows" else [], schema=schema), draft.table(table))
    plan = samples.follow_up_plan(store)

    def renumber(rows):
        for row in rows[:2]:
            row["envelope_id"] = control_number(6)
            row["certificate_id"] = control_number(6) + row["certificate_id"][-2:]
        return rows

    moved = spoilt(plan, tmp_path, "follow_ups", renumber)
    clear = write_lot(moved, BUNDLE_LOT, CAMPAIGN, out, plans_glob=str(store.root / "plans" / "*"),
        reports_glob=str(store.root / "feeds" / "piece_reports" / "*" / "rows.parquet"))  # fmt: skip
    rows = records(clear)
    packets = [row[1] for row in rows if row[0] == "E" and row[2]]
    assert packets == [control_number(4), control_number(6)]
    assert [row[1] for row in rows if row[0] == "C"][-2:] == [f"{control_number(6)}-1", f"{control_number(6)}-2"]
    assert [row[8] for row in rows if row[0] == "C"][-2:] == ["髙橋 一郎", '髙橋 "花" 子']


def test_bundle_whose_originals_are_not_found_is_not_written(store, out):
    plan = samples.follow_up_plan(store)  # the home plan has not landed
    with pytest.raises(LotFileError, match="packets do not add up"):
        write_lot(plan, BUNDLE_LOT, CAMPAIGN, out)


def globs(store):
    """Where the facts beside a spoilt plan lie."""
    return {
        "plans_glob": str(store.root / "plans" / "*"),
        "reports_glob": str(store.root / "feeds" / "piece_reports" / "*" / "rows.parquet"),
    }


def test_packet_with_an_old_card_to_return_must_lie_in_its_bundle(store, out, tmp_path):
    samples.home_plan(store)
    elsewhere = control_number(5)
    plan = spoilt(samples.follow_up_plan(store), tmp_path, "envelopes", set_on(0, old_card_packets=elsewhere))
    with pytest.raises(LotFileError, match="1 packets with an old card to return that are not in their bundle"):
        write_lot(plan, BUNDLE_LOT, CAMPAIGN, out, **globs(store))


def test_bundle_without_a_notice_has_empty_fields(store, out, tmp_path):
    samples.home_plan(store)
    plan = spoilt(samples.follow_up_plan(store), tmp_path, "envelopes", set_on(0, notice=None, old_card_packets=None))
    clear = write_lot(plan, BUNDLE_LOT, CAMPAIGN, out, **globs(store))
    (bundle,) = [line for line in clear.path.read_bytes().decode("cp932").split("\r\n") if line.startswith('"B"')]
    assert bundle.endswith(',"390","",""')


def test_employer_list_holds_number_suffix_and_name_only(store, out):
    rows = records(write_lot(samples.list_plan(store), LIST_LOT, CAMPAIGN, out))
    assert [row for row in rows if row[0] == "N"][-3:] == [
        ["N", control_number(52), "1", "7", "00", "山﨑 次郎"],
        ["N", control_number(52), "2", "123", "00", "髙橋 一郎"],
        ["N", control_number(52), "3", "123", "01", '髙橋 "花" 子'],
    ]


def test_list_without_a_line_is_not_written(store, out, tmp_path):
    plan = spoilt(samples.list_plan(store), tmp_path, "list_lines", lambda rows: [])
    with pytest.raises(LotFileError, match="1 lists without a line"):
        write_lot(plan, LIST_LOT, CAMPAIGN, out)


# --- orders ----------------------------------------------------------------------------------------


def test_pull_list_has_each_envelope_once_and_may_be_empty(store, out, tmp_path):
    plan = samples.release_plan(store)
    twice = spoilt(plan, tmp_path, "pulls", lambda rows: rows * 2)
    assert write_pull_list(twice, POSTED, CAMPAIGN, out).row_count == 1
    empty = write_pull_list(plan, date(2025, 10, 10), CAMPAIGN, out, ordinal=2)
    assert empty.name == "pv1_fy2025_pull_20251010_02_0.csv"
    assert empty.path.read_bytes() == b'"lot_id","envelope_id"\r\n'


def test_release_order_binds_lots_by_hash_in_order(out):
    order = write_release_order(POSTED, {"fy2025-H-18-20251003-02": "b" * 64, HOME_LOT: "a" * 64}, CAMPAIGN, out)
    lines = order.path.read_bytes().decode().split("\r\n")
    assert lines[1].startswith(f'"{HOME_LOT}","2025-10-03","aaa')
    assert order.row_count == 2


def test_stop_order_knows_its_effects(out):
    assert write_stop_order(POSTED, {HOME_LOT: "destroy"}, CAMPAIGN, out).row_count == 1
    with pytest.raises(LotFileError, match="hold, destroy, resume"):
        write_stop_order(POSTED, {HOME_LOT: "burn"}, CAMPAIGN, out)


# --- reading back, rebuilding ----------------------------------------------------------------------


def test_lot_read_back_is_what_was_written(store, out, tmp_path):
    clear = write_lot(samples.home_plan(store), HOME_LOT, CAMPAIGN, out)
    tables = read_back(clear.path, tmp_path / "back")
    read = {kind: duckdb.sql(f"select * from '{path}'").fetchall() for kind, path in tables.items()}
    flat = sorted((row for rows in read.values() for row in rows), key=lambda row: row[0])
    assert [list(row[1:]) for row in flat] == records(clear)


@pytest.mark.parametrize(
    "spoil, words",
    [
        (lambda raw: raw.replace(b'"insured"', b'"insured","x"', 1), "quoted CSV"),
        (lambda raw: raw.replace(b',"insured"', b"", 1), "number of fields"),
        (lambda raw: raw.replace(b'"4","5","2"', b'"4","5","2","6"', 1), "1 H records with another number of fields"),
        (lambda raw: raw.replace(b'"E"', b'"X"', 1), "does not have"),
        (lambda raw: raw[: raw.index(b'"T"')], "header and end with its one trailer"),
        (lambda raw: raw * 2, "header and end with its one trailer"),
        (lambda raw: raw.replace(b"\xfb\xfc", b"\x85\xff", 1), "not CP932"),
        (lambda raw: raw.replace(b'"', b"", 1), "quoted CSV|records were read|does not have"),
    ],
)
def test_file_that_is_not_as_in_the_contract_is_not_read_back(tmp_path, spoil, words):
    path = tmp_path / "lot.csv"
    path.write_bytes(spoil((SAMPLES / "pv1_fy2025_lot_fy2025-H-18-20251003-01_4.csv").read_bytes()))
    with pytest.raises(LotFileError, match=words):
        read_back(path, tmp_path / "back")


def land_sealed(store, clear, plan_id):
    """What sealing leaves, without keys."""
    with store.land(
        "transfers", f"{clear.name}--sealed", received_on=POSTED, source=clear.name, source_sha256=clear.sha256
    ) as draft:
        (draft.path / clear.name).write_bytes(clear.path.read_bytes())
        schema = pa.schema([("plan_id", pa.string())])
        pq.write_table(pa.Table.from_pylist([{"plan_id": plan_id}], schema=schema), draft.table("transfers"))


def test_lot_ever_sent_is_made_again_byte_for_byte(store, out, tmp_path):
    plan = samples.home_plan(store)
    land_sealed(store, write_lot(plan, HOME_LOT, CAMPAIGN, out), plan.name)
    rebuilt = rebuild_lot(store, HOME_LOT, tmp_path / "again")
    assert rebuilt.agrees and rebuilt.sent == rebuilt.made == rebuilt.kept
    (store.get("transfers", f"{rebuilt.file_name}--sealed").path / rebuilt.file_name).write_bytes(b"x")
    assert not rebuild_lot(store, HOME_LOT, tmp_path / "again").agrees


def test_changed_plan_is_seen_by_the_rebuild(store, out, tmp_path):
    plan = samples.home_plan(store)
    land_sealed(store, write_lot(plan, HOME_LOT, CAMPAIGN, out), plan.name)
    rows = pq.read_table(plan.table("certificates")).to_pylist()
    rows[0]["name"] = "髙橋 二郎"
    pq.write_table(pa.Table.from_pylist(rows, schema=pq.read_schema(plan.table("certificates"))),
        plan.table("certificates"))  # fmt: skip
    assert not rebuild_lot(store, HOME_LOT, tmp_path / "again").agrees


def test_lot_never_sent_or_deleted_is_told(store, out):
    with pytest.raises(RebuildError, match="never sealed"):
        rebuild_lot(store, HOME_LOT, out)
    plan = samples.home_plan(store)
    land_sealed(store, write_lot(plan, HOME_LOT, CAMPAIGN, out), plan.name)
    plan.table("envelopes").unlink()
    with pytest.raises(RebuildError, match="deleted"):
        rebuild_lot(store, HOME_LOT, out)


def test_throughput_is_counted_from_the_files_and_their_sealed_bytes(store, out, tmp_path):
    keys = tmp_path / "keys"
    generate_keys(keys)
    (keys / PRINTER_PUBLIC).write_text((keys / INSURER_PUBLIC).read_text())
    measured = measure(samples.home_plan(store), CAMPAIGN, out, load_keys(keys), workers=1)
    (clear,) = out.glob("*.csv")
    assert (measured.lots, measured.certificates, measured.bytes_clear) == (1, 5, clear.stat().st_size)
    assert clear.with_name(f"{clear.name}.pgp").stat().st_size > 0
    assert measured.certificates_per_second > measured.sealed_certificates_per_second > 0
    assert measured.peak_rss_mb > 50


def test_lot_without_a_piece_is_not_written(store, out):
    empty = {"lot_id": HOME_LOT, "lot_kind": "home", "prefecture": 18, "posting_date": POSTED, "envelope_count": 0}
    empty |= {"certificate_count": 0, "seed_count": 0, "weight_g": 0.0, "postage_yen": 0}
    plan = samples.land_plan(store, "home-2025-04-30", POSTED, {"lots": [empty]})
    with pytest.raises(LotFileError, match="no piece"):
        write_lot(plan, HOME_LOT, CAMPAIGN, out)
