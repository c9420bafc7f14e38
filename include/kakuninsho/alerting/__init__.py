"""Alerts to people: what is new, has grown or is over since it was last said, and by which way it is said."""

from kakuninsho.alerting.announcing import (
    Alert,
    Announcement,
    Batch,
    announce,
    announce_failure,
    announce_now,
    undelivered,
)
from kakuninsho.alerting.delivery import Channel, DeliveryError, LogChannel, MailChannel, WebhookChannel, deliver

__all__ = [
    "Alert",
    "Announcement",
    "Batch",
    "Channel",
    "DeliveryError",
    "LogChannel",
    "MailChannel",
    "WebhookChannel",
    "announce",
    "announce_failure",
    "announce_now",
    "deliver",
    "undelivered",
]
