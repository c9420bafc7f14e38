"""What leaves is what was shown: files of the outbox are taken only as they were written."""

from __future__ import annotations

import hashlib
from datetime import date
from pathlib import Path

import pytest

from kakuninsho.printer.lot_file import ClearFile
from kakuninsho.printer.outbox import note_files, waiting_files


@pytest.fixture
def outbox(tmp_path: Path) -> Path:
    files = []
    for kind in ("lot", "pull_list"):
        path = tmp_path / f"{kind}.csv"
        path.write_bytes(kind.encode())
        files.append(
            ClearFile(
                file_kind=kind,
                campaign="fy2025",
                name=path.name,
                path=path,
                row_count=1,
                byte_count=path.stat().st_size,
                sha256=hashlib.sha256(kind.encode()).hexdigest(),
                posting_date=date(2025, 7, 8),
                enclosures={"leaflet": 3},
                weight_g="12.4",
                related_files=({"name": "a", "sha256": "b"},),
            )
        )
    note_files(files, tmp_path)
    return tmp_path


def test_files_that_wait_come_back_with_their_totals_in_their_order(outbox: Path) -> None:
    files = waiting_files(outbox)
    assert files is not None
    assert [file.name for file in files] == ["lot.csv", "pull_list.csv"]
    assert files[0].posting_date == date(2025, 7, 8)
    assert files[0].enclosures == {"leaflet": 3}
    assert files[0].related_files == ({"name": "a", "sha256": "b"},)


def test_one_changed_byte_and_none_of_them_is_taken(outbox: Path) -> None:
    (outbox / "pull_list.csv").write_bytes(b"pull_lisT")
    assert waiting_files(outbox) is None


def test_a_missing_file_and_none_of_them_is_taken(outbox: Path) -> None:
    (outbox / "lot.csv").unlink()
    assert waiting_files(outbox) is None


def test_an_outbox_whose_writing_was_interrupted_is_not_taken(outbox: Path) -> None:
    (outbox / "files.json").unlink()
    assert waiting_files(outbox) is None
