"""A rejected row still protects: what it says of protection is kept beside its key (rules: 2)."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest
from register_deliveries import AS_OF, Row, clean, deliver, member

from kakuninsho.campaign import load_campaign
from kakuninsho.register.drops import list_drops
from kakuninsho.register.landing import stage_drop


def rejects(folder: Path, rows: list[Row]) -> list[tuple[str, bool | None]]:
    deliver(folder / "register", {**clean(), "members": rows})
    work = folder / "work"
    (drop,) = list_drops(folder / "register", AS_OF)
    stage_drop(drop, load_campaign(), work)
    found = pq.read_table(work / "rejects.parquet", filters=[("file", "=", "members")]).to_pylist()
    return [(row["reason_code"], row["protected_readable"]) for row in found]


@pytest.mark.parametrize(
    ("said", "kept"),
    [("true", True), ("false", False), ("", None), ("yes", None)],
    ids=["true", "false", "empty", "odd"],
)
@pytest.mark.parametrize("broken", [{"sex": "F"}, {"lost_on": "1990-01-01"}, {"birth_date": "2031-01-01"}])
def test_what_a_rejected_row_says_is_kept(tmp_path: Path, said: str, kept: bool | None, broken: dict[str, str]) -> None:
    assert [flag for _, flag in rejects(tmp_path, [member(1), member(2, protected=said, **broken)])] == [kept]


def test_one_of_two_rows_of_a_key_protects_both(tmp_path: Path) -> None:
    found = rejects(tmp_path, [member(1), member(2, protected="true"), member(2, protected="false")])
    assert found == [("conflicting_duplicate", True)] * 2


def test_a_row_without_a_readable_key_keeps_its_own_word(tmp_path: Path) -> None:
    assert rejects(tmp_path, [member(1), member(2, number="x", protected="true")]) == [("bad_format", True)]
