"""What is to be said of alerts: the rows of `fct_alerts` against what has been said before.

Each saying is a file under `<data>/alerts/`, written once and never changed:

    000001-2025-08-18.json                       what changed among the alerts, in one publication
    failed-hand_off_to_printer-send-….json       a task that ended red

What has been said is the sum of these files, so the same alert is not said twice, also after a crash or when the
warehouse is built again. They are no facts: no rule reads them. Counts and names of lots and files, no personal data.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any

from kakuninsho.paths import PROJECT_ROOT
from kakuninsho.warehouse import published

RAISED, GROWN, CLEARED, FAILED = "raised", "grown", "cleared", "failed"
WORDS = {RAISED: "警報", GROWN: "警報 (件数増)", CLEARED: "警報解消", FAILED: "タスク失敗"}
SEVERITIES = {"critical": "重大", "warning": "注意"}
_BATCH = re.compile(r"[0-9]{6}-[0-9]{4}-[0-9]{2}-[0-9]{2}\.json")


@dataclass(frozen=True)
class Alert:
    """A row of fct_alerts: a rule that is broken (`alert_code`) by something (`subject`: a lot, file or branch)."""

    alert_code: str
    subject: str
    count: int
    raised_on: str
    severity: str  # critical, warning
    runbook: str

    @property
    def key(self) -> tuple[str, str]:
        """What makes it the same alert on another day."""
        return self.alert_code, self.subject


@dataclass(frozen=True)
class Announcement:
    """One thing to say. `count_before` is what was said last, 0 when nothing was."""

    change: str  # raised, grown, cleared, failed
    alert: Alert
    count_before: int = 0
    detail: str = ""

    @property
    def text(self) -> str:
        """One line in Japanese: what happened, to what, how many, where the runbook is."""
        alert = self.alert
        count = f"{self.count_before} → {alert.count} 件" if self.change == GROWN else f"{alert.count} 件"
        parts = [
            f"【{WORDS[self.change]}・{SEVERITIES.get(alert.severity, alert.severity)}】{title_of(alert.alert_code)}",
            f"({alert.alert_code})",
            alert.subject,
            count,
            f"発生日 {alert.raised_on}",
            f"手順書 {alert.runbook}",
        ]
        return " ".join([*parts, self.detail]).rstrip()


@dataclass(frozen=True)
class Batch:
    """What one run has to say, as it lies in its file. `channels` are those that were set up when it was written."""

    path: Path
    as_of: str
    channels: tuple[str, ...]
    announcements: tuple[Announcement, ...]

    def is_delivered(self, channel: str) -> bool:
        """Whether a channel has taken it."""
        return self._mark(channel).exists()

    def mark_delivered(self, channel: str) -> None:
        """Note that a channel has taken it."""
        self._mark(channel).touch(mode=0o600)

    def _mark(self, channel: str) -> Path:
        return self.path.with_suffix(f".{channel}.done")


@lru_cache(maxsize=64)
def title_of(alert_code: str) -> str:
    """The heading of an alert's runbook, without the code; the code itself where there is none."""
    path = PROJECT_ROOT / "docs" / "runbooks" / f"{alert_code}.md"
    if not path.is_file():
        return {"task_failed": "タスクが失敗した"}.get(alert_code, alert_code)
    first = path.read_text(encoding="utf-8").splitlines()[0]
    return re.sub(r"\s*\(`\w+`\)\s*$", "", first.removeprefix("# "))


def announce(data: Path, as_of: date, channels: Sequence[str]) -> Batch | None:
    """Write what is to be said of the published alerts; None when nothing has changed since it was last said."""
    with published(data) as connection:
        rows = connection.execute(
            """
            select alert_code, subject, count, raised_on::varchar, severity, runbook from marts.fct_alerts
            order by severity, alert_code, subject
            """
        ).fetchall()
    now = {alert.key: alert for alert in (Alert(*row) for row in rows)}
    said = _said(batches(data))
    changes = [
        *_raised_or_grown(now.values(), said),
        *(Announcement(CLEARED, alert, count_before=alert.count) for key, alert in said.items() if key not in now),
    ]
    if not changes:
        return None
    return _write(data, _next_stem(data, as_of), as_of, channels, changes)


def announce_now(data: Path, as_of: date, alerts: Sequence[Alert], channels: Sequence[str]) -> Batch | None:
    """Write alerts that cannot wait for a publication; None when all of them have been said with as many."""
    changes = _raised_or_grown(alerts, _said(batches(data)))
    return _write(data, _next_stem(data, as_of), as_of, channels, changes) if changes else None


def announce_failure(
    data: Path, *, dag_id: str, task_id: str, run_id: str, as_of: date, reason: str, channels: Sequence[str]
) -> Batch:
    """Write that a task has ended red. `reason` is a message of this project or the name of an error, no more."""
    alert = Alert("task_failed", f"{dag_id}.{task_id}", 1, as_of.isoformat(), "critical", f"dags/{dag_id}.py")
    run = re.sub(r"[^0-9A-Za-z]+", "-", run_id).strip("-")
    stem = f"failed-{dag_id}-{task_id}-{run}"
    again = sum(1 for path in _folder(data).glob(f"{stem}-*.json"))
    return _write(data, f"{stem}-{again + 1:03d}", as_of, channels, [Announcement(FAILED, alert, detail=reason)])


def batches(data: Path) -> list[Batch]:
    """What has been said of alerts, oldest first."""
    return [read(path) for path in sorted(_folder(data).glob("*.json")) if _BATCH.fullmatch(path.name)]


def undelivered(data: Path) -> list[Batch]:
    """Everything that a channel which was set up at the time has not taken yet."""
    every = [read(path) for path in sorted(_folder(data).glob("*.json"))]
    return [batch for batch in every if not all(batch.is_delivered(channel) for channel in batch.channels)]


def read(path: Path) -> Batch:
    """A batch as it was written."""
    content = json.loads(path.read_text(encoding="utf-8"))
    announced = (
        Announcement(item["change"], Alert(**item["alert"]), item["count_before"], item["detail"])
        for item in content["announcements"]
    )
    return Batch(path, content["as_of"], tuple(content["channels"]), tuple(announced))


def _said(earlier: Iterable[Batch]) -> dict[tuple[str, str], Alert]:
    """The alerts that people think are open."""
    opened: dict[tuple[str, str], Alert] = {}
    for batch in earlier:
        for item in batch.announcements:
            if item.change == CLEARED:
                opened.pop(item.alert.key, None)
            else:
                opened[item.alert.key] = item.alert
    return opened


def _raised_or_grown(alerts: Collection[Alert], said: dict[tuple[str, str], Alert]) -> list[Announcement]:
    """What was not said yet, then what was said with fewer."""
    return [
        *(Announcement(RAISED, alert) for alert in alerts if alert.key not in said),
        *(
            Announcement(GROWN, alert, count_before=said[alert.key].count)
            for alert in alerts
            if alert.key in said and alert.count > said[alert.key].count
        ),
    ]


def _next_stem(data: Path, as_of: date) -> str:
    number = 1 + max((int(batch.path.name[:6]) for batch in batches(data)), default=0)
    return f"{number:06d}-{as_of.isoformat()}"


def _folder(data: Path) -> Path:
    folder = data / "alerts"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


def _write(data: Path, stem: str, as_of: date, channels: Sequence[str], announcements: Sequence[Announcement]) -> Batch:
    path = _folder(data) / f"{stem}.json"
    content: dict[str, Any] = {
        "as_of": as_of.isoformat(),
        "channels": list(channels),
        "announcements": [asdict(item) | {"text": item.text} for item in announcements],
    }
    unfinished = path.with_suffix(f".{os.getpid()}.part")
    unfinished.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    unfinished.chmod(0o600)
    try:
        path.hardlink_to(unfinished)  # fails where another run has taken the number, instead of writing over it
    finally:
        unfinished.unlink()
    return Batch(path, as_of.isoformat(), tuple(channels), tuple(announcements))
