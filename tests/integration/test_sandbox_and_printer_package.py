"""The pipeline's side and the sandbox's side of printer/v1 were written apart: here they meet, over real SFTP."""

from __future__ import annotations

import csv
import shutil
from datetime import date
from pathlib import Path

from sandbox_kit import Insurer, Process

from kakuninsho.facts.store import FactStore
from kakuninsho.printer.samples import BUNDLE_LOT, HOME_LOT, LIST_LOT, write_samples
from kakuninsho.printer.sealing import generate_keys, load_keys
from kakuninsho.printer.transfer import SftpTarget, fetch_answers, send_all


def test_the_golden_files_are_sent_printed_posted_and_reported(tmp_path: Path) -> None:
    insurer = Insurer(tmp_path / "outside_world")  # its own keys are replaced by those of the package
    keys_folder = tmp_path / "keys"
    generate_keys(keys_folder)
    for name in ("insurer.pgp.asc", "insurer_ssh.pub"):
        shutil.copyfile(keys_folder / name, insurer.root.keys / name)
    shutil.copyfile(insurer.root.keys / "printer.pgp.asc", keys_folder / "printer.pgp.asc")
    keys = load_keys(keys_folder)
    store = FactStore(tmp_path / "data")
    store.initialise()
    (tmp_path / "clear").mkdir()
    home, bundles, lists, pulls, release, stop, _urgent = write_samples(tmp_path / "scratch", tmp_path / "clear")
    with Process(insurer, "--start", "2025-06-12", "--acknowledge", "daily") as outside:
        target = SftpTarget(
            "127.0.0.1",
            outside.port,
            "insurer",
            keys_folder / "insurer_ssh",
            (insurer.root.keys / "host_key.pub").read_text(),
        )
        for files, then in (
            ([home, lists], date(2025, 10, 2)),
            ([pulls, release], date(2025, 10, 31)),
            ([bundles, stop], date(2025, 12, 1)),
        ):
            send_all(store, files, target, keys, received_on=date(2025, 6, 12), plan_id=None)
            outside.advance(then)
        fetched = fetch_answers({}, target, keys, tmp_path / "answers")
    assert fetched.refusals == []
    rows: dict[str, list[dict[str, str]]] = {}
    for answer in fetched.answers:
        with answer.path.open(encoding="utf-8", newline="") as file:
            rows.setdefault(answer.kind, []).extend(csv.DictReader(file))
    acknowledged = {row["file_name"]: (row["result"], row["reason_code"]) for row in rows["acknowledgement"]}
    assert acknowledged == {
        **{file.name: ("accepted", "") for file in (home, lists, pulls, release, bundles)},
        stop.name: ("rejected", "too_late"),
    }
    posted_on = {row["lot_id"]: row["occurred_on"] for row in rows["piece_report"] if row["event_type"] == "posted"}
    assert posted_on == {LIST_LOT: "2025-06-16", HOME_LOT: "2025-10-03", BUNDLE_LOT: "2025-11-04"}
    pulled = [row["envelope_id"] for row in rows["piece_report"] if row["event_type"] == "pulled"]
    assert pulled == ["00000000486"]
    assert len(rows["piece_report"]) == 4 + 3 + 3
