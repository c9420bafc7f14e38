"""Setting one installation up: folders, keys, Airflow's own database, the sandbox as a process of its own."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path

from kakuninsho.paths import DAGS
from kakuninsho.printer.sealing import generate_keys
from kakuninsho.sandbox import control
from kakuninsho.settings import Settings


class InstallationError(RuntimeError):
    """The installation cannot be set up or used as it is. Says what to do."""


@dataclass(frozen=True)
class Sandbox:
    """A running stand-in for printer, post office and core system."""

    root: Path
    port: int
    seed: int


def airflow_environment(settings: Settings, *, port: int) -> dict[str, str]:
    """Variables for Airflow: its home below the data folder, our DAGs, and the printer's connection."""
    connection = {
        "conn_type": "generic",
        "host": "127.0.0.1",
        "port": port,
        "login": "insurer",
        "extra": {
            "client_key": str(settings.keys / "insurer_ssh"),
            "host_key": host_key(settings),
        },
    }
    return {
        **settings.environment(),
        "AIRFLOW_HOME": str(settings.data / "airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DEFAULT_TIMEZONE": "Asia/Tokyo",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "INFO",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        "AIRFLOW_CONN_PRINTER_SFTP": json.dumps(connection),
        "DO_NOT_TRACK": "1",
    }


def host_key(settings: Settings) -> str:
    """The printer's pinned host key, as it was handed over when the keys were set up."""
    return (settings.keys / "printer_host_key.pub").read_text(encoding="utf-8").strip()


def prepare(settings: Settings, outside: Path) -> None:
    """Make folders and keys where they are missing, and exchange public keys with the sandbox. Keys are kept."""
    settings.store.initialise()
    settings.keys.mkdir(parents=True, exist_ok=True, mode=0o700)
    _sandbox("init", "--root", str(outside))
    generate_keys(settings.keys)
    exchange = {
        settings.keys / "insurer.pgp.asc": outside / "keys" / "insurer.pgp.asc",
        settings.keys / "insurer_ssh.pub": outside / "keys" / "insurer_ssh.pub",
        outside / "keys" / "printer.pgp.asc": settings.keys / "printer.pgp.asc",
        outside / "keys" / "host_key.pub": settings.keys / "printer_host_key.pub",
    }
    for source, target in exchange.items():
        shutil.copyfile(source, target)


@dataclass(frozen=True)
class Beginning:
    """What the season of a data folder was begun with: a synthetic register of so many members, or a given one."""

    members: int | None
    seed: int
    register: str | None

    @classmethod
    def of(cls, members: int, seed: int, register: Path | None) -> Beginning:
        """What a command asks for; the number of members says nothing about a given register."""
        return cls(None, seed, str(register)) if register else cls(members, seed, None)


def begin(data: Path, wanted: Beginning) -> Beginning:
    """Mark a new data folder with what its season is begun with; returns the mark, which in an old one may differ."""
    mark = data / "season.json"
    if mark.exists():
        return Beginning(**json.loads(mark.read_text(encoding="utf-8")))
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    mark.write_text(json.dumps(asdict(wanted)) + "\n", encoding="utf-8")
    return wanted


def make_register(
    settings: Settings, core: Path, members: int, seed: int, progress: Callable[[str, float], None]
) -> None:
    """Make the synthetic register once and put it backstage: the core system delivers each drop on its day.

    `progress` is told what is being made and which share of all is done.

    Raises:
        InstallationError: no register of that size can be made.
    """
    from kakuninsho.register.synthetic import generate
    from kakuninsho.register.synthetic.errors import SyntheticRegisterError

    drops = core / "synthetic"
    if not (drops / "expected_dispositions.parquet").exists():
        try:
            generate(members, seed, drops, settings.campaign, progress=progress)
        except SyntheticRegisterError as error:
            raise InstallationError(f"{error}; begin again with an empty data folder") from error
    backstage = core / "backstage"
    backstage.mkdir(parents=True, exist_ok=True)
    for drop in sorted(drops.glob("as_of=*")):
        drop.rename(backstage / drop.name)
    (backstage / "feeds").mkdir(exist_ok=True)
    for folder in sorted(drops.glob("feeds/*")):
        folder.rename(backstage / "feeds" / folder.name)
    given_back = drops / "certificates_given_back.csv"
    if given_back.exists():
        given_back.rename(backstage / given_back.name)


def free_port() -> int:
    """A port of the loopback address that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start_sandbox(outside: Path, *, port: int, seed: int, arguments: tuple[str, ...] = ()) -> subprocess.Popen[bytes]:
    """Start the sandbox as a process of its own. It gets its root, a port and a seed, nothing else."""
    environment = {key: os.environ[key] for key in ("PATH", "LANG", "HOME") if key in os.environ}
    with (outside / "sandbox.log").open("ab") as log:
        return subprocess.Popen(  # noqa: S603 (our own interpreter and module)
            [sys.executable, "-m", "kakuninsho.sandbox", "serve", "--root", str(outside), "--port", str(port),
             "--seed", str(seed), *arguments],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, start_new_session=True,
        )  # fmt: skip


@contextmanager
def running_sandbox(outside: Path, *, seed: int, arguments: tuple[str, ...] = ()) -> Iterator[Sandbox]:
    """A sandbox on a free port, stopped at the end."""
    port = free_port()
    process = start_sandbox(outside, port=port, seed=seed, arguments=arguments)
    try:
        control.wait_until_ready(outside)
        yield Sandbox(outside, port, seed)
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(timeout=timedelta(seconds=20).total_seconds())
            except subprocess.TimeoutExpired:
                process.kill()


def _sandbox(*arguments: str) -> None:
    command = [sys.executable, "-m", "kakuninsho.sandbox", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 (our own interpreter)
    if done.returncode:
        raise InstallationError(f"the sandbox could not be set up: {done.stderr.strip().splitlines()[-1:]}")
