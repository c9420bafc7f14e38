"""Generation of a synthetic register: the world once, then a folder per drop, then what is to be expected of it."""

from __future__ import annotations

import json
import shutil
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Literal

import duckdb
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from kakuninsho.campaign import Campaign
from kakuninsho.facts.store import sha256_of
from kakuninsho.register.synthetic import feeds, rates, render, world
from kakuninsho.register.synthetic.draws import Draws
from kakuninsho.register.synthetic.errors import SyntheticRegisterError
from kakuninsho.register.synthetic.places import load_places
from kakuninsho.register.synthetic.plants import FILES, FULL_SET_FROM, Catalogue, Planted

Format = Literal["parquet", "csv"]
Progress = Callable[[str, float], None]
FEWEST_MEMBERS = 1000
MOST_MEMBERS = 100_000_000
_ROWS_PER_GROUP = 131_072

_TYPES = {
    "protected": "boolean",
    "has_card": "boolean",
    "number_filed": "boolean",
    "registered": "boolean",
    **dict.fromkeys(
        [
            "birth_date",
            "qualified_on",
            "decided_on",
            "lost_on",
            "updated_on",
            "closed_on",
            "certificate_expires_on",
            "registration_cancelled_on",
            "issued_on",
            "valid_until",
            "ended_on",
        ],
        "date",
    ),
}


@dataclass(frozen=True)
class GenerationReport:
    """What was made. Counts of rows, no row."""

    members: int
    seed: int
    format: Format
    drops: dict[str, dict[str, int]] = field(default_factory=dict)  # as_of: file: rows
    dispositions: dict[str, int] = field(default_factory=dict)  # of the campaign's drop, by reason code
    rejects: dict[str, int] = field(default_factory=dict)  # of the campaign's drop, by file
    planted: dict[str, int] = field(default_factory=dict)  # kind: rows in the campaign's drop
    seconds: float = 0.0


def generate(
    members: int,
    seed: int,
    out: Path,
    campaign: Campaign,
    *,
    format: Format = "parquet",
    drops: Literal["all", "campaign"] | Collection[date] = "all",
    progress: Progress | None = None,
    memory_limit: str = "4GB",
    threads: int = 2,
) -> GenerationReport:
    """Write a register of the contract `register/v1` to `<out>/as_of=<day>/`, the same bytes for the same arguments.

    `members` is the exact number of rows of members in the campaign's drop, planted and rejected ones included.
    Beside the drops: `expected_dispositions.parquet` (an accepted row of members of the campaign's drop),
    `expected_late_dispositions.parquet` (a person whom a later drop judges; with all drops only),
    `expected_rejects.parquet` (a rejected row of any of its files) and, with all drops, the other feeds of the core
    system (module `feeds`). `progress` gets the step and the share done.
    `drops` may name days of the calendar of drops, the snapshot's among them: a delta then holds what has changed
    since the drop that is written before it.

    Raises:
        SyntheticRegisterError: too few or too many members, a day without a drop, or `out` holds a register already.
    """
    if not FEWEST_MEMBERS <= members <= MOST_MEMBERS:
        raise SyntheticRegisterError(
            f"a synthetic register has {FEWEST_MEMBERS} to {MOST_MEMBERS} members: {members} were asked for"
        )
    if any(out.glob("as_of=*")):
        raise SyntheticRegisterError(f"{out.name} holds register drops already: name another folder or remove it")
    started = time.monotonic()
    days = _days(campaign, drops)
    out.mkdir(parents=True, exist_ok=True)
    work = out / ".work"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(mode=0o700)
    try:
        with duckdb.connect(str(work / "world.duckdb")) as con:
            _configure(con, work, memory_limit, threads)
            run = _Run(con, seed, out, campaign, format, progress or (lambda step, share: None), threads)
            report = run.generate(members, days, with_season=len(days) > 1, with_feeds=drops == "all")
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return GenerationReport(**{**vars(report), "seconds": round(time.monotonic() - started, 1)})


def _days(
    campaign: Campaign, drops: Literal["all", "campaign"] | Collection[date]
) -> dict[date, Literal["full", "delta"]]:
    """Days and kinds of the drops that are wanted, in order."""
    snapshot = campaign.parameters.snapshot_as_of
    if drops == "all":
        return dict(campaign.register_drops)
    wanted = {snapshot} if isinstance(drops, str) else set(drops)
    unknown = sorted(wanted - campaign.register_drops.keys())
    if unknown or snapshot not in wanted:
        raise SyntheticRegisterError(
            f"drops must be days of the calendar of drops, {snapshot} among them; these are not: "
            f"{', '.join(map(str, unknown)) or snapshot}"
        )
    return {day: kind for day, kind in campaign.register_drops.items() if day in wanted}


def _configure(con: duckdb.DuckDBPyConnection, work: Path, memory_limit: str, threads: int) -> None:
    con.execute("set memory_limit = $limit", {"limit": memory_limit})
    con.execute("set temp_directory = $folder", {"folder": str(work / "spill")})
    con.execute(f"set threads = {int(threads)}")
    con.execute("set preserve_insertion_order = true")
    con.execute("set enable_progress_bar = false")
    _keep_order(con)


def _keep_order(con: duckdb.DuckDBPyConnection) -> None:
    """The large side of a join is always probed, in its order: rows leave as the world's tables hold them."""
    con.execute("set disabled_optimizers = 'join_order,build_side_probe_side'")


def _writer(path: Path, schema: pa.Schema, form: Format) -> pq.ParquetWriter | pacsv.CSVWriter:
    """Writes batches in the order in which they come; DuckDB's COPY does not promise that after a join."""
    if form == "csv":
        return pacsv.CSVWriter(path, schema, write_options=pacsv.WriteOptions(quoting_style="needed"))
    return pq.ParquetWriter(path, schema, compression="snappy")


def _evenly(batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.Table]:
    """The same rows in groups of one size: how DuckDB cuts its batches must not show in the bytes of a file."""
    held = schema.empty_table()
    for batch in batches:
        held = pa.concat_tables([held, pa.Table.from_batches([batch], schema)])
        while held.num_rows >= _ROWS_PER_GROUP:
            yield held.slice(0, _ROWS_PER_GROUP).combine_chunks()
            held = held.slice(_ROWS_PER_GROUP)
    if held.num_rows:
        yield held.combine_chunks()


@dataclass
class _Run:
    con: duckdb.DuckDBPyConnection
    seed: int
    out: Path
    campaign: Campaign
    format: Format
    progress: Progress
    threads: int

    def generate(
        self, members: int, days: dict[date, Literal["full", "delta"]], *, with_season: bool, with_feeds: bool
    ) -> GenerationReport:
        as_of = self.campaign.parameters.snapshot_as_of
        calendar = world.Calendar.of(self.campaign)
        catalogue = self._catalogue(members)
        first = [row for row in catalogue.rows if row.since == as_of]
        planted = [row for row in first if row.file == "members"]
        targets = sum(row.disposition == "target" for row in planted)
        size = world.Size.of(
            members - len(planted), members * rates.TARGET_SHARE - targets, calendar, with_season=with_season
        )
        self.progress("world", 0.0)
        world.build(self.con, size, calendar, self.seed)
        self._keep_changed(as_of)
        self._load_planted(catalogue.rows)

        written = self._write_drops(days)
        if with_feeds:
            self.progress("feeds", 0.93)
            feeds.write_feeds(self.con, self.campaign, calendar, self.seed, self.out)
        self.progress("expected outcome", 0.95)
        dispositions = self._write_expected(as_of, written[as_of.isoformat()], with_season=with_feeds)
        rejects = Counter(row.file for row in first if row.reject_code)
        self.progress("done", 1.0)
        return GenerationReport(
            members=members,
            seed=self.seed,
            format=self.format,
            drops=written,
            dispositions=dispositions,
            rejects=dict(sorted(rejects.items())),
            planted=dict(sorted(Counter(row.kind for row in first).items())),
        )

    # --- the world and what is planted in it ----------------------------------------------------

    def _catalogue(self, members: int) -> Catalogue:
        places: dict[int, list[tuple[str, str]]] = {}
        table = load_places()
        for prefecture, code, place in zip(
            *(table[name].to_pylist() for name in ("prefecture", "postal_code", "place")), strict=True
        ):
            found = places.setdefault(prefecture, [])
            if len(found) < 200:
                found.append((code, place))
        return Catalogue(self.campaign, places, full=members >= FULL_SET_FROM, text_file=self.format == "csv")

    def _keep_changed(self, as_of: date) -> None:
        """Tables of those few with a change after the snapshot: what deltas are written from."""
        day = f"date '{as_of}'"
        self.con.execute(
            f"""
            create table changed_members as
            select * from members
            where appears_on > {day} or lost_known_on > {day} or renamed_on is not null
                or protected_on is not null or card_changed_on is not null;
            create table changed_households as
            select * from households where appears_on > {day} or moved_on is not null;
            """
        )

    def _load_planted(self, rows: list[Planted]) -> None:
        for file, columns in FILES.items():
            chosen = [row for row in rows if row.file == file]
            data: dict[str, pa.Array] = {
                "place": pa.array(range(len(chosen)), pa.int32()),
                "at_end": pa.array([row.at_end for row in chosen], pa.bool_()),
                "since": pa.array([row.since for row in chosen], pa.date32()),
                "until": pa.array([row.until for row in chosen], pa.date32()),
            }
            for column in (
                *("kind", "disposition", "reason_code", "reject_column", "reject_code"),
                *("late_disposition", "late_reason_code"),
            ):
                data[column] = pa.array([getattr(row, column) for row in chosen], pa.string())
            for column in columns:
                data[f"v_{column}"] = pa.array([_text(row.values[column]) for row in chosen], pa.string())
            self.con.register("incoming", pa.table(data))
            self.con.execute(f"create table planted_{file} as select * from incoming order by place")
            self.con.unregister("incoming")

    # --- a drop ---------------------------------------------------------------------------------

    def _write_drops(self, days: dict[date, Literal["full", "delta"]]) -> dict[str, dict[str, int]]:
        """Every file of every drop, several files at a time, each by one thread: only so is a file's order certain."""
        draws, previous = Draws(self.seed), min(days)
        written: dict[str, dict[str, int]] = {}
        self.con.execute("set threads = 1")
        with ThreadPoolExecutor(max_workers=self.threads) as pool:
            waiting: dict[date, dict[str, Future[tuple[int, str]]]] = {}
            for day, kind in days.items():
                (self.out / f"as_of={day}").mkdir()
                since = previous if kind == "delta" else None
                waiting[day] = {file: pool.submit(self._write_file, draws, file, day, since) for file in FILES}
                previous = day
            try:
                for number, (day, kind) in enumerate(days.items()):
                    self.progress(f"as_of={day} {kind}", 0.2 + 0.75 * number / len(days))
                    files = {file: promise.result() for file, promise in waiting[day].items()}
                    written[day.isoformat()] = {file: rows for file, (rows, _) in files.items()}
                    self._write_manifest(day, kind, files)
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
        return written

    def _write_manifest(self, day: date, kind: str, files: dict[str, tuple[int, str]]) -> None:
        folder = self.out / f"as_of={day}"
        if kind == "delta":  # a table without change is left out
            for file in [file for file, (rows, _) in files.items() if not rows]:
                (folder / f"{file}.{self.format}").unlink()
                del files[file]
        entries = [
            {"name": f"{file}.{self.format}", "rows": rows, "sha256": sha256} for file, (rows, sha256) in files.items()
        ]
        manifest = {"contract": "register/v1", "as_of": day.isoformat(), "kind": kind, "files": entries}
        draft = folder / ".manifest.json"
        draft.write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
        draft.rename(folder / "manifest.json")

    def _write_file(self, draws: Draws, file: str, day: date, since: date | None) -> tuple[int, str]:
        """Planted rows, the drawn rows in the world's order, planted rows again. Returns rows and SHA-256."""
        path = self.out / f"as_of={day}" / f"{file}.{self.format}"
        text = self.format == "csv"
        columns = ", ".join(f"{column}::varchar as {column}" if text else column for column in FILES[file])
        planted = ", ".join(
            f"v_{column}{'' if text else '::' + _TYPES.get(column, 'varchar')} as {column}" for column in FILES[file]
        )
        valid = self._valid(day, since)
        head, tail = (
            f"select {planted} from planted_{file} where {valid} and at_end = {end} order by place"
            for end in ("false", "true")
        )
        body = f"select {columns} from ({render.QUERIES[file](draws, day, since)})"
        rows = 0
        with self.con.cursor() as cursor:
            _keep_order(cursor)
            schema = cursor.execute(head).to_arrow_table().schema
            with _writer(path, schema, self.format) as writer:
                for table in _evenly(self._batches(cursor, head, body, tail), schema):
                    writer.write_table(table)
                    rows += table.num_rows
        return rows, sha256_of(path)

    @staticmethod
    def _batches(cursor: duckdb.DuckDBPyConnection, *queries: str) -> Iterator[pa.RecordBatch]:
        for query in queries:
            yield from cursor.execute(query).to_arrow_reader(_ROWS_PER_GROUP)

    @staticmethod
    def _valid(day: date, since: date | None) -> str:
        """SQL: the planted version shows in this drop."""
        shown = f"since <= date '{day}' and (until is null or until > date '{day}')"
        return shown if since is None else f"{shown} and since > date '{since}'"

    # --- what is to be expected -----------------------------------------------------------------

    def _write_expected(self, as_of: date, rows: dict[str, int], *, with_season: bool) -> dict[str, int]:
        """The outcome as it was drawn or planted, for the campaign's drop; of later drops where there is a season."""
        valid = self._valid(as_of, None)
        excluded = "'membership_lost', 'reached_75', 'new_enrollee', 'card_usable'"
        keys = FILES["members"][:4]
        self.con.execute(
            f"""
            copy (
                select
                    {", ".join(f"v_{key} as {key}" for key in keys)},
                    disposition,
                    reason_code,
                    kind as planted_as
                from (select * from planted_members where {valid} and reject_code is null)
                union all
                select
                    insurer_number,
                    {render.SYMBOL} as symbol,
                    (i + 1)::varchar as number,
                    lpad(suffix::varchar, 2, '0') as suffix,
                    case when member_case = 'target' then 'target'
                        when member_case in ({excluded}) then 'excluded' else 'held' end as disposition,
                    case when member_case = 'target' then card_state else member_case end as reason_code,
                    null as planted_as
                from (select * from members where appears_on <= date '{as_of}') as people
                join prefectures on prefectures.prefecture = people.prefecture
            ) to '{self.out / "expected_dispositions.parquet"}' (format parquet)
            """
        )
        if with_season:
            self.con.execute(
                f"""
                copy (
                    select
                        {", ".join(f"v_{key} as {key}" for key in keys)},
                        late_disposition as disposition,
                        late_reason_code as reason_code,
                        kind as planted_as
                    from planted_members
                    where late_disposition is not null and {"true" if with_season else "false"}
                    order by all
                ) to '{self.out / "expected_late_dispositions.parquet"}' (format parquet)
                """
            )
        # Row numbers: planted rows of the beginning, then the drawn ones, then the planted rows of the end.
        numbered = " union all ".join(
            f"""
            select
                '{file}' as file,
                place_in_file + case when at_end then {rows[file]} - planted_rows else 0 end as row_number,
                reject_column as column_name,
                reject_code as reason_code
            from (
                select
                    *,
                    row_number() over (order by at_end, place) as place_in_file,
                    count(*) over () as planted_rows
                from planted_{file}
                where {valid}
            )
            """
            for file in FILES
        )
        self.con.execute(
            f"""
            copy (
                select file, row_number::bigint as row_number, column_name, reason_code
                from ({numbered}) where reason_code is not null
                order by file, row_number
            ) to '{self.out / "expected_rejects.parquet"}' (format parquet)
            """
        )
        found = self.con.execute(
            f"""
            select reason_code, count(*) from '{self.out / "expected_dispositions.parquet"}'
            group by all order by all
            """
        ).fetchall()
        return {str(reason): int(count) for reason, count in found}


def _text(value: object) -> str | None:
    """A planted value as text, the way CSV shows it."""
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.isoformat() if isinstance(value, date) else str(value)


__all__ = ["FEWEST_MEMBERS", "Format", "GenerationReport", "generate"]
