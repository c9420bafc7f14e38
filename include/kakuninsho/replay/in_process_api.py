"""A short way to Airflow's execution API within one process.

`dag.test()` calls the API some eight times a task, each time through WSGI on top of ASGI, which hands a request to and
fro between two threads about ten times. Here it is handed over once and back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import httpx

# An ASGI application: scope, receive, send.
Application = Callable[[Any, Any, Any], Coroutine[None, None, None]]


class OneHop(httpx.BaseTransport):
    """Sends a request to an ASGI application that runs in the event loop of another thread, and waits.

    `keeps` is what must not be collected while requests are sent, because the application ends with it.
    """

    def __init__(self, application: Application, loop: asyncio.AbstractEventLoop, keeps: object = None) -> None:
        # An error within the API is its answer 500, as with a server.
        self._inner = httpx.ASGITransport(app=application, raise_app_exceptions=False)
        self._loop = loop
        self._keeps = keeps

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """The application's answer, read to its end."""
        return asyncio.run_coroutine_threadsafe(self._answer(request), self._loop).result()

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        response = await self._inner.handle_async_request(request)
        content = await response.aread()
        return httpx.Response(response.status_code, headers=response.headers, content=content)


def shorten() -> None:
    """Let the one API server of this process be reached by one hop."""
    from airflow.sdk.execution_time.supervisor import in_process_api_server

    server = in_process_api_server()
    started = server.transport  # Airflow's own, which starts the application
    if not isinstance(started, OneHop):
        server.transport = OneHop(server.app, started.app.loop, keeps=started)
