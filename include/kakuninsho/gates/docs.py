"""docs/gates.md, generated: which check holds each line of the register contract, and every rule of every suite.

`python -m kakuninsho.gates.docs` writes it; a test says when it is out of date.
"""

from __future__ import annotations

from dataclasses import dataclass

from kakuninsho.gates.suite import Suite, load_suite, suite_names
from kakuninsho.paths import PROJECT_ROOT

DOCUMENT = PROJECT_ROOT / "docs" / "gates.md"
REJECTS = "tests/unit/register/test_rejects.py"
BAD_INPUT = "tests/unit/register/test_bad_input.py"
DROPS = "tests/unit/register/test_drops.py"
BREAKS = {"inbound": "tests/unit/gates/cases_inbound.py", "outbound": "tests/unit/gates/cases_outbound.py"}

_MEMBER = f"{REJECTS}::test_a_member_row_that_breaks_a_rule_is_rejected"
_CARD = f"{REJECTS}::test_a_card_row_that_breaks_a_rule_is_rejected"
_KEYS = f"{REJECTS}::test_addresses_and_employers_are_rejected_for_keys_and_dates"
_FILE = f"{BAD_INPUT}::test_a_bad_drop_ends_in_one_message_and_no_fact"
_REGISTER = ("members", "addresses", "employers", "my_number_cards")


@dataclass(frozen=True)
class Line:
    """One line of the contract and what holds it.

    `reader` is what the reading of the drop does, `fixture` the test that breaks it; `rules` are (suite, expectation)
    of the gate.
    """

    section: str
    text: str
    reader: str = ""
    fixture: str = ""
    rules: tuple[tuple[str, str], ...] = ()


def _members(*rules: str) -> tuple[tuple[str, str], ...]:
    return tuple(("inbound/register_members", rule) for rule in rules)


def _every(rule: str) -> tuple[tuple[str, str], ...]:
    return tuple((f"inbound/register_{table}", rule.replace("*", table)) for table in _REGISTER)


def _one(table: str, *rules: str) -> tuple[tuple[str, str], ...]:
    return tuple((f"inbound/register_{table}", rule) for rule in rules)


CONTRACT = (
    Line(
        "drop",
        "no manifest: not complete, wait",
        "the drop is not listed",
        f"{DROPS}::test_a_drop_without_manifest_is_waited_for",
    ),
    Line(
        "drop",
        "contract, as_of, kind, files of the manifest",
        "refused",
        f"{DROPS}::test_a_manifest_that_breaks_the_contract_is_refused",
        _every("as_of_is_the_drops"),
    ),
    Line("drop", "row count differs: nothing is loaded", "refused (wrong row count)", _FILE, _every("rows_add_up")),
    Line("drop", "hash differs: nothing is loaded", "refused (wrong hash)", _FILE),
    Line("drop", "UTF-8, RFC 4180, header line", "refused (not UTF-8, unreadable, missing column)", _FILE),
    Line("drop", "a missing file or column", "refused", _FILE),
    Line("drop", "an empty full file", "refused (empty file)", _FILE, _every("row_floor_*")),
    Line("drop", "a full drop holds every row", rules=_every("not_fewer_than_before")),
    Line(
        "members",
        "insurer_number: 8 digits, 01 + prefecture + 001 + check digit",
        "bad_format, bad_code",
        _MEMBER,
        _every("prefecture_known"),
    ),
    Line("members", "symbol: 7 or 8 digits", "bad_format", _MEMBER),
    Line("members", "number: 1 to 7 digits, no leading zero", "bad_format", _MEMBER, _members("number_not_zero")),
    Line(
        "members",
        "suffix: 2 digits, 00 = insured",
        "bad_format",
        _MEMBER,
        _members("insured_share", "households_have_an_insured"),
    ),
    Line("members", "relationship: agrees with suffix", "bad_code, inconsistent", _MEMBER),
    Line(
        "members", "enrolment: employee, voluntary", "bad_code", _MEMBER, _members("enrolment_known", "voluntary_share")
    ),
    Line("members", "name, name_kana: not blank", "missing_value", _MEMBER, _members("name_not_blank")),
    Line("members", "name, name_kana: at most 40 characters", "bad_format", _MEMBER, _members("name_not_long")),
    Line("members", "sex: male, female", "bad_code", _MEMBER, _members("sex_known")),
    Line(
        "members",
        "birth_date: not after as_of, after 1900-01-01",
        "bad_date",
        _MEMBER,
        _members("birth_date_in_range", "reached_75_is_closed"),
    ),
    Line(
        "members",
        "qualified_on: not before birth_date",
        "bad_date, inconsistent",
        _MEMBER,
        _members("qualified_after_birth"),
    ),
    Line("members", "decided_on", "bad_date", _MEMBER, _members("decided_by_the_day")),
    Line(
        "members",
        "lost_on: not before qualified_on",
        "bad_date, inconsistent",
        _MEMBER,
        _members("lost_after_qualified"),
    ),
    Line("members", "protected: boolean", "bad_format", _MEMBER, _members("protected_share")),
    Line(
        "members",
        "key: insurer_number, symbol, number, suffix",
        "conflicting_duplicate",
        f"{REJECTS}::test_rows_of_one_key_that_differ_are_all_rejected",
        _members("key_unique", "household_agrees"),
    ),
    Line(
        "addresses",
        "one row per household",
        "conflicting_duplicate",
        f"{REJECTS}::test_duplicates_are_found_in_every_file",
        _one("addresses", "key_unique", "household_known", "households_have_an_address"),
    ),
    Line(
        "addresses",
        "key columns, updated_on",
        "missing_value, bad_format, bad_code, bad_date",
        _KEYS,
        _one("addresses", "addresses_complete", "updated_by_the_day"),
    ),
    Line(
        "addresses",
        "postal_code, address, building, country: judged by the rules, not rejected",
        "accepted",
        f"{REJECTS}::test_the_rules_judge_the_text_of_addresses_not_the_contract",
        _one("addresses", "postal_codes_have_7_digits", "addresses_not_blank", "overseas_share"),
    ),
    Line(
        "employers",
        "one row per employer",
        "conflicting_duplicate",
        f"{REJECTS}::test_duplicates_are_found_in_every_file",
        _one("employers", "key_unique", "households_have_an_employer"),
    ),
    Line(
        "employers",
        "key columns, closed_on",
        "missing_value, bad_format, bad_date",
        _KEYS,
        _one("employers", "employers_complete", "closed_share"),
    ),
    Line(
        "employers",
        "name, postal_code, address: judged by the rules, not rejected",
        "accepted",
        f"{REJECTS}::test_the_rules_judge_the_text_of_addresses_not_the_contract",
        _one("employers", "names_not_blank", "addresses_not_blank"),
    ),
    Line(
        "my_number_cards",
        "one row per member",
        "conflicting_duplicate",
        f"{REJECTS}::test_duplicates_are_found_in_every_file",
        _one("my_number_cards", "key_unique", "member_known"),
    ),
    Line(
        "my_number_cards",
        "has_card, number_filed, registered: booleans",
        "missing_value, bad_format",
        _CARD,
        _one("my_number_cards", "my_number_cards_complete", "registered_has_card", "usable_share"),
    ),
    Line(
        "my_number_cards",
        "certificate_expires_on, registration_cancelled_on: dates, null",
        "bad_date",
        _CARD,
        _one("my_number_cards", "certificate_not_beyond_card_life"),
    ),
    Line(
        "issued_certificates",
        "a drop may leave the table out, a delta any table; an empty one of a full drop is no error",
        "read as told by the manifest",
        f"{DROPS}::test_a_delta_may_leave_tables_out_and_no_drop_needs_issued_certificates",
        _one("issued_certificates", "row_floor_issued_certificates", "rows_add_up"),
    ),
    Line(
        "issued_certificates",
        "key member key and issued_on; valid_until and ended_on not before issued_on",
        "conflicting_duplicate, inconsistent",
        f"{REJECTS}::test_a_row_of_an_issued_certificate_that_breaks_a_rule_is_rejected",
        _one(
            "issued_certificates",
            "key_unique",
            "issued_certificates_complete",
            "days_in_order",
            "member_known",
        ),
    ),
    Line(
        "all files",
        "no 12-digit My Number anywhere",
        "refused (My Number)",
        _FILE,
        (*_members("no_my_number"), *_one("addresses", "no_my_number"), *_one("employers", "no_my_number")),
    ),
    Line(
        "rejects",
        "exact duplicates: one stays",
        "duplicate_row",
        f"{REJECTS}::test_of_exact_duplicates_one_stays",
        _every("reject_reason_known"),
    ),
    Line(
        "rejects",
        "conflicting keys on the raw rows: all of them",
        "conflicting_duplicate",
        f"{REJECTS}::test_keys_conflict_on_raw_rows_also_where_only_one_would_be_valid",
    ),
    Line(
        "rejects",
        "columns in their order, the first that fails gives the code",
        "the code of that column",
        f"{REJECTS}::test_the_first_column_that_fails_gives_the_code",
    ),
    Line("rejects", "columns not marked null are required", "missing_value", _MEMBER, _members("members_complete")),
    Line(
        "rejects",
        "more than max_reject_rate and more than 5 rows: nothing is loaded",
        "refused (too many rejects)",
        _FILE,
        _every("reject_limit"),
    ),
)


def _code(items: tuple[tuple[str, str], ...]) -> str:
    """Rules of a line; the same rule of several suites is named once with the tables it guards."""
    suites: dict[str, list[str]] = {}
    for suite, rule in items:
        table = suite.removeprefix("inbound/register_")
        generic = rule.replace(table, "*") if rule.startswith("row_floor") else rule
        suites.setdefault(generic, []).append(table)
    return "<br>".join(f"`{rule}` ({', '.join(tables)})" for rule, tables in suites.items()) or "—"


def _line(line: Line) -> str:
    fixtures = []
    if line.fixture:
        path, test = line.fixture.split("::")
        fixtures.append(f"[`{test}`](../{path})")
    if line.rules:
        fixtures.append("[`cases_inbound.py`](../tests/unit/gates/cases_inbound.py), by suite and expectation")
    return f"| {line.section} | {line.text} | {line.reader or '—'} | {_code(line.rules)} | {'<br>'.join(fixtures)} |"


def _suite(suite: Suite) -> list[str]:
    folder = suite.name.split("/", maxsplit=1)[0]
    parameters = ", ".join(
        f"`{item.name}`{'' if item.required else ' (campaign)' if item.from_campaign else ' (optional)'}"
        for item in suite.parameters
    )
    lines = [
        f"### `{suite.name}`: {suite.title}",
        "",
        f"Tables: {', '.join(f'`{table}`' for table in suite.tables)}. Parameters: {parameters or 'none'}.",
        f'Fixtures that break each: [`CASES["{suite.name}"].breaks`](../{BREAKS[folder]}).',
        "",
        "| expectation | severity | table | 規則 | holds |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| `{rule.id}` | {rule.severity} | `{rule.table}` | {rule.ja}"
        f"{' (needs ' + ', '.join(f'`{name}`' for name in rule.needs) + ')' if rule.needs else ''} | {rule.holds} |"
        for rule in suite.rules
    ]
    return [*lines, ""]


def render() -> str:
    """The whole document."""
    lines = [
        "# Gates",
        "",
        "Generated by `python -m kakuninsho.gates.docs`; a test compares it with the code.",
        "",
        "Great Expectations guards the doors: candidate files are judged before they become facts or leave the house.",
        "Inside, dbt tests. A gate reads Parquet files through an in-memory DuckDB and never opens the warehouse. It",
        "reports counts, never a value. A broken `critical` rule stops the candidate; a `warning` is shown to the two",
        "approvers. A rule that cannot be judged (the database raises an error) stops it as well. A rule whose",
        "optional table or parameter was not given is listed in the report as 判定せず (not judged).",
        "",
        "## The register contract, line by line",
        "",
        "The reader of a drop rejects rows or refuses the drop; the gate then judges the accepted rows again, by other",
        "code, so that a mistake in the one is seen by the other. Each check has a fixture that breaks it.",
        "",
        "| part | line of register/v1 | the reader | expectation (file) | fixture that breaks it |",
        "|---|---|---|---|---|",
        *map(_line, CONTRACT),
        "",
        "## Every suite",
        "",
    ]
    for name in suite_names():
        lines += _suite(load_suite(name))
    return "\n".join(lines).rstrip() + "\n"


if __name__ == "__main__":
    DOCUMENT.write_text(render(), encoding="utf-8")
