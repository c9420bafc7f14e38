"""Attacks on the approvals of a running installation: each was seen to work before (docs/security.md).

The server is the one of `make up`, whose roles are those of docker-compose.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from kakuninsho.facts.store import FactStore
from kakuninsho.plans.approvals import approvals_of
from kakuninsho.server.page import PageError
from server_kit import APPROVE, MEMBERS, REJECT, Run, Server, kakuninsho, running_server, until

pytestmark = pytest.mark.slow

PLAN = "home-2025-04-30"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_server(tmp_path_factory.mktemp("attacks") / "data") as running:
        assert running.trigger("extract_register", "2025-04-30").end() == "success"
        yield running


def refused(server: Server, person: str, method: str, path: str, body: Any = None) -> int:
    """The status with which a request of a person is refused; fails where it is not."""
    with pytest.raises(PageError) as answer:
        server.as_person(person).call(method, path, body)
    return int(answer.value.status or 0)


def facts(server: Server, kind: str) -> list[str]:
    return [fact.name for fact in FactStore(server.data).all(kind)]


@pytest.fixture(scope="module")
def asked(server: Server) -> Run:
    """A hand-off whose first question is asked."""
    run = server.trigger("hand_off_to_printer", "2025-05-15")
    run.wait_for("approve_first", "awaiting_input")
    return run


def test_the_operator_cannot_write_results_or_settings(server: Server, asked: Run) -> None:
    xcoms = f"{asked.path}/taskInstances/approve_first/xcomEntries"
    forged = {"key": "return_value", "value": {"chosen_options": [APPROVE], "responded_by_user": {"id": "approver1"}}}
    assert refused(server, "operator", "POST", xcoms, forged) == 403
    assert refused(server, "operator", "GET", f"{asked.path}/taskInstances/write_files/xcomEntries/return_value") == 403
    for path in ("/api/v2/connections", "/api/v2/variables", "/api/v2/pools", "/api/v2/config"):
        assert refused(server, "operator", "GET", path) == 403
    pool = {"name": "warehouse", "slots": 9}
    assert refused(server, "operator", "PATCH", "/api/v2/pools/warehouse", pool) == 403


def test_only_assigned_people_can_answer(server: Server, asked: Run) -> None:
    question = f"{asked.path}/taskInstances/approve_first/-1/hitlDetails"
    detail = server.as_person("approver1").call("GET", question)
    assert [user["name"] for user in detail["assigned_users"]] == ["approver1", "approver2"]
    assert detail["options"] == [APPROVE, REJECT]
    for person in ("operator", "analyst"):
        assert refused(server, person, "PATCH", question, {"chosen_options": [APPROVE]}) == 403
    assert refused(server, "administrator", "PATCH", question, {"chosen_options": [APPROVE]}) == 403


def test_a_task_marked_success_sends_nothing_and_the_alert_names_the_user(server: Server, asked: Run) -> None:
    operator = server.as_person("operator")
    for task_id in ("approve_first", "approve_second"):
        operator.call("PATCH", f"{asked.path}/taskInstances/{task_id}", {"new_state": "success"})
    state = until(lambda: (found := asked.state()) in {"success", "failed"} and found, "end of the marked run")
    assert state == "failed"
    assert asked.tasks()["check_approvals"]["state"] == "failed"
    assert asked.tasks()["send"]["state"] == "upstream_failed"
    assert facts(server, "approvals") == []
    assert facts(server, "transfers") == []
    told = "".join(
        path.read_text(encoding="utf-8") for path in (server.data / "alerts").glob("failed-*check_approvals*.json")
    )
    assert "operator がタスクの状態を変えた" in told
    assert "承認されていません" in told


def test_send_marked_or_cleared_by_itself_sends_nothing(server: Server, asked: Run) -> None:
    operator = server.as_person("operator")
    operator.call("PATCH", f"{asked.path}/taskInstances/check_approvals", {"new_state": "success"})
    clear = {"dry_run": False, "task_ids": ["send"], "dag_run_id": asked.run_id, "only_failed": False}
    operator.call("POST", f"/api/v2/dags/{asked.dag_id}/clearTaskInstances", clear)
    until(lambda: asked.tasks()["send"]["state"] == "failed", "send is refused")
    assert facts(server, "transfers") == []


def test_a_cleared_approval_asks_again_and_the_same_person_is_refused_at_once(server: Server, asked: Run) -> None:
    operator = server.as_person("operator")
    clear = {
        "dry_run": False, "task_ids": ["approve_first"], "dag_run_id": asked.run_id, "only_failed": False,
        "include_downstream": True,
    }  # fmt: skip
    operator.call("POST", f"/api/v2/dags/{asked.dag_id}/clearTaskInstances", clear)
    server.answer(asked, "approve_first", "approver1", APPROVE)
    asked.wait_for("approve_second", "awaiting_input")
    question = f"{asked.path}/taskInstances/approve_second/-1/hitlDetails"
    assert refused(server, "approver1", "PATCH", question, {"chosen_options": [APPROVE]}) == 403
    assert asked.tasks()["approve_second"]["state"] == "awaiting_input"
    assert [row["decided_by"] for row in approvals_of(FactStore(server.data), PLAN)] == ["approver1"]


def test_a_landed_answer_is_found_again_and_asked_of_nobody(server: Server, asked: Run) -> None:
    """The run is started anew, as after a crash between the two answers: only the second question is asked."""
    second = server.trigger("hand_off_to_printer", "2025-05-15")
    operator = server.as_person("operator")
    operator.call("PATCH", asked.path, {"state": "failed"})
    second.wait_for("approve_second", "awaiting_input")
    assert second.tasks()["approve_first"]["state"] == "success"
    server.answer(second, "approve_second", "approver2", APPROVE)
    assert second.end() == "success"
    rows = approvals_of(FactStore(server.data), PLAN)
    assert sorted((row["decided_by"], row["decision"]) for row in rows) == [
        ("approver1", "approved"),
        ("approver2", "approved"),
    ]
    assert any(name.endswith("--announced") for name in facts(server, "transfers"))


def test_who_started_a_run_is_no_approver_of_it(server: Server) -> None:
    """An administrator gives an approver the operator's role too: the question is then for the other alone."""
    administrator = server.as_person("administrator")
    roles = {"roles": [{"name": "Approver"}, {"name": "Operator"}]}
    administrator.call("PATCH", "/auth/fab/v1/users/approver1?update_mask=roles", roles)
    page = server.as_person("approver1")
    body = {"logical_date": None, "conf": {"as_of": "2025-06-16"}}
    run_id = page.call("POST", "/api/v2/dags/send_employer_lists/dagRuns", body)["dag_run_id"]
    run = Run(server.as_person("operator"), "send_employer_lists", str(run_id))
    run.wait_for("approve_first", "awaiting_input")
    question = f"{run.path}/taskInstances/approve_first/-1/hitlDetails"
    assert [user["name"] for user in page.call("GET", question)["assigned_users"]] == ["approver2"]
    assert refused(server, "approver1", "PATCH", question, {"chosen_options": [APPROVE]}) == 403
    server.answer(run, "approve_first", "approver2", REJECT)
    assert run.end() == "failed in check_approvals"
    assert not [name for name in facts(server, "transfers") if "L-" in name]


def test_an_approver_rejects_by_decision_and_the_rejection_stands(server: Server) -> None:
    run = server.trigger("send_employer_lists", "2025-06-16")
    server.answer(run, "approve_first", "approver2")
    run.wait_for("approve_second", "awaiting_input")
    conf = {"subject": "employer-list-2025-06-16-2", "decision": "reject_plan", "as_of": "2025-06-16"}
    body = {"logical_date": None, "conf": conf}
    endings = {}
    for person in ("operator", "approver2"):
        started = server.as_person(person).call("POST", "/api/v2/dags/record_decision/dagRuns", body)["dag_run_id"]
        endings[person] = Run(server.as_person("operator"), "record_decision", str(started)).end()
    assert endings == {"operator": "failed in check", "approver2": "success"}
    server.answer(run, "approve_second", "approver1")
    assert run.end() == "failed in check_approvals"
    assert not [name for name in facts(server, "transfers") if "L-" in name]
    assert refused(server, "approver2", "POST", "/api/v2/dags/hand_off_to_printer/dagRuns", body) == 403


def test_a_replay_refuses_the_folder_in_which_people_answer(server: Server) -> None:
    done = kakuninsho(server.data, "season", "--members", str(MEMBERS), "--seed", "7")
    assert done.returncode == 1
    assert "people answer approvals" in done.stdout + done.stderr
