"""The rules of the mailing a second time: plain Python over plain rows, one person after another.

It shares nothing with the package or the models: it reads drops, the campaign's two files and landed feeds, and
says what must come out. Where the package and this file differ, one of the two has misread a rule.
"""

from __future__ import annotations

import csv
import json
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import yaml

Row = dict[str, Any]
Key = tuple[str, ...]

# --- the register's contract ---------------------------------------------------------------------------------------

MEMBER_KEY = ("insurer_number", "symbol", "number", "suffix")
COLUMNS: dict[str, tuple[str, ...]] = {
    "members": (
        *MEMBER_KEY,
        *("relationship", "enrolment", "name", "name_kana", "sex"),
        *("birth_date", "qualified_on", "decided_on", "lost_on", "protected"),
    ),
    "addresses": (*MEMBER_KEY[:3], "postal_code", "address", "building", "country", "updated_on"),
    "employers": (*MEMBER_KEY[:2], "name", "postal_code", "address", "building", "closed_on"),
    "my_number_cards": (
        *MEMBER_KEY,
        *("has_card", "number_filed", "registered", "certificate_expires_on", "registration_cancelled_on"),
    ),
}
# A table that a drop need not have; what another system issued. Its key ends with the issue date.
ISSUED = "issued_certificates"
ISSUED_COLUMNS = (*MEMBER_KEY, "issued_on", "valid_until", "ended_on")
KEYS = {"members": 4, "addresses": 3, "employers": 2, "my_number_cards": 4, ISSUED: 5}
NULLABLE = {"name_kana", "lost_on", "building", "closed_on", "certificate_expires_on", "registration_cancelled_on"} | {
    "ended_on"
}
DATES = {"birth_date", "qualified_on", "decided_on", "lost_on", "updated_on", "closed_on"} | {
    "certificate_expires_on",
    "registration_cancelled_on",
    "issued_on",
    "valid_until",
    "ended_on",
}
BOOLEANS = {"protected", "has_card", "number_filed", "registered"}
CODES = {
    "relationship": {"insured", "dependent"},
    "enrolment": {"employee", "voluntary"},
    "sex": {"male", "female"},
}
# Only keys, duplicates and dates reject in these two files; the mailing's rules judge the rest.
LENIENT = {"addresses", "employers"}


@dataclass(frozen=True)
class Reject:
    """A rejected row; `key` is its raw key, None where a part is missing."""

    file: str
    row_number: int
    column: str | None
    code: str
    key: Key | None


@dataclass
class Drop:
    """One drop: accepted rows by key (dates and booleans typed), rejects, and rows per file."""

    as_of: date
    kind: str
    accepted: dict[str, dict[Key, Row]]
    rejects: list[Reject]
    rows: dict[str, int]


def read_rows(folder: Path, table: str) -> list[Row]:
    """Rows of one file as they stand, none where it was left out: CSV values are text, an empty one is None."""
    parquet = folder / f"{table}.parquet"
    if parquet.exists():
        return [
            {name: (None if row[name] == "" else row[name]) for name in row}
            for row in pq.read_table(parquet).to_pylist()
        ]
    if not (folder / f"{table}.csv").exists():
        return []  # a delta leaves out what has not changed
    with (folder / f"{table}.csv").open(encoding="utf-8-sig", newline="") as file:
        return [{name: value or None for name, value in row.items()} for row in csv.DictReader(file)]


def read_drop(folder: Path) -> Drop:
    """Read a drop folder and part accepted from rejected rows."""
    kind = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["kind"]
    as_of = date.fromisoformat(folder.name.removeprefix("as_of="))
    accepted: dict[str, dict[Key, Row]] = {}
    rejects: list[Reject] = []
    counts = {}
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    delivered = {entry["name"].partition(".")[0] for entry in manifest["files"]}
    for table in (*COLUMNS, ISSUED):
        if table == ISSUED and table not in delivered:
            continue
        rows = read_rows(folder, table) if table in delivered else []
        counts[table] = len(rows)
        accepted[table], bad = classify(table, rows, as_of)
        rejects += bad
    return Drop(as_of, kind, accepted, rejects, counts)


def classify(table: str, rows: list[Row], as_of: date) -> tuple[dict[Key, Row], list[Reject]]:
    """Exact duplicates, then conflicting keys, then the columns in their order (contracts: rejects)."""
    columns, width = COLUMNS.get(table, ISSUED_COLUMNS), KEYS[table]
    rejects: list[Reject] = []
    seen: set[tuple[Any, ...]] = set()
    rest: list[tuple[int, Row, Key | None]] = []
    for number, row in enumerate(rows, start=1):
        values = tuple(row[name] for name in columns)
        key = None if None in values[:width] else tuple(str(value) for value in values[:width])
        if values in seen:
            rejects.append(Reject(table, number, None, "duplicate_row", key))
            continue
        seen.add(values)
        rest.append((number, row, key))
    uses = Counter(key for _, _, key in rest if key is not None)
    accepted: dict[Key, Row] = {}
    for number, row, key in rest:
        if key is not None and uses[key] > 1:
            rejects.append(Reject(table, number, None, "conflicting_duplicate", key))
            continue
        typed = dict(row)
        failure = next(
            ((name, code) for name in columns if (code := _column_failure(table, name, typed, as_of)) is not None),
            None,
        )
        if failure is None:
            assert key is not None
            accepted[key] = typed
        else:
            rejects.append(Reject(table, number, *failure, key))
    return accepted, rejects


def _column_failure(table: str, name: str, row: Row, as_of: date) -> str | None:  # noqa: PLR0911, PLR0912 (first failure wins)
    """The reason code of one column, or None; turns dates and booleans of `row` into values as it goes."""
    value = row[name]
    judged = table not in LENIENT or name in MEMBER_KEY or name in DATES
    if not judged:
        return None
    if value is None:
        return None if name in NULLABLE else "missing_value"
    if name in DATES:
        day = value if isinstance(value, date) else _date(value)
        if day is None:
            return "bad_date"
        row[name] = day
        if name == "birth_date" and not date(1900, 1, 1) < day <= as_of:
            return "bad_date"
        if name == "qualified_on" and day < row["birth_date"]:
            return "inconsistent"
        if name == "lost_on" and day < row["qualified_on"]:
            return "inconsistent"
        if name in ("valid_until", "ended_on") and day < row["issued_on"]:
            return "inconsistent"
        return None
    if name in BOOLEANS:
        if isinstance(value, bool):
            return None
        if value not in ("true", "false"):
            return "bad_format"
        row[name] = value == "true"
        return None
    if name in CODES and value not in CODES[name]:
        return "bad_code"
    if name == "relationship" and (value == "insured") != (row["suffix"] == "00"):
        return "inconsistent"
    if name in ("name", "name_kana"):
        if name == "name" and is_blank(value):
            return "missing_value"
        return "bad_format" if len(value) > 200 else None
    if name == "insurer_number":
        if not re.fullmatch(r"[0-9]{8}", value):
            return "bad_format"
        return None if _is_insurer(value) else "bad_code"
    pattern = {"symbol": r"[0-9]{7,8}", "number": r"[1-9][0-9]{0,6}", "suffix": r"[0-9]{2}"}.get(name)
    return "bad_format" if pattern and not re.fullmatch(pattern, value) else None


def _is_insurer(value: str) -> bool:
    if value[:2] != "01" or not 1 <= int(value[2:4]) <= 47 or value[4:7] != "001":
        return False
    products = [int(digit) * weight for digit, weight in zip(value[6::-1], (2, 1, 2, 1, 2, 1, 2), strict=True)]
    return int(value[7]) == (10 - sum(product // 10 + product % 10 for product in products) % 10) % 10


def _date(value: str) -> date | None:
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        return None
    try:
        return date.fromisoformat(value)
    except ValueError:
        return None


WHITE_SPACE = "\t\n\x0b\x0c\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(
    chr(code) for code in range(0x2000, 0x200B)
)


def is_blank(text: str | None) -> bool:
    """Whether nothing but Unicode spaces (the property White_Space) is there."""
    return text is None or not text.strip(WHITE_SPACE)


# --- the newest register -------------------------------------------------------------------------------------------


@dataclass
class Register:
    """A full drop with later deltas laid over it, by key."""

    rows: dict[str, dict[Key, Row]] = field(default_factory=lambda: {table: {} for table in COLUMNS})
    rejected: dict[str, set[Key]] = field(default_factory=lambda: {table: set() for table in COLUMNS})
    issued: dict[Key, Row] = field(default_factory=dict)  # by member key and issue date

    def lay(self, drop: Drop) -> Register:
        """Lay a drop over; the newest word on a key counts, also when that word is a rejected row."""
        for table, rows in drop.accepted.items():
            if table == ISSUED:
                continue
            for key in {r.key for r in drop.rejects if r.file == table and r.key is not None} - set(rows):
                self.rows[table].pop(key, None)
                self.rejected[table].add(key)
            self.rows[table].update(rows)
            self.rejected[table] -= set(rows)
        return self

    def has_certificate_elsewhere(self, key: Key, day: date) -> bool:
        """Whether a certificate that another system issued lives on a day."""
        return any(
            row["issued_on"] <= day <= row["valid_until"] and (row["ended_on"] is None or row["ended_on"] > day)
            for row in self.issued.values()
            if tuple(row[name] for name in MEMBER_KEY) == key
        )

    def member(self, key: Key) -> Row | None:
        return self.rows["members"].get(key)

    def insured(self, key: Key) -> Row | None:
        """The insured of a household (first three parts of a key)."""
        return self.rows["members"].get((*key[:3], "00"))

    def address(self, key: Key) -> Row | None:
        return self.rows["addresses"].get(key[:3])

    def employer(self, key: Key) -> Row | None:
        return self.rows["employers"].get(key[:2])


def newest_register(drops: Iterable[Drop], day: date) -> Register:
    """The newest full drop at or before a day with the later deltas up to it."""
    known = sorted((drop for drop in drops if drop.as_of <= day), key=lambda drop: drop.as_of)
    full = max(drop.as_of for drop in known if drop.kind == "full")
    register = Register()
    for drop in known:
        if drop.as_of >= full:
            register.lay(drop)
    for drop in known:  # the newest drop that has the table: whole from a full one, by key from a delta
        if ISSUED in drop.accepted:
            register.issued = ({} if drop.kind == "full" else register.issued) | drop.accepted[ISSUED]
    return register


# --- the campaign --------------------------------------------------------------------------------------------------

WEEKDAYS = {"mon": 0, "tue": 1, "wed": 2, "thu": 3, "fri": 4}
# Public holidays between the first and the last day of FY2025's mailing.
HOLIDAYS = {
    date(2025, 7, 21),
    date(2025, 8, 11),
    date(2025, 9, 15),
    date(2025, 9, 23),
    date(2025, 10, 13),
} | {
    date(2025, 11, 3),
    date(2025, 11, 24),
}


@dataclass(frozen=True)
class Campaign:
    """The campaign's two files."""

    values: dict[str, Any]
    posting_dates: dict[str, tuple[date, ...]]  # by insurer number

    def __getattr__(self, name: str) -> Any:
        try:
            return self.values[name]
        except KeyError:
            raise AttributeError(name) from None


def read_campaign(folder: Path) -> Campaign:
    """Read campaign.yaml and dispatch_windows.csv."""
    raw = yaml.safe_load((folder / "campaign.yaml").read_text(encoding="utf-8"))["parameters"]
    windows = {}
    with (folder / "dispatch_windows.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            opens, closes = date.fromisoformat(row["opens_on"]), date.fromisoformat(row["closes_on"])
            weekdays = {WEEKDAYS[name] for name in row["posting_weekdays"].split()}
            days = [opens + timedelta(days=n) for n in range((closes - opens).days + 1)]
            windows[row["insurer_number"]] = tuple(
                day
                for day in days
                if day.weekday() < 5 and day not in HOLIDAYS and (day.weekday() in weekdays or day in (opens, closes))
            )
    return Campaign({name: entry["value"] for name, entry in raw.items()}, windows)


# --- days ----------------------------------------------------------------------------------------------------------


def anniversary(day: date, years: int) -> date:
    """The same day some years on; 29 February of a common year is 1 March."""
    try:
        return day.replace(year=day.year + years)
    except ValueError:
        return date(day.year + years, 3, 1)


def last_day_of_month_after(day: date, count: int) -> date:
    """Last day of the month so many months after that of a day."""
    months = day.year * 12 + day.month + count
    return date(months // 12, months % 12 + 1, 1) - timedelta(days=1)


def last_day_of_third_month_after(day: date) -> date:
    """End of grace of an expired electronic certificate."""
    return last_day_of_month_after(day, 3)


def valid_until(issued_on: date, member: Row, insured: Row, is_dependent: bool) -> date:
    """Last valid day of a certificate (rules: validity)."""
    year = issued_on.year if (issued_on.month, issued_on.day) >= (12, 1) else issued_on.year - 1
    days = [date(year + 5, 11, 30), anniversary(member["birth_date"], 75) - timedelta(days=1)]
    if is_dependent:
        days.append(anniversary(insured["birth_date"], 75) - timedelta(days=1))
    if insured["enrolment"] == "voluntary":
        days.append(anniversary(insured["qualified_on"], 2) - timedelta(days=1))
    return min(days)


# --- text ----------------------------------------------------------------------------------------------------------

SUBSTITUTIONS = str.maketrans("〜−‖—¢£¬", "～－∥―￠￡￢")
HYPHENS = re.compile("[\u002d\u2010-\u2015\u2212\u30fc]")
HALF_KANA = re.compile("[\uff61-\uff9f]+")
FULL_DIGITS = str.maketrans("０１２３４５６７８９", "0123456789")


def printed(text: str) -> str:
    """Text after the agreed substitutions."""
    kana = HALF_KANA.sub(lambda found: unicodedata.normalize("NFKC", found.group()), text)
    if HALF_KANA.search(text) and "\u3099" not in text and "\u309a" not in text:
        kana = kana.replace("\u3099", "゛").replace("\u309a", "゜")
    return kana.translate(SUBSTITUTIONS)


WORDS_FOR_NOTHING = {"null", "\\n", "(null)", "none", "nan", "n/a", "#n/a", "#ref!", "不明", "住所不明", "氏名不明"} | {
    "該当なし",
    "なし",
    "-",
}


def is_word_for_nothing(text: str | None) -> bool:
    """A whole value that only says that there is none (rules: text)."""
    return "".join(unicodedata.normalize("NFKC", text or "").split()).lower() in WORDS_FOR_NOTHING


def is_damaged(text: str | None) -> bool:
    """Marks of a lost character (rules: text)."""
    return re.search("[〓\ufffd□■]|&(#\\d+|#[xX][0-9a-fA-F]+|[A-Za-z][A-Za-z0-9]*);", text or "") is not None


def is_damaged_name(text: str | None) -> bool:
    """The same of a name or kana."""
    marks = re.search("[?？]|^[・･]", text or "") is not None
    return is_damaged(text) or marks or is_word_for_nothing(text)


def width(text: str) -> int:
    """Printed width: 2 for wide, full-width and ambiguous characters."""
    return sum(2 if unicodedata.east_asian_width(character) in "WFA" else 1 for character in text)


def is_printable(text: str | None, limit: int) -> bool:
    """Whether the printer can print it within a width (rules: text)."""
    if text is None:
        return True
    ready = printed(text)
    for character in ready:
        code = ord(character)
        if code <= 0x1F or 0x7F <= code <= 0x9F or unicodedata.category(character) == "Co":
            return False
    try:
        if ready.encode("cp932").decode("cp932") != ready:
            return False
    except UnicodeError:
        return False
    return width(ready) <= limit


def postal_digits(text: str | None) -> str | None:
    """The seven digits of a postal code, or None."""
    digits = HYPHENS.sub("", unicodedata.normalize("NFKC", text or ""))
    digits = "".join(digits.split()).removeprefix("〒")
    return digits if re.fullmatch(r"[0-9]{7}", digits) and digits != "0000000" else None


def one_width(text: str | None) -> str:
    """Text for comparison: printed form, kana and digits of one width."""
    text = printed(text or "").translate(FULL_DIGITS)
    return HALF_KANA.sub(lambda found: unicodedata.normalize("NFKC", found.group()), text)


def address_form(text: str | None) -> str:
    """An address without width, blanks and the form of hyphens (rules: a wave and its releases)."""
    letters = "".join(
        unicodedata.normalize("NFKC", character) if "Ａ" <= character <= "ｚ" else character
        for character in one_width(text)
    )
    return "".join("-" if character in "‐‑‒–—―−ー－" else character for character in letters if not character.isspace())


# --- dispositions --------------------------------------------------------------------------------------------------


def need_on(card: Row | None, day: date) -> str | None:  # noqa: PLR0911 (first match wins)
    """Why the member cannot use the card on a day; None: usable (rules: マイナ保険証)."""
    if card is None or not card["has_card"]:
        return "no_card"
    if not card["number_filed"]:
        return "number_not_filed"
    if not card["registered"]:
        return "not_registered"
    if card["registration_cancelled_on"] is not None and card["registration_cancelled_on"] <= day:
        return "registration_cancelled"
    expires = card["certificate_expires_on"]
    if expires is None:
        return "certificate_expired"
    if expires >= day:
        return None
    return "certificate_in_grace" if day <= last_day_of_third_month_after(expires) else "certificate_expired"


def left_by(key: Key, register: Register, day: date) -> str | None:
    """membership_lost or reached_75 of the member or the insured on a day, else None."""
    people = [person for person in (register.member(key), register.insured(key)) if person is not None]
    if any(person["lost_on"] is not None and person["lost_on"] <= day for person in people):
        return "membership_lost"
    return "reached_75" if any(anniversary(person["birth_date"], 75) <= day for person in people) else None


def is_protected(key: Key, register: Register) -> bool:
    """Protection of the member or the household's insured."""
    return any(person is not None and person["protected"] for person in (register.member(key), register.insured(key)))


HOLDS = (
    "address_protected",
    "between_routes",
    "household_without_insured",
    "card_record_rejected",
    "address_overseas",
    "address_missing",
    "damaged_text",
    "kana_missing",
    "unprintable_text",
)


def _is_open(hold: str, after: str | None) -> bool:
    """Whether a hold's line is looked at: a released hold runs through the lines after it alone."""
    return after is None or HOLDS.index(hold) > HOLDS.index(after)


def delivery_hold(key: Key, register: Register, campaign: Campaign, after: str | None = None) -> str | None:
    """Lines 9 to 11 of what becomes of a row."""
    address = register.address(key)
    is_abroad = address is not None and not is_blank(address["country"])
    is_abroad = is_abroad and address["country"].strip().upper() not in ("JP", "JPN")
    if is_abroad and _is_open("address_overseas", after):
        return "address_overseas"
    is_missing = (
        address is None
        or is_blank(address["country"])
        or is_blank(address["address"])
        or is_word_for_nothing(address["address"])
        or postal_digits(address["postal_code"]) is None
    )
    if is_missing and _is_open("address_missing", after):
        return "address_missing"
    member, insured = register.member(key), register.insured(key)
    texts = [
        (insured["name"] if insured else None, campaign.max_name_width),
        (address["address"] if address else None, campaign.max_address_width),
        (address["building"] if address else None, campaign.max_building_width),
        (member["name"], campaign.max_name_width),
        (member["name_kana"], campaign.max_name_width),
    ]
    places = [address["address"], address["building"]] if address else []
    names = [insured["name"] if insured else None, member["name"], member["name_kana"]]
    if (any(map(is_damaged, places)) or any(map(is_damaged_name, names))) and _is_open("damaged_text", after):
        return "damaged_text"
    has_no_kana = is_blank(member["name_kana"]) or (insured is not None and is_blank(insured["name_kana"]))
    if has_no_kana and _is_open("kana_missing", after):
        return "kana_missing"
    is_printed = all(is_printable(text, limit) for text, limit in texts)
    return None if is_printed or not _is_open("unprintable_text", after) else "unprintable_text"


def disposition(  # noqa: PLR0911 (first match wins)
    key: Key,
    register: Register,
    campaign: Campaign,
    after: str | None = None,
    *,
    left_on: date | None = None,
    card: Row | None = None,
    snapshot: Register | None = None,
) -> tuple[str, str]:
    """Disposition and reason of an accepted row, first match wins; of a target the need.

    `after` is a hold that a person released: the row runs through the remaining lines. A later drop that judges has
    `left_on`, its own day for lines 1 and 2, `card`, the first accepted row of the card, and the `snapshot`, whose
    certificates of other systems count.
    """
    member, day = register.member(key), campaign.snapshot_as_of
    left = left_by(key, register, left_on or day)
    if left:
        return "excluded", left
    if member["decided_on"] >= campaign.new_enrollee_from:
        return "excluded", "new_enrollee"
    if is_protected(key, register) and _is_open("address_protected", after):
        return "held", "address_protected"
    if member["decided_on"] > campaign.enrolled_through and _is_open("between_routes", after):
        return "held", "between_routes"
    if register.insured(key) is None and _is_open("household_without_insured", after):
        return "held", "household_without_insured"
    if left_on is None:
        card = register.rows["my_number_cards"].get(key)
    if card is None and key in register.rejected["my_number_cards"] and _is_open("card_record_rejected", after):
        return "held", "card_record_rejected"
    need = need_on(card, day)
    if need is None or (need == "certificate_in_grace" and not campaign.mail_in_grace):
        return "excluded", "card_usable"
    if (snapshot or register).has_certificate_elsewhere(key, day):
        return "excluded", "already_has_certificate"
    # Lines 9 to 11 are one release each; a hold released before them does not open them.
    hold = delivery_hold(key, register, campaign, after if after in HOLDS[4:] else None)
    return ("held", hold) if hold else ("target", need)


def dispositions(register: Register, campaign: Campaign) -> dict[Key, tuple[str, str]]:
    """Every accepted member row."""
    return {key: disposition(key, register, campaign) for key in register.rows["members"]}


@dataclass(frozen=True)
class LateOutcome:
    """What a later drop made of somebody whom a rejected row of the snapshot concerned."""

    outcome: str
    reason: str
    judged_on: date


# The file and key whose rejected row holds a person by this reason.
CAUSES = {
    "household_without_insured": ("members", lambda key: (*key[:3], "00")),
    "card_record_rejected": ("my_number_cards", lambda key: key),
    "address_missing": ("addresses", lambda key: key[:3]),
}


class LateJudge:
    """Rejected at the snapshot is not lost: the first later drop with the accepted row judges, drop after drop."""

    def __init__(self, drops: list[Drop], campaign: Campaign) -> None:
        self.campaign, self.drops = campaign, sorted(drops, key=lambda drop: drop.as_of)
        self.snapshot = next(drop for drop in self.drops if drop.as_of == campaign.snapshot_as_of)
        self.planned = newest_register(self.drops, campaign.snapshot_as_of)
        self._registers: dict[date, Register] = {}

    def register(self, day: date) -> Register:
        """The newest register of a drop's day."""
        if day not in self._registers:
            self._registers[day] = newest_register(self.drops, day)
        return self._registers[day]

    def later(self, day: date, after: date | None = None) -> list[Drop]:
        """Drops after the snapshot, or another day, up to a day."""
        return [drop for drop in self.drops if (after or self.snapshot.as_of) < drop.as_of <= day]

    def judge(self, key: Key, day: date, after: str | None = None) -> tuple[str, str]:
        """Disposition and reason by the drop of a day."""
        cards = [
            drop.accepted["my_number_cards"][key]
            for drop in self.drops
            if drop.as_of <= day and key in drop.accepted["my_number_cards"]
        ]
        card = cards[0] if cards else None
        return disposition(key, self.register(day), self.campaign, after, left_on=day, card=card, snapshot=self.planned)

    def _waits_for(self, key: Key, reason: str) -> tuple[str, Key] | None:
        """The rejected row of the snapshot that a hold comes from."""
        if reason not in CAUSES:
            return None
        file, of = CAUSES[reason]
        return (file, of(key)) if of(key) in self.planned.rejected[file] else None

    def outcomes(
        self, day: date, decided: dict[Key, tuple[str, str]], first_decisions: dict[Key, date]
    ) -> dict[Key, LateOutcome]:
        """Everyone whom a drop up to a day has judged; `decided` are the snapshot's dispositions."""
        people: dict[Key, tuple[str, Key] | None] = {key: ("members", key) for key in self.planned.rejected["members"]}
        for key, (outcome, reason) in decided.items():
            if outcome == "held":
                people[key] = self._waits_for(key, reason)
        found: dict[Key, LateOutcome] = {}
        for key, cause in people.items():
            waits = cause
            for drop in self.later(day):
                if waits is None:
                    break
                file, row_key = waits
                has_come = any(row_key in other.accepted[file] for other in self.later(drop.as_of))
                if not has_come:
                    continue
                decided_first = first_decisions.get(key, date.max) <= drop.as_of
                if key not in found and key in decided and decided_first:
                    break
                outcome, reason = self.judge(key, drop.as_of)
                found[key] = LateOutcome(outcome, reason, drop.as_of)
                waits = self._waits_for(key, reason) if outcome == "held" else None
                if waits is not None and any(waits[1] in other.accepted[waits[0]] for other in self.later(drop.as_of)):
                    waits = None
        return found


# --- first plan ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Envelope:
    """A planned piece: k of n of a household, its members in order of suffix."""

    household: Key
    position: int
    count: int
    members: tuple[Key, ...]
    posting_date: date | None = None  # None: the branch has several lots
    is_additional: bool = False


def pack(household: Key, members: Iterable[Key], size: int, **more: Any) -> Iterator[Envelope]:
    """A household's certificates in order of suffix, `size` to an envelope."""
    ordered = sorted(members)
    chunks = [tuple(ordered[start : start + size]) for start in range(0, len(ordered), size)]
    for position, chunk in enumerate(chunks, start=1):
        yield Envelope(household, position, len(chunks), chunk, **more)


def first_plan(decided: dict[Key, tuple[str, str]], campaign: Campaign) -> list[Envelope]:
    """The envelopes of the first plan. A branch that fits one lot posts on its window's first date."""
    households: dict[Key, list[Key]] = defaultdict(list)
    for key, (outcome, _) in decided.items():
        if outcome == "target":
            households[key[:3]].append(key)
    envelopes = [
        envelope
        for household, members in sorted(households.items())
        for envelope in pack(household, members, campaign.certificates_per_envelope)
    ]
    size = Counter(envelope.household[0] for envelope in envelopes)
    return [
        replace(envelope, posting_date=campaign.posting_dates[envelope.household[0]][0])
        if size[envelope.household[0]] + campaign.seed_households_per_lot <= campaign.lot_size
        else envelope
        for envelope in envelopes
    ]


def employer_list(
    decided: dict[Key, tuple[str, str]], campaign_register: Register, newest: Register, day: date
) -> set[Key]:
    """Everyone on an employer list of a day (rules: employer lists)."""
    lines = set()
    for key, (outcome, _) in decided.items():
        employer = newest.employer(key)
        if outcome != "target" or employer is None:
            continue
        insured = [register.insured(key) for register in (campaign_register, newest)]
        if any(row is not None and row["enrolment"] == "voluntary" for row in insured):
            continue
        if employer["closed_on"] is not None and employer["closed_on"] <= day:
            continue
        if not is_protected(key, newest):
            lines.add(key)
    return lines


# --- re-check and follow-up ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Finding:
    """What the re-check found of one member: the pull's reason and what becomes of the member."""

    reason: str
    outcome: str  # held, closed, planned_again
    hold: str | None = None


def recheck_member(  # noqa: PLR0911 (first match wins)
    key: Key,
    expires: date,
    posting_date: date,
    planned: Register,
    newest: Register,
    campaign: Campaign,
    *,
    has_another: bool = False,
) -> Finding | None:
    """First match of the re-check; `planned` is the register that the envelope was planned from."""
    member, insured = newest.member(key), newest.insured(key)
    if member is None or insured is None:
        return Finding("row_missing", "held", "row_missing")
    left = left_by(key, newest, posting_date)
    if left:
        return Finding(left, "closed")
    if is_protected(key, newest):
        return Finding("address_protected", "held", "address_protected")
    if expires < posting_date:
        return Finding("validity_over", "closed")
    if has_another:
        return Finding("already_has_certificate", "closed")
    anew = valid_until(posting_date, member, insured, key[3] != "00")
    if _details(key, planned) != _details(key, newest) or anew < expires:
        hold = delivery_hold(key, newest, campaign)
        return Finding("details_changed", "held" if hold else "planned_again", hold)
    return None


def _details(key: Key, register: Register) -> tuple[Any, ...]:
    member, address = register.member(key), register.address(key)
    place = (address_form(address["address"]), address_form(address["building"])) if address else None
    printed = (member["sex"], member["birth_date"], member["qualified_on"])
    return one_width(member["name"]), one_width(member["name_kana"]), *printed, place


def recheck(
    envelopes: Iterable[Envelope],
    posting_date: date,
    planned: Register,
    newest: Register,
    campaign: Campaign,
    *,
    served: Iterable[Key] = (),
    released: Iterable[Key] = (),
) -> tuple[dict[Envelope, dict[Key, Finding | None]], list[Envelope]]:
    """Pulled envelopes with what was found of each member, and the envelopes packed anew.

    `served` have another certificate, asked for by another route; `released` are people who join the posting date's
    supplementary lot by a decision.
    """
    elsewhere = set(served)
    pulled: dict[Envelope, dict[Key, Finding | None]] = {}
    left_over: dict[Key, list[Key]] = defaultdict(list)
    for envelope in envelopes:
        found = {
            key: recheck_member(
                key,
                valid_until(posting_date, planned.member(key), planned.insured(key), key[3] != "00"),
                posting_date,
                planned,
                newest,
                campaign,
                has_another=key in elsewhere,
            )
            for key in envelope.members
        }
        if any(found.values()):
            for key, finding in found.items():
                # Planned again, it would be over before it is posted (docs/decisions/0007).
                member, insured = newest.member(key), newest.insured(key)
                is_planned_again = finding is None or finding.reason == "details_changed"
                if not is_planned_again or member is None or insured is None:
                    continue
                if valid_until(posting_date, member, insured, key[3] != "00") < posting_date:
                    found[key] = Finding("validity_over", "closed")
            pulled[envelope] = found
            for key, finding in found.items():
                if finding is None or finding.outcome == "planned_again":
                    left_over[envelope.household].append(key)
    for key in released:
        left_over[key[:3]].append(key)
    anew = [
        envelope
        for household, members in sorted(left_over.items())
        for envelope in pack(
            household,
            members,
            campaign.certificates_per_envelope,
            posting_date=posting_date,
            is_additional=True,
        )
    ]
    return pulled, anew


def follow_up(
    members: Iterable[Key], run_on: date, newest: Register, ended: Iterable[Key] = ()
) -> tuple[str, dict[Key, str]]:
    """Outcome of a returned envelope and of each of its members (rules: undelivered mail).

    The certificates of those in `ended` are live no more: superseded, or given back.
    """
    members, over = list(members), set(ended)
    if any(is_protected(key, newest) for key in members):
        return "held", dict.fromkeys(members, "held")
    outcomes = {}
    for key in members:
        insured, employer = newest.insured(key), newest.employer(key)
        if key in over or left_by(key, newest, run_on):
            outcomes[key] = "closed"
            continue
        is_voluntary = insured is not None and insured["enrolment"] == "voluntary"
        is_closed = employer is None or (employer["closed_on"] is not None and employer["closed_on"] <= run_on)
        outcomes[key] = "branch_desk" if is_voluntary or is_closed else "employer_bundle"
    going_on = {outcome for outcome in outcomes.values() if outcome != "closed"}
    return (going_on.pop() if going_on else "closed"), outcomes


# --- packed keys of landed facts -----------------------------------------------------------------------------------


def insurer_of(prefecture: int) -> str:
    """Insurer number of a prefecture."""
    first = f"01{prefecture:02d}001"
    return next(first + digit for digit in "0123456789" if _is_insurer(first + digit))


def unpack(member_key: int) -> Key:
    """Member key of a fact as text (facts/schemas.py describes the packing)."""
    household, suffix = divmod(member_key, 100)
    return (*unpack_household(household), f"{suffix:02d}")


def unpack_household(household_key: int) -> Key:
    """Household key of a fact as text."""
    employer, number = divmod(household_key, 10_000_000)
    prefecture, code = divmod(employer, 110_000_000)
    symbol = f"{code:07d}" if code < 10_000_000 else f"{code - 10_000_000:08d}"
    return insurer_of(prefecture), symbol, str(number)
