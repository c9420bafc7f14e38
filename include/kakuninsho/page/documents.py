"""Documents of the repository as pages: runbooks and guides, from their Markdown."""

from __future__ import annotations

import re
from pathlib import Path

from markdown_it import MarkdownIt
from markupsafe import Markup

from kakuninsho.page.render import environment
from kakuninsho.paths import PROJECT_ROOT

DOCS = PROJECT_ROOT / "docs"
RUNBOOKS = DOCS / "runbooks"
ANALYSTS = DOCS / "analysts.md"
LINK = re.compile(r'(href="(?![a-z]+:)[^"]*?)(?:README)?\.md((?:#[^"]*)?")')


def runbook_titles() -> dict[str, str]:
    """Title by alert code of every runbook, without the code that stands in it."""
    return {
        path.stem: re.sub(r"\s*\(`[^`]*`\)\s*$", "", title(path))
        for path in sorted(RUNBOOKS.glob("*.md"))
        if path.stem != "README"
    }


def title(path: Path) -> str:
    """The first heading of a document."""
    return next(
        (line.lstrip("# ").strip() for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("# ")),
        path.stem,
    )


def page(path: Path, *, back: str) -> str:
    """One document as a page. Links between documents of a folder are kept; raw HTML in it is shown as text."""
    html = MarkdownIt("commonmark", {"html": False}).enable("table").render(path.read_text(encoding="utf-8"))
    content = Markup(LINK.sub(_to_page, html))  # noqa: S704 (escaped by the Markdown renderer)
    return environment().get_template("document.html").render(heading=title(path), content=content, back=back)


def _to_page(found: re.Match[str]) -> str:
    whole = found.group(0)
    return f"{found.group(1)}{'index' if 'README.md' in whole else ''}.html{found.group(2)}"
