"""The core in polars: lazy frames, the streaming engine."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
from common import COLUMNS, run

KEY = "household_key"


def core(register: Path, inputs: dict[str, Any], out: Path, _memory: int) -> int:
    """Certificates of every target, in lots."""
    snapshot = date.fromisoformat(inputs["snapshot"])
    per_envelope, seeds = inputs["certificates_per_envelope"], inputs["seeds"]

    def printable(column: str, width: int) -> pl.Expr:
        text = pl.col(column)
        wide = 2 * text.str.len_chars() - text.str.count_matches(inputs["narrow"])
        return (~text.str.contains(inputs["unprintable"]) & (wide <= width)).fill_null(value=True)

    def substituted(column: str) -> pl.Expr:
        return pl.col(column).str.replace_many(list(inputs["substitutions"]), list(inputs["substitutions"].values()))

    def birthday(column: str, years: int) -> pl.Expr:
        there = pl.col(column).dt.offset_by(f"{years}y")
        return pl.when(there.dt.day() == pl.col(column).dt.day()).then(there).otherwise(there.dt.offset_by("1d"))

    members = pl.scan_parquet(register / "members.parquet").filter(
        (pl.col("lost_on").is_null() | (pl.col("lost_on") > snapshot))
        & (pl.col("birth_date") > date.fromisoformat(inputs["as_of_75"]))
        & ~pl.col("protected")
    )
    insured = members.filter((pl.col("member_key") % 100 == 0) & printable("name", inputs["max_name_width"])).select(
        KEY,
        substituted("name").alias("addressee_name"),
        birthday("birth_date", 75).alias("insured_75"),
        birthday("qualified_on", 2).alias("two_years"),
        "enrolment",
    )
    cards = pl.scan_parquet(register / "my_number_cards.parquet").drop("as_of")
    rejected = (
        pl.scan_parquet(register / "rejects.parquet")
        .filter(pl.col("file") == "my_number_cards")
        .select(pl.col("row_key").alias("member_key"))
        .drop_nulls()
    )
    usable = (
        pl.col("has_card")
        & pl.col("number_filed")
        & pl.col("registered")
        & (pl.col("registration_cancelled_on").is_null() | (pl.col("registration_cancelled_on") > snapshot))
        & (pl.col("certificate_expires_on") >= snapshot)
    ).fill_null(value=False)
    postal = pl.col("postal_code").str.replace_many(list("０１２３４５６７８９"), list("0123456789"))
    addresses = (
        pl.scan_parquet(register / "addresses.parquet")
        .with_columns(postal.str.replace_all(inputs["hyphens"], "").alias("postal_code"))
        .filter(
            (pl.col("country") == "JP")
            & ~pl.col("address").fill_null("").str.contains(r"^\s*$")
            & pl.col("postal_code").str.contains("^[0-9]{7}$")
            & printable("address", inputs["max_address_width"])
            & printable("building", inputs["max_building_width"])
        )
        .select(KEY, "postal_code", substituted("address").alias("address"), substituted("building").alias("building"))
    )
    people = (
        members.filter(pl.col("decided_on") <= date.fromisoformat(inputs["enrolled_through"]))
        .join(cards, on="member_key", how="left")
        .filter(~usable)
        .join(rejected, on="member_key", how="anti")
        .filter(printable("name", inputs["max_name_width"]) & printable("name_kana", inputs["max_name_width"]))
        .join(insured.drop("enrolment"), on=KEY)
        .select("member_key", KEY, substituted("name"), substituted("name_kana"), "sex", "birth_date", "qualified_on")
    )
    households = (
        people.group_by(KEY)
        .agg(pl.len().alias("targets"))
        .with_columns(
            ((pl.col("targets") + per_envelope - 1) // per_envelope).cast(pl.Int64).alias("envelopes"),
            (pl.col(KEY) // 1_100_000_000_000_000).alias("prefecture"),
        )
        .join(addresses, on=KEY)
        .join(insured, on=KEY)
        .sort("prefecture", "postal_code", KEY)
        .collect(engine="streaming")
        .with_columns((pl.col("envelopes").cum_sum().over("prefecture") - pl.col("envelopes")).alias("rank"))
    )
    branches = households.group_by("prefecture").agg(
        pl.col("envelopes").sum().alias("branch_envelopes"), pl.col("envelopes").max().alias("largest")
    )
    lot_count = (pl.col("branch_envelopes") / (inputs["lot_size"] - seeds - (pl.col("largest") - 1))).ceil()
    branches = branches.with_columns(lot_count.cast(pl.Int64).alias("lots"))
    households = households.join(branches, on="prefecture").with_columns(
        (pl.col("rank") * pl.col("lots") // pl.col("branch_envelopes")).alias("lot_index")
    )
    posting = pl.DataFrame(inputs["posting_dates"]).with_columns(pl.col("posting_date").str.to_date())
    lots = (
        households.group_by("prefecture", "lot_index")
        .agg(
            pl.col("envelopes").sum().alias("lot_envelopes"),
            pl.col("rank").min().alias("first_rank"),
            pl.col("lots").first(),
        )
        .join(posting, on="prefecture")
        .filter(pl.col("lot_index") * pl.col("of") // pl.col("lots") == pl.col("ordinal"))
        .sort("posting_date", "prefecture", "lot_index")
        .with_columns(pl.int_range(1, pl.len() + 1).over("prefecture", "posting_date").alias("lot_number"))
    )
    spare = ((pl.col("lot_envelopes") + seeds) * inputs["spare_share"]).ceil().cast(pl.Int64)
    used = pl.col("lot_envelopes") + seeds + pl.max_horizontal(spare, pl.lit(inputs["spare_floor"]))
    base = (
        pl.when(
            pl.col("posting_date").dt.ordinal_day() >= pl.date(pl.col("posting_date").dt.year(), 12, 1).dt.ordinal_day()
        )
        .then(pl.col("posting_date").dt.year())
        .otherwise(pl.col("posting_date").dt.year() - 1)
    )
    lots = lots.with_columns(
        (used.cum_sum() - used + 1 + seeds).alias("first_sequence"),
        pl.date(base + 5, 11, 30).alias("base"),
        pl.format(
            f"{inputs['campaign']}-H-{{}}-{{}}-{{}}",
            pl.col("prefecture").cast(pl.String).str.zfill(2),
            pl.col("posting_date").dt.strftime("%Y%m%d"),
            pl.col("lot_number").cast(pl.String).str.zfill(2),
        ).alias("lot_id"),
    )
    placed = households.join(lots.drop("lots"), on=["prefecture", "lot_index"]).drop("prefecture", "lot_index")
    place = pl.int_range(pl.len()).over(KEY)
    first = pl.col("first_sequence") + pl.col("rank") - pl.col("first_rank")
    caps = pl.min_horizontal(
        pl.col("base"),
        birthday("birth_date", 75).dt.offset_by("-1d"),
        pl.col("insured_75").dt.offset_by("-1d"),
        pl.when(pl.col("enrolment") == "voluntary").then(pl.col("two_years").dt.offset_by("-1d")),
    )
    certificates = (
        people.sort("member_key")
        .collect(engine="streaming")
        .with_columns(place.alias("place"))
        .join(placed, on=KEY)
        .with_columns(
            (first + pl.col("place") // per_envelope).alias("sequence"),
            (pl.col("place") % per_envelope + 1).alias("slot"),
            (pl.col("place") // per_envelope + 1).alias("position"),
            caps.alias("valid_until"),
        )
        .with_columns(
            (
                pl.col("sequence").cast(pl.String).str.zfill(9)
                + (98 - pl.col("sequence") * 100 % 97).cast(pl.String).str.zfill(2)
            ).alias("control_number")
        )
        .sort("sequence", "slot")
    )
    for (lot_id,), lot in certificates.group_by("lot_id", maintain_order=True):
        lot.select(COLUMNS).write_csv(out / f"{lot_id}.csv", include_header=False)
    return certificates.height


if __name__ == "__main__":
    run(core)
