"""Bringing an installation up and down."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import date, timedelta
from pathlib import Path

from kakuninsho.paths import DAGS
from kakuninsho.replay.installation import (
    Beginning,
    InstallationError,
    begin,
    free_port,
    make_register,
    prepare,
    start_sandbox,
)
from kakuninsho.sandbox import control
from kakuninsho.server.airflow_home import AIRFLOW, HOST, home, passwords_file, prepare_database, server_environment
from kakuninsho.server.page import Page, PageError
from kakuninsho.server.people import ensure_passwords
from kakuninsho.server.processes import Process, stop
from kakuninsho.settings import Settings

READY_SECONDS = 180.0
# In the order in which they start: the scheduler last, when those that its tasks talk to are there.
COMPONENTS = {
    "api-server": ("api-server",),
    "dag-processor": ("dag-processor",),
    "triggerer": ("triggerer", "--skip-serve-logs"),  # logs are read from the folder, no ports of their own
    "scheduler": ("scheduler", "--skip-serve-logs"),
}
SANDBOX = "sandbox"
IMPORT_ERRORS = "/api/v2/importErrors"


@dataclass(frozen=True)
class Ports:
    """Where an installation listens on the loopback address. Kept, because running tasks know the sandbox's port."""

    page: int
    sandbox: int


@dataclass(frozen=True)
class Running:
    """An installation that is up."""

    url: str
    passwords: dict[str, str]
    is_new: bool  # passwords were made now, so they are shown, this once
    was_up: bool
    beginning: Beginning
    broken: list[str]  # DAG files that cannot be read
    first_days: tuple[date, date]  # of the extract and of the hand-off
    password_file: Path
    run_folder: Path


Tell = Callable[[str], None]


def settings_of(data: Path, register: str | None = None) -> Settings:
    """The installation of a data folder where people answer approvals."""
    outside = data / "outside"
    return replace(
        Settings.from_environment(),
        data=data,
        register=Path(register) if register else outside / "core" / "register",
        feeds=outside / "core" / "feeds",
        keys=data / "keys",
    )


def up(data: Path, wanted: Beginning, *, port: int, tell: Tell) -> Running:
    """Prepare a data folder where that is still to do, start what does not run, wait until all of it is healthy.

    A folder that holds a season already is served as it is, whatever `wanted` says.

    Args:
        data: the data folder, absolute.
        wanted: the register of a new folder.
        port: of the page; an installation that is up keeps the port that it has.
        tell: is told each step.

    Raises:
        InstallationError: the port is taken, or a process ends or is not healthy in time. Names its log.
    """
    beginning = begin(data, wanted)
    settings = settings_of(data, beginning.register)
    run = data / "run"
    alive = [process.name for process in _processes(run) if process.find()]
    was_up = len(alive) == len(COMPONENTS) + 1
    ports = _ports(run, port, keep=bool(alive))
    passwords, is_new = ensure_passwords(passwords_file(settings))
    if not was_up:
        if "api-server" not in alive:
            _refuse_taken(ports.page)
        _start(settings, beginning, ports, alive, tell)
    page = Page(f"http://{HOST}:{ports.page}")
    tell("待機 (waiting until healthy)")
    _wait_until_healthy(page, run)
    broken = _wait_for_dags(page.log_in("operator", passwords["operator"]))
    return Running(
        url=f"http://localhost:{ports.page}",
        passwords=passwords,
        is_new=is_new,
        was_up=was_up,
        beginning=beginning,
        broken=broken,
        first_days=(settings.campaign.parameters.snapshot_as_of, settings.campaign.parameters.hand_off_on),
        password_file=passwords_file(settings),
        run_folder=run,
    )


def down(data: Path) -> list[str]:
    """Stop the processes that `up` started on a data folder; returns the names of those that ran.

    The scheduler first: its tasks end while those that they talk to are still there.
    """
    *others, scheduler = _processes(data / "run")
    return [*stop([scheduler]), *stop(others)]


def _processes(run: Path) -> list[Process]:
    return [Process(name, run) for name in (SANDBOX, *COMPONENTS)]


def _ports(run: Path, wanted: int, *, keep: bool) -> Ports:
    file = run / "ports.json"
    known = Ports(**json.loads(file.read_text(encoding="utf-8"))) if file.exists() else None
    if known and keep:
        return known
    # A folder keeps its sandbox's port where it can: nothing else has to change then.
    sandbox = known.sandbox if known and _is_free(known.sandbox) else free_port()
    ports = Ports(wanted, sandbox)
    run.mkdir(parents=True, exist_ok=True, mode=0o700)
    file.write_text(json.dumps(asdict(ports)) + "\n", encoding="utf-8")
    return ports


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def _refuse_taken(port: int) -> None:
    if not _is_free(port):
        raise InstallationError(
            f"port {port} is taken by another program: stop that one, or choose another with --port"
        )


def _start(settings: Settings, beginning: Beginning, ports: Ports, alive: list[str], tell: Tell) -> None:
    outside = settings.data / "outside"
    run = settings.data / "run"
    if not alive:
        tell("データフォルダと鍵 (folders and keys)")
        prepare(settings, outside)
        if beginning.members is not None:
            tell(f"合成データ {beginning.members:,} 人 (synthetic register)")
            make_register(settings, outside / "core", beginning.members, beginning.seed, lambda _what, _share: None)
    environment = server_environment(settings, port=ports.page, sandbox_port=ports.sandbox)
    if not alive:
        tell("Airflow のデータベース (its own database)")
        home(settings).mkdir(parents=True, exist_ok=True, mode=0o700)
        prepare_database(environment, run / "prepare.log")
    if SANDBOX not in alive:
        tell("印刷会社・郵便・基幹システムの代役 (sandbox)")
        # It begins on the day before the first drop. Its days pass when a run of a later day is started in the page.
        eve = settings.campaign.parameters.snapshot_as_of - timedelta(days=1)
        process = start_sandbox(
            outside,
            port=ports.sandbox,
            seed=beginning.seed,
            arguments=("--clock", "control", "--start", eve.isoformat()),
        )
        Process(SANDBOX, run).adopt(process.pid)
        control.wait_until_ready(outside, seconds=READY_SECONDS)
    for name, arguments in COMPONENTS.items():
        if name not in alive:
            tell(f"Airflow {name}")
            Process(name, run).start([*AIRFLOW, *arguments], environment)


def _wait_until_healthy(page: Page, run: Path) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while True:
        for process in _processes(run):
            if process.find() is None:
                raise InstallationError(f"{process.name} has ended: see {process.log}\n{process.last_lines()}")
        try:
            health = page.health()
        except PageError:
            health = {"api-server": None}
        if all(status == "healthy" for status in health.values()):
            return
        if time.monotonic() > deadline:
            ill = ", ".join(name for name, status in health.items() if status != "healthy")
            raise InstallationError(f"not healthy after {READY_SECONDS:.0f} s: {ill}. See the logs in {run}")
        time.sleep(0.5)


def _wait_for_dags(page: Page) -> list[str]:
    """Wait until the DAG files have been read, so that the page is not empty when a person opens it.

    Returns the names of files that cannot be read.
    """
    expected = {file.stem for file in DAGS.glob("*.py")}
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        broken = {Path(str(error["filename"])).stem for error in page.call("GET", IMPORT_ERRORS)["import_errors"]}
        if expected <= {*page.dag_ids(), *broken}:
            return sorted(broken)
        time.sleep(0.5)
    raise InstallationError("the DAG files have not been read in time: see dag-processor.log")
