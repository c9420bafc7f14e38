"""Great Expectations on an in-memory DuckDB: the one module that imports it, so it is imported last and quietly.

Importing it takes seconds and would flood the log; nothing but `runner` and the suites of `expectations/` may do so.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal
from unittest.mock import patch
from uuid import uuid4

# Before the import: the first keeps it from posting usage, the second from writing hundreds of lines.
os.environ["GX_ANALYTICS_ENABLED"] = "false"
logging.getLogger("great_expectations").setLevel(logging.WARNING)
# Its errors quote the database's words, and those may quote a value; the runner tells of them without.
logging.getLogger("great_expectations").addFilter(lambda record: record.levelno < logging.ERROR)

# ruff: noqa: E402 (the lines above must come first)
import sqlalchemy
from sqlalchemy.dialects import postgresql
from sqlalchemy.pool import NullPool

from kakuninsho.gates.suite import with_literals
from kakuninsho.gates.text import text_macros
from kakuninsho.warehouse.connection import memory_limit

# Any: its own annotations do not hold under a strict checker.
gx: Any = import_module("great_expectations")
gxe: Any = import_module("great_expectations.expectations")
_config: Any = import_module("great_expectations.data_context.types.base")
_fluent: Any = import_module("great_expectations.datasource.fluent")
_engines: Any = import_module("great_expectations.execution_engine")

# Some of its modules set a level of their own on import.
for _name in [name for name in logging.root.manager.loggerDict if name.startswith("great_expectations.")]:
    logging.getLogger(_name).setLevel(logging.NOTSET)
    logging.getLogger(_name).addFilter(lambda record: record.levelno < logging.ERROR)

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["InMemoryDuckDB", "RowsThatBreakTheRule", "gx", "gxe", "rows"]


class DuckDBExecutionEngine(_engines.SqlAlchemyExecutionEngine):  # type: ignore[misc]  # GX's classes are Any, see above
    """GX's SQL engine with one connection kept open.

    GX closes the connection before it fetches; on DuckDB the result is then gone. DuckDB speaks PostgreSQL's
    regular expressions, which GX looks up in the dialect module.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.dialect_module = postgresql

    @contextmanager
    def get_connection(self) -> Iterator[Any]:
        """The one connection; it stays open until the engine is disposed of."""
        if self._connection is None:  # type: ignore[has-type]  # set by GX's own class
            self._connection = self.engine.connect()
        yield self._connection

    def get_inspector(self) -> Any:
        """SQLAlchemy's look at the tables. Candidates are views: asking for their keys costs more than most rules."""
        inspector = super().get_inspector()
        inspector.get_pk_constraint = lambda *_, **__: {"constrained_columns": [], "name": None}
        return inspector

    def execute_query(self, query: Any) -> Any:
        """Run a query. One that fails must not take those after it along: DuckDB aborts the whole transaction."""
        try:
            return super().execute_query(query)
        except Exception:
            if self._connection is not None:
                self._connection.rollback()
            raise


class InMemoryDuckDBDatasource(_fluent.SQLDatasource):  # type: ignore[misc]  # Any, see above
    """A datasource over a DuckDB that exists only in this process, under a name by which every part of GX meets it."""

    type: Literal["duckdb"] = "duckdb"
    connection_string: str

    @property
    def execution_engine_type(self) -> Any:
        """The engine that keeps its connection."""
        return DuckDBExecutionEngine

    def get_engine(self) -> Any:
        """One SQLAlchemy engine; the named database lives as long as one of its connections is open."""
        if self._engine is None:  # type: ignore[has-type]  # set by GX's own class
            self._engine = sqlalchemy.create_engine(self.connection_string, poolclass=NullPool)
        return self._engine

    def get_execution_engine(self) -> DuckDBExecutionEngine:
        """GX's engine over the same database."""
        if self._execution_engine is None:  # type: ignore[has-type]  # set by GX's own class
            self._execution_engine = DuckDBExecutionEngine(engine=self.get_engine(), create_temp_table=False)
        return self._execution_engine


class RowsThatBreakTheRule(gxe.UnexpectedRowsExpectation):  # type: ignore[misc]  # Any, see above
    """A rule written as the SQL of the rows that break it. Only their count leaves the database.

    GX's own class also fetches rows (a second run of the query, and values in memory); this one asks for the count.
    """

    metric_dependencies: ClassVar[tuple[str, ...]] = ("unexpected_rows_query.row_count",)

    def _validate(
        self, metrics: dict[str, Any], runtime_configuration: Any = None, execution_engine: Any = None
    ) -> dict[str, Any]:
        count = metrics["unexpected_rows_query.row_count"]
        return {"success": count == 0, "result": {"observed_value": count}}


def rows(query: str) -> Callable[[Mapping[str, Any]], RowsThatBreakTheRule]:
    """Make a rule from the SQL of the rows that break it.

    `{batch}` is the rule's own table; other tables of the suite are read by name; `$name` is a parameter, put in as
    a literal. Every other brace is doubled here, because GX would read it as a placeholder. The batch goes through a
    CTE, because GX puts it in now with an alias of its own and now without, depending on the word JOIN.
    """

    def build(parameters: Mapping[str, Any]) -> RowsThatBreakTheRule:
        text = with_literals(query, parameters).replace("{batch}", "candidate")
        text = text.replace("{", "{{").replace("}", "}}")
        return RowsThatBreakTheRule(unexpected_rows_query=f"with candidate as (select * from {{batch}}) {text}")

    return build


@contextmanager
def _configurations_made_once() -> Iterator[None]:
    """Spare a gate about a fifth of its time: GX makes each expectation's configuration some forty times anew.

    Nothing about an expectation changes while it is judged.
    """
    make = gxe.Expectation.configuration.fget
    made: dict[int, tuple[Any, Any]] = {}

    def configuration(expectation: Any) -> Any:
        if id(expectation) not in made:
            # With its expectation, whose place in memory is then nobody else's.
            made[id(expectation)] = (expectation, make(expectation))
        return made[id(expectation)][1]

    with patch.object(gxe.Expectation, "configuration", property(configuration)):
        yield


class InMemoryDuckDB:
    """An ephemeral GX context over an in-memory DuckDB. Use as a context manager."""

    def __init__(self) -> None:
        config = _config.DataContextConfig(
            store_backend_defaults=_config.InMemoryStoreBackendDefaults(init_temp_docs_sites=False),
            progress_bars=_config.ProgressBarsConfig(globally=False),
            analytics_enabled=False,
        )
        context = gx.get_context(mode="ephemeral", project_config=config)
        # It lives for one gate: writing its configuration out as YAML at each table takes longer than most rules.
        context._save_project_config = lambda *_, **__: None
        name = f"duckdb:///:memory:gate-{uuid4().hex}"
        self._source: Any = context.add_datasource(
            datasource=InMemoryDuckDBDatasource(name="candidate", connection_string=name)
        )
        self._connection = self._source.get_engine().connect()
        # As every other connection of the project: a gate of a national file spills, it does not take the machine.
        self.execute(f"set memory_limit = '{memory_limit()}'")
        self.execute("set threads = 2")
        macros = Path(__file__).with_name("macros.sql").read_text(encoding="utf-8")
        for script in (macros, text_macros()):
            self.execute(script)

    def __enter__(self) -> InMemoryDuckDB:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()
        self._source.get_execution_engine().close()
        self._source.get_engine().dispose()

    def execute(self, sql: str) -> list[tuple[Any, ...]]:
        """Run SQL of this package and fetch what it gives."""
        result = self._connection.exec_driver_sql(sql)
        found = [tuple(row) for row in result.fetchall()] if result.returns_rows else []
        self._connection.commit()
        return found

    def validate(self, table: str, expectations: list[Any]) -> Any:
        """Validate a table against expectations: BASIC results, counts without a single value."""
        asset = self._source.add_table_asset(name=table, table_name=table)
        batch = asset.add_batch_definition_whole_table("whole").get_batch()
        suite = gx.ExpectationSuite(name=table, expectations=expectations)
        with _configurations_made_once():
            return batch.validate(suite, result_format={"result_format": "BASIC", "partial_unexpected_count": 0})
