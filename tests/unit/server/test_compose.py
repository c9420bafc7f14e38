"""docker-compose.yaml: no secret in it, nobody is root, everything is watched."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from kakuninsho.server.people import APPROVERS

PROJECT = Path(__file__).parents[3]
COMPOSE: dict[str, Any] = yaml.safe_load((PROJECT / "docker-compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
RUN_ONCE = {"airflow-init", "sandbox-init"}


def test_one_image_for_all_but_the_database() -> None:
    assert {service["image"] for name, service in SERVICES.items() if name != "postgres"} == {"kakuninsho:0.1.0"}


def test_approvers_are_those_of_every_other_installation() -> None:
    named = SERVICES["scheduler"]["environment"]["KAKUNINSHO_APPROVERS"]
    assert named == f"${{KAKUNINSHO_APPROVERS:-{','.join(APPROVERS)}}}"


def test_image_is_built_once_and_never_asked_of_a_registry() -> None:
    assert [name for name, service in SERVICES.items() if "build" in service] == ["airflow-init"]
    assert {service["pull_policy"] for name, service in SERVICES.items() if name != "postgres"} == {"never"}


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_service_runs_as_nobody_special(name: str) -> None:
    assert SERVICES[name]["user"] not in {"", "root", "0", "0:0"}
    assert "no-new-privileges:true" in SERVICES[name]["security_opt"]
    assert not SERVICES[name].get("privileged")


@pytest.mark.parametrize("name", sorted(set(SERVICES) - RUN_ONCE))
def test_service_is_watched_and_started_again(name: str) -> None:
    assert SERVICES[name]["healthcheck"]["test"]
    assert SERVICES[name]["restart"] == "unless-stopped"


def test_secrets_come_from_the_environment_only() -> None:
    for service in SERVICES.values():
        for key, value in service.get("environment", {}).items():
            if re.search(r"PASSWORD|SECRET|KEY$|SQL_ALCHEMY_CONN", key) and key != "KAKUNINSHO_KEYS":
                assert ":?" in value, key


def test_volumes_are_named_and_ports_are_local() -> None:
    for service in SERVICES.values():
        for volume in service.get("volumes", []):
            assert volume.split(":")[0] in COMPOSE["volumes"]
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:")


def test_sandbox_sees_its_own_folder_and_no_secret() -> None:
    sandbox = SERVICES["sandbox"]
    assert sandbox["profiles"] == ["sandbox"]
    assert sandbox["volumes"] == ["outside:/outside"]
    assert "environment" not in sandbox
    # Its days pass from the page, where the variable names its folder, and by nothing else.
    assert "--clock=control" in sandbox["command"]
    assert SERVICES["scheduler"]["environment"]["KAKUNINSHO_SANDBOX"] == "${KAKUNINSHO_SANDBOX:-}"


def test_image_installs_from_hash_pinned_locks_and_drops_root() -> None:
    lines = (PROJECT / "Dockerfile").read_text(encoding="utf-8")
    assert "pip install --require-hashes -r requirements-bootstrap.lock" in lines
    assert "uv pip install --system --require-hashes -r requirements.lock" in lines
    assert lines.rindex("USER kakuninsho") > lines.rindex("RUN ")


def test_core_system_can_be_mounted_where_compose_looks_for_it() -> None:
    # Below a read-only volume, no place to mount at can be made.
    core = str(Path(SERVICES["scheduler"]["environment"]["KAKUNINSHO_REGISTER"]).parent)
    folders = re.search(r"install -d .* -m 0700 (.*)", (PROJECT / "Dockerfile").read_text(encoding="utf-8"))
    assert "outside:/outside:ro" in SERVICES["scheduler"]["volumes"]
    assert folders is not None
    assert core in folders[1].split()
