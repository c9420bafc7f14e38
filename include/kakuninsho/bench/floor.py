"""The floor: benchmarks/floor.sql on the accepted rows that the pipeline starts from, and the comparison by hash.

What the pipeline's lot files have beside the floor's lines (header, samples, trailer) is taken out before comparing;
the rest must be the same bytes, lot by lot.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from datetime import date
from multiprocessing import get_context
from pathlib import Path
from string import Template
from typing import Any

import duckdb
import jinja2

from kakuninsho.bench.errors import BenchError
from kakuninsho.campaign import Campaign, load_branches
from kakuninsho.operations.planning import home_plan_id
from kakuninsho.paths import DBT_PROJECT, PROJECT_ROOT
from kakuninsho.printer.lot_file import INSURER_NAME
from kakuninsho.settings import Settings
from kakuninsho.warehouse import memory

FLOOR_SQL = PROJECT_ROOT / "benchmarks" / "floor.sql"
EACH_LOT = "-- @for each lot"
# The project's own text rules: their expressions are a given, only the plan around them is written by hand.
_TEXT_MACROS = {
    "is_blank": ("content",),
    "substituted": ("content",),
    "fits_print": ("content", "columns"),
    "normalised_postal_code": ("content",),
}

Phase = Callable[[str], Any]


def run(settings: Settings, folder: Path, phase: Phase, memory_limit: str) -> dict[str, Any]:
    """Run the floor and write its files into a folder. Returns counts.

    `memory_limit` is DuckDB's own, within that of the whole.
    """
    shutil.rmtree(folder, ignore_errors=True)
    out = folder / "lots"
    out.mkdir(parents=True, mode=0o700)
    values = input_values(settings, out)
    script, each_lot = FLOOR_SQL.read_text(encoding="utf-8").split(EACH_LOT)
    with memory(limit=memory_limit, spill=folder / "spill") as connection:
        with phase("floor: prepare"):
            _prepare(connection, settings.campaign)
        with phase("floor: certificates, envelopes, lots") as counts:
            for statement in _statements(Template(script).substitute(values)):
                connection.execute(statement)
            counts["rows"] = _count(connection, "certificates")
        with phase("floor: lot files") as counts:
            lots = connection.execute(
                """
                select lot_id, first_sequence, first_sequence + envelopes - 1, insurer_number, insurer_name
                from lots order by first_sequence
                """
            ).fetchall()
            names = ("lot_id", "first_sequence", "last_sequence", "insurer_number", "insurer_name")

            def write(lot: tuple[Any, ...]) -> None:
                with connection.cursor() as cursor:
                    cursor.execute(Template(each_lot).substitute(values | dict(zip(names, lot, strict=True))))

            with ThreadPoolExecutor(2) as pool:
                list(pool.map(write, lots))
            counts["rows"] = _count(connection, "certificates")
            counts["files"] = len(lots)
        _write_order(connection, folder / "order")
        result = {
            "certificates": _count(connection, "certificates"),
            "envelopes": _count(connection, "certificates where sort_key % 10 = 1"),
            "lots": len(lots),
        }
    shutil.rmtree(folder / "spill", ignore_errors=True)
    return result


def compare(settings: Settings, folder: Path, phase: Phase) -> dict[str, Any]:
    """Hold every line of the floor's files against the pipeline's, in order, by SHA-256.

    Raises:
        BenchError: a lot is missing or differs.
    """
    plan = settings.store.get("plans", home_plan_id(settings))
    with memory() as connection:
        samples = dict(
            connection.execute(f"select lot_id, seed_count from read_parquet('{plan.table('lots')}')").fetchall()
        )
    sealed = {
        fact.meta["source"]: fact.path / fact.meta["source"]
        for fact in settings.store.all("transfers")
        if fact.name.endswith("--sealed")
    }
    clear = {lot_id: path for lot_id in samples for name, path in sealed.items() if f"_{lot_id}_" in name}
    floors = {path.stem: path for path in (folder / "lots").glob("*.csv")}
    if clear.keys() != floors.keys():
        raise BenchError(f"the pipeline sealed {len(clear)} home lots, the floor wrote {len(floors)}")
    with phase("compare") as counts, ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        lots = sorted(clear)
        found = list(pool.map(_lines_hash, [clear[lot] for lot in lots], [samples[lot] for lot in lots], chunksize=4))
        wanted = list(pool.map(_file_hash, [floors[lot] for lot in lots], chunksize=4))
        counts["files"] = len(lots)
    wrong = [lot for lot, one, other in zip(lots, found, wanted, strict=True) if one != other]
    if wrong:
        raise BenchError(f"{len(wrong)} of {len(lots)} lots differ from the floor's, the first is {wrong[0]}")
    whole = hashlib.sha256("".join(f"{lot} {digest}\n" for lot, digest in zip(lots, found, strict=True)).encode())
    return {"lots": len(lots), "sha256": whole.hexdigest()}


def _lines_hash(clear: Path, samples: int) -> str:
    """SHA-256 of a clear lot file as UTF-8 without its header, its samples (two lines each) and its trailer."""
    digest = hashlib.sha256()
    with clear.open(encoding="cp932", newline="") as file:
        for _ in range(1 + 2 * samples):
            file.readline()
        held = ""
        while block := file.read(1 << 22):
            held += block
            cut = held.rfind("\r\n", 0, len(held) - 2) + 2  # the last line may be the trailer
            digest.update(held[:cut].encode())
            held = held[cut:]
    if not held.startswith('"T"'):
        raise BenchError(f"{clear.name} does not end with its trailer")
    return digest.hexdigest()


def _file_hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write_order(connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
    """Which certificates in which order, lot by lot: what the peers' files are held against. No part of the floor."""
    folder.mkdir()
    connection.execute(
        f"""
        copy (
            select control_number(sort_key // 10), sort_key % 10, member_key, valid_until
            from certificates order by lot_id, sort_key
        ) to '{folder / "all.csv"}' (format csv, header false)
        """
    )


def _count(connection: duckdb.DuckDBPyConnection, source: str) -> int:
    row = connection.execute(f"select count(*) from {source}").fetchone()
    return int(row[0]) if row else 0


def _statements(script: str) -> list[str]:
    return [part for part in script.split(";\n") if part.strip()]


def input_values(settings: Settings, out: Path) -> dict[str, Any]:
    """What the floor, and each peer, is told of the campaign; `out` is the folder of the lot files."""
    values = settings.campaign.parameters
    snapshot = values.snapshot_as_of
    return {
        "register": settings.store.get("register", f"as_of={snapshot}").path,
        "out": out,
        "campaign": settings.campaign.name,
        "snapshot": snapshot,
        "as_of_75": _years_before(snapshot, values.age_of_late_stage_care),
        "enrolled_through": values.enrolled_through,
        "certificates_per_envelope": values.certificates_per_envelope,
        "lot_size": values.lot_size,
        "seeds": values.seed_households_per_lot,
        "spare_floor": values.replacement_numbers_floor,
        "spare_share": values.replacement_numbers_share,
        "max_name_width": values.max_name_width,
        "max_address_width": values.max_address_width,
        "max_building_width": values.max_building_width,
    }


def _years_before(day: date, years: int) -> date:
    """Born by this day is so old on `day`; the snapshot is no 29 February."""
    return day.replace(year=day.year - years)


def _prepare(connection: duckdb.DuckDBPyConnection, campaign: Campaign) -> None:
    values = campaign.parameters
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(DBT_PROJECT / "macros"), autoescape=False)  # noqa: S701 (SQL)
    source = "".join((DBT_PROJECT / "macros" / name).read_text("utf-8") for name in ("characters.sql", "text.sql"))
    for name, arguments in _TEXT_MACROS.items():
        call = f"{name}({', '.join(repr(argument) for argument in arguments)})"
        body = environment.from_string(source + "{{ " + call + " }}").render().strip()
        connection.execute(f"create macro {name}({', '.join(arguments)}) as ({body})")
    paper = (
        values.outer_envelope_weight_g
        + values.mount_weight_g
        + values.leaflet_weight_g
        + values.reply_envelope_weight_g
    )
    each = values.certificate_weight_g + values.seal_weight_g
    cases = " ".join(f"when weight <= {item.up_to_g} then {item.yen}" for item in values.postage_classes[:-1])
    turn = values.validity_turns_over_month * 100 + values.validity_turns_over_day
    connection.execute(
        f"""
        create macro postage(weight) as case {cases} else {values.postage_classes[-1].yen} end;
        create macro weight_g(certificates) as round({paper} + certificates * {each}, 1)::decimal(18, 1);
        create macro control_number(sequence) as
            lpad(sequence::varchar, 9, '0') || lpad((98 - sequence * 100 % 97)::varchar, 2, '0');
        create macro birthday(born_on, years) as (born_on + to_years(years))::date
            + (day(born_on + to_years(years)) <> day(born_on))::integer;
        create macro base_validity(issued_on) as make_date(
            year(issued_on) + {values.validity_years}
                - (month(issued_on) * 100 + day(issued_on) < {turn})::integer,
            {values.validity_turns_over_month}, {values.validity_turns_over_day}) - 1;
        create macro japanese_date(day_of) as '令和' || case when year(day_of) = 2019 then '元'
            else (year(day_of) - 2018)::varchar end || '年' || month(day_of) || '月' || day(day_of) || '日';
        create table posting_dates (prefecture integer, posting_date date, ordinal integer, posting_date_count integer);
        create table branches (prefecture integer, insurer_number varchar, insurer_name varchar);
        """
    )
    days = ", ".join(
        f"({int(window.prefecture_code)}, '{day}', {ordinal}, {len(window.posting_dates)})"
        for window in campaign.windows
        for ordinal, day in enumerate(window.posting_dates)
    )
    names = ", ".join(
        f"({int(item.prefecture_code)}, '{item.insurer_number}', '{INSURER_NAME} {item.branch_name}')"
        for item in load_branches()
    )
    connection.execute(f"insert into posting_dates values {days}; insert into branches values {names}")
