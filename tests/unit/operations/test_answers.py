"""Files of the core system's feeds: one bad file stops no other, and none is overlooked (contracts: other feeds)."""

from __future__ import annotations

import hashlib
import json
import threading
from datetime import date, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from kakuninsho.operations import answers
from kakuninsho.settings import Settings

DAY = date(2025, 6, 18)
HEADER = "request_id,insurer_number,symbol,number,suffix,requested_on,kind"
GOOD = "{},01180017,1234567,1,00,2025-06-01,{}"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "feeds").mkdir()
    return Settings(
        tmp_path / "data",
        tmp_path / "register",
        tmp_path / "feeds",
        tmp_path / "keys",
        "fy2025",
    )


def deliver(settings: Settings, name: str, *lines: str, encoding: str = "utf-8", manifest: bool = True) -> None:
    path = settings.feeds / name
    path.write_bytes("\n".join([HEADER, *lines, ""]).encode(encoding))
    promise = {"rows": len(lines), "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    if manifest:
        path.with_name(f"{name}.manifest.json").write_text(json.dumps(promise), encoding="utf-8")


def take_in(settings: Settings, day: date = DAY, run: str = "") -> list[str]:
    files = answers.find_core_feeds(settings)
    answers.judge_and_stage(settings, files, settings.feeds, day, run)
    return answers.land(settings, files, day, run)


def refusals(settings: Settings) -> list[tuple[str, str]]:
    rows = [pq.read_table(fact.table("refusals")).to_pylist()[0] for fact in settings.store.all("refusals")]
    return sorted((row["file_name"], row["reason"]) for row in rows)


def test_one_bad_file_is_set_aside_and_the_others_are_taken_in(settings: Settings) -> None:
    deliver(settings, "issue_requests_1.csv", GOOD.format("R6", "card_returned"))
    deliver(settings, "issue_requests_2.csv", GOOD.format("R\u5c71", "care_needed"), encoding="cp932")
    deliver(settings, "issue_requests_3.csv", *(GOOD.format(f"B{n}", "moved") for n in range(6)))
    assert len(take_in(settings)) == 1
    told = refusals(settings)
    assert [name for name, _ in told] == ["issue_requests_2.csv", "issue_requests_3.csv"]
    assert "not UTF-8" in told[0][1]
    answers.check_refusals(settings, DAY)  # the printer is not to blame


def test_a_file_whose_few_rows_are_all_rejected_does_not_stop_its_run(settings: Settings) -> None:
    deliver(settings, "issue_requests_1.csv", GOOD.format("R1", "moved"))
    assert len(take_in(settings)) == 1
    assert refusals(settings) == []


@pytest.mark.parametrize("kind", ["card_lost_or_renewing", "card_returned"])
def test_new_kinds_of_requests_are_accepted(settings: Settings, kind: str) -> None:
    deliver(settings, "issue_requests_1.CSV", GOOD.format("R1", kind))
    take_in(settings)
    (fact,) = settings.store.all("feeds/issue_requests")
    assert fact.meta["rows"] == {"rows": 1, "rejects": 0}


def test_names_that_no_feed_takes_and_manifests_that_never_come_are_told_after_a_day(settings: Settings) -> None:
    deliver(settings, "issue_requests_1.csv", GOOD.format("R1", "care_needed"))
    names = ["ISSUE_REQUESTS_2.CSV", "requests_3.csv", "issue_requests_4.csv.txt"]
    for name in names:
        deliver(settings, name, GOOD.format("R2", "care_needed"))
    deliver(settings, "issue_requests_5.csv", GOOD.format("R5", "care_needed"), manifest=False)
    assert answers.watch_inbox(settings, DAY) == []
    assert answers.watch_inbox(settings, DAY + timedelta(days=1), dry_run=True)
    assert refusals(settings) == []
    late = sorted([*names, "issue_requests_5.csv"])
    assert sorted(answers.watch_inbox(settings, DAY + timedelta(days=1))) == late
    answers.watch_inbox(settings, DAY + timedelta(days=30))
    told = refusals(settings)
    assert [name for name, _ in told] == late
    assert all("files in the inbox that no feed takes" in reason and "since 2025-06-18" in reason for _, reason in told)


def test_two_runs_that_take_files_in_together_do_not_disturb_each_other(settings: Settings) -> None:
    deliver(settings, "issue_requests_1.csv", GOOD.format("R1", "care_needed"))
    settings.store.initialise()
    files = answers.find_core_feeds(settings)
    for run in ("one", "two"):
        answers.judge_and_stage(settings, files, settings.feeds, DAY, run)
    failed: list[BaseException] = []

    def land(run: str) -> None:
        try:
            answers.land(settings, files, DAY, run)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=land, args=(run,)) for run in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert len(settings.store.all("feeds/issue_requests")) == 1
