"""Control numbers of pieces: nine digits of a running sequence and two check digits (ISO/IEC 7064 MOD 97-10).

Rules: envelopes and lots. The sequence continues after the highest number ever given, by voided plans too, so
no number is used twice, and nothing of a person can be read from one. Two check digits find every single wrong
digit and every swap of neighbours.
"""

from __future__ import annotations

from kakuninsho.facts.store import FactStore

SEQUENCE_DIGITS = 9


def control_number(sequence: int) -> str:
    """The control number (11 digits) of a sequence number.

    Raises:
        ValueError: the sequence does not fit nine digits.
    """
    if not 0 < sequence < 10**SEQUENCE_DIGITS:
        raise ValueError(f"sequence {sequence} is outside 1 to {10**SEQUENCE_DIGITS - 1}")
    return f"{sequence:0{SEQUENCE_DIGITS}d}{98 - sequence * 100 % 97:02d}"


def is_control_number(text: str) -> bool:
    """Whether the text is a control number with right check digits."""
    return len(text) == SEQUENCE_DIGITS + 2 and text.isascii() and text.isdigit() and int(text) % 97 == 1


def control_number_sql(sequence: str) -> str:
    """SQL (DuckDB) of the control number of a sequence expression."""
    return f"(lpad(({sequence})::varchar, 9, '0') || lpad((98 - ({sequence}) * 100 % 97)::varchar, 2, '0'))"


def highest_sequence(store: FactStore) -> int:
    """The highest sequence number that any frozen plan has used or set aside; 0 before the first."""
    return max((plan.meta["totals"].get("last_sequence") or 0 for plan in store.all("plans")), default=0)
