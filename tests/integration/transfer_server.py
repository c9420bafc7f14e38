"""A small SFTP server on loopback for tests of the transfer: remembers renames, breaks off where it is told."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import asyncssh
from pysequoia import Cert, Tsk

from kakuninsho.facts.store import sha256_of
from kakuninsho.printer.lot_file import ClearFile
from kakuninsho.printer.sealing import PRINTER_PUBLIC, Keys, generate_keys, load_keys
from kakuninsho.printer.transfer import SftpTarget


def clear_file(folder: Path, number: int = 1, size: int = 300_000) -> ClearFile:
    """A file of a lot's name; its content does not matter to the transfer."""
    folder.mkdir(exist_ok=True)
    lot_id = f"fy2025-H-18-20251003-{number:02d}"
    path = folder / f"pv1_fy2025_lot_{lot_id}_{number}.csv"
    path.write_bytes(random.Random(number).randbytes(size))
    return ClearFile(
        file_kind="lot",
        campaign="fy2025",
        name=path.name,
        path=path,
        row_count=11,
        byte_count=size,
        sha256=sha256_of(path),
        lot_id=lot_id,
        posting_date=date(2025, 10, 3),
        envelope_count=number,
        sample_count=0,
        packet_count=0,
        certificate_count=5,
        list_line_count=0,
        enclosures={"10": 4},
        weight_g="115.0",
        postage_yen=1280,
    )


@dataclass
class Printer:
    """The printer's side: its folder, keys, and what happened there."""

    root: Path
    target: SftpTarget
    insurer: Keys
    own: Keys
    renames: list[str] = field(default_factory=list)
    bytes_until_break: int | None = None  # the connection breaks after so many bytes written

    @property
    def inbox(self) -> Path:
        return self.root / "to_printer"

    @property
    def outbox(self) -> Path:
        return self.root / "from_printer"


@contextmanager
def running_printer(folder: Path, *, host_key: str | None = None) -> Iterator[Printer]:
    """Start the server; `host_key` replaces the pinned key of the target."""
    folder.mkdir(parents=True, exist_ok=True)
    generate_keys(folder / "keys")
    secret = Tsk.generate("Printer <printer@test.invalid>")
    (folder / "keys" / PRINTER_PUBLIC).write_text(str(secret.extract_certificate()), encoding="ascii")
    root = folder / "sftp"
    for name in ("to_printer", "from_printer"):
        (root / name).mkdir(parents=True)
    server_key = asyncssh.generate_private_key("ssh-ed25519")
    insurer = load_keys(folder / "keys")
    target = SftpTarget(
        host="127.0.0.1",
        port=0,
        username="insurer",
        client_key=folder / "keys" / "insurer_ssh",
        host_key=server_key.export_public_key().decode() if host_key is None else host_key,
    )
    own = Keys(secret, Cert.from_file(str(folder / "keys" / "insurer.pgp.asc")))
    printer = Printer(root, target, insurer, own)

    class Server(asyncssh.SFTPServer):
        def __init__(self, channel):
            super().__init__(channel, chroot=str(root).encode())

        def rename(self, oldpath, newpath):
            result = super().rename(oldpath, newpath)
            printer.renames.append(Path(newpath.decode()).name)
            return result

        def write(self, file_obj, offset, data):
            if printer.bytes_until_break is not None:
                room = printer.bytes_until_break
                printer.bytes_until_break -= len(data)
                if printer.bytes_until_break < 0:
                    super().write(file_obj, offset, data[: max(room, 0)])
                    file_obj.flush()
                    self.connection.abort()
                    raise asyncssh.SFTPFailure("broken off")
            return super().write(file_obj, offset, data)

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def start():
        return await asyncssh.listen(
            "127.0.0.1",
            0,
            server_host_keys=[server_key],
            authorized_client_keys=str(folder / "keys" / "insurer_ssh.pub"),
            sftp_factory=Server,
        )

    listener = asyncio.run_coroutine_threadsafe(start(), loop).result()
    object.__setattr__(target, "port", listener.get_port())
    try:
        yield printer
    finally:

        async def stop():
            listener.close()
            await listener.wait_closed()

        asyncio.run_coroutine_threadsafe(stop(), loop).result(5)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)
