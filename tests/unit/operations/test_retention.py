"""What is kept, what goes after two people have approved it, and that a deletion can be proved (rules: evidence)."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from approvals_kit import answer
from kakuninsho.facts.schemas import REGISTER, TRANSFERS
from kakuninsho.facts.store import ARROW_TYPES, write_empty
from kakuninsho.facts.verify import verify_facts
from kakuninsho.operations import retention
from kakuninsho.plans.approvals import APPROVED, REJECTED, ApprovalError, Subject
from kakuninsho.settings import Settings

FAR = date(2099, 1, 1)
DONE, OPEN = "fy2025-H-18-20250801-01", "fy2025-H-13-20250801-01"


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    made = replace(Settings.from_environment(), data=tmp_path / "data", keys=tmp_path / "keys")
    made.store.initialise()
    for name, kind in (
        ("2025-04-30", "full"),
        ("2025-05-31", "full"),
        ("2025-06-30", "full"),
        ("2025-07-30", "delta"),
    ):
        day = date.fromisoformat(name)
        with made.store.land("register", f"as_of={name}", received_on=day, source="test") as draft:
            draft.totals["kind"] = kind
            write_empty(draft.table("members"), REGISTER["members"])
    for lot in (DONE, OPEN):
        for step in ("sealed", "announced"):
            file = f"{lot}.csv"
            day = date(2025, 5, 15)
            with made.store.land("transfers", f"{file}--{step}", received_on=day, source="test") as draft:
                schema = pa.schema([(name, ARROW_TYPES[kind]) for name, kind in TRANSFERS["transfers"].items()])
                row = {"lot_id": lot, "file_name": file, "step": step, "received_on": day}
                pq.write_table(pa.Table.from_pylist([row], schema=schema), draft.table("transfers"))
                (draft.path / file).write_bytes(b"names")
    monkeypatch.setattr(retention, "_lots_that_are_done", lambda _settings: {DONE})
    return made


def test_the_snapshot_the_newest_register_and_open_lots_stay_whatever_their_age(settings: Settings) -> None:
    found = retention.expired(settings, FAR)
    assert [f"{fact.kind}/{fact.name}" for fact in found.facts] == [
        "register/as_of=2025-05-31",
        f"transfers/{DONE}.csv--announced",
        f"transfers/{DONE}.csv--sealed",
    ]


def test_nothing_is_deleted_for_a_day_that_has_not_come(settings: Settings) -> None:
    with pytest.raises(retention.RetentionError, match="has not come"):
        retention.expired(settings, FAR, own_day=date(2025, 12, 1))
    assert retention.expired(settings, FAR, own_day=FAR).facts


def test_the_last_month_of_keeping_is_kept(settings: Settings) -> None:
    assert not retention.expired(settings, date(2026, 4, 30)).facts
    assert len(retention.expired(settings, date(2026, 5, 1)).facts) == 2  # transfers of May 2025, kept 12 months


@pytest.mark.parametrize("decisions", [(), (APPROVED,), (APPROVED, REJECTED)])
def test_without_two_people_nothing_goes(settings: Settings, decisions: tuple[str, ...]) -> None:
    found = retention.expired(settings, FAR)
    answer(settings.store, found.subject, *decisions, on=FAR)
    with pytest.raises(ApprovalError):
        retention.delete(settings, found)
    assert len(retention.expired(settings, FAR).facts) == 3


def test_an_approval_of_other_facts_does_not_count(settings: Settings) -> None:
    found = retention.expired(settings, FAR)
    answer(settings.store, Subject(found.subject.name, "0" * 64), APPROVED, APPROVED, on=FAR)
    with pytest.raises(ApprovalError, match="other content"):
        retention.delete(settings, found)


def test_what_two_people_approved_goes_and_the_facts_still_verify(settings: Settings) -> None:
    found = retention.expired(settings, FAR)
    answer(settings.store, found.subject, APPROVED, APPROVED, on=FAR)
    assert retention.delete(settings, found) == {"register": 1, "transfers": 2}
    assert not settings.store.get("register", "as_of=2025-05-31").table("members").exists()
    assert settings.store.get("register", "as_of=2025-06-30").table("members").exists()
    sealed = settings.store.get("transfers", f"{DONE}.csv--sealed")
    assert not (sealed.path / f"{DONE}.csv").exists()
    assert sealed.table("transfers").exists(), "the ledger stands on it"
    assert not retention.expired(settings, FAR).facts
    result = verify_facts(settings.store)
    assert result.findings == []
    assert set(result.deleted) == {
        "register/as_of=2025-05-31",
        f"transfers/{DONE}.csv--announced",
        f"transfers/{DONE}.csv--sealed",
    }
