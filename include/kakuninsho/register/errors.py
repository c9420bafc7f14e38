"""Why a delivery is refused whole. Messages carry file, rule, counts and what to do, never a value of a row."""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """The rule that a delivery broke, for programs; the message is for people."""

    MISSING_FILE = "missing_file"
    BAD_MANIFEST = "bad_manifest"
    UNKNOWN_CONTRACT = "unknown_contract"
    WRONG_AS_OF = "wrong_as_of"
    WRONG_HASH = "wrong_hash"
    WRONG_ROW_COUNT = "wrong_row_count"
    NOT_UTF8 = "not_utf8"
    UNREADABLE = "unreadable"
    MISSING_COLUMN = "missing_column"
    EMPTY_FILE = "empty_file"
    TOO_MANY_REJECTS = "too_many_rejects"
    MY_NUMBER = "my_number"
    CONFLICT = "conflict"


class InboundError(RuntimeError):
    """A delivery from outside that is refused: nothing of it is loaded and what was loaded before stays.

    Attributes:
        reason: the rule that was broken.
        file: the file, with its drop's folder; no path of a machine.
        rows: rows that break the rule, where rows can be counted.
    """

    def __init__(self, reason: Reason, *, file: str, rule: str, action: str, rows: int | None = None) -> None:
        counted = "" if rows is None else f" ({rows} row{'' if rows == 1 else 's'})"
        super().__init__(f"{file}: {rule}{counted}. Nothing of it is loaded. What to do: {action}.")
        self.reason = reason
        self.file = file
        self.rows = rows


class RegisterDropError(InboundError):
    """A register drop that is refused whole (contract register/v1)."""


class RegisterConflictError(RegisterDropError):
    """Another register for a day that has one: facts are never changed."""
