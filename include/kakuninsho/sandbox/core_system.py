"""The insurer's core system: what lies backstage under a day comes on stage when the date reaches that day."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path

from kakuninsho.sandbox.root import Root


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def first_drop(root: Root) -> date | None:
    """The day of the first register drop that lies backstage or on stage; None without any."""
    folders = (root.core / place for place in ("backstage", "register"))
    days = [_day(path.name.removeprefix("as_of=")) for folder in folders for path in folder.glob("as_of=*")]
    return min((day for day in days if day is not None), default=None)


def _move(source: Path, target: Path) -> bool:
    if target.exists():
        # Never over something that was delivered: a drop or feed is delivered once.
        return False
    os.rename(source, target)  # noqa: PTH104 (within one file system: whole or not at all)
    return True


def publish(root: Root, today: date) -> list[str]:
    """Move register drops and feeds that are due by today; return what came, in order.

    `backstage/as_of=D/` becomes `register/as_of=D/` in one rename, so the manifest in it is never ahead of
    its files. `backstage/feeds/D/*` become `feeds/*`, manifests last.
    """
    came = []
    backstage = root.core / "backstage"
    for folder in sorted(backstage.glob("as_of=*")):
        day = _day(folder.name.removeprefix("as_of="))
        if day is not None and day <= today and _move(folder, root.core / "register" / folder.name):
            came.append(f"register/{folder.name}")
    feeds = backstage / "feeds"
    for folder in sorted(feeds.iterdir()) if feeds.is_dir() else []:
        day = _day(folder.name)
        if day is None or day > today or not folder.is_dir():
            continue
        files = sorted(folder.iterdir(), key=lambda path: (path.name.endswith(".manifest.json"), path.name))
        for file in files:
            if _move(file, root.core / "feeds" / file.name):
                came.append(f"feeds/{file.name}")
        if not any(folder.iterdir()):
            folder.rmdir()
    return came
