"""The short way to an application in another thread's event loop gives what the application answers."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from kakuninsho.replay.in_process_api import OneHop


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Answers what it was sent, or fails."""
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    if scope["path"] == "/fails":
        raise RuntimeError("within the application")
    said = f"{scope['method']} {scope['path']}?{scope['query_string'].decode()} ".encode() + body
    await send(
        {
            "type": "http.response.start",
            "status": 201,
            "headers": [(b"x-thread", threading.current_thread().name.encode())],
        }
    )
    await send({"type": "http.response.body", "body": said[:3], "more_body": True})
    await send({"type": "http.response.body", "body": said[3:]})


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    """A client whose application runs in a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="the-loop", daemon=True)
    thread.start()
    with httpx.Client(transport=OneHop(application, loop), base_url="http://in-process.invalid") as found:
        yield found
    loop.call_soon_threadsafe(loop.stop)
    thread.join(timeout=10)
    loop.close()


def test_an_answer_comes_back_whole(client: httpx.Client) -> None:
    answer = client.patch("/task", params={"map": "1"}, json={"state": "running"})
    assert (answer.status_code, answer.headers["x-thread"]) == (201, "the-loop")
    assert answer.content == b'PATCH /task?map=1 {"state":"running"}'
    assert client.get("/task").content == b"GET /task? "


def test_a_failing_application_answers_500_as_a_server_does(client: httpx.Client) -> None:
    assert client.get("/fails").status_code == 500
