"""Talking to a running server through its REST API, as one of its people."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any

TIMEOUT_SECONDS = 30


class PageError(RuntimeError):
    """The server does not answer, or refuses. Says which request and what it answered."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Page:
    """A server's address and one person's token."""

    url: str
    token: str | None = None

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """One request; `path` begins with a slash. Returns the answer's JSON.

        Raises:
            PageError: no answer, or a status of 400 and above (`status` has it).
        """
        request = urllib.request.Request(  # noqa: S310 (always our own http address)
            self.url + path, method=method, data=None if body is None else json.dumps(body).encode()
        )
        request.add_header("Content-Type", "application/json")
        if self.token:
            request.add_header("Authorization", f"Bearer {self.token}")
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310 (our own http address)
                return json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            text = error.read().decode("utf-8", errors="replace")[:300]
            raise PageError(f"{method} {path}: {error.code} {text}", error.code) from None
        except (OSError, json.JSONDecodeError) as error:
            raise PageError(f"{method} {path}: no answer ({type(error).__name__})") from None

    def log_in(self, name: str, password: str) -> Page:
        """The same server, as a person."""
        answer = self.call("POST", "/auth/token", {"username": name, "password": password})
        return Page(self.url, str(answer["access_token"]))

    def health(self) -> dict[str, str | None]:
        """Status by component: metadatabase, scheduler, triggerer, dag_processor."""
        answer = self.call("GET", "/api/v2/monitor/health")
        return {name: part.get("status") for name, part in answer.items()}

    def dag_ids(self) -> list[str]:
        """The DAGs that the server knows."""
        return sorted(str(dag["dag_id"]) for dag in self.call("GET", "/api/v2/dags?limit=100")["dags"])
