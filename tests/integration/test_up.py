"""The server as people use it: `kakuninsho up`, the REST API in the place of the page, `kakuninsho down`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise
from typing import Any

import pytest

from kakuninsho.facts.store import FactStore
from kakuninsho.plans.approvals import approvals_of
from kakuninsho.sandbox import control
from kakuninsho.server.page import Page, PageError
from server_kit import MEMBERS, REJECT, Run, Server, kakuninsho, processes_of, running_server, until

pytestmark = pytest.mark.slow

PLAN = "home-2025-04-30"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with pytest.MonkeyPatch.context() as patch:
        # Between tries: the printer that one test stops has to be back before the last of them.
        patch.setenv("KAKUNINSHO_RETRY_MINUTES", "1")
        with running_server(tmp_path_factory.mktemp("up") / "data") as running:
            yield running


@pytest.fixture(scope="module")
def landed(server: Server) -> Run:
    run = server.trigger("extract_register", "2025-04-30")
    assert run.end() == "success"
    return run


@pytest.fixture(scope="module")
def handed_off(server: Server, landed: Run) -> Run:
    run = server.trigger("hand_off_to_printer", "2025-05-15")
    server.answer(run, "approve_first", "approver1")
    server.answer(run, "approve_second", "approver2")
    assert run.end() == "success"
    return run


def test_up_shows_the_page_and_each_person_with_a_password(server: Server) -> None:
    print(f"up took {server.seconds:.0f} s")
    for name, password in server.passwords.items():
        assert name in server.printed
        assert password in server.printed


def test_passwords_and_secrets_are_for_their_owner_only(server: Server) -> None:
    for name in ("passwords.json", "secrets.json"):
        assert (server.data / "airflow" / name).stat().st_mode & 0o777 == 0o600


def test_second_up_starts_nothing_and_shows_no_password(server: Server) -> None:
    before = {process.pid for process in processes_of(server.data)}
    done = kakuninsho(server.data, "up", "--members", str(MEMBERS))
    assert done.returncode == 0, done.stderr
    assert server.url.rsplit(":", 1)[1] in done.stdout
    assert not any(password in done.stdout for password in server.passwords.values())
    assert {process.pid for process in processes_of(server.data)} >= before


def test_no_run_of_a_day_that_has_passed_is_started_or_planned(server: Server) -> None:
    dags = server.as_person("operator").call("GET", "/api/v2/dags?limit=100")["dags"]
    assert len(dags) == 16
    assert not any(dag["is_paused"] for dag in dags)
    assert {dag["next_dagrun_run_after"] for dag in dags} == {None}
    runs = server.as_person("operator").call("GET", "/api/v2/dags/~/dagRuns?limit=100")["dag_runs"]
    assert not [run["dag_id"] for run in runs if run["run_type"] == "scheduled"]


def test_anonymous_and_wrong_password_are_refused(server: Server) -> None:
    with pytest.raises(PageError) as nobody:
        Page(server.url).call("GET", "/api/v2/dags")
    assert nobody.value.status == 401
    with pytest.raises(PageError) as stranger:
        Page(server.url).log_in("operator", "wrong")
    assert stranger.value.status == 401


def test_analyst_reads_and_starts_nothing(server: Server) -> None:
    page = server.as_person("analyst")
    assert len(page.dag_ids()) == 16
    with pytest.raises(PageError) as refused:
        page.call("POST", "/api/v2/dags/extract_register/dagRuns", {"logical_date": None})
    assert refused.value.status == 403


def test_register_lands_through_the_scheduler(server: Server, landed: Run) -> None:
    assert FactStore(server.data).find("register", "as_of=2025-04-30") is not None


def test_hand_off_sends_after_two_people_approved(server: Server, handed_off: Run) -> None:
    rows = approvals_of(FactStore(server.data), PLAN)
    assert [(row["decided_by"], row["decision"]) for row in rows] == [
        ("approver1", "approved"),
        ("approver2", "approved"),
    ]
    assert any(fact.name.endswith("--announced") for fact in FactStore(server.data).all("transfers"))


def test_answer_is_accepted_once_and_not_from_an_analyst(server: Server, handed_off: Run) -> None:
    path = f"{handed_off.path}/taskInstances/approve_first/-1/hitlDetails"
    for person, status in (("approver2", 409), ("analyst", 403)):
        with pytest.raises(PageError) as refused:
            server.as_person(person).call("PATCH", path, {"chosen_options": [REJECT]})
        assert refused.value.status == status


def test_rejected_plan_is_not_sent(server: Server, handed_off: Run) -> None:
    run = server.trigger("send_employer_lists", "2025-06-16")
    server.answer(run, "approve_first", "approver1")
    server.answer(run, "approve_second", "approver2", REJECT)
    until(lambda: run.state() in {"success", "failed"}, "end of the employer lists")
    assert run.tasks()["check_approvals"]["state"] == "failed"
    assert run.tasks()["send"]["state"] == "upstream_failed"
    decisions = [row["decision"] for row in approvals_of(FactStore(server.data), "employer-list-2025-06-16")]
    assert decisions == ["approved", "rejected"]


def test_task_is_tried_again_when_the_printer_was_away(server: Server, handed_off: Run) -> None:
    control.stop(server.data / "outside")
    run = server.trigger("take_in_printer_reports", "2025-05-19")
    until(lambda: run.tasks().get("fetch", {}).get("state") == "up_for_retry", "first try of fetch failed", 120)
    done = kakuninsho(server.data, "up")  # starts what is missing, nothing else
    assert done.returncode == 0, done.stderr
    assert run.end() == "success"
    assert run.tasks()["fetch"]["try_number"] >= 2


def test_warehouse_has_one_task_at_a_time_and_the_other_waits(server: Server, handed_off: Run) -> None:
    # Each landing starts a publication (asset), so hand-off and publication wanted the warehouse together.
    until(lambda: all(run.state() in {"success", "failed"} for run in server.runs("publish_for_analysts")), "publish")
    together = [server.trigger("publish_for_analysts", "2025-06-17"), server.trigger("close_season", "2025-05-16")]
    for run in together:
        until(lambda run=run: run.state() in {"success", "failed"}, run.dag_id)
    runs = [run for dag_id in server.as_person("operator").dag_ids() for run in server.runs(dag_id)]
    tasks = [task for run in runs for task in run.tasks().values()]
    used = sorted(
        (span(task) for task in tasks if task["pool"] == "warehouse" and task["end_date"]), key=lambda item: item[1]
    )
    assert len(used) > 3
    assert all(earlier[2] <= later[1] for earlier, later in pairwise(used))
    assert any(later[0] < earlier[2] for earlier, later in pairwise(used)), "nobody waited"


def test_down_leaves_no_process(server: Server) -> None:
    done = kakuninsho(server.data, "down")
    assert "scheduler" in done.stdout
    assert processes_of(server.data) == []
    again = kakuninsho(server.data, "down")
    assert again.returncode == 0


def span(task: dict[str, Any]) -> tuple[datetime, datetime, datetime]:
    """When a task was ready, began and ended."""
    ready, began, ended = (datetime.fromisoformat(task[key]) for key in ("scheduled_when", "start_date", "end_date"))
    return ready, began, ended
