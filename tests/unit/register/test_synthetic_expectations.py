"""What the synthetic register expects of itself is what the contract and the rules say of its rows.

The rules are read here a second time, in plain Python over rows, so that neither the generator nor the models of
the warehouse are judged by their own words.
"""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Literal

import duckdb
import pytest

from kakuninsho.campaign import Campaign, load_campaign
from kakuninsho.register.drops import drop_at
from kakuninsho.register.landing import stage_drop
from kakuninsho.register.synthetic import generate

AS_OF = date(2025, 4, 30)
HYPHENS = dict.fromkeys([0x2D, *range(0x2010, 0x2016), 0x2212, 0x30FC])
SUBSTITUTED = str.maketrans("〜−‖—¢£¬", "～－∥―￠￡￢")
Row = dict[str, Any]


def birthday_75(born: date) -> date:
    if (born.month, born.day) == (2, 29):
        return date(born.year + 75, 3, 1)
    return date(born.year + 75, born.month, born.day)


def need(  # noqa: PLR0911 (one return per need)
    card: Row | None, day: date = AS_OF
) -> str | None:
    if card is None or not card["has_card"]:
        return "no_card"
    if not card["number_filed"]:
        return "number_not_filed"
    if not card["registered"]:
        return "not_registered"
    if card["registration_cancelled_on"] and card["registration_cancelled_on"] <= day:
        return "registration_cancelled"
    expires = card["certificate_expires_on"]
    if expires and expires >= day:
        return None
    if expires:
        month = expires.year * 12 + expires.month - 1 + 4
        if day <= date(month // 12, month % 12 + 1, 1) - timedelta(days=1):
            return "certificate_in_grace"
    return "certificate_expired"


def is_printable(text: str | None, width: int) -> bool:
    text = (text or "").translate(SUBSTITUTED)
    try:
        round_trip = text.encode("cp932").decode("cp932")
    except UnicodeEncodeError:
        return False
    odd = any(unicodedata.category(character) in ("Cc", "Co") for character in text)
    wide = sum(2 if unicodedata.east_asian_width(character) in "WFA" else 1 for character in text)
    return round_trip == text and not odd and wide <= width


def is_missing(address: Row | None) -> bool:
    if address is None or address["country"] is None or not (address["address"] or "").strip():
        return True
    postal_code = unicodedata.normalize("NFKC", address["postal_code"] or "").translate(HYPHENS)
    return not (len(postal_code) == 7 and postal_code.isascii() and postal_code.isdigit())


def evaluate(  # noqa: PLR0911 (one return per line of the rule)
    member: Row,
    insured: Row | None,
    address: Row | None,
    card: Row | None,
    *,
    card_rejected: bool,
    issued: list[Row],
) -> str:
    people = [member, *([insured] if insured else [])]
    if any(one["lost_on"] and one["lost_on"] <= AS_OF for one in people):
        return "membership_lost"
    if any(birthday_75(one["birth_date"]) <= AS_OF for one in people):
        return "reached_75"
    if member["decided_on"] >= date(2024, 12, 2):
        return "new_enrollee"
    if any(one["protected"] for one in people):
        return "address_protected"
    if member["decided_on"] > date(2024, 11, 30):
        return "between_routes"
    if insured is None:
        return "household_without_insured"
    if card_rejected:
        return "card_record_rejected"
    reason = need(card)
    if reason is None:
        return "card_usable"
    if any(
        row["issued_on"] <= AS_OF <= row["valid_until"] and (row["ended_on"] is None or row["ended_on"] > AS_OF)
        for row in issued
    ):
        return "already_has_certificate"
    if address and address["country"] and address["country"] != "JP":
        return "address_overseas"
    if is_missing(address):
        return "address_missing"
    assert address is not None
    texts = [
        (insured["name"], 80),
        (address["address"], 120),
        (address["building"], 80),
        (member["name"], 80),
        (member["name_kana"], 80),
    ]
    if not all(is_printable(text, width) for text, width in texts):
        return "unprintable_text"
    return reason


def rows(sql: str) -> list[Row]:
    with duckdb.connect() as con:
        found = con.execute(sql)
        names = [column[0] for column in found.description]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


@pytest.fixture(scope="module")
def campaign() -> Campaign:
    return load_campaign()


@pytest.fixture(scope="module", params=["parquet", "csv"])
def staged(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, campaign: Campaign
) -> tuple[Path, Path]:
    """A register and its campaign's drop, sorted by the reader of the contract."""
    folder = tmp_path_factory.mktemp("synthetic")
    form: Literal["parquet", "csv"] = request.param
    generate(20_000, 11, folder / "register", campaign, format=form, drops="campaign")
    stage_drop(drop_at(folder / "register" / "as_of=2025-04-30"), campaign, folder / "staged")
    return folder / "register", folder / "staged"


def test_exactly_the_planted_rows_are_rejected_for_the_planted_reason(staged: tuple[Path, Path]) -> None:
    register, accepted = staged
    columns = "file, row_number, column_name, reason_code"
    found = rows(f"select {columns} from '{accepted}/rejects.parquet' order by all")
    assert found == rows(f"select {columns} from '{register}/expected_rejects.parquet' order by all")
    assert {row["file"] for row in found} == {
        "members",
        "addresses",
        "employers",
        "my_number_cards",
        "issued_certificates",
    }


def test_each_accepted_row_ends_as_drawn_or_planted(staged: tuple[Path, Path]) -> None:
    register, accepted = staged
    members = rows(f"from '{accepted}/members.parquet'")
    insured = {row["household_key"]: row for row in members if row["member_key"] % 100 == 0}
    addresses = {row["household_key"]: row for row in rows(f"from '{accepted}/addresses.parquet'")}
    cards = {row["member_key"]: row for row in rows(f"from '{accepted}/my_number_cards.parquet'")}
    rejected = {
        row["row_key"]
        for row in rows(f"from '{accepted}/rejects.parquet' where file = 'my_number_cards' and row_key is not null")
    }
    expected = {
        row["member_key"]: row
        for row in rows(
            f"""
            select
                ((substr(insurer_number, 3, 2)::bigint * 110000000
                    + case when length(symbol) = 8 then 10000000 else 0 end + symbol::bigint) * 10000000
                    + number::bigint) * 100 + suffix::bigint as member_key,
                disposition, reason_code, planted_as
            from '{register}/expected_dispositions.parquet'
            """
        )
    }
    assert expected.keys() == {row["member_key"] for row in members}
    issued: defaultdict[int, list[Row]] = defaultdict(list)
    for row in rows(f"from '{accepted}/issued_certificates.parquet'"):
        issued[row["member_key"]].append(row)
    wrong = []
    for member in members:
        household, key = member["household_key"], member["member_key"]
        reason = evaluate(
            member,
            insured.get(household),
            addresses.get(household),
            cards.get(key),
            card_rejected=key in rejected and key not in cards,
            issued=issued[key],
        )
        if reason != expected[key]["reason_code"]:
            wrong.append((expected[key]["planted_as"], expected[key]["reason_code"], reason))
    assert wrong == []


def test_dispositions_are_named_after_their_reasons(staged: tuple[Path, Path]) -> None:
    register, _ = staged
    found = {
        (row["disposition"], row["reason_code"])
        for row in rows(f"select distinct disposition, reason_code from '{register}/expected_dispositions.parquet'")
    }
    excluded = {"membership_lost", "reached_75", "new_enrollee", "card_usable", "already_has_certificate"}
    assert {reason for disposition, reason in found if disposition == "excluded"} == excluded
    assert len([reason for disposition, reason in found if disposition == "held"]) == 7
    assert len([reason for disposition, reason in found if disposition == "target"]) == 6
    assert len(found) == 18


def test_later_drops_pass_the_reader_too(tmp_path: Path, campaign: Campaign) -> None:
    generate(20_000, 11, tmp_path / "register", campaign)
    for day in ("2025-05-31", "2025-09-19", "2025-10-31"):
        result = stage_drop(drop_at(tmp_path / "register" / f"as_of={day}"), campaign, tmp_path / day)
        assert result.rejected["members"] <= 20
