"""Rules that several suites ask, written once. Only the suites of `expectations/` import this: it loads GX."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from kakuninsho.gates.gx import gxe, rows
from kakuninsho.gates.suite import CRITICAL, WARNING, Parameter, Rule, Severity

REASON_CODES = (
    "duplicate_row",
    "conflicting_duplicate",
    "missing_value",
    "bad_format",
    "bad_code",
    "bad_date",
    "inconsistent",
)

DECLARED_ROWS = Parameter("declared_rows", "rows that the file's manifest declares")
REJECT_LIMIT = (
    Parameter("max_reject_rate", "share of a file's rows that may be rejected", from_campaign=True),
    Parameter("max_reject_rows_always_accepted", "rejects that never stop a file", from_campaign=True),
)


def share_limits(*names: str) -> tuple[Parameter, ...]:
    """Limits of shares, each a parameter of the campaign file."""
    return tuple(Parameter(name, "share that is believed, of the rows", from_campaign=True) for name in names)


REGISTER_PARAMETERS = (
    DECLARED_ROWS,
    *REJECT_LIMIT,
    *share_limits("min_share_of_previous_rows"),
    Parameter("as_of", "day of the drop", required=True),
    Parameter("kind", "full or delta", default="full"),
    Parameter("previous_rows", "accepted rows of the same table in the drop before"),
)
FEED_PARAMETERS = (
    Parameter("as_of", "day of the take-in, for the report"),
    Parameter("declared_rows", "rows that the file's manifest declares", required=True),
    *REJECT_LIMIT,
)

FEED_WHAT_TO_DO = "The file was not taken in; ask its sender for a corrected file under a new name."
FEED_WHAT_TO_DO_JA = "このファイルは取り込んでいません。送付元に、別の名前の訂正ファイルを求めてください。"


def unless_full(parameters: Mapping[str, Any]) -> str | None:
    """Skip what can only be asked of a full drop: a delta holds changed rows only."""
    return None if parameters.get("kind", "full") == "full" else "差分のデータのため"


def unless_given(name: str, also_full: bool = False) -> Any:
    """Skip a rule whose parameter nobody gave."""

    def reason(parameters: Mapping[str, Any]) -> str | None:
        if parameters[name] is None:
            return f"{name} が渡されていない"
        return unless_full(parameters) if also_full else None

    return reason


def row_floor(table: str, holds: str) -> Rule:
    """At least one row, unless the manifest itself declares none or the drop is a delta."""

    def expect(parameters: Mapping[str, Any]) -> Any:
        may_be_empty = parameters.get("kind") == "delta" or parameters.get("declared_rows") == 0
        return gxe.ExpectTableRowCountToBeBetween(min_value=0 if may_be_empty else 1)

    return Rule(
        f"row_floor_{table}", table, CRITICAL, "1 行以上ある（空の表は合格にしない）", holds, expect, of_the_file=True
    )


def feed_floor(holds: str) -> Rule:
    """At least one row, accepted or rejected, unless the manifest declares none."""
    return Rule(
        "row_floor_rows",
        "rows",
        CRITICAL,
        "1 行以上ある（空の表は合格にしない。除外した行も数える）",
        holds,
        rows(
            "select 1 where $declared_rows > 0 and (select count(*) from {batch}) + (select count(*) from rejects) = 0"
        ),
        of_the_file=True,
    )


def rows_add_up(table: str, holds: str, *, file: str | None = None, of_a_feed: bool = False) -> Rule:
    """Accepted rows and rejected rows are together the rows that the manifest declares.

    A feed's file without any row at all is the floor's to say (`feed_floor`).
    """
    rejected = "select count(*) from rejects" + (f" where file = '{file}'" if file else "")
    return Rule(
        "rows_add_up",
        table,
        CRITICAL,
        "受理した行と除外した行の合計が、送付側の件数（マニフェスト）と一致する",
        holds,
        rows(
            f"select 1 where (select count(*) from {{batch}}) + ({rejected}) <> $declared_rows"
            + (f" and (select count(*) from {{batch}}) + ({rejected}) > 0" if of_a_feed else ""),
        ),
        of_the_file=True,
        skip_if=unless_given("declared_rows"),
    )


def reject_limit(table: str, holds: str, *, file: str | None = None) -> Rule:
    """Rejects are at most the share of the campaign file, or at most the number that is always accepted."""
    rejected = "select count(*) from rejects" + (f" where file = '{file}'" if file else "")
    return Rule(
        "reject_limit",
        table,
        CRITICAL,
        "除外した行が上限（割合と件数）を超えない",
        holds,
        rows(
            f"select 1 from (select ({rejected}) as rejected, (select count(*) from {{batch}}) as accepted) as counts "
            "where rejected > $max_reject_rows_always_accepted "
            "and rejected > $max_reject_rate * (rejected + accepted)"
        ),
        of_the_file=True,
    )


def reject_reasons_known(holds: str) -> Rule:
    """Every reject carries one of the contract's reason codes."""
    return Rule(
        "reject_reason_known",
        "rejects",
        CRITICAL,
        "除外の理由コードは定められたもの",
        holds,
        rows(f"select 1 from {{batch}} where reason_code is null or reason_code not in {REASON_CODES}"),
    )


def present(table: str, columns: tuple[str, ...], holds: str, rule_id: str | None = None) -> Rule:
    """Required columns have a value."""
    missing = " or ".join(f"{column} is null" for column in columns)
    return Rule(
        rule_id or f"{table}_complete",
        table,
        CRITICAL,
        "必須の項目に空がない",
        holds,
        rows(f"select 1 from {{batch}} where {missing}"),
    )


def key_unique(
    table: str, columns: tuple[str, ...], holds: str, rule_id: str = "key_unique", *, severity: Severity = CRITICAL
) -> Rule:
    """A key names one row; a null key is no key and is asked by `present`."""
    key = ", ".join(columns)
    given = " and ".join(f"{column} is not null" for column in columns)
    return Rule(
        rule_id,
        table,
        severity,
        "キーが重複しない",
        holds,
        rows(f"select 1 from {{batch}} where {given} group by {key} having count(*) > 1"),
    )


def prefecture_known(table: str, holds: str, column: str = "prefecture") -> Rule:
    """Prefecture 1 to 47."""
    return Rule(
        "prefecture_known",
        table,
        CRITICAL,
        "支部は都道府県番号 1〜47 のいずれか",
        holds,
        lambda _: gxe.ExpectColumnValuesToBeBetween(column=column, min_value=1, max_value=47),
    )


def one_day(table: str, holds: str) -> Rule:
    """All rows carry the day of the drop."""
    return Rule(
        "as_of_is_the_drops",
        table,
        CRITICAL,
        "すべての行が同じ基準日のもの",
        holds,
        rows("select 1 from {batch} where as_of is distinct from $as_of"),
    )


def no_my_number(table: str, columns: tuple[str, ...], holds: str, rule_id: str = "no_my_number") -> Rule:
    """No text holds a run of digits that is a valid My Number."""
    any_of = " or ".join(f"holds_my_number({column})" for column in columns)
    return Rule(
        rule_id,
        table,
        CRITICAL,
        "個人番号（マイナンバー）とみられる 12 桁の数字がない",
        holds,
        rows(f"select 1 from {{batch}} where {any_of}"),
    )


def not_fewer_than_before(table: str, holds: str) -> Rule:
    """A full drop with far fewer rows than the drop before is shown to a person."""
    return Rule(
        "not_fewer_than_before",
        table,
        WARNING,
        "行数が前回に比べて少なすぎない（min_share_of_previous_rows）",
        holds,
        lambda parameters: gxe.ExpectTableRowCountToBeBetween(
            min_value=math.ceil(parameters["min_share_of_previous_rows"] * parameters["previous_rows"])
        ),
        of_the_file=True,
        skip_if=unless_given("previous_rows", also_full=True),
    )


def share(
    rule_id: str,
    table: str,
    ja: str,
    holds: str,
    condition: str,
    *,
    least: str | None = None,
    most: str | None = None,
    where: str = "true",
    needs: tuple[str, ...] = (),
) -> Rule:
    """The share of rows that meet a condition lies where it is believed; an empty table has no share.

    `least` and `most` name parameters of the campaign file, which the suite must take (`share_limits`).
    """
    limits = [f"found < ${least}"] if least else []
    limits += [f"found > ${most}"] if most else []
    return Rule(
        rule_id,
        table,
        WARNING,
        f"{ja}（{'、'.join(name for name in (least, most) if name)}）",
        holds,
        rows(
            f"select 1 from (select avg(({condition})::integer) as found from {{batch}} where {where}) as shares "
            f"where {' or '.join(limits)}"
        ),
        of_the_file=True,
        needs=needs,
        skip_if=unless_full,
    )


def feed_rules(feed: str, required: tuple[str, ...]) -> tuple[Rule, ...]:
    """What every feed's file is asked first: that it is whole, and that its required columns have values."""
    return (
        feed_floor("feeds: a file without a row that it declares is no file"),
        rows_add_up("rows", "feeds: manifest of rows", of_a_feed=True),
        reject_limit("rows", "feeds: max_reject_rate"),
        reject_reasons_known("feeds: reason codes"),
        present("rows", required, f"{feed}: required columns"),
        key_unique("rows", ("source_file", "row_number"), "feeds: each row of a file once", "source_row_unique"),
    )
