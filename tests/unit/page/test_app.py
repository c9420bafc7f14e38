"""What the application serves, and to whom. Airflow's own login is tried in a browser elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import kit
import pytest
from fastapi import Depends, FastAPI, HTTPException
from starlette.testclient import TestClient

from kakuninsho.page.app import Reader, build_app
from kakuninsho.settings import Settings

Client = Callable[..., TestClient]


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Client:
    """A server that mounts the page as Airflow does; `user` is who has logged in."""
    kit.publish(tmp_path)
    settings = replace(Settings.from_environment(), data=tmp_path)
    settings.store.initialise()
    waiting = tmp_path / "outbox" / "release-2025-08-01"
    waiting.mkdir(parents=True)
    (waiting / "pv1_lot_1.csv").write_bytes(b"names")
    monkeypatch.setattr("kakuninsho.page.app.proof_pdf", lambda clear: b"%PDF of " + clear.read_bytes())
    validations = tmp_path / "published" / "validations" / "as_of=2025-04-30"
    validations.mkdir(parents=True)
    (validations / "register.html").write_text("検査結果", encoding="utf-8")
    (tmp_path / "published" / "validations" / "raw.parquet").write_bytes(b"rows")

    def made(user: str | None = "analyst", *, may_approve: bool = False) -> TestClient:
        def logged_in() -> None:
            if user is None:
                raise HTTPException(401)

        server = FastAPI()
        page = build_app(
            lambda: settings, dependencies=[Depends(logged_in)], reader=lambda: Reader(str(user), may_approve)
        )
        server.mount("/campaign", page)
        return TestClient(server)

    return made


PATHS = (
    "/campaign/",
    "/campaign/docs/index.html",
    "/campaign/docs/dbt.html",
    "/campaign/docs/summary.json",
    "/campaign/docs/runbooks/lot_rejected.html",
    "/campaign/validations/as_of=2025-04-30/register.html",
    "/campaign/proofs/",
    "/campaign/proofs/release-2025-08-01/pv1_lot_1.proof.pdf",
    "/campaign/docs",
    "/campaign/redoc",
    "/campaign/openapi.json",
)


@pytest.mark.parametrize("path", PATHS)
def test_nobody_sees_anything_without_login(client: Client, path: str) -> None:
    answer = client(None).get(path, follow_redirects=False)
    assert answer.status_code in {401, 404, 307}
    assert "%PDF" not in answer.text
    assert "台帳" not in answer.text


@pytest.mark.parametrize("path", PATHS[:1] + PATHS[6:8])
def test_without_login_the_answer_is_401(client: Client, path: str) -> None:
    assert client(None).get(path).status_code == 401


def test_whoever_is_logged_in_sees_the_page_its_documents_and_reports(client: Client) -> None:
    page = client().get("/campaign/")
    assert page.status_code == 200
    assert "39,700,000" in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "検査報告" in client().get("/campaign/docs/index.html").text
    assert "手順書" in client().get("/campaign/docs/runbooks/index.html").text
    assert client().get("/campaign/validations/as_of=2025-04-30/register.html").text == "検査結果"


def test_proofs_are_only_for_those_who_may_approve(client: Client) -> None:
    for path in ("/campaign/proofs/", "/campaign/proofs/release-2025-08-01/pv1_lot_1.proof.pdf"):
        assert client().get(path).status_code == 403
    approver = client("approver1", may_approve=True)
    assert "pv1_lot_1.proof.pdf" in approver.get("/campaign/proofs/").text
    assert approver.get("/campaign/proofs/release-2025-08-01/pv1_lot_1.proof.pdf").content.startswith(b"%PDF")
    assert "proofs/" not in client().get("/campaign/").text


def test_who_opened_a_proof_is_logged(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        client("approver1", may_approve=True).get("/campaign/proofs/release-2025-08-01/pv1_lot_1.proof.pdf")
    assert "opened by approver1" in caplog.text


@pytest.mark.parametrize(
    "path",
    [
        "/campaign/analytics.duckdb",
        "/campaign/validations/../analytics.duckdb",
        "/campaign/validations/%2e%2e/analytics.duckdb",
        "/campaign/validations/%2e%2e/%2e%2e/proofs/release-2025-08-01/pv1_lot_1.proof.pdf",
        "/campaign/validations/raw.parquet",
        "/campaign/parquet/fct_certificates.parquet",
        "/campaign/restricted/analytics.duckdb",
        "/campaign/docs/runbooks/%2e%2e/%2e%2e/pyproject.toml",
        "/campaign/docs/runbooks/unknown.html",
    ],
)
def test_nothing_else_of_the_data_folder_is_served(client: Client, path: str) -> None:
    assert client("approver1", may_approve=True).get(path).status_code == 404


def test_before_the_first_publication_the_page_says_what_to_do(client: Client, tmp_path: Path) -> None:
    (tmp_path / "published" / "analytics.duckdb").unlink()
    answer = client().get("/campaign/")
    assert answer.status_code == 200
    assert "publish_for_analysts" in answer.text
