"""Feeds: files of the core system and answers of the printer, read row by row and landed as facts."""

from kakuninsho.feeds.errors import FeedConflictError, FeedError
from kakuninsho.feeds.landing import StagedFeed, land_feed, receive_feed, stage_feed

__all__ = ["FeedConflictError", "FeedError", "StagedFeed", "land_feed", "receive_feed", "stage_feed"]
