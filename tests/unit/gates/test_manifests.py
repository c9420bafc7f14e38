"""A manifest is read back before it is uploaded: one wrong member is found by its name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kakuninsho.facts.chain import Head
from kakuninsho.facts.store import FactStore
from kakuninsho.gates import GateFailedError
from kakuninsho.gates.last_door import judge_manifests
from kakuninsho.gates.manifests import ManifestReading, SealedFile, manifest_fields, read_manifests
from kakuninsho.printer import samples
from kakuninsho.printer.lot_file import ClearFile
from kakuninsho.printer.manifest import make_manifest

KIND_OF = {"posting_date": "pull_list", "related_files": "release_order"}
KINDS = ("lot", "pull_list", "urgent_pull_list", "release_order", "stop_order")


def needed(kind: str) -> list[str]:
    return [item["name"] for item in manifest_fields() if item["for"] == "all" or kind in item["for"].split(", ")]


class Sealed:
    """The files of the golden sample, each with sealed bytes (any bytes do) and its manifest."""

    def __init__(self, folder: Path) -> None:
        self.files: dict[str, list[SealedFile]] = {}
        written = samples.write_samples(folder / "data", folder / "out")
        self.store = FactStore(folder / "data")
        together = {"lot": written[:3], "orders": written[3:5]}
        together |= {"stop_order": written[5:6], "urgent_pull_list": written[6:]}
        for name, clear in together.items():
            self.files[name] = [self._seal(file, folder) for file in clear]
        self.files["pull_list"], self.files["release_order"] = self.files["orders"], self.files["orders"][::-1]

    def _seal(self, file: ClearFile, folder: Path) -> SealedFile:
        sealed, manifest = folder / f"{file.name}.pgp", folder / f"{file.name}.manifest.json"
        sealed.write_bytes(b"sealed" + file.name.encode())
        manifest.write_bytes(make_manifest(file, sealed, facts_head=Head(3, "a" * 64)))
        return SealedFile(file.name, file.path, sealed, manifest)


@pytest.fixture
def sealed(tmp_path: Path) -> Sealed:
    return Sealed(tmp_path)


def told(reading: ManifestReading) -> list[str]:
    return [line.split(": ")[1] for line in reading.broken()]


def edit(file: SealedFile, change: dict[str, Any], drop: str = "") -> None:
    content = {**json.loads(file.manifest.read_text(encoding="utf-8")), **change}
    content.pop(drop, None)
    file.manifest.write_text(json.dumps(content), encoding="utf-8")


@pytest.mark.parametrize("kind", KINDS)
def test_true_manifests_pass_with_every_field_that_they_need(sealed: Sealed, kind: str) -> None:
    reading = read_manifests(sealed.files[kind])
    assert reading.broken() == []
    name = sealed.files[kind][0].name
    rows = [row for row in reading.fields if row["file_name"] == name and row["is_needed"]]
    assert [row["field"] for row in rows] == needed(kind)


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind in KINDS for name in needed(kind)])
def test_one_wrong_or_missing_member_is_found_by_its_name(sealed: Sealed, kind: str, name: str) -> None:
    file = sealed.files[kind][0]
    raw = file.manifest.read_bytes()
    value = json.loads(raw)[name]
    wrong = value + 1 if isinstance(value, int) else [] if value else "8" + str(value)[1:]
    edit(file, {name: ["x"] if value == [] else wrong})
    assert told(read_manifests(sealed.files[kind])) == [f"manifest.{name}"]
    file.manifest.write_bytes(raw)
    edit(file, {}, drop=name)
    assert told(read_manifests(sealed.files[kind])) == [f"manifest.{name}"]


def test_a_member_that_the_contract_does_not_have_is_found(sealed: Sealed) -> None:
    edit(sealed.files["lot"][0], {"note": "x"})
    assert told(read_manifests(sealed.files["lot"])) == ["manifest.other"]


def test_a_pull_list_that_the_release_does_not_name_is_found(sealed: Sealed) -> None:
    edit(sealed.files["release_order"][0], {"related_files": []})
    assert told(read_manifests(sealed.files["release_order"])) == ["manifest.related_files"]


def test_what_is_no_manifest_at_all_lacks_every_member(sealed: Sealed) -> None:
    sealed.files["stop_order"][0].manifest.write_text("[1", encoding="utf-8")
    assert told(read_manifests(sealed.files["stop_order"])) == [f"manifest.{name}" for name in needed("stop_order")]


def test_the_gate_stops_before_the_upload_and_names_file_and_field(sealed: Sealed, tmp_path: Path) -> None:
    plan, files = sealed.store.get("plans", "home-2025-04-30"), sealed.files["lot"]
    assert judge_manifests(sealed.store, plan, files, tmp_path / "reports") is not None
    edit(files[0], {"certificate_count": 6})
    with pytest.raises(GateFailedError, match=f"{files[0].name}: manifest.certificate_count"):
        judge_manifests(sealed.store, plan, files, tmp_path / "reports")
