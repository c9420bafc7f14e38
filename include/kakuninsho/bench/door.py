"""A printer's SFTP door for the benchmark: another process that keeps what it gets and answers nothing."""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncssh

from kakuninsho.printer.transfer import SftpTarget
from kakuninsho.settings import Settings

PATIENCE_SECONDS = 30


@contextmanager
def open_door(outside: Path, settings: Settings) -> Iterator[SftpTarget]:
    """Serve `<outside>/sftp` on a free port of the loopback address with the keys that were exchanged.

    Raises:
        RuntimeError: the server did not start.
    """
    from kakuninsho.replay.installation import host_key

    port_file = outside / "door.port"
    port_file.unlink(missing_ok=True)
    process = subprocess.Popen(  # noqa: S603 (our own interpreter and module)
        [sys.executable, "-m", "kakuninsho.bench.door", str(outside)], stdin=subprocess.DEVNULL
    )
    try:
        until = time.monotonic() + PATIENCE_SECONDS
        while not port_file.is_file():
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError("the benchmark's SFTP server did not start: look at the lines above")
            time.sleep(0.05)
        yield SftpTarget(
            host="127.0.0.1",
            port=int(port_file.read_text(encoding="ascii")),
            username="insurer",
            client_key=settings.keys / "insurer_ssh",
            host_key=host_key(settings),
        )
    finally:
        process.terminate()
        process.wait()


async def _serve(outside: Path) -> None:
    root = os.fsencode((outside / "sftp").resolve())
    server = await asyncssh.listen(
        "127.0.0.1",
        0,
        server_host_keys=[str(outside / "keys" / "host_key")],
        authorized_client_keys=str(outside / "keys" / "insurer_ssh.pub"),
        sftp_factory=lambda channel: asyncssh.SFTPServer(channel, chroot=root),
    )
    part = outside / ".door.port"
    part.write_text(f"{server.get_port()}\n", encoding="ascii")
    part.replace(outside / "door.port")
    parent = os.getppid()
    while os.getppid() == parent:  # nobody is left to serve when the benchmark has ended
        await asyncio.sleep(1)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("outside", type=Path)
    asyncio.run(_serve(parser.parse_args().outside))
