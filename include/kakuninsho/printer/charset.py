"""The printer's characters: CP932 in the IBM byte form, and printed width (rules: text that can be printed).

Python writes the characters that CP932 holds twice in the NEC rows (髙 = EE E0); the printer's fonts and Windows use
the IBM rows (髙 = FB FC). The encoder here gives the IBM form and refuses whatever does not come back unchanged.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

import numpy as np
import numpy.typing as npt

# Agreed with the printer; each use is recorded where it is made, and there is no other.
SUBSTITUTIONS = {
    "〜": "～",  # U+301C -> U+FF5E
    "−": "－",  # U+2212 -> U+FF0D
    "‖": "∥",  # U+2016 -> U+2225
    "—": "―",  # U+2014 -> U+2015
    "¢": "￠",
    "£": "￡",
    "¬": "￢",
}
_SUBSTITUTION_TABLE = str.maketrans(SUBSTITUTIONS)

# Control and private-use characters; line ends of the file itself are looked at apart.
_FORBIDDEN = r"\x00-\x1f\x7f-\x9f\ue000-\uf8ff"
_FORBIDDEN_IN_FIELD = re.compile(f"[{_FORBIDDEN}]")
_FORBIDDEN_IN_FILE = re.compile(r"[\x00-\x09\x0b\x0c\x0e-\x1f\x7f-\x9f\ue000-\uf8ff]")
_IBM_LEAD_BYTES = range(0xFA, 0xFD)
_NEC_LEAD_BYTES = (0xED, 0xEE)


class UnprintableTextError(ValueError):
    """Text that the printer's character set does not hold. Says how many characters, never which text."""


@lru_cache(maxsize=1)
def ibm_forms() -> dict[str, bytes]:
    """The characters that Python would write in the NEC rows, with their bytes in the IBM rows."""
    forms: dict[str, bytes] = {}
    for lead in _IBM_LEAD_BYTES:
        for trail in range(0x40, 0xFD):
            raw = bytes((lead, trail))
            try:
                character = raw.decode("cp932")
            except UnicodeDecodeError:
                continue
            if len(character) == 1 and character.encode("cp932")[0] in _NEC_LEAD_BYTES:
                forms[character] = raw
    return forms


@lru_cache(maxsize=1)
def _byte_pairs() -> npt.NDArray[np.uint16]:
    """Bytes of each character by its code point, high byte first; 0 where a file may not hold the character.

    A character of one byte has 0 as its high byte, which no character has otherwise. Line ends have theirs: callers
    count them. Only what decodes to itself again is in the table, so the round-trip gate is passed by construction.
    """
    pairs = np.zeros(0x10000, dtype=">u2")
    single = [bytes((byte,)) for byte in range(0x100)]
    double = [bytes((lead, trail)) for lead in range(0x81, 0xFD) for trail in range(0x40, 0xFD)]
    for raw in (*single, *double):
        try:
            character = raw.decode("cp932")
        except UnicodeDecodeError:
            continue
        if len(character) == 1 and (is_printable(character) or character in "\r\n"):
            form = ibm_forms().get(character) or character.encode("cp932")
            pairs[ord(character)] = int.from_bytes(form, "big")
    return pairs


def encode_cp932(text: str) -> bytes:
    """Text in CP932, IBM byte form, after the round-trip gate.

    Line ends are allowed here: callers count them.

    Raises:
        UnprintableTextError: a character that CP932 does not hold, that comes back changed, a control character or a
            private-use character. Carries the count only.
    """
    # A look-up of all code points at once is several times as fast as the codec with a search before and after it.
    points = np.frombuffer(text.encode("utf-16-le", "surrogatepass"), dtype="<u2")
    pairs = _byte_pairs()[points]
    if pairs.all():
        raw: bytes = pairs.tobytes().translate(None, b"\0")
        return raw
    forbidden = len(_FORBIDDEN_IN_FILE.findall(text))
    if forbidden:
        raise UnprintableTextError(f"{forbidden} control or private-use characters (rules: text that can be printed)")
    lost = sum(1 for character in text if character not in "\r\n" and not is_printable(character))
    raise UnprintableTextError(
        f"{lost} characters are not in CP932 or come back changed (rules: text that can be printed)"
    )


def substitute(text: str) -> str:
    """Text with the agreed substitutions made; text that changed is to be recorded as substituted."""
    return text.translate(_SUBSTITUTION_TABLE)


def is_printable(text: str) -> bool:
    """Whether text (substitutions made) goes through CP932 unchanged, without control or private-use characters."""
    if _FORBIDDEN_IN_FIELD.search(text):
        return False
    try:
        return text.encode("cp932").decode("cp932") == text
    except UnicodeError:
        return False


def printed_width(text: str) -> int:
    """Columns that text takes: East Asian Width W, F and A count 2, everything else 1 (全角 2, 半角 1)."""
    return sum(2 if unicodedata.east_asian_width(character) in "WFA" else 1 for character in text)


@lru_cache(maxsize=1)
def printable_characters() -> list[tuple[str, int]]:
    """Every printable character with its printed width, in code point order: the reference table of SQL checks."""
    characters = (chr(point) for point in range(0x20, 0x10000) if not 0xD800 <= point <= 0xDFFF)
    return [(character, printed_width(character)) for character in characters if is_printable(character)]
