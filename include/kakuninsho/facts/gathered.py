"""One file of the rows of many small facts.

Each file and step of a transfer is a fact of one row, and a season has thousands: opening them all took a second for
each model that reads them. What is gathered is derived: it is made again whenever it does not stand for exactly the
facts that lie there.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from kakuninsho.facts.schemas import KINDS
from kakuninsho.facts.store import ARROW_TYPES, FactStore

_INDEX = b"facts"


def transfers(store: FactStore) -> Path:
    """All rows of transfers, one per file and step (schemas.TRANSFERS), in one Parquet file."""
    return gather(store, "transfers", "transfers")


def gather(store: FactStore, kind: str, table: str) -> Path:
    """All rows of one table of a kind of fact as one Parquet file of the data folder.

    Rows of facts that were gathered before are kept; if one of those is gone or is another file, all are read again.
    """
    target = store.data / "gathered" / f"{table}.parquet"
    found = _files(store.root / kind, f"{table}.parquet")
    held = _index(target)
    if target.is_file() and held == found and found:
        return target
    schema = pa.schema([(name, ARROW_TYPES[type_]) for name, type_ in KINDS[kind][table].items()])
    kept = held if held.items() <= found.items() else {}
    parts = [pq.read_table(target, schema=schema)] if kept else []
    # A file that is read by itself: a folder named key=value above it is no column.
    parts += [
        _shaped(pq.ParquetFile(store.root / kind / name / f"{table}.parquet").read(), schema)
        for name in found
        if name not in kept
    ]
    rows = pa.concat_tables(parts) if parts else schema.empty_table()
    target.parent.mkdir(mode=0o700, exist_ok=True)
    handle, path = tempfile.mkstemp(prefix=f".{table}-", dir=target.parent)
    os.close(handle)
    pq.write_table(rows.replace_schema_metadata({_INDEX: json.dumps(found).encode()}), path)
    Path(path).replace(target)
    return target


def _files(folder: Path, file: str) -> dict[str, int]:
    """Time of change of this file in each fact of a folder, by name, in order of names."""
    if not folder.is_dir():
        return {}
    names = sorted(entry.name for entry in os.scandir(folder) if entry.is_dir())
    return {name: (folder / name / file).stat().st_mtime_ns for name in names if (folder / name / file).is_file()}


def _index(target: Path) -> dict[str, int]:
    """The facts that a gathered file stands for; none where it is missing or cut short, and is made anew."""
    try:
        index: dict[str, int] = json.loads(pq.read_schema(target).metadata[_INDEX])
        pq.read_metadata(target)
    except (OSError, pa.ArrowInvalid, ValueError, KeyError, TypeError):
        return {}
    return index


def _shaped(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """A column that came with a later version is null in older facts."""
    return pa.table(
        [
            rows[field.name].cast(field.type)
            if field.name in rows.column_names
            else pa.nulls(rows.num_rows, field.type)
            for field in schema
        ],
        schema=schema,
    )
