"""Which marts and columns are personal: said once, in the models' `meta` (`personal: true`), read here from dbt.

A model marked as a whole goes to the restricted copy only; a marked column is left out of the copy for analysts.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

MARTS = "marts"


@dataclass(frozen=True)
class Mart:
    """One mart as its description has it."""

    name: str
    columns: tuple[str, ...]
    personal_columns: frozenset[str]
    is_personal: bool  # as a whole

    @property
    def open_columns(self) -> tuple[str, ...]:
        """What analysts get, in order; nothing of a mart that is personal as a whole."""
        return () if self.is_personal else tuple(name for name in self.columns if name not in self.personal_columns)

    @property
    def is_restricted(self) -> bool:
        """Whether the restricted copy has it, in full."""
        return self.is_personal or bool(self.personal_columns)


def described_marts(data: Path) -> dict[str, Mart]:
    """Every mart of the dbt project by name.

    Raises:
        TransformError: the project cannot be read.
    """
    from kakuninsho.warehouse.transform import project_manifest

    nodes = project_manifest(data).nodes.values()
    return {
        node.name: _mart(node)
        for node in sorted(nodes, key=lambda node: str(node.name))
        if str(node.resource_type) == "model" and node.schema == MARTS
    }


def _mart(node: Any) -> Mart:
    columns = tuple(node.columns)
    marked = frozenset(name for name, column in node.columns.items() if _is_marked(column))
    return Mart(node.name, columns, marked, _is_marked(node))


def _is_marked(described: Any) -> bool:
    """Whether `meta` says personal; dbt keeps it below `config` and, for readers of old, beside it."""
    config = getattr(described, "config", None)
    meta = {**(getattr(described, "meta", None) or {}), **(getattr(config, "meta", None) or {})}
    return meta.get("personal") is True
