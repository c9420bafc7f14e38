"""Every expectation of every suite is seen to fail: one fixture breaks it, and it alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from kakuninsho.gates import load_suite, suite_names
from kakuninsho.gates.suite import CRITICAL

from .cases_inbound import CASES as INBOUND
from .cases_outbound import CASES as OUTBOUND
from .casework import Break, run_gate, write_candidate

CASES = {**INBOUND, **OUTBOUND}
BREAKS = [(name, rule, item) for name, case in CASES.items() for rule, item in case.breaks.items()]


def candidate(name: str, folder: Path, sql: str = "") -> dict[str, Path]:
    """The case's candidate, with or without the break, as the files that its suite takes."""
    files = write_candidate(folder, CASES[name].schema, CASES[name].base, sql)
    suite = load_suite(name)
    return {table: path for table, path in files.items() if table in {**suite.tables, **suite.optional_tables}}


def test_every_suite_has_a_case() -> None:
    assert set(CASES) == set(suite_names())


@pytest.mark.parametrize("name", suite_names())
def test_every_expectation_has_a_fixture_that_breaks_it(name: str) -> None:
    assert set(CASES[name].breaks) == {rule.id for rule in load_suite(name).rules}


@pytest.mark.parametrize("name", CASES)
def test_a_valid_candidate_passes_without_a_warning(name: str, tmp_path: Path) -> None:
    files = candidate(name, tmp_path)
    result = run_gate(name, files, tmp_path / "reports", CASES[name].parameters)
    assert [str(finding) for finding in (*result.failures, *result.warnings, *result.not_judged)] == []
    print(f"{name}: {len(result.findings)} rules in {result.seconds} s")


@pytest.mark.parametrize(("name", "rule_id", "item"), BREAKS, ids=[f"{n}-{r}" for n, r, _ in BREAKS])
def test_a_broken_rule_is_found_and_no_other(name: str, rule_id: str, item: Break, tmp_path: Path) -> None:
    files = candidate(name, tmp_path, item.sql)
    result = run_gate(name, files, tmp_path / "reports", {**CASES[name].parameters, **item.parameters})
    broken = {finding.rule for finding in (*result.failures, *result.warnings)}
    assert broken == {rule_id}
    severity = next(rule.severity for rule in load_suite(name).rules if rule.id == rule_id)
    assert result.passed is (severity != CRITICAL)
    assert all(finding.outcome == "failed" for finding in result.failures), "a rule raised instead of judging"
