"""From a register drop to a fact: staging (verify, sort rows, write aside) and landing (the rename).

Between the two a gate judges the staged Parquet files. Nothing becomes a fact unless both have passed.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import duckdb
from pydantic import BaseModel, ConfigDict

from kakuninsho.campaign import Campaign
from kakuninsho.facts.schemas import REGISTER
from kakuninsho.facts.store import Fact, FactConflictError, FactStore, link_or_copy, write_empty
from kakuninsho.register.checking import BrokenRule, FileSorter, output_columns
from kakuninsho.register.contract import MY_NUMBER_MACROS, OPTIONAL_TABLES, TABLES
from kakuninsho.register.drops import Drop, Manifest, PromisedFile, read_manifest, verify_files
from kakuninsho.register.errors import Reason, RegisterConflictError, RegisterDropError
from kakuninsho.register.reading import SEND_AGAIN, open_csv, open_parquet, quoted
from kakuninsho.warehouse.connection import memory

KIND = "register"
STAGED = "staged.json"
REJECTS = "rejects"
_RULES_TOLD = 8


class StagedFile(BaseModel):
    """One file of a staged drop, counted. accepted + rejected = rows = what the manifest promised."""

    model_config = ConfigDict(frozen=True)

    rows: int
    accepted: int
    rejects: dict[str, int]  # rows by reason code

    @property
    def rejected(self) -> int:
        """Rejected rows."""
        return sum(self.rejects.values())


class StagedDrop(BaseModel):
    """A drop sorted into Parquet files under `path`, not yet a fact. Holds counts, no row."""

    model_config = ConfigDict(frozen=True)

    as_of: date
    kind: str
    path: Path
    content_sha256: str
    files: dict[str, StagedFile]  # by table; without those that the drop leaves out

    @classmethod
    def read(cls, drop: Drop, work: Path) -> StagedDrop:
        """What an earlier task staged in a folder.

        Raises:
            RegisterDropError: the folder holds no staged drop, or that of another drop.
        """
        path = work / STAGED
        staged = cls.model_validate_json(path.read_text(encoding="utf-8")) if path.is_file() else None
        if staged is None or staged.as_of != drop.as_of:
            raise RegisterDropError(
                Reason.MISSING_FILE,
                file=drop.name,
                rule="the drop has not been staged, or its staging was removed",
                action="run the task that stages it again",
            )
        return staged.model_copy(update={"path": work})

    @property
    def name(self) -> str:
        """Name of the drop's folder and of its fact."""
        return f"as_of={self.as_of.isoformat()}"

    def table(self, name: str) -> Path:
        """The Parquet file of an accepted table, or of the rejects."""
        return self.path / f"{name}.parquet"

    @property
    def rows(self) -> dict[str, int]:
        """Delivered rows by table."""
        return {table: file.rows for table, file in self.files.items()}

    @property
    def rejected(self) -> dict[str, int]:
        """Rejected rows by table."""
        return {table: file.rejected for table, file in self.files.items()}


def stage_drop(
    drop: Drop,
    campaign: Campaign,
    work: Path,
    *,
    memory_limit: str | None = None,
    threads: int = 2,
    rejects_to: Path | None = None,
) -> StagedDrop:
    """Verify a drop, sort its rows, and write accepted rows and rejects as Parquet into a folder.

    Args:
        drop: a complete drop.
        campaign: gives the limit of rejects.
        work: folder for this drop alone; what an earlier attempt left there is replaced.
        memory_limit: DuckDB's, as in "6GB".
        threads: DuckDB's.
        rejects_to: a CSV file that gets drop, file, row number, column and code of each reject, no other value; also
            where the drop is refused for them.

    Raises:
        RegisterDropError: the drop is refused; the folder is left without tables.
    """
    work.mkdir(parents=True, exist_ok=True, mode=0o700)
    _clear(work)
    manifest = read_manifest(drop)
    verify_files(drop, manifest)
    try:
        with memory(limit=memory_limit, threads=threads, spill=work / "spill") as connection:
            connection.execute(MY_NUMBER_MACROS)
            _create_rejects(connection)
            try:
                files = {
                    file.table: _stage_file(
                        connection, drop, manifest, file, campaign=campaign, work=work, judge_all=rejects_to is not None
                    )
                    for file in manifest.files.values()
                }
                # What the drop leaves out has no row; that it was left out is told by its counts.
                for table in TABLES.keys() - manifest.files.keys():
                    write_empty(work / f"{table}.parquet", REGISTER[table])
            finally:
                if rejects_to is not None:
                    _write_rejects(connection, drop, rejects_to)
            connection.execute(
                f"copy (select * from {REJECTS} order by file, row_number)"
                f" to {quoted(work / f'{REJECTS}.parquet')} (format parquet)"
            )
    except BaseException:
        _clear(work)
        raise
    shutil.rmtree(work / "spill", ignore_errors=True)
    staged = StagedDrop(
        as_of=manifest.as_of,
        kind=manifest.kind,
        path=work,
        content_sha256=manifest.content_sha256,
        files=files,
    )
    (work / STAGED).write_text(staged.model_dump_json(indent=1) + "\n", encoding="utf-8")
    return staged


def _clear(work: Path) -> None:
    for path in [*work.glob("*.parquet"), work / STAGED]:
        path.unlink(missing_ok=True)
    shutil.rmtree(work / "spill", ignore_errors=True)


def _create_rejects(connection: duckdb.DuckDBPyConnection) -> None:
    columns = ", ".join(f"{name} {kind}" for name, kind in REGISTER[REJECTS].items())
    connection.execute(f"create temp table {REJECTS} ({columns})")


def _write_rejects(connection: duckdb.DuckDBPyConnection, drop: Drop, target: Path) -> None:
    connection.execute(
        f"copy (select {quoted(drop.name)} as drop, file, row_number, column_name, reason_code from {REJECTS}"
        f" order by file, row_number) to {quoted(target)} (format csv, header true)"
    )


def _stage_file(
    connection: duckdb.DuckDBPyConnection,
    drop: Drop,
    manifest: Manifest,
    file: PromisedFile,
    *,
    campaign: Campaign,
    work: Path,
    judge_all: bool,
) -> StagedFile:
    label = f"{drop.name}/{file.name}"
    table = TABLES[file.table]
    delivered, as_text = drop.path / file.name, work / f"delivered-{file.table}.parquet"
    if delivered.suffix == ".csv":
        source = open_csv(connection, delivered, table, as_text, label=label, error=RegisterDropError)
    else:
        source = open_parquet(connection, delivered, table, label=label, error=RegisterDropError, target=as_text)
    if source.rows != file.rows:
        raise RegisterDropError(
            Reason.WRONG_ROW_COUNT,
            file=label,
            rule=f"the manifest promises {file.rows} rows and the file holds {source.rows}",
            action=SEND_AGAIN,
        )
    if manifest.kind == "full" and source.rows == 0 and file.table not in OPTIONAL_TABLES:
        raise RegisterDropError(
            Reason.EMPTY_FILE,
            file=label,
            rule="a file of a full drop has no row",
            rows=0,
            action="ask the core system's operators whether the extract ran; deliver the drop again",
        )
    sorter = FileSorter(connection, source, table, error=RegisterDropError, as_of=drop.as_of)
    repeated = sorter.find_repeated_keys()
    if not judge_all and _are_too_many(repeated, source.rows, campaign):
        key = BrokenRule(f"key ({', '.join(table.key)})", "repeated, at least", repeated, sorter.repeated_rows())
        _refuse_too_many(label, source.rows, repeated, [key], campaign)
    rejects = sorter.judge()
    day = f"date '{drop.as_of.isoformat()}'"
    readable = sorter.readable_flag("protected") if file.table == "members" else "null"
    connection.execute(
        f"insert into {REJECTS} select {day}, '{file.table}', row_number, column_name, reason_code, row_key,"
        f" {readable} from judged"
    )
    _refuse_too_many(label, source.rows, sum(rejects.values()), sorter.broken_rules(), campaign)
    outputs = output_columns(table, REGISTER[file.table], {"as_of": day})
    accepted = sorter.write_accepted(work / f"{file.table}.parquet", outputs)
    as_text.unlink(missing_ok=True)
    staged = StagedFile(rows=source.rows, accepted=accepted, rejects=rejects)
    if staged.accepted + staged.rejected != staged.rows:
        raise AssertionError(f"{label}: {staged.accepted} + {staged.rejected} rows of {staged.rows} are sorted")
    return staged


def _are_too_many(rejected: int, rows: int, campaign: Campaign) -> bool:
    limits = campaign.parameters
    return rejected > limits.max_reject_rows_always_accepted and rejected > limits.max_reject_rate * rows


def _refuse_too_many(label: str, rows: int, rejected: int, broken: list[BrokenRule], campaign: Campaign) -> None:
    if not _are_too_many(rejected, rows, campaign):
        return
    codes = "; ".join(map(str, broken[:_RULES_TOLD]))
    if len(broken) > _RULES_TOLD:
        codes += f"; and {len(broken) - _RULES_TOLD} rules more"
    raise RegisterDropError(
        Reason.TOO_MANY_REJECTS,
        file=label,
        rule=f"{rejected} of {rows} rows break the contract ({codes}), more than max_reject_rate"
        f" {campaign.parameters.max_reject_rate} allows",
        rows=rejected,
        action="send the counts to the core system's operators and have the drop delivered again;"
        " the limit is a campaign parameter and is raised only with a reason",
    )


def landed(store: FactStore, drop: Drop) -> Fact | None:
    """The fact of a drop that has landed already, so that it need not be staged again.

    Raises:
        RegisterConflictError: the day has a register of other content.
    """
    return _existing(store, drop.name, read_manifest(drop).content_sha256)


def land_register(store: FactStore, staged: StagedDrop, received_on: date, *, warnings: Sequence[str] = ()) -> Fact:
    """Make a staged drop a fact, after the gates have judged it. The same drop again changes nothing.

    `warnings` are what the gates said of it, kept with the fact for the next approvals.

    Raises:
        RegisterConflictError: the day has a register of other content.
    """
    existing = _existing(store, staged.name, staged.content_sha256)
    if existing is not None:
        return existing
    try:
        with store.land(
            KIND, staged.name, received_on=received_on, source=staged.name, source_sha256=staged.content_sha256
        ) as draft:
            for table in REGISTER:
                link_or_copy(staged.table(table), draft.table(table))
            draft.totals = {
                "kind": staged.kind,
                "manifest_rows": staged.rows,
                "rejects": {table: file.rejects for table, file in staged.files.items()},
                "warnings": list(warnings),
            }
    except FactConflictError:
        # Another run landed the day meanwhile: the same content is no conflict.
        existing = _existing(store, staged.name, staged.content_sha256)
        if existing is None:
            raise
        return existing
    return store.get(KIND, staged.name)


def _existing(store: FactStore, name: str, content_sha256: str) -> Fact | None:
    fact = store.find(KIND, name)
    if fact is None or fact.meta["source_sha256"] == content_sha256:
        return fact
    raise RegisterConflictError(
        Reason.CONFLICT,
        file=name,
        rule="a register of other content has landed for this day, and facts are never changed",
        action="find out which of the two is right; to replace one needs a name and a reason, and is only possible"
        " before the first plan is frozen",
    )
