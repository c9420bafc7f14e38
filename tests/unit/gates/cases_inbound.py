"""Cases of the inbound suites: 200 households of 320 people, and seven feeds of 60 rows."""

from __future__ import annotations

from datetime import date

from kakuninsho.facts.schemas import FEEDS, REGISTER

from .casework import Break, Case

REGISTER_BASE = """
create temp table households as
select
    employer_key * 10000000 + 100 + i as household_key,
    employer_key,
    i
from (select (1 + i % 47)::bigint * 110000000 + 1000000 + i as employer_key, i from range(1, 201) as numbers (i));

insert into members
select date '2025-04-30', household_key * 100 + suffix, household_key,
    case when i % 50 = 0 then 'voluntary' else 'employee' end,
    '試験花子' || i, 'シケンハナコ', if(suffix = 0, 'male', 'female'),
    date '1980-01-01' + i::integer, date '2015-04-01', date '2015-04-10', null, false
from households, range(0, 2) as suffixes (suffix)
where suffix = 0 or i % 5 < 3;

insert into addresses
select date '2025-04-30', household_key, '1000001', '東京都千代田区千代田1-' || i, null, 'JP', date '2020-01-01'
from households;

insert into employers
select date '2025-04-30', employer_key, '試験商事' || i, '1000002', '東京都千代田区皇居外苑1-' || i, null, null
from households;

insert into my_number_cards
select date '2025-04-30', member_key, true, true, member_key % 3 <> 0,
    if(member_key % 3 <> 0, date '2027-06-01', null), null
from members;

insert into issued_certificates
select date '2025-04-30', member_key, date '2025-01-10', date '2029-11-30', null
from members;

insert into rejects by name
select date '2025-04-30' as as_of, file, 7 as row_number, 'birth_date' as column_name, 'bad_date' as reason_code
from (values
    ('members'), ('addresses'), ('employers'), ('my_number_cards'), ('issued_certificates')
) as files (file);
"""

MY_NUMBER = "123456789018"  # made up; its check digit is right


def _register(file: str, key: str, rows: int) -> dict[str, Break]:
    """Breaks of the rules that the four register suites share. `rows`: accepted rows of the base."""
    reject = (
        f"insert into rejects by name select '{file}' as file, i as row_number, 'bad_date' as reason_code"
        " from range(6) as n (i)"
    )
    # The prefecture lies in the key: moving a row to prefecture 48 moves its household too.
    step = {"member_key": 110000000000000000, "household_key": 1100000000000000, "employer_key": 110000000}[key]
    shift = f"{key} = 48::hugeint * {step} + {key} % {step}"
    if key == "member_key" and file == "members":
        shift += f", household_key = (48::hugeint * {step} + {key} % {step}) // 100"
    first = f"(select min({key}) from {file})"
    return {
        f"row_floor_{file}": Break(
            f"delete from {file}; delete from rejects where file = '{file}'",
            {"declared_rows": None, "previous_rows": None},
        ),
        "rows_add_up": Break("", {"declared_rows": rows + 2}),
        "reject_limit": Break(reject, {"declared_rows": rows + 7}),
        "reject_reason_known": Break(f"update rejects set reason_code = 'because' where file = '{file}'"),
        "as_of_is_the_drops": Break(f"update {file} set as_of = date '2025-03-31' where {key} = {first}"),
        "key_unique": Break(
            f"insert into {file} select * from {file} where {key} = {first}", {"declared_rows": rows + 2}
        ),
        "prefecture_known": Break(f"update {file} set {shift} where {key} = {first}"),
        "not_fewer_than_before": Break("", {"previous_rows": rows * 2}),
    }


_FIRST = "(select min(member_key) from members)"
_SECOND = "(select min(member_key) from members where member_key % 100 = 1)"
_DROP = {"as_of": date(2025, 4, 30)}

CASES: dict[str, Case] = {
    "inbound/register_members": Case(
        REGISTER,
        REGISTER_BASE,
        {**_DROP, "declared_rows": 321, "previous_rows": 320},
        {
            **_register("members", "member_key", 320),
            "members_complete": Break(f"update members set name = null where member_key = {_FIRST}"),
            "household_agrees": Break(
                f"update members set household_key = household_key + 1 where member_key = {_SECOND}"
            ),
            "number_not_zero": Break(
                "update members set member_key = member_key - household_key % 10000000 * 100,"
                f" household_key = household_key - household_key % 10000000 where member_key = {_FIRST}"
            ),
            "enrolment_known": Break(f"update members set enrolment = 'student' where member_key = {_FIRST}"),
            "sex_known": Break(f"update members set sex = 'unknown' where member_key = {_FIRST}"),
            "name_not_blank": Break(f"update members set name = '　 ' where member_key = {_FIRST}"),
            "name_not_long": Break(f"update members set name = repeat('花', 201) where member_key = {_FIRST}"),
            "birth_date_in_range": Break(
                f"update members set birth_date = date '1900-01-01' where member_key = {_FIRST}"
            ),
            "qualified_after_birth": Break(
                "update members set birth_date = date '2015-05-01', qualified_on = date '2015-04-30'"
                f" where member_key = {_FIRST}"
            ),
            "lost_after_qualified": Break(
                f"update members set lost_on = date '2015-03-31' where member_key = {_FIRST}"
            ),
            "no_my_number": Break(f"update members set name = '花子{MY_NUMBER}' where member_key = {_FIRST}"),
            "decided_by_the_day": Break(
                f"update members set decided_on = date '2025-05-01' where member_key = {_FIRST}"
            ),
            "reached_75_is_closed": Break(
                f"update members set birth_date = date '1950-04-30' where member_key = {_FIRST}"
            ),
            "insured_share": Break(
                "delete from members where member_key % 100 = 1", {"declared_rows": 201, "previous_rows": None}
            ),
            "protected_share": Break("update members set protected = true where member_key % 100 = 1"),
            "voluntary_share": Break("update members set enrolment = 'voluntary'"),
            "households_have_an_insured": Break(
                "delete from members where member_key in (select member_key from members where member_key % 100 = 0"
                " and household_key in (select household_key from members where member_key % 100 = 1)"
                " order by member_key limit 4)",
                {"declared_rows": 317},
            ),
        },
    ),
    "inbound/register_addresses": Case(
        REGISTER,
        REGISTER_BASE,
        {**_DROP, "declared_rows": 201, "previous_rows": 200},
        {
            **_register("addresses", "household_key", 200),
            # Moving one of 200 households leaves its people without an address, within 1 %.
            "prefecture_known": Break(
                "update addresses set household_key = 48::hugeint * 1100000000000000 + household_key % 1100000000000000"
                " where household_key = (select min(household_key) from addresses);"
                " insert into members select as_of, 48::hugeint * 110000000000000000 + member_key % 110000000000000000,"
                " 48::hugeint * 1100000000000000 + household_key % 1100000000000000,"
                f" * exclude (as_of, member_key, household_key) from members where member_key = {_FIRST}"
            ),
            "row_floor_addresses": Break(
                "delete from addresses; delete from members; delete from rejects where file = 'addresses'",
                {"declared_rows": None, "previous_rows": None},
            ),
            "addresses_complete": Break(
                "update addresses set household_key = null"
                " where household_key = (select min(household_key) from addresses)"
            ),
            "no_my_number": Break(
                "update addresses set building = 'ハイツ1234-5678-9018'"
                " where household_key = (select min(household_key) from addresses)"
            ),
            "updated_by_the_day": Break("update addresses set updated_on = date '2025-05-01'"),
            "household_known": Break(
                "delete from members where household_key = (select min(household_key) from members)"
            ),
            "households_have_an_address": Break(
                "delete from addresses where household_key in"
                " (select household_key from addresses order by household_key limit 3)",
                {"declared_rows": 198},
            ),
            "postal_codes_have_7_digits": Break("update addresses set postal_code = '100-001'"),
            "addresses_not_blank": Break("update addresses set address = '　'"),
            "overseas_share": Break("update addresses set country = 'US'"),
        },
    ),
    "inbound/register_employers": Case(
        REGISTER,
        REGISTER_BASE,
        {**_DROP, "declared_rows": 201, "previous_rows": 200},
        {
            **_register("employers", "employer_key", 200),
            "row_floor_employers": Break(
                "delete from employers; delete from members; delete from rejects where file = 'employers'",
                {"declared_rows": None, "previous_rows": None},
            ),
            "employers_complete": Break(
                "update employers set employer_key = null"
                " where employer_key = (select min(employer_key) from employers)"
            ),
            "no_my_number": Break(f"update employers set address = '{MY_NUMBER}' where name = '試験商事1'"),
            "names_not_blank": Break("update employers set name = ' '"),
            "addresses_not_blank": Break("update employers set postal_code = null"),
            "closed_share": Break("update employers set closed_on = date '2025-01-01'"),
            "households_have_an_employer": Break(
                "delete from employers where employer_key in"
                " (select employer_key from employers where name in ('試験商事1', '試験商事2', '試験商事3'))",
                {"declared_rows": 198},
            ),
        },
    ),
    "inbound/register_my_number_cards": Case(
        REGISTER,
        REGISTER_BASE,
        {**_DROP, "declared_rows": 321, "previous_rows": 320},
        {
            **_register("my_number_cards", "member_key", 320),
            "row_floor_my_number_cards": Break(
                "delete from my_number_cards; delete from rejects where file = 'my_number_cards'",
                {"declared_rows": None, "previous_rows": None},
            ),
            "prefecture_known": Break(
                "update my_number_cards set member_key ="
                " 48::hugeint * 110000000000000000 + member_key % 110000000000000000"
                f" where member_key = {_FIRST};"
                " insert into members (member_key) select max(member_key) from my_number_cards"
            ),
            "my_number_cards_complete": Break(
                f"update my_number_cards set has_card = null, registered = false where member_key = {_FIRST}"
            ),
            "member_known": Break(f"delete from members where member_key = {_FIRST}"),
            "registered_has_card": Break(
                "update my_number_cards set number_filed = false"
                " where member_key = (select min(member_key) from my_number_cards where registered)"
            ),
            "certificate_not_beyond_card_life": Break(
                "update my_number_cards set certificate_expires_on = date '2031-05-01'"
                " where member_key = (select min(member_key) from my_number_cards where registered)"
            ),
            "usable_share": Break(
                "update my_number_cards set has_card = false, registered = false, certificate_expires_on = null"
            ),
        },
    ),
    "inbound/register_issued_certificates": Case(
        REGISTER,
        REGISTER_BASE,
        {**_DROP, "declared_rows": 321, "previous_rows": 320},
        {
            **{
                rule: item
                for rule, item in _register("issued_certificates", "member_key", 320).items()
                if rule != "not_fewer_than_before"
            },
            "row_floor_issued_certificates": Break(
                "delete from issued_certificates; delete from rejects where file = 'issued_certificates'",
                {"declared_rows": None, "previous_rows": None},
            ),
            "prefecture_known": Break(
                "update issued_certificates set member_key ="
                " 48::hugeint * 110000000000000000 + member_key % 110000000000000000"
                f" where member_key = {_FIRST};"
                " insert into members (member_key) select max(member_key) from issued_certificates"
            ),
            "issued_certificates_complete": Break(
                f"update issued_certificates set valid_until = null where member_key = {_FIRST}"
            ),
            "member_known": Break(f"delete from members where member_key = {_FIRST}"),
            "days_in_order": Break(
                f"update issued_certificates set ended_on = date '2025-01-09' where member_key = {_FIRST}"
            ),
        },
    ),
}


def _feed(feed: str, base: str, breaks: dict[str, Break]) -> Case:
    reject = (
        "insert into rejects by name select 'x' as column_name, 'bad_date' as reason_code,"
        " 'file.csv' as source_file, 100 + i as row_number from range({}) as n (i);"
    )
    return Case(
        FEEDS[feed],
        base + reject.format(1),
        {"declared_rows": 61},
        {
            "row_floor_rows": Break("delete from rows; delete from rejects", {"declared_rows": 1}),
            "rows_add_up": Break("", {"declared_rows": 60}),
            "reject_limit": Break(reject.format(6), {"declared_rows": 67}),
            "reject_reason_known": Break("update rejects set reason_code = 'because'"),
            "source_row_unique": Break("update rows set row_number = 2 where row_number = 1"),
            **breaks,
        },
    )


_SOURCE = "'file.csv', i, date '2025-08-04' from range(1, 61) as numbers (i);"
_MEMBER = "(1 + i % 47)::bigint * 110000000000000000 + i * 100"
_TO_48 = (
    "update rows set member_key = 48::hugeint * 110000000000000000 + member_key % 110000000000000000"
    " where row_number = 1"
)
_WRONG_CHECK = "update rows set {0} = {0}[:10] || ({0}[11]::integer + 1) % 10 where row_number = 1"

CASES |= {
    "inbound/feed_issue_requests": _feed(
        "issue_requests",
        f"insert into rows select 'R-' || i, {_MEMBER}, date '2025-08-01', 'new_enrollee', {_SOURCE}",
        {
            "rows_complete": Break("update rows set requested_on = null where row_number = 1"),
            "prefecture_known": Break(_TO_48),
            "request_unique": Break("update rows set request_id = 'R-2' where row_number = 1"),
            "kind_known": Break("update rows set kind = 'curiosity' where row_number = 1"),
            "requested_by_receipt": Break("update rows set requested_on = date '2025-08-05' where row_number = 1"),
            "one_request_per_person": Break(
                "update rows set member_key = (select member_key from rows where row_number = 2) where row_number = 1"
            ),
            "no_my_number": Break(f"update rows set request_id = '{MY_NUMBER}' where row_number = 1"),
        },
    ),
    "inbound/feed_certificate_returns": _feed(
        "certificate_returns",
        f"insert into rows select control_number(i) || '-1', date '2025-08-01', {_SOURCE}",
        {
            "rows_complete": Break("update rows set returned_on = null where row_number = 1"),
            "certificate_once": Break(
                "update rows set certificate_id = (select certificate_id from rows where row_number = 2)"
                " where row_number = 1"
            ),
            "certificate_id_valid": Break("update rows set certificate_id = '00000000100-1' where row_number = 1"),
            "returned_by_receipt": Break("update rows set returned_on = date '2025-08-05' where row_number = 1"),
        },
    ),
    "inbound/feed_decisions": _feed(
        "decisions",
        f"insert into rows select {_MEMBER}, date '2025-08-01', 'release', '担当者', null, null, null, {_SOURCE}",
        {
            "rows_complete": Break("update rows set decided_on = null where row_number = 1"),
            "prefecture_known": Break(_TO_48),
            "decision_known": Break("update rows set decision = 'perhaps' where row_number = 1"),
            "decided_by_not_blank": Break("update rows set decided_by = '　' where row_number = 1"),
            "reason_known": Break("update rows set decision = 'exclude', reason_code = 'luck' where row_number = 1"),
            "reason_of_exclusion": Break("update rows set reason_code = 'declined' where row_number = 1"),
            "share_looked_at": Break("update rows set accepted_share = 0.5 where row_number = 1"),
            "decided_by_receipt": Break("update rows set decided_on = date '2025-08-05' where row_number = 1"),
            "no_contradiction": Break(
                "update rows set decision = 'exclude',"
                " member_key = (select member_key from rows where row_number = 2) where row_number = 1"
            ),
            "no_my_number": Break(f"update rows set decided_by = '{MY_NUMBER}' where row_number = 1"),
        },
    ),
    "inbound/feed_usage_counts": _feed(
        "usage_counts",
        "insert into rows select '2025-03', lpad(i::varchar, 2, '0'), 27, 100, 'file.csv', i, date '2025-08-04'"
        " from range(1, 48) as numbers (i);",
        {},
    ),
    "inbound/feed_acknowledgements": _feed(
        "acknowledgements",
        "insert into rows select 'lot-' || i, 'fy2025-H-13-20250801-' || lpad(i::varchar, 2, '0'), 'accepted', null,"
        f" 100, 150, date '2025-08-01', {_SOURCE}",
        {
            "rows_complete": Break("update rows set acknowledged_on = null where row_number = 1"),
            "file_answered_one_way": Break(
                "update rows set result = 'rejected', reason_code = 'A02', file_name = 'lot-2' where row_number = 1"
            ),
            "result_known": Break("update rows set result = 'perhaps' where row_number = 1"),
            "rejection_has_reason": Break("update rows set result = 'rejected' where row_number = 1"),
            "lot_has_counts": Break("update rows set envelope_count = null where row_number = 1"),
            "acknowledged_by_receipt": Break(
                "update rows set acknowledged_on = date '2025-08-05' where row_number = 1"
            ),
            "nothing_rejected": Break("update rows set result = 'rejected', reason_code = 'A02' where row_number = 1"),
        },
    ),
    "inbound/feed_piece_reports": _feed(
        "piece_reports",
        "insert into rows select 'fy2025-H-13-20250801-01', control_number(i),"
        " case when i = 60 then 'spoiled' when i = 59 then 'pulled' else 'posted' end, date '2025-08-01',"
        f" if(i < 59, '1234567' || lpad(i::varchar, 4, '0'), null), if(i = 60, control_number(900), null), {_SOURCE}",
        {
            "rows_complete": Break("update rows set occurred_on = null where row_number = 1"),
            "event_once": Break(
                "update rows set envelope_id = (select envelope_id from rows where row_number = 2) where row_number = 1"
            ),
            "control_number_valid": Break(_WRONG_CHECK.format("envelope_id")),
            "event_known": Break("update rows set event_type = 'lost' where row_number = 59"),
            "posted_has_tracking_number": Break("update rows set tracking_number = null where row_number = 1"),
            "tracking_number_once": Break("update rows set tracking_number = '12345670002' where row_number = 1"),
            "spoiled_has_replacement": Break("update rows set replacement_id = null where row_number = 60"),
            "replacement_valid": Break(
                "update rows set replacement_id = left(replacement_id, 9) || '00' where row_number = 60"
            ),
            "replacement_once": Break(
                "update rows set event_type = 'spoiled', tracking_number = null, replacement_id = control_number(900)"
                " where row_number = 59"
            ),
            "occurred_by_receipt": Break("update rows set occurred_on = date '2025-08-05' where row_number = 1"),
            "one_end_of_a_piece": Break(
                "update rows set envelope_id = (select envelope_id from rows where row_number = 59)"
                " where row_number = 1"
            ),
            "spoiled_share": Break(
                "update rows set event_type = 'spoiled', tracking_number = null,"
                " replacement_id = control_number(1000 + row_number) where row_number <= 9"
            ),
        },
    ),
    "inbound/feed_return_reports": _feed(
        "return_reports",
        "insert into rows select control_number(i), '1234567' || lpad(i::varchar, 4, '0'), date '2025-08-01',"
        f" 'R0' || (1 + i % 6), {_SOURCE}",
        {
            "rows_complete": Break("update rows set returned_on = null where row_number = 1"),
            "return_once": Break(
                "update rows set envelope_id = (select envelope_id from rows where row_number = 2) where row_number = 1"
            ),
            "control_number_valid": Break(_WRONG_CHECK.format("envelope_id")),
            "return_reason_known": Break("update rows set reason_code = 'R07' where row_number = 1"),
            "returned_by_receipt": Break("update rows set returned_on = date '2025-08-05' where row_number = 1"),
            "other_reason_share": Break("update rows set reason_code = 'R09' where row_number > 30"),
        },
    ),
}

# A month of usage counts has 47 rows, one per prefecture, so its counts differ from the other feeds'.
CASES["inbound/feed_usage_counts"] = Case(
    FEEDS["usage_counts"],
    CASES["inbound/feed_usage_counts"].base,
    {"declared_rows": 48},
    {
        **CASES["inbound/feed_usage_counts"].breaks,
        "rows_add_up": Break("", {"declared_rows": 47}),
        "reject_limit": Break(
            "insert into rejects by name select 'x' as column_name, 'bad_date' as reason_code,"
            " 'file.csv' as source_file, 100 + i as row_number from range(6) as n (i)",
            {"declared_rows": 54},
        ),
        "rows_complete": Break("update rows set uses = null where row_number = 1"),
        "month_and_prefecture_once": Break(
            "insert into rows select * replace (48 as row_number) from rows where row_number = 1",
            {"declared_rows": 49},
        ),
        "month_valid": Break("update rows set month = '2025-13'"),
        "prefecture_code_known": Break("update rows set prefecture_code = '48' where row_number = 1"),
        "counts_not_negative": Break("update rows set uses = -1 where row_number = 1"),
        "uses_within_verifications": Break("update rows set uses = 101 where row_number = 1"),
        "month_complete": Break("delete from rows where row_number = 1", {"declared_rows": 47}),
    },
)
