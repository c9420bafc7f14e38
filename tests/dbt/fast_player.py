"""The real dbt models without dbt's overhead: compiled once in a process, then run as SQL in memory, world after world.

dbt parses and compiles the project once, in a template folder without facts. A player puts its own folder in the place
of the template's, and builds a model as dbt would: its SQL as a table, or a view where the project says so, after
everything that it reads. Facts are landed, drafted and frozen through the store and the drafting that production
uses. A stage takes some tenths of a second, so thousands of households can live through a season.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any
from unittest.mock import patch

import duckdb
from mailing_facts import MailingFacts

from kakuninsho.campaign import load_campaign
from kakuninsho.facts.store import FactStore
from kakuninsho.operations.planning import MODELS
from kakuninsho.plans import draft
from kakuninsho.plans.draft import PlanRequest
from kakuninsho.plans.freeze import freeze_plan
from kakuninsho.warehouse import Context, transform
from kakuninsho.warehouse.context import write_context


@dataclass(frozen=True)
class Node:
    """A model: where it lies, what it is made of, and what it reads."""

    name: str
    relation: str
    sql: str
    is_view: bool
    reads: tuple[str, ...]


class CompiledProject:
    """The project as SQL, and its seeds: made once."""

    def __init__(self, template: Path) -> None:
        from dbt.cli.main import dbtRunner

        self.template = template
        store = FactStore(template)
        store.initialise()
        write_context(store, load_campaign(), Context(date(2025, 4, 30)))
        os.environ["KAKUNINSHO_DATA"] = str(template)
        transform.call_dbt(template, ["seed"])
        runner = dbtRunner(manifest=transform._manifest(template))
        outcome = runner.invoke(["compile", *transform._flags(template), "--no-write-json"])
        transform._close()
        if not outcome.success:
            raise AssertionError(f"the project does not compile: {outcome.exception}")
        nodes = [result.node for result in outcome.result.results]
        self.nodes = {
            node.unique_id: Node(
                node.name,
                node.relation_name,
                node.compiled_code,
                node.config.materialized == "view",
                tuple(name for name in node.depends_on.nodes if name.startswith("model.")),
            )
            for node in nodes
            if node.resource_type == "model"
        }
        # Tests that look for rows of what must not be; an open ledger is a warning there, and read by itself here.
        self.tests = {
            node.name: (node.compiled_code, tuple(key for key in node.depends_on.nodes if key.startswith("model.")))
            for node in nodes
            if node.resource_type == "test" and node.name.startswith("assert_") and node.name != "assert_ledger_closes"
        }
        with duckdb.connect(str(template / "warehouse.duckdb"), read_only=True) as connection:
            self.seeds = {
                table: connection.execute(f"from reference.{table}").to_arrow_table()
                for (table,) in connection.execute(
                    "select table_name from information_schema.tables where table_schema = 'reference'"
                ).fetchall()
            }

    @cached_property
    def by_name(self) -> dict[str, str]:
        """Unique id by name of a model."""
        return {node.name: key for key, node in self.nodes.items()}

    def above(self, names: Sequence[str]) -> list[Node]:
        """Models and everything that they read, in order of building; views of staging are there already."""
        ordered: dict[str, None] = {}

        def visit(key: str) -> None:
            if key in ordered:
                return
            for other in self.nodes[key].reads:
                visit(other)
            ordered[key] = None

        for name in names:
            visit(self.by_name[name])
        return [self.nodes[key] for key in ordered]


class FastPlayer(MailingFacts):
    """Facts of one world, and its warehouse in memory."""

    def __init__(self, data: Path, project: CompiledProject) -> None:
        super().__init__(data)
        self.project = project
        self.connection = duckdb.connect(":memory:")
        self.connection.execute("set threads = 1")
        self.connection.execute("attach ':memory:' as warehouse")
        self.connection.execute("use warehouse")
        for schema in ("reference", "staging", "intermediate", "marts"):
            self.connection.execute(f"create schema {schema}")
        for table, rows in project.seeds.items():
            self.connection.register("incoming", rows)
            self.connection.execute(f"create table reference.{table} as from incoming")
            self.connection.unregister("incoming")
        self.built: set[str] = set()

    def close(self) -> None:
        """Give the memory back."""
        self.connection.close()

    def _sql(self, text: str) -> str:
        return text.replace(str(self.project.template), str(self.store.data))

    def run(self, as_of: date, models: Sequence[str], **context: Any) -> None:
        """Build models and all that they read, for a day."""
        write_context(self.store, self.campaign, Context(as_of, **context))
        if not self.built:
            staging = [node.name for node in self.project.nodes.values() if '."staging".' in node.relation]
            for node in self.project.above(staging):
                self.connection.execute(f"create or replace view {node.relation} as {self._sql(node.sql)}")
                self.built.add(self.project.by_name[node.name])
        for node in self.project.above(models):
            if '."staging".' not in node.relation:
                kind = "view" if node.is_view else "table"
                try:
                    self.connection.execute(f"create or replace {kind} {node.relation} as {self._sql(node.sql)}")
                except duckdb.Error as error:
                    raise AssertionError(f"{node.name} does not run: {type(error).__name__} {error}") from error
                self.built.add(self.project.by_name[node.name])

    def freeze(self, wish: PlanRequest) -> Path:
        """Draft a plan from what is pending on its day, and make it a fact; returns its folder."""
        models = [re.split("[+,]", selector.lstrip("+"))[0] for selector in MODELS[wish.kind]]
        self.run(wish.as_of, models, run_kind=wish.kind, posting_date=wish.posting_date, run_on=wish.run_on)
        with patch.object(draft, "warehouse", self._cursor):
            draft.draft_plan(self.store, self.campaign, wish)
        return freeze_plan(self.store, wish.plan_id, wish.as_of).path

    @contextmanager
    def _cursor(self, _data: Path) -> Iterator[duckdb.DuckDBPyConnection]:
        with self.connection.cursor() as cursor:
            cursor.execute("use warehouse")
            yield cursor

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Rows of a query on the models built last."""
        return self.connection.execute(query).fetchall()

    def failing(self) -> dict[str, bool]:
        """Of the project's own tests those whose models have been built: whether they find anything."""
        return {
            name: bool(self.rows(self._sql(sql)))
            for name, (sql, reads) in self.project.tests.items()
            if self.built.issuperset(reads)
        }
