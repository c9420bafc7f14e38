"""`kakuninsho printer …` on lots that were sent: made again, proofs, the document; refusals are words, not traces."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from pysequoia import Tsk
from typer.testing import CliRunner

from kakuninsho.cli import app
from kakuninsho.facts.store import FactStore
from kakuninsho.printer.contract_document import DOCUMENT
from kakuninsho.printer.lot_file import write_lot
from kakuninsho.printer.samples import CAMPAIGN, HOME_LOT, home_plan
from kakuninsho.printer.sealing import Keys
from kakuninsho.printer.transfer import seal_step


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with the golden home lot, sealed."""
    folder = tmp_path_factory.mktemp("data")
    store = FactStore(folder)
    store.initialise()
    plan = home_plan(store)
    ours, theirs = Tsk.generate("a <a@example.invalid>"), Tsk.generate("b <b@example.invalid>")
    keys = Keys(ours, theirs.extract_certificate())
    file = write_lot(plan, HOME_LOT, CAMPAIGN, folder / "outbox")
    seal_step(store, file, keys, received_on=date(2025, 5, 15), plan_id=plan.name)
    return folder


def run(*words: object) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["printer", *map(str, words)], env={"LC_ALL": "ja_JP.UTF-8"})
    return done.exit_code, done.output


def test_a_sent_lot_is_made_again_with_the_same_hash(data: Path, tmp_path: Path) -> None:
    code, output = run("rebuild", HOME_LOT, "--data", data, "--out", tmp_path)
    assert code == 0, output
    assert "一致" in output
    assert "不一致" not in output
    assert len(list(tmp_path.glob("*.csv"))) == 1


def test_another_kept_file_is_a_difference_and_ends_with_1(data: Path) -> None:
    store = FactStore(data)
    (kept,) = [fact.path / fact.meta["source"] for fact in store.all("transfers")]
    before = kept.read_bytes()
    kept.chmod(0o600)
    try:
        kept.write_bytes(before.replace(b"9100001", b"9100009"))
        code, output = run("rebuild", HOME_LOT, "--data", data)
        assert code == 1
        assert "不一致" in output
        code, output = run("proof", HOME_LOT, "--data", data)
        assert code == 1
        assert "not the one that was sent" in output
    finally:
        kept.write_bytes(before)


@pytest.mark.parametrize("command", ["rebuild", "proof"])
def test_a_lot_that_was_never_sent_is_refused_in_words(data: Path, command: str) -> None:
    code, output = run(command, "fy2025-H-18-20251003-99", "--data", data)
    assert code == 1
    assert "never sealed" in output
    assert "Traceback" not in output


def test_proof_is_a_pdf_of_the_sent_bytes(data: Path, tmp_path: Path) -> None:
    code, output = run("proof", HOME_LOT, "--data", data, "--out", tmp_path)
    assert code == 0, output
    (pdf,) = tmp_path.glob("*.pdf")
    assert pdf.read_bytes().startswith(b"%PDF")
    assert pdf.stat().st_mode & 0o077 == 0


def test_contract_writes_the_committed_document(tmp_path: Path) -> None:
    code, output = run("contract", "--out", tmp_path / "contract.md")
    assert code == 0, output
    assert (tmp_path / "contract.md").read_text(encoding="utf-8") == DOCUMENT.read_text(encoding="utf-8")


def test_a_pace_that_names_no_day_is_wrong_use(data: Path, tmp_path: Path) -> None:
    key = tmp_path / "host.pub"
    key.write_text("ssh-ed25519 AAAA")
    code, output = run("acceptance", "--host", "x", "--host-key", key, "--keys", tmp_path, "--pace", "sleep 1")
    assert code in {1, 2}
    assert "Traceback" not in output


def test_acceptance_without_keys_says_which_is_missing(tmp_path: Path) -> None:
    key = tmp_path / "host.pub"
    key.write_text("ssh-ed25519 AAAA")
    code, output = run("acceptance", "--host", "127.0.0.1", "--host-key", key, "--keys", tmp_path)
    assert code == 1
    assert "insurer_secret.pgp.asc" in output
