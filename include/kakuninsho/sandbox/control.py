"""The control channel: how time passes for the sandbox. One JSON object a line over `control.sock`.

Requests: `{"advance": {"to": "2025-08-04"}}`, `{"status": {}}`, `{"stop": {}}`. Answers: `{"ok": true, …}` or
`{"ok": false, "error": "…"}`. This is no part of the contract with the printer; only the driver that replays
a season, tests and people at a terminal use it.
"""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

from kakuninsho.sandbox.errors import ControlError
from kakuninsho.sandbox.root import Root

__all__ = ["ControlError", "advance", "ask", "socket_address", "status", "stop", "wait_until_ready"]

MAX_SOCKET_PATH = 100  # bytes; the kernel's limit is 108


@contextmanager
def socket_address(path: Path) -> Iterator[str]:
    """A name for the socket that is short enough for the kernel, also below a very long folder (Linux)."""
    if len(os.fsencode(path)) <= MAX_SOCKET_PATH:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def ask(root: Path, request: dict[str, Any], *, timeout: float | None = None) -> dict[str, Any]:
    """Send one request and wait for its answer. `timeout` in seconds; None waits as long as it takes.

    Raises:
        ControlError: no sandbox runs at this root, or it refuses.
    """
    path = Root(root.resolve()).socket
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(timeout)
        try:
            with socket_address(path) as address:
                connection.connect(address)
            connection.sendall(json.dumps(request).encode() + b"\n")
            with connection.makefile("rb") as reader:
                line = reader.readline()
        except OSError as error:
            raise ControlError(f"no sandbox answers at {path.name}: is `serve` running on this root?") from error
    if not line:
        raise ControlError("the sandbox closed the control channel without an answer: see its log")
    answer: dict[str, Any] = json.loads(line)
    if not answer.pop("ok"):
        raise ControlError(str(answer["error"]))
    return answer


def advance(root: Path, to: date) -> dict[str, Any]:
    """Let the days pass up to and including `to`; returns when all that happens on them has happened.

    The same day again is allowed and only takes in what has arrived; an earlier day is refused.
    """
    return ask(root, {"advance": {"to": to.isoformat()}})


def status(root: Path, *, timeout: float | None = 10) -> dict[str, Any]:
    """Date, counts of lots by state, and misbehaviours used up."""
    return ask(root, {"status": {}}, timeout=timeout)


def stop(root: Path) -> None:
    """End the process after what it is doing."""
    ask(root, {"stop": {}}, timeout=60)


def wait_until_ready(root: Path, *, seconds: float = 120) -> dict[str, Any]:
    """Wait until a sandbox that was just started answers; returns its status.

    Raises:
        ControlError: it does not within that time.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            return status(root)
        except ControlError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
