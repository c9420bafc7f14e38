"""How people hear of alerts and of tasks that end red."""

from __future__ import annotations

from typing import Any

from airflow.sdk import BaseNotifier
from airflow.sdk.exceptions import AirflowFailException, AirflowNotFoundException

from kakuninsho.orchestration.run import as_of, settings

WEBHOOK_CONNECTION, MAIL_CONNECTION = "alerts_webhook", "alerts_mail"


def alert_channels() -> list[Any]:
    """The ways by which alerts are said: the log, and those whose Airflow connection exists.

    `alerts_webhook`: host is the whole address, password the bearer token. `alerts_mail`: host, port, login, password;
    extra: sender, receivers (a list), starttls.
    """
    from airflow.sdk import BaseHook
    from airflow.sdk.exceptions import AirflowRuntimeError

    from kakuninsho.alerting import LogChannel, MailChannel, WebhookChannel

    def connection(name: str) -> Any:
        try:
            return BaseHook.get_connection(name)
        except (AirflowNotFoundException, AirflowRuntimeError):
            return None

    channels: list[Any] = [LogChannel()]
    if webhook := connection(WEBHOOK_CONNECTION):
        channels.append(WebhookChannel(str(webhook.host), webhook.password or None))
    if mail := connection(MAIL_CONNECTION):
        extra = mail.extra_dejson
        channels.append(
            MailChannel(
                str(mail.host),
                int(mail.port or 25),
                str(extra["sender"]),
                tuple(extra["receivers"]),
                mail.login or None,
                mail.password or None,
                bool(extra.get("starttls", False)),
            )
        )
    return channels


class AlertNotifier(BaseNotifier):
    """Says which published alerts are new, have grown or are over, each once (kakuninsho.alerting)."""

    def notify(self, context: Any) -> None:
        """Write what is to be said, and bring it to people; what a channel refused before is tried again."""
        from kakuninsho import alerting

        channels = alert_channels()
        alerting.announce(settings().data, as_of(context), [channel.name for channel in channels])
        alerting.deliver(alerting.undelivered(settings().data), channels)


class FailureNotifier(BaseNotifier):
    """Says that a task has ended red: the callback of every task. A refusal in its words, else the error's name."""

    def notify(self, context: Any) -> None:
        """Write the failure and bring it to people."""
        from kakuninsho import alerting

        channels, error, instance = alert_channels(), context.get("exception"), context["ti"]
        ours = isinstance(error, AirflowFailException)  # raised by `decide`, so the words are ours
        batch = alerting.announce_failure(
            settings().data,
            dag_id=instance.dag_id,
            task_id=instance.task_id,
            run_id=instance.run_id,
            as_of=as_of(context),
            reason=str(error) if ours else type(error).__name__,
            channels=[channel.name for channel in channels],
        )
        alerting.deliver([batch], channels)
