"""What can go wrong while a synthetic register is made."""

from __future__ import annotations


class SyntheticRegisterError(ValueError):
    """Arguments or surroundings do not allow the register to be made; the message says what to do."""
