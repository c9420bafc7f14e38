"""docs/rules.md is what the code refers to: every reference has a heading, every parameter a value and a source."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from kakuninsho.campaign import load_campaign
from kakuninsho.campaign.document import DOCUMENT, campaign_document
from kakuninsho.paths import PROJECT_ROOT

RULES = PROJECT_ROOT / "docs" / "rules.md"
FOLDERS = (
    "include",
    "dbt_project/models",
    "dbt_project/macros",
    "dbt_project/tests",
    "dags",
    "expectations",
    "plugins",
)
SUFFIXES = {".py", ".sql", ".yml", ".yaml", ".md", ".j2"}
# "rules: undelivered mail, one bundle per employer": the words up to the first comma are a heading.
REFERENCE = re.compile(r"[(\"][Rr]ules: ([A-Za-z0-9_][^).;\"|,]*)")


def words(text: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"[^a-z0-9_ ]", " ", text.lower())).strip()


def headings() -> str:
    lines = [line for line in RULES.read_text(encoding="utf-8").splitlines() if line.startswith("#")]
    return " | ".join(words(line) for line in lines)


def references() -> Iterator[tuple[Path, str]]:
    for folder in FOLDERS:
        for path in sorted((PROJECT_ROOT / folder).rglob("*")):
            if path.suffix in SUFFIXES and "target" not in path.parts:
                text = re.sub(r"\n\s*(--|#|\")?\s*", " ", path.read_text(encoding="utf-8"))
                for found in REFERENCE.finditer(text):
                    yield path.relative_to(PROJECT_ROOT), found[1]


def test_every_reference_to_a_rule_has_its_heading() -> None:
    known = headings()
    lost = sorted({f"{path}: {text}" for path, text in references() if words(text) not in known})
    assert lost == []


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`([a-z0-9_]+)`", RULES.read_text(encoding="utf-8")))))
def test_a_name_in_the_rules_is_a_parameter_or_a_word_of_the_files(name: str) -> None:
    schemas = (PROJECT_ROOT / "include/kakuninsho/facts/schemas.py").read_text(encoding="utf-8")
    marts = " ".join(path.read_text(encoding="utf-8") for path in (PROJECT_ROOT / "dbt_project/models").rglob("*.yml"))
    code = " ".join(path.read_text(encoding="utf-8") for path in (PROJECT_ROOT / "include").rglob("*.py"))
    assert name in load_campaign().sourced or name in schemas or name in marts or name in code


def test_the_page_of_parameters_is_current() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == campaign_document(), (
        "write it again: python -m kakuninsho.campaign.document"
    )
