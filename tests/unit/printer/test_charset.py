"""Text that can be printed: CP932 in the IBM byte form, round trip, substitutions, printed width."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kakuninsho.printer import charset

PRINTABLE = [character for character, _ in charset.printable_characters()]


def test_takahashi_and_yamazaki_are_written_in_the_ibm_rows():
    assert charset.encode_cp932("髙﨑") == bytes.fromhex("FBFC FAB1")


def test_every_printable_character_comes_back_and_none_is_in_the_nec_rows():
    assert len(PRINTABLE) == 7484
    for character in PRINTABLE:
        raw = charset.encode_cp932(character)
        assert raw.decode("cp932") == character
        assert len(raw) == 1 or raw[0] not in (0xED, 0xEE)


def test_ibm_form_differs_from_python_only_for_the_doubly_held_characters():
    differing = [character for character in PRINTABLE if charset.encode_cp932(character) != character.encode("cp932")]
    assert set(differing) == set(charset.ibm_forms())
    assert len(differing) == 373


def test_every_character_outside_the_printable_set_is_refused():
    printable = set(PRINTABLE)
    for point in range(0x20, 0x30000):
        character = chr(point)
        if character in printable or 0xD800 <= point <= 0xDFFF:
            continue
        assert not charset.is_printable(character), hex(point)
        with pytest.raises(charset.UnprintableTextError):
            charset.encode_cp932(character)


@given(st.text(st.sampled_from(PRINTABLE), max_size=200))
def test_printable_text_round_trips(text):
    assert charset.encode_cp932(text).decode("cp932") == text


@given(st.text(max_size=50))
def test_encode_never_writes_a_substitute_for_a_lost_character(text):
    try:
        raw = charset.encode_cp932(text)
    except charset.UnprintableTextError as error:
        assert not charset.is_printable(text)
        assert not any(character in str(error) for character in text if ord(character) > 0x2FFF)
    else:
        assert raw.decode("cp932") == text


@pytest.mark.parametrize("before, after", charset.SUBSTITUTIONS.items())
def test_substituted_characters_are_refused_before_and_printed_after(before, after):
    assert not charset.is_printable(before)
    assert charset.substitute(f"一{before}二") == f"一{after}二"
    assert charset.is_printable(after)


def test_lone_surrogates_cannot_smuggle_bytes_in():
    with pytest.raises(charset.UnprintableTextError):
        charset.encode_cp932("\udcfb\udcfc")


@pytest.mark.parametrize("character", ["\x00", "\t", "\x7f", "\x85", "\ue000", "\uf8f0", "𠮷", "\u200b", "\xa0"])
def test_control_private_use_and_foreign_characters_are_refused(character):
    assert not charset.is_printable(f"東{character}京")


def test_line_ends_are_not_printable_in_a_field():
    assert not charset.is_printable("一\r\n二")


@pytest.mark.parametrize(
    "text, width",
    [("", 0), ("abc", 3), ("ｱｲｳ", 3), ("アイウ", 6), ("東京1丁目", 9), ("αЖ", 4), ("①", 2), ("～－", 4), ("\\~", 2)],
)
def test_wide_fullwidth_and_ambiguous_count_two(text, width):
    assert charset.printed_width(text) == width


def test_reference_table_gives_each_character_once_with_its_width():
    table = dict(charset.printable_characters())
    assert len(table) == len(PRINTABLE)
    assert table["a"] == 1 and table["髙"] == 2 and table["ｱ"] == 1
    assert all(width == (2 if unicodedata.east_asian_width(c) in "WFA" else 1) for c, width in table.items())
