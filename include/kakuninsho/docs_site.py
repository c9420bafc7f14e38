"""The documents of an installation: dbt docs, validation reports, runbooks, guides, and the campaign page as a file.

`make docs` writes them under `<data>/published/docs/`; links are relative, so the folder `published/` can be copied
elsewhere. The page inside Airflow serves the same documents, rendered when they are asked for, behind its login.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from kakuninsho.facts.store import FactStore
from kakuninsho.operations.publishing import newest_fact_on
from kakuninsho.page import documents, figures
from kakuninsho.page import render as pages
from kakuninsho.settings import Settings
from kakuninsho.warehouse import Context, write_context
from kakuninsho.warehouse.transform import call_dbt, project_hash

STATIC_PAGE = "static_index.html"  # what `dbt docs generate --static` writes: models, columns, lineage in one file
# Guides by the name of their page; one that is not written is left out.
GUIDES = {"analysts": documents.ANALYSTS, "operator-guide": documents.DOCS / "operator-guide.ja.md"}


@dataclass(frozen=True)
class Report:
    """One validation report: a gate that judged a drop, a feed's file or a plan."""

    subject: str
    suite: str
    page: Path
    failed_critical: int
    failed_warning: int
    link: str = ""

    @property
    def verdict(self) -> tuple[str, str]:
        """Row class and words."""
        if self.failed_critical:
            return "stop", f"停止 {self.failed_critical} 件 (stopped)"
        if self.failed_warning:
            return "warn", f"注意 {self.failed_warning} 件 (warnings)"
        return "ok", "合格 (passed)"

    @property
    def worst(self) -> int:
        """0 passed, 1 with warnings, 2 stopped."""
        return 2 if self.failed_critical else 1 if self.failed_warning else 0

    @property
    def is_noted(self) -> bool:
        """Whether somebody should look at it."""
        return self.worst > 0


def build(settings: Settings) -> Path:
    """Write the index and what it leads to; returns the index.

    dbt reads the warehouse for the catalog, so nothing else may hold it meanwhile.

    Raises:
        TransformError: dbt could not make its documentation.
    """
    folder = settings.data / "published" / "docs"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    settings.store.initialise()
    _write_dbt_docs(settings, folder)
    if (settings.data / "summary.json").exists():
        shutil.copyfile(settings.data / "summary.json", folder / "summary.json")
    for name in document_names():
        _write(folder / name, document_page(name) or "")
    _write(folder / "campaign.html", _campaign_page(settings))
    page = folder / "index.html"
    _write(page, render(settings, find_reports(settings.data / "published" / "validations"), "campaign.html"))
    return page


def refresh_dbt_docs(settings: Settings) -> bool:
    """Make dbt docs again where the project has changed since; the caller holds the warehouse's slot.

    Raises:
        TransformError: dbt could not make its documentation.
    """
    folder = settings.data / "published" / "docs"
    mark = folder / "dbt.project"
    if (folder / "dbt.html").is_file() and mark.is_file() and mark.read_text(encoding="utf-8") == project_hash():
        return False
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    _write_dbt_docs(settings, folder)
    return True


def _write_dbt_docs(settings: Settings, folder: Path) -> None:
    day = newest_fact_on(settings.store) or settings.campaign.parameters.snapshot_as_of
    if not (settings.data / "context").exists():
        write_context(settings.store, settings.campaign, Context(day))
    call_dbt(settings.data, ["docs", "generate", "--static"])
    part = folder / "dbt.part"
    shutil.copyfile(settings.data / "dbt" / "target" / STATIC_PAGE, part)
    part.replace(folder / "dbt.html")
    (folder / "dbt.project").write_text(project_hash(), encoding="utf-8")


def _campaign_page(settings: Settings) -> str:
    """The campaign page as a file: proofs are not led to, because a file asks nobody who they are."""
    title = settings.campaign.title
    try:
        found = figures.read(settings.data)
    except figures.NothingPublishedError as error:
        return pages.message_page(str(error), title=title, base="../", may_approve=False)
    return pages.campaign_page(found, title=title, base="../", runbooks=documents.runbook_titles())


def document_names() -> list[str]:
    """Every document of the repository that is shown, by the path of its page below docs/."""
    guides = [f"{name}.html" for name, path in GUIDES.items() if path.is_file()]
    return [*guides, "runbooks/index.html", *(f"runbooks/{code}.html" for code in documents.runbook_titles())]


def document_page(name: str) -> str | None:
    """A document of the repository as a page; None when it is none of `document_names`."""
    if name not in document_names():
        return None
    folder, _, file = name.rpartition("/")
    stem = file.removesuffix(".html")
    if not folder:
        return documents.page(GUIDES[stem], back="index.html")
    path = documents.RUNBOOKS / ("README.md" if stem == "index" else f"{stem}.md")
    return documents.page(path, back="../index.html" if stem == "index" else "index.html")


def find_reports(folder: Path) -> list[Report]:
    """Every validation report below a folder, by subject and suite."""
    reports = []
    for file in sorted(folder.rglob("*.json")):
        page = file.with_suffix(".html")
        if not page.exists():
            continue
        rules = json.loads(file.read_text(encoding="utf-8"))["rules"]
        failed = [rule["severity"] for rule in rules if rule["outcome"] in {"failed", "error"}]
        subject, *suite = file.relative_to(folder).with_suffix("").parts
        reports.append(
            Report(
                subject,
                "/".join(suite),
                page,
                failed.count("critical"),
                len(failed) - failed.count("critical"),
                Path("../validations", page.relative_to(folder)).as_posix(),
            )
        )
    return reports


def render(settings: Settings, reports: Iterable[Report], campaign_page: str) -> str:
    """The index; `campaign_page` is the link to that page."""
    file = settings.data / "summary.json"
    return (
        pages.environment()
        .get_template("index.html")
        .render(
            title=settings.campaign.title,
            day=_day(settings.store),
            campaign_page=campaign_page,
            guides=[(name, documents.title(path)) for name, path in GUIDES.items() if path.is_file()],
            summary=json.loads(file.read_text(encoding="utf-8")) if file.exists() else None,
            reports=[(subject, list(mine)) for subject, mine in groupby(reports, key=lambda report: report.subject)],
            tags=["good", "warning", "bad"],
        )
    )


def _day(store: FactStore) -> str:
    day = newest_fact_on(store)
    return f"最新の事実 (newest fact): {day}" if day else "まだ何も取り込まれていません (no facts yet)"


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = path.with_name(f"{path.name}.part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)
