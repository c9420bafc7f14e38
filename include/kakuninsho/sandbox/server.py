"""The process: an SFTP server, the control channel, and one worker thread that lives the world's days."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import asyncssh

from kakuninsho.sandbox.control import socket_address
from kakuninsho.sandbox.errors import ControlError, SandboxError
from kakuninsho.sandbox.layout import MANIFEST, SEALED
from kakuninsho.sandbox.root import HOST_KEY, INSURER_SSH, OTHER_HOST_KEY, Root
from kakuninsho.sandbox.world import Options, World

log = logging.getLogger("kakuninsho.sandbox")
Result = TypeVar("Result")

JAPAN = ZoneInfo("Asia/Tokyo")
QUIET_SECONDS = 0.4  # files of one hand-off come close together and are acknowledged together
CLOCK_SECONDS = 20.0
LOOK_SECONDS = 5.0  # files put there by other means than SFTP


class Door(asyncssh.SFTPServer):
    """What the insurer may do: write and rename in to_printer/, read in from_printer/, nothing else."""

    arrived: Callable[[], None] = staticmethod(lambda: None)

    def _local(self, path: bytes) -> Path:
        return Path(os.fsdecode(self.map_path(path)))

    def _writable(self, path: bytes) -> None:
        if self._local(path).parent.name != "to_printer":
            raise asyncssh.SFTPPermissionDenied("only to_printer/ can be written to")

    def open(self, path: bytes, pflags: int, attrs: asyncssh.SFTPAttrs) -> Any:
        if pflags & (asyncssh.FXF_WRITE | asyncssh.FXF_APPEND | asyncssh.FXF_CREAT | asyncssh.FXF_TRUNC):
            self._writable(path)
        return super().open(path, pflags, attrs)

    def open56(self, path: bytes, desired_access: int, flags: int, attrs: asyncssh.SFTPAttrs) -> Any:
        raise asyncssh.SFTPOpUnsupported("SFTP version 3 only")

    def rename(self, oldpath: bytes, newpath: bytes) -> Any:
        self._writable(oldpath)
        self._writable(newpath)
        result = super().rename(oldpath, newpath)
        self._announce(newpath)
        return result

    def posix_rename(self, oldpath: bytes, newpath: bytes) -> Any:
        self._writable(oldpath)
        self._writable(newpath)
        result = super().posix_rename(oldpath, newpath)
        self._announce(newpath)
        return result

    def _announce(self, path: bytes) -> None:
        if path.endswith((MANIFEST + SEALED).encode()):
            type(self).arrived()

    def remove(self, path: bytes) -> Any:
        self._writable(path)
        return super().remove(path)

    def setstat(self, path: bytes, attrs: asyncssh.SFTPAttrs) -> Any:
        self._writable(path)
        return super().setstat(path, attrs)

    def _refuse(self, *_: Any) -> Any:
        raise asyncssh.SFTPPermissionDenied("not allowed here")

    mkdir = rmdir = symlink = link = lsetstat = readlink = _refuse  # type: ignore[assignment]  # it takes what each of them takes


class Server:
    """Runs one sandbox until it is stopped."""

    def __init__(self, root: Root, port: int, options: Options) -> None:
        self._root = root
        self._port = port
        self._options = options
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="world")
        self._stopping = asyncio.Event()
        self._arrival = asyncio.Event()
        self._world: World | None = None

    async def _do(self, act: Callable[[World], Result]) -> Result:
        """Let the world's own thread do something."""
        world = self._world
        assert world is not None  # noqa: S101 (set before anything listens)
        return await asyncio.get_running_loop().run_in_executor(self._worker, act, world)

    async def run(self, *, announce: Callable[[int], None]) -> None:
        """Serve. `announce` is called with the port once both doors are open.

        Raises:
            SetUpError: a key or the state is not as it must be.
        """
        loop = asyncio.get_running_loop()
        self._world = await loop.run_in_executor(self._worker, World, self._root, self._options)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopping.set)
        tells_lies = any(item.name == "changed_host_key" for item in self._options.misbehaviours)
        door = type("InsurersDoor", (Door,), {"arrived": staticmethod(self._arrival.set)})
        chroot = os.fsencode(self._root.sftp.resolve())
        sftp = await asyncssh.listen(
            "127.0.0.1",
            self._port,
            server_host_keys=[str(self._root.keys / (OTHER_HOST_KEY if tells_lies else HOST_KEY))],
            authorized_client_keys=str(self._root.keys / INSURER_SSH),
            password_auth=False,
            kbdint_auth=False,
            sftp_factory=lambda channel: door(channel, chroot=chroot),
            allow_scp=False,
            agent_forwarding=False,
            x11_forwarding=False,
            login_timeout=30,
        )
        self._root.socket.unlink(missing_ok=True)
        with socket_address(self._root.socket) as address:
            control = await asyncio.start_unix_server(self._converse, address)
        self._root.socket.chmod(0o600)
        tasks = [asyncio.create_task(self._watch())]
        if self._options.clock == "wall":
            tasks.append(asyncio.create_task(self._follow_the_clock()))
        self._arrival.set()  # what came while nobody was in
        announce(sftp.get_port())
        await self._stopping.wait()
        control.close()
        sftp.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await loop.run_in_executor(self._worker, self._world.close)
        self._worker.shutdown()
        self._root.socket.unlink(missing_ok=True)

    async def _watch(self) -> None:
        while True:
            try:
                await asyncio.wait_for(self._arrival.wait(), LOOK_SECONDS)
                while self._arrival.is_set():  # until it has been quiet for a moment
                    self._arrival.clear()
                    await asyncio.sleep(QUIET_SECONDS)
            except TimeoutError:
                pass
            try:
                await self._do(World.look)
            except Exception:
                log.exception("could not look through what arrived")

    async def _follow_the_clock(self) -> None:
        while True:
            now = datetime.now(tz=JAPAN).date()

            def advance(world: World, to: date = now) -> None:
                if world.today < to:
                    world.advance(to)

            await self._do(advance)
            await asyncio.sleep(CLOCK_SECONDS)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                answer = await self._answer(line)
                writer.write(json.dumps(answer).encode() + b"\n")
                await writer.drain()
                if "stopping" in answer:
                    self._stopping.set()
        except (ConnectionError, ValueError) as error:
            log.info("control channel closed: %s", type(error).__name__)
        finally:
            writer.close()

    async def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            request = json.loads(line)
            if not isinstance(request, dict) or len(request) != 1:
                raise ControlError("one request per line: advance, status or stop")
            ((verb, arguments),) = request.items()
            if verb == "advance":
                to = date.fromisoformat(arguments["to"])
                return {"ok": True, **await self._do(lambda world: world.advance(to))}
            if verb == "status":
                return {"ok": True, **await self._do(World.status)}
            if verb == "stop":
                return {"ok": True, "stopping": True}
            raise ControlError(f"unknown request {verb!r}")
        except (SandboxError, ValueError, KeyError, TypeError) as error:
            return {"ok": False, "error": f"{type(error).__name__}: {error}"}
        except Exception as error:
            log.exception("a request on the control channel failed")
            return {"ok": False, "error": f"{type(error).__name__}: see the sandbox's log"}
