"""How Airflow's processes connect to their SQLite file: they wait for each other's writes instead of failing."""

from __future__ import annotations

# Seconds. The driver's own 5 are too few on a busy machine: a click in the page then ends as "database is locked".
CONNECT_ARGUMENTS = {"timeout": 60}
