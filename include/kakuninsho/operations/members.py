"""Who is meant: a member's key, and the case number that stands for it where a key should not lie about."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from kakuninsho.campaign import load_branches
from kakuninsho.messages import TwoLanguageError

# Without characters that are misread: Crockford's.
_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_CASE_LENGTH = 10
_KEY_FILE = "case_numbers.key"
SYMBOL_LENGTHS = {7, 8}
MOST_NUMBER_DIGITS = 7


class MemberError(TwoLanguageError):
    """What was given names no member. Says how one is named; repeats nothing that was given."""


@dataclass(frozen=True)
class MemberKey:
    """The natural key of a member."""

    insurer_number: str
    symbol: str
    number: str
    suffix: str

    @classmethod
    def parse(cls, text: str) -> MemberKey:
        """Read `insurer-symbol-number-suffix`.

        Raises:
            MemberError: not four parts of digits of the right length, or no branch's insurer number.
        """
        parts = text.strip().split("-")
        if len(parts) != 4 or not all(part.isascii() and part.isdigit() for part in parts):
            raise MemberError(
                "加入者は 保険者番号-記号-番号-枝番 で指定します (例 01180017-1060708-12-00)",
                "a member is asked for as 保険者番号-記号-番号-枝番, for example 01180017-1060708-12-00",
            )
        key = cls(*parts)
        if key.insurer_number not in {branch.insurer_number for branch in load_branches()}:
            raise MemberError(
                "保険者番号が 47 支部のどれでもありません", "the insurer number is none of the 47 branches"
            )
        fits = len(key.symbol) in SYMBOL_LENGTHS and len(key.suffix) == 2
        if not fits or not 0 < len(key.number) <= MOST_NUMBER_DIGITS or key.number.startswith("0"):
            raise MemberError(
                "記号は 7 桁か 8 桁、番号は先頭に 0 のない 7 桁まで、枝番は 2 桁です",
                "a symbol has 7 or 8 digits, a number up to 7 without a leading zero, a suffix 2",
            )
        return key

    @classmethod
    def unpack(cls, packed: int) -> MemberKey:
        """The key of a packed one."""
        household, suffix = divmod(packed, 100)
        employer, number = divmod(household, 10_000_000)
        prefecture, code = divmod(employer, 110_000_000)
        insurer = next(
            branch.insurer_number for branch in load_branches() if branch.prefecture_code == f"{prefecture:02d}"
        )
        symbol = f"{code:07d}" if code < 10_000_000 else f"{code - 10_000_000:08d}"
        return cls(insurer, symbol, str(number), f"{suffix:02d}")

    @property
    def packed(self) -> int:
        """The packed key that facts use."""
        code = int(self.symbol) + (10_000_000 if len(self.symbol) == max(SYMBOL_LENGTHS) else 0)
        employer = int(self.insurer_number[2:4]) * 110_000_000 + code
        return (employer * 10_000_000 + int(self.number)) * 100 + int(self.suffix)

    @property
    def branch_packed(self) -> int:
        """The packed key of the branch, as a decision to resume it has it."""
        return int(self.insurer_number[2:4]) * 110_000_000 * 10_000_000 * 100

    def __str__(self) -> str:
        """As commands and forms take it."""
        return "-".join((self.insurer_number, self.symbol, self.number, self.suffix))


class CaseBook:
    """Case numbers (整理番号) of one installation: the same for the same member, and no key can be read from one.

    A keyed hash of the member's packed key. The secret lies in `<data>/restricted/`, made at first use: with another
    secret the same people have other numbers, and nothing else depends on them.
    """

    def __init__(self, data: Path) -> None:
        self._secret = _ensure_secret(data / "restricted")

    def number(self, packed: int) -> str:
        """The case number of a member: ten letters and digits in two groups."""
        digest = hmac.new(self._secret, str(packed).encode(), hashlib.sha256).digest()
        value = int.from_bytes(digest[:8], "big")
        letters = "".join(_LETTERS[(value >> (5 * place)) % 32] for place in range(_CASE_LENGTH))
        return f"{letters[:5]}-{letters[5:]}"


def looks_like_case(text: str) -> bool:
    """Whether a text has the form of a case number."""
    plain = text.strip().upper().replace("-", "")
    return len(plain) == _CASE_LENGTH and set(plain) <= set(_LETTERS) and text.strip().count("-") <= 1


def same_case(one: str, other: str) -> bool:
    """Whether two texts are the same case number, however they are written."""
    return one.strip().upper().replace("-", "") == other.strip().upper().replace("-", "")


def restricted_folder(data: Path, *parts: str) -> Path:
    """A folder below `<data>/restricted/`, each level readable by its owner alone."""
    folder = data / "restricted"
    for part in ("", *parts):
        folder = folder / part
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


def _ensure_secret(folder: Path) -> bytes:
    restricted_folder(folder.parent)
    path = folder / _KEY_FILE
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(secrets.token_hex(32).encode())
    except FileExistsError:
        pass
    return path.read_bytes()
