"""What the gate of clear lot files reads: one row per file, its counts taken from the file's own records."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from kakuninsho.facts.schemas import Columns

FILES: Columns = {
    "lot_id": "VARCHAR",
    "file_name": "VARCHAR",
    "row_count": "BIGINT",  # records, header and trailer included
    "byte_count": "BIGINT",
    "envelope_count": "BIGINT",  # pieces, samples included
    "sample_count": "BIGINT",
    "certificate_count": "BIGINT",  # samples included
    "weight_g": "DOUBLE",
    "postage_yen": "BIGINT",
    "sha256_clear": "VARCHAR",
}


class ClearLotFile(Protocol):
    """The totals of a clear file as its writer gives them (printer/lot_file.py, ClearFile)."""

    @property
    def lot_id(self) -> str | None: ...
    @property
    def name(self) -> str: ...
    @property
    def row_count(self) -> int: ...
    @property
    def byte_count(self) -> int: ...
    @property
    def envelope_count(self) -> int | None: ...
    @property
    def sample_count(self) -> int | None: ...
    @property
    def certificate_count(self) -> int | None: ...
    @property
    def weight_g(self) -> str | None: ...
    @property
    def postage_yen(self) -> int | None: ...
    @property
    def sha256(self) -> str: ...


def write_file_counts(files: Iterable[ClearLotFile], path: Path) -> Path:
    """Write the table `files` of the suite outbound/lot_file: files without a lot (orders) are left out."""
    rows = [
        {
            "lot_id": file.lot_id,
            "file_name": file.name,
            "row_count": file.row_count,
            "byte_count": file.byte_count,
            "envelope_count": file.envelope_count,
            "sample_count": file.sample_count,
            "certificate_count": file.certificate_count,
            "weight_g": None if file.weight_g is None else float(Decimal(file.weight_g)),
            "postage_yen": file.postage_yen,
            "sha256_clear": file.sha256,
        }
        for file in files
        if file.lot_id is not None
    ]
    types = {"VARCHAR": pa.string(), "BIGINT": pa.int64(), "DOUBLE": pa.float64()}
    schema = pa.schema([(name, types[kind]) for name, kind in FILES.items()])
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), path)
    return path
