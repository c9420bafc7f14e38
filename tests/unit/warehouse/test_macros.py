"""SQL macros against the rule in words, and against Python where Python has the rule too."""

from __future__ import annotations

import unicodedata
from datetime import date
from typing import Any

import duckdb
import pytest
from dbt_macros import evaluate, evaluate_all, render
from hypothesis import given, settings
from hypothesis import strategies as st

from kakuninsho.campaign import load_branches
from kakuninsho.plans.control_numbers import control_number
from kakuninsho.printer.charset import is_printable, printed_width, substitute
from kakuninsho.warehouse import characters

CAMPAIGN = (
    "12 as validity_turns_over_month, 1 as validity_turns_over_day, 5 as validity_years, "
    "75 as age_of_late_stage_care, 2 as voluntary_years"
)


def test_character_tables_are_current() -> None:
    assert characters.MACRO_FILE.read_text(encoding="utf-8") == characters.render()


# --- keys -------------------------------------------------------------------------------------------


def test_insurer_numbers_of_all_branches_have_their_check_digit() -> None:
    assert {evaluate("insurer_number", int(branch.prefecture_code)) for branch in load_branches()} == {
        branch.insurer_number for branch in load_branches()
    }


@pytest.mark.parametrize(
    ("prefecture", "symbol", "number", "suffix"),
    [
        (1, "0000001", "1", "00"),
        (18, "1060708", "42", "01"),
        (47, "01060708", "9999999", "99"),
        (47, "99999999", "7", "12"),
    ],
)
def test_packed_keys_come_back_as_the_same_text(prefecture: int, symbol: str, number: str, suffix: str) -> None:
    employer = evaluate("employer_key", prefecture, symbol)
    household = evaluate("household_key", employer, number)
    member = evaluate("member_key", household, suffix)
    assert evaluate("symbol_text", employer) == symbol
    assert evaluate("number_text", household) == number
    assert evaluate("suffix_text", member) == suffix
    assert evaluate("household_of_member", member) == household
    assert evaluate("employer_of_member", member) == evaluate("employer_of_household", household) == employer
    assert (
        evaluate("prefecture_of", employer, of="employer")
        == evaluate("prefecture_of", household)
        == evaluate("prefecture_of", member, of="member")
        == prefecture
    )
    assert evaluate("insured_of_household", household) == member - int(suffix)


def test_symbols_of_seven_and_eight_digits_never_share_a_key() -> None:
    assert evaluate("employer_key", 1, "1234567") != evaluate("employer_key", 1, "01234567")
    assert evaluate("employer_key", 1, "99999999") < evaluate("employer_key", 2, "0000000")


def test_control_numbers_agree_with_those_given_at_freezing() -> None:
    for sequence in (1, 96, 97, 98, 123_456_789, 999_999_999):
        assert evaluate("control_number", sequence) == control_number(sequence)


# --- days -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("born", "years", "birthday"),
    [
        (date(1950, 4, 30), 75, date(2025, 4, 30)),
        (date(1952, 2, 29), 75, date(2027, 3, 1)),  # a common year
        (date(1952, 2, 28), 75, date(2027, 2, 28)),
        (date(1953, 2, 28), 75, date(2028, 2, 28)),
        (date(1953, 3, 1), 75, date(2028, 3, 1)),
        (date(2024, 2, 29), 4, date(2028, 2, 29)),
    ],
)
def test_birthdays(born: date, years: int, birthday: date) -> None:
    assert evaluate("nth_birthday", born, years=str(years)) == birthday


@given(
    born=st.dates(date(1948, 1, 1), date(1956, 12, 31)),
    day=st.dates(date(2024, 1, 1), date(2030, 12, 31)),
)
@settings(max_examples=200, deadline=None)
def test_born_by_is_the_same_test_as_the_75th_birthday(born: date, day: date) -> None:
    by_birthday = evaluate("birthday_75", born, parameters=CAMPAIGN) <= day
    assert (born <= evaluate("reached_75_when_born_by", day, parameters=CAMPAIGN)) == by_birthday


@pytest.mark.parametrize(
    ("expires", "last_day"),
    [
        (date(2025, 1, 20), date(2025, 4, 30)),
        (date(2025, 1, 31), date(2025, 4, 30)),
        (date(2024, 11, 30), date(2025, 2, 28)),
        (date(2023, 11, 1), date(2024, 2, 29)),
        (date(2024, 12, 31), date(2025, 3, 31)),
    ],
)
def test_grace_ends_with_the_third_month_after_the_month_of_expiry(expires: date, last_day: date) -> None:
    assert evaluate("grace_ends_on", expires) == last_day


@pytest.mark.parametrize(
    ("issued", "last_day"),
    [
        (date(2024, 12, 2), date(2029, 11, 30)),
        (date(2025, 11, 30), date(2029, 11, 30)),
        (date(2025, 12, 1), date(2030, 11, 30)),
        (date(2026, 11, 30), date(2030, 11, 30)),
    ],
)
def test_base_validity(issued: date, last_day: date) -> None:
    assert evaluate("base_validity", issued, parameters=CAMPAIGN) == last_day


# --- text -------------------------------------------------------------------------------------------


def test_every_character_is_judged_as_python_judges_it() -> None:
    texts = [chr(point) for point in range(1, 0x11000) if not 0xD800 <= point <= 0xDFFF] + ["𠮷", "😀", "\U000e0100"]
    wrong = [
        hex(ord(text))
        for text, found in zip(texts, evaluate_all("is_printable", texts), strict=True)
        if found != is_printable(substitute(text))
    ]
    assert wrong == []


def test_width_is_that_of_the_substituted_text() -> None:
    texts = ["ｱｲｳ", "アイウ", "¢£¬", "〜−‖—", "Ａ1ｶﾞ", "", "ΩЖ"]
    assert evaluate_all("printed_width", texts) == [printed_width(substitute(text)) for text in texts]


@given(st.text(alphabet="aｱ漢Ω", max_size=12))
@settings(max_examples=100, deadline=None)
def test_text_fits_when_it_is_no_wider_than_the_field(text: str) -> None:
    assert evaluate("fits_width", text, columns="8") == (printed_width(text.replace("ｱ", "ア")) <= 8)


def test_missing_text_fits() -> None:
    assert evaluate("fits_print", None, columns="8")


@pytest.mark.parametrize(
    ("texts", "fits"),
    [
        (("協会 花子", "キヨウカイ ハナコ", None), True),
        ((None, None, None), True),
        (("", "", ""), True),
        (("髙﨑", "〜−", "1-2-3"), True),
        (("協会 花子", "𠮷田", None), False),  # no such character in CP932
        (("𠮷", None, None), False),
        (("協会", None, "1\t2"), False),  # a control character
        (("協会花子一", "1", "1"), False),  # 10 columns in a field of 8
        (("1", "1", "123456789"), False),
    ],
)
def test_several_texts_fit_when_each_of_them_does(texts: tuple[str | None, ...], fits: bool) -> None:
    columns = ("18", "18", "8") if fits else ("8", "8", "8")
    pairs = [(f"v{index}", width) for index, width in enumerate(columns)]
    given = ", ".join(f"?::varchar as {name}" for name, _ in pairs)
    row = duckdb.execute(f"select {render('all_fit_print', pairs)} from (select {given})", list(texts)).fetchone()
    each = [evaluate("fits_print", text, columns=width) for text, width in zip(texts, columns, strict=True)]
    assert row == (fits,)
    assert all(each) is fits


def test_substitutions_are_those_agreed_with_the_printer() -> None:
    text = "〜−‖—¢£¬ー-～髙"
    assert evaluate("substituted", text) == substitute(text)


@pytest.mark.parametrize("text", [None, "", " ", "\u3000", "\u00a0\u2003\t", "\x85\r\n"])
def test_unicode_spaces_are_blank(text: str | None) -> None:
    assert evaluate("is_blank", text)


def test_characters_without_width_are_no_spaces() -> None:
    assert not evaluate("is_blank", "\u200b\ufeff")


def test_one_character_is_not_blank() -> None:
    assert not evaluate("is_blank", "\u3000-\u3000")


@pytest.mark.parametrize(
    ("postal_code", "normal"),
    [
        ("9100005", "9100005"),
        ("910-0005", "9100005"),
        ("９１０−０００５", "9100005"),
        ("910ー0005", "9100005"),
        ("910ｰ0005", "9100005"),
        ("9‐1‑0‒0–0—0―5", "9100005"),
        ("⑨⑩0005", "9100005"),
        ("𝟗𝟏𝟎𝟎𝟎𝟎𝟓", "9100005"),
        ("910 0005", "9100005"),
        ("〒910-0005", "9100005"),
        ("910–0005", "9100005"),
        ("0000000", None),
        ("０００-００００", None),
        ("910_0005", None),
        ("91000055", None),
        ("910000", None),
        ("٩١٠٠٠٠٥", None),  # digits, but not ASCII ones after NFKC
        ("", None),
        (None, None),
    ],
)
def test_postal_codes(postal_code: str | None, normal: str | None) -> None:
    assert evaluate("normalised_postal_code", postal_code) == normal


@given(st.text(alphabet=[*"0123456789-", *characters.postal_code_characters(), "x", "　"], max_size=9))
@settings(max_examples=300, deadline=None)
def test_postal_codes_agree_with_python(text: str) -> None:
    plain = "".join(
        part for part in unicodedata.normalize("NFKC", text) if part not in characters.HYPHENS and part != " "
    )
    wanted = plain if len(plain) == 7 and plain.isascii() and plain.isdigit() and plain != "0000000" else None
    assert evaluate("normalised_postal_code", text) == wanted


@pytest.mark.parametrize(
    ("one", "other", "differs"),
    [
        ("ﾌｸｲ ﾊﾅｺ", "フクイ ハナコ", False),
        ("ｶﾞｷﾞﾊﾟ", "ガギパ", False),
        ("３丁目", "3丁目", False),
        ("福井", "福丼", True),
        ("神ﾄ", "神ト", False),  # a compatibility character beside a kana
        ("ハナコ", "ハナゴ", True),
        (None, None, False),
        (None, "館", True),
    ],
)
def test_width_of_kana_and_digits_is_no_difference(one: str | None, other: str | None, differs: bool) -> None:
    assert evaluate("text_differs", one, other) is differs


@pytest.mark.parametrize("folded", "朗隆塚晴猪益礼神祥福靖精羽諸逸都飯飼館鶴")
def test_two_characters_of_cp932_are_two(folded: str) -> None:
    twin = next(
        chr(code)
        for code in range(0xF900, 0xFB00)
        if unicodedata.normalize("NFC", chr(code)) == folded and is_printable(chr(code))
    )
    assert evaluate("text_differs", f"{folded}田", f"{twin}田") is True
    assert evaluate("address_differs", f"{folded}戸市1-2", f"{twin}戸市１－２") is True


@pytest.mark.parametrize(
    ("one", "other", "differs"),
    [
        ("福井市大手３−４　ａコーポ", "福井市 大手3-4aｺ-ﾎﾟ", False),
        ("大手1〜2", "大手１～２", False),
        ("大手1-2", "大手1の2", True),
        ("ハイツa", "ハイツA", True),
        (None, "大手", True),
    ],
)
def test_an_address_of_another_form_alone_has_not_changed(one: str | None, other: str, differs: bool) -> None:
    assert evaluate("address_differs", one, other) is differs


@pytest.mark.parametrize(
    ("macro", "text", "damaged"),
    [
        ("is_damaged", "〓田町", True),
        ("is_damaged", "福井\ufffd", True),
        ("is_damaged", "大手□", True),
        ("is_damaged", "■", True),
        ("is_damaged", "A&amp;B", True),
        ("is_damaged", "&#39640;橋", True),
        ("is_damaged", "&#x9AD9;橋", True),
        ("is_damaged", "A&B; 大手", True),
        ("is_damaged", "A & B", False),
        ("is_damaged", "大手?丁目", False),
        ("is_damaged", None, False),
        ("is_damaged_name", "高?", True),
        ("is_damaged_name", "高？", True),
        ("is_damaged_name", "・田", True),
        ("is_damaged_name", "ジョン・スミス", False),
        ("is_damaged_name", "ＮＵＬＬ", True),
        ("is_damaged_name", " n/a　", True),
        ("is_damaged_name", "氏名 不明", True),
        ("is_damaged_name", "不明田", False),
        ("is_damaged_name", None, False),
        ("is_word_for_nothing", "\\N", True),
        ("is_word_for_nothing", "－", True),
        ("is_word_for_nothing", "#REF!", True),
        ("is_word_for_nothing", "なし", True),
        ("is_word_for_nothing", "なしハイツ", False),
    ],
)
def test_damaged_text(macro: str, text: str | None, damaged: bool) -> None:
    assert evaluate(macro, text) is damaged


@pytest.mark.parametrize(
    ("country", "abroad"), [("JP", False), ("jp", False), ("JP ", False), ("JPN", False), (None, False), ("US", True)]
)
def test_japan_is_japan_in_every_case(country: str | None, abroad: bool) -> None:
    assert evaluate("is_abroad", country) is abroad


def test_half_width_kana_are_joined_and_nothing_else_changes() -> None:
    assert evaluate("wide_kana", "ｶﾞﾎﾟｳﾞﾜﾞﾊﾞｱﾞ ｰABC12福") == "ガポヴヷバア゛ ーABC12福"


def test_addresses_are_compared_without_width_hyphens_and_spaces() -> None:
    assert evaluate("comparable_address", "福井市大手３−４　ａｂｃコーポ") == evaluate(
        "comparable_address", "福井市大手3-4 ABCｺ-ﾎﾟ"
    )


# --- generic tests of dbt: each can fail --------------------------------------------------------------


def _failures(test: str, **arguments: Any) -> int:
    connection = duckdb.connect()
    connection.execute("create table three as select * from (values (1, 'a'), (2, 'a'), (2, null)) as t (id, name)")
    connection.execute("create table two as select * from three where id = 2")
    return len(connection.execute(render(f"test_{test}", **arguments)).fetchall())


def test_unique_combination_can_fail() -> None:
    assert _failures("unique_combination", model="three", columns=["id", "name"]) == 0
    assert _failures("unique_combination", model="three", columns=["id"]) == 1


def test_row_count_equals_can_fail() -> None:
    assert _failures("row_count_equals", model="three", compare_to="three") == 0
    assert _failures("row_count_equals", model="three", compare_to="two") == 1


def test_holds_can_fail() -> None:
    assert _failures("holds", model="three", condition="id > 0") == 0
    assert _failures("holds", model="three", condition="name = 'a'") == 1
