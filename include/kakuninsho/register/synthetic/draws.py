"""Pseudo-random draws in SQL: a pure function of seed, key and purpose; nothing ever calls random()."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Draws:
    """SQL expressions that draw for a key. Two purposes draw independently for the same key."""

    seed: int

    def salt(self, purpose: str) -> int:
        """64 bits for one purpose."""
        return int.from_bytes(hashlib.sha256(f"{self.seed}:{purpose}".encode()).digest()[:8], "big")

    def u(self, key: str, purpose: str) -> str:
        """Uniform in [0, 1)."""
        return f"((hash(xor(({key})::ubigint, {self.salt(purpose)}::ubigint)) >> 11)::double / 9007199254740992.0)"

    def even(self, key: str, purpose: str, step: float) -> str:
        """Uniform in [0, 1) and evenly spread over running numbers: shares come out right in small registers too."""
        start = self.salt(purpose) / 2**64
        return f"((({key}) * {step!r} + {start!r}) % 1.0)"

    def pick(self, key: str, purpose: str, count: int | str, *, skew: int = 1) -> str:
        """Integer in 0 .. count - 1; a skew above 1 prefers small ones."""
        power = " * ".join([self.u(key, purpose)] * skew)
        return f"least(floor({power} * ({count})), ({count}) - 1)::integer"

    def choose(
        self, key: str, purpose: str, shares: Mapping[str, float], otherwise: str, *, draw: str | None = None
    ) -> str:
        """One of the names by its share, else `otherwise`; by a draw of its own unless one is given."""
        draw, reached, arms = draw or self.u(key, purpose), 0.0, []
        for name, share in shares.items():
            reached += share
            arms.append(f"when {draw} < {reached!r} then '{name}'")
        return f"case {' '.join(arms)} else '{otherwise}' end"
