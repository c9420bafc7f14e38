"""Files made of facts, which can be made anew: written whole or not at all, read as missing when they are broken."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)


def write_whole(path: Path, text: str) -> None:
    """Write a file whole or not at all: a full disk or a kill leaves what was there before."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def write_json(path: Path, content: Any) -> None:
    """Write JSON whole or not at all."""
    write_whole(path, json.dumps(content, ensure_ascii=False, default=str) + "\n")


def read_json(path: Path) -> Any:
    """The content of a derived JSON file; None where it is missing or broken, which the log says."""
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValueError:
        log.warning("%s is cut short or damaged: it is derived and made anew", path.name)
        return None
