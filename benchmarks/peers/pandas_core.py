"""The core in pandas, as it is written every day; columns that are not needed are not read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from common import COLUMNS, run

KEY = "household_key"


def core(  # noqa: PLR0915 (one script from top to bottom, as its users write)
    register: Path, inputs: dict[str, Any], out: Path, _memory: int
) -> int:
    """Certificates of every target, in lots."""
    snapshot = pd.Timestamp(inputs["snapshot"])
    per_envelope, seeds = inputs["certificates_per_envelope"], inputs["seeds"]

    def printable(text: pd.Series, width: int) -> pd.Series:
        found = text.fillna("")
        wide = 2 * found.str.len() - found.str.count(inputs["narrow"])
        return ~found.str.contains(inputs["unprintable"], regex=True) & (wide <= width)

    def substituted(text: pd.Series) -> pd.Series:
        for one, other in inputs["substitutions"].items():
            text = text.str.replace(one, other, regex=False)
        return text

    def birthday(day: pd.Series, years: int) -> pd.Series:
        there = day + pd.DateOffset(years=years)
        return there + pd.to_timedelta((there.dt.day != day.dt.day).astype(int), unit="D")

    def dates(frame: pd.DataFrame, *columns: str) -> pd.DataFrame:
        return frame.assign(**{column: pd.to_datetime(frame[column]) for column in columns})

    members = dates(
        pd.read_parquet(
            register / "members.parquet",
            columns=[
                "member_key", KEY, "enrolment", "name", "name_kana", "sex", "birth_date", "qualified_on", "decided_on",
                "lost_on", "protected",
            ],
        ),
        "birth_date", "qualified_on", "decided_on", "lost_on",
    )  # fmt: skip
    members = members[
        (members.lost_on.isna() | (members.lost_on > snapshot))
        & (members.birth_date > pd.Timestamp(inputs["as_of_75"]))
        & ~members.protected
    ]
    insured = members[members.member_key % 100 == 0]
    insured = insured[printable(insured.name, inputs["max_name_width"])]
    insured = pd.DataFrame(
        {
            KEY: insured[KEY],
            "addressee_name": substituted(insured["name"]),
            "insured_75": birthday(insured.birth_date, 75),
            "two_years": birthday(insured.qualified_on, 2),
            "enrolment": insured.enrolment,
        }
    )
    people = members[members.decided_on <= pd.Timestamp(inputs["enrolled_through"])]
    del members
    cards = pd.read_parquet(register / "my_number_cards.parquet").drop(columns="as_of")
    cards = dates(cards, "certificate_expires_on", "registration_cancelled_on")
    usable = cards[
        cards.has_card
        & cards.number_filed
        & cards.registered
        & (cards.registration_cancelled_on.isna() | (cards.registration_cancelled_on > snapshot))
        & (cards.certificate_expires_on >= snapshot)
    ].member_key
    # Keys beside missing values would become floats, which hold 16 of their 18 digits.
    rejects = pd.read_parquet(register / "rejects.parquet", dtype_backend="numpy_nullable")
    rejected = rejects[rejects.file == "my_number_cards"].row_key.dropna()
    people = people[~people.member_key.isin(usable) & ~people.member_key.isin(rejected)]
    people = people[
        printable(people.name, inputs["max_name_width"]) & printable(people.name_kana, inputs["max_name_width"])
    ]
    people = people[people[KEY].isin(insured[KEY])]

    addresses = pd.read_parquet(
        register / "addresses.parquet", columns=[KEY, "postal_code", "address", "building", "country"]
    )
    addresses = addresses[addresses[KEY].isin(people[KEY])]
    digits = str.maketrans("０１２３４５６７８９", "0123456789")
    postal = addresses.postal_code.str.translate(digits).str.replace(inputs["hyphens"], "", regex=True)
    addresses = addresses.assign(postal_code=postal)
    addresses = addresses[
        (addresses.country == "JP")
        & (addresses.address.fillna("").map(str.strip) != "")
        & addresses.postal_code.str.fullmatch("[0-9]{7}").fillna(False).astype(bool)
        & printable(addresses.address, inputs["max_address_width"])
        & printable(addresses.building, inputs["max_building_width"])
    ]

    households = people.groupby(KEY).size().rename("targets").reset_index()
    households["envelopes"] = (households.targets + per_envelope - 1) // per_envelope
    households["prefecture"] = households[KEY] // 1_100_000_000_000_000
    households = households.merge(addresses.drop(columns="country"), on=KEY).merge(insured, on=KEY)
    households = households.sort_values(["prefecture", "postal_code", KEY])
    households["rank"] = households.groupby("prefecture").envelopes.cumsum() - households.envelopes
    branches = households.groupby("prefecture").envelopes.agg(branch_envelopes="sum", largest="max").reset_index()
    room = inputs["lot_size"] - seeds - (branches.largest - 1)
    branches["lots"] = np.ceil(branches.branch_envelopes / room).astype("int64")
    households = households.merge(branches, on="prefecture")
    households["lot_index"] = households["rank"] * households.lots // households.branch_envelopes

    posting = dates(pd.DataFrame(inputs["posting_dates"]), "posting_date")
    lots = households.groupby(["prefecture", "lot_index"], as_index=False).agg(
        lot_envelopes=("envelopes", "sum"), first_rank=("rank", "min"), lots=("lots", "first")
    )
    lots = lots.merge(posting, on="prefecture")
    lots = lots[lots.lot_index * lots["of"] // lots.lots == lots.ordinal]
    lots = lots.sort_values(["posting_date", "prefecture", "lot_index"])
    lots["lot_number"] = lots.groupby(["prefecture", "posting_date"]).cumcount() + 1
    spare = np.maximum(inputs["spare_floor"], np.ceil((lots.lot_envelopes + seeds) * inputs["spare_share"]))
    used = (lots.lot_envelopes + seeds + spare).astype("int64")
    lots["first_sequence"] = used.cumsum() - used + 1 + seeds
    year = lots.posting_date.dt.year - (lots.posting_date.dt.month < 12)
    lots["base"] = pd.to_datetime({"year": year + 5, "month": 11, "day": 30})
    lots["lot_id"] = (
        f"{inputs['campaign']}-H-"
        + lots.prefecture.astype(str).str.zfill(2)
        + "-"
        + lots.posting_date.dt.strftime("%Y%m%d")
        + "-"
        + lots.lot_number.astype(str).str.zfill(2)
    )
    placed = (
        households.merge(
            lots[["prefecture", "lot_index", "first_rank", "first_sequence", "base", "lot_id"]],
            on=["prefecture", "lot_index"],
        )
        .drop(columns="enrolment")
        .assign(is_voluntary=lambda frame: frame[KEY].map(insured.set_index(KEY).enrolment) == "voluntary")
    )
    people = people.sort_values("member_key")
    people["place"] = people.groupby(KEY).cumcount()
    people = people.merge(placed, on=KEY)
    people["sequence"] = people.first_sequence + people["rank"] - people.first_rank + people.place // per_envelope
    people["slot"] = people.place % per_envelope + 1
    people["position"] = people.place // per_envelope + 1
    one = pd.Timedelta(days=1)
    caps = pd.concat(
        [
            people.base,
            birthday(people.birth_date, 75) - one,
            people.insured_75 - one,
            (people.two_years - one).where(people.is_voluntary),
        ],
        axis=1,
    )
    people["valid_until"] = caps.min(axis=1)
    check = 98 - people.sequence * 100 % 97
    people["control_number"] = people.sequence.astype(str).str.zfill(9) + check.astype(str).str.zfill(2)
    for column in ("name", "name_kana", "address", "building"):
        people[column] = substituted(people[column])
    people = people.sort_values(["sequence", "slot"])
    for lot_id, lot in people.groupby("lot_id", sort=False):
        lot[COLUMNS].to_csv(out / f"{lot_id}.csv", header=False, index=False, date_format="%Y-%m-%d")
    return len(people)


if __name__ == "__main__":
    run(core)
