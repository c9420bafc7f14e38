"""The contract `register/v1`: tables, columns and the check that each column must pass.

The rules are data here; `checking` turns them into SQL. Columns are checked in the order of the contract and the
codes of a column in the order missing_value, bad_format, bad_code, bad_date, inconsistent; the first that fails
names the reject. What the contract leaves open was decided so:

| question | decision |
|---|---|
| empty value | null: an empty CSV field, quoted or not, and an empty string in Parquet |
| white space around a value | not trimmed: " male" is bad_code, "2025-04-30 " is bad_date |
| digits | ASCII only: full-width digits are bad_format |
| insurer number | not 8 digits: bad_format; 8 digits that are none of the 47 branches: bad_code |
| number | "0" and leading zeros: bad_format |
| relationship | neither insured nor dependent: bad_code; not agreeing with the suffix: inconsistent |
| name | only Unicode spaces: missing_value; over 200 code points: bad_format |
| kana | over 200 code points: bad_format; null or blank is held (rules: what becomes of each row, line 10b) |
| issued_certificates | a table that a drop may leave out; in a full drop it may be empty: then no certificate lives |
| a delta | may leave out any table: nothing of it has changed |
| valid_until, ended_on before issued_on | inconsistent, column valid_until or ended_on |
| dates | not exactly YYYY-MM-DD, not in the calendar, year 0 or above 9999: bad_date |
| birth_date | after as_of, or on or before 1900-01-01: bad_date |
| qualified_on before birth_date | inconsistent, column qualified_on |
| lost_on before qualified_on | inconsistent, column lost_on |
| booleans | anything but true and false in lower case: bad_format |
| addresses, employers | keys, duplicates and dates only; updated_on is required, closed_on may be null |
| Parquet column of another type | read through its text: what cannot be meant becomes a reject |
| order of columns | any |
| a column that the contract does not name | searched for My Numbers and left out |
| exact duplicates | by the contract's columns; the first row stays; a copy has no row_key, as its key is not rejected |
| conflicting keys | by the raw text of the key columns; a key with an empty part conflicts with none |
| My Number | 12 digits, ASCII or full-width, in a run of their own or in groups of four as on the card, in any
  text column, whose check digit fits; longer runs (corporate numbers have 13) are none |
| a CSV row with too few or too many fields | rejected: bad_format, without column and key; never shifted |
| a lost quotation mark, line ends that differ, bytes that are no UTF-8, NUL | the file is refused, with the line |
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal

from kakuninsho.campaign import load_branches

CONTRACT = "register/v1"
DROP_KINDS = ("full", "delta")

ReasonCode = Literal[
    "duplicate_row",
    "conflicting_duplicate",
    "missing_value",
    "bad_format",
    "bad_code",
    "bad_date",
    "inconsistent",
]
REASON_CODES: tuple[ReasonCode, ...] = (
    "duplicate_row",
    "conflicting_duplicate",
    "missing_value",
    "bad_format",
    "bad_code",
    "bad_date",
    "inconsistent",
)

# Unicode's White_Space. Separators of ASCII and characters without width are no spaces: they are unprintable.
BLANK_CHARACTERS = "".join(
    chr(code)
    for code in (
        *range(0x09, 0x0E), 0x20, 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B),
        0x2028, 0x2029, 0x202F, 0x205F, 0x3000,
    )
)  # fmt: skip


@dataclass(frozen=True)
class Check:
    """A SQL condition over the parsed columns that is true where a value that is there breaks a rule.

    `column` is the text of a column (null when empty), `column_value` its date or boolean (null when unreadable).
    `{as_of}` stands for the day of the drop.
    """

    code: ReasonCode
    fails: str


@dataclass(frozen=True)
class Column:
    """A column as delivered. A check for a missing value, a date or a boolean comes with the kind."""

    name: str
    kind: Literal["text", "date", "boolean"] = "text"
    required: bool = True
    checks: tuple[Check, ...] = ()
    may_be_absent: bool = False  # a CSV file without the column reads as one where it is empty


@dataclass(frozen=True)
class Table:
    """One delivered file: its columns in order, its key, and how accepted rows are written."""

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    row_key: str  # SQL: the packed key, null where a part cannot be read
    row_key_type: str = "bigint"
    outputs: dict[str, str] = field(default_factory=dict)  # SQL of output columns that are not columns of the file
    free_text: tuple[str, ...] | None = None  # columns searched for My Numbers; None means every text column

    @property
    def column_names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)


@lru_cache(maxsize=1)
def insurer_numbers_sql() -> str:
    """The 47 insurer numbers as a SQL list. All others fail a part of the rule: prefix, prefecture or check digit."""
    return ", ".join(f"'{branch.insurer_number}'" for branch in load_branches())


def blank(column: str) -> str:
    """SQL: the text holds nothing but spaces of any kind. Trimming is dear, so only what begins with one is trimmed."""
    begins_blank = f"contains('{BLANK_CHARACTERS}', left({column}, 1))"
    return f"({begins_blank} and trim({column}, '{BLANK_CHARACTERS}') = '')"


# --- keys ---------------------------------------------------------------------------------------------------

_SYMBOL = "regexp_full_match(symbol, '[0-9]{7,8}')"
_NUMBER = "regexp_full_match(number, '[1-9][0-9]{0,6}')"
_SUFFIX = "regexp_full_match(suffix, '[0-9]{2}')"


def _key_columns() -> tuple[Column, ...]:
    insurer_number = Column(
        "insurer_number",
        checks=(
            Check("bad_format", "not regexp_full_match(insurer_number, '[0-9]{8}')"),
            Check("bad_code", f"insurer_number not in ({insurer_numbers_sql()})"),
        ),
    )
    return (
        insurer_number,
        Column("symbol", checks=(Check("bad_format", f"not {_SYMBOL}"),)),
        Column("number", checks=(Check("bad_format", f"not {_NUMBER}"),)),
        Column("suffix", checks=(Check("bad_format", f"not {_SUFFIX}"),)),
    )


KEY_COLUMNS = _key_columns()
MEMBER_KEY = ("insurer_number", "symbol", "number", "suffix")
HOUSEHOLD_KEY = MEMBER_KEY[:3]
EMPLOYER_KEY = MEMBER_KEY[:2]

_EMPLOYER = (
    "try_cast(substr(insurer_number, 3, 2) as bigint) * 110000000"
    " + if(length(symbol) = 8, 10000000, 0) + try_cast(symbol as bigint)"
)
_HOUSEHOLD = f"({_EMPLOYER}) * 10000000 + try_cast(number as bigint)"
_MEMBER = f"({_HOUSEHOLD}) * 100 + try_cast(suffix as bigint)"


def _readable(packed: str, parts: int) -> str:
    conditions = (f"insurer_number in ({insurer_numbers_sql()})", _SYMBOL, _NUMBER, _SUFFIX)[:parts]
    return f"case when {' and '.join(conditions)} then {packed} end"


EMPLOYER_KEY_SQL = _readable(_EMPLOYER, 2)
HOUSEHOLD_KEY_SQL = _readable(_HOUSEHOLD, 3)
MEMBER_KEY_SQL = _readable(_MEMBER, 4)

# --- tables -------------------------------------------------------------------------------------------------


def one_of(column: str, *codes: str) -> Check:
    """The check that a value is one of these codes."""
    return Check("bad_code", f"{column} not in ({', '.join(repr(code) for code in codes)})")


def _person_name(column: str, *, required: bool = True) -> Column:
    """What is too long for the certificate is held, not rejected: only what can be no name is."""
    empty = (Check("missing_value", blank(column)),) if required else ()
    return Column(column, required=required, checks=(*empty, Check("bad_format", f"length({column}) > 200")))


def _free(name: str) -> Column:
    """A text that no rule of the contract judges."""
    return Column(name, required=False)


TABLES: dict[str, Table] = {
    "members": Table(
        name="members",
        columns=(
            *KEY_COLUMNS,
            Column(
                "relationship",
                checks=(
                    one_of("relationship", "insured", "dependent"),
                    Check("inconsistent", "(relationship = 'insured') <> (suffix = '00')"),
                ),
            ),
            Column("enrolment", checks=(one_of("enrolment", "employee", "voluntary"),)),
            _person_name("name"),
            _person_name("name_kana", required=False),
            Column("sex", checks=(one_of("sex", "male", "female"),)),
            Column(
                "birth_date",
                "date",
                checks=(Check("bad_date", "birth_date_value > {as_of} or birth_date_value <= date '1900-01-01'"),),
            ),
            Column(
                "qualified_on",
                "date",
                checks=(Check("inconsistent", "qualified_on_value < birth_date_value"),),
            ),
            Column("decided_on", "date"),
            Column(
                "lost_on",
                "date",
                required=False,
                checks=(Check("inconsistent", "lost_on_value < qualified_on_value"),),
            ),
            Column("protected", "boolean"),
        ),
        key=MEMBER_KEY,
        row_key=MEMBER_KEY_SQL,
        outputs={"member_key": _MEMBER, "household_key": _HOUSEHOLD},
    ),
    "addresses": Table(
        name="addresses",
        columns=(
            *KEY_COLUMNS[:3],
            *map(_free, ("postal_code", "address", "building", "country")),
            Column("updated_on", "date"),
        ),
        key=HOUSEHOLD_KEY,
        row_key=HOUSEHOLD_KEY_SQL,
        outputs={"household_key": _HOUSEHOLD},
    ),
    "employers": Table(
        name="employers",
        columns=(
            *KEY_COLUMNS[:2],
            *map(_free, ("name", "postal_code", "address", "building")),
            Column("closed_on", "date", required=False),
        ),
        key=EMPLOYER_KEY,
        row_key=EMPLOYER_KEY_SQL,
        outputs={"employer_key": _EMPLOYER},
    ),
    "my_number_cards": Table(
        name="my_number_cards",
        columns=(
            *KEY_COLUMNS,
            Column("has_card", "boolean"),
            Column("number_filed", "boolean"),
            Column("registered", "boolean"),
            Column("certificate_expires_on", "date", required=False),
            Column("registration_cancelled_on", "date", required=False),
        ),
        key=MEMBER_KEY,
        row_key=MEMBER_KEY_SQL,
        outputs={"member_key": _MEMBER},
    ),
    "issued_certificates": Table(
        name="issued_certificates",
        columns=(
            *KEY_COLUMNS,
            Column("issued_on", "date"),
            Column("valid_until", "date", checks=(Check("inconsistent", "valid_until_value < issued_on_value"),)),
            Column(
                "ended_on",
                "date",
                required=False,
                checks=(Check("inconsistent", "ended_on_value < issued_on_value"),),
            ),
        ),
        key=(*MEMBER_KEY, "issued_on"),
        row_key=MEMBER_KEY_SQL,
        outputs={"member_key": _MEMBER},
    ),
}
# Tables that a drop need not have: without one it says nothing of it and is complete. With one it may be empty.
OPTIONAL_TABLES = frozenset({"issued_certificates"})

# --- My Number ----------------------------------------------------------------------------------------------

# Between the groups of four that the card prints: spaces and hyphens.
_GAP = "[ \u3000\\-\u2010-\u2015\u2212\u30fc\uff0d\uff70]"
_DIGIT = "[0-9０-９]"
# Cheap: few texts hold twelve digits in a row, and only those are looked at closely.
MY_NUMBER_CANDIDATE = f"{_DIGIT}{{4}}{_GAP}?{_DIGIT}{{4}}{_GAP}?{_DIGIT}{{4}}"

# Weights of digits 1 to 11 from the left: Q of the ordinance's P11 .. P1.
_WEIGHTS = (6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2)
_REMAINDER = "(" + " + ".join(f"cast(number[{n}] as integer) * {w}" for n, w in enumerate(_WEIGHTS, 1)) + ") % 11"

MY_NUMBER_MACROS = f"""
create or replace macro fits_my_number(number) as
    cast(number[12] as integer) = if({_REMAINDER} <= 1, 0, 11 - {_REMAINDER});
create or replace macro my_number_texts(text) as list_concat(
    list_filter(regexp_extract_all(text, '[0-9]+'), lambda run: length(run) = 12),
    list_transform(
        list_filter(
            regexp_extract_all(text, '[0-9]+(?:{_GAP}[0-9]+)*'),
            lambda groups: regexp_full_match(groups, '[0-9]{{4}}{_GAP}[0-9]{{4}}{_GAP}[0-9]{{4}}')
        ),
        lambda groups: regexp_replace(groups, '[^0-9]', '', 'g')
    )
);
create or replace macro holds_my_number(text) as len(list_filter(
    my_number_texts(translate(text, '０１２３４５６７８９', '0123456789')),
    lambda number: fits_my_number(number)
)) > 0;
"""


def holds_my_number(column: str) -> str:
    """SQL: the text holds a My Number. Short texts, nearly all, cost one comparison."""
    return (
        f"(length({column}) >= 12 and regexp_matches({column}, '{MY_NUMBER_CANDIDATE}') and holds_my_number({column}))"
    )
