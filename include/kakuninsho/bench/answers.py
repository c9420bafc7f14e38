"""The printer's answers for millions of pieces, written by SQL from the facts that it was sent (contract printer/v1).

The sandbox plays a printer piece by piece and with faults; here only volume matters: two pieces in a thousand are
printed again, what is on a pull list is pulled, the rest is posted, three in a hundred come back.
"""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import duckdb

from kakuninsho.facts.store import sha256_of
from kakuninsho.plans.control_numbers import control_number_sql
from kakuninsho.settings import Settings
from kakuninsho.warehouse import memory

SPOILED_PER_THOUSAND, RETURNED_PER_HUNDRED = 2, 3


def acknowledgements(settings: Settings, folder: Path, as_of: date) -> str:
    """Accept every announced file that is not acknowledged yet."""
    root = settings.store.root
    return _write(
        settings,
        folder,
        "acknowledgement",
        as_of,
        f"""
        select file_name, lot_id, 'accepted' as result, null::varchar as reason_code,
            case when file_kind = 'lot' then envelope_count end as envelope_count,
            case when file_kind = 'lot' then certificate_count end as certificate_count,
            date '{as_of}' as acknowledged_on
        from read_parquet('{root}/transfers/*/transfers.parquet')
        where step = 'announced'
            and file_name not in (select file_name from read_parquet('{root}/feeds/acknowledgements/*/rows.parquet'))
        order by file_name
        """,
    )


def piece_reports(settings: Settings, folder: Path, as_of: date, release: str) -> str:
    """Report every piece of the lots of a release, samples too."""
    plans = f"{settings.store.root}/plans"
    next_number = control_number_sql("replacement")
    return _write(
        settings,
        folder,
        "piece_report",
        as_of,
        f"""
        with released as (
            select lots.* from read_parquet('{plans}/*/lots.parquet') as lots
            where lots.plan_id = '{release}' or lots.lot_id in (
                select lot_id from read_parquet('{plans}/{release}/release_lots.parquet') where is_released
            )
        ),
        pieces as (
            select envelope_id, sequence, lot_id, false as is_sample from read_parquet('{plans}/*/envelopes.parquet')
            semi join released using (lot_id)
            union all
            select envelope_id, sequence, lot_id, true as is_sample from read_parquet('{plans}/*/seed_pieces.parquet')
            semi join released using (lot_id)
        ),
        pulled as (
            select distinct envelope_id from read_parquet('{plans}/{release}/pulls.parquet')
        ),
        spoiled as (
            select pieces.*, released.replacement_first - 1
                + row_number() over (partition by lot_id order by sequence) as replacement
            from pieces join released using (lot_id)
            where not is_sample and hash(sequence) % 1000 < {SPOILED_PER_THOUSAND}
                and envelope_id not in (select envelope_id from pulled)
        ),
        events as (
            select lot_id, envelope_id, 'pulled' as event_type, null::bigint as posted, null as replacement_id
            from pieces semi join pulled using (envelope_id)
            union all
            select lot_id, envelope_id, 'spoiled', null, {next_number} from spoiled
            union all
            select lot_id, {next_number}, 'posted', replacement, null from spoiled
            union all
            select lot_id, envelope_id, 'posted', sequence, null from pieces
            anti join pulled using (envelope_id) anti join spoiled using (envelope_id)
        )
        select lot_id, envelope_id, event_type, released.posting_date as occurred_on,
            case when event_type = 'posted' then lpad(posted::varchar, 11, '0') end as tracking_number, replacement_id
        from events join released using (lot_id) order by envelope_id, event_type
        """,
    )


def return_reports(settings: Settings, folder: Path, as_of: date, posting_date: date) -> str:
    """Report what came back of a posting date by the day."""
    reports = f"{settings.store.root}/feeds/piece_reports/*/rows.parquet"
    reasons = "['R01', 'R02', 'R03', 'R04', 'R05', 'R06', 'R09']"
    return _write(
        settings,
        folder,
        "return_report",
        as_of,
        f"""
        select envelope_id, tracking_number,
            least(date '{posting_date}' + (5 + hash(envelope_id) // 100 % 15)::integer, date '{as_of}') as returned_on,
            {reasons}[1 + (hash(envelope_id) // 10000 % 7)::integer] as reason_code
        from read_parquet('{reports}')
        where event_type = 'posted' and occurred_on = date '{posting_date}'
            and hash(envelope_id) % 100 < {RETURNED_PER_HUNDRED}
            and envelope_id not in (
                select envelope_id from read_parquet('{settings.store.root}/plans/*/seed_pieces.parquet')
            )
        order by envelope_id
        """,
    )


def row_count(path: Path) -> int:
    """Rows that an answer's manifest promises."""
    return int(json.loads(_manifest(path).read_text(encoding="utf-8"))["rows"])


def _manifest(path: Path) -> Path:
    return path.with_name(path.name + ".manifest.json")


def _write(settings: Settings, folder: Path, kind: str, as_of: date, query: str) -> str:
    path = folder / f"pv1_{settings.campaign.name}_{kind}_{as_of:%Y%m%d}.csv"
    with memory(limit="3GB", spill=settings.data / "tmp" / "duckdb") as connection:
        rows = _copy(connection, query, path)
    _manifest(path).write_text(json.dumps({"rows": rows, "sha256": sha256_of(path)}) + "\n", encoding="utf-8")
    return path.name


def _copy(connection: duckdb.DuckDBPyConnection, query: str, path: Path) -> int:
    row = connection.execute(f"copy ({query}) to '{path}' (format csv, header true)").fetchone()
    return int(row[0]) if row else 0
