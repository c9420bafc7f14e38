"""The core in PySpark, on this machine alone: Spark SQL. Needs a Java runtime."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from common import COLUMNS, run

# The interpreter's own share, and that of Java beside its heap.
HEAP_SHARE = 0.7


def core(register: Path, inputs: dict[str, Any], out: Path, memory: int) -> int:
    """Certificates of every target, in lots."""
    os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    from pyspark.sql import SparkSession

    spark = (
        SparkSession.builder.master("local[2]")
        .config("spark.driver.memory", f"{int(memory * HEAP_SHARE / 2**20)}m")
        # Java nests a character class range by range: the printable characters overflow the usual stack.
        .config("spark.driver.extraJavaOptions", "-Xss64m")
        .config("spark.sql.shuffle.partitions", "64")
        .config("spark.local.dir", str(out / "spill"))
        .config("spark.ui.enabled", "false")
        .config("spark.sql.ansi.enabled", "false")
        .config("spark.log.level", "ERROR")
        .getOrCreate()
    )
    try:
        for table in ("members", "my_number_cards", "addresses", "rejects"):
            spark.read.parquet(str(register / f"{table}.parquet")).createOrReplaceTempView(table)
        days = [(row["prefecture"], row["posting_date"], row["ordinal"], row["of"]) for row in inputs["posting_dates"]]
        spark.createDataFrame(
            days, "prefecture bigint, posting_date string, ordinal bigint, days bigint"
        ).createOrReplaceTempView("posting_dates")
        for name, query in _views(inputs).items():
            spark.sql(query).createOrReplaceTempView(name)
            if name in {"people", "households"}:  # read several times
                spark.table(name).write.parquet(str(out / name))
                spark.read.parquet(str(out / name)).createOrReplaceTempView(name)
        certificates = spark.table("certificates")
        (
            certificates.repartition("lot_id")
            .sortWithinPartitions("lot_id", "sequence", "slot")
            .select("lot_id", *COLUMNS)
            .write.partitionBy("lot_id")
            .option("emptyValue", "")
            .csv(str(out / "lots"))
        )
        return int(spark.table("people").join(spark.table("households"), "household_key").count())
    finally:
        spark.stop()


def _views(inputs: dict[str, Any]) -> dict[str, str]:
    snapshot, per_envelope, seeds = inputs["snapshot"], inputs["certificates_per_envelope"], inputs["seeds"]
    unprintable, narrow = (inputs[name].replace("\\", "\\\\").replace("'", "\\'") for name in ("unprintable", "narrow"))
    hyphens = inputs["hyphens"].replace("\\", "\\\\")
    one, other = "".join(inputs["substitutions"]), "".join(inputs["substitutions"].values())

    def printable(column: str, width: int) -> str:
        wide = f"2 * length({column}) - regexp_count({column}, '{narrow}')"
        return f"coalesce(not {column} rlike '{unprintable}' and {wide} <= {width}, true)"

    def substituted(column: str) -> str:
        return f"translate({column}, '{one}', '{other}')"

    def birthday(column: str, years: int) -> str:
        there = f"add_months({column}, {12 * years})"
        return f"date_add({there}, int(day({there}) <> day({column})))"

    members = f"(lost_on is null or lost_on > date '{snapshot}') and birth_date > date '{inputs['as_of_75']}'"
    return {
        "insured": f"""
            select household_key, {substituted("name")} as addressee_name, enrolment,
                {birthday("birth_date", 75)} as insured_75, {birthday("qualified_on", 2)} as two_years
            from members where member_key % 100 = 0 and {members} and not protected
                and {printable("name", inputs["max_name_width"])}""",
        "people": f"""
            select members.member_key, members.household_key, {substituted("name")} as name,
                {substituted("name_kana")} as name_kana, sex, birth_date, qualified_on,
                row_number() over (partition by members.household_key order by members.member_key) - 1 as place
            from members
            left join my_number_cards as cards on cards.member_key = members.member_key
            left semi join insured on insured.household_key = members.household_key
            left anti join (select row_key from rejects where file = 'my_number_cards' and row_key is not null) as bad
                on bad.row_key = members.member_key
            where {members} and not protected and decided_on <= date '{inputs["enrolled_through"]}'
                and not coalesce(has_card and number_filed and registered
                    and (registration_cancelled_on is null or registration_cancelled_on > date '{snapshot}')
                    and certificate_expires_on >= date '{snapshot}', false)
                and {printable("name", inputs["max_name_width"])} and {printable("name_kana", inputs["max_name_width"])}
            """,
        "good_addresses": f"""
            select household_key, {substituted("address")} as address, {substituted("building")} as building,
                regexp_replace(translate(postal_code, '０１２３４５６７８９', '0123456789'), '{hyphens}', '')
                    as postal_code
            from addresses
            where country = 'JP' and not coalesce(address, '') rlike '^[\\\\s\\\\p{{Z}}]*$'
                and {printable("address", inputs["max_address_width"])}
                and {printable("building", inputs["max_building_width"])}""",
        "households": f"""
            select counted.household_key, counted.household_key div 1100000000000000 as prefecture,
                (targets + {per_envelope - 1}) div {per_envelope} as envelopes, postal_code, address, building,
                addressee_name, insured_75, two_years, enrolment
            from (select household_key, count(*) as targets from people group by household_key) as counted
            join good_addresses on good_addresses.household_key = counted.household_key
            join insured on insured.household_key = counted.household_key
            where postal_code rlike '^[0-9]{{7}}$'""",
        "ranked": """
            select household_key, prefecture, envelopes,
                sum(envelopes) over (partition by prefecture order by postal_code, household_key) - envelopes as rank
            from households""",
        "branches": f"""
            select prefecture, sum(envelopes) as branch_envelopes,
                ceil(sum(envelopes) / ({inputs["lot_size"] - seeds} - (max(envelopes) - 1))) as lots
            from households group by prefecture""",
        "placed": """
            select ranked.*, lots, rank * lots div branch_envelopes as lot_index
            from ranked join branches on branches.prefecture = ranked.prefecture""",
        "lots": f"""
            select numbered.*, 1 + {seeds} + coalesce(sum(
                lot_envelopes + {seeds}
                + greatest({inputs["spare_floor"]}, ceil((lot_envelopes + {seeds}) * {inputs["spare_share"]}D))
            ) over (order by posting_date, prefecture, lot_number rows between unbounded preceding and 1 preceding), 0)
                as first_sequence
            from (
                select counted.prefecture, lot_index, lot_envelopes, first_rank, posting_date,
                    row_number() over (partition by counted.prefecture, posting_date order by lot_index) as lot_number
                from (
                    select prefecture, lot_index, sum(envelopes) as lot_envelopes, min(rank) as first_rank,
                        first(lots) as lots
                    from placed group by prefecture, lot_index
                ) as counted
                join posting_dates on posting_dates.prefecture = counted.prefecture
                    and lot_index * days div lots = ordinal
            ) as numbered""",
        "certificates": f"""
            select people.*, addressee_name, postal_code, address, building, households.envelopes,
                place % {per_envelope} + 1 as slot, place div {per_envelope} + 1 as position, sequence, lot_id,
                lpad(string(sequence), 9, '0') || lpad(string(98 - sequence * 100 % 97), 2, '0') as control_number,
                least(make_date(year(posting_date) - int(month(posting_date) < 12) + 5, 11, 30),
                    date_sub({birthday("birth_date", 75)}, 1), date_sub(insured_75, 1),
                    case when enrolment = 'voluntary' then date_sub(two_years, 1) end) as valid_until
            from people
            join households on households.household_key = people.household_key
            join placed on placed.household_key = people.household_key
            join lots on lots.prefecture = placed.prefecture and lots.lot_index = placed.lot_index
            lateral view explode(array(bigint(first_sequence + rank - first_rank + place div {per_envelope})))
                as sequence
            lateral view explode(array('{inputs["campaign"]}-H-' || lpad(string(households.prefecture), 2, '0') || '-'
                || replace(posting_date, '-', '') || '-' || lpad(string(lot_number), 2, '0'))) as lot_id""",
    }


if __name__ == "__main__":
    run(core)
