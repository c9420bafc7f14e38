"""From a CSV file of a feed to a fact: staging (verify, sort rows, write aside) and landing (the rename)."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from datetime import date
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from kakuninsho.facts.schemas import FEEDS
from kakuninsho.facts.store import Fact, FactConflictError, FactStore, link_or_copy, sha256_of
from kakuninsho.feeds.contract import TABLES
from kakuninsho.feeds.errors import FeedConflictError, FeedError
from kakuninsho.register.checking import FileSorter, output_columns
from kakuninsho.register.contract import MY_NUMBER_MACROS
from kakuninsho.register.errors import Reason
from kakuninsho.register.reading import SEND_AGAIN, open_csv, quoted
from kakuninsho.warehouse.connection import memory

MANIFEST_SUFFIX = ".manifest.json"
STAGED = "staged.json"
_DELIVERED = "delivered"


class StagedFeed(BaseModel):
    """A file of a feed sorted into `rows.parquet` and `rejects.parquet` under `path`, not yet a fact."""

    model_config = ConfigDict(frozen=True)

    feed: str
    source: str  # file name
    source_sha256: str
    path: Path
    declared_rows: int  # of the manifest, which is what the file holds
    accepted: int
    rejects: dict[str, int]  # rows by reason code

    @classmethod
    def read(cls, work: Path) -> StagedFeed:
        """What an earlier task staged in a folder.

        Raises:
            FeedError: the folder holds nothing staged.
        """
        if not (work / STAGED).is_file():
            raise FeedError(
                Reason.MISSING_FILE,
                file=work.name,
                rule="the file has not been staged, or its staging was removed",
                action="run the task that stages it again",
            )
        staged = cls.model_validate_json((work / STAGED).read_text(encoding="utf-8"))
        return staged.model_copy(update={"path": work})

    @property
    def name(self) -> str:
        """Name of its fact: the same bytes give the same fact."""
        return self.source_sha256[:16]

    @property
    def rejected(self) -> int:
        """Rows kept aside."""
        return sum(self.rejects.values())

    def table(self, name: str) -> Path:
        """The Parquet file of rows or rejects."""
        return self.path / f"{name}.parquet"


def stage_feed(store: FactStore, feed: str, csv_path: Path, work: Path, *, received_on: date) -> StagedFeed:
    """Verify a file of a feed, sort its rows, and write both kinds as Parquet into a folder.

    The manifest `<file>.manifest.json` beside it promises rows and SHA-256. No row at all is fine: nothing is new.

    Args:
        store: facts that have landed; asked for a file of the same name.
        feed: a feed of schemas.FEEDS.
        csv_path: the file, opened and verified already where it came sealed.
        work: folder for this file alone; what an earlier attempt left there is replaced.
        received_on: the run's logical date.

    Raises:
        FeedError: the file is refused; nothing is staged.
        FeedConflictError: a file of this name landed with other content.
    """
    work.mkdir(parents=True, exist_ok=True, mode=0o700)
    _clear(work)
    rows, digest = _read_manifest(csv_path)
    if not csv_path.is_file():
        raise FeedError(
            Reason.MISSING_FILE,
            file=csv_path.name,
            rule="the manifest is there and the file is not",
            action=SEND_AGAIN,
        )
    if sha256_of(csv_path) != digest:
        raise FeedError(
            Reason.WRONG_HASH,
            file=csv_path.name,
            rule="the SHA-256 of the file is not the one in its manifest",
            action=SEND_AGAIN,
        )
    _existing(store, feed, csv_path.name, digest)
    try:
        accepted, rejects = _sort_rows(feed, csv_path, rows, work, received_on)
    except BaseException:
        _clear(work)
        raise
    staged = StagedFeed(
        feed=feed,
        source=csv_path.name,
        source_sha256=digest,
        path=work,
        declared_rows=rows,
        accepted=accepted,
        rejects=rejects,
    )
    (work / STAGED).write_text(staged.model_dump_json(indent=1) + "\n", encoding="utf-8")
    return staged


def land_feed(store: FactStore, staged: StagedFeed, received_on: date) -> Fact:
    """Make a staged file a fact, after the gate has judged it. The same bytes again change nothing.

    Raises:
        FeedConflictError: a file of this name landed with other content.
    """
    kind = f"feeds/{staged.feed}"
    existing = _existing(store, staged.feed, staged.source, staged.source_sha256)
    if existing is not None:
        return existing
    try:
        with store.land(
            kind,
            staged.name,
            received_on=received_on,
            source=staged.source,
            source_sha256=staged.source_sha256,
        ) as draft:
            for table in FEEDS[staged.feed]:
                link_or_copy(staged.table(table), draft.table(table))
            draft.totals = {"declared_rows": staged.declared_rows, "rejects": staged.rejects}
    except FactConflictError:
        # Another run landed the same bytes meanwhile.
        existing = _existing(store, staged.feed, staged.source, staged.source_sha256)
        if existing is None:
            raise
        return existing
    return store.get(kind, staged.name)


def receive_feed(store: FactStore, feed: str, csv_path: Path, received_on: date) -> Fact:
    """Stage and land in one step, where no gate judges between."""
    work = Path(tempfile.mkdtemp(prefix="feed-", dir=store.data_tmp()))
    try:
        return land_feed(store, stage_feed(store, feed, csv_path, work, received_on=received_on), received_on)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _sort_rows(feed: str, csv_path: Path, rows: int, work: Path, received_on: date) -> tuple[int, dict[str, int]]:
    table, label = TABLES[feed], csv_path.name
    constants = {
        "source_file": quoted(label),
        "received_on": f"date '{received_on.isoformat()}'",
        "row_number": "row_number",
    }
    with memory(spill=work / "spill") as connection:
        connection.execute(MY_NUMBER_MACROS)
        delivered = work / f"{_DELIVERED}.parquet"
        source = open_csv(connection, csv_path, table, delivered, label=label, error=FeedError)
        if source.rows != rows:
            raise FeedError(
                Reason.WRONG_ROW_COUNT,
                file=label,
                rule=f"the manifest promises {rows} rows and the file holds {source.rows}",
                action=SEND_AGAIN,
            )
        sorter = FileSorter(connection, source, table, error=FeedError, as_of=received_on)
        sorter.find_repeated_keys()
        rejects = sorter.judge()
        outputs = output_columns(table, FEEDS[feed]["rows"], constants)
        accepted = sorter.write_accepted(work / "rows.parquet", outputs)
        kept = ", ".join(
            f"cast({constants.get(name, name)} as {kind}) as {name}" for name, kind in FEEDS[feed]["rejects"].items()
        )
        connection.execute(
            f"copy (select {kept} from judged order by row_number)"
            f" to {quoted(work / 'rejects.parquet')} (format parquet)"
        )
    delivered.unlink()
    shutil.rmtree(work / "spill", ignore_errors=True)
    if accepted + sum(rejects.values()) != rows:
        raise AssertionError(f"{label}: {accepted} + {sum(rejects.values())} rows of {rows} are sorted")
    return accepted, rejects


def _read_manifest(csv_path: Path) -> tuple[int, str]:
    """Rows and SHA-256 that a feed's file promises."""
    path = csv_path.with_name(csv_path.name + MANIFEST_SUFFIX)
    if not path.is_file():
        raise FeedError(
            Reason.MISSING_FILE,
            file=path.name,
            rule="the manifest has not arrived, so the file is not complete",
            action="wait for it; ask the sender when it is late",
        )
    try:
        raw = json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, UnicodeDecodeError):
        raw = None
    rows = raw.get("rows") if isinstance(raw, dict) else None
    digest = raw.get("sha256") if isinstance(raw, dict) else None
    if (
        isinstance(rows, int)
        and not isinstance(rows, bool)
        and rows >= 0
        and isinstance(digest, str)
        and re.fullmatch("[0-9a-fA-F]{64}", digest)
    ):
        return rows, digest.lower()
    raise FeedError(
        Reason.BAD_MANIFEST,
        file=path.name,
        rule="the manifest does not hold rows (a count) and sha256",
        action=SEND_AGAIN,
    )


def _existing(store: FactStore, feed: str, source: str, digest: str) -> Fact | None:
    kind = f"feeds/{feed}"
    same = store.find(kind, digest[:16])
    if same is not None:
        return same
    if any(fact.meta["source"] == source for fact in store.all(kind)):
        raise FeedConflictError(
            Reason.CONFLICT,
            file=source,
            rule="a file of this name has landed with other content, and facts are never changed",
            action="ask the sender which is right; a correction comes under a new name",
        )
    return None


def _clear(work: Path) -> None:
    for path in [*work.glob("*.parquet"), work / STAGED]:
        path.unlink(missing_ok=True)
    shutil.rmtree(work / "spill", ignore_errors=True)
