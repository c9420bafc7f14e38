"""A store of facts that is made and empty."""

from __future__ import annotations

from pathlib import Path

import pytest

from kakuninsho.facts.store import FactStore


@pytest.fixture
def store(tmp_path: Path) -> FactStore:
    facts = FactStore(tmp_path / "data")
    facts.initialise()
    return facts
