"""Why a file of a feed is refused whole."""

from __future__ import annotations

from kakuninsho.register.errors import InboundError


class FeedError(InboundError):
    """A file of a feed that is refused: nothing of it is loaded. Carries no value of a row."""


class FeedConflictError(FeedError):
    """A file name that has landed came again with other content."""
