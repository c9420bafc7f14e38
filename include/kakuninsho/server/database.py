"""Airflow's own database: its tables, and the pool of the warehouse.

`python -m kakuninsho.server.database` does it in a process of its own, whose environment names the installation:
Airflow reads its settings once, when it is imported.
"""

from __future__ import annotations

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


def ensure_connection(*, host: str, port: int, login: str, extra: str) -> None:
    """Make the connection to the printer in Airflow's own database, where its extra is encrypted."""
    from airflow.models.connection import Connection
    from airflow.utils.session import create_session
    from sqlalchemy import delete

    from kakuninsho.orchestration import PRINTER_CONNECTION

    with create_session() as session:
        session.execute(delete(Connection).where(Connection.conn_id == PRINTER_CONNECTION))
        session.add(
            Connection(conn_id=PRINTER_CONNECTION, conn_type="generic", host=host, port=port, login=login, extra=extra)
        )


if __name__ == "__main__":
    ensure_tables()
    ensure_pool()
