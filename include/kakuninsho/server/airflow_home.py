"""Airflow's own folder of an installation: its settings as variables, its secrets, its database."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from kakuninsho.paths import PLUGINS
from kakuninsho.replay.installation import InstallationError, airflow_environment
from kakuninsho.server import outside
from kakuninsho.server.airflow_secrets import new_secrets
from kakuninsho.server.people import write_private
from kakuninsho.settings import Settings

AIRFLOW = (sys.executable, "-m", "airflow")
SQLITE_ARGUMENTS = "kakuninsho.server.sqlite.CONNECT_ARGUMENTS"
HOST = "127.0.0.1"  # plain HTTP: for one machine
AUTH_MANAGER = "kakuninsho.server.access.NamedPeopleAuthManager"


def home(settings: Settings) -> Path:
    """AIRFLOW_HOME of an installation."""
    return settings.data / "airflow"


def passwords_file(settings: Settings) -> Path:
    """Users and passwords of the page, readable by the owner only."""
    return home(settings) / "passwords.json"


def ensure_secrets(settings: Settings) -> dict[str, str]:
    """The installation's secrets, made the first time and kept below Airflow's folder."""
    file = home(settings) / "secrets.json"
    if not file.exists():
        write_private(file, json.dumps(new_secrets()) + "\n")
    return dict(json.loads(file.read_text(encoding="utf-8")))


def server_environment(settings: Settings, *, port: int, sandbox_port: int) -> dict[str, str]:
    """All variables of the server's processes. People answer approvals; passwords are not among the variables."""
    title = settings.campaign.title
    return {
        **os.environ,
        **airflow_environment(settings, port=sandbox_port),
        **ensure_secrets(settings),
        outside.VARIABLE: str(settings.data / "outside"),
        "AIRFLOW__CORE__AUTH_MANAGER": AUTH_MANAGER,
        # Tasks talk to the page's process; without this they try port 8080 whatever the page's port is.
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://{HOST}:{port}/execution/",
        "AIRFLOW__API__BASE_URL": f"http://localhost:{port}",
        "AIRFLOW__API__HOST": HOST,
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API__INSTANCE_NAME": title,
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(PLUGINS),  # the campaign page
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": "4",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "1",
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "60",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONNECT_ARGS": SQLITE_ARGUMENTS,
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONNECT_ARGS_ASYNC": SQLITE_ARGUMENTS,
        # A task's process ends up to this many seconds after its task; an answer to an approval within them is lost
        # and asked for again.
        "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "2",
        "PYTHONUNBUFFERED": "1",
    }


def prepare_database(environment: Mapping[str, str], log: Path) -> None:
    """Bring Airflow's own database up to date and make pool, roles and people.

    Raises:
        InstallationError: Airflow refuses; the log says why.
    """
    log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with log.open("ab") as out:
        done = subprocess.run(
            [sys.executable, "-m", "kakuninsho.server.initialise"],
            env=dict(environment), stdin=subprocess.DEVNULL, stdout=out, stderr=out, check=False,
        )  # fmt: skip
    if done.returncode:
        raise InstallationError(f"Airflow's database could not be prepared (code {done.returncode}): see {log}")
