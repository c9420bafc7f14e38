"""Whether there is a published copy to read."""

from __future__ import annotations

from pathlib import Path

from kakuninsho.messages import TwoLanguageError
from kakuninsho.settings import Settings


class NothingPublishedError(TwoLanguageError):
    """The data folder has no published copy yet. Says what to run."""

    def __init__(self, data: Path) -> None:
        super().__init__(
            f"{data} にはまだ公開された写しがありません。publish_for_analysts を実行するか、--data を確かめてください",
            f"nothing is published under {data}; run publish_for_analysts, or check --data",
        )


def require_published(settings: Settings) -> None:
    """Refuse where nothing is published.

    Raises:
        NothingPublishedError: there is no published copy.
    """
    if not (settings.data / "published" / "analytics.duckdb").is_file():
        raise NothingPublishedError(settings.data)
