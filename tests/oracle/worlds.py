"""Small worlds against the rules: register/v1 drops as CSV, one household per line of a rule and per edge of a day.

Each household carries a label, so that a disagreement can be told by its case and not by its people.
"""

from __future__ import annotations

import copy
import csv
import hashlib
import json
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

from oracle import COLUMNS, Key

Text = str | None
Row = dict[str, Text]
Bend = Callable[["Household"], Any]

SNAPSHOT = "2025-04-30"
# These four post first on 2025-08-01: one release covers every household of a world.
BRANCHES = ("01440015", "01430016", "01460013", "01130012")
EMPLOYERS: dict[str, Text] = {
    "71010101": None,
    "7101010": None,
    "07101010": None,
    "71010102": "2025-06-15",
    "71010103": "2025-06-16",
} | {"71010104": "2025-06-17"}
CLOSED_LATER = {"71010105": "2025-08-31", "71010106": "2025-09-01", "71010107": "2025-09-02"}
EMPLOYERS |= dict.fromkeys(CLOSED_LATER)
# Employers whose list or bundle has no place to go: the rules name only a closing as a reason to leave one out.
NO_PLACE: dict[str, Row] = {
    "71010201": {"address": None},
    "71010202": {"name": "𠮷田商店"},
    "71010203": {"postal_code": "870"},
}
NO_EMPLOYER_ROW = "71019999"


class Household:
    """One household: its rows of the four files, to be bent by a case."""

    def __init__(self, key: Key, size: int) -> None:
        self.key = key
        self.members = [self._person(suffix) for suffix in range(size)]
        self.addresses: list[Row] = [
            {
                **self._key(),
                "postal_code": "870-8570",
                "address": "大分県大分市大手町３－１－１",
                "building": None,
                "country": "JP",
                "updated_on": "2020-04-01",
            }
        ]
        self.cards: list[Row] = []

    def _key(self) -> Row:
        return dict(zip(("insurer_number", "symbol", "number"), self.key, strict=True))

    def _person(self, suffix: int) -> Row:
        return {
            **self._key(),
            "suffix": f"{suffix:02d}",
            "relationship": "dependent" if suffix else "insured",
            "enrolment": "employee",
            "name": f"健保　太郎{'一二三四五六七八九'[suffix - 1] if suffix else ''}",
            "name_kana": "ケンポ　タロウ",
            "sex": "male",
            "birth_date": "1980-05-05",
            "qualified_on": "2020-04-01",
            "decided_on": "2020-04-10",
            "lost_on": None,
            "protected": "false",
        }

    def card(self, suffix: int = 0, **values: Text) -> None:
        """A card row of a member; usable until changed."""
        self.cards.append(
            {
                **self._key(),
                "suffix": f"{suffix:02d}",
                "has_card": "true",
                "number_filed": "true",
                "registered": "true",
                "certificate_expires_on": "2028-05-05",
                "registration_cancelled_on": None,
                **values,
            }
        )


class World:
    """Households by label, and what is written of them."""

    def __init__(self) -> None:
        self.labels: dict[Key, str] = {}
        self.households: list[Household] = []
        self.later: dict[str, dict[Key, tuple[Bend, ...]]] = {"full": {}, "delta": {}, "after": {}}
        self.no_place: dict[str, Row] = {}
        self.extra: dict[str, list[Row]] = {table: [] for table in COLUMNS}

    def add(self, label: str, size: int = 1, *, symbol: str = "71010101", branch: str | None = None) -> Household:
        """A new household of `size` people who are all targets for want of a card."""
        number = len(self.households) + 1
        key = (branch or BRANCHES[number % len(BRANCHES)], symbol, str(number))
        household = Household(key, size)
        self.labels[key] = label
        self.households.append(household)
        return household

    def tables(self, households: list[Household] | None = None) -> dict[str, list[Row]]:
        """Rows of the four files."""
        households = self.households if households is None else households
        employers = [
            {
                "insurer_number": branch,
                "symbol": symbol,
                "name": "株式会社見本",
                "postal_code": "870-0021",
                "address": "大分県大分市府内町１－１",
                "building": None,
                "closed_on": closed_on,
            }
            for branch in BRANCHES
            for symbol, closed_on in EMPLOYERS.items()
        ]
        employers += [
            {**employers[0], "insurer_number": branch, "symbol": symbol, **values}
            for branch in BRANCHES
            for symbol, values in self.no_place.items()
        ]
        rows = {
            "members": [row for household in households for row in household.members],
            "addresses": [row for household in households for row in household.addresses],
            "employers": employers,
            "my_number_cards": [row for household in households for row in household.cards],
        }
        return {table: rows[table] + self.extra[table] for table in rows}


def write_drop(folder: Path, as_of: str, kind: str, tables: dict[str, list[Row]]) -> Path:
    """Write one drop as CSV, its manifest last."""
    drop = folder / f"as_of={as_of}"
    drop.mkdir(parents=True)
    files: list[dict[str, Any]] = []
    for table, columns in COLUMNS.items():
        path = drop / f"{table}.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(tables[table])
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        files.append({"name": path.name, "rows": len(tables[table]), "sha256": digest})
    manifest = {"contract": "register/v1", "as_of": as_of, "kind": kind, "files": files}
    (drop / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return drop


# --- bends: each makes the second person of a household hit one line -------------------------------------


def _set(suffix: int, column: str, value: Text) -> Bend:
    def bend(household: Household) -> None:
        household.members[suffix][column] = value

    return bend


def _address(column: str, value: Text) -> Bend:
    def bend(household: Household) -> None:
        household.addresses[0][column] = value

    return bend


def _rejected_card(household: Household) -> None:
    household.card(1, has_card="maybe")


def _no_insured(household: Household) -> None:
    household.members[0]["sex"] = "unknown"


LINES: dict[str, Bend] = {
    "own loss": _set(1, "lost_on", SNAPSHOT),
    "insured's loss": _set(0, "lost_on", SNAPSHOT),
    "own 75": _set(1, "birth_date", "1950-04-30"),
    "insured's 75": _set(0, "birth_date", "1950-04-30"),
    "new enrollee": _set(1, "decided_on", "2024-12-02"),
    "own protection": _set(1, "protected", "true"),
    "insured's protection": _set(0, "protected", "true"),
    "between routes": _set(1, "decided_on", "2024-12-01"),
    "insured rejected": _no_insured,
    "card rejected": _rejected_card,
    "card usable": lambda household: household.card(1),
    "overseas": _address("country", "US"),
    "no postal code": _address("postal_code", None),
    "unprintable": _set(1, "name", "𠮷田　花子"),
}

HYPHENS = "-‐‑‒–—―−ー"
NOT_HYPHENS = "－ｰ﹣⁻﹘_~〜･·\u00ad\u2043\u1806\u2e3a"
SPACES = [chr(code) for code in (0x09, 0x0A, 0x0B, 0x0C, 0x0D, 0x20, 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B))] + [
    chr(code) for code in (0x2028, 0x2029, 0x202F, 0x205F, 0x3000)
]
NOT_SPACES = [chr(code) for code in (0x1C, 0x1F, 0x180E, 0x200B, 0x200C, 0x2060, 0x3164, 0xFEFF)]
SUBSTITUTED = "〜−‖—¢£¬"
CHARACTERS = (
    "髙﨑𠮷～－∥―￠￡￢①Ⅰ㈱∪∩√∵≒≡纊\\~¥‾¦￤·ゔカﾞか\u3099é–…—\u00a0\u00ad\u0080\u009f\u007f\t\n\r\x01\x1f\x85"
    "\ue000\ue757\ue758\uf8f0\uf8f1\uf8ff\ufffd\ufeff\u200b\u2028\U000f0000\U0010fffd\U000e0100葛𝐀🏠±°×÷αж゙゚ﾟ\u3000\ufa0e塚神"
)


def register_world() -> World:
    """Every line of what becomes of a row, of the need, of the text and of the rejects, at its edges."""
    world = World()
    _people(world)
    _cards(world)
    _places(world)
    _texts(world)
    _rejects(world)
    for (first, bend), (second, other) in combinations(LINES.items(), 2):
        household = world.add(f"{first} and {second}", 2)
        bend(household)
        other(household)
    return world


def _people(world: World) -> None:
    for size in range(1, 10):
        world.add(f"household of {size}", size)
    for size in (4, 5, 8, 9):
        household = world.add(f"household of {size}, the third with a card", size)
        household.card(2)
        household = world.add(f"household of {size}, the insured with a card", size)
        household.card(0)
    for symbol in (*EMPLOYERS, NO_EMPLOYER_ROW):
        for branch in BRANCHES[:2]:
            world.add(f"symbol {symbol} in {branch}", symbol=symbol, branch=branch)
        household = world.add(f"voluntary with symbol {symbol}", 2, symbol=symbol)
        household.members[0].update(enrolment="voluntary", qualified_on="2024-10-01")
    for suffix, whose in ((0, "insured's"), (1, "own")):
        for day in ("2025-04-29", "2025-04-30", "2025-05-01", "2025-08-01"):
            world.add(f"{whose} lost_on {day}", 2).members[suffix]["lost_on"] = day
        for day in (
            "1950-04-29",
            "1950-04-30",
            "1950-05-01",
            "1948-02-29",
            "1952-02-29",
            "1950-08-01",
            "1954-12-01",
        ):
            world.add(f"{whose} birth {day}", 2).members[suffix]["birth_date"] = day
        for day in ("2024-11-29", "2024-11-30", "2024-12-01", "2024-12-02", "2024-12-03"):
            world.add(f"{whose} decided_on {day}", 2).members[suffix]["decided_on"] = day
        world.add(f"{whose} protection", 3).members[suffix]["protected"] = "true"
    for day in ("2023-07-31", "2023-08-01", "2023-08-02", "2024-02-29", "2024-03-01", "2024-12-01"):
        household = world.add(f"voluntary since {day}", 2)
        for row in household.members:
            row.update(enrolment="voluntary", qualified_on=day)
    for first, second in (("voluntary", "employee"), ("employee", "voluntary")):
        household = world.add(f"insured {first}, dependent {second}", 2)
        household.members[0].update(enrolment=first, qualified_on="2024-10-01")
        household.members[1].update(enrolment=second, qualified_on="2024-06-01")


def _cards(world: World) -> None:
    flags = [(a, b, c) for a in ("true", "false") for b in ("true", "false") for c in ("true", "false")]
    for has_card, filed, registered in flags:
        for expires, cancelled in ((None, None), ("2028-01-01", None), ("2025-04-01", "2025-04-01")):
            world.add(f"card {has_card} {filed} {registered} {expires} {cancelled}").card(
                has_card=has_card,
                number_filed=filed,
                registered=registered,
                certificate_expires_on=expires,
                registration_cancelled_on=cancelled,
            )
    expiries = (
        None,
        "2025-05-01",
        "2025-04-30",
        "2025-04-29",
        "2025-01-31",
        "2025-01-30",
        "2025-01-01",
        "2024-12-31",
    )
    for expires in (*expiries, "2024-12-01", "2024-11-30", "2024-02-29"):
        for cancelled in (None, "2025-04-29", "2025-04-30", "2025-05-01"):
            world.add(f"expires {expires}, cancelled {cancelled}").card(
                certificate_expires_on=expires, registration_cancelled_on=cancelled
            )


def _places(world: World) -> None:
    codes = {f"U+{ord(mark):04X}": f"870{mark}8570" for mark in HYPHENS + NOT_HYPHENS}
    codes |= {
        "every hyphen": HYPHENS.join("8708570"),
        "ends": "-8708570-",
        "none": "8708570",
        "full": "８７０－８５７０",
    }
    codes |= {
        "circled": "⑧⑦⓪⑧⑤⑦⓪",
        "superscript": "⁸⁷⁰⁸⁵⁷⁰",
        "bold": "𝟖𝟕𝟎𝟖𝟓𝟕𝟎",
        "arabic": "٨٧٠٨٥٧٠",
        "devanagari": "८७०८५७०",
    }
    codes |= {
        "mark": "〒870-8570",
        "space": "870 8570",
        "wide space": "870　8570",
        "leading": " 8708570",
        "after": "8708570 ",
    }
    codes |= {
        "six": "870-857",
        "eight": "870-85700",
        "letters": "870-857O",
        "parenthesised": "⑻⑺8708570",
        "dots": "⒈8708570",
    }
    codes |= {
        "twelve circled": "⑫08570",
        "blank": " ",
        "fraction": "870½",
        "line end": "8708570\n",
        "zero width": "870\u200b8570",
    }
    for label, code in codes.items():
        world.add(f"postal code {label}").addresses[0]["postal_code"] = code
    for text in SPACES + NOT_SPACES:
        world.add(f"address U+{ord(text):04X}").addresses[0]["address"] = text
        world.add(f"address U+{ord(text):04X} and a wide space").addresses[0]["address"] = text + "　"
        world.add(f"address between U+{ord(text):04X}").addresses[0]["address"] = f"{text}大分市{text}"
    for country in (None, "JP", "US", "ZZ", "jp", "JPN", "ＪＰ", " JP", " ", "　"):
        world.add(f"country {country!r}").addresses[0]["country"] = country
        household = world.add(f"country {country!r} and no address")
        household.addresses[0].update(country=country, address=None)
    world.add("address null").addresses[0]["address"] = None
    world.add("address row absent", 2).addresses.clear()
    for label, values in {
        "bad day": {"updated_on": "2025-02-30"},
        "no day": {"updated_on": None},
        "slashes": {"updated_on": "2025/01/01"},
    }.items():
        world.add(f"address row rejected: {label}", 2).addresses[0].update(values)
    household = world.add("address row thrice", 2)
    household.addresses += [dict(household.addresses[0]), dict(household.addresses[0])]
    household = world.add("two addresses", 2)
    household.addresses.append({**household.addresses[0], "building": "別館"})
    household = world.add("two addresses, one of them with a bad day", 2)
    household.addresses.append({**household.addresses[0], "updated_on": "x"})


def _texts(world: World) -> None:
    for character in dict.fromkeys(SUBSTITUTED + CHARACTERS):
        name = f"U+{ord(character):04X}"
        world.add(f"{name} in the insured's name", 2).members[0]["name"] = f"健保{character}太郎"
        world.add(f"{name} in the insured's kana", 2).members[0]["name_kana"] = f"ケンポ{character}タロウ"
        world.add(f"{name} in a dependent's name", 2).members[1]["name"] = f"健保{character}花子"
        world.add(f"{name} in the address").addresses[0]["address"] = f"大分市{character}１"
        world.add(f"{name} in the building").addresses[0]["building"] = f"見本{character}館"
    for column, limit in (("address", 120), ("building", 80)):
        for character in "大ｱa¢¬①α±°×…㈱﨑":
            for count in (limit // 2, limit // 2 + 1, limit, limit + 1):
                world.add(f"{column} of {count} U+{ord(character):04X}").addresses[0][column] = character * count
        for text in (
            "大" * (limit // 2 - 1) + "a",
            "大" * (limit // 2) + "a",
            "大" * (limit // 2 - 1) + "aa",
        ):
            world.add(f"{column} of {len(text)} mixed").addresses[0][column] = text
        for blank in (" ", "　", "\u2003"):
            world.add(f"{column} blank U+{ord(blank):04X}").addresses[0][column] = blank
    for column in ("name", "name_kana"):
        for character in "大ｱ¢":
            for count in (39, 40, 41):
                world.add(f"{column} of {count} U+{ord(character):04X}", 2).members[1][column] = character * count
        for blank in (None, " ", "　", "\u2003", "\t", "\u200b", "\x1f"):
            world.add(f"{column} blank {blank!r}", 2).members[1][column] = blank
            world.add(f"insured's {column} blank {blank!r}", 2).members[0][column] = blank


BAD_VALUES: dict[str, tuple[Text, ...]] = {
    "insurer_number": (
        None,
        "0144001",
        "01440016",
        "02440014",
        "01480010",
        "０１４４００１５",
        "01440015 ",
        "01440023",
    ),
    "symbol": (None, "710101", "710101011", "7101010１", "7101010a", " 7101010", "7101-010"),
    "number": (None, "0", "01", "12345678", "１", "1a", "-1", "+1", "1.0"),
    "suffix": (None, "0", "000", "０１", "1a"),
    "relationship": (None, "spouse", "Insured", " insured"),
    "enrolment": (None, "Employee", "part", "　"),
    "sex": (None, "other", "MALE", "男"),
    "birth_date": (
        None,
        "1980-02-30",
        "1980-2-3",
        "19800203",
        "1980/02/03",
        "1900-01-01",
        "1900-01-02",
        "1899-12-31",
        "2025-04-30",
        "2025-05-01",
        "2023-02-29",
        "1980-05-05 ",
        "１９８０-05-05",
        "1980-05-05T00:00:00",
        "0000-01-01",
    ),
    "qualified_on": (None, "2020-04-31", "1980-05-04", "1980-05-05", "x"),
    "decided_on": (None, "2020-13-01", "1970-01-01", "9999-12-31"),
    "lost_on": ("2025-02-29", "2020-03-31", "2020-04-01", "0", "9999-12-31"),
    "protected": (None, "TRUE", "1", "t", "yes", "False", " true"),
}


def _rejects(world: World) -> None:  # noqa: PLR0912 (one loop per kind of row)
    for column, values in BAD_VALUES.items():
        for value in values:
            for suffix in (0, 1):
                world.add(f"{column} {value!r} of {suffix:02d}", 2).members[suffix][column] = value
    for suffix, relationship in (("00", "dependent"), ("01", "insured"), ("99", "dependent")):
        world.add(f"{relationship} {suffix}", 2).members[1].update(suffix=suffix, relationship=relationship)
    for copies in (2, 3):
        for suffix in (0, 1):
            household = world.add(f"row {suffix:02d} {copies} times", 2)
            household.members += [dict(household.members[suffix]) for _ in range(copies - 1)]
            household = world.add(f"row {suffix:02d} {copies} times and another of its key", 2)
            household.members += [dict(household.members[suffix]) for _ in range(copies - 1)]
            household.members.append({**household.members[suffix], "name": "別人"})
            household = world.add(f"row {suffix:02d} with a bad value {copies} times", 2)
            household.members[suffix]["sex"] = "x"
            household.members += [dict(household.members[suffix]) for _ in range(copies - 1)]
    for suffix in (0, 1):
        for column, value in (
            ("sex", "x"),
            ("sex", "female"),
            ("lost_on", "2025-04-30"),
            ("protected", "true"),
        ):
            household = world.add(f"two rows {suffix:02d}, {column} {value}", 2)
            household.members.append({**household.members[suffix], column: value})
    household = world.add("two rows without a number of one key, unlike", 2)
    household.members += [{**household.members[1], "number": None, "name": text} for text in ("甲", "乙")]
    household = world.add("two rows without a number, alike", 2)
    household.members += [{**household.members[1], "number": None, "sex": "female"} for _ in range(2)]
    household = world.add("two rows with a bad number, unlike", 2)
    household.members += [{**household.members[1], "number": "0x", "name": text} for text in ("甲", "乙")]
    household = world.add("symbols of 7 and 8 digits", 1, symbol="07101010")
    household.members.append({**household.members[0], "symbol": "7101010"})
    cards: dict[str, dict[str, Text]] = {
        f"{column} {value!r}": {column: value}
        for column, values in {
            "has_card": (None, "1", "True"),
            "number_filed": (None, "x"),
            "registered": (None, "FALSE"),
            "certificate_expires_on": ("2025-02-29", "2025-1-1"),
            "registration_cancelled_on": ("2025-04-31", "never"),
            "insurer_number": (None, "01440016"),
            "symbol": (None, "71010"),
            "number": (None, "０", "00"),
            "suffix": (None, "0", "1"),
        }.items()
        for value in values
    }
    for label, values in cards.items():
        household = world.add(f"card with {label}")
        household.card()
        household.cards[0].update(values)
    household = world.add("card with a number of a leading zero")
    household.card()
    household.cards[0]["number"] = f"0{household.key[2]}"
    for copies in (2, 3):
        household = world.add(f"card {copies} times")
        for _ in range(copies):
            household.card()
        household = world.add(f"card {copies} times and another")
        for _ in range(copies):
            household.card()
        household.card(registered="false")
        household = world.add(f"rejected card {copies} times")
        for _ in range(copies):
            household.card(registered="f")
    household = world.add("two cards, one usable, one rejected")
    household.card()
    household.card(registered="f")
    world.add("card of nobody").card(7)
    branch = BRANCHES[0]
    employer = world.tables([])["employers"][0]
    for symbol, rows in {
        "72000001": ({"closed_on": "2025-02-30"},),
        "72000002": ({}, {}, {}),
        "72000003": ({}, {"name": "別会社"}),
        "72000004": ({"name": None, "postal_code": None, "address": None},),
        "72000005": ({"closed_on": ""}, {"closed_on": "2025-05-01"}),
    }.items():
        world.add(f"employer {symbol}", 2, symbol=symbol, branch=branch)
        world.extra["employers"] += [{**employer, "insurer_number": branch, "symbol": symbol, **row} for row in rows]
    world.extra["employers"] += [{**employer, "symbol": None}, {**employer, "symbol": "7"}]
    world.extra["addresses"].append(
        {
            "insurer_number": branch,
            "symbol": "71010101",
            "number": "01",
            "postal_code": None,
            "updated_on": "2020-01-01",
        }
    )


def changed(household: Household, *bends: Bend) -> Household:
    """A copy of a household as it stands in a later drop."""
    later = copy.deepcopy(household)
    for bend in bends:
        bend(later)
    return later


# --- a season's changes: what the re-check and the follow-up must find -----------------------------------


def _both(column: str, value: Text) -> Bend:
    def bend(household: Household) -> None:
        for row in household.members:
            row[column] = value

    return bend


def _drop_member(suffix: int) -> Bend:
    def bend(household: Household) -> None:
        household.members = [row for row in household.members if row["suffix"] != f"{suffix:02d}"]

    return bend


def _no_address(household: Household) -> None:
    household.addresses.clear()


def _two_addresses(household: Household) -> None:
    household.addresses.append({**household.addresses[0], "building": "別館"})


def _now_usable(household: Household) -> None:
    for suffix in range(len(household.members)):
        household.card(suffix)


# A later state of the register, by label: whose, which day, which text. Posting is on 2025-08-01.
CHANGES: dict[str, Bend] = {
    **{
        f"{whose} lost_on {day}": _set(suffix, "lost_on", day)
        for suffix, whose in ((0, "insured's"), (1, "own"))
        for day in ("2025-05-01", "2025-07-31", "2025-08-01", "2025-08-02", "2025-09-01")
    },
    **{
        f"{whose} birth {day}": _set(suffix, "birth_date", day)
        for suffix, whose in ((0, "insured's"), (1, "own"))
        for day in ("1950-07-31", "1950-08-01", "1950-08-02", "1980-05-06")
    },
    "insured's protection": _set(0, "protected", "true"),
    "own protection": _set(1, "protected", "true"),
    "own row rejected": _set(1, "sex", "x"),
    "insured's row rejected": _set(0, "sex", "x"),
    "own name": _set(1, "name", "健保　花子"),
    "insured's name": _set(0, "name", "健保　次郎"),
    "insured's kana": _set(0, "name_kana", "ケンポ　ジロウ"),
    "own name unprintable": _set(1, "name", "𠮷田　花子"),
    "insured's name unprintable": _set(0, "name", "𠮷田　太郎"),
    "own kana of half width": _set(1, "name_kana", "ｹﾝﾎﾟ　ﾀﾛｳ"),
    "own kana with a space of half width": _set(1, "name_kana", "ケンポ タロウ"),
    "address of half width digits": _address("address", "大分県大分市大手町3－1－1"),
    "address of other hyphens": _address("address", "大分県大分市大手町３-１-１"),
    "address of substituted hyphens": _address("address", "大分県大分市大手町３−１−１"),
    "address elsewhere": _address("address", "大分県別府市上野口町１"),
    "address blank": _address("address", "　"),
    "address null": _address("address", None),
    "address unprintable": _address("address", "大分県𠮷野１"),
    "address too wide": _address("address", "大" * 61),
    "building new": _address("building", "見本荘１０１"),
    "building blank": _address("building", "　"),
    "building unprintable": _address("building", "𠮷荘"),
    "overseas": _address("country", "US"),
    "overseas and elsewhere": lambda household: household.addresses[0].update(country="US", address="Honolulu"),
    "country null": _address("country", None),
    "postal code only": _address("postal_code", "870-0001"),
    "postal code invalid": _address("postal_code", "870-000"),
    "postal code invalid and elsewhere": lambda household: household.addresses[0].update(
        postal_code="870", address="大分県別府市１"
    ),
    "address row rejected": _address("updated_on", "x"),
    "address rows in conflict": _two_addresses,
    "sex": _set(1, "sex", "female"),
    "qualified_on": _set(1, "qualified_on", "2021-04-01"),
    "decided_on": _set(1, "decided_on", "2025-01-01"),
    "card usable": _now_usable,
    "voluntary now": _both("enrolment", "voluntary"),
    "voluntary now, two years gone": lambda household: [
        row.update(enrolment="voluntary", qualified_on="2023-07-01") for row in household.members
    ],
}
# Only a full drop can say these: a row that is not there.
ABSENCES: dict[str, Bend] = {
    "own row missing": _drop_member(1),
    "insured's row missing": _drop_member(0),
    "address row missing": _no_address,
}
FULL_ON, DELTA_ON = "2025-06-30", "2025-07-30"
ORDERED = (
    "own row rejected",
    "own lost_on 2025-07-31",
    "own birth 1950-07-31",
    "own protection",
    "own name",
    "card usable",
)


def season_world() -> World:  # noqa: PLR0912 (one loop per kind of change)
    """Households that are all planned at the snapshot, and change before their posting date."""
    world = World()
    for size in (1, 2, 5, 9):
        world.add(f"{size}, nothing", size)
    for label, bend in CHANGES.items():
        for when in ("full", "delta"):
            if label.startswith("own") or "own " in label:
                for size, what in ((2, ""), (6, " of six")):
                    _later(world.add(f"{label}{what} ({when})", size), world, when, bend)
            else:
                for size in (1, 6):
                    household = world.add(f"{label}, {size} ({when})", max(size, 2) if _second(label) else size)
                    _later(household, world, when, bend)
                household = world.add(f"{label}, insured with a card ({when})", 3)
                household.card(0)
                _later(household, world, when, bend)
    for label, bend in ABSENCES.items():
        for when in ("full", "delta"):
            _later(world.add(f"{label} ({when})", 6), world, when, bend)
    for first, second in combinations(ORDERED, 2):
        _later(world.add(f"{first} and {second}", 2), world, "delta", CHANGES[first], CHANGES[second])
    for label in (
        "own row rejected",
        "insured's row rejected",
        "address row rejected",
        "own lost_on 2025-07-31",
    ):
        household = world.add(f"{label} in the full drop, mended in the delta", 2)
        _later(household, world, "full", CHANGES[label])
        _later(household, world, "delta", lambda _household: None)
    for fifth in (4, 5, 7):
        household = world.add(f"nine, number {fifth} lost and number 1 renamed", 9)
        _later(household, world, "delta", _set(fifth, "lost_on", "2025-07-01"), _set(1, "name", "健保　改名"))
    household = world.add("nine, two of the second envelope lost", 9)
    _later(household, world, "delta", _set(4, "lost_on", "2025-07-01"), _set(5, "lost_on", "2025-07-01"))
    for day in ("2023-07-31", "2023-08-01", "2023-08-02", "2024-02-29"):
        household = world.add(f"voluntary since {day}", 2)
        for row in household.members:
            row.update(enrolment="voluntary", qualified_on=day)
    for suffix in (0, 1):
        for day in ("1950-05-01", "1950-07-31", "1950-08-01", "1950-08-02", "1950-11-20", "1952-02-29"):
            world.add(f"born {day}, {suffix:02d}", 2).members[suffix]["birth_date"] = day
    for symbol in (*EMPLOYERS, NO_EMPLOYER_ROW):
        world.add(f"symbol {symbol}", 2, symbol=symbol)
    world.no_place = NO_PLACE
    _follow_ups(world)
    return world


# Returned envelopes on 2025-09-01: what the newest register says of them.
RUN_ON, AFTER_ON = "2025-09-01", "2025-08-28"
AFTER: dict[str, Bend] = {
    **{
        f"{whose} lost_on {day}": _set(suffix, "lost_on", day)
        for suffix, whose in ((0, "insured's"), (1, "own"))
        for day in ("2025-08-31", "2025-09-01", "2025-09-02")
    },
    **{
        f"{whose} birth {day}": _set(suffix, "birth_date", day)
        for suffix, whose in ((0, "insured's"), (1, "own"))
        for day in ("1950-08-31", "1950-09-01", "1950-09-02")
    },
    "insured's protection": _set(0, "protected", "true"),
    "own protection": _set(1, "protected", "true"),
    "own protection and loss": lambda household: household.members[1].update(protected="true", lost_on="2025-08-02"),
    "all lost": _both("lost_on", "2025-08-15"),
    "voluntary now": _both("enrolment", "voluntary"),
    "own name": _set(1, "name", "健保　花子"),
    "address elsewhere": _address("address", "大分県別府市１"),
    "overseas": _address("country", "US"),
    "card usable": _now_usable,
    "own row rejected": _set(1, "sex", "x"),
    "insured's row rejected": _set(0, "sex", "x"),
}


def _follow_ups(world: World) -> None:
    for label, bend in AFTER.items():
        for size in (2, 6):
            _later(world.add(f"follow-up: {label}, {size}", size), world, "after", bend)
        household = world.add(f"follow-up: {label}, insured with a card", 3)
        household.card(0)
        _later(household, world, "after", bend)
    _later(world.add("follow-up: sixth protected", 6), world, "after", _set(5, "protected", "true"))
    _later(world.add("follow-up: sixth lost", 6), world, "after", _set(5, "lost_on", "2025-08-02"))
    for symbol in (*EMPLOYERS, *NO_PLACE, NO_EMPLOYER_ROW):
        world.add(f"follow-up: symbol {symbol}", 2, symbol=symbol)
        household = world.add(f"follow-up: symbol {symbol}, voluntary", 2, symbol=symbol)
        household.members[0].update(enrolment="voluntary", qualified_on="2024-10-01")


def _second(label: str) -> bool:
    return label in ("sex", "qualified_on", "decided_on")


def _later(household: Household, world: World, when: str, *bends: Bend) -> None:
    world.later[when][household.key] = bends


def season_drops(world: World) -> dict[str, tuple[str, dict[str, list[Row]]]]:
    """Kind and rows of every drop of a season, by day."""
    full, delta, after = later_drops(world)
    return {
        SNAPSHOT: ("full", world.tables()),
        FULL_ON: ("full", full),
        DELTA_ON: ("delta", delta),
        AFTER_ON: ("delta", after),
    }


def later_drops(world: World) -> tuple[dict[str, list[Row]], ...]:
    """Rows of the full drop, of the delta before the release and of the delta before the follow-up."""
    full = [changed(household, *world.later["full"].get(household.key, ())) for household in world.households]
    by_key = {household.key: household for household in world.households}
    deltas = []
    for when in ("delta", "after"):
        tables = world.tables([changed(by_key[key], *bends) for key, bends in world.later[when].items()])
        closing = [row for row in tables["employers"] if row["symbol"] in CLOSED_LATER]
        tables["employers"] = [{**row, "closed_on": CLOSED_LATER[row["symbol"] or ""]} for row in closing]
        deltas.append(tables if when == "after" else {**tables, "employers": []})
    return world.tables(full), *deltas
