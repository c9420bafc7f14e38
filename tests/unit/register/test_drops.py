"""Which drops are there, and what a manifest must say (contract register/v1)."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest
from register_deliveries import AS_OF, clean, deliver, issued, write_manifest

from kakuninsho.campaign import load_campaign
from kakuninsho.facts.store import FactStore
from kakuninsho.register.drops import drop_at, incomplete_drops, list_drops, read_manifest
from kakuninsho.register.errors import Reason, RegisterDropError
from kakuninsho.register.landing import land_register, stage_drop


def test_drops_are_listed_oldest_first_up_to_the_day(tmp_path: Path) -> None:
    for day in (date(2025, 6, 30), date(2025, 4, 30), date(2025, 5, 31)):
        deliver(tmp_path, as_of=day)
    assert [drop.as_of for drop in list_drops(tmp_path, date(2025, 5, 31))] == [
        date(2025, 4, 30),
        date(2025, 5, 31),
    ]


def test_a_drop_without_manifest_is_waited_for(tmp_path: Path) -> None:
    (deliver(tmp_path) / "manifest.json").unlink()
    assert list_drops(tmp_path, AS_OF) == []
    assert [drop.as_of for drop in incomplete_drops(tmp_path, AS_OF)] == [AS_OF]


def test_other_folders_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "lost+found").mkdir()
    assert list_drops(tmp_path, AS_OF) == []


@pytest.mark.parametrize("name", ["as_of=2025-02-29", "as_of=20250430", "as_of=today"])
def test_a_folder_that_names_no_day_is_passed_over_and_told(
    tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / name).mkdir()
    assert list_drops(tmp_path, AS_OF) == []
    assert f"{name} beside the drops is no drop" in caplog.text


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_delta_may_leave_tables_out_and_no_drop_needs_issued_certificates(tmp_path: Path, form: str) -> None:
    full = stage_drop(drop_at(deliver(tmp_path, form=form)), load_campaign(), tmp_path / "full")
    assert set(full.files) == {"members", "addresses", "employers", "my_number_cards"}
    day = date(2025, 5, 30)
    folder = deliver(tmp_path, {"issued_certificates": [issued()]}, as_of=day, form=form, kind="delta")
    delta = stage_drop(drop_at(folder), load_campaign(), tmp_path / "delta")
    assert delta.rows == {"issued_certificates": 1}
    store = FactStore(tmp_path / "data")
    store.initialise()
    fact = land_register(store, delta, day)
    assert fact.meta["totals"]["manifest_rows"] == {"issued_certificates": 1}
    assert {table: fact.meta["rows"][table] for table in ("members", "issued_certificates")} == {
        "members": 0,
        "issued_certificates": 1,
    }


def test_an_empty_table_of_issued_certificates_says_that_none_lives(tmp_path: Path) -> None:
    folder = deliver(tmp_path, {**clean(), "issued_certificates": []})
    staged = stage_drop(drop_at(folder), load_campaign(), tmp_path / "work")
    assert staged.rows["issued_certificates"] == 0


def test_a_missing_register_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RegisterDropError) as refusal:
        list_drops(tmp_path / "nowhere", AS_OF)
    assert refusal.value.reason is Reason.MISSING_FILE


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"contract": "register/v2"}, Reason.UNKNOWN_CONTRACT),
        ({"as_of": "2025-05-01"}, Reason.WRONG_AS_OF),
        ({"kind": "partial"}, Reason.BAD_MANIFEST),
        ({"files": []}, Reason.MISSING_FILE),
        ({"files": [{"name": "../members.csv", "rows": 1, "sha256": "0" * 64}]}, Reason.BAD_MANIFEST),
        ({"files": [{"name": "members.csv", "rows": -1, "sha256": "0" * 64}]}, Reason.BAD_MANIFEST),
        ({"files": [{"name": "members.csv", "rows": 1, "sha256": "abc"}]}, Reason.BAD_MANIFEST),
        (
            {"files": [{"name": f"members.{form}", "rows": 1, "sha256": "0" * 64} for form in ("csv", "parquet")]},
            Reason.BAD_MANIFEST,
        ),
    ],
)
def test_a_manifest_that_breaks_the_contract_is_refused(
    tmp_path: Path, changes: dict[str, object], reason: Reason
) -> None:
    folder = deliver(tmp_path)
    write_manifest(folder, **changes)
    with pytest.raises(RegisterDropError) as refusal:
        read_manifest(drop_at(folder))
    assert refusal.value.reason is reason


@pytest.mark.parametrize("content", ["", "{", "[]", "null"])
def test_a_manifest_that_is_no_object_is_refused(tmp_path: Path, content: str) -> None:
    folder = deliver(tmp_path)
    (folder / "manifest.json").write_text(content, encoding="utf-8")
    with pytest.raises(RegisterDropError, match="JSON object"):
        read_manifest(drop_at(folder))


def test_the_content_of_a_drop_does_not_depend_on_how_its_manifest_is_written(tmp_path: Path) -> None:
    folder = deliver(tmp_path)
    before = read_manifest(drop_at(folder))
    raw = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    raw["files"].reverse()
    (folder / "manifest.json").write_text(json.dumps(raw, indent=4), encoding="utf-8")
    assert read_manifest(drop_at(folder)).content_sha256 == before.content_sha256
    write_manifest(folder, "delta")
    assert read_manifest(drop_at(folder)).content_sha256 != before.content_sha256
