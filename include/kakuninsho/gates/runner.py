"""Run a suite over candidate Parquet files, write its report, and say whether the candidate may pass."""

from __future__ import annotations

import glob
import json
import shutil
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from kakuninsho.campaign import Campaign
from kakuninsho.facts.schemas import Columns
from kakuninsho.gates.report import render
from kakuninsho.gates.suite import CRITICAL, GateError, Rule, Severity, Suite, load_suite, with_literals

Outcome = Literal["passed", "failed", "not_judged", "error"]
NO_PARAMETERS: Mapping[str, Any] = MappingProxyType({})


class GateFailedError(GateError):
    """A candidate broke a critical rule. The message names file, rule, count and what to do, and no value."""

    def __init__(self, message: str, result: GateResult) -> None:
        super().__init__(message)
        self.result = result


@dataclass(frozen=True)
class Finding:
    """What became of one rule. `count` is rows that break it; for a rule of the whole file, None."""

    rule: str
    table: str
    severity: Severity
    description: str
    holds: str
    outcome: Outcome
    count: int | None = None
    note: str = ""

    def __str__(self) -> str:
        if self.outcome == "error":
            return f"{self.table}: rule {self.rule} could not be judged ({self.note})"
        rows = "the file as a whole" if self.count is None else f"{self.count:,} rows"
        return f"{self.table}: rule {self.rule} ({self.description}): {rows}"

    @property
    def sentence(self) -> str:
        """What an approver reads, in Japanese: which rule of which table, and how many rows break it."""
        if self.outcome == "error":
            return f"{self.table}: 規則 {self.rule} を判定できません ({self.note})"
        rows = "ファイル全体" if self.count is None else f"{self.count:,} 行"
        return f"{self.table}: 「{self.description}」に反しています ({rows}、規則 {self.rule})"


@dataclass(frozen=True)
class GateResult:
    """The result of a gate. Holds counts only."""

    suite: str
    title: str
    findings: tuple[Finding, ...]
    tables: Mapping[str, int]
    seconds: float
    report_json: Path
    report_html: Path
    what_to_do: str

    @property
    def passed(self) -> bool:
        """Whether no critical rule is broken and every rule could be judged."""
        return not self.failures

    @property
    def failures(self) -> tuple[Finding, ...]:
        """Broken critical rules, and rules that could not be judged at all whatever their severity."""
        return tuple(
            finding
            for finding in self.findings
            if finding.outcome == "error" or (finding.outcome == "failed" and finding.severity == CRITICAL)
        )

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """Broken rules that stop nothing and are shown to the approvers."""
        return tuple(
            finding for finding in self.findings if finding.outcome == "failed" and finding.severity != CRITICAL
        )

    @property
    def not_judged(self) -> tuple[Finding, ...]:
        """Rules that were left out, each with the reason in `note`."""
        return tuple(finding for finding in self.findings if finding.outcome == "not_judged")


def require(result: GateResult) -> GateResult:
    """Return a result that passed.

    Raises:
        GateFailedError: a critical rule is broken; one message for all of them.
    """
    if result.passed:
        return result
    broken = "; ".join(str(finding) for finding in result.failures)
    raise GateFailedError(
        f"gate {result.suite} stopped the candidate: {broken}. {result.what_to_do} Report: {result.report_html}",
        result,
    )


def run_gate(
    suite_name: str,
    tables: Mapping[str, Path],
    report_dir: Path,
    parameters: Mapping[str, Any] = NO_PARAMETERS,
    *,
    campaign: Campaign | None = None,
) -> GateResult:
    """Judge candidate Parquet files by a suite and write `<report_dir>/<suite_name>.json` and `.html`.

    `tables` maps each table of the suite to its Parquet file, or to a pattern of files of the same columns
    (`staging/*/rows.parquet`), which are judged as one. Nothing else is read: never the warehouse, never the
    network. Limits that belong to the campaign are `campaign`'s, unless `parameters` gives them. A broken rule is no
    exception here; `require` makes it one.

    Raises:
        GateError: no such suite, a table or column or parameter is missing.
    """
    suite = load_suite(suite_name)
    settled = suite.settle(parameters, campaign)
    _check_names(suite, tables)
    report_json = report_dir / f"{suite_name}.json"
    report_json.parent.mkdir(parents=True, exist_ok=True)
    started = time.perf_counter()

    from kakuninsho.gates.gx import InMemoryDuckDB

    # Joins larger than memory spill here, inside a folder that only this user reads, never in the working folder.
    spill = Path(tempfile.mkdtemp(prefix=".spill-", dir=report_json.parent))
    try:
        with InMemoryDuckDB() as database:
            database.execute(f"set temp_directory = '{_quoted(spill)}'")
            database.execute("set preserve_insertion_order = false")
            counts = _load(database, suite, tables, settled)
            findings = _judge(database, suite, frozenset(tables), settled)
    finally:
        shutil.rmtree(spill, ignore_errors=True)
    result = GateResult(
        suite=suite.name,
        title=suite.title,
        findings=findings,
        tables=counts,
        seconds=round(time.perf_counter() - started, 3),
        report_json=report_json,
        report_html=report_json.with_suffix(".html"),
        what_to_do=suite.what_to_do,
    )
    _write_reports(suite, result, settled)
    return result


def _check_names(suite: Suite, tables: Mapping[str, Path]) -> None:
    if missing := sorted(set(suite.tables) - set(tables)):
        raise GateError(f"gate {suite.name} was not given {', '.join(missing)}; pass a Parquet file for each")
    if unknown := sorted(set(tables) - set(suite.tables) - set(suite.optional_tables)):
        raise GateError(f"gate {suite.name} does not know the table {', '.join(unknown)}")
    for table, path in tables.items():
        # A plain path is a pattern of itself.
        if not any(glob.iglob(str(path))):  # noqa: PTH207 (Path.glob takes no absolute pattern)
            raise GateError(f"gate {suite.name}: table {table} has no file {path.name}; write the candidate first")


def _load(database: Any, suite: Suite, tables: Mapping[str, Path], settled: Mapping[str, Any]) -> dict[str, int]:
    """Make the views and the prepared tables; return the rows of each given table."""
    counts: dict[str, int] = {}
    for table, columns in {**suite.tables, **suite.optional_tables}.items():
        derived = "".join(f", {sql} as {name}" for name, sql in suite.derived.get(table, {}).items())
        if table in tables:
            source = f"read_parquet('{_quoted(tables[table])}')"
            _check_columns(database, suite, table, columns, tables[table])
            database.execute(f"create view {table} as select *{derived} from {source}")
            counts[table] = int(database.execute(f"select count(*) from {table}")[0][0])
        else:
            names = ", ".join(f"null::{kind} as {name}" for name, kind in columns.items())
            database.execute(f"create view {table} as select *{derived} from (select {names}) where false")
    for table, sql in suite.prepared.items():
        database.execute(f"create table {table} as {with_literals(sql, settled)}")
    return counts


def _check_columns(database: Any, suite: Suite, table: str, columns: Columns, path: Path) -> None:
    source = f"read_parquet('{_quoted(path)}')"
    found = {str(row[0]): str(row[1]) for row in database.execute(f"describe select * from {source}")}
    wrong = [
        f"{name} ({found.get(name, 'missing')}, not {kind})"
        for name, kind in columns.items()
        if found.get(name) != kind
    ]
    if wrong:
        raise GateError(
            f"gate {suite.name}: {path.name} has other columns than {table} must have: {', '.join(wrong)}; "
            "write it by facts/schemas.py"
        )


def _judge(database: Any, suite: Suite, given: frozenset[str], settled: Mapping[str, Any]) -> tuple[Finding, ...]:
    findings: dict[str, Finding] = {}
    by_table: dict[str, list[Rule]] = {}
    for rule in suite.rules:
        missing = [table for table in rule.needs if table not in given]
        reason = f"{'、'.join(missing)} が渡されていない" if missing else rule.skip_if(settled)
        if reason is None:
            by_table.setdefault(rule.table, []).append(rule)
        else:
            findings[rule.id] = _finding(rule, "not_judged", note=reason)
    for table, rules in by_table.items():
        expectations = []
        for rule in rules:
            expectation = rule.expect(settled)
            expectation.severity = rule.severity
            expectation.description = rule.ja
            expectation.meta = {"rule": rule.id, "holds": rule.holds}
            expectations.append(expectation)
        validation = database.validate(table, expectations)
        found = {result.expectation_config.meta["rule"]: result for result in validation.results}
        judged = {rule.id: _read(rule, found.get(rule.id)) for rule in rules}
        # GX's own verdict is read as well: `success` ignores severity, and the two must never disagree.
        worst = validation.get_max_severity_failure()
        stops = worst is not None and str(worst.value) == CRITICAL
        if stops and not any(item.outcome != "passed" for item in judged.values() if item.severity == CRITICAL):
            raise GateError(f"gate {suite.name}: Great Expectations reports a failure in {table} that was not read")
        findings |= judged
    return tuple(findings[rule.id] for rule in suite.rules)


def _read(rule: Rule, result: Any) -> Finding:
    if result is None:
        return _finding(rule, "error", note="no result")
    if not result.success and _raised(result.exception_info):
        # The database's own words may quote a value, so only the kind of error is told.
        return _finding(rule, "error", note="the database raised an error")
    if result.success:
        return _finding(rule, "passed", count=None if rule.of_the_file else 0)
    if rule.of_the_file:
        return _finding(rule, "failed")
    count = result.result.get("unexpected_count", result.result.get("observed_value"))
    return _finding(rule, "failed", count=int(count))


def _raised(info: Mapping[str, Any] | None) -> bool:
    """Whether GX's exception_info tells of an exception: flat for an expectation, nested for its metrics."""
    if not info:
        return False
    if "raised_exception" in info:
        return bool(info["raised_exception"])
    return any(bool(item.get("raised_exception")) for item in info.values() if isinstance(item, Mapping))


def _finding(rule: Rule, outcome: Outcome, *, count: int | None = None, note: str = "") -> Finding:
    return Finding(rule.id, rule.table, rule.severity, rule.ja, rule.holds, outcome, count, note)


def _write_reports(suite: Suite, result: GateResult, settled: Mapping[str, Any]) -> None:
    document = {
        "suite": result.suite,
        "title": result.title,
        "passed": result.passed,
        "seconds": result.seconds,
        "tables": dict(result.tables),
        "parameters": {name: None if value is None else str(value) for name, value in settled.items()},
        "rules": [
            {
                "rule": finding.rule,
                "table": finding.table,
                "severity": finding.severity,
                "description": finding.description,
                "holds": finding.holds,
                "outcome": finding.outcome,
                "count": finding.count,
                "note": finding.note,
            }
            for finding in result.findings
        ],
    }
    text = json.dumps(document, ensure_ascii=False, indent=1) + "\n"
    result.report_json.write_text(text, encoding="utf-8")
    result.report_html.write_text(render(document, suite.what_to_do_ja), encoding="utf-8")


def _quoted(path: Path) -> str:
    """A path for a SQL string literal."""
    return str(path.resolve()).replace("'", "''")
