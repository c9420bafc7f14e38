"""A whole season through Airflow, on real files: everyone accounted for, nothing sent twice, and provable."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import published_kit
import pyarrow.parquet as pq
import pytest

from kakuninsho.page import figures, render

IDENTITIES = (
    "1_register",
    "2_people",
    "3_envelopes",
    "4_transfers",
    "5_pieces",
    "6_posted",
    "7_returned",
    "8_everyone",
)
KAKUNINSHO = Path(sys.executable).parent / "kakuninsho"


@pytest.fixture(scope="module")
def summary(season_2000: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((season_2000 / "summary.json").read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="module")
def marts(season_2000: Path) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(str(season_2000 / "published" / "analytics.duckdb"), read_only=True)
    connection.execute("use analytics.marts")
    return connection


def _one(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    row = connection.execute(query).fetchone()
    assert row is not None
    return int(row[0])


def test_the_ledger_closes_with_all_eight_identities(summary: dict[str, Any]) -> None:
    stages = {row["stage"]: row for row in summary["ledger"]}
    assert set(IDENTITIES) <= set(stages)
    assert [stage for stage, row in stages.items() if row["difference"] or not row["closes"]] == []
    assert summary["closes"] is True


def test_each_row_of_the_register_ends_in_one_line(summary: dict[str, Any]) -> None:
    register = summary["register"]
    ended = sum(sum(register[part].values()) for part in ("excluded", "held", "target"))
    assert register["rows"] == 2000 == register["rejected"] + ended


def test_everyone_is_in_one_line_and_the_last_line_is_listed_by_name(
    summary: dict[str, Any], marts: duckdb.DuckDBPyConnection
) -> None:
    everyone = summary["everyone"]
    stage = next(row for row in summary["ledger"] if row["stage"] == "8_everyone")
    without = sum(everyone["without"].values())
    assert stage["left"] == everyone["able"] + everyone["in_hand"] + everyone["on_the_way"] + without
    people = without - everyone["without"].get("row_rejected_without_key", 0)
    assert _one(marts, "select count(*) from fct_unserved_people") == people > 0
    assert None not in everyone["without"]
    on_no_list = """select count(*) from fct_unserved_people where reason_code <> 'returned'
        and (insurer_number, symbol, number, suffix)
            not in (select (insurer_number, symbol, number, suffix) from fct_work_list)"""
    assert _one(marts, on_no_list) == 0


def test_nothing_is_open_or_unanswered_at_the_end(marts: duckdb.DuckDBPyConnection) -> None:
    assert _one(marts, "select coalesce(sum(open_count), 0) from fct_ledger") == 0


def test_waves_add_up(summary: dict[str, Any]) -> None:
    waves = summary["waves"]
    assert list(waves) == ["2025-07", "2025-08", "2025-09", "2025-10"]
    for counts in waves.values():
        assert counts["planned"] == counts["pulled"] + counts["posted"]
        assert 0 <= counts["returned"] < counts["posted"]
    assert sum(counts["pulled"] for counts in waves.values()) > 0


def test_every_return_is_followed_up(summary: dict[str, Any]) -> None:
    returned = sum(counts["returned"] for counts in summary["waves"].values())
    assert sum(sum(outcomes.values()) for outcomes in summary["follow_ups"].values()) == returned > 0


def test_first_plan_has_an_envelope_for_every_four_targets(
    summary: dict[str, Any], marts: duckdb.DuckDBPyConnection
) -> None:
    needed = _one(
        marts,
        """select sum(ceil(targets / 4))::bigint from (
            select count(*) as targets from fct_member_dispositions where disposition = 'target'
            group by insurer_number, symbol, number)""",
    )
    assert summary["envelopes"] == needed


def test_nobody_holds_two_live_certificates(marts: duckdb.DuckDBPyConnection) -> None:
    doubles = """select count(*) from (select 1 from fct_certificates where is_live
        group by insurer_number, symbol, number, suffix having count(*) > 1)"""
    assert _one(marts, doubles) == 0


def test_live_certificates_are_in_live_envelopes(marts: duckdb.DuckDBPyConnection) -> None:
    lost = """select count(*) from fct_certificates as c left join fct_envelopes as e using (envelope_id)
        where c.is_live and e.status is distinct from 'live'"""
    assert _one(marts, lost) == 0


def test_what_the_printer_got_is_what_was_sealed(season_2000: Path) -> None:
    sent = sorted(path.name for path in (season_2000 / "outside" / "sftp" / "to_printer").glob("*.csv.pgp"))
    sealed = sorted(
        path.name.removesuffix("--sealed") + ".pgp"
        for path in (season_2000 / "facts" / "transfers").iterdir()
        if path.name.endswith("--sealed")
    )
    assert sent == sealed
    assert len(sent) == len(set(sent)) > 47


def test_no_name_or_address_in_logs_runs_xcom_or_reports(season_2000: Path) -> None:
    """Names of the register that are long enough to be theirs alone are looked for wherever text may leak."""
    register = season_2000 / "facts" / "register" / "as_of=2025-04-30"
    names = set(pq.read_table(register / "members.parquet").column("name").to_pylist())
    addresses = set(pq.read_table(register / "addresses.parquet").column("address").to_pylist())
    wanted = [text for text in names | addresses if len(text) >= 4][:4000]
    places = [season_2000 / "replay.log", season_2000 / "summary.json", season_2000 / "airflow" / "airflow.db"]
    places += (season_2000 / "runs").glob("*.json")
    places += (season_2000 / "published" / "validations").rglob("*.*")
    places += (season_2000 / "airflow" / "logs").rglob("*.log")
    places += (season_2000 / "facts").rglob("fact.json")
    pattern = re.compile(b"|".join(re.escape(text.encode()) for text in wanted))
    assert [str(path) for path in places if path.is_file() and pattern.search(path.read_bytes())] == []


def test_analysts_get_no_names(marts: duckdb.DuckDBPyConnection) -> None:
    columns = marts.execute(
        "select column_name from information_schema.columns where table_schema = 'marts'"
    ).fetchall()
    personal = {"name", "name_kana", "address", "building", "birth_date", "postal_code", "addressee_name"}
    assert personal.isdisjoint(name for (name,) in columns)


def test_no_name_or_address_is_anywhere_in_the_copy_for_analysts(season_2000: Path) -> None:
    assert published_kit.leaks(season_2000, published_kit.PersonalTexts(season_2000)) == []


def test_the_restricted_copy_has_whom_branches_write_to_and_no_protected_address(season_2000: Path) -> None:
    assert (season_2000 / "restricted").stat().st_mode & 0o777 == 0o700
    with duckdb.connect(str(season_2000 / "restricted" / "analytics.duckdb"), read_only=True) as connection:
        assert connection.execute("select distinct table_name from duckdb_tables()").fetchall() == [
            ("dim_waiting_people",)
        ]
        named, hidden, told = connection.execute(
            "select count(name), count(*) filter (where is_protected),"
            " count(address) filter (where is_protected) from marts.dim_waiting_people"
        ).fetchall()[0]
    assert named > 0
    assert hidden > 0
    assert told == 0


@pytest.mark.parametrize(("query", "reads_parquet"), published_kit.guide_queries())
def test_each_query_of_the_analysts_guide_runs(
    season_2000: Path, marts: duckdb.DuckDBPyConnection, query: str, reads_parquet: bool
) -> None:
    if reads_parquet:
        assert duckdb.sql(query.replace("'published/", f"'{season_2000}/published/")).fetchall()
    else:
        assert marts.execute(query).fetchall()


def test_the_campaign_page_shows_the_ledger_of_the_mart(season_2000: Path, marts: duckdb.DuckDBPyConnection) -> None:
    found = figures.read(season_2000)
    html = render.campaign_page(found, title="令和7年度", base="", runbooks={})
    for stage, left, right in marts.execute("select stage, left_side, right_side from fct_ledger").fetchall():
        row = re.search(f'<tr data-stage="{stage}">.*?</tr>', html, re.DOTALL)
        assert row is not None
        assert f'class="n left">{left:,}<' in row.group()
        assert f'class="n right">{right:,}<' in row.group()
    assert {step.state for step in found.steps if step.step_code != "served"} == {"done"}
    served = next(step for step in found.steps if step.step_code == "served")
    # Nobody waits for a lot any more: who was released after the last one is at the branch desk, by name of rule.
    assert served.total_count == served.done_count
    assert served.state == "done"
    at_desk = "stage = 'branch_desk' and reason_code = 'released_and_waiting'"
    assert _one(marts, f"select count(*) from fct_work_list where {at_desk}")


def test_everyone_of_the_register_is_in_the_flow_of_people(season_2000: Path, marts: duckdb.DuckDBPyConnection) -> None:
    count = {step.step_code: step.people_count for step in figures.read(season_2000).flow}
    taken_off = ("rejected", "card_usable", "otherwise_excluded", "held_at_snapshot")
    assert count["register"] - sum(count[code] for code in taken_off) == count["target"]
    assert count["target"] + count["addition"] == count["to_be_served"]
    today = [step for step in figures.read(season_2000).flow if step.step_kind == "today"]
    assert sum(step.people_count for step in today) == count["to_be_served"]
    assert _one(marts, "select left_side from fct_ledger where stage = '2_people'") == count["to_be_served"]


def _copy_facts(season: Path, target: Path) -> Path:
    """A season's facts under another folder, to be broken; files are linked, so breaking replaces, never edits."""
    shutil.copytree(season / "facts", target / "facts", copy_function=lambda a, b: Path(b).hardlink_to(a))
    shutil.copyfile(season / "season.json", target / "season.json")
    return target


def _without_row(path: Path, keep: str) -> None:
    """Write a Parquet file again without one row."""
    rest = path.with_suffix(".rest")
    with duckdb.connect() as connection:
        source = f"read_parquet('{path}', hive_partitioning = false)"
        before = _one(connection, f"select count(*) from {source}")
        connection.execute(f"copy (select * from {source} where {keep}) to '{rest}' (format parquet)")
        assert _one(connection, f"select count(*) from read_parquet('{rest}')") == before - 1
    rest.replace(path)


def _open_identities(data: Path) -> list[str]:
    command = [KAKUNINSHO, "ledger", "--rebuild", "--json", "--data", data]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout[-2000:] + done.stderr[-2000:]
    rows = json.loads(done.stdout.strip().splitlines()[-1])
    return [row["stage"] for row in rows if not row["closes"]]


def _first(path: Path, column: str, where: str = "true") -> Any:
    with duckdb.connect() as connection:
        source = f"read_parquet('{path}', hive_partitioning = false)"
        row = connection.execute(f"select {column} from {source} where {where} order by 1 limit 1").fetchone()
    assert row is not None
    return row[0]


def test_a_lost_register_row_opens_the_first_identity(season_2000: Path, tmp_path: Path) -> None:
    data = _copy_facts(season_2000, tmp_path)
    members = data / "facts" / "register" / "as_of=2025-04-30" / "members.parquet"
    _without_row(members, f"member_key <> {_first(members, 'member_key')}")
    assert _open_identities(data) == ["1_register"]


def test_a_lost_plan_row_opens_the_second_identity(season_2000: Path, tmp_path: Path) -> None:
    data = _copy_facts(season_2000, tmp_path)
    certificates = data / "facts" / "plans" / "home-2025-04-30" / "certificates.parquet"
    _without_row(certificates, f"certificate_id <> '{_first(certificates, 'certificate_id')}'")
    assert _open_identities(data) == ["2_people"]


def test_a_lost_report_line_opens_the_fifth_identity(season_2000: Path, tmp_path: Path) -> None:
    data = _copy_facts(season_2000, tmp_path)
    envelopes = data / "facts" / "plans" / "home-2025-04-30" / "envelopes.parquet"
    for report in sorted((data / "facts" / "feeds" / "piece_reports").glob("*/rows.parquet")):
        planned = f"event_type = 'posted' and envelope_id in (select envelope_id from read_parquet('{envelopes}'))"
        with duckdb.connect() as connection:
            found = _one(connection, f"select count(*) from read_parquet('{report}') where {planned}")
        if found:
            _without_row(report, f"envelope_id <> '{_first(report, 'envelope_id', planned)}'")
            break
    assert _open_identities(data) == ["5_pieces"]


@pytest.mark.slow
def test_a_second_run_changes_no_fact_and_sends_nothing(season_2000: Path) -> None:
    def state() -> dict[str, tuple[int, int]]:
        folders = (season_2000 / "facts", season_2000 / "outside" / "sftp" / "to_printer")
        files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
        return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in files}

    before = state()
    command = [KAKUNINSHO, "season", "--members", "2000", "--data", season_2000]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert state() == before
