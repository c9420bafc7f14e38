"""The campaign page and what it leads to, as an application to be mounted behind somebody else's login.

    /                          the campaign page
    /docs/index.html           validation reports, dbt docs, ledger
    /docs/dbt.html             dbt docs
    /docs/runbooks/…           runbooks, one page an alert
    /docs/analysts.html        the analysts' guide
    /validations/… /waves/…    files as they were published
    /previews/…                what a run would send, by branch: only for those who may approve
    /proofs/…                  pieces as they will be sent, with names: only for those who may approve

It knows neither Airflow nor any user: whoever mounts it passes what must hold for every request, and says who may
approve. The published database itself is not served.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.responses import FileResponse, HTMLResponse, Response

from kakuninsho import docs_site
from kakuninsho.documents.proofs import PROOF_SUFFIX, proof_pdf
from kakuninsho.page import documents, figures, render
from kakuninsho.settings import Settings

log = logging.getLogger(__name__)

SERVED_FOLDERS = ("validations", "waves")
SERVED_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".json": "application/json",
    ".csv": "text/csv; charset=utf-8",
    ".svg": "image/svg+xml",
}
# Nothing is fetched from elsewhere, and only Airflow's own pages may frame it. dbt docs brings its own script.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'self'; base-uri 'none'"
DBT_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline' 'unsafe-eval'; img-src 'self' data:;"
    " font-src data:; frame-ancestors 'self'; base-uri 'none'"
)
HEADERS = {"Cache-Control": "private, no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin"}


@dataclass(frozen=True)
class Reader:
    """Who asks, as far as the page must know."""

    name: str
    may_approve: bool


def build_app(
    settings: Callable[[], Settings], *, dependencies: Sequence[Any], reader: Callable[..., Reader]
) -> FastAPI:
    """The application.

    Args:
        settings: gives the installation, asked at each request.
        dependencies: what must hold for every request; they raise where it does not.
        reader: a dependency that says who asks.
    """
    # Of FastAPI's own pages none is wanted: they would describe the page to whoever asks, before any login.
    app = FastAPI(dependencies=list(dependencies), docs_url=None, redoc_url=None, openapi_url=None)
    known = Depends(reader)

    @app.get("/", response_class=HTMLResponse)
    def campaign_page(request: Request, reader: Reader = known) -> HTMLResponse:
        now = settings()
        base = _base(request)
        try:
            found = figures.read(now.data)
        except figures.NothingPublishedError as error:
            return _html(
                render.message_page(str(error), title=now.campaign.title, base=base, may_approve=reader.may_approve)
            )
        return _html(
            render.campaign_page(
                found,
                title=now.campaign.title,
                base=base,
                runbooks=documents.runbook_titles(),
                may_approve=reader.may_approve,
            )
        )

    @app.get("/docs/{path:path}")
    def document(path: str) -> Response:
        now = settings()
        published = now.data / "published"
        if path == "dbt.html":
            return _dbt_docs(published / "docs" / "dbt.html")
        if path == "index.html":
            reports = docs_site.find_reports(published / "validations")
            return _html(docs_site.render(now, reports, "../"))
        if path == "summary.json":
            return _file(now.data, Path("summary.json"))
        page = docs_site.document_page(path)
        if page is None:
            raise HTTPException(404, "no such document")
        return _html(page)

    @app.get("/proofs/")
    def proofs(request: Request, reader: Reader = known) -> HTMLResponse:
        _require_approver(reader)
        return _html(render.proofs_page(proof_files(settings().data), base=_base(request)))

    @app.get("/proofs/{plan_id}/{name}")
    def proof(plan_id: str, name: str, reader: Reader = known) -> Response:
        _require_approver(reader)
        if name not in dict(proof_files(settings().data)).get(plan_id, []):
            raise HTTPException(404, "no such proof")
        log.info("proof %s of plan %s opened by %s", name, plan_id, reader.name)
        pdf = proof_pdf(settings().data / "outbox" / plan_id / f"{name.removesuffix(PROOF_SUFFIX)}.csv")
        shown = {"Content-Disposition": f'inline; filename="{name}"'}
        return Response(pdf, media_type="application/pdf", headers=HEADERS | shown)

    @app.get("/previews/{name}.html")
    def preview(name: str, reader: Reader = known) -> Response:
        _require_approver(reader)  # counts of single branches, small ones too
        return _file(settings().data / "published" / "previews", Path(f"{name}.html"))

    @app.get("/{folder}/{path:path}")
    def published_file(folder: str, path: str) -> Response:
        if folder not in SERVED_FOLDERS:
            raise HTTPException(404, "no such page")
        return _file(settings().data / "published" / folder, Path(path))

    return app


def proof_files(data: Path) -> list[tuple[str, list[str]]]:
    """Proofs that can be looked at, by plan, newest plan first: one of each lot file that waits to be sent.

    A proof is made from these bytes when somebody opens it, and kept nowhere.
    """
    folder = data / "outbox"
    plans = sorted((path for path in folder.iterdir() if path.is_dir()), reverse=True) if folder.is_dir() else []
    found = [(plan.name, sorted(f"{path.stem}{PROOF_SUFFIX}" for path in plan.glob("*_lot_*.csv"))) for plan in plans]
    return [(plan, names) for plan, names in found if names]


def _base(request: Request) -> str:
    """Where the application is mounted, with a slash at the end."""
    return str(request.scope.get("root_path", "")).rstrip("/") + "/"


def _require_approver(reader: Reader) -> None:
    if not reader.may_approve:
        raise HTTPException(403, "校正は承認できる人だけが開けます (proofs are for those who may approve)")


def _html(text: str, policy: str = POLICY) -> HTMLResponse:
    return HTMLResponse(text, headers={**HEADERS, "Content-Security-Policy": policy})


def _dbt_docs(path: Path) -> Response:
    if not path.is_file():
        raise HTTPException(404, "まだありません。make docs か DAG publish_for_analysts が作ります (not made yet)")
    return FileResponse(path, media_type="text/html", headers={**HEADERS, "Content-Security-Policy": DBT_POLICY})


def _file(folder: Path, path: Path) -> Response:
    """A file of a folder; nothing outside it, whatever the path says, and no type that is not listed."""
    found = (folder / path).resolve()
    if not found.is_relative_to(folder.resolve()) or not found.is_file() or found.suffix not in SERVED_TYPES:
        raise HTTPException(404, "no such file")
    return FileResponse(
        found, media_type=SERVED_TYPES[found.suffix], headers={**HEADERS, "Content-Security-Policy": POLICY}
    )
