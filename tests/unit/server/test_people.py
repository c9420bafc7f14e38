"""People, passwords and secrets of an installation."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from kakuninsho.paths import PROJECT_ROOT
from kakuninsho.server.airflow_secrets import new_secrets
from kakuninsho.server.compose_env import main, render
from kakuninsho.server.people import PASSWORD_LENGTH, PEOPLE, ensure_passwords
from kakuninsho.server.roles import role_permissions

COMPOSE = PROJECT_ROOT / "docker-compose.yaml"


def test_passwords_are_made_once_and_differ(tmp_path: Path) -> None:
    made, is_new = ensure_passwords(tmp_path / "airflow" / "passwords.json")
    again, is_new_again = ensure_passwords(tmp_path / "airflow" / "passwords.json")
    assert (is_new, is_new_again) == (True, False)
    assert again == made
    assert len(set(made.values())) == len(PEOPLE)
    assert {len(password) for password in made.values()} == {PASSWORD_LENGTH}


def test_password_file_is_for_its_owner_only(tmp_path: Path) -> None:
    file = tmp_path / "passwords.json"
    ensure_passwords(file)
    assert file.stat().st_mode & 0o777 == 0o600


def test_person_who_is_new_gets_a_password_and_the_others_keep_theirs(tmp_path: Path) -> None:
    file = tmp_path / "passwords.json"
    file.write_text(json.dumps({"operator": "kept"}), encoding="utf-8")
    passwords, is_new = ensure_passwords(file)
    assert is_new
    assert passwords["operator"] == "kept"
    assert set(passwords) == {person.name for person in PEOPLE}


def test_only_approvers_answer_and_nobody_but_the_administrator_writes_results_or_settings() -> None:
    roles = role_permissions()
    assert set(roles) == {person.role for person in PEOPLE} - {"Admin"}
    answering = {role for role, allowed in roles.items() if ("can_edit", "HITL Detail") in allowed}
    assert answering == {"Approver"}
    withheld = {"XComs", "Connections", "Pools", "Variables", "Configurations", "Users", "Roles"}
    assert not [name for allowed in roles.values() for _, name in allowed if name in withheld]


def test_the_analyst_sees_no_log_no_question_and_starts_nothing() -> None:
    allowed = role_permissions()["Analyst"]
    assert not [name for _, name in allowed if name in {"Task Logs", "HITL Detail", "DAG Code"}]
    changes = {name for action, name in allowed if action in {"can_edit", "can_create", "can_delete"}}
    assert changes == {"My Profile", "My Password"}


def test_each_installation_has_its_own_secrets() -> None:
    first, second = new_secrets(), new_secrets()
    assert set(first) == set(second)
    assert not set(first.values()) & set(second.values())


def test_environment_file_has_every_variable_that_compose_insists_on(tmp_path: Path) -> None:
    text = COMPOSE.read_text(encoding="utf-8")
    wanted = {part.split(":?")[0] for part in text.split("${")[1:] if ":?" in part.split("}")[0]}
    assert wanted == {line.split("=")[0] for line in render().splitlines()}


def test_environment_file_needs_python_alone() -> None:
    # -I -S: nothing that is installed is found, as on a machine that has only Docker and Python.
    code = f"import sys; sys.path.insert(0, {str(PROJECT_ROOT / 'include')!r}); import kakuninsho.server.compose_env"
    subprocess.run([sys.executable, "-I", "-S", "-c", code], check=True)


def test_environment_file_is_private_and_never_overwritten(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    assert main(file) == 0
    first = file.read_text(encoding="utf-8")
    assert file.stat().st_mode & 0o777 == 0o600
    assert main(file) == 1
    assert file.read_text(encoding="utf-8") == first
