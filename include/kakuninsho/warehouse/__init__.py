"""The only place that opens DuckDB or calls dbt."""

from kakuninsho.warehouse.connection import memory, published, warehouse
from kakuninsho.warehouse.context import Context, write_context
from kakuninsho.warehouse.transform import TransformError, run_models

__all__ = ["Context", "TransformError", "memory", "published", "run_models", "warehouse", "write_context"]
