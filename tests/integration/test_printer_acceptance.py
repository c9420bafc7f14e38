"""The acceptance pack passes against the sandbox, and each check is seen to fail against one told to misbehave."""

from __future__ import annotations

import json
import shutil
import sys
from datetime import date
from pathlib import Path

import pytest
from sandbox_kit import Insurer, Process
from typer.testing import CliRunner

from kakuninsho.cli import app
from kakuninsho.printer.acceptance import FAILED, NOT_SEEN, PASSED, Driven, Result, Waiting, play
from kakuninsho.printer.sealing import generate_keys, load_keys
from kakuninsho.printer.transfer import SftpTarget
from kakuninsho.sandbox import control

BEGIN = date(2025, 7, 1)
REASONS = ("R01", "R02", "R03", "R04", "R05", "R06", "R09")
WILLING = {
    "spoiled": 0.2,
    "returned_home": 1.0,
    "reported_late": 0.0,
    "return_reasons": dict.fromkeys(REASONS, 1 / 7),
}
BOTH = frozenset({"spoils", "returns"})


class Printer:
    """A sandbox that knows our keys."""

    def __init__(self, folder: Path, rates: dict[str, object]) -> None:
        self.insurer = Insurer(folder)
        self.keys = folder / "keys"
        generate_keys(self.keys)
        for name in ("insurer.pgp.asc", "insurer_ssh.pub"):
            shutil.copyfile(self.keys / name, self.insurer.root.keys / name)
        shutil.copyfile(self.insurer.root.keys / "printer.pgp.asc", self.keys / "printer.pgp.asc")
        self.host_key = self.insurer.root.keys / "host_key.pub"
        self.rates = folder / "rates.json"
        self.rates.write_text(json.dumps(rates))

    def run(self, *arguments: str) -> Process:
        return Process(self.insurer, "--rates", str(self.rates), *arguments)

    def target(self, outside: Process) -> SftpTarget:
        return SftpTarget("127.0.0.1", outside.port, "insurer", self.keys / "insurer_ssh", self.host_key.read_text())

    def play(self, *misbehaviours: str, told: frozenset[str] = BOTH) -> Result:
        arguments = [word for name in misbehaviours for word in ("--misbehave", name)]
        with self.run(*arguments) as outside:
            pace = Driven(lambda day: (control.advance(self.insurer.root.path, day), None)[1])
            work = self.insurer.folder / "work"
            work.mkdir()
            return play(self.target(outside), load_keys(self.keys), work, pace, begin=BEGIN, told=told)


def verdicts(result: Result) -> dict[str, str]:
    return {check.name: check.verdict for check in result.checks}


@pytest.fixture(scope="module")
def accepted(tmp_path_factory: pytest.TempPathFactory) -> Result:
    return Printer(tmp_path_factory.mktemp("printer"), WILLING).play()


def test_a_printer_that_keeps_the_contract_passes_every_check(accepted: Result) -> None:
    assert [(check.name, check.seen) for check in accepted.checks if check.verdict != PASSED] == []
    assert accepted.passed
    assert len(accepted.checks) == 37


def test_what_a_printer_was_not_told_to_do_is_not_seen_and_not_passed(tmp_path: Path) -> None:
    calm = {"spoiled": 0.0, "returned_home": 0.0, "returned_employer": 0.0, "returned_very_late": 0.0}
    result = Printer(tmp_path, calm).play(told=frozenset())
    unseen = {name for name, verdict in verdicts(result).items() if verdict == NOT_SEEN}
    assert unseen == {"spoiled_is_replaced", "returns_fit", *(f"returned_{code}" for code in REASONS)}
    assert result.passed


HOME, KEPT, BUNDLE, LIST = "-H-18-20250715-01", "-H-18-20250715-02", "-E-18-", "-L-18-"
# What the sandbox is told, and exactly the checks that fail.
FAILS: list[tuple[tuple[str, ...], set[str]]] = [
    (
        (f"reject_lot:lot={KEPT}", f"reject_lot:lot={BUNDLE}", f"reject_lot:lot={LIST}"),
        {"unreleased_lot_taken", "bundle_lot_taken", "bundle_totals_reconcile"}
        | {"list_lot_taken", "list_totals_reconcile", "wrong_hash_refused", "stop_taken", "stop_destroys"},
    ),
    (
        (f"silent_ack:lot=_lot_accept01{HOME}", "silent_ack:lot=_pull_20250715_01"),
        {"home_lot_taken", "same_file_again", "pull_list_taken", "other_content_refused", "same_lot_refused"},
    ),
    (("silent_ack:lot=_release_20250715_02", "silent_ack:lot=_stop_"), {"release_taken", "stop_taken"}),
    (
        ("accept_anything", "wrong_ack_counts:count=1"),
        {"cut_file_refused", "broken_record_refused", "wrong_totals_refused", "wrong_signature_refused"}
        | {"other_content_refused", "same_lot_refused", "unknown_pull_refused", "wrong_hash_refused"}
        | {"late_pull_refused", "counted_as_sent"},
    ),
    (("unconfirmed_pull", "unknown_piece"), {"pull_before_printing", "home_totals_reconcile", "no_unknown_piece"}),
    (("post_pulled", "spoil_without_replacement"), {"pull_before_printing", "spoiled_is_replaced"}),
    (
        (f"drop_piece_report:count=100,lot={HOME}",),
        {"home_totals_reconcile", "pull_after_posting", "returns_fit", "spoiled_is_replaced"},
    ),
    (
        (f"post_unreleased:lot={KEPT}", "unknown_return_reason"),
        {"not_posted_unreleased", "stop_destroys", "stop_taken", "returns_fit"},
    ),
    (("wrong_signature:lot=_return_,count=1",), {"answers_valid"}),
    (("unsigned_answer:lot=_return_,count=1",), {"answers_valid"}),
    (("truncated_answer:lot=_return_,count=1",), {"answers_valid"}),
    (("resend_changed_report:lot=_return_",), {"answers_valid"}),
    (("changed_host_key",), {"host_key"}),
]


@pytest.mark.parametrize(
    ("misbehaviours", "checks"), FAILS, ids=lambda given: "+".join(given) if isinstance(given, tuple) else ""
)
def test_a_misbehaving_printer_fails_the_check(
    tmp_path: Path, misbehaviours: tuple[str, ...], checks: set[str]
) -> None:
    result = Printer(tmp_path, WILLING).play(*misbehaviours)
    assert {name for name, verdict in verdicts(result).items() if verdict == FAILED} == checks
    assert not result.passed


def test_a_printer_that_returns_nothing_though_told_to_fails(tmp_path: Path) -> None:
    calm = {"spoiled": 0.0, "returned_home": 0.0, "returned_employer": 0.0, "returned_very_late": 0.0}
    result = Printer(tmp_path, calm).play()
    failed = {name for name, verdict in verdicts(result).items() if verdict == FAILED}
    assert failed == {"spoiled_is_replaced", *(f"returned_{code}" for code in REASONS)}


def test_each_check_was_seen_to_fail(accepted: Result) -> None:
    by_misbehaviour = {name for _, names in FAILS for name in names}
    by_idleness = {"spoiled_is_replaced", *(f"returned_{code}" for code in REASONS)}
    assert {check.name for check in accepted.checks} - by_misbehaviour - by_idleness == set()


def test_days_may_also_pass_by_themselves(tmp_path: Path) -> None:
    printer = Printer(tmp_path, WILLING)
    with printer.run("--clock", "rush") as outside:
        work = tmp_path / "work"
        work.mkdir()
        result = play(
            printer.target(outside), load_keys(printer.keys), work, Waiting(20, 0.3), begin=BEGIN, series=2, told=BOTH
        )
    assert [check for check in result.checks if check.verdict != PASSED] == []


def test_the_command_prints_json_and_ends_with_1_when_a_check_fails(tmp_path: Path) -> None:
    printer = Printer(tmp_path, WILLING)
    with printer.run("--misbehave", "wrong_ack_counts:count=1") as outside:
        advance = f"{sys.executable} -m kakuninsho.sandbox advance --root {printer.insurer.root.path} --to {{date}}"
        options = ["--host", "127.0.0.1", "--port", str(outside.port), "--host-key", str(printer.host_key)]
        options += ["--keys", str(printer.keys), "--begin", BEGIN.isoformat(), "--pace", advance, "--json"]
        done = CliRunner().invoke(app, ["printer", "acceptance", *options])
    assert done.exit_code == 1, done.output
    shown = json.loads(done.stdout.splitlines()[-1])
    assert [check["name"] for check in shown["checks"] if check["verdict"] == "failed"] == ["counted_as_sent"]
    assert shown["passed"] is False
