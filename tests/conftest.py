"""What several folders of tests share: one finished season of 2,000 members, played once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def season_2000(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data folder of a whole season through Airflow. SEASON_DATA names a finished one to use instead."""
    if given := os.environ.get("SEASON_DATA"):
        return Path(given)
    data = tmp_path_factory.mktemp("season") / "data"
    command = [Path(sys.executable).parent / "kakuninsho", "season", "--members", "2000", "--data", data]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return data


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The season takes longest, so it starts first: the other processes do the rest meanwhile."""
    items.sort(key=lambda item: item.path.name != "test_season.py")
