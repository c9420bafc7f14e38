"""An alert is said once when it is raised, again when it has grown, and once when it is over."""

import json
import logging
import threading
from datetime import date
from http.server import BaseHTTPRequestHandler, HTTPServer

import duckdb
import pytest

from kakuninsho.alerting import (
    DeliveryError,
    LogChannel,
    MailChannel,
    WebhookChannel,
    announce,
    announce_failure,
    deliver,
    undelivered,
)

MONDAY, FRIDAY = date(2025, 8, 18), date(2025, 8, 22)
REJECTED = ("lot_rejected", "fy2025-H-01-20250801-01", 8, "2025-05-19", "critical")
WITHHELD = ("lot_withheld", "fy2025-H-02-20250801-01", 8, "2025-08-01", "warning")


@pytest.fixture
def publish(tmp_path):
    """Publish these alerts, and only these."""

    def rows(*alerts):
        path = tmp_path / "published" / "analytics.duckdb"
        path.parent.mkdir(exist_ok=True)
        path.unlink(missing_ok=True)
        with duckdb.connect(str(path)) as connection:
            connection.execute("create schema marts")
            connection.execute(
                """create table marts.fct_alerts (alert_code varchar, subject varchar, count bigint, raised_on date,
                runbook varchar, severity varchar)"""
            )
            for code, subject, count, raised_on, severity in alerts:
                runbook = f"docs/runbooks/{code}.md"
                connection.execute(
                    "insert into marts.fct_alerts values (?, ?, ?, ?, ?, ?)",
                    [code, subject, count, raised_on, runbook, severity],
                )

    return rows


def said(batch):
    return [(item.change, item.alert.alert_code, item.count_before, item.alert.count) for item in batch.announcements]


def test_new_alert_is_said_with_count_and_runbook_in_japanese(publish, tmp_path):
    publish(REJECTED)
    batch = announce(tmp_path, MONDAY, ["log"])
    assert said(batch) == [("raised", "lot_rejected", 0, 8)]
    assert batch.announcements[0].text == (
        "【警報・重大】印刷会社がロットを拒否した (lot_rejected) fy2025-H-01-20250801-01 8 件 発生日 2025-05-19 "
        "手順書 docs/runbooks/lot_rejected.md"
    )
    assert json.loads(batch.path.read_text())["announcements"][0]["alert"]["count"] == 8


def test_alert_that_was_said_is_not_said_again(publish, tmp_path):
    publish(REJECTED)
    assert announce(tmp_path, MONDAY, ["log"]) is not None
    assert announce(tmp_path, MONDAY, ["log"]) is None
    assert announce(tmp_path, FRIDAY, ["log"]) is None


def test_alert_that_has_grown_is_said_with_both_counts_and_one_that_shrank_is_not(publish, tmp_path):
    publish(REJECTED)
    announce(tmp_path, MONDAY, ["log"])
    publish((*REJECTED[:2], 7, *REJECTED[3:]))
    assert announce(tmp_path, FRIDAY, ["log"]) is None
    publish((*REJECTED[:2], 9, *REJECTED[3:]))
    batch = announce(tmp_path, FRIDAY, ["log"])
    assert said(batch) == [("grown", "lot_rejected", 8, 9)]
    assert "8 → 9 件" in batch.announcements[0].text


def test_alert_that_is_over_is_said_once_and_is_new_when_it_comes_back(publish, tmp_path):
    publish(REJECTED, WITHHELD)
    announce(tmp_path, MONDAY, ["log"])
    publish(WITHHELD)
    assert said(announce(tmp_path, FRIDAY, ["log"])) == [("cleared", "lot_rejected", 8, 8)]
    assert announce(tmp_path, FRIDAY, ["log"]) is None
    publish(WITHHELD, REJECTED)
    assert said(announce(tmp_path, FRIDAY, ["log"])) == [("raised", "lot_rejected", 0, 8)]


def test_critical_alerts_are_errors_in_the_log_and_what_is_over_is_information(publish, tmp_path, caplog):
    publish(REJECTED, WITHHELD)
    announce(tmp_path, MONDAY, ["log"])
    publish(WITHHELD)
    announce(tmp_path, FRIDAY, ["log"])
    with caplog.at_level(logging.INFO):
        assert deliver(undelivered(tmp_path), [LogChannel()]) == 2
        assert deliver(undelivered(tmp_path), [LogChannel()]) == 0
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING", "INFO"]


@pytest.fixture
def webhook():
    """A server that answers with the next of its statuses, and what it was sent."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            server.got.append((self.headers["Authorization"], json.loads(body)))
            self.send_response(server.statuses.pop(0))
            self.end_headers()

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    server.got, server.statuses = [], []
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def test_refused_webhook_waits_and_is_tried_again_without_saying_the_rest_twice(publish, tmp_path, webhook, caplog):
    channels = [LogChannel(), WebhookChannel(f"http://127.0.0.1:{webhook.server_port}/hook", "secret")]
    webhook.statuses[:] = [503, 200]
    publish(REJECTED)
    batch = announce(tmp_path, MONDAY, [channel.name for channel in channels])
    with pytest.raises(DeliveryError, match="webhook: HTTPError 503"):
        deliver(undelivered(tmp_path), channels)
    assert deliver(undelivered(tmp_path), channels) == 1
    assert undelivered(tmp_path) == []
    assert [token for token, _ in webhook.got] == ["Bearer secret"] * 2
    assert webhook.got[1][1]["text"] == batch.announcements[0].text
    assert sum("lot_rejected" in record.message for record in caplog.records) == 1


def test_channel_set_up_later_does_not_get_what_was_said_before(publish, tmp_path, webhook):
    publish(REJECTED)
    announce(tmp_path, MONDAY, ["log"])
    deliver(undelivered(tmp_path), [LogChannel()])
    hook = WebhookChannel(f"http://127.0.0.1:{webhook.server_port}/hook")
    assert deliver(undelivered(tmp_path), [LogChannel(), hook]) == 0
    assert webhook.got == []


def test_webhook_address_that_is_no_web_address_is_refused(publish, tmp_path):
    publish(REJECTED)
    announce(tmp_path, MONDAY, ["webhook"])
    with pytest.raises(DeliveryError, match="no http or https"):
        deliver(undelivered(tmp_path), [WebhookChannel("file:///etc/passwd")])


def test_mail_carries_the_counts_and_a_server_that_is_away_is_an_error(publish, tmp_path, monkeypatch):
    mails = []

    class Server:
        def __init__(self, host, port, timeout):
            assert (host, port) == ("mail.invalid", 25)

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def send_message(self, mail):
            mails.append(mail)

    channel = MailChannel("mail.invalid", 25, "from@example.invalid", ("a@example.invalid", "b@example.invalid"))
    publish(REJECTED, WITHHELD)
    announce(tmp_path, MONDAY, ["mail"])
    monkeypatch.setattr("kakuninsho.alerting.delivery.smtplib.SMTP", Server)
    deliver(undelivered(tmp_path), [channel])
    assert mails[0]["Subject"] == "[kakuninsho] 2025-08-18 警報 2 件 (重大 1 件)"
    assert mails[0]["To"] == "a@example.invalid, b@example.invalid"
    assert mails[0].get_content().count("手順書") == 2

    def away(*_, **__):
        raise ConnectionRefusedError

    monkeypatch.setattr("kakuninsho.alerting.delivery.smtplib.SMTP", away)
    publish(REJECTED)
    announce(tmp_path, FRIDAY, ["mail"])
    with pytest.raises(DeliveryError, match="mail: ConnectionRefusedError"):
        deliver(undelivered(tmp_path), [channel])


def test_failed_task_is_a_saying_of_its_own_and_no_alert_that_could_be_over(publish, tmp_path):
    publish()
    failure = {"dag_id": "mail_wave", "task_id": "show_month", "run_id": "manual__2025-07-01", "as_of": MONDAY}
    first = announce_failure(tmp_path, **failure, reason="PlanError", channels=["log"])
    again = announce_failure(tmp_path, **failure, reason="PlanError", channels=["log"])
    assert first.path.name == "failed-mail_wave-show_month-manual-2025-07-01-001.json"
    assert again.path.name.endswith("-002.json")
    assert "mail_wave.show_month" in first.announcements[0].text
    assert announce(tmp_path, MONDAY, ["log"]) is None
    assert deliver(undelivered(tmp_path), [LogChannel()]) == 2
