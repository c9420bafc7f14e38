"""Lot files: from a frozen plan alone to the bytes that the printer gets (contract printer/v1, lot_file).

DuckDB makes the lines in order; Python only encodes them to CP932 in blocks and hashes. The same plan gives the same
bytes on every machine. Nothing is written under its final name before its totals agree with the plan.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO

import duckdb

from kakuninsho.campaign import Campaign, load_branches
from kakuninsho.facts.store import Fact
from kakuninsho.plans.control_numbers import control_number
from kakuninsho.printer.charset import UnprintableTextError, encode_cp932
from kakuninsho.printer.layout import (
    contract,
    counts_text,
    lot_file_name,
    order_file_name,
    record_fields,
)
from kakuninsho.warehouse.connection import memory

CRLF = "\r\n"
RECORD_TYPES = ("H", "E", "C", "B", "L", "N", "T")
ROWS_PER_BLOCK = 1_024  # small enough for its text to stay in the processor's cache
CERTIFICATES_WORTH_A_PROCESS = 200_000  # below, starting a process takes longer than the work

INSURER_NAME = "全国健康保険協会"
# Where samples go: the insurer's head office, as published.
SAMPLE_ADDRESS = {"postal_code": "1608507", "address": "東京都新宿区四谷1丁目6-1", "building": "YOTSUYA TOWER 6階"}
SAMPLE_SYMBOL, SAMPLE_NUMBER, SAMPLE_SUFFIX = "0000000", "0", "00"  # no member has number 0
SAMPLE_NAME, SAMPLE_KANA = "見本 太郎", "ミホン タロウ"


class LotFileError(RuntimeError):
    """A lot file that must not leave. Says which lot, which rule and how many rows; carries no value of a row."""


@dataclass(frozen=True)
class ClearFile:
    """A file to the printer before it is sealed, with the totals of its manifest.

    `row_count`: every record of a lot (H and T too), rows without the header line of an order. Counts of pieces
    include samples. `weight_g` is the text of the trailer.
    """

    file_kind: str  # lot, pull_list, release_order, stop_order
    campaign: str
    name: str
    path: Path
    row_count: int
    byte_count: int
    sha256: str
    lot_id: str | None = None
    posting_date: date | None = None
    envelope_count: int | None = None
    sample_count: int | None = None
    packet_count: int | None = None
    certificate_count: int | None = None
    list_line_count: int | None = None
    enclosures: dict[str, int] = field(default_factory=dict)
    weight_g: str | None = None
    postage_yen: int | None = None
    related_files: tuple[dict[str, str], ...] = ()


# --- lots ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Lot:
    """The lot's own row of the plan, with the branch that it belongs to."""

    lot_id: str
    lot_kind: str
    prefecture: int
    posting_date: date
    envelope_count: int
    certificate_count: int
    seed_count: int
    replacement_first: int | None
    replacement_last: int | None
    weight_g: Decimal
    postage_yen: int
    insurer_number: str
    branch_name: str

    @property
    def insurer_name(self) -> str:
        return f"{INSURER_NAME} {self.branch_name}"


def write_lot(
    plan: Fact,
    lot_id: str,
    campaign: Campaign | str,
    out_dir: Path,
    *,
    plans_glob: str | None = None,
    reports_glob: str | None = None,
) -> ClearFile:
    """Write the clear file of one lot of a frozen plan into `out_dir` and return it with its totals.

    A bundle's packets are printed as they first were: `plans_glob` (folders of plans; default: all plans beside this
    one) holds their envelopes and certificates, and `reports_glob` (landed piece reports) tells which number a piece
    printed again had before. Only reports received up to the plan's own day count, so the bytes never change later.

    Raises:
        LotFileError: the lot is not in the plan, its records do not agree with the plan's totals, a text cannot be
            printed or is too wide, or a value that must be there is missing.
    """
    with memory(limit="1GB", spill=out_dir / ".spill") as connection:
        _read_packets(connection, plan, plans_glob, reports_glob)
        return _write_lot(connection, plan, lot_id, _name_of(campaign), out_dir)


def write_lots(
    plan: Fact, lot_ids: list[str], campaign: Campaign | str, out_dir: Path, *, workers: int = 2
) -> list[ClearFile]:
    """Write several lots of a plan, in the order given; many certificates are spread over `workers` processes.

    Raises:
        LotFileError: as `write_lot`, for the first lot that fails.
    """
    name = _name_of(campaign)
    with memory(limit="1GB", spill=out_dir / ".spill") as connection:
        total = _count(connection, f"select sum(certificate_count) from read_parquet('{plan.table('lots')}')")
        has_bundles = _read_packets(connection, plan)
        if workers < 2 or total < CERTIFICATES_WORTH_A_PROCESS or len(lot_ids) < workers or has_bundles:
            return [_write_lot(connection, plan, lot_id, name, out_dir) for lot_id in lot_ids]
    # Spawned, not forked: DuckDB's threads do not survive a fork.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        tasks = [pool.submit(_write_lot_alone, plan, lot_id, name, out_dir) for lot_id in lot_ids]
        try:
            return [task.result() for task in tasks]
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _name_of(campaign: Campaign | str) -> str:
    return campaign if isinstance(campaign, str) else campaign.name


def _write_lot_alone(plan: Fact, lot_id: str, campaign: str, out_dir: Path) -> ClearFile:
    """A lot without bundles, in a process of its own."""
    with memory(limit="1GB", threads=1, spill=out_dir / ".spill") as connection:
        return _write_lot(connection, plan, lot_id, campaign, out_dir)


def _write_lot(
    connection: duckdb.DuckDBPyConnection, plan: Fact, lot_id: str, campaign: str, out_dir: Path
) -> ClearFile:
    lot = _read_lot(connection, plan, lot_id)
    _pieces(connection, plan, lot)
    _packets(connection, lot)
    _list_lines(connection, plan, lot)
    _samples(connection, plan, lot)
    totals = _totals(connection)
    _check_totals(connection, lot, totals)
    return _write(connection, lot, totals, campaign, out_dir)


def _read_lot(connection: duckdb.DuckDBPyConnection, plan: Fact, lot_id: str) -> _Lot:
    row = connection.execute(
        f"""select lot_kind, prefecture, posting_date, envelope_count, certificate_count, seed_count,
            replacement_first, replacement_last, weight_g::decimal(18, 1), postage_yen
        from read_parquet('{plan.table("lots")}') where lot_id = {_literal(lot_id)}"""
    ).fetchall()
    if len(row) != 1:
        raise LotFileError(f"plan {plan.name} holds {len(row)} lots named {lot_id}; it must be exactly one")
    kinds = contract()["lot_file"]["records"]["H"]["fields"][4]["values"]
    if row[0][0] not in kinds:
        raise LotFileError(f"lot {lot_id}: the contract has no such kind of lot; it has {', '.join(kinds)}")
    branch = next((item for item in load_branches() if int(item.prefecture_code) == row[0][1]), None)
    if branch is None:
        raise LotFileError(f"lot {lot_id}: its branch is not one of the 47")
    return _Lot(*[lot_id, *row[0], branch.insurer_number, branch.branch_name])


def _literal(value: object) -> str:
    """SQL of a value of this package; parameters would make DuckDB import pandas (1.5 seconds, 100 MB)."""
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return f"date '{value}'" if isinstance(value, date) else str(value)


def _insert(connection: duckdb.DuckDBPyConnection, table: str, rows: list[tuple[object, ...]]) -> None:
    values = ", ".join(f"({', '.join(_literal(value) for value in row)})" for row in rows)
    connection.execute(f"insert into {table} values {values}")


_ENVELOPE_COLUMNS = """control_number varchar, bundle_control_number varchar, position_in_lot bigint, place bigint,
    is_sample boolean, position integer, envelopes_in_household integer, is_additional boolean, addressee_name varchar,
    postal_code varchar, address varchar, building varchar, certificate_count integer, weight_g decimal(18, 1),
    postage_yen bigint"""
_CERTIFICATE_COLUMNS = """control_number varchar, position_in_lot bigint, place bigint, slot integer, is_sample boolean,
    symbol varchar, number varchar, suffix varchar, name varchar, name_kana varchar, sex varchar, birth_date date,
    qualified_on date, issued_on date, valid_until date, prefecture bigint"""
_BUNDLE_COLUMNS = """control_number varchar, position_in_lot bigint, employer_name varchar, postal_code varchar,
    address varchar, building varchar, packet_count bigint, certificate_count bigint, weight_g decimal(18, 1),
    postage_yen bigint, notice varchar, old_card_packets varchar"""
_LIST_COLUMNS = """control_number varchar, position_in_lot bigint, is_sample boolean, symbol varchar,
    employer_name varchar, postal_code varchar, address varchar, building varchar, line_count bigint,
    weight_g decimal(18, 1), postage_yen bigint"""
_LINE_COLUMNS = """control_number varchar, position_in_lot bigint, line_number bigint, number varchar,
    suffix varchar, name varchar"""

# Text of packed keys (facts/schemas.py).
_SYMBOL = """case when {key} % 110000000 < 10000000 then lpad(({key} % 110000000)::varchar, 7, '0')
    else lpad(({key} % 110000000 - 10000000)::varchar, 8, '0') end"""


def _symbol(employer_key: str) -> str:
    return _SYMBOL.format(key=f"({employer_key})")


def _certificate_select(source: str, control_number: str, position: str, place: str) -> str:
    """Columns of lot_certificates from a row of a plan's certificates and its envelope."""
    return f"""{control_number}, {position}, {place} + {source}.slot, {source}.slot, false,
        {_symbol(f"{source}.member_key // 1000000000")},
        ({source}.member_key // 100 % 10000000)::varchar,
        lpad(({source}.member_key % 100)::varchar, 2, '0'),
        {source}.name, {source}.name_kana, {source}.sex, {source}.birth_date, {source}.qualified_on,
        {source}.issued_on, {source}.valid_until, {source}.member_key // 1000000000 // 110000000"""


def _pieces(connection: duckdb.DuckDBPyConnection, plan: Fact, lot: _Lot) -> None:
    """Read the lot's rows of the plan: household envelopes and their certificates, bundles, lists."""
    for table, columns in _COLUMNS.items():
        connection.execute(f"create or replace temp table {table} ({columns})")
    connection.execute(
        f"""create or replace temp view lot_rows as
        select * from read_parquet('{plan.table("envelopes")}') where lot_id = '{lot.lot_id}'"""
    )
    connection.execute(
        """insert into lot_envelopes
        select envelope_id, '', position_in_lot, 0, false, position, envelopes_in_household, is_additional,
            addressee_name, postal_code, address, building, certificate_count, weight_g, postage_yen
        from lot_rows where household_key is not null and bundle_id is null"""
    )
    connection.execute(
        f"""insert into lot_lists
        select envelope_id, position_in_lot, false, {_symbol("employer_key")}, addressee_name, postal_code, address,
            building, 0, weight_g, postage_yen
        from lot_rows where household_key is null and lot_kind = 'employer_list'"""
    )
    # Numbers of one lot lie side by side in the plan: the bounds let DuckDB skip the rest of a national file.
    bounds = connection.execute("select min(control_number), max(control_number) from lot_envelopes").fetchone()
    if bounds is None or bounds[0] is None:
        return
    connection.execute(
        f"""insert into lot_certificates
        select {_certificate_select("certificates", "certificates.envelope_id", "lot_envelopes.position_in_lot", "0")}
        from read_parquet('{plan.table("certificates")}') as certificates
        join lot_envelopes on lot_envelopes.control_number = certificates.envelope_id
        where certificates.envelope_id between '{bounds[0]}' and '{bounds[1]}'"""
    )


def _read_packets(
    connection: duckdb.DuckDBPyConnection, plan: Fact, plans_glob: str | None = None, reports_glob: str | None = None
) -> bool:
    """Read what lies in the bundles of all lots of a plan, once: packets of this plan, and returned ones as they were.

    A returned packet is found by the chain of numbers of pieces printed again. Returns whether there is any bundle.
    """
    if not _count(connection, f"select count(*) from read_parquet('{plan.table('lots')}') where lot_kind = 'employer'"):
        return False
    facts = plan.path.parent.parent
    reports_glob = reports_glob or str(facts / "feeds" / "piece_reports" / "*" / "rows.parquet")
    connection.execute(
        f"""create temp view plan_rows as select * from read_parquet('{plan.table("envelopes")}');

        create temp table plan_packets as
        select packed.bundle_id, packed.envelope_id, packed.certificate_id, bundles.lot_id, bundles.position_in_lot,
            dense_rank() over (partition by packed.bundle_id order by packed.envelope_id) * 100 as place
        from (
            select bundle_id, envelope_id, certificate_id from read_parquet('{plan.table("follow_ups")}')
            union all
            select packets.bundle_id, certificates.envelope_id, certificates.certificate_id
            from read_parquet('{plan.table("certificates")}') as certificates
            join plan_rows as packets on packets.envelope_id = certificates.envelope_id
            where packets.bundle_id is not null
        ) as packed
        join plan_rows as bundles on bundles.envelope_id = packed.bundle_id"""
    )
    if _count(connection, f"select count(*) from read_parquet('{plan.table('follow_ups')}')"):
        plans = plans_glob or str(facts / "plans" / "*")
        replacements = f"""
            select replacement_id, min(envelope_id) as envelope_id
            from read_parquet('{reports_glob}')
            where event_type = 'spoiled' and replacement_id is not null
                and received_on <= (select max(received_on) from read_parquet('{plan.table("plan")}'))
            group by replacement_id"""
    else:
        # Nothing comes back in this plan: what it packs it prints itself, under its own number.
        plans = str(plan.path)
        replacements = "select null::varchar as replacement_id, null::varchar as envelope_id where false"
    columns = _certificate_select("certificates", "packets.envelope_id", "packets.position_in_lot", "packets.place")
    connection.execute(
        f"""create temp table packet_numbers as
        with recursive
        replacements as ({replacements}),
        chain as (
            select distinct envelope_id, envelope_id as original_id from plan_packets
            union
            select chain.envelope_id, replacements.envelope_id
            from chain join replacements on replacements.replacement_id = chain.original_id
        )
        select envelope_id, original_id from chain;

        create temp table packet_originals as
        select packet_numbers.envelope_id as packet_id, envelopes.*
        from read_parquet('{plans}/envelopes.parquet', union_by_name = true) as envelopes
        join packet_numbers on packet_numbers.original_id = envelopes.envelope_id;

        create temp table packet_contents as
        select packets.lot_id, {columns}
        from read_parquet('{plans}/certificates.parquet', union_by_name = true) as certificates
        join packet_numbers on packet_numbers.original_id = certificates.envelope_id
        join plan_packets as packets on packets.envelope_id = packet_numbers.envelope_id
            and packets.certificate_id = packet_numbers.envelope_id || '-' || certificates.slot"""
    )
    return True


def _packets(connection: duckdb.DuckDBPyConnection, lot: _Lot) -> None:
    """The lot's bundles and what lies in them, from what `_read_packets` found."""
    if lot.lot_kind != "employer":
        return
    connection.execute(
        f"""create or replace temp view packet_certificates as
        select * from plan_packets where lot_id = '{lot.lot_id}';

        insert into lot_bundles
        select envelope_id, position_in_lot, addressee_name, postal_code, address, building,
            (select count(distinct packets.envelope_id) from packet_certificates as packets
                where packets.bundle_id = lot_rows.envelope_id),
            certificate_count, weight_g, postage_yen, notice, old_card_packets
        from lot_rows where household_key is null;

        insert into lot_envelopes
        select packets.envelope_id, packets.bundle_id, packets.position_in_lot, packets.place, false,
            originals.position, originals.envelopes_in_household, originals.is_additional, originals.addressee_name,
            originals.postal_code, originals.address, originals.building, packets.certificate_count, 0, 0
        from (
            select envelope_id, bundle_id, position_in_lot, place, count(*)::integer as certificate_count
            from packet_certificates group by all
        ) as packets
        join packet_originals as originals on originals.packet_id = packets.envelope_id;

        insert into lot_certificates select * exclude (lot_id) from packet_contents where lot_id = '{lot.lot_id}'"""
    )


def _list_lines(connection: duckdb.DuckDBPyConnection, plan: Fact, lot: _Lot) -> None:
    if lot.lot_kind != "employer_list":
        return
    connection.execute(
        f"""insert into lot_lines
        select lines.list_id, lot_lists.position_in_lot,
            row_number() over (partition by lines.list_id order by lines.member_key),
            (lines.member_key // 100 % 10000000)::varchar, lpad((lines.member_key % 100)::varchar, 2, '0'), lines.name
        from read_parquet('{plan.table("list_lines")}') as lines
        join lot_lists on lot_lists.control_number = lines.list_id
        where lines.lot_id = '{lot.lot_id}'"""
    )
    connection.execute(
        """update lot_lists set line_count = counted.line_count
        from (select control_number, count(*) as line_count from lot_lines group by control_number) as counted
        where counted.control_number = lot_lists.control_number"""
    )


def _samples(connection: duckdb.DuckDBPyConnection, plan: Fact, lot: _Lot) -> None:
    """Add the samples (見本): the insurer as addressee, one certificate of nobody, or a list of one line.

    What a sample weighs and costs is what the plan's lot has above its pieces.
    """
    samples = connection.execute(
        f"""select envelope_id, position_in_lot from read_parquet('{plan.table("seed_pieces")}')
        where lot_id = '{lot.lot_id}' order by position_in_lot"""
    ).fetchall()
    if not samples:
        return
    pieces = connection.execute(
        "select coalesce(sum(weight_g::decimal(18, 1)), 0), coalesce(sum(postage_yen), 0)::bigint from lot_rows"
    ).fetchall()[0]
    weight = ((lot.weight_g - pieces[0]) / len(samples)).quantize(Decimal("0.1"))
    postage = (lot.postage_yen - pieces[1]) // len(samples)
    place = [lot.insurer_name, *SAMPLE_ADDRESS.values()]
    person = [SAMPLE_NUMBER, SAMPLE_SUFFIX, SAMPLE_NAME]
    days = [date(1980, 1, 1), date(2020, 4, 1), lot.posting_date, lot.posting_date]
    if lot.lot_kind == "employer_list":
        lists = [(*key, True, SAMPLE_SYMBOL, *place, 1, weight, postage) for key in samples]
        _insert(connection, "lot_lists", lists)
        _insert(connection, "lot_lines", [(*key, 1, *person) for key in samples])
        return
    envelopes = [
        (number, "", position, 0, True, 1, 1, False, *place, 1, weight, postage) for number, position in samples
    ]
    who = (SAMPLE_SYMBOL, *person, SAMPLE_KANA, "male")
    _insert(connection, "lot_envelopes", envelopes)
    _insert(connection, "lot_certificates", [(*key, 1, 1, True, *who, *days, lot.prefecture) for key in samples])


# --- totals ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Totals:
    record_count: int
    envelope_count: int
    sample_count: int
    packet_count: int
    certificate_count: int
    list_line_count: int
    enclosures: dict[str, int]
    weight_g: Decimal
    postage_yen: int
    tables: frozenset[str]  # those that have a row: the others need no query


def _count(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    row = connection.execute(query).fetchone()
    return int(row[0]) if row and row[0] is not None else 0


def _counts(connection: duckdb.DuckDBPyConnection, queries: dict[str, str]) -> dict[str, int]:
    """Counts by name, all in one statement: for small lots planning statements is most of the work."""
    parts = (f"select {index}, * from ({query})" for index, query in enumerate(queries.values()))
    found: dict[int, int] = dict(connection.execute(" union all ".join(parts)).fetchall())
    return {name: found.get(index) or 0 for index, name in enumerate(queries)}


def _totals(connection: duckdb.DuckDBPyConnection) -> _Totals:
    """Totals of the records, counted from the records themselves."""
    counted = _counts(
        connection,
        {
            "envelopes": "select count(*) from lot_envelopes where bundle_control_number = ''",
            "packets": "select count(*) from lot_envelopes where bundle_control_number <> ''",
            "bundles": "select count(*) from lot_bundles",
            "lists": "select count(*) from lot_lists",
            "certificates": "select count(*) from lot_certificates",
            "lines": "select count(*) from lot_lines",
            "sample_envelopes": "select count(*) from lot_envelopes where is_sample",
            "sample_lists": "select count(*) from lot_lists where is_sample",
        },
    )
    envelopes, packets, bundles = counted["envelopes"], counted["packets"], counted["bundles"]
    lists, certificates, lines = counted["lists"], counted["certificates"], counted["lines"]
    sums = connection.execute(
        """select sum(weight_g), sum(postage_yen)::bigint from (
            select weight_g, postage_yen from lot_envelopes union all
            select weight_g, postage_yen from lot_bundles union all
            select weight_g, postage_yen from lot_lists)"""
    ).fetchall()[0]
    mounts = envelopes + packets
    enclosures = {
        "10": mounts,
        "20": certificates,
        "30": mounts,
        "40": certificates,
        "50": mounts,
        "60": bundles,
        "61": bundles,
        "70": lists,
    }
    return _Totals(
        record_count=2 + envelopes + packets + bundles + lists + certificates + lines,
        envelope_count=envelopes + bundles + lists,
        sample_count=counted["sample_envelopes"] + counted["sample_lists"],
        packet_count=packets,
        certificate_count=certificates,
        list_line_count=lines,
        enclosures={code: count for code, count in enclosures.items() if count},
        weight_g=sums[0] or Decimal("0.0"),
        postage_yen=sums[1] or 0,
        tables=frozenset(
            table
            for table, count in {
                "lot_envelopes": mounts,
                "lot_certificates": certificates,
                "lot_bundles": bundles,
                "lot_lists": lists,
                "lot_lines": lines,
            }.items()
            if count
        ),
    )


def _check_totals(connection: duckdb.DuckDBPyConnection, lot: _Lot, totals: _Totals) -> None:
    """Hold the records against the plan's own totals and against each other.

    Raises:
        LotFileError: names each line that does not agree, with the counts.
    """
    samples_with_certificate = totals.sample_count if lot.lot_kind != "employer_list" else 0
    both_sides = {
        "pieces": (totals.envelope_count, lot.envelope_count + lot.seed_count),
        "samples": (totals.sample_count, lot.seed_count),
        "certificates": (totals.certificate_count, lot.certificate_count + samples_with_certificate),
        "weight": (totals.weight_g, lot.weight_g),
        "postage": (totals.postage_yen, lot.postage_yen),
    }
    problems = [
        f"{name}: {left} in the records, {right} in the plan"
        for name, (left, right) in both_sides.items()
        if left != right
    ]
    if not totals.envelope_count:
        problems.append("there is no piece in it")
    checks = {
        "pieces whose certificates are not as many as the plan says": """
            select count(*) from (
                select control_number, certificate_count from lot_envelopes
            ) as planned
            full join (
                select control_number, count(*) as found from lot_certificates group by control_number
            ) as counted using (control_number)
            where planned.certificate_count is distinct from counted.found""",
        "bundles whose packets do not add up": """
            select count(*) from lot_bundles left join (
                select bundle_control_number as control_number, count(*) as packets,
                    sum(certificate_count) as certificates
                from lot_envelopes group by bundle_control_number
            ) as found using (control_number)
            where found.packets is distinct from lot_bundles.packet_count
                or found.certificates is distinct from lot_bundles.certificate_count""",
        "lists without a line": "select count(*) from lot_lists where line_count = 0",
        "packets with an old card to return that are not in their bundle": """
            select count(*) from (
                select control_number, unnest(string_split(old_card_packets, ' ')) as packet from lot_bundles
                where old_card_packets is not null
            ) as told
            anti join lot_envelopes on lot_envelopes.control_number = told.packet
                and lot_envelopes.bundle_control_number = told.control_number""",
        "positions given twice or left out": """
            select count(*) from (
                select position_in_lot from lot_envelopes where bundle_control_number = '' union all
                select position_in_lot from lot_bundles union all select position_in_lot from lot_lists
            ) having count(*) <> count(distinct position_in_lot) or max(position_in_lot) <> count(*)""",
        "certificates of another branch": f"select count(*) from lot_certificates where prefecture <> {lot.prefecture}",
        "control numbers with wrong check digits": """
            select count(*) from (
                select control_number from lot_envelopes union all select control_number from lot_bundles union all
                select control_number from lot_lists
            ) where not regexp_full_match(control_number, '[0-9]{11}')
                or try_cast(control_number as bigint) % 97 <> 1""",
        "postal codes that are not 7 digits": """
            select count(*) from (
                select postal_code from lot_envelopes union all select postal_code from lot_bundles union all
                select postal_code from lot_lists
            ) where not regexp_full_match(postal_code, '[0-9]{7}')""",
        **{
            f"records of {table} lack a value that the contract requires": f"""
            select count(*) from {table} where {_any_missing(columns)}"""
            for table, columns in _COLUMNS.items()
            if table in totals.tables
        },
        **{
            f"texts wider than the contract's field ({table}.{column})": _too_wide(table, column, record_type)
            for table, column, record_type in _TEXTS
            if table in totals.tables
        },
    }
    problems += [f"{found} {what}" for what, found in _counts(connection, checks).items() if found]
    if problems:
        raise LotFileError(
            f"lot {lot.lot_id}: the file is not written (contract printer/v1). "
            + "; ".join(problems)
            + ". Make the plan again, or look for the rows of this lot in the plan"
        )


_COLUMNS = {
    "lot_envelopes": _ENVELOPE_COLUMNS,
    "lot_certificates": _CERTIFICATE_COLUMNS,
    "lot_bundles": _BUNDLE_COLUMNS,
    "lot_lists": _LIST_COLUMNS,
    "lot_lines": _LINE_COLUMNS,
}
_MAY_BE_EMPTY = {"building", "notice", "old_card_packets"}


def _any_missing(columns: str) -> str:
    """SQL condition: a column that every record needs is null."""
    names = [column.split()[0] for column in columns.replace("decimal(18, 1)", "decimal").split(",")]
    return " or ".join(f"{name} is null" for name in names if name not in _MAY_BE_EMPTY)


_TEXTS = [
    ("lot_envelopes", "addressee_name", "E"),
    ("lot_envelopes", "address", "E"),
    ("lot_envelopes", "building", "E"),
    ("lot_certificates", "name", "C"),
    ("lot_certificates", "name_kana", "C"),
    ("lot_bundles", "employer_name", "B"),
    ("lot_bundles", "address", "B"),
    ("lot_bundles", "building", "B"),
    ("lot_bundles", "notice", "B"),
    ("lot_lists", "employer_name", "L"),
    ("lot_lists", "address", "L"),
    ("lot_lists", "building", "L"),
    ("lot_lines", "name", "N"),
]


def _too_wide(table: str, column: str, record_type: str) -> str:
    """Count of texts whose printed width is above the field's.

    In the printer's character set exactly ASCII and half-width kana are one column wide. The first test spares
    the expression for all but long texts.
    """
    width = next(item["width"] for item in record_fields(record_type) if item["name"] == column)
    narrow = f"length(regexp_replace({column}, '[^ -~｡-ﾟ]', '', 'g'))"
    return f"""select count(*) from {table}
        where 2 * length({column}) > {width} and 2 * length({column}) - {narrow} > {width}"""


# --- writing ---------------------------------------------------------------------------------------


def _quoted(*fields: str) -> str:
    """SQL of one record: fields (SQL of text) between quotes. One call, where || would copy the line at each field.

    A null would be an empty field: that none is missing is checked before.
    """
    return "concat('\"', " + ", '\",\"', ".join(fields) + ", '\"', chr(13), chr(10))"


def _text(column: str) -> str:
    return f"replace({column}, '\"', '\"\"')"


def _optional(column: str) -> str:
    return f"coalesce(replace({column}, '\"', '\"\"'), '')"


def _flag(column: str) -> str:
    return f"(case when {column} then '1' else '0' end)"


_JAPANESE_DATE = """('令和' || case when year({day}) = 2019 then '元' else (year({day}) - 2018)::varchar end || '年'
    || month({day}) || '月' || day({day}) || '日')"""


def _record_queries(lot: _Lot) -> dict[str, str]:
    """One query per table: position in the lot, place within the piece, and the record's line."""
    envelope = _quoted(
        "'E'", "control_number", "bundle_control_number", "position_in_lot", _flag("is_sample"), "position",
        "envelopes_in_household", _flag("is_additional"), _text("addressee_name"), "postal_code", _text("address"),
        _optional("building"), "certificate_count",
        "('10:1 20:' || certificate_count || ' 30:1 40:' || certificate_count || ' 50:1')", "weight_g", "postage_yen",
    )  # fmt: skip
    certificate = _quoted(
        "'C'", "control_number || '-' || slot", "control_number", "slot", _flag("is_sample"), "symbol", "number",
        "suffix", _text("name"), _text("name_kana"), "sex", "birth_date", "qualified_on", "issued_on", "valid_until",
        _JAPANESE_DATE.format(day="valid_until"), f"'{lot.insurer_number}'", f"'{lot.insurer_name}'",
        "(case when suffix = '00' then 'insured' else 'dependent' end)",
    )  # fmt: skip
    bundle = _quoted(
        "'B'", "control_number", "position_in_lot", _text("employer_name"), "postal_code", _text("address"),
        _optional("building"), "packet_count", "certificate_count", "'60:1 61:1'", "weight_g", "postage_yen",
        _optional("notice"), "coalesce(old_card_packets, '')",
    )  # fmt: skip
    employer_list = _quoted(
        "'L'", "control_number", "position_in_lot", _flag("is_sample"), "symbol", _text("employer_name"),
        "postal_code", _text("address"), _optional("building"), "line_count", "'70:1'", "weight_g", "postage_yen",
    )  # fmt: skip
    line = _quoted("'N'", "control_number", "line_number", "number", "suffix", _text("name"))
    return {
        "lot_envelopes": f"select position_in_lot, place, {envelope} as line from lot_envelopes",
        "lot_certificates": f"select position_in_lot, place, {certificate} as line from lot_certificates",
        "lot_bundles": f"select position_in_lot, 0 as place, {bundle} as line from lot_bundles",
        "lot_lists": f"select position_in_lot, 0 as place, {employer_list} as line from lot_lists",
        "lot_lines": f"select position_in_lot, line_number as place, {line} as line from lot_lines",
    }


def _blocks(connection: duckdb.DuckDBPyConnection, query: str) -> Iterator[tuple[str, int]]:
    """Lines of a one-column query as blocks of text, each with its number of lines.

    Arrow keeps the strings of a block side by side, so a block is decoded in one step.
    """
    for batch in connection.execute(query).to_arrow_reader(ROWS_PER_BLOCK):
        column = batch.column(0)
        _, offsets, data = column.buffers()
        ends = memoryview(offsets).cast("i")
        text = str(memoryview(data)[ends[column.offset] : ends[column.offset + len(column)]], "utf-8")
        yield text, len(column)


class _Sink:
    """Writes encoded blocks, and counts and hashes what it writes."""

    def __init__(self, file: BinaryIO, lot_id: str) -> None:
        self.file, self.lot_id = file, lot_id
        self.hash = hashlib.sha256()
        self.byte_count = self.record_count = 0

    def write(self, text: str, lines: int) -> None:
        try:
            raw = encode_cp932(text)
        except UnprintableTextError as error:
            raise LotFileError(f"lot {self.lot_id}: {error}. Hold these people as unprintable_text") from None
        # No character of two bytes holds one of these, so they can be counted where counting is quick.
        if not raw.count(b"\r\n") == raw.count(b"\r") == raw.count(b"\n") == lines:
            raise LotFileError(f"lot {self.lot_id}: line ends inside a text (rules: text that can be printed)")
        self.file.write(raw)
        self.hash.update(raw)
        self.byte_count += len(raw)
        self.record_count += lines


def _record(*fields: object) -> str:
    return ",".join('"' + str(value).replace('"', '""') + '"' for value in fields) + CRLF


def _write(
    connection: duckdb.DuckDBPyConnection, lot: _Lot, totals: _Totals, campaign: str, out_dir: Path
) -> ClearFile:
    name = lot_file_name(campaign, lot.lot_id, totals.envelope_count)
    out_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    unfinished = out_dir / f".{name}.{os.getpid()}.part"  # two processes may write the same lot
    enclosures = counts_text(totals.enclosures)
    first, last = (
        control_number(sequence) if sequence is not None else ""
        for sequence in (lot.replacement_first, lot.replacement_last)
    )
    lines = " union all ".join(query for table, query in _record_queries(lot).items() if table in totals.tables)
    try:
        with unfinished.open("wb") as file:
            unfinished.chmod(0o600)
            sink = _Sink(file, lot.lot_id)
            header = _record(
                "H", contract()["contract"], campaign, lot.lot_id, lot.lot_kind, lot.insurer_number, lot.branch_name,
                lot.posting_date, totals.envelope_count, totals.certificate_count, totals.sample_count, first, last,
            )  # fmt: skip
            sink.write(header, 1)
            for text, count in _blocks(
                connection, f"select line from ({lines}) order by position_in_lot * 10000000000 + place"
            ):
                sink.write(text, count)
            trailer = _record(
                "T", lot.lot_id, totals.record_count, totals.envelope_count, totals.sample_count, totals.packet_count,
                totals.certificate_count, totals.list_line_count, enclosures, totals.weight_g, totals.postage_yen,
            )  # fmt: skip
            sink.write(trailer, 1)
        if sink.record_count != totals.record_count:
            raise LotFileError(
                f"lot {lot.lot_id}: {sink.record_count} records were written, {totals.record_count} were counted"
            )
        path = unfinished.rename(out_dir / name)
    finally:
        unfinished.unlink(missing_ok=True)
    return ClearFile(
        file_kind="lot",
        campaign=campaign,
        name=name,
        path=path,
        row_count=sink.record_count,
        byte_count=sink.byte_count,
        sha256=sink.hash.hexdigest(),
        lot_id=lot.lot_id,
        posting_date=lot.posting_date,
        envelope_count=totals.envelope_count,
        sample_count=totals.sample_count,
        packet_count=totals.packet_count,
        certificate_count=totals.certificate_count,
        list_line_count=totals.list_line_count,
        enclosures=totals.enclosures,
        weight_g=str(totals.weight_g),
        postage_yen=totals.postage_yen,
    )


# --- reading back ----------------------------------------------------------------------------------


def read_back(clear: Path, out_dir: Path) -> dict[str, Path]:
    """Read a clear lot file as the printer would, into one Parquet per record type, for the gate that judges it.

    Columns are the contract's fields, all text as in the file, and `file_line` (BIGINT, from 1). Types that the
    file does not have get a file without rows.

    Raises:
        LotFileError: the file is not CP932, or a record has not the number of fields of its type.
    """
    out_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    width = max(len(record_fields(kind)) for kind in RECORD_TYPES)
    utf8 = out_dir / ".utf8.csv"
    try:
        with clear.open(encoding="cp932", errors="strict", newline="") as source, utf8.open("wb") as out:
            utf8.chmod(0o600)
            line_ends = 0
            while block := source.read(1 << 20):
                line_ends += block.count("\n")
                out.write(block.encode("utf-8"))
        columns = {f"c{index}": "VARCHAR" for index in range(width)}
        written: dict[str, Path] = {}
        with memory(limit="1GB", spill=out_dir / ".spill") as connection:
            connection.execute(
                f"""create temp table records as
                select row_number() over () as file_line, * from read_csv('{utf8}', header = false, delim = ',',
                    quote = '"', escape = '"', null_padding = true, allow_quoted_nulls = false,
                    strict_mode = true, auto_detect = false, parallel = false, columns = {columns})"""
            )
            read = _count(connection, "select count(*) from records")
            if read != line_ends:
                raise LotFileError(f"{clear.name}: {read} records were read from {line_ends} lines")
            unknown = _count(
                connection, f"select count(*) from records where c0 not in ({', '.join(map(repr, RECORD_TYPES))})"
            )
            if unknown:
                raise LotFileError(f"{clear.name}: {unknown} records of a type that the contract does not have")
            ends = connection.execute("select arg_min(c0, file_line), arg_max(c0, file_line) from records").fetchone()
            counts = _counts(
                connection, {kind: f"select count(*) from records where c0 = '{kind}'" for kind in ("H", "T")}
            )
            if ends != ("H", "T") or set(counts.values()) != {1}:
                raise LotFileError(f"{clear.name} does not begin with its one header and end with its one trailer")
            for kind in RECORD_TYPES:
                names = [item["name"] for item in record_fields(kind)]
                last, beyond = f"c{len(names) - 1}", f"c{len(names)}"
                extra = f" or {beyond} is not null" if len(names) < width else ""
                wrong = _count(
                    connection, f"select count(*) from records where c0 = '{kind}' and ({last} is null{extra})"
                )
                if wrong:
                    raise LotFileError(f"{clear.name}: {wrong} {kind} records with another number of fields")
                select = ", ".join(f"c{index} as {name}" for index, name in enumerate(names))
                written[kind] = out_dir / f"{kind}.parquet"
                connection.execute(
                    f"""copy (select file_line, {select} from records where c0 = '{kind}' order by file_line)
                    to '{written[kind]}' (format parquet)"""
                )
    except UnicodeDecodeError:
        raise LotFileError(f"{clear.name} is not CP932") from None
    except duckdb.Error as error:
        raise LotFileError(f"{clear.name} is not the quoted CSV of the contract ({type(error).__name__})") from None
    finally:
        utf8.unlink(missing_ok=True)
    return written


# --- orders ----------------------------------------------------------------------------------------


def write_pull_list(
    plan: Fact, posting_date: date, campaign: Campaign | str, out_dir: Path, ordinal: int = 1
) -> ClearFile:
    """Write the pull list of a frozen release plan: one row per envelope, in order of lot and control number.

    A list without a row is written too: it says that nothing is to be pulled. `ordinal` numbers the lists of a
    posting date.
    """
    with memory(limit="1GB") as connection:
        rows = connection.execute(
            f"""select distinct lot_id, envelope_id from read_parquet('{plan.table("pulls")}')
            where posting_date = {_literal(posting_date)} order by all"""
        ).fetchall()
    return _write_order(
        "pull_list", campaign, posting_date, out_dir, ordinal=ordinal, rows=rows, posting_date=posting_date
    )


def write_urgent_pull_list(plan: Fact, day: date, campaign: Campaign | str, out_dir: Path) -> ClearFile:
    """Write the urgent pull list of a frozen plan of kind pull: one row per piece, by lot and control number."""
    with memory(limit="1GB") as connection:
        rows = connection.execute(
            f"""select distinct lot_id, envelope_id, order_number
            from read_parquet('{plan.table("pulls")}') order by all"""
        ).fetchall()
    numbers = {number for _, _, number in rows}
    if len(numbers) != 1:
        raise LotFileError(f"{plan.name}: an urgent pull list needs rows of one number of its day, not {len(numbers)}")
    return _write_order(
        "urgent_pull_list", campaign, day, out_dir, ordinal=numbers.pop(), rows=[(lot, piece) for lot, piece, _ in rows]
    )


def write_release_order(
    posting_date: date,
    lots: dict[str, str],
    campaign: Campaign | str,
    out_dir: Path,
    *,
    ordinal: int = 1,
    pull_lists: tuple[ClearFile, ...] = (),
) -> ClearFile:
    """Write the release order of a posting date: `lots` maps lot_id to the SHA-256 of its clear file.

    `pull_lists` are named in the manifest and must be carried out before posting.
    """
    rows = [(lot_id, posting_date.isoformat(), digest) for lot_id, digest in sorted(lots.items())]
    related = tuple({"file_name": item.name, "sha256_clear": item.sha256} for item in pull_lists)
    return _write_order(
        "release_order",
        campaign,
        posting_date,
        out_dir,
        ordinal=ordinal,
        rows=rows,
        posting_date=posting_date,
        related=related,
    )


def write_stop_order(
    day: date, lots: dict[str, str], campaign: Campaign | str, out_dir: Path, ordinal: int = 1
) -> ClearFile:
    """Write a stop order of a day: `lots` maps lot_id to its effect (hold, destroy, resume).

    Raises:
        LotFileError: an effect that the contract does not have.
    """
    effects = contract()["order_files"]["stop_order"]["fields"][1]["values"]
    if set(lots.values()) - set(effects):
        raise LotFileError(f"stop order of {day}: an effect must be one of {', '.join(effects)}")
    return _write_order("stop_order", campaign, day, out_dir, ordinal=ordinal, rows=sorted(lots.items()))


def _write_order(
    kind: str,
    campaign: Campaign | str,
    day: date,
    out_dir: Path,
    *,
    ordinal: int,
    rows: list[tuple[Any, ...]],
    posting_date: date | None = None,
    related: tuple[dict[str, str], ...] = (),
) -> ClearFile:
    columns = tuple(item["name"] for item in contract()["order_files"][kind]["fields"])
    name = order_file_name(kind, campaign if isinstance(campaign, str) else campaign.name, day, ordinal, len(rows))
    raw = "".join(_record(*row) for row in [columns, *rows]).encode("utf-8")
    out_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    unfinished = out_dir / f".{name}.part"
    unfinished.write_bytes(raw)
    unfinished.chmod(0o600)
    return ClearFile(
        file_kind=kind,
        campaign=campaign if isinstance(campaign, str) else campaign.name,
        name=name,
        path=unfinished.rename(out_dir / name),
        row_count=len(rows),
        byte_count=len(raw),
        sha256=hashlib.sha256(raw).hexdigest(),
        posting_date=posting_date,
        related_files=related,
    )
