"""The contracts for the core system's team are made from the tables that the doors read."""

from __future__ import annotations

import pytest

from kakuninsho.feeds.contract import TABLES as FEEDS
from kakuninsho.register.contract import TABLES as REGISTER
from kakuninsho.register.contract_document import DOCS, feeds_document, register_document


@pytest.mark.parametrize(
    ("name", "text"), [("register-contract.md", register_document()), ("feeds-contract.md", feeds_document())]
)
def test_a_document_is_current(name: str, text: str) -> None:
    assert (DOCS / name).read_text(encoding="utf-8") == text, (
        "write it again: python -m kakuninsho.register.contract_document"
    )


def test_every_table_and_column_is_told() -> None:
    told, feeds = register_document(), feeds_document()
    for table in REGISTER.values():
        section = told.split(f"## {table.name} (")[1].split("\n## ")[0]
        assert all(f"| `{column}` |" in section for column in table.column_names)
    for name in ("issue_requests", "certificate_returns", "decisions", "usage_counts"):
        section = feeds.split(f"## {name} (")[1].split("\n## ")[0]
        assert all(f"| `{column}` |" in section for column in FEEDS[name].column_names)
