"""A second campaign for tests: that of fiscal year 2026, made from the first by moving every date on by a year."""

from __future__ import annotations

import csv
import re
from datetime import date, timedelta
from pathlib import Path

import kakuninsho.campaign

FIRST = Path(kakuninsho.campaign.__file__).parent / "fy2025"
SAME_WEEKDAY = timedelta(days=364)


def write_next_year(folder: Path) -> Path:
    """Write `fy2026/` into a folder of campaigns. Windows keep their weekdays, other days their day of the month."""
    path = folder / "fy2026"
    path.mkdir(parents=True)
    text = (FIRST / "campaign.yaml").read_text(encoding="utf-8")
    lines = []
    for line in text.splitlines():
        values, note, rest = line.partition("note:")
        # Days and months of the values, never the words of a note.
        values = re.sub(r"\b(20\d\d)-(\d\d(?:-\d\d)?)\b", lambda found: f"{int(found[1]) + 1}-{found[2]}", values)
        lines.append(values + note + rest)
    text = "\n".join(lines).replace("fy2025", "fy2026").replace("令和7年度", "令和8年度") + "\n"
    (path / "campaign.yaml").write_text(text, encoding="utf-8")
    with (FIRST / "dispatch_windows.csv").open(encoding="utf-8", newline="") as file:
        windows = list(csv.DictReader(file))
    for window in windows:
        for column in ("opens_on", "closes_on"):
            window[column] = (date.fromisoformat(window[column]) + SAME_WEEKDAY).isoformat()
    with (path / "dispatch_windows.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(windows[0]))
        writer.writeheader()
        writer.writerows(windows)
    return folder
