"""Tables of the warehouse that a run may find as it would build them: what became of each row of the register.

They hang on the campaign's drop, on decisions about single people and on the campaign alone, not on the day. At
national size they are the dearest part of every run, and most runs would write them again as they are.
"""

from __future__ import annotations

import hashlib
from datetime import date
from pathlib import Path

import duckdb

from kakuninsho.campaign import Campaign
from kakuninsho.facts.store import FactStore

KEPT = ("int_members_judged", "int_members_evaluated")
_MARK = "main.kept_tables"


def inputs_digest(store: FactStore, campaign: Campaign, as_of: date, project: str) -> str:
    """A hash of everything that the kept tables are built from: facts by name, size and time of their files."""
    digest = hashlib.sha256(f"{project}\n{store.data}\n{campaign.parameters.model_dump_json()}\n".encode())
    drop = store.find("register", f"as_of={campaign.parameters.snapshot_as_of.isoformat()}")
    facts = [drop] if drop is not None and drop.meta["received_on"] <= as_of.isoformat() else []
    for fact in [*facts, *store.all("feeds/decisions", until=as_of)]:
        for path in sorted(fact.path.rglob("*")):
            stat = path.stat()
            digest.update(f"{path} {stat.st_size} {stat.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def are_current(data: Path, digest: str) -> bool:
    """Whether the warehouse holds the kept tables as these inputs give them."""
    path = data / "warehouse.duckdb"
    if not path.is_file():
        return False
    connection = duckdb.connect(str(path), read_only=True)
    try:
        row = connection.execute(f"select digest from {_MARK}").fetchone()
    except duckdb.CatalogException:
        return False
    finally:
        connection.close()
    return row is not None and row[0] == digest


def mark(data: Path, digest: str) -> None:
    """Note from which inputs the kept tables were built; the empty text of no inputs, when a build has failed."""
    if not (data / "warehouse.duckdb").is_file():
        return
    connection = duckdb.connect(str(data / "warehouse.duckdb"))
    try:
        connection.execute(f"create or replace table {_MARK} as select '{digest}' as digest")
    finally:
        connection.close()
