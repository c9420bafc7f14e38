"""The pictures of the README: `make screenshots`. Plays the beginning of a season in Chromium and keeps what is seen.

Needs Debian's chromium. With `--data` a folder that holds a season is served as it is; its campaign page then shows
that season. Pictures go to docs/images/.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from page_objects import Person, chromium
from playwright.sync_api import expect

from kakuninsho.paths import PROJECT_ROOT
from server_kit import Run, Server, running_server

IMAGES = PROJECT_ROOT / "docs" / "images"
SNAPSHOT, HAND_OFF = "2025-04-30", "2025-05-15"
POSTING_DATE = "2025-08-01"


@contextmanager
def served(data: Path | None) -> Iterator[Server]:
    """The folder that is given, or a new small one."""
    if data is not None:
        with running_server(data.resolve()) as server:
            yield server
        return
    with tempfile.TemporaryDirectory(prefix="kakuninsho-") as folder, running_server(Path(folder) / "data") as server:
        yield server


def waiting_approval(server: Server, operator: Person) -> Run:
    """A hand-off that waits for its first approval. In a season that is over it asks again and nothing is sent."""
    landing = Run(
        server.as_person("operator"), "extract_register", operator.trigger("extract_register", as_of=SNAPSHOT)
    )
    landing.end()
    run_id = operator.trigger("hand_off_to_printer", as_of=HAND_OFF)
    run = Run(server.as_person("operator"), "hand_off_to_printer", run_id)
    run.wait_for("approve_first", "awaiting_input", "deferred")
    return run


def take(server: Server, shots: Path) -> None:
    """Open each page that the README shows, as the person who uses it."""
    with chromium(shots / "chromium") as browser:
        operator = Person(browser, server.url, "operator").log_in(server.passwords["operator"])
        operator.open("/dags?limit=50")
        expect(operator.page.get_by_text("データ抽出", exact=True).first).to_be_visible()
        operator.shoot(shots / "dags.png")
        form = operator.open_form("release_lots")
        operator.fill(form, choices={"posting_date": POSTING_DATE})
        operator.shoot(shots / "form.png")
        run = waiting_approval(server, operator)
        approver = Person(browser, server.url, "approver1").log_in(server.passwords["approver1"])
        approver.open_question(run.dag_id, run.run_id, "approve_first")
        approver.shoot(shots / "approval.png")
        approver.open("/campaign/previews/home-2025-04-30.html")
        approver.shoot(shots / "preview.png")
        analyst = Person(browser, server.url, "analyst").log_in(server.passwords["analyst"])
        analyst.campaign_page()
        analyst.shoot(shots / "campaign.png")


def main() -> int:
    """Take the pictures; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="a folder of `make season`; without it a new small one is made")
    given = parser.parse_args()
    IMAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="screenshots-") as folder, served(given.data) as server:
        take(server, Path(folder))
        for picture in sorted(Path(folder).glob("*.png")):
            shutil.copyfile(picture, IMAGES / picture.name)
            print(IMAGES / picture.name)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except subprocess.TimeoutExpired as error:
        sys.exit(f"the server did not start in time: {error.cmd[-3:]}")
