"""The outbox: clear files of a frozen plan while they wait for approval, with their totals beside them.

What two people approved is what leaves: the sender takes the files that were shown, after it has hashed them again.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydantic import TypeAdapter

from kakuninsho.facts.store import sha256_of
from kakuninsho.printer.lot_file import ClearFile

TOTALS = "files.json"
_FILES = TypeAdapter(list[ClearFile])


def note_files(files: Sequence[ClearFile], outbox: Path) -> None:
    """Write the totals of files beside them, once all of them are complete."""
    (outbox / TOTALS).write_bytes(_FILES.dump_json(list(files)))


def waiting_files(outbox: Path) -> list[ClearFile] | None:
    """The files that wait in an outbox, in the order in which they are sent.

    None when the outbox is gone or incomplete, or the bytes of any file are no longer those that were written: the
    plan gives them again.
    """
    totals = outbox / TOTALS
    if not totals.is_file():
        return None
    try:
        files = _FILES.validate_json(totals.read_bytes())
    except ValueError:
        return None
    unharmed = all(file.path.is_file() and sha256_of(file.path) == file.sha256 for file in files)
    return files if unharmed else None
