"""The ways by which an announcement reaches people: the task's log, a webhook, mail. Each takes a batch once."""

from __future__ import annotations

import json
import logging
import smtplib
import urllib.error
import urllib.request
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from email.message import EmailMessage
from typing import ClassVar, Protocol
from urllib.parse import urlsplit

from kakuninsho.alerting.announcing import CLEARED, Batch

log = logging.getLogger(__name__)
TIMEOUT_SECONDS = 20


class DeliveryError(RuntimeError):
    """A channel did not take an announcement. Says which channel and why; the announcement waits in its file."""


class Channel(Protocol):
    """A way to people."""

    @property
    def name(self) -> str:
        """Name of the channel, in the batch's file and in its mark."""

    def send(self, batch: Batch) -> None:
        """Bring a batch to people.

        Raises:
            DeliveryError: it was not taken.
        """


@dataclass(frozen=True)
class LogChannel:
    """A line per announcement in the log of the task."""

    name: ClassVar[str] = "log"

    def send(self, batch: Batch) -> None:
        """Write the lines: a critical alert as an error, what is over as information."""
        for item in batch.announcements:
            level = logging.ERROR if item.alert.severity == "critical" else logging.WARNING
            log.log(logging.INFO if item.change == CLEARED else level, "%s", item.text)


@dataclass(frozen=True)
class WebhookChannel:
    """A POST of JSON: `text` for chat systems, `announcements` for machines."""

    name: ClassVar[str] = "webhook"

    url: str
    token: str | None = None

    def send(self, batch: Batch) -> None:
        """Post the batch.

        Raises:
            DeliveryError: no connection, or an answer that is not 2xx.
        """
        if urlsplit(self.url).scheme not in {"http", "https"}:
            raise DeliveryError("webhook: the connection's host is no http or https address")
        body = {
            "text": "\n".join(item.text for item in batch.announcements),
            "as_of": batch.as_of,
            "announcements": [asdict(item) for item in batch.announcements],
        }
        headers = {"Content-Type": "application/json; charset=utf-8"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        request = urllib.request.Request(  # noqa: S310 (the scheme is checked above)
            self.url, json.dumps(body, ensure_ascii=False).encode(), headers, method="POST"
        )
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS):  # noqa: S310 (the scheme is checked above)
                return
        except (OSError, ValueError) as error:
            status = f" {error.code}" if isinstance(error, urllib.error.HTTPError) else ""
            raise DeliveryError(f"webhook: {type(error).__name__}{status}; the announcement waits") from None


@dataclass(frozen=True)
class MailChannel:
    """One mail per batch."""

    name: ClassVar[str] = "mail"

    host: str
    port: int
    sender: str
    receivers: tuple[str, ...]
    user: str | None = None
    password: str | None = None
    starttls: bool = False

    def send(self, batch: Batch) -> None:
        """Hand the mail over to the server.

        Raises:
            DeliveryError: the server cannot be reached or refuses it.
        """
        critical = sum(
            1 for item in batch.announcements if item.alert.severity == "critical" and item.change != CLEARED
        )
        mail = EmailMessage()
        mail["Subject"] = f"[kakuninsho] {batch.as_of} 警報 {len(batch.announcements)} 件 (重大 {critical} 件)"
        mail["From"], mail["To"] = self.sender, ", ".join(self.receivers)
        mail.set_content("\n".join(item.text for item in batch.announcements) + "\n")
        try:
            with smtplib.SMTP(self.host, self.port, timeout=TIMEOUT_SECONDS) as server:
                if self.starttls:
                    server.starttls()
                if self.user:
                    server.login(self.user, self.password or "")
                server.send_message(mail)
        except (OSError, smtplib.SMTPException) as error:
            raise DeliveryError(f"mail: {type(error).__name__}; the announcement waits") from None


def deliver(waiting: Iterable[Batch], channels: Sequence[Channel]) -> int:
    """Bring each batch by each channel that it is meant for and that has not taken it. Returns how often one did.

    A channel that refuses does not keep the others from getting it.

    Raises:
        DeliveryError: names each channel that refused; the next run tries again.
    """
    taken, refusals = 0, []
    for batch in waiting:
        for channel in channels:
            if channel.name not in batch.channels or batch.is_delivered(channel.name):
                continue
            try:
                channel.send(batch)
            except DeliveryError as error:
                refusals.append(f"{batch.path.name} {error}")
                continue
            batch.mark_delivered(channel.name)
            taken += 1
    if refusals:
        raise DeliveryError("; ".join(refusals))
    return taken
