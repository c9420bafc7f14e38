"""Each misbehaviour does what docs/sandbox.md says, no more, and as often as told."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from datetime import date
from pathlib import Path

import pytest
from sandbox_kit import Insurer, lot_id, number, order, world

from kakuninsho.sandbox import misbehave
from kakuninsho.sandbox.calendar import add_worked
from kakuninsho.sandbox.errors import SetUpError
from kakuninsho.sandbox.rates import Rates
from kakuninsho.sandbox.world import World

POSTING = date(2025, 7, 7)
LATER = date(2025, 8, 31)
CALM = Rates(spoiled=0.0, returned_home=0.0, returned_very_late=0.0, reported_late=0.0)
FIRST, SECOND = lot_id(), lot_id(nth=2)


@pytest.fixture
def insurer(tmp_path: Path) -> Insurer:
    return Insurer(tmp_path)


def told(insurer: Insurer, *names: str, rates: Rates = CALM) -> World:
    return world(insurer, rates=rates, misbehaviours=misbehave.parse(names))


def play(insurer: Insurer, made: World, *, pulls: tuple[int, ...] = (), until: date = LATER) -> None:
    """Two lots of ten pieces, handed over, pulled from, released, posted and reported."""
    clear = {FIRST: insurer.hand_over(made, FIRST, 100, 10), SECOND: insurer.hand_over(made, SECOND, 200, 10)}
    if pulls:
        insurer.put(*order("pull_list", POSTING, [[FIRST, number(sequence)] for sequence in pulls]))
    insurer.release(made, POSTING, clear)
    made.advance(until)
    made.close()


def pieces(insurer: Insurer) -> Counter[tuple[str, str]]:
    return Counter((row["lot_id"], row["event_type"]) for row in insurer.rows("piece"))


ALL_POSTED = Counter({(FIRST, "posted"): 12, (SECOND, "posted"): 12})


def test_without_any_it_behaves(insurer: Insurer) -> None:
    play(insurer, told(insurer))
    assert pieces(insurer) == ALL_POSTED
    assert set(insurer.acks().values()) == {("accepted", "")}


def test_reject_lot(insurer: Insurer) -> None:
    made = told(insurer, "reject_lot:lot=0707-01")
    insurer.hand_over(made, FIRST, 100, 3)
    insurer.hand_over(made, SECOND, 200, 3)
    made.close()
    results = {row["lot_id"]: (row["result"], row["reason_code"]) for row in insurer.rows("ack")}
    assert results == {FIRST: ("rejected", "layout_invalid"), SECOND: ("accepted", "")}


def test_silent_ack(insurer: Insurer) -> None:
    play(insurer, told(insurer, "silent_ack:lot=0707-02"))
    assert SECOND not in {row["lot_id"] for row in insurer.rows("ack")}
    assert pieces(insurer) == ALL_POSTED  # it took the lot, and only says nothing


def test_wrong_ack_counts(insurer: Insurer) -> None:
    play(insurer, told(insurer, "wrong_ack_counts:count=1"))
    counts = {row["lot_id"]: row["envelope_count"] for row in insurer.rows("ack") if row["lot_id"]}
    assert counts == {FIRST: "13", SECOND: "12"}


def test_drop_piece_report(insurer: Insurer) -> None:
    play(insurer, told(insurer, "drop_piece_report:count=3,lot=0707-01"))
    assert pieces(insurer) == Counter({(FIRST, "posted"): 9, (SECOND, "posted"): 12})


def test_duplicate_report(insurer: Insurer) -> None:
    play(insurer, told(insurer, "duplicate_report:lot=0707-01"))
    assert pieces(insurer) == Counter({(FIRST, "posted"): 24, (SECOND, "posted"): 12})
    files = {row["file"] for row in insurer.rows("piece") if row["lot_id"] == FIRST}
    assert len(files) == 2


def test_unknown_piece(insurer: Insurer) -> None:
    play(insurer, told(insurer, "unknown_piece"))
    strangers = [row for row in insurer.rows("piece") if int(row["envelope_id"]) // 100 >= 999_000_000]
    assert len(strangers) == 1
    assert int(strangers[0]["envelope_id"]) % 97 == 1
    assert sum(pieces(insurer).values()) == 25


def test_post_pulled(insurer: Insurer) -> None:
    play(insurer, told(insurer, "post_pulled"), pulls=(105, 106))
    assert pieces(insurer) == Counter({(FIRST, "posted"): 11, (FIRST, "pulled"): 1, (SECOND, "posted"): 12})


def test_unconfirmed_pull(insurer: Insurer) -> None:
    play(insurer, told(insurer, "unconfirmed_pull"), pulls=(105, 106))
    assert pieces(insurer) == Counter({(FIRST, "posted"): 10, (FIRST, "pulled"): 1, (SECOND, "posted"): 12})


def test_spoil_without_replacement(insurer: Insurer) -> None:
    play(insurer, told(insurer, "spoil_without_replacement"))
    (spoiled,) = [row for row in insurer.rows("piece") if row["event_type"] == "spoiled"]
    assert spoiled["replacement_id"] == ""
    assert sum(pieces(insurer).values()) == 24


def test_late_report(insurer: Insurer) -> None:
    play(insurer, told(insurer, "late_report:lot=0707-01"))
    written = {row["lot_id"]: row["file"].split("_")[3] for row in insurer.rows("piece")}
    assert written[FIRST] == f"{add_worked(POSTING, 15):%Y%m%d}"
    assert written[SECOND] < written[FIRST]


@pytest.mark.parametrize("name", ["wrong_signature", "unsigned_answer"])
def test_an_answer_without_the_printers_signature(insurer: Insurer, name: str) -> None:
    made = told(insurer, f"{name}:count=1,lot=_piece_")
    play(insurer, made)
    wrong = []
    for file in insurer.answer_files():
        try:
            insurer.open(insurer.root.outbox / f"{file}.pgp")
        except (RuntimeError, AssertionError):
            wrong.append(file)
            with pytest.raises((RuntimeError, AssertionError)):
                insurer.open(insurer.root.outbox / f"{file}.manifest.json.pgp")
    assert len(wrong) == 1
    assert "_piece_" in wrong[0]


def test_truncated_answer(insurer: Insurer) -> None:
    play(insurer, told(insurer, "truncated_answer:count=1,lot=_piece_"))
    with pytest.raises(RuntimeError):
        insurer.rows("piece")


def test_resend_changed_report(insurer: Insurer) -> None:
    made = told(insurer, "resend_changed_report:count=1")
    clear = insurer.hand_over(made, FIRST, 100, 10)
    insurer.release(made, POSTING, {FIRST: clear})
    contents: dict[str, set[bytes]] = {}
    for day in range(8, 31):
        made.advance(date(2025, 7, day))
        for name in insurer.answer_files():
            contents.setdefault(name, set()).add(insurer.open(insurer.root.outbox / f"{name}.pgp"))
    made.close()
    changed = [name for name, seen in contents.items() if len(seen) == 2]
    assert len(changed) == 1
    first, second = (list(csv.reader(io.StringIO(text.decode()))) for text in contents[changed[0]])
    assert len(first) == len(second)
    assert sum(a != b for a, b in zip(first, second, strict=True)) == 1
    insurer.rows("piece")  # name, count and manifest agree with the new content


def test_accept_anything(insurer: Insurer) -> None:
    made = told(insurer, "accept_anything:lot=_release_")
    insurer.hand_over(made, FIRST, 100, 3)
    insurer.hand_over(made, FIRST, 200, 4)
    name = insurer.release(made, POSTING, {FIRST: b"another content"})
    made.advance(LATER)
    made.close()
    assert insurer.acks()[name] == ("accepted", "")
    assert sorted(insurer.acks().values()) == [("accepted", ""), ("accepted", ""), ("rejected", "duplicate_lot")]
    assert insurer.rows("piece") == []


def test_post_unreleased(insurer: Insurer) -> None:
    made = told(insurer, "post_unreleased:lot=0707-01")
    insurer.hand_over(made, FIRST, 100, 3)
    insurer.hand_over(made, SECOND, 200, 3)
    made.advance(LATER)
    made.close()
    assert pieces(insurer) == Counter({(FIRST, "posted"): 5})


def test_unknown_return_reason(insurer: Insurer) -> None:
    all_come_back = Rates(spoiled=0.0, returned_home=1.0, reported_late=0.0)
    play(insurer, told(insurer, "unknown_return_reason:count=2", rates=all_come_back))
    reasons = Counter(row["reason_code"] == "R77" for row in insurer.rows("return"))
    assert reasons == Counter({False: 18, True: 2})


def test_what_was_used_up_stays_used_up_after_a_restart(insurer: Insurer) -> None:
    made = told(insurer, "reject_lot:count=1")
    insurer.hand_over(made, FIRST, 100, 3)
    made.close()
    made = told(insurer, "reject_lot:count=1")
    insurer.hand_over(made, SECOND, 200, 3)
    assert made.status()["misused"] == {"reject_lot|": 1}
    made.close()
    assert [row["result"] for row in insurer.rows("ack")] == ["rejected", "accepted"]


@pytest.mark.parametrize("text", ["no_such_thing", "reject_lot:count=0", "reject_lot:often", "reject_lot:lot="])
def test_a_misbehaviour_nobody_knows_is_refused(text: str) -> None:
    with pytest.raises(SetUpError):
        misbehave.parse([text])


def test_every_misbehaviour_is_in_the_documented_table_and_tested() -> None:
    document = (Path(__file__).parents[2] / "docs" / "sandbox.md").read_text(encoding="utf-8")
    section = document.split("## Misbehaviour", 1)[1].split("\n## ", 1)[0]
    assert set(re.findall(r"^\| `(\w+)`", section, re.MULTILINE)) == set(misbehave.DEFAULT_COUNTS)
    tests = "".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_sandbox_*.py"))
    for name in misbehave.DEFAULT_COUNTS:
        assert f'"{name}' in tests
