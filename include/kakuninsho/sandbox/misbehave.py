"""What the sandbox does wrong on purpose when told to: `NAME` or `NAME:count=n,lot=...`.

`lot` is a part of the lot id (for answers: of the file name or of a lot it speaks of). `count` is how many
times in all; what has been used up is kept in the state, so a restart does not begin again. docs/sandbox.md
has the table of what each does.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from kakuninsho.sandbox.errors import SetUpError

UNLIMITED = 1_000_000_000

# Name: how often when no count is given. What concerns single pieces happens once, what concerns files always.
DEFAULT_COUNTS: dict[str, int] = {
    "reject_lot": UNLIMITED,
    "silent_ack": UNLIMITED,
    "wrong_ack_counts": UNLIMITED,
    "drop_piece_report": 1,
    "duplicate_report": UNLIMITED,
    "unknown_piece": 1,
    "post_pulled": 1,
    "unconfirmed_pull": 1,
    "spoil_without_replacement": 1,
    "late_report": UNLIMITED,
    "wrong_signature": UNLIMITED,
    "unsigned_answer": UNLIMITED,
    "truncated_answer": UNLIMITED,
    "changed_host_key": UNLIMITED,
    "resend_changed_report": UNLIMITED,
    "accept_anything": UNLIMITED,
    "post_unreleased": UNLIMITED,
    "unknown_return_reason": 1,
}


@dataclass(frozen=True)
class Misbehaviour:
    """One thing to do wrong: at most `count` times, only where `lot` occurs in the lot id."""

    name: str
    count: int
    lot: str = ""

    @property
    def key(self) -> str:
        """Its name in the state, where its uses are counted."""
        return f"{self.name}|{self.lot}"


def parse(texts: Iterable[str]) -> list[Misbehaviour]:
    """Read `NAME[:count=n][,lot=part]` of the command line.

    Raises:
        SetUpError: an unknown name or option, or a count that is no whole number above zero.
    """
    found = []
    for text in texts:
        name, _, options = text.partition(":")
        if name not in DEFAULT_COUNTS:
            raise SetUpError(f"unknown misbehaviour {name!r}; known are {', '.join(DEFAULT_COUNTS)}")
        count, lot = DEFAULT_COUNTS[name], ""
        for option in filter(None, options.split(",")):
            key, _, value = option.partition("=")
            if key == "count" and value.isdecimal() and int(value) > 0:
                count = int(value)
            elif key == "lot" and value:
                lot = value
            else:
                raise SetUpError(f"misbehaviour {name}: option {option!r} is not count=n or lot=part")
        found.append(Misbehaviour(name, count, lot))
    return found
