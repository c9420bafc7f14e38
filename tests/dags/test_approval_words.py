"""What an approver reads, rendered as Airflow does: warnings first; counts of a plan that makes pieces."""

from __future__ import annotations

from typing import Any

import jinja2
import pytest

from kakuninsho.paths import PROJECT_ROOT

BODY = PROJECT_ROOT / "include" / "kakuninsho" / "orchestration" / "approval.md.j2"


class Pulled:
    """The task instance of the template: what write_files handed on."""

    def __init__(self, passed: dict[str, Any]) -> None:
        self.passed = passed

    def xcom_pull(self, task_ids: str) -> dict[str, Any]:
        assert task_ids == "write_files"
        return self.passed


def rendered(kind: str, **wish: Any) -> str:
    totals = {"envelope_count": 7, "certificate_count": 9, "member_count": 9, "lots": 1}
    passed = {
        "plan_id": f"{kind}-2025-08-01",
        "totals": totals,
        "before": {},
        "warnings": ["確かめてください"],
        "branches": [],
        "deadline": "",
        "files": {"a.csv": "0" * 64},
        "sha256": "0" * 64,
        "wish": {"stop": None, "pieces": None} | wish,
    }
    return jinja2.Environment(autoescape=False).from_string(BODY.read_text(encoding="utf-8")).render(ti=Pulled(passed))


@pytest.mark.parametrize(("kind", "wish", "has_counts"), [("release", {}, True), ("pull", {"pieces": "0a"}, False)])
def test_warnings_stand_first_and_counts_only_where_pieces_are_made(
    kind: str, wish: dict[str, Any], has_counts: bool
) -> None:
    text = rendered(kind, **wish)
    assert text.index("確かめてください") < text.index(f"{kind}-2025-08-01")
    assert ("| 封筒 | 7 |" in text) is has_counts
    assert f"/campaign/previews/{kind}-2025-08-01.html" in text
