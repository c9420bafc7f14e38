"""Feeds and the printer's answers: rows kept aside, files refused, facts landed once."""

from __future__ import annotations

import hashlib
import json
from datetime import date
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from kakuninsho.facts.schemas import FEEDS
from kakuninsho.facts.store import ARROW_TYPES, Fact, FactStore
from kakuninsho.feeds import FeedConflictError, FeedError, StagedFeed, land_feed, receive_feed, stage_feed
from kakuninsho.feeds.contract import TABLES
from kakuninsho.paths import PROJECT_ROOT
from kakuninsho.register.errors import Reason

DAY = date(2025, 10, 20)
SAMPLES = PROJECT_ROOT / "include" / "kakuninsho" / "printer" / "contract" / "samples"
MEMBER = "01180017,1234567,1,00"
MEMBER_KEY = ((18 * 110_000_000 + 1_234_567) * 10_000_000 + 1) * 100
MY_NUMBER = "123456789018"


def number(sequence: int) -> str:
    """A control number: nine digits and two check digits, ISO 7064 MOD 97-10."""
    return f"{sequence:09d}{98 - sequence * 100 % 97:02d}"


LOT = "fy2025-H-18-20251003-01"
HEADERS = {
    feed: ",".join(column.name for column in table.columns if not column.may_be_absent)
    for feed, table in TABLES.items()
}
GOOD = {
    "issue_requests": f"r-1,{MEMBER},2025-10-01,care_needed",
    "certificate_returns": f"{number(7)}-1,2025-10-01",
    "decisions": f"{MEMBER},2025-10-01,release,本部担当",
    "usage_counts": "2025-03,18,3635,10000",
    "acknowledgements": f"pv1_fy2025_lot_{LOT}_4.csv,{LOT},accepted,,4,5,2025-05-16",
    "piece_reports": f"{LOT},{number(7)},posted,2025-10-03,50012345671,",
    "return_reports": f"{number(7)},50012345671,2025-10-10,R02",
}


@pytest.fixture
def store(tmp_path: Path) -> FactStore:
    store = FactStore(tmp_path / "data")
    store.initialise()
    return store


def deliver(folder: Path, feed: str, lines: list[str], name: str | None = None, **manifest: object) -> Path:
    folder.mkdir(exist_ok=True, parents=True)
    path = folder / (name or f"{feed}_20251020.csv")
    path.write_bytes("\r\n".join([HEADERS[feed], *lines, ""]).encode())
    promise = {"rows": len(lines), "sha256": hashlib.sha256(path.read_bytes()).hexdigest(), **manifest}
    path.with_name(path.name + ".manifest.json").write_text(json.dumps(promise), encoding="utf-8")
    return path


def rejects(fact: Fact) -> list[tuple[int, str | None, str]]:
    sql = f"select row_number, column_name, reason_code from '{fact.table('rejects')}' order by row_number"
    return duckdb.sql(sql).fetchall()


@pytest.mark.parametrize("feed", list(FEEDS))
def test_a_good_row_of_every_feed_is_accepted(tmp_path: Path, store: FactStore, feed: str) -> None:
    fact = receive_feed(store, feed, deliver(tmp_path / "in", feed, [GOOD[feed]]), DAY)
    assert fact.kind == f"feeds/{feed}"
    assert fact.meta["rows"] == {"rows": 1, "rejects": 0}
    for table, columns in FEEDS[feed].items():
        schema = pq.read_schema(fact.table(table))
        expected = [(name, ARROW_TYPES[kind]) for name, kind in columns.items()]
        assert [(field.name, field.type) for field in schema] == expected
    origin = duckdb.sql(f"select source_file, row_number, received_on from '{fact.table('rows')}'").fetchall()
    assert origin == [(f"{feed}_20251020.csv", 1, DAY)]


@pytest.mark.parametrize("feed", list(FEEDS))
def test_a_file_without_a_row_says_that_nothing_is_new(tmp_path: Path, store: FactStore, feed: str) -> None:
    fact = receive_feed(store, feed, deliver(tmp_path / "in", feed, []), DAY)
    assert fact.meta["rows"] == {"rows": 0, "rejects": 0}


@pytest.mark.parametrize(
    ("feed", "kind"), [("acknowledgements", "ack"), ("piece_reports", "piece"), ("return_reports", "return")]
)
def test_the_samples_of_the_printers_contract_are_accepted_whole(
    tmp_path: Path, store: FactStore, feed: str, kind: str
) -> None:
    (sample,) = SAMPLES.glob(f"pv1_fy2025_{kind}_*.csv")
    header, *lines = sample.read_text(encoding="utf-8").splitlines()
    assert header == HEADERS[feed]
    fact = receive_feed(store, feed, deliver(tmp_path / "in", feed, lines), DAY)
    assert fact.meta["rows"] == {"rows": len(lines), "rejects": 0}


BAD_ROWS: dict[str, list[tuple[str, str | None, str]]] = {
    "issue_requests": [
        (f",{MEMBER},2025-10-01,care_needed", "request_id", "missing_value"),
        ("r-2,01180018,1234567,1,00,2025-10-01,care_needed", "insurer_number", "bad_code"),
        ("r-3,01180017,1234567,01,00,2025-10-01,care_needed", "number", "bad_format"),
        (f"r-4,{MEMBER},2025-10-32,care_needed", "requested_on", "bad_date"),
        (f"r-5,{MEMBER},2025-10-21,care_needed", "requested_on", "bad_date"),  # after the day of receipt
        (f"r-6,{MEMBER},2025-10-01,moved", "kind", "bad_code"),
    ],
    "certificate_returns": [
        (",2025-10-01", "certificate_id", "missing_value"),
        (f"{number(8)},2025-10-01", "certificate_id", "bad_format"),
        ("00000000800-1,2025-10-01", "certificate_id", "bad_code"),
        (f"{number(9)}-1,", "received_on", "missing_value"),
    ],
    "decisions": [
        ("01180017,,1,00,2025-10-01,release,本部", "symbol", "missing_value"),
        (f"{MEMBER},2025-10-01,forget,本部", "decision", "bad_code"),
        (f"{MEMBER},2025-10-01,release,　", "by", "missing_value"),
        (",,,,2025-10-01,resume,本部", "insurer_number", "missing_value"),
    ],
    "usage_counts": [
        ("2025-3,18,1,2", "month", "bad_format"),
        ("2025-13,18,1,2", "month", "bad_date"),
        ("2025-04,48,1,2", "prefecture_code", "bad_code"),
        ("2025-04,1,1,2", "prefecture_code", "bad_format"),
        ("2025-04,19,-1,2", "uses", "bad_format"),
        ("2025-04,20,3,2", "verifications", "inconsistent"),
        ("2025-04,21,3,", "verifications", "missing_value"),
    ],
    "acknowledgements": [
        (f",{LOT},accepted,,4,5,2025-05-16", "file_name", "missing_value"),
        (f"a.csv,{LOT},maybe,,4,5,2025-05-16", "result", "bad_code"),
        (f"b.csv,{LOT},rejected,,4,5,2025-05-16", "reason_code", "missing_value"),
        (f"c.csv,{LOT},accepted,,four,5,2025-05-16", "envelope_count", "bad_format"),
        (f"d.csv,{LOT},accepted,,4,5,2025/05/16", "acknowledged_on", "bad_date"),
    ],
    "piece_reports": [
        (f",{number(8)},posted,2025-10-03,50012345682,", "lot_id", "missing_value"),
        (f"{LOT},123,posted,2025-10-03,50012345682,", "envelope_id", "bad_format"),
        (f"{LOT},00000000800,posted,2025-10-03,50012345682,", "envelope_id", "bad_code"),
        (f"{LOT},{number(9)},lost,2025-10-03,,", "event_type", "bad_code"),
        (f"{LOT},{number(10)},posted,2025-10-03,,", "tracking_number", "missing_value"),
        (f"{LOT},{number(12)},spoiled,2025-10-03,,{number(12)}", "replacement_id", "inconsistent"),
        (f"{LOT},{number(13)},spoiled,2025-10-03,,00000000800", "replacement_id", "bad_code"),
    ],
    "return_reports": [
        (f"{number(8)},50012345671,2025-10-10,R07", "reason_code", "bad_code"),
        (f"{number(9)},50012345671,2025-10-10,", "reason_code", "missing_value"),
        (f"{number(10)},5001,2025-10-10,R01", "tracking_number", "bad_format"),
        (f"{number(11)},,2025-10-31,R01", "returned_on", "bad_date"),
    ],
}


@pytest.mark.parametrize("feed", list(FEEDS))
def test_a_row_that_breaks_a_rule_is_kept_aside_and_the_rest_goes_on(
    tmp_path: Path, store: FactStore, feed: str
) -> None:
    bad = BAD_ROWS[feed]
    path = deliver(tmp_path / "in", feed, [GOOD[feed], *(line for line, _, _ in bad)])
    fact = receive_feed(store, feed, path, DAY)
    assert rejects(fact) == [(n, column, code) for n, (_, column, code) in enumerate(bad, 2)]
    assert fact.meta["rows"]["rows"] == 1
    assert sum(fact.meta["totals"]["rejects"].values()) == len(bad)


def test_a_return_with_an_unknown_reason_says_which_piece_it_was(tmp_path: Path, store: FactStore) -> None:
    path = deliver(tmp_path / "in", "return_reports", [f"{number(8)},50012345671,2025-10-10,R99"])
    fact = receive_feed(store, "return_reports", path, DAY)
    assert duckdb.sql(f"select row_key from '{fact.table('rejects')}'").fetchall() == [(number(8),)]


def test_the_printer_may_say_the_same_twice(tmp_path: Path, store: FactStore) -> None:
    path = deliver(tmp_path / "in", "piece_reports", [GOOD["piece_reports"], GOOD["piece_reports"]])
    assert rejects(receive_feed(store, "piece_reports", path, DAY)) == [(2, None, "duplicate_row")]


def test_two_answers_that_contradict_each_other_are_both_kept_aside(tmp_path: Path, store: FactStore) -> None:
    lines = [GOOD["piece_reports"], GOOD["piece_reports"].replace("2025-10-03,", "2025-10-04,")]
    fact = receive_feed(store, "piece_reports", deliver(tmp_path / "in", "piece_reports", lines), DAY)
    assert rejects(fact) == [(1, None, "conflicting_duplicate"), (2, None, "conflicting_duplicate")]


def test_a_decision_carries_the_packed_key_of_the_member_or_of_the_branch(tmp_path: Path, store: FactStore) -> None:
    lines = [GOOD["decisions"], "01180017,,,,2025-10-02,resume,支部長"]
    fact = receive_feed(store, "decisions", deliver(tmp_path / "in", "decisions", lines), DAY)
    sql = f"select member_key, decision, decided_by from '{fact.table('rows')}' order by row_number"
    assert duckdb.sql(sql).fetchall() == [
        (MEMBER_KEY, "release", "本部担当"),
        (18 * 110_000_000 * 10_000_000 * 100, "resume", "支部長"),
    ]


def test_what_a_person_accepts_or_closes_carries_its_reason_and_what_was_looked_at(
    tmp_path: Path, store: FactStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    header = f"{HEADERS['decisions']},reason_code,drop_as_of,found_share"
    monkeypatch.setitem(HEADERS, "decisions", header)
    lines = [
        f"{MEMBER},2025-10-01,incident_closed,担当,recovered,,",
        ",,,,2025-10-01,accept_share,担当,core_system_confirmed,2025-04-30,0.6196",
        "01180017,,,,2025-10-01,accept_share,担当,branch_confirmed,2025-04-30,0.5100",
        f"{MEMBER},2025-10-02,incident_closed,担当,declined,,",
        f"{MEMBER},2025-10-03,incident_closed,担当,,,",
        "01180017,,,,2025-10-04,accept_share,担当,branch_confirmed,2025-04-30,51%",
        "01180017,,,,2025-10-05,accept_share,担当,branch_confirmed,,0.5100",
        f"{MEMBER},2025-10-06,release,担当,,2025-04-30,",
    ]
    fact = receive_feed(store, "decisions", deliver(tmp_path / "in", "decisions", lines), DAY)
    sql = f"select member_key, reason_code, drop_as_of, accepted_share from '{fact.table('rows')}' order by row_number"
    assert duckdb.sql(sql).fetchall() == [
        (MEMBER_KEY, "recovered", None, None),
        (0, "core_system_confirmed", date(2025, 4, 30), 0.6196),
        (18 * 110_000_000 * 10_000_000 * 100, "branch_confirmed", date(2025, 4, 30), 0.51),
    ]
    assert rejects(fact) == [
        (4, "reason_code", "inconsistent"),
        (5, "reason_code", "missing_value"),
        (6, "found_share", "bad_format"),
        (7, "drop_as_of", "missing_value"),
        (8, "drop_as_of", "inconsistent"),
    ]


def test_the_reply_envelopes_day_is_the_day_of_return(tmp_path: Path, store: FactStore) -> None:
    path = deliver(tmp_path / "in", "certificate_returns", [GOOD["certificate_returns"]])
    fact = receive_feed(store, "certificate_returns", path, DAY)
    sql = f"select returned_on, received_on from '{fact.table('rows')}'"
    assert duckdb.sql(sql).fetchall() == [(date(2025, 10, 1), DAY)]


def test_the_same_file_again_changes_nothing(tmp_path: Path, store: FactStore) -> None:
    path = deliver(tmp_path / "in", "return_reports", [GOOD["return_reports"]])
    first = receive_feed(store, "return_reports", path, DAY)
    assert receive_feed(store, "return_reports", path, date(2025, 11, 1)) == first
    assert len(store.all("feeds/return_reports")) == 1
    assert first.name == first.meta["source_sha256"][:16]
    assert first.meta["source"] == path.name


def test_the_same_name_with_other_content_is_a_conflict(tmp_path: Path, store: FactStore) -> None:
    first = receive_feed(
        store, "return_reports", deliver(tmp_path / "in", "return_reports", [GOOD["return_reports"]]), DAY
    )
    other = deliver(tmp_path / "in", "return_reports", [])
    with pytest.raises(FeedConflictError, match="under a new name"):
        stage_feed(store, "return_reports", other, tmp_path / "work", received_on=DAY)
    assert store.all("feeds/return_reports") == [first]


def test_two_files_of_one_name_staged_together_do_not_both_land(tmp_path: Path, store: FactStore) -> None:
    staged = []
    for n, lines in enumerate([[], [GOOD["return_reports"]]]):
        path = deliver(tmp_path / f"in{n}", "return_reports", lines)
        staged.append(stage_feed(store, "return_reports", path, tmp_path / f"work{n}", received_on=DAY))
    land_feed(store, staged[0], DAY)
    with pytest.raises(FeedConflictError):
        land_feed(store, staged[1], DAY)


def test_what_was_staged_is_read_back_by_the_next_task(tmp_path: Path, store: FactStore) -> None:
    path = deliver(tmp_path / "in", "decisions", [GOOD["decisions"]])
    staged = stage_feed(store, "decisions", path, tmp_path / "work", received_on=DAY)
    assert store.all("feeds/decisions") == []  # staging makes no fact
    assert StagedFeed.read(tmp_path / "work") == staged
    assert (staged.declared_rows, staged.accepted, staged.rejected) == (1, 1, 0)
    with pytest.raises(FeedError, match="stages it again"):
        StagedFeed.read(tmp_path)


@pytest.mark.parametrize("spoiled", [GOOD["decisions"].replace("release,", ""), GOOD["decisions"] + ","])
def test_a_row_of_another_field_count_is_kept_aside(tmp_path: Path, store: FactStore, spoiled: str) -> None:
    fact = receive_feed(store, "decisions", deliver(tmp_path / "in", "decisions", [GOOD["decisions"], spoiled]), DAY)
    assert rejects(fact) == [(2, None, "bad_format")]
    assert fact.meta["rows"] == {"rows": 1, "rejects": 1}


def bad_files(folder: Path) -> dict[str, tuple[Path, Reason]]:
    feed, line = "decisions", GOOD["decisions"]
    found = {
        "hash": (deliver(folder, feed, [line], "hash.csv", sha256="0" * 64), Reason.WRONG_HASH),
        "rows": (deliver(folder, feed, [line], "rows.csv", rows=2), Reason.WRONG_ROW_COUNT),
        "promise": (deliver(folder, feed, [line], "promise.csv", rows="1"), Reason.BAD_MANIFEST),
        "number": (deliver(folder, feed, [line + MY_NUMBER], "number.csv"), Reason.MY_NUMBER),
        "gone": (deliver(folder, feed, [line], "gone.csv"), Reason.MISSING_FILE),
        "manifest": (deliver(folder, feed, [line], "manifest.csv"), Reason.MISSING_FILE),
    }
    (folder / "gone.csv").unlink()
    (folder / "manifest.csv.manifest.json").unlink()
    for name, reason, content in (
        ("cp932", Reason.NOT_UTF8, f"{HEADERS[feed]}\n{line}\n".encode("cp932")),
        ("column", Reason.MISSING_COLUMN, f"{HEADERS[feed].removesuffix(',by')}\n".encode()),
    ):
        path = folder / f"{name}.csv"
        path.write_bytes(content)
        promise = {"rows": 1, "sha256": hashlib.sha256(content).hexdigest()}
        (folder / f"{name}.csv.manifest.json").write_text(json.dumps(promise), encoding="utf-8")
        found[name] = (path, reason)
    return found


@pytest.mark.parametrize("case", ["hash", "rows", "promise", "number", "gone", "manifest", "cp932", "column"])
def test_a_bad_file_ends_in_one_message_and_no_fact(tmp_path: Path, store: FactStore, case: str) -> None:
    path, reason = bad_files(tmp_path / "in")[case]
    with pytest.raises(FeedError) as refusal:
        receive_feed(store, "decisions", path, DAY)
    message = str(refusal.value)
    assert refusal.value.reason is reason
    assert message.startswith(path.name)
    assert "What to do: " in message
    assert "本部担当" not in message
    assert MY_NUMBER not in message
    assert refusal.value.__context__ is None
    assert store.all("feeds/decisions") == []
    assert list(store.data_tmp().iterdir()) == []


def test_why_somebody_is_taken_out_may_come_in_a_column_more(tmp_path: Path, store: FactStore) -> None:
    rows = [
        f"{MEMBER},2025-10-01,exclude,本部担当,declined",
        "01180017,1234567,2,00,2025-10-01,exclude,本部担当,",
        "01180017,1234567,3,00,2025-10-01,exclude,本部担当,luck",
        "01180017,1234567,4,00,2025-10-01,release,本部担当,declined",
    ]
    path = tmp_path / "decisions_20251020.csv"
    path.write_text("\r\n".join([HEADERS["decisions"] + ",reason_code", *rows, ""]), encoding="utf-8")
    promise = {"rows": len(rows), "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    path.with_name(path.name + ".manifest.json").write_text(json.dumps(promise), encoding="utf-8")
    fact = receive_feed(store, "decisions", path, DAY)
    assert duckdb.sql(f"select reason_code from '{fact.table('rows')}' order by row_number").fetchall() == [
        ("declined",),
        (None,),
    ]
    assert rejects(fact) == [(3, "reason_code", "bad_code"), (4, "reason_code", "inconsistent")]


def test_a_zero_row_file_of_older_columns_is_written_again(store: FactStore) -> None:
    empty = store.root / "feeds" / "decisions" / "_empty" / "rows.parquet"
    older = pq.read_table(empty).drop_columns(["reason_code"])
    pq.write_table(older, empty)
    store.initialise()
    assert pq.read_schema(empty).names == list(FEEDS["decisions"]["rows"])
