"""Airflow's own database: its tables, the pool of the warehouse, and connections.

Airflow reads its settings once, when it is imported: the environment names the installation before that.
"""

from __future__ import annotations

from typing import Any

WAREHOUSE_SLOTS = 1  # DuckDB takes one process at a time


def ensure_tables() -> None:
    """Make Airflow's tables, or bring those of an older version up to date."""
    from airflow.utils.db import initdb

    initdb()


def ensure_pool() -> None:
    """Make the pool that serialises the tasks which use the warehouse."""
    from airflow.models.pool import Pool
    from airflow.utils.session import create_session

    from kakuninsho.orchestration import POOL

    with create_session() as session:
        Pool.create_or_update_pool(
            POOL,
            slots=WAREHOUSE_SLOTS,
            description="DuckDB: 一度に一つの処理 (one process at a time)",
            include_deferred=False,
            session=session,
        )


def ensure_connection(name: str, **values: Any) -> None:
    """Make a connection in Airflow's own database, where its password and its extra are encrypted."""
    from airflow.models.connection import Connection
    from airflow.utils.session import create_session
    from sqlalchemy import delete

    with create_session() as session:
        session.execute(delete(Connection).where(Connection.conn_id == name))
        session.add(Connection(conn_id=name, conn_type="generic", **values))
