"""Alerts through Airflow, against a printer that refuses a lot and sends an answer without a signature."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

pytestmark = pytest.mark.slow

WORKER = Path(__file__).with_name("airflow_worker.py")
REJECTED = "fy2025-H-13-"


class Worker:
    """The other process."""

    def __init__(self, data: Path, members: int, *sandbox_arguments: str) -> None:
        command = [sys.executable, str(WORKER), str(data), str(members), *sandbox_arguments]
        self.data = data
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def tell(self, **told: Any) -> dict[str, Any]:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(json.dumps(told) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, "the worker ended"
        answered: dict[str, Any] = json.loads(line)
        return answered

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(60)

    def said(self) -> list[tuple[str, str, str, str]]:
        """File, change, code and subject of everything that was said, in order."""
        return [
            (path.name, item["change"], item["alert"]["alert_code"], item["alert"]["subject"])
            for path in sorted((self.data / "alerts").glob("*.json"))
            for item in json.loads(path.read_text(encoding="utf-8"))["announcements"]
        ]


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    # The stand-in's day is that of the last planned run, 05-20, when the lot sent again by hand is acknowledged.
    misbehaviours = ("reject_lot:count=1,lot=-H-13-", "unsigned_answer:lot=_ack_20250520")
    told = [part for name in misbehaviours for part in ("--misbehave", name)]
    running = Worker(tmp_path_factory.mktemp("alerts") / "data", 1000, *told)
    yield running
    running.close()


@pytest.fixture(scope="module")
def played(worker: Worker) -> dict[str, Any]:
    """What was said after each step."""
    steps: dict[str, Any] = {"first": (worker.tell(play_until="2025-05-23"), worker.said())}
    steps["published again"] = (worker.tell(run="publish_for_analysts", on="2025-05-23T21:00"), worker.said())
    steps["sent again"] = (worker.tell(run="hand_off_to_printer", on="2025-05-26T09:00"), worker.said())
    worker.tell(advance="2025-05-28")
    steps["taken in"] = (worker.tell(run="take_in_printer_reports", on="2025-05-28T06:00"), worker.said())
    steps["published"] = (worker.tell(run="publish_for_analysts", on="2025-05-28T20:00"), worker.said())
    steps["too early"] = (worker.tell(run="mail_wave", on="2025-05-29T09:00"), worker.said())
    return steps


def test_a_lot_that_the_printer_refused_is_said_once(played: dict[str, Any]) -> None:
    answered, said = played["first"]
    assert "error" not in answered
    assert [(change, code) for _, change, code, _ in said] == [("raised", "lot_rejected")]
    assert said[0][3].startswith(REJECTED)
    again, after = played["published again"]
    assert again["states"] == {"publish": "success", "announce_alerts": "success"}
    assert after == said


def test_an_answer_that_was_refused_makes_the_run_red_after_the_others_are_taken_in(
    played: dict[str, Any], worker: Worker
) -> None:
    answered, _ = played["taken in"]
    assert "ended as failed in check_refusals: 1 answers of the printer were not taken in" in answered["error"]
    assert "has no valid signature" in answered["error"]
    landed = [json.loads(path.read_text())["source"] for path in worker.data.glob("facts/feeds/*/*/fact.json")]
    assert not any("_ack_20250520" in name for name in landed)


def test_what_is_over_is_said_once_beside_what_is_new(played: dict[str, Any]) -> None:
    before, (_, after) = played["taken in"][1], played["published"]
    new = {(change, code) for name, change, code, _ in after if (name, change, code) not in {x[:3] for x in before}}
    assert {("cleared", "lot_rejected"), ("raised", "answer_refused")} <= new
    assert len([item for item in after if item[1:3] == ("cleared", "lot_rejected")]) == 1


def test_a_task_that_ends_red_is_said_by_its_callback(played: dict[str, Any]) -> None:
    _, said = played["taken in"]
    failed = [(code, subject) for _, change, code, subject in said if change == "failed"]
    assert failed == [("task_failed", "take_in_printer_reports.check_refusals")]
    answered, said = played["too early"]
    assert "2025-05 is no month of mailing" in answered["error"]
    assert "mail_wave.show_month" in {subject for _, change, _, subject in said if change == "failed"}


def test_the_log_has_each_saying_once_and_nobody_is_named(played: dict[str, Any], worker: Worker) -> None:
    log = (worker.data / "replay.log").read_text(encoding="utf-8")
    texts = [
        item["text"]
        for path in (worker.data / "alerts").glob("*.json")
        for item in json.loads(path.read_text(encoding="utf-8"))["announcements"]
    ]
    assert texts
    assert [log.count(text) for text in texts] == [1] * len(texts)
    register = worker.data / "facts" / "register" / "as_of=2025-04-30"
    names = {name for name in pq.read_table(register / "members.parquet").column("name").to_pylist() if len(name) > 4}
    written = "".join(path.read_text(encoding="utf-8") for path in (worker.data / "alerts").glob("*.json"))
    assert not [name for name in names if name in written]
