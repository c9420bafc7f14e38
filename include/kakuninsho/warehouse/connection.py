"""Connections to DuckDB: in memory over Parquet files, to the pipeline's own file, to the published copy."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb


def memory_limit() -> str:
    """The limit that every connection keeps to; KAKUNINSHO_MEMORY_LIMIT sets it."""
    return os.environ.get("KAKUNINSHO_MEMORY_LIMIT", "6GB")


def memory(
    *, limit: str | None = None, threads: int = 2, spill: Path | None = None, keep_order: bool = True
) -> duckdb.DuckDBPyConnection:
    """A new in-memory database that spills to `spill` (a folder) when it must.

    `keep_order` keeps rows in the order of their files, which a file that must be the same bytes each time
    needs.
    """
    connection = duckdb.connect(":memory:")
    connection.execute(f"set memory_limit = '{limit or memory_limit()}'")
    connection.execute(f"set threads = {threads}")
    connection.execute(f"set preserve_insertion_order = {str(keep_order).lower()}")
    connection.execute("set enable_progress_bar = false")
    if spill is not None:
        spill.mkdir(parents=True, exist_ok=True)
        connection.execute(f"set temp_directory = '{spill}'")
    return connection


@contextmanager
def warehouse(data: Path, *, read_only: bool = True) -> Iterator[duckdb.DuckDBPyConnection]:
    """The pipeline's own file, open as short as can be: a writer shuts out every other process."""
    connection = duckdb.connect(str(data / "warehouse.duckdb"), read_only=read_only)
    try:
        connection.execute(f"set memory_limit = '{memory_limit()}'")
        connection.execute("set threads = 2")
        connection.execute(f"set temp_directory = '{data / 'tmp' / 'duckdb'}'")
        yield connection
    finally:
        connection.close()


@contextmanager
def published(data: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """The copy that analysts and pages read."""
    connection = duckdb.connect(str(data / "published" / "analytics.duckdb"), read_only=True)
    try:
        yield connection
    finally:
        connection.close()
