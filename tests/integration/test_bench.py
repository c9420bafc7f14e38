"""The whole benchmark on 2,000 members: every phase, the ledger, manifests against marts, the floor byte for byte."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from kakuninsho.bench import commands
from kakuninsho.bench.errors import PartError

pytestmark = pytest.mark.slow


def test_the_pipeline_and_the_floor_write_the_same_lines(tmp_path):
    path = commands.bench(
        tmp_path / "data", members=2000, seed=7, memory="4GB", register=None, results=tmp_path / "results",
        keep=True, peers=False, console=Console(file=io.StringIO()),
    )  # fmt: skip
    run = json.loads(path.read_text(encoding="utf-8"))
    season, floor = run["parts"]["season"], run["parts"]["floor"]["result"]
    assert run["parts"]["compare"]["result"]["lots"] == floor["lots"] == 47
    assert {row["stage"]: row["left"] - row["right"] for row in season["result"]["ledger"]}.keys() >= {
        "1_register", "2_people", "3_envelopes", "4_transfers", "5_pieces", "6_posted", "7_returned",
        "8_everyone",
    }  # fmt: skip
    assert [phase["phase"] for phase in season["phases"]][:5] == [
        "start-up", "register: load and validate", "register: gates", "register: land", "home: dbt and draft",
    ]  # fmt: skip
    assert run["figures"]["peak_rss_mb"] < 2000

    # One certificate more in one of the floor's files, and the two are not the same any more.
    folder = tmp_path / "data" / "2000-7"
    lot = next((folder / "run" / "floor" / "lots").glob("*.csv"))
    lot.write_bytes(lot.read_bytes() + lot.read_bytes().splitlines(keepends=True)[-1])
    from kakuninsho.bench.guard import command_of, run_part

    command = command_of(
        "compare", data=folder / "run", register=folder / "register", members=2000, seed=7, memory="4GB"
    )
    with pytest.raises(PartError, match=f"1 of 47 lots differ from the floor's, the first is {lot.stem}"):
        run_part("compare", command, folder / "run", "4GB", log=tmp_path / "log")
