"""The printer's character set as regular expressions (rules: text that can be printed), for the gates' own SQL.

Made here anew, from the code page alone, not by the code that prepares the text: a door that asks the same code
twice guards nothing.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from functools import lru_cache

_LAST_OF_BMP = 0xFFFF  # CP932 holds nothing beyond it


def _round_trips(character: str) -> bool:
    try:
        return character.encode("cp932").decode("cp932") == character
    except UnicodeError:
        return False


@lru_cache(maxsize=1)
def printable_characters() -> tuple[str, ...]:
    """Characters that CP932 gives back unchanged, without control (Cc) and private-use (Co) ones."""
    return tuple(
        character
        for character in map(chr, range(_LAST_OF_BMP + 1))
        if unicodedata.category(character) not in {"Cc", "Co", "Cs"} and _round_trips(character)
    )


def character_class(characters: Iterable[str]) -> str:
    """An RE2 class of these characters, as ranges of code points."""
    ranges: list[list[int]] = []
    for point in sorted(map(ord, characters)):
        if ranges and ranges[-1][1] == point - 1:
            ranges[-1][1] = point
        else:
            ranges.append([point, point])
    return "[" + "".join(f"\\x{{{first:X}}}-\\x{{{last:X}}}" for first, last in ranges) + "]"


@lru_cache(maxsize=1)
def text_macros() -> str:
    """SQL of `is_printable(content)` and `printed_width(content)` (wide, full-width and ambiguous count 2)."""
    printable = printable_characters()
    narrow = [char for char in printable if unicodedata.east_asian_width(char) not in {"W", "F", "A"}]
    return (
        "create macro is_printable(content) as "
        f"regexp_full_match(content, '{character_class(printable)}*');\n"
        "create macro printed_width(content) as "
        f"length(content) + length(regexp_replace(content, '{character_class(narrow)}', '', 'g'));"
    )
