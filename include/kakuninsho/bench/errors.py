"""What ends a benchmark. No figures are written then."""

from __future__ import annotations


class BenchError(RuntimeError):
    """A wrong wish, or a run whose figures must not be used. Says what does not agree, in counts."""


class PartError(BenchError):
    """A part ended without a result. Says which, and why."""
