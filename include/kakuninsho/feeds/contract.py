"""The columns of each feed's CSV file and the check that each must pass (contracts: other feeds; printer/v1).

Codes and their order are those of the register's rejects. What the contracts leave open was decided so:

| question | decision |
|---|---|
| a day after the day of receipt | bad_date: nothing can be reported before it happens |
| control number | not 11 digits: bad_format; check digits (ISO 7064 MOD 97-10) that do not fit: bad_code |
| the same row twice in a file | allowed by printer/v1; the first stays, the copies are duplicate_row |
| two different rows of one key in a file | conflicting_duplicate, all of them: a person decides |
| posted without tracking number, rejected without reason | missing_value |
| spoiled without replacement | taken in: it is spoiled; that nothing replaces it is an alert and open in the ledger |
| spoiled and replaced by itself | inconsistent |
| uses above verifications | inconsistent |
| decision resume | of a branch: symbol, number and suffix may be empty; the packed key has zeros there |
| decision exclude | its reason_code may be given in a column more; files without that column are as good |
| limit of rejects | none here: rows are kept aside, the gate judges how many are too many |
| My Number | searched for in texts that people write, not in machines' numbers, which can look like one |
"""

from __future__ import annotations

from dataclasses import replace

from kakuninsho.register.contract import (
    KEY_COLUMNS,
    MEMBER_KEY_SQL,
    Check,
    Column,
    Table,
    blank,
    insurer_numbers_sql,
    one_of,
)

DECISIONS = (
    "release",
    "exclude",
    "correct_address",
    "resume",
    "hold_piece",
    "issue",
    "accept_share",
    "reject_plan",
    "incident_closed",
)
# Why a person takes somebody out. Codes, not words: words would be about a person.
EXCLUDE_REASONS = (
    "not_entitled",
    "membership_ended",
    "declined",
    "unreachable",
    "served_at_branch",
    "other_route",
    "entered_in_error",
)
# Why two people close an incident (a piece that left though it was to be stopped, or reports that contradict).
INCIDENT_REASONS = ("recovered", "person_informed_and_safe", "report_was_wrong", "other_measures_taken")
# Why a person accepts a share of targets that is far from the expected one.
SHARE_REASONS = ("core_system_confirmed", "branch_confirmed", "expected_share_outdated")
REQUEST_KINDS = ("new_enrollee", "care_needed", "lost_or_damaged", "card_lost_or_renewing", "card_returned")
EVENT_TYPES = ("posted", "pulled", "spoiled")
RETURN_REASONS = ("R01", "R02", "R03", "R04", "R05", "R06", "R09")

_NO_KEY = "null::varchar"  # the row is found again by file and row number
# What a row that is kept aside speaks of, so that a person can act on it: a number of ours, no personal data.
_ENVELOPE = "case when regexp_full_match(envelope_id, '[0-9]{11}') then envelope_id end"
_CERTIFICATE = "case when regexp_full_match(certificate_id, '[0-9]{11}-[0-9]{1,2}') then certificate_id end"


def _day(name: str) -> Column:
    return Column(name, "date", checks=(Check("bad_date", f"{name}_value > {{as_of}}"),))


def _text(name: str, *checks: Check, required: bool = True) -> Column:
    empty = (Check("missing_value", blank(name)),) if required else ()
    return Column(name, required=required, checks=(*empty, *checks))


def _count(name: str, *checks: Check, required: bool = True) -> Column:
    digits = Check("bad_format", f"not regexp_full_match({name}, '[0-9]{{1,12}}')")
    return Column(name, required=required, checks=(digits, *checks))


def _control_number_checks(name: str, text: str | None = None) -> tuple[Check, Check]:
    number = text or name
    return (
        Check("bad_format", f"not regexp_full_match({number}, '[0-9]{{11}}')"),
        Check("bad_code", f"try_cast({number} as bigint) % 97 <> 1"),
    )


# Every column but the insurer number may be empty where a decision is about a branch, and that too for the nation.
_OF_A_BRANCH, _OF_THE_NATION = "('resume', 'accept_share')", "('accept_share')"
_DECISION_KEY = tuple(
    replace(
        column,
        required=False,
        checks=(
            Check(
                "missing_value",
                f"{column.name} is null and not coalesce(decision in"
                f" {_OF_THE_NATION if column.name == 'insurer_number' else _OF_A_BRANCH}, false)",
            ),
            *column.checks,
        ),
    )
    for column in KEY_COLUMNS
)
_BRANCH_KEY_SQL = (
    f"case when insurer_number in ({insurer_numbers_sql()})"
    " then try_cast(substr(insurer_number, 3, 2) as bigint) * 110000000 * 10000000 * 100 end"
)

# A reason goes with the decisions that have reasons, each with its own.
_REASON_FITS = " or ".join(
    f"(decision = '{decision}' and reason_code in ({', '.join(map(repr, reasons))}))"
    for decision, reasons in (
        ("exclude", EXCLUDE_REASONS),
        ("incident_closed", INCIDENT_REASONS),
        ("accept_share", SHARE_REASONS),
    )
)

_FEEDS = (
    Table(
        name="issue_requests",
        columns=(
            _text("request_id"),
            *KEY_COLUMNS,
            _day("requested_on"),
            Column("kind", checks=(one_of("kind", *REQUEST_KINDS),)),
        ),
        key=("request_id",),
        row_key=_NO_KEY,
        row_key_type="varchar",
        outputs={"member_key": MEMBER_KEY_SQL},
        free_text=(),
    ),
    Table(
        name="certificate_returns",
        columns=(
            Column(
                "certificate_id",
                checks=(
                    Check("bad_format", "not regexp_full_match(certificate_id, '[0-9]{11}-[1-9][0-9]?')"),
                    Check("bad_code", "try_cast(substr(certificate_id, 1, 11) as bigint) % 97 <> 1"),
                ),
            ),
            _day("received_on"),
        ),
        key=("certificate_id",),
        row_key=_CERTIFICATE,
        row_key_type="varchar",
        outputs={"returned_on": "received_on_value"},
        free_text=(),
    ),
    Table(
        name="decisions",
        columns=(
            *_DECISION_KEY,
            _day("decided_on"),
            Column("decision", checks=(one_of("decision", *DECISIONS),)),
            Column("by", checks=(Check("missing_value", blank('"by"')),)),
            Column(
                "reason_code",
                required=False,
                checks=(
                    Check("missing_value", "reason_code is null and decision in ('incident_closed', 'accept_share')"),
                    one_of("reason_code", *EXCLUDE_REASONS, *INCIDENT_REASONS, *SHARE_REASONS),
                    Check("inconsistent", f"reason_code is not null and not coalesce({_REASON_FITS}, false)"),
                ),
                may_be_absent=True,
            ),
            # Of accept_share: which drop, and the share that was looked at, four digits after the point.
            Column(
                "drop_as_of",
                "date",
                required=False,
                checks=(
                    Check("missing_value", "drop_as_of is null and decision = 'accept_share'"),
                    Check("inconsistent", "drop_as_of is not null and decision is distinct from 'accept_share'"),
                ),
                may_be_absent=True,
            ),
            Column(
                "found_share",
                required=False,
                checks=(
                    Check("missing_value", "found_share is null and decision = 'accept_share'"),
                    Check("bad_format", "not regexp_full_match(found_share, '[01]\\.[0-9]{4}')"),
                    Check("inconsistent", "found_share is not null and decision is distinct from 'accept_share'"),
                ),
                may_be_absent=True,
            ),
        ),
        # Several decisions on one person are no conflict: the day and the rules order them.
        key=("insurer_number", "symbol", "number", "suffix", "decided_on", "decision", "by"),
        row_key=_NO_KEY,
        row_key_type="varchar",
        outputs={
            "member_key": f"coalesce({MEMBER_KEY_SQL}, case when decision in {_OF_A_BRANCH} then {_BRANCH_KEY_SQL} end,"
            " case when decision = 'accept_share' and insurer_number is null then 0 end)",
            "accepted_share": "try_cast(found_share as double)",
            "decided_by": '"by"',
        },
        free_text=("by",),
    ),
    Table(
        name="usage_counts",
        columns=(
            Column(
                "month",
                checks=(
                    Check("bad_format", "not regexp_full_match(month, '[0-9]{4}-[0-9]{2}')"),
                    Check("bad_date", "try_cast(month || '-01' as date) is null"),
                ),
            ),
            Column(
                "prefecture_code",
                checks=(
                    Check("bad_format", "not regexp_full_match(prefecture_code, '[0-9]{2}')"),
                    Check("bad_code", "prefecture_code not between '01' and '47'"),
                ),
            ),
            _count("uses"),
            _count(
                "verifications",
                Check("inconsistent", "try_cast(uses as bigint) > try_cast(verifications as bigint)"),
            ),
        ),
        key=("month", "prefecture_code"),
        row_key=_NO_KEY,
        row_key_type="varchar",
        free_text=(),
    ),
    Table(
        name="acknowledgements",
        columns=(
            _text("file_name"),
            _text("lot_id", required=False),
            Column("result", checks=(one_of("result", "accepted", "rejected"),)),
            Column(
                "reason_code",
                required=False,
                checks=(Check("missing_value", "result = 'rejected' and reason_code is null"),),
            ),
            _count("envelope_count", required=False),
            _count("certificate_count", required=False),
            _day("acknowledged_on"),
        ),
        key=("file_name",),
        row_key=_NO_KEY,
        row_key_type="varchar",
        free_text=(),
    ),
    Table(
        name="piece_reports",
        columns=(
            _text("lot_id"),
            Column("envelope_id", checks=_control_number_checks("envelope_id")),
            Column("event_type", checks=(one_of("event_type", *EVENT_TYPES),)),
            _day("occurred_on"),
            Column(
                "tracking_number",
                required=False,
                checks=(
                    Check("missing_value", "event_type = 'posted' and tracking_number is null"),
                    Check("bad_format", "not regexp_full_match(tracking_number, '[0-9]{11}')"),
                ),
            ),
            Column(
                "replacement_id",
                required=False,
                checks=(
                    *_control_number_checks("replacement_id"),
                    Check("inconsistent", "replacement_id = envelope_id"),
                ),
            ),
        ),
        key=("envelope_id", "event_type"),
        row_key=_ENVELOPE,
        row_key_type="varchar",
        free_text=(),
    ),
    Table(
        name="return_reports",
        columns=(
            Column("envelope_id", checks=_control_number_checks("envelope_id")),
            Column(
                "tracking_number",
                required=False,
                checks=(Check("bad_format", "not regexp_full_match(tracking_number, '[0-9]{11}')"),),
            ),
            _day("returned_on"),
            Column("reason_code", checks=(one_of("reason_code", *RETURN_REASONS),)),
        ),
        key=("envelope_id", "returned_on"),
        row_key=_ENVELOPE,
        row_key_type="varchar",
        free_text=(),
    ),
)
TABLES: dict[str, Table] = {table.name: table for table in _FEEDS}
