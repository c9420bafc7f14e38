"""The season as people play it in Chromium: log in, fill a form, approve as two people, read the campaign page.

Pictures are kept under var/screenshots/ for people to look at.
"""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import duckdb
import pytest
from page_objects import Browser, Person, chromium
from playwright.sync_api import expect

from kakuninsho.facts.store import FactStore
from kakuninsho.paths import PROJECT_ROOT
from kakuninsho.plans.approvals import approvals_of
from server_kit import READING_SECONDS, Run, Server, running_server, until

pytestmark = pytest.mark.browser

SHOTS = PROJECT_ROOT / "var" / "screenshots"
PEOPLE = ("operator", "approver1", "approver2", "analyst")
POSTING_DATE = "2025-08-01"
RELEASE = f"release-{POSTING_DATE}"
SNAPSHOT = "2025-04-30"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_server(tmp_path_factory.mktemp("browser") / "data") as running:
        yield running


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with chromium(tmp_path_factory.mktemp("chromium")) as running:
        yield running


@pytest.fixture(scope="module")
def person(server: Server, browser: Browser) -> Callable[[str], Person]:
    """Each person, logged in once through the form."""
    known: dict[str, Person] = {}

    def find(name: str) -> Person:
        if name not in known:
            known[name] = Person(browser, server.url, name).log_in(server.passwords[name])
        return known[name]

    return find


def started(server: Server, person: Person, dag_id: str, **answers: Any) -> Run:
    return Run(server.as_person("operator"), dag_id, person.trigger(dag_id, **answers))


def answer(run: Run, person: Person, task_id: str) -> None:
    """Wait until the question is asked, read it, answer it."""
    run.wait_for(task_id, "awaiting_input", "deferred")
    time.sleep(READING_SECONDS)
    person.answer(run.dag_id, run.run_id, task_id)


@pytest.fixture(scope="module")
def landed(server: Server, person: Callable[[str], Person]) -> Run:
    run = started(server, person("operator"), "extract_register", as_of=SNAPSHOT)
    assert run.end() == "success"
    return run


@pytest.fixture(scope="module")
def tried(server: Server, landed: Run, person: Callable[[str], Person]) -> Run:
    """The hand-off as a dry run of one branch."""
    operator = person("operator")
    run = started(server, operator, "hand_off_to_printer", as_of="2025-05-15", choices={"branch": "13 "}, dry_run=True)
    assert run.end() == "success"
    return run


@pytest.fixture(scope="module")
def handed_off(server: Server, tried: Run, person: Callable[[str], Person]) -> Run:
    run = started(server, person("operator"), "hand_off_to_printer", as_of="2025-05-15")
    answer(run, person("approver1"), "approve_first")
    answer(run, person("approver2"), "approve_second")
    assert run.end() == "success"
    return run


@pytest.fixture(scope="module")
def opened(server: Server, handed_off: Run, person: Callable[[str], Person]) -> Run:
    run = started(server, person("operator"), "mail_wave", choices={"wave": "2025年8月"})
    assert run.end() == "success"
    return run


@pytest.fixture(scope="module")
def answered_by_one(server: Server, opened: Run, person: Callable[[str], Person]) -> Run:
    run = started(server, person("operator"), "release_lots", choices={"posting_date": POSTING_DATE})
    run.wait_for("approve_first", "awaiting_input", "deferred")
    person("approver1").open_question(run.dag_id, run.run_id, "approve_first")
    person("approver1").shoot(SHOTS / "approval.png")
    answer(run, person("approver1"), "approve_first")
    run.wait_for("approve_second", "awaiting_input", "deferred")
    return run


@pytest.fixture(scope="module")
def refused_second_answer(answered_by_one: Run, person: Callable[[str], Person]) -> int:
    """The status with which the page refuses the second answer of one person."""
    time.sleep(READING_SECONDS)
    return person("approver1").try_to_answer(answered_by_one.dag_id, answered_by_one.run_id, "approve_second")


@pytest.fixture(scope="module")
def released(answered_by_one: Run, refused_second_answer: int, server: Server, person: Callable[[str], Person]) -> Run:
    run = answered_by_one
    answer(run, person("approver2"), "approve_second")
    assert run.end() == "success"
    # Landing and sending start a publication of their own (asset).
    until(lambda: all(run.state() in {"success", "failed"} for run in server.runs("publish_for_analysts")), "publish")
    return run


@pytest.mark.parametrize("path", ["/campaign/", "/campaign/docs/index.html", "/campaign/docs/dbt.html",
                                  "/campaign/proofs/", "/api/v2/dags"])  # fmt: skip
def test_without_login_nothing_is_shown(server: Server, path: str) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(server.url + path, timeout=60)
    assert refused.value.code == 401


@pytest.mark.parametrize("name", PEOPLE)
def test_each_person_logs_in_and_finds_the_dags_by_their_japanese_names(
    server: Server, browser: Browser, person: Callable[[str], Person], name: str
) -> None:
    if name == "operator":
        stranger = Person(browser, server.url, name).open("/")
        expect(stranger.page.locator("input[name=password]")).to_be_visible()
        stranger.shoot(SHOTS / "login.png")
    reader = person(name).open("/dags?limit=50")
    for title in ("データ抽出", "データ提供 (印刷会社へ)", "差出し (再確認・引抜き・指示)", "日を進める (代役)"):
        expect(reader.page.get_by_text(title, exact=True).first).to_be_visible()
    reader.shoot(SHOTS / f"dags-{name}.png")


def test_analyst_cannot_start_anything(person: Callable[[str], Person], server: Server) -> None:
    before = len(server.runs("extract_register"))
    analyst = person("analyst").open("/dags/extract_register")
    expect(analyst.page.get_by_text("データ抽出").first).to_be_visible()
    button = analyst.page.get_by_test_id("trigger-dag-button").first
    if button.count() and button.is_enabled():
        with analyst.page.expect_response(lambda answer: answer.request.method == "POST") as refused:
            button.click()
            analyst.page.get_by_role("dialog").get_by_role("button", name="トリガー").click()
        assert refused.value.status == 403
    assert len(server.runs("extract_register")) == before


def test_form_has_titles_help_and_choices_in_japanese(person: Callable[[str], Person]) -> None:
    operator = person("operator")
    form = operator.open_form("release_lots")
    for words in ("基準日", "差出日", "支部 (試行のみ)", "試行 (送らない)"):
        expect(form.get_by_text(words).first).to_be_visible()
    operator.fill(form, choices={"posting_date": POSTING_DATE})
    form.get_by_text("試行 (送らない)").first.scroll_into_view_if_needed()
    operator.shoot(SHOTS / "form.png")


def test_form_refuses_a_day_outside_the_campaign(person: Callable[[str], Person], server: Server) -> None:
    before = len(server.runs("extract_register"))
    operator = person("operator")
    form = operator.open_form("extract_register")
    operator.fill(form, as_of="2026-11-23")
    with operator.page.expect_response(lambda answer: answer.request.method == "POST") as refused:
        form.get_by_role("button", name="トリガー").click()
    assert 400 <= refused.value.status < 500
    assert len(server.runs("extract_register")) == before


def test_register_lands_by_the_form(server: Server, landed: Run) -> None:
    assert FactStore(server.data).find("register", "as_of=2025-04-30") is not None


def test_dry_run_shows_its_branch_and_freezes_nothing(
    server: Server, tried: Run, person: Callable[[str], Person]
) -> None:
    assert tried.tasks()["freeze_plan"]["state"] == "skipped"
    reader = person("approver1").open("/campaign/previews/home-2025-04-30-13.html")
    expect(reader.page.get_by_role("heading", name="支部ごと")).to_be_visible()
    expect(reader.page.get_by_text("13 東京支部").last).to_be_visible()
    assert reader.page.get_by_text("01 北海道支部").count() == 0
    reader.shoot(SHOTS / "dry-run.png")


def test_report_of_single_branches_is_not_for_analysts(tried: Run, person: Callable[[str], Person]) -> None:
    answered = person("analyst").page.goto(person("analyst").url + "/campaign/previews/home-2025-04-30-13.html")
    assert answered is not None
    assert answered.status == 403


def test_hand_off_is_sent_after_two_people_approved_in_the_page(server: Server, handed_off: Run) -> None:
    rows = approvals_of(FactStore(server.data), "home-2025-04-30")
    assert [(row["decided_by"], row["decision"]) for row in rows] == [
        ("approver1", "approved"),
        ("approver2", "approved"),
    ]


def test_wave_is_opened_by_its_month(server: Server, opened: Run) -> None:
    assert (server.data / "published" / "waves" / "2025-08.csv").is_file()


def test_one_person_cannot_approve_twice_and_the_question_stays_open(refused_second_answer: int) -> None:
    assert refused_second_answer == 403


def test_release_is_sent_after_two_people_approved(
    server: Server, released: Run, person: Callable[[str], Person]
) -> None:
    rows = approvals_of(FactStore(server.data), RELEASE)
    assert {row["decided_by"] for row in rows} == {"approver1", "approver2"}
    reader = person("operator").open(f"/dags/release_lots/runs/{released.run_id}")
    expect(reader.page.get_by_text("封緘・送付").first).to_be_visible()
    reader.shoot(SHOTS / "release.png")


def test_campaign_page_has_the_numbers_of_the_mart(
    server: Server, released: Run, person: Callable[[str], Person]
) -> None:
    analyst = person("analyst")
    frame = analyst.campaign_page()
    shown = {
        row.get_attribute("data-stage"): tuple(
            int(row.locator(f"td.{side}").inner_text().replace(",", "")) for side in ("left", "right", "difference")
        )
        for row in frame.locator("tr[data-stage]").all()
    }
    connection = duckdb.connect(str(server.data / "published" / "analytics.duckdb"), read_only=True)
    try:
        rows = connection.execute("select stage, left_side, right_side, difference from marts.fct_ledger").fetchall()
    finally:
        connection.close()
    assert len(rows) >= 7
    assert shown == {stage: (left, right, difference) for stage, left, right, difference in rows}
    analyst.shoot(SHOTS / "campaign.png")
    whole = analyst.open("/campaign/")
    expect(whole.page.locator("h1")).to_be_visible()
    whole.shoot(SHOTS / "campaign-whole.png", full=True)


def test_dbt_docs_open_behind_the_login(released: Run, person: Callable[[str], Person]) -> None:
    analyst = person("analyst").open("/campaign/docs/dbt.html")
    expect(analyst.page.get_by_role("link", name="dbt logo")).to_be_visible()
    analyst.page.goto(analyst.url + "/campaign/docs/dbt.html#!/model/model.kakuninsho.fct_ledger")
    expect(analyst.page.get_by_role("heading", name="fct_ledger")).to_be_visible()
    analyst.shoot(SHOTS / "dbt-docs.png")


def test_proofs_are_for_approvers_only(released: Run, person: Callable[[str], Person]) -> None:
    approver = person("approver1").open("/campaign/proofs/")
    # A release without a supplementary lot has nothing to proof; the hand-off has.
    expect(approver.page.get_by_text(f"home-{SNAPSHOT}")).to_be_visible()
    refused = person("analyst").page.goto(person("analyst").url + "/campaign/proofs/")
    assert refused is not None
    assert refused.status == 403


def test_days_pass_from_the_page(server: Server, released: Run, person: Callable[[str], Person]) -> None:
    operator = person("operator").open("/dags/let_days_pass")
    operator.page.get_by_test_id("trigger-dag-button").first.click()
    dialog = operator.page.get_by_role("dialog")
    expect(dialog.get_by_text("予定の DAG を始める")).to_be_visible()
    dialog.locator("#element_to").fill(POSTING_DATE)
    operator.shoot(SHOTS / "days.png")
    with operator.page.expect_response(lambda answer: answer.request.method == "POST") as made:
        dialog.get_by_role("button", name="トリガー").click()
    run = Run(server.as_person("operator"), "let_days_pass", str(made.value.json()["dag_run_id"]))
    # A run that waits for people waits here too: days do not pass over an approval.
    until(lambda: server.runs("follow_up_employers"), "the follow-up of that day")
    follow_up = server.runs("follow_up_employers")[0]
    answer(follow_up, person("approver1"), "approve_first")
    answer(follow_up, person("approver2"), "approve_second")
    assert follow_up.end() == "success"
    assert run.end() == "success"
    sent = (server.data / "outside" / "sftp" / "from_printer").iterdir()
    assert any("_ack_" in path.name for path in sent)
