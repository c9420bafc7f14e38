"""Seeded chance: each outcome is a pure function of the seed, a purpose and a key.

Nothing depends on the order of events, on a random generator's state or on a restart: a draw is
`md5("seed|purpose|key")`, its last 64 bits (as DuckDB's `md5_number_lower` reads them) as a share of 2**64.
"""

from __future__ import annotations

import hashlib

SPAN = 1 << 64


def draw(seed: int, purpose: str, key: object) -> int:
    """A number from 0 to 2**64 - 1, the same as the SQL of `draw_sql`."""
    digest = hashlib.md5(f"{seed}|{purpose}|{key}".encode(), usedforsecurity=False).digest()
    return int.from_bytes(digest[8:], "little")


def share(seed: int, purpose: str, key: object) -> float:
    """A number in [0, 1)."""
    return draw(seed, purpose, key) / SPAN


def between(seed: int, purpose: str, key: object, low: int, high: int) -> int:
    """A whole number from low to high, both included."""
    return low + draw(seed, purpose, key) % (high - low + 1)


def draw_sql(seed: int, purpose: str, key: str) -> str:
    """The SQL expression of `draw`; `key` is an SQL expression, `purpose` a plain word."""
    return f"md5_number_lower(concat('{seed}|{purpose}|', {key}))"


def happens_sql(seed: int, purpose: str, key: str, rate: float) -> str:
    """SQL condition that is true with this rate, which is a share from 0 to 1."""
    limit = min(SPAN - 1, round(rate * SPAN))
    return f"({draw_sql(seed, purpose, key)} < {limit}::ubigint)"


def between_sql(seed: int, purpose: str, key: str, low: int, high: int) -> str:
    """SQL expression of `between`."""
    return f"({low} + ({draw_sql(seed, purpose, key)} % {high - low + 1})::integer)"
