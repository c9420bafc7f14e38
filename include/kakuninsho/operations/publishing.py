"""Publishing: every mart is built as of the newest fact, tested, and copied for analysts in one atomic step."""

from __future__ import annotations

import hashlib
import logging
import shutil
from datetime import date
from pathlib import Path

import duckdb

from kakuninsho.derived import read_json, write_json
from kakuninsho.facts.schemas import KINDS
from kakuninsho.facts.soundness import require_sound
from kakuninsho.facts.store import FactStore
from kakuninsho.operations.forecasting import draw_card_expiry
from kakuninsho.runs import recorded
from kakuninsho.settings import Settings
from kakuninsho.warehouse import Context, TransformError, memory, run_models
from kakuninsho.warehouse.personal import Mart, described_marts

log = logging.getLogger(__name__)

DATABASE = "analytics.duckdb"
# What is pending belongs to the plan that is drafted from it, so publishing builds no pending model.
MARTS_AND_ALL_ABOVE = ("+path:models/marts",)
MARTS_AND_TABLES_ABOVE = ("+path:models/marts,path:models/intermediate", "path:models/marts")


def newest_fact_on(store: FactStore) -> date | None:
    """The day of the newest fact of any kind."""
    days = [fact.meta["received_on"] for kind in KINDS for fact in store.all(kind)]
    return date.fromisoformat(max(days)) if days else None


def facts_fingerprint(store: FactStore, as_of: date, *, but_for_later_drops: bool = False) -> str:
    """A hash of the names of all facts and of the day: what was published of the same facts need not be again.

    `but_for_later_drops` leaves the day and the register drops after the first out.
    """
    names = [f"{kind}/{fact.name}" for kind in KINDS for fact in store.all(kind, until=as_of)]
    if but_for_later_drops:
        drops = [name for name in names if name.startswith("register/")]
        names = [name for name in names if name not in drops[1:]]
    else:
        names.append(as_of.isoformat())
    return hashlib.sha256("\n".join(names).encode()).hexdigest()


def is_current(settings: Settings, *, but_for_later_drops: bool = False) -> bool:
    """Whether the published copy is of all facts that there are; later drops alone need not count."""
    day = newest_fact_on(settings.store)
    if day is None:
        return True
    mark = "facts_but_drops" if but_for_later_drops else "facts"
    found = facts_fingerprint(settings.store, day, but_for_later_drops=but_for_later_drops)
    return _published(settings).get(mark) == found


def publish(settings: Settings, as_of: date, *, thorough: bool = False, over_corrupt: bool = False) -> bool:
    """Build and test every model and replace the published copy, while the caller holds the warehouse's slot.

    The ledger and the invariants of the mailing are tested each time; the tests of single columns as well on the
    first publication, and when asked for (`thorough`), as the close of the season does. Returns False, unless
    thorough, when the same facts have been published for this day already.

    Raises:
        CorruptFactError: a fact is not as it landed, unless the caller wants to see what that opens (`over_corrupt`).
        TransformError: a model or test fails; the copy that was published before stays.
    """
    settings.store.initialise()
    if not over_corrupt:
        require_sound(settings.store)
    fingerprint = facts_fingerprint(settings.store, as_of)
    before = _published(settings)
    if not thorough and before.get("facts") == fingerprint:
        log.info("nothing is new since the last publication")
        return False
    thorough = thorough or not before
    with recorded(settings.data, "publish", as_of) as record:
        results = run_models(
            settings.store,
            settings.campaign,
            Context(as_of),
            select=MARTS_AND_ALL_ABOVE if thorough else MARTS_AND_TABLES_ABOVE,
            exclude=("test_type:unit",) if thorough else ("test_type:unit", "test_type:generic"),
        )
        record.update(nodes=len(results), thorough=thorough, tables=export(settings.data))
    mark = {
        "facts": fingerprint,
        "facts_but_drops": facts_fingerprint(settings.store, as_of, but_for_later_drops=True),
        "as_of": as_of.isoformat(),
    }
    write_json(settings.data / "published" / "published.json", mark)
    head = settings.store.head()
    log.info("head of the chain of facts: %d:%s", head.count, head.sha256)
    draw_card_expiry(settings)
    return True


def _published(settings: Settings) -> dict[str, str]:
    """What the published copy was made of; empty before the first."""
    return dict(read_json(settings.data / "published" / "published.json") or {})


def export(data: Path) -> int:
    """Copy the marts for analysts, and those with personal columns once more, in full, for the few who may.

    `<data>/published/` gets `analytics.duckdb` and Parquet without what `meta` marks as personal;
    `<data>/restricted/` gets the marts that have such columns, and nothing else. Each copy is replaced in one step.
    A table that no model describes any more is in neither. Returns the number of marts in the copy for analysts.

    Raises:
        TransformError: a mart has a column that its description does not name, so nobody has said whether it is
            personal.
    """
    staging = data / "tmp" / "published"
    shutil.rmtree(staging, ignore_errors=True)
    connection = memory(spill=data / "tmp" / "duckdb", keep_order=False)
    try:
        connection.execute(f"attach '{data / 'warehouse.duckdb'}' as warehouse (read_only)")
        marts = _marts(connection, data)
        opened = {mart.name: mart.open_columns for mart in marts if mart.open_columns}
        _write_copy(connection, staging / "published", opened)
        _write_copy(
            connection, staging / "restricted", {mart.name: mart.columns for mart in marts if mart.is_restricted}
        )
    finally:
        connection.close()
    for copy in ("restricted", "published"):
        _replace(staging / copy, data / copy, data / "tmp" / f"{copy}-before")
    return len(opened)


def _write_copy(connection: duckdb.DuckDBPyConnection, folder: Path, tables: dict[str, tuple[str, ...]]) -> None:
    """Write tables of the warehouse, by name and columns, as a database and as Parquet."""
    (folder / "parquet").mkdir(parents=True)
    connection.execute(f"attach '{folder / DATABASE}' as analytics")
    connection.execute("create schema analytics.marts")
    for name, columns in tables.items():
        listed = ", ".join(f'"{column}"' for column in columns)
        query = f"select {listed} from warehouse.marts.{name}"
        connection.execute(f"create table analytics.marts.{name} as {query}")
        connection.execute(f"copy ({query}) to '{folder / 'parquet' / name}.parquet' (compression zstd)")
    connection.execute("detach analytics")


def _replace(staged: Path, folder: Path, before: Path) -> None:
    """Put a new copy in the place of the one before. Nobody but the owner may read any of it."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    for file in (staged / DATABASE, *(staged / "parquet").iterdir()):
        file.chmod(0o600)
    (staged / DATABASE).replace(folder / DATABASE)
    shutil.rmtree(before, ignore_errors=True)
    if (folder / "parquet").exists():
        (folder / "parquet").rename(before)
    (staged / "parquet").rename(folder / "parquet")
    shutil.rmtree(before, ignore_errors=True)


def _marts(connection: duckdb.DuckDBPyConnection, data: Path) -> list[Mart]:
    """The marts that the warehouse holds and the project describes, by name."""
    query = """
        select table_name, list(column_name order by ordinal_position) from information_schema.columns
        where table_catalog = 'warehouse' and table_schema = 'marts' group by table_name order by table_name
    """
    described, found = described_marts(data), []
    for name, columns in connection.execute(query).fetchall():
        if name not in described:
            log.warning("no model describes marts.%s any more: it is not published", name)
            continue
        if unknown := sorted(set(columns) - set(described[name].columns)):
            raise TransformError(
                f"mart {name} has columns that its description does not name ({', '.join(unknown)}), so nobody has "
                "said whether they are personal; describe them and publish again. Nothing was published"
            )
        found.append(described[name])
    return found
