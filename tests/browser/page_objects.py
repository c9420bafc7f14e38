"""Airflow's page as a person sees it: what is clicked and read in Chromium. For tests and for the screenshots."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import noto_cjk_sans_jp_regular
from playwright.sync_api import BrowserContext, FrameLocator, Locator, Page, Playwright, expect, sync_playwright

from server_kit import APPROVE

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
# A page of Airflow is a large script; on a busy machine its first paint takes a while.
SECONDS = int(os.environ.get("BROWSER_SECONDS", "60"))
SIZE = {"width": 1280, "height": 900}
FONTS = """<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><include ignore_missing="yes">/etc/fonts/fonts.conf</include><dir>{fonts}</dir>
<cachedir>{cache}</cachedir></fontconfig>
"""


@contextmanager
def chromium(folder: Path) -> Iterator[Browser]:
    """Debian's Chromium without a window, with a Japanese font even where the machine has none.

    `folder` takes the font's settings and cache.
    """
    folder.mkdir(parents=True, exist_ok=True)
    fonts = folder / "fonts.conf"
    here = Path(noto_cjk_sans_jp_regular.__file__).parent
    fonts.write_text(FONTS.format(fonts=here, cache=folder / "fontconfig"), encoding="utf-8")
    with sync_playwright() as playwright:
        yield Browser(playwright, {**os.environ, "FONTCONFIG_FILE": str(fonts)})


class Browser:
    """One Chromium; each person has a context of their own, with their own cookies."""

    def __init__(self, playwright: Playwright, environment: dict[str, str]) -> None:
        self._browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"],
            env=dict(environment),
        )

    def new_context(self) -> BrowserContext:
        """A person's browser window: Japanese, in Tokyo, logged in nowhere."""
        context = self._browser.new_context(
            locale="ja-JP", timezone_id="Asia/Tokyo", viewport=SIZE, reduced_motion="reduce"
        )
        context.set_default_timeout(SECONDS * 1000)
        expect.set_options(timeout=SECONDS * 1000)
        # The page is set in the viewer's zone from the start; a person chooses it once, in the lower left corner.
        context.add_init_script("localStorage.setItem('timezone', JSON.stringify('Asia/Tokyo'))")
        return context


class Person:
    """One person before the page."""

    def __init__(self, browser: Browser, url: str, name: str) -> None:
        self.url, self.name = url, name
        self.context = browser.new_context()
        self.page: Page = self.context.new_page()

    def log_in(self, password: str) -> Person:
        """Log in through the form, and wait for the home page."""
        self.page.goto(self.url)
        self.page.wait_for_url(re.compile("/auth/login"))
        self.page.fill("input[name=username]", self.name)
        self.page.fill("input[name=password]", password)
        self.page.keyboard.press("Enter")
        expect(self.page.get_by_role("link", name="Dags").first).to_be_visible()
        return self

    def open(self, path: str) -> Person:
        """Open a path of the page."""
        self.page.goto(self.url + path)
        return self

    def open_form(self, dag_id: str) -> Locator:
        """Open a DAG's form; returns the dialog."""
        self.open(f"/dags/{dag_id}")
        self.page.get_by_test_id("trigger-dag-button").first.click()
        dialog = self.page.get_by_role("dialog")
        expect(dialog.get_by_text("試行 (送らない)")).to_be_visible()
        return dialog

    def trigger(self, dag_id: str, *, as_of: str | None = None, choices: dict[str, str] | None = None,
                dry_run: bool = False) -> str:  # fmt: skip
        """Fill a DAG's form and start it; returns the run's id, which the page goes to."""
        dialog = self.open_form(dag_id)
        self.fill(dialog, as_of=as_of, choices=choices, dry_run=dry_run)
        dialog.get_by_role("button", name="トリガー").click()
        self.page.wait_for_url(re.compile(r"/runs/[^/?]+"))
        found = re.search(r"/runs/([^/?]+)", self.page.url)
        assert found
        return found[1]

    def fill(self, dialog: Locator, *, as_of: str | None = None, choices: dict[str, str] | None = None,
             dry_run: bool = False) -> None:  # fmt: skip
        """Fill the fields of a form."""
        if as_of:
            dialog.locator("#element_as_of").fill(as_of)
        for field, words in (choices or {}).items():
            dialog.locator(f"#element_{field} input").first.fill(words)
            self.page.get_by_role("option").filter(has_text=words).first.click()
        if dry_run:
            dialog.locator('[id="switch:element_dry_run"]').click()

    def open_question(self, dag_id: str, run_id: str, task_id: str) -> None:
        """Open the question of an approval task and wait until its buttons are there."""
        self.open(f"/dags/{dag_id}/runs/{run_id}/tasks/{task_id}/required_actions")
        expect(self.page.get_by_role("button", name=APPROVE)).to_be_visible()

    def answer(self, dag_id: str, run_id: str, task_id: str, option: str = APPROVE) -> None:
        """Answer an approval, and wait until the page has taken the answer."""
        self.open_question(dag_id, run_id, task_id)
        with self.page.expect_response(lambda response: "hitlDetails" in response.url
                                       and response.request.method == "PATCH") as answered:  # fmt: skip
            self.page.get_by_role("button", name=option).click()
        assert answered.value.ok, answered.value.text()

    def try_to_answer(self, dag_id: str, run_id: str, task_id: str, option: str = APPROVE) -> int:
        """Press the button of an approval that is for others; returns the status with which the page refuses."""
        self.open_question(dag_id, run_id, task_id)
        with self.page.expect_response(lambda response: "hitlDetails" in response.url
                                       and response.request.method == "PATCH") as answered:  # fmt: skip
            self.page.get_by_role("button", name=option).click()
        return int(answered.value.status)

    def campaign_page(self) -> FrameLocator:
        """Open the campaign page from Airflow's menu; returns its frame."""
        self.open("/plugin/campaign")
        frame = self.page.frame_locator("iframe")
        expect(frame.locator("h1")).to_be_visible()
        return frame

    def shoot(self, file: Path, *, full: bool = False) -> None:
        """Keep a picture of what is seen."""
        file.parent.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=file, full_page=full, animations="disabled")
