"""The sandbox as its own process: SFTP, control channel, kill and restart, and needing nothing outside its root."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

import asyncssh
import pytest
from sandbox_kit import Insurer, Process, lot, lot_id, number, order, sha256

from kakuninsho.sandbox import control

POSTING = date(2025, 7, 7)
LATER = date(2025, 8, 31)


@pytest.fixture
def insurer(tmp_path: Path) -> Insurer:
    return Insurer(tmp_path)


def eventually(condition: Callable[[], bool], seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def release(posting: date, lots: dict[str, bytes]) -> tuple[str, bytes, dict[str, object]]:
    rows = [[identity, posting.isoformat(), sha256(clear)] for identity, clear in lots.items()]
    return order("release_order", posting, rows)


def test_a_lot_goes_from_upload_to_returns_over_sftp(insurer: Insurer) -> None:
    with Process(insurer) as outside:
        name, clear, members = lot(lot_id(), 1000, 400)
        outside.send(name, clear, members)
        eventually(lambda: name in insurer.acks())  # by itself, without a word on the control channel
        outside.send(*order("pull_list", POSTING, [[lot_id(), number(1010)]]))
        outside.send(*release(POSTING, {lot_id(): clear}))
        outside.advance(LATER)
        state = control.status(insurer.root.path)
    assert state["date"] == "2025-08-31"
    assert state["lots"] == {"posted": 1}
    events = {row["envelope_id"]: row["event_type"] for row in insurer.rows("piece")}
    assert events[number(1010)] == "pulled"
    assert len(events) == 402 + sum(event == "spoiled" for event in events.values())
    assert insurer.rows("return")


def test_the_insurer_can_write_to_one_folder_read_the_other_and_nothing_else(insurer: Insurer) -> None:
    async def try_everything(outside: Process) -> None:
        async with outside.connect() as connection, connection.start_sftp_client() as sftp:
            assert sorted(name for name in await sftp.listdir("/") if not name.startswith(".")) == [
                "from_printer",
                "to_printer",
            ]
            assert not await sftp.exists("/../keys/host_key")
            assert not await sftp.exists("/keys")
            for refused in (
                sftp.open("from_printer/x", "wb"),
                sftp.open("x", "wb"),
                sftp.mkdir("to_printer/x"),
                sftp.symlink("/etc/passwd", "to_printer/x"),
                sftp.rename("to_printer/x", "from_printer/x"),
            ):
                with pytest.raises(asyncssh.SFTPError):
                    await refused

    with Process(insurer) as outside:
        asyncio.run(try_everything(outside))


def test_a_stranger_is_not_let_in(insurer: Insurer) -> None:
    async def knock(outside: Process) -> None:
        async with outside.connect(key=asyncssh.generate_private_key("ssh-ed25519")):
            pass

    with Process(insurer) as outside, pytest.raises(asyncssh.PermissionDenied):
        asyncio.run(knock(outside))


def test_changed_host_key_is_seen_by_a_client_that_pins_it(insurer: Insurer) -> None:
    async def knock(outside: Process, host_key: str) -> None:
        async with outside.connect(host_key=host_key):
            pass

    with Process(insurer, "--misbehave", "changed_host_key") as outside:
        with pytest.raises(asyncssh.HostKeyNotVerifiable):
            asyncio.run(knock(outside, "host_key.pub"))
        asyncio.run(knock(outside, "changed_host_key.pub"))


def test_killed_at_any_moment_it_says_the_same_as_if_it_had_lived(tmp_path: Path) -> None:
    lived, died = Insurer(tmp_path / "lived"), Insurer(tmp_path / "died")
    files = [lot(lot_id(nth=nth), 10_000 * nth, 300) for nth in (1, 2, 3)]
    clear = {lot_id(nth=nth): files[nth - 1][1] for nth in (1, 2, 3)}
    for file in (*files, release(POSTING, clear)):
        lived.put(*file)
        died.put(*file)
    with Process(lived) as outside:
        outside.advance(LATER)
    for delay in (0.0, 0.2, 0.4, 0.7, 1.1):
        outside = Process(died)
        with subprocess.Popen(
            [sys.executable, "-m", "kakuninsho.sandbox", "advance", "--root", str(died.root.path), "--to", str(LATER)],
            stderr=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        ):
            time.sleep(0.3 + delay)
            outside.kill()
    with Process(died) as outside:
        outside.advance(LATER)
    assert died.facts() == lived.facts()


def test_it_waits_for_nobody_and_refuses_nonsense_on_the_control_channel(insurer: Insurer) -> None:
    with pytest.raises(control.ControlError, match="is `serve` running"):
        control.status(insurer.root.path)
    with Process(insurer) as outside:
        outside.advance(date(2025, 7, 3))
        with pytest.raises(control.ControlError, match="cannot go back"):
            outside.advance(date(2025, 7, 2))
        with pytest.raises(control.ControlError, match="unknown request"):
            control.ask(insurer.root.path, {"fly": {}})
        with pytest.raises(control.ControlError):
            control.ask(insurer.root.path, {"advance": {"to": "tomorrow"}})
        assert control.status(insurer.root.path)["date"] == "2025-07-03"


def test_the_control_channel_works_below_a_very_long_path(tmp_path: Path) -> None:
    insurer = Insurer(tmp_path / ("long" * 30))
    with Process(insurer) as outside:
        outside.advance(date(2025, 7, 2))


def test_the_wall_clock_gives_the_date(insurer: Insurer) -> None:
    with Process(insurer, "--clock", "wall"):
        eventually(lambda: control.status(insurer.root.path)["date"] > "2025-07-01", 60)


def test_a_missing_key_is_said_and_nothing_starts(tmp_path: Path) -> None:
    insurer = Insurer(tmp_path)
    (insurer.root.keys / "insurer.pgp.asc").unlink()
    done = subprocess.run(
        [sys.executable, "-m", "kakuninsho.sandbox", "serve", "--root", str(insurer.root.path), "--seed", "1"],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert done.returncode == 1
    assert "insurer.pgp.asc is missing" in done.stderr


def test_init_makes_keys_once_and_prints_the_public_ones(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "kakuninsho.sandbox", "init", "--root", str(tmp_path / "outside")]
    first = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    keys = {path.name: path.read_bytes() for path in (tmp_path / "outside" / "keys").iterdir()}
    subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    assert {path.name: path.read_bytes() for path in (tmp_path / "outside" / "keys").iterdir()} == keys
    assert [Path(line).name for line in first.stdout.split()] == ["printer.pgp.asc", "host_key.pub"]
    assert (tmp_path / "outside" / "keys" / "host_key").stat().st_mode & 0o077 == 0


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("setpriv"), reason="needs root and setpriv to give up rights")
def test_as_another_user_who_can_read_nothing_but_its_root_it_works(tmp_path: Path) -> None:
    """Runs as user 65534, who owns the root and nothing else, beside a data folder that it cannot open."""
    top = Path(os.environ.get("TMPDIR", "/tmp")) / f"sandbox-{os.getpid()}"
    top.mkdir(mode=0o755)
    try:
        foreign = top / "data"
        foreign.mkdir(mode=0o700)
        (foreign / "warehouse.duckdb").write_bytes(b"personal data")
        insurer = Insurer(top / "home")
        (top / "home").chmod(0o755)
        for path in (insurer.root.path, *insurer.root.path.rglob("*")):
            os.chown(path, 65534, 65534)
        command = ("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups")
        peek = subprocess.run([*command, "cat", str(foreign / "warehouse.duckdb")], capture_output=True, check=False)
        assert peek.returncode != 0
        able = subprocess.run([*command, sys.executable, "-c", "import kakuninsho.sandbox"], check=False)
        if able.returncode:
            pytest.skip("this Python cannot be run by another user")
        with Process(insurer, command=command) as outside:
            name, clear, members = lot(lot_id(), 100, 20)
            outside.send(name, clear, members)
            outside.send(*release(POSTING, {lot_id(): clear}))
            outside.advance(LATER)
        assert len(insurer.rows("piece")) >= 22
    finally:
        shutil.rmtree(top)
