"""What printer, post office and core system do, day by day (in one process, without SFTP)."""

from __future__ import annotations

import csv
import io
import json
import time
from collections import Counter
from datetime import date, timedelta
from pathlib import Path

import pytest
from pysequoia import Tsk
from sandbox_kit import Insurer, lot, lot_id, number, order, sha256, world

from kakuninsho.sandbox.errors import ControlError, SetUpError
from kakuninsho.sandbox.rates import Rates
from kakuninsho.sandbox.world import World

POSTING = date(2025, 7, 7)  # a Monday
CALM = Rates(spoiled=0.0, returned_home=0.0, returned_employer=0.0, returned_very_late=0.0)


@pytest.fixture
def insurer(tmp_path: Path) -> Insurer:
    return Insurer(tmp_path)


@pytest.fixture
def calm(insurer: Insurer):
    made = world(insurer, rates=CALM)
    yield made
    made.close()


# --- acknowledgements -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["H", "S", "E", "L"])
def test_a_lot_is_accepted_with_the_counts_the_printer_read(insurer: Insurer, calm: World, kind: str) -> None:
    name, clear, members = lot(lot_id(kind), 100, 5)
    insurer.put(name, clear, members)
    calm.look()
    (row,) = insurer.rows("ack")
    assert (row["file_name"], row["lot_id"]) == (name, lot_id(kind))
    assert (row["result"], row["reason_code"]) == ("accepted", "")
    assert (int(row["envelope_count"]), int(row["certificate_count"])) == (7, members["certificate_count"])
    assert row["acknowledged_on"] == "2025-07-01"
    assert row["file"] == "pv1_fy2025_ack_20250701_001_1.csv"


def test_the_golden_samples_of_the_contract_are_accepted(insurer: Insurer, calm: World) -> None:
    folder = Path(__file__).parents[2] / "include/kakuninsho/printer/contract/samples"
    for path in sorted(folder.glob("*_lot_*.csv")):
        clear = path.read_bytes()
        records = list(csv.reader(io.StringIO(clear.decode("cp932"))))
        trailer = records[-1]
        names = ["lot_id", "row_count", "envelope_count", "sample_count", "packet_count", "certificate_count"]
        names += ["list_line_count", "enclosures", "weight_g", "postage_yen"]
        members = dict(zip(names, trailer[1:], strict=True))
        members |= {"file_kind": "lot", "posting_date": records[0][7]}
        insurer.put(path.name, clear, members)
    calm.look()
    assert set(insurer.acks().values()) == {("accepted", "")}
    assert len(insurer.acks()) == 3


def test_a_file_without_manifest_does_not_exist_yet(insurer: Insurer, calm: World) -> None:
    name, clear, members = lot(lot_id(), 100, 3)
    files = insurer.sealed(name, clear, members)
    (insurer.root.inbox / files[0][0]).write_bytes(files[0][1])
    (insurer.root.inbox / f"{files[1][0]}.part").write_bytes(files[1][1])
    calm.look()
    assert insurer.answer_files() == []
    (insurer.root.inbox / files[1][0]).write_bytes(files[1][1])
    calm.look()
    assert insurer.acks() == {name: ("accepted", "")}


@pytest.mark.parametrize(
    ("reason", "options"),
    [
        ("signature_invalid", {"signer": Tsk.generate("Somebody else")}),
        ("cannot_decrypt", {"cut": 40}),
        ("manifest_differs", {"sha256_clear": "0" * 64}),
        ("manifest_differs", {"sha256_sealed": "0" * 64}),
        ("manifest_differs", {"envelope_count": 4}),
        ("manifest_differs", {"row_count": 4}),
        ("manifest_differs", {"postage_yen": 1}),
        ("layout_invalid", {"file_kind": "pull_list"}),
    ],
)
def test_a_lot_sealed_or_described_wrongly_is_refused(
    insurer: Insurer, calm: World, reason: str, options: dict[str, object]
) -> None:
    name, clear, members = lot(lot_id(), 100, 3)
    insurer.put(name, clear, members, **options)
    calm.look()
    assert insurer.acks() == {name: ("rejected", reason)}
    # What was wrong with the envelope, not with the content, can be put right under the same name.
    insurer.put(name, clear, members)
    calm.look()
    assert insurer.acks()[name] == (
        "accepted" if reason != "layout_invalid" else "rejected",
        "" if reason != "layout_invalid" else reason,
    )


def _altered(old: bytes, new: bytes, count: int = 1) -> tuple[str, bytes, dict[str, object]]:
    name, clear, members = lot(lot_id(), 100, 3)
    assert old in clear
    return name, clear.replace(old, new, count), members


@pytest.mark.parametrize(
    ("reason", "old", "new"),
    [
        ("layout_invalid", b"\r\n", b"\n"),
        ("layout_invalid", b"\xfb\xfc", b"\xee\xe0"),  # 髙 in the NEC byte form
        ("layout_invalid", "一郎".encode("cp932"), b"\x84\xff"),
        ("layout_invalid", "一郎".encode("cp932"), "〓郎".encode("cp932")),
        ("layout_invalid", "一郎".encode("cp932"), b"\xf0\x40"),  # private use
        ("layout_invalid", "一郎".encode("cp932"), "一".encode("cp932") * 40),
        ("layout_invalid", b'"9100001"', b'"910-0001"'),
        ("layout_invalid", b'"9100001"', b"9100001"),
        ("layout_invalid", b'"1980-02-29"', b'"1980-13-29"'),
        ("totals_differ", b'"28.2"', b'"28.3"'),
        ("totals_differ", b'"10:1 20:1 30:1', b'"10:2 20:1 30:1'),
        ("totals_differ", b'"2025-07-07","5"', b'"2025-07-07","6"'),
        ("control_number_invalid", number(102).encode(), b"00000010299"),
    ],
)
def test_a_lot_with_a_wrong_byte_is_refused_whole(
    insurer: Insurer, calm: World, reason: str, old: bytes, new: bytes
) -> None:
    name, clear, members = _altered(old, new)
    insurer.put(name, clear, members)
    calm.look()
    assert insurer.acks() == {name: ("rejected", reason)}
    assert calm.status()["lots"] == {}


def test_a_missing_record_is_a_difference_of_totals(insurer: Insurer, calm: World) -> None:
    name, clear, members = lot(lot_id(), 100, 3)
    lines = clear.splitlines(keepends=True)
    insurer.put(name, b"".join(lines[:3] + lines[4:]), members)
    calm.look()
    assert insurer.acks()[name][1] == "totals_differ"


def test_the_same_file_again_changes_nothing_and_is_answered_as_before(insurer: Insurer, calm: World) -> None:
    name, clear, members = lot(lot_id(), 100, 3)
    insurer.put(name, clear, members)
    calm.look()
    calm.advance(date(2025, 7, 3))
    insurer.put(name, clear, members)
    calm.look()
    first, second = insurer.rows("ack")
    assert {key: value for key, value in first.items() if key != "file"} == {
        key: value for key, value in second.items() if key != "file"
    }
    assert calm.status()["lots"] == {"waiting": 1}


def test_same_name_other_content_is_a_conflict(insurer: Insurer, calm: World) -> None:
    name, clear, members = lot(lot_id(), 100, 3)
    insurer.put(name, clear, members)
    calm.look()
    _, other, members = lot(lot_id(), 500, 3)
    insurer.put(name, other, members)
    calm.look()
    assert [row["reason_code"] for row in insurer.rows("ack")] == ["", "name_conflict"]
    assert calm.status()["lots"] == {"waiting": 1}


def test_a_lot_under_another_name_and_numbers_used_before_are_refused(insurer: Insurer, calm: World) -> None:
    insurer.hand_over(calm, lot_id(), 100, 3)
    insurer.hand_over(calm, lot_id(), 500, 4)
    insurer.hand_over(calm, lot_id(nth=2), 102, 2)
    insurer.hand_over(calm, lot_id(nth=3), 110, 2)  # inside the first lot's replacement range
    assert sorted(row["reason_code"] for row in insurer.rows("ack")) == [
        "",
        "control_number_invalid",
        "control_number_invalid",
        "duplicate_lot",
    ]


# --- posting ----------------------------------------------------------------------------------------------


def test_a_home_lot_waits_for_its_release_and_is_posted_on_its_day(insurer: Insurer, calm: World) -> None:
    released, unreleased = lot_id(), lot_id(nth=2)
    clear = insurer.hand_over(calm, released, 100, 3)
    insurer.hand_over(calm, unreleased, 200, 3)
    calm.advance(date(2025, 7, 4))
    insurer.release(calm, POSTING, {released: clear})
    calm.advance(date(2025, 8, 1))
    rows = insurer.rows("piece")
    assert {(row["lot_id"], row["event_type"], row["occurred_on"]) for row in rows} == {
        (released, "posted", "2025-07-07")
    }
    assert sorted(row["envelope_id"] for row in rows) == [number(n) for n in range(100, 105)]  # samples too
    assert calm.status()["lots"] == {"posted": 1, "waiting": 1}


def test_a_release_with_another_hash_is_refused_and_nothing_is_posted(insurer: Insurer, calm: World) -> None:
    insurer.hand_over(calm, lot_id(), 100, 3)
    name = insurer.release(calm, POSTING, {lot_id(): b"another file"})
    calm.advance(date(2025, 7, 31))
    assert insurer.acks()[name] == ("rejected", "hash_differs")
    assert insurer.rows("piece") == []


def test_a_release_that_comes_late_posts_on_the_next_worked_day(insurer: Insurer, calm: World) -> None:
    clear = insurer.hand_over(calm, lot_id(), 100, 1)
    calm.advance(date(2025, 7, 18))  # a Friday; Monday 21 July is a holiday
    insurer.release(calm, POSTING, {lot_id(): clear})
    calm.advance(date(2025, 8, 15))
    assert {row["occurred_on"] for row in insurer.rows("piece")} == {"2025-07-22"}


@pytest.mark.parametrize("kind", ["E", "L"])
def test_lots_for_employers_are_posted_the_next_worked_day_without_release(
    insurer: Insurer, calm: World, kind: str
) -> None:
    calm.advance(date(2025, 8, 1))  # a Friday
    insurer.hand_over(calm, lot_id(kind, date(2025, 8, 1)), 100, 3)
    calm.advance(date(2025, 8, 31))
    rows = insurer.rows("piece")
    assert {(row["event_type"], row["occurred_on"]) for row in rows} == {("posted", "2025-08-04")}
    assert sorted(row["envelope_id"] for row in rows) == [number(n) for n in range(100, 105)]  # no packets


def test_pulled_pieces_are_reported_pulled_on_the_posting_day(insurer: Insurer, calm: World) -> None:
    clear = insurer.hand_over(calm, lot_id(), 100, 3)
    pull = order("pull_list", POSTING, [[lot_id(), number(103)]])
    insurer.put(*pull)
    insurer.release(
        calm, POSTING, {lot_id(): clear}, related_files=[{"file_name": pull[0], "sha256_clear": sha256(pull[1])}]
    )
    calm.advance(date(2025, 7, 31))
    assert set(insurer.acks().values()) == {("accepted", "")}
    outcome = {row["envelope_id"]: (row["event_type"], row["occurred_on"]) for row in insurer.rows("piece")}
    assert outcome.pop(number(103)) == ("pulled", "2025-07-07")
    assert set(outcome.values()) == {("posted", "2025-07-07")}


def test_an_urgent_pull_list_stops_a_piece_that_is_released_already(insurer: Insurer, calm: World) -> None:
    clear = insurer.hand_over(calm, lot_id(), 100, 3)
    insurer.release(calm, POSTING, {lot_id(): clear})
    urgent = order("urgent_pull_list", date(2025, 7, 4), [[lot_id(), number(103)]])
    insurer.put(*urgent)
    calm.advance(date(2025, 7, 31))
    assert insurer.acks()[urgent[0]] == ("accepted", "")
    outcome = {row["envelope_id"]: (row["event_type"], row["occurred_on"]) for row in insurer.rows("piece")}
    assert outcome.pop(number(103)) == ("pulled", "2025-07-07")
    assert set(outcome.values()) == {("posted", "2025-07-07")}


def test_an_urgent_pull_list_that_comes_too_late_is_refused_and_the_piece_is_reported_posted(
    insurer: Insurer, calm: World
) -> None:
    clear = insurer.hand_over(calm, lot_id(), 100, 3)
    insurer.release(calm, POSTING, {lot_id(): clear})
    calm.advance(POSTING)
    late = order("urgent_pull_list", POSTING, [[lot_id(), number(103)]])
    empty = order("urgent_pull_list", POSTING, [], 2)
    insurer.put(*late)
    insurer.put(*empty)
    calm.look()
    assert insurer.acks()[late[0]] == ("rejected", "too_late")
    assert insurer.acks()[empty[0]] == ("rejected", "layout_invalid")
    calm.advance(date(2025, 7, 31))
    assert {row["event_type"] for row in insurer.rows("piece")} == {"posted"}


def test_a_release_waits_a_day_for_the_pull_list_it_names(insurer: Insurer, calm: World) -> None:
    clear = insurer.hand_over(calm, lot_id(), 100, 3)
    pull = order("pull_list", POSTING, [[lot_id(), number(103)]])
    related = [{"file_name": pull[0], "sha256_clear": sha256(pull[1])}]
    first = insurer.release(calm, POSTING, {lot_id(): clear}, related_files=related)
    assert first not in insurer.acks()
    insurer.put(*pull)
    calm.look()
    assert insurer.acks()[first] == ("accepted", "")
    missing = [{"file_name": "pv1_fy2025_pull_20250707_09_1.csv", "sha256_clear": "0" * 64}]
    second = insurer.release(calm, POSTING, {lot_id(): clear}, nth=2, related_files=missing)
    assert second not in insurer.acks()
    calm.advance(date(2025, 7, 3))
    assert insurer.acks()[second] == ("rejected", "manifest_differs")
    assert not calm._has_waiting_orders()


def test_orders_for_unknown_lots_and_envelopes_and_late_ones_are_refused(insurer: Insurer, calm: World) -> None:
    clear = insurer.hand_over(calm, lot_id(), 100, 3)
    stranger = order("pull_list", POSTING, [[lot_id(nth=9), number(103)]], 1)
    absent = order("pull_list", POSTING, [[lot_id(), number(999)]], 2)
    insurer.put(*stranger)
    insurer.put(*absent)
    insurer.release(calm, POSTING, {lot_id(): clear})
    calm.advance(POSTING)
    late = order("pull_list", POSTING, [[lot_id(), number(103)]], 3)
    stop = order("stop_order", POSTING, [[lot_id(), "hold"]])
    insurer.put(*late)
    insurer.put(*stop)
    calm.look()
    reasons = insurer.acks()
    assert [reasons[item[0]][1] for item in (stranger, absent, late, stop)] == [
        "unknown_lot",
        "unknown_envelope",
        "too_late",
        "too_late",
    ]


def test_a_held_lot_needs_to_be_resumed_and_released_again(insurer: Insurer, calm: World) -> None:
    clear = insurer.hand_over(calm, lot_id(), 100, 3)
    insurer.release(calm, POSTING, {lot_id(): clear})
    insurer.put(*order("stop_order", date(2025, 7, 2), [[lot_id(), "hold"]]))
    calm.advance(date(2025, 7, 10))
    insurer.put(*order("stop_order", date(2025, 7, 10), [[lot_id(), "resume"]]))
    calm.advance(date(2025, 7, 20))
    assert insurer.rows("piece") == []
    insurer.release(calm, POSTING, {lot_id(): clear}, nth=2)
    calm.advance(date(2025, 8, 8))
    assert {row["occurred_on"] for row in insurer.rows("piece")} == {"2025-07-22"}


def test_a_destroyed_lot_is_reported_pulled_piece_by_piece(insurer: Insurer, calm: World) -> None:
    insurer.hand_over(calm, lot_id(), 100, 3)
    insurer.put(*order("stop_order", date(2025, 7, 2), [[lot_id(), "destroy"]]))
    calm.look()
    calm.advance(date(2025, 7, 31))
    rows = insurer.rows("piece")
    assert len(rows) == 5
    assert {(row["event_type"], row["occurred_on"]) for row in rows} == {("pulled", "2025-07-01")}


def test_each_spoiled_piece_has_one_replacement_that_is_posted_or_spoils_again(insurer: Insurer) -> None:
    made = world(insurer, rates=Rates(spoiled=0.3, returned_home=0.0, returned_very_late=0.0))
    clear = insurer.hand_over(made, lot_id(), 100, 200, kept=200)
    insurer.release(made, POSTING, {lot_id(): clear})
    made.advance(date(2025, 8, 31))
    made.close()
    rows = {row["envelope_id"]: row for row in insurer.rows("piece")}
    spoiled = {key: row for key, row in rows.items() if row["event_type"] == "spoiled"}
    assert len(rows) == 202 + len(spoiled)
    assert len({row["replacement_id"] for row in spoiled.values()}) == len(spoiled) > 60
    again = 0
    for row in spoiled.values():
        replacement = rows[row["replacement_id"]]
        assert int(replacement["envelope_id"]) // 100 in range(302, 502)
        assert replacement["occurred_on"] > row["occurred_on"]
        again += replacement["event_type"] == "spoiled"
    assert again > 0
    assert not {number(100), number(101)} & set(spoiled)  # samples never spoil


def test_without_numbers_left_nothing_is_reported_spoiled(insurer: Insurer) -> None:
    made = world(insurer, rates=Rates(spoiled=1.0, returned_home=0.0, returned_very_late=0.0))
    clear = insurer.hand_over(made, lot_id(), 100, 10, kept=3)
    insurer.release(made, POSTING, {lot_id(): clear})
    made.advance(date(2025, 8, 31))
    made.close()
    counts = Counter(row["event_type"] for row in insurer.rows("piece"))
    assert counts == {"spoiled": 3, "posted": 12}


def test_a_pull_that_comes_after_spoiling_stops_the_replacement(insurer: Insurer) -> None:
    made = world(insurer, rates=Rates(spoiled=1.0, returned_home=0.0, returned_very_late=0.0))
    clear = insurer.hand_over(made, lot_id(), 100, 1, kept=1)
    insurer.release(made, POSTING, {lot_id(): clear})
    made.advance(POSTING)
    insurer.put(*order("pull_list", POSTING, [[lot_id(), number(102)]]))
    made.advance(date(2025, 7, 31))
    made.close()
    events = {(row["envelope_id"], row["event_type"]) for row in insurer.rows("piece")}
    assert {(number(102), "spoiled"), (number(103), "pulled")} < events


# --- the post office --------------------------------------------------------------------------------------


def _season(insurer: Insurer, *, kind: str = "H", pieces: int = 3000, **options: object) -> World:
    made = world(insurer, **options)
    clear = insurer.hand_over(made, lot_id(kind), 10_000, pieces, kept=400)
    if kind in "HS":
        insurer.release(made, POSTING, {lot_id(kind): clear})
    return made


def test_tracking_numbers_are_those_of_bulk_tracked_mail_and_unique_on_a_day(insurer: Insurer) -> None:
    made = _season(insurer)
    made.advance(date(2025, 8, 31))
    made.close()
    posted = [row for row in insurer.rows("piece") if row["event_type"] == "posted"]
    numbers = [row["tracking_number"] for row in posted]
    for text in numbers:
        assert len(text) == 11
        assert text[0] in "56" and text[1:3] == "18" and 60 <= int(text[3:5]) <= 99
        assert int(text[:10]) % 7 == int(text[10])
    keys = {(row["tracking_number"], row["occurred_on"]) for row in posted}
    assert len(keys) == len(posted)


def test_returns_come_at_their_rate_with_reasons_within_their_days_and_never_for_samples(insurer: Insurer) -> None:
    made = _season(insurer)
    made.advance(date(2025, 12, 1))
    made.close()
    posted = {row["envelope_id"]: row for row in insurer.rows("piece") if row["event_type"] == "posted"}
    returned = insurer.rows("return")
    assert 40 <= len(returned) <= 110  # 2.2 % and 0.1 % of 3,000
    assert {row["reason_code"] for row in returned} <= {"R01", "R02", "R03", "R04", "R05", "R06", "R09"}
    assert len({row["reason_code"] for row in returned}) >= 4
    late = 0
    for row in returned:
        piece = posted[row["envelope_id"]]
        assert piece["tracking_number"] == row["tracking_number"]
        assert row["envelope_id"] not in (number(10_000), number(10_001))
        after = date.fromisoformat(row["returned_on"]) - date.fromisoformat(piece["occurred_on"])
        if row["returned_on"] > "2025-11-20":
            late += 1
        else:
            assert timedelta(4) <= after <= timedelta(24)  # 4 to 20, booked in on a worked day
    assert late > 0


def test_everything_is_reported_within_ten_worked_days_and_late_for_some_lots(insurer: Insurer) -> None:
    made = world(insurer, rates=Rates(reported_late=0.5))
    lots = {}
    for nth in range(1, 13):
        identity = lot_id(nth=nth)
        lots[identity] = insurer.hand_over(made, identity, 1000 * nth, 30)
    insurer.release(made, POSTING, lots)
    made.advance(date(2025, 12, 1))
    made.close()
    delays = set()
    for row in insurer.rows("piece"):
        written = date.fromisoformat(f"{row['file'][17:21]}-{row['file'][21:23]}-{row['file'][23:25]}")
        delays.add((written - date.fromisoformat(row["occurred_on"])).days)
    assert min(delays) >= 1
    assert 4 <= max(delays) <= 16


def test_a_lot_of_fifty_thousand_is_read_and_posted_in_seconds(insurer: Insurer, calm: World) -> None:
    name, clear, members = lot(lot_id(), 1_000_000, 49_998)
    insurer.put(name, clear, members)
    begun = time.process_time()
    calm.look()
    insurer.release(calm, POSTING, {lot_id(): clear})
    calm.advance(POSTING)
    assert time.process_time() - begun < 15  # about 2 on a quiet machine
    assert calm.status()["events"] == {"posted": 50_000}


# --- days -------------------------------------------------------------------------------------------------


def test_the_date_never_goes_back_and_the_same_day_again_is_harmless(insurer: Insurer, calm: World) -> None:
    calm.advance(date(2025, 7, 10))
    calm.advance(date(2025, 7, 10))
    with pytest.raises(ControlError, match="cannot go back"):
        calm.advance(date(2025, 7, 9))


def test_two_runs_with_the_same_seed_say_the_same_and_another_seed_does_not(tmp_path: Path) -> None:
    said = []
    for place, seed in enumerate((7, 7, 8)):
        insurer = Insurer(tmp_path / str(place))
        made = _season(insurer, seed=seed, pieces=800)
        made.advance(date(2025, 8, 31))
        made.close()
        said.append(insurer.facts())
    assert said[0] == said[1] != said[2]


def test_the_order_of_arrival_changes_nothing(tmp_path: Path) -> None:
    said = []
    for place, order_of_lots in enumerate(((1, 2), (2, 1))):
        insurer = Insurer(tmp_path / str(place))
        made = world(insurer)
        clear = {}
        for nth in order_of_lots:
            clear[lot_id(nth=nth)] = insurer.hand_over(made, lot_id(nth=nth), 10_000 * nth, 300)
        insurer.release(made, POSTING, dict(sorted(clear.items())))
        made.advance(date(2025, 8, 31))
        made.close()
        said.append(insurer.facts())
    assert said[0] == said[1]


def test_a_restart_on_any_day_changes_nothing(tmp_path: Path) -> None:
    whole = Insurer(tmp_path / "whole")
    made = _season(whole, pieces=500)
    made.advance(date(2025, 8, 31))
    made.close()
    broken = Insurer(tmp_path / "broken")
    _season(broken, pieces=500).close()
    for day in (date(2025, 7, 4), POSTING, date(2025, 7, 9), date(2025, 8, 2), date(2025, 8, 31)):
        made = world(broken)
        made.advance(day)
        made.close()
    assert broken.facts() == whole.facts()


def test_another_seed_on_the_same_root_is_refused(insurer: Insurer) -> None:
    world(insurer).close()
    with pytest.raises(SetUpError, match="seed 7"):
        world(insurer, seed=8)


def test_follow_takes_its_date_from_the_names_of_orders(insurer: Insurer) -> None:
    made = world(insurer, clock="follow", rates=CALM)
    clear = insurer.hand_over(made, lot_id(), 100, 3)
    assert made.today == date(2025, 7, 1)  # a lot's posting date lies ahead
    insurer.release(made, POSTING, {lot_id(): clear})
    assert made.today == POSTING
    assert made.status()["events"] == {"posted": 5}
    made.close()


def test_rush_lets_everything_happen_at_once(insurer: Insurer) -> None:
    made = world(insurer, clock="rush")
    clear = insurer.hand_over(made, lot_id(), 100, 300)
    insurer.release(made, POSTING, {lot_id(): clear})
    assert made.status()["unreported"] == 0
    assert len(insurer.rows("piece")) >= 302
    made.close()


def test_daily_acknowledgements_come_when_the_date_moves_on(insurer: Insurer) -> None:
    made = world(insurer, acknowledge="daily", rates=CALM)
    for nth in (1, 2, 3):
        insurer.hand_over(made, lot_id(nth=nth), 1000 * nth, 3)
    assert insurer.answer_files() == []
    made.advance(date(2025, 7, 2))
    made.close()
    assert insurer.answer_files() == ["pv1_fy2025_ack_20250701_001_3.csv"]


def test_days_passed_one_by_one_or_at_once_are_the_same_days(tmp_path: Path) -> None:
    said = []
    for place, step in enumerate((1, 200)):
        insurer = Insurer(tmp_path / str(place))
        made = _season(insurer, pieces=300)
        while made.today < date(2025, 8, 10):
            made.advance(min(made.today + timedelta(step), date(2025, 8, 10)))
        made.close()
        said.append((insurer.answer_files(), insurer.facts()))
    assert said[0] == said[1]


# --- the core system --------------------------------------------------------------------------------------


def test_a_drop_laid_backstage_for_today_comes_with_the_next_word_about_today(insurer: Insurer, calm: World) -> None:
    calm.advance(date(2025, 7, 4))
    (insurer.root.core / "backstage" / "as_of=2025-07-04").mkdir()
    calm.advance(date(2025, 7, 4))
    assert (insurer.root.core / "register" / "as_of=2025-07-04").is_dir()


def test_a_drop_and_a_feed_come_on_stage_on_their_day(insurer: Insurer, calm: World) -> None:
    core = insurer.root.core
    drop = core / "backstage" / "as_of=2025-07-04"
    drop.mkdir()
    (drop / "manifest.json").write_text(json.dumps({"kind": "full"}))
    feed = core / "backstage" / "feeds" / "2025-07-05"
    feed.mkdir()
    (feed / "issue_requests_1.csv").write_text("a\n")
    (feed / "issue_requests_1.csv.manifest.json").write_text("{}")
    calm.advance(date(2025, 7, 3))
    assert list((core / "register").iterdir()) == []
    calm.advance(date(2025, 7, 4))
    assert (core / "register" / "as_of=2025-07-04" / "manifest.json").is_file()
    assert not drop.exists()
    assert list((core / "feeds").iterdir()) == []
    calm.advance(date(2025, 7, 6))
    assert sorted(path.name for path in (core / "feeds").iterdir()) == [
        "issue_requests_1.csv",
        "issue_requests_1.csv.manifest.json",
    ]


# --- certificates in the reply envelope -------------------------------------------------------------------


def _gives_back(insurer: Insurer, day: str, until: str = "2025-09-30") -> None:
    """The one person of the kit's lots leaves, and sends every certificate back from a day on."""
    columns = "insurer_number,symbol,number,suffix,gives_back_on,until"
    person = f"01180017,12345678,123,00,{day},{until}"
    path = insurer.root.core / "backstage" / "certificates_given_back.csv"
    path.write_text(f"{columns}\n{person}\n", encoding="utf-8")


def _came_back(insurer: Insurer) -> dict[str, str]:
    """Day by certificate, of every file of the feed; manifests are checked."""
    found: dict[str, str] = {}
    for path in sorted((insurer.root.core / "feeds").glob("certificate_returns_*.csv")):
        lines = path.read_text(encoding="ascii").splitlines()
        manifest = json.loads(path.with_name(f"{path.name}.manifest.json").read_text(encoding="ascii"))
        assert manifest == {"rows": len(lines) - 1, "sha256": sha256(path.read_bytes())}
        assert lines[0] == "certificate_id,received_on"
        rows = dict(line.split(",") for line in lines[1:])
        assert {day.replace("-", "") for day in rows.values()} == {path.stem.rsplit("_", 1)[1]}
        assert not rows.keys() & found.keys()
        found |= rows
    return found


@pytest.mark.parametrize("step", [1, 90])
def test_who_left_sends_back_the_certificates_that_have_come(insurer: Insurer, step: int) -> None:
    _gives_back(insurer, "2025-07-12")  # a Saturday
    rates = Rates(spoiled=0.3, returned_home=0.3, returned_very_late=0.0)
    made = world(insurer, rates=rates)
    clear = insurer.hand_over(made, lot_id(), 100, 40, kept=200)
    insurer.release(made, POSTING, {lot_id(): clear})
    while made.today < date(2025, 8, 31):
        made.close()  # killed every time: nothing is told twice, nothing is forgotten
        made = world(insurer, rates=rates)
        made.advance(min(made.today + timedelta(step), date(2025, 8, 31)))
    made.close()
    posted = {row["envelope_id"] for row in insurer.rows("piece") if row["event_type"] == "posted"}
    kept = posted - {row["envelope_id"] for row in insurer.rows("return")} - {number(100), number(101)}
    found = _came_back(insurer)
    assert {certificate.split("-")[0] for certificate in found} == kept
    assert min(found.values()) == "2025-07-14"
    assert len(kept) > 20
    assert any(int(envelope) // 100 >= 142 for envelope in kept)  # also what was printed again


def test_what_lay_in_an_employers_bundle_keeps_its_number(insurer: Insurer) -> None:
    _gives_back(insurer, "2025-07-01")
    made = world(insurer, rates=Rates(spoiled=0.5, returned_employer=0.0))
    insurer.hand_over(made, lot_id("E"), 100, 10, kept=200)
    made.advance(date(2025, 7, 31))
    made.close()
    packets = {number(900_000 + sequence) for sequence in range(102, 112)}
    assert {certificate.split("-")[0] for certificate in _came_back(insurer)} == packets


def test_what_comes_after_the_last_run_is_not_told_and_nobody_is_known_without_the_list(insurer: Insurer) -> None:
    _gives_back(insurer, "2025-07-20", until="2025-07-18")
    made = world(insurer, rates=CALM)
    clear = insurer.hand_over(made, lot_id(), 100, 3)
    insurer.release(made, POSTING, {lot_id(): clear})
    made.advance(date(2025, 7, 31))
    made.close()
    assert _came_back(insurer) == {}
