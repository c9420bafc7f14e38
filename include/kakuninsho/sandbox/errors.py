"""What can go wrong in the sandbox. Messages name files, folders and counts, never a person's data."""

from __future__ import annotations


class SandboxError(RuntimeError):
    """Something about the sandbox itself is wrong: says what, and what to do."""


class SetUpError(SandboxError):
    """A key, folder or setting is missing or contradicts what the sandbox was started with before."""


class ControlError(SandboxError):
    """A request on the control channel cannot be carried out."""


class StateError(SandboxError):
    """What the sandbox remembers contradicts itself: a fault of the sandbox, not of who speaks to it."""
