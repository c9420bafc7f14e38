"""What a gate refuses, what it writes, and what it never tells."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from kakuninsho.facts.schemas import REGISTER
from kakuninsho.gates import GateError, GateFailedError, load_suite, require, runner, suite_names
from kakuninsho.gates.docs import CONTRACT, DOCUMENT, Line, render
from kakuninsho.gates.lot_files import write_file_counts
from kakuninsho.gates.text import printable_characters
from kakuninsho.paths import PROJECT_ROOT

from .cases_inbound import CASES, MY_NUMBER
from .casework import run_gate, write_candidate

SUITE = "inbound/register_members"
CASE = CASES[SUITE]


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    return write_candidate(tmp_path, REGISTER, CASE.base)


def test_naming_the_suites_loads_no_great_expectations() -> None:
    code = (
        "import sys; from kakuninsho.gates import run_gate, suite_names; suite_names();"
        "assert not [m for m in sys.modules if m.startswith('great_expectations')]"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=PROJECT_ROOT)


def test_an_empty_suite_is_refused() -> None:
    with pytest.raises(GateError, match="no expectations"):
        dataclasses.replace(load_suite(SUITE), rules=()).check()


def test_a_suite_without_a_row_floor_at_its_head_is_refused() -> None:
    suite = load_suite(SUITE)
    with pytest.raises(GateError, match="row-count floor"):
        dataclasses.replace(suite, rules=suite.rules[1:]).check()


def test_a_suite_that_names_a_rule_twice_is_refused() -> None:
    suite = load_suite(SUITE)
    with pytest.raises(GateError, match="twice"):
        dataclasses.replace(suite, rules=(*suite.rules, suite.rules[-1])).check()


@pytest.mark.parametrize("name", suite_names())
def test_an_empty_candidate_fails(name: str, tmp_path: Path) -> None:
    suite = load_suite(name)
    required = {item.name: 0 for item in suite.parameters if item.required}
    required |= {name: value for name, value in {"as_of": "2025-04-30", "declared_rows": 1}.items() if name in required}
    result = run_gate(name, write_candidate(tmp_path, suite.tables), tmp_path, required)
    assert not result.passed
    assert suite.rules[0].id in {finding.rule for finding in result.failures}


def test_a_feed_may_be_empty_when_its_manifest_says_so(tmp_path: Path) -> None:
    name = "inbound/feed_return_reports"
    empty = write_candidate(tmp_path, load_suite(name).tables)
    assert run_gate(name, empty, tmp_path, {"declared_rows": 0}).passed


def test_a_delta_may_be_empty_and_is_not_compared_with_the_drop_before(tmp_path: Path) -> None:
    empty = write_candidate(tmp_path, REGISTER)
    result = run_gate(SUITE, empty, tmp_path, {"as_of": "2025-06-27", "kind": "delta", "previous_rows": 320})
    assert result.passed
    assert "not_fewer_than_before" in {finding.rule for finding in result.not_judged}


def test_a_rule_without_its_optional_table_is_listed_as_not_judged(tmp_path: Path) -> None:
    files = write_candidate(tmp_path, REGISTER, CASE.base)
    tables = {table: files[table] for table in ("addresses", "rejects")}
    result = run_gate("inbound/register_addresses", tables, tmp_path, {"as_of": "2025-04-30"})
    assert {finding.rule for finding in result.not_judged} >= {"household_known", "households_have_an_address"}


@pytest.mark.parametrize(
    ("parameters", "message"),
    [({}, "needs as_of"), ({"as_of": "2025-04-30", "mood": 1}, "no parameter mood")],
)
def test_parameters_must_be_those_of_the_suite(
    files: dict[str, Path], tmp_path: Path, parameters: dict[str, object], message: str
) -> None:
    with pytest.raises(GateError, match=message):
        run_gate(SUITE, files, tmp_path, parameters)


def test_tables_must_be_those_of_the_suite(files: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(GateError, match="was not given rejects"):
        run_gate(SUITE, {"members": files["members"]}, tmp_path, CASE.parameters)
    with pytest.raises(GateError, match="does not know the table lots"):
        run_gate(SUITE, {**files, "lots": files["members"]}, tmp_path, CASE.parameters)
    with pytest.raises(GateError, match=r"has no file nowhere\.parquet"):
        run_gate(SUITE, {**files, "members": tmp_path / "nowhere.parquet"}, tmp_path, CASE.parameters)
    with pytest.raises(GateError, match="has other columns than members must have: member_key"):
        run_gate(SUITE, {**files, "members": files["employers"]}, tmp_path, CASE.parameters)


def test_an_unknown_suite_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(GateError, match="there is no suite"):
        run_gate("inbound/nothing", {}, tmp_path)


def test_a_pattern_of_files_is_judged_as_one_table(tmp_path: Path) -> None:
    name = "inbound/feed_return_reports"
    case = CASES[name]
    for part in ("a", "b"):
        (tmp_path / part).mkdir()
    write_candidate(tmp_path / "a", case.schema, case.base)
    write_candidate(
        tmp_path / "b",
        case.schema,
        case.base,
        "update rows set source_file = 'b', envelope_id = control_number(row_number + 500)",
    )
    patterns = {table: tmp_path / "*" / f"{table}.parquet" for table in case.schema}
    result = run_gate(name, patterns, tmp_path / "reports", {"declared_rows": 122, "as_of": "2025-08-04"})
    assert result.passed
    assert result.tables == {"rows": 120, "rejects": 2}


def test_one_message_says_file_rule_count_and_what_to_do(tmp_path: Path) -> None:
    files = write_candidate(
        tmp_path, REGISTER, CASE.base, f"update members set sex = 'x', name = '{MY_NUMBER}' where member_key % 7 = 0"
    )
    result = run_gate(SUITE, files, tmp_path / "reports", CASE.parameters)
    with pytest.raises(GateFailedError) as caught:
        require(result)
    message = str(caught.value)
    count = next(finding.count for finding in result.failures if finding.rule == "sex_known")
    assert f"members: rule sex_known (性別は male か female): {count} rows" in message
    assert "no_my_number" in message
    assert "Nothing of the drop was loaded; ask the core system for a corrected drop." in message
    assert str(result.report_html) in message
    assert caught.value.result is result


def test_require_returns_what_passed(files: dict[str, Path], tmp_path: Path) -> None:
    result = run_gate(SUITE, files, tmp_path / "reports", CASE.parameters)
    assert require(result) is result


def test_a_rule_that_raises_stops_the_candidate(
    files: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kakuninsho.gates.gx import rows

    suite = load_suite(SUITE)
    warning = next(rule for rule in suite.rules if rule.severity == "warning")
    raising = dataclasses.replace(warning, expect=rows("select 1 from {batch} where name::date > date '2020-01-01'"))
    rules = tuple(raising if rule is warning else rule for rule in suite.rules)
    monkeypatch.setattr(runner, "load_suite", lambda _: dataclasses.replace(suite, rules=rules))
    result = run_gate(SUITE, files, tmp_path / "reports", CASE.parameters)
    assert [finding.rule for finding in result.failures] == [warning.id]
    assert "could not be judged" in str(result.failures[0])
    assert "試験花子" not in str(result.failures[0]) + result.report_json.read_text(encoding="utf-8")


def test_reports_say_what_was_checked_and_hold_no_value(tmp_path: Path) -> None:
    files = write_candidate(
        tmp_path,
        REGISTER,
        CASE.base,
        f"update members set sex = 'x', name = '花子{MY_NUMBER}' where member_key % 7 = 0",
    )
    result = run_gate(SUITE, files, tmp_path / "reports", CASE.parameters)
    assert result.report_json == tmp_path / "reports" / "inbound" / "register_members.json"
    document = json.loads(result.report_json.read_text(encoding="utf-8"))
    assert document["passed"] is False
    assert document["tables"] == {"members": 320, "rejects": 5, "addresses": 200, "employers": 200} | {
        "my_number_cards": 320,
        "issued_certificates": 320,
    }
    assert {rule["rule"] for rule in document["rules"]} == {rule.id for rule in load_suite(SUITE).rules}
    page = result.report_html.read_text(encoding="utf-8")
    assert page.startswith('<!doctype html>\n<html lang="ja">')
    assert "停止" in page
    assert "性別は male か female" in page
    assert "http" not in page, "the page must stand alone"
    for report in (page, json.dumps(document, ensure_ascii=False)):
        for value in ("花子", "ハナコ", MY_NUMBER):
            assert value not in report


def test_nothing_is_left_beside_the_reports(files: dict[str, Path], tmp_path: Path) -> None:
    result = run_gate(SUITE, files, tmp_path / "reports", CASE.parameters)
    left = {path for path in (tmp_path / "reports").rglob("*") if path.is_file() or path.name.startswith(".")}
    assert left == {result.report_json, result.report_html}


def test_printable_characters_are_those_of_the_printer() -> None:
    printable = set(printable_characters())
    assert {"髙", "﨑", "ｱ", "～", "①"} <= printable
    assert printable.isdisjoint({"〜", "−", "‖", "\n", "\x7f", "\ue000", "𠮷"})


def test_orders_have_no_row_among_the_lot_files(tmp_path: Path) -> None:
    class File:
        lot_id: str | None = None
        name, sha256 = "pull.csv", "abc"
        row_count = byte_count = 1
        envelope_count = sample_count = certificate_count = postage_yen = None
        weight_g = None

    class Lot(File):
        lot_id, weight_g = "fy2025-H-13-20250701-01", "12.5"

    path = write_file_counts([File(), Lot()], tmp_path / "files.parquet")

    assert duckdb.sql(f"select lot_id, weight_g from '{path}'").fetchall() == [("fy2025-H-13-20250701-01", 12.5)]


def test_the_document_of_the_gates_is_up_to_date() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == render(), "run: python -m kakuninsho.gates.docs"


@pytest.mark.parametrize("line", CONTRACT, ids=lambda line: f"{line.section}-{line.text}")
def test_every_line_of_the_register_contract_names_checks_and_tests_that_exist(line: Line) -> None:
    assert line.fixture or line.rules, "a line that nothing holds"
    if line.fixture:
        path, test = line.fixture.split("::")
        assert f"def {test}(" in (PROJECT_ROOT / path).read_text(encoding="utf-8")
    for suite, rule in line.rules:
        assert rule in CASES[suite].breaks


def test_every_expectation_of_the_register_suites_is_in_the_table_or_guards_more_than_the_contract() -> None:
    listed = {item for line in CONTRACT for item in line.rules}
    for name in suite_names():
        if name.startswith("inbound/register_"):
            for rule in load_suite(name).rules:
                if rule.holds.startswith("register/v1, members") and "insurer_number" not in rule.holds:
                    assert (name, rule.id) in listed
