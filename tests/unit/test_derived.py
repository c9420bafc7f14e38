"""What is derived is made anew when it is broken; what cannot be written leaves what was there (rules: evidence)."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import duckdb
import pytest

from kakuninsho.derived import read_json, write_json
from kakuninsho.runs import recorded, records
from kakuninsho.warehouse.transform import remove_unusable

BROKEN = [b"", b"{", b"\x00" * 30, "仮".encode("cp932")]


@pytest.mark.parametrize("content", BROKEN)
def test_a_broken_file_reads_as_missing(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "mark.json").write_bytes(content)
    assert read_json(tmp_path / "mark.json") is None
    write_json(tmp_path / "mark.json", {"a": 1})
    assert read_json(tmp_path / "mark.json") == {"a": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["mark.json"]


@pytest.mark.parametrize("content", BROKEN)
def test_a_broken_record_of_a_run_harms_no_other(tmp_path: Path, content: bytes) -> None:
    with recorded(tmp_path, "draft", date(2025, 5, 15)) as record:
        record["rows"] = 7
    (tmp_path / "runs" / "2025-05-16-draft-1-1.json").write_bytes(content)
    assert [found["rows"] for found in records(tmp_path)] == [7]


def test_a_full_disk_leaves_the_record_that_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_json(tmp_path / "mark.json", {"a": 1})

    def full(*_arguments: object, **_more: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_text", full)
        with pytest.raises(OSError, match="No space"):
            write_json(tmp_path / "mark.json", {"a": 2})
    assert read_json(tmp_path / "mark.json") == {"a": 1}


@pytest.mark.parametrize("content", [b"", b"\x00" * 100_000, b"DUCK"])
def test_a_warehouse_that_is_no_database_is_built_anew(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "warehouse.duckdb"
    path.write_bytes(content)
    remove_unusable(tmp_path)
    assert not path.exists()
    duckdb.connect(str(path)).close()
    remove_unusable(tmp_path)
    assert path.exists()
