"""The bytes of the files to the printer, read back before anybody approves them, against the plan (printer/v1)."""

from __future__ import annotations

from kakuninsho.gates import common
from kakuninsho.gates.file_bytes import READ_FIELDS, READ_FILES, READ_RECORDS, UNKNOWN
from kakuninsho.gates.file_plan import LOT_RECORDS, ORDER_RECORDS, fields_of, record_title
from kakuninsho.gates.gx import rows
from kakuninsho.gates.suite import CRITICAL, Rule, Suite

_HOLDS = "printer/v1: the bytes that leave say what the plan says"
_RECORDS = (*LOT_RECORDS, *ORDER_RECORDS)
# How many fields of each kind of record must have been compared.
_FIELD_COUNTS = ", ".join(f"('{record}', {len(fields_of(record))})" for record in _RECORDS)


def _files(rule_id: str, ja: str, condition: str) -> Rule:
    return Rule(rule_id, "read_files", CRITICAL, ja, _HOLDS, rows(f"select 1 from {{batch}} where {condition}"))


def _records(rule_id: str, ja: str, count: str) -> Rule:
    """A rule whose count is that of the records, not of the files."""
    query = rows(f"select unnest(range({count})) from {{batch}}")
    return Rule(rule_id, "read_records", CRITICAL, ja, _HOLDS, query)


def _field(record: str, name: str, ja: str) -> Rule:
    return Rule(
        f"{record}_{name}",
        "read_fields",
        CRITICAL,
        f"{record}（{record_title(record)}）の {name}「{ja}」が計画と一致する",
        f"printer/v1: {record}, {name}",
        rows(f"select unnest(range(differing)) from {{batch}} where record = '{record}' and field = '{name}'"),
    )


SUITE = Suite(
    name="outbound/file_bytes",
    title="印刷会社へ渡すファイルの中身（読み戻し）",
    what_to_do="No file was sealed or sent; write the files of the plan again, and look at what wrote them.",
    what_to_do_ja="暗号化も送付もしていません。計画からファイルを作り直し、書き出す側を調べてください。",
    tables={"read_files": READ_FILES, "read_records": READ_RECORDS, "read_fields": READ_FIELDS},
    rules=(
        common.row_floor("read_files", "design: an empty table fails"),
        common.row_floor("read_records", "design: an empty table fails"),
        common.row_floor("read_fields", "design: an empty table fails"),
        _files("every_planned_file_is_there", "計画にあるファイルがすべてある", "is_planned and not is_there"),
        _files("no_other_file", "計画にないファイルがない（名前の日付・番号・件数も計画のとおり）", "not is_planned"),
        _files(
            "file_is_readable",
            "文字コード（IBM の形）、引用符、改行が仕様のとおり",
            "is_planned and is_there and not is_readable",
        ),
        _files(
            "claims_are_true",
            "目録に書く件数・容量・SHA-256 が、読み戻したファイルと一致する",
            "is_planned and is_there and (row_count is distinct from claimed_row_count"
            " or byte_count is distinct from claimed_byte_count or sha256 is distinct from claimed_sha256)",
        ),
        _records("no_record_missing", "計画にあるレコードがすべてある", "missing"),
        _records("no_record_over", "計画にないレコードがない", f"if(record = '{UNKNOWN}', 0, \"over\")"),
        _records("no_unknown_record", "仕様にない区分のレコードがない", f"if(record = '{UNKNOWN}', found, 0)"),
        _records("no_record_twice", "同じ番号のレコードが二度ない", "twice"),
        _records("order_as_planned", "レコードの並びが計画のとおり", "out_of_order"),
        _records("no_field_over", "レコードの項目数が仕様のとおり", "extra_fields"),
        Rule(
            "every_field_is_compared",
            "read_records",
            CRITICAL,
            "計画にあるレコードの、仕様にあるすべての項目を照合した",
            "design: a check that looks at nothing is none",
            rows(
                "select 1 from {batch} as records"
                f" left join (values {_FIELD_COUNTS}) as contract (record, fields) using (record)"
                " left join (select file_name, record, count(distinct field) as fields, min(compared) as compared"
                " from read_fields group by file_name, record) as seen using (file_name, record)"
                " where planned > 0 and (seen.fields is distinct from contract.fields"
                " or seen.compared is distinct from planned - missing)"
            ),
        ),
        *(_field(record, field["name"], field["ja"]) for record in _RECORDS for field in fields_of(record)),
    ),
)
