"""Calling dbt: one stage, one call, in this process."""

from __future__ import annotations

import hashlib
import logging
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kakuninsho.campaign import Campaign
from kakuninsho.facts.store import FactStore
from kakuninsho.paths import DBT_PROJECT
from kakuninsho.warehouse import kept
from kakuninsho.warehouse.context import Context, write_context

log = logging.getLogger(__name__)

# DuckDB's file header: a checksum of 8 bytes, then its mark; three blocks of 4 KiB come before any data.
DUCKDB_MARK, DUCKDB_MARK_AT, DUCKDB_LEAST_BYTES = b"DUCK", 8, 3 * 4096


class TransformError(RuntimeError):
    """A dbt node failed. Names the node, the number of failing rows and what to do; holds no row."""


@dataclass(frozen=True)
class NodeResult:
    """How one model, test or seed ended."""

    name: str
    status: str
    seconds: float
    failures: int
    message: str


def run_models(
    store: FactStore,
    campaign: Campaign,
    context: Context,
    *,
    command: str = "build",
    select: Sequence[str] = (),
    exclude: Sequence[str] = ("test_type:unit",),
) -> list[NodeResult]:
    """Write the context and run a dbt command on a selection.

    Staging is made of views, so it is built once per warehouse and project, not with every selection; tables that are
    there as this run would build them (`kept`) are not built again, but tested like the others.

    Args:
        store: facts to read; the warehouse file lies beside them.
        campaign: the campaign whose parameters hold.
        context: the day and run that it is done for.
        command: dbt's command: build, run, test.
        select: dbt selectors; empty means everything.
        exclude: dbt selectors to leave out; unit tests by default, which belong to the tests.

    Raises:
        TransformError: a node failed.
    """
    write_context(store, campaign, context)
    remove_unusable(store.data)
    if select:
        _ensure_staging(store.data)
    arguments = [command, *_option("--select", select)]
    digest = kept.inputs_digest(store, campaign, context.as_of, project_hash())
    if command != "test" and kept.are_current(store.data, digest):
        results = call_dbt(store.data, [*arguments, "--exclude", *exclude, *kept.KEPT])
        # Leaving a model out of a build leaves its tests out as well.
        if command == "build" and "test_type:generic" not in exclude:
            results += call_dbt(store.data, ["test", "--select", *kept.KEPT, *_option("--exclude", exclude)])
        return results
    try:
        results = call_dbt(store.data, [*arguments, *_option("--exclude", exclude)])
    except TransformError:
        kept.mark(store.data, "")
        raise
    if command != "test" and {result.name for result in results}.issuperset(kept.KEPT):
        kept.mark(store.data, digest)
    return results


def call_dbt(data: Path, arguments: list[str], *, write_artifacts: bool = False) -> list[NodeResult]:
    """Call dbt on the warehouse of a data folder and log a line per node.

    Raises:
        TransformError: dbt could not start or a node failed.
    """
    from dbt.cli.main import dbtRunner

    os.environ["KAKUNINSHO_DATA"] = str(data)
    os.environ["DO_NOT_TRACK"] = "1"
    (data / "tmp" / "duckdb").mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    artifacts = "--write-json" if write_artifacts else "--no-write-json"
    try:
        outcome = dbtRunner(manifest=_manifest(data)).invoke([*arguments, *_flags(data), artifacts])
    finally:
        _close()
    results = [_node(result) for result in getattr(outcome.result, "results", None) or []]
    for result in results:
        level = logging.WARNING if result.status in {"warn", "fail", "error"} else logging.INFO
        log.log(level, "%-8s %6.2f s  %s%s", result.status, result.seconds, result.name, _rows(result))
    log.info("dbt %s: %d nodes in %.1f s", arguments[0], len(results), time.monotonic() - started)
    failed = [result for result in results if result.status in {"fail", "error", "runtime error"}]
    if failed:
        raise TransformError(
            "dbt stopped: "
            + "; ".join(f"{node.name} {node.status} ({node.failures} rows) {node.message}" for node in failed[:5])
            + ". Nothing was published or sent; mend the named rule or its facts and run the task again."
        )
    if not outcome.success:
        raise TransformError(f"dbt {arguments[0]} could not run: {_reason(outcome.exception)}")
    return results


def project_manifest(data: Path) -> Any:
    """The parsed dbt project: every model with its columns, descriptions and `meta`.

    Raises:
        TransformError: the project cannot be read.
    """
    os.environ["KAKUNINSHO_DATA"] = str(data)
    os.environ["DO_NOT_TRACK"] = "1"
    return _manifest(data)


_MANIFESTS: dict[tuple[Path, str], Any] = {}


def _manifest(data: Path) -> Any:
    """The parsed project, read once per process, data folder and state of the project's files."""
    from dbt.cli.main import dbtRunner

    key = (data, project_hash())
    if key not in _MANIFESTS:
        outcome = dbtRunner().invoke(["parse", *_flags(data)])
        if not outcome.success:
            raise TransformError(f"the dbt project cannot be read: {_reason(outcome.exception)}")
        _MANIFESTS[key] = outcome.result
    return _MANIFESTS[key]


def _flags(data: Path) -> list[str]:
    return [
        "--project-dir", str(DBT_PROJECT),
        "--profiles-dir", str(DBT_PROJECT),
        "--target-path", str(data / "dbt" / "target"),
        "--log-path", str(data / "dbt" / "logs"),
        "--log-level-file", "none",
        "--log-level", "none",  # results are logged below, a line per node
        "--no-version-check",
        "--cache-selected-only",  # asking for the relations of every schema takes as long as a small model
    ]  # fmt: skip


def _close() -> None:
    """Close the warehouse file: open within one call of dbt (reopening it per node costs as much as the work)."""
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager

    close: Callable[[], None] = DuckDBConnectionManager.close_all_connections
    close()


def remove_unusable(data: Path) -> None:
    """Remove a warehouse file that is none: it is derived, and dbt would try to open it for ever."""
    path = data / "warehouse.duckdb"
    try:
        with path.open("rb") as file:
            head = file.read(len(DUCKDB_MARK) + DUCKDB_MARK_AT)
    except FileNotFoundError:
        return
    if head[DUCKDB_MARK_AT:] != DUCKDB_MARK or path.stat().st_size < DUCKDB_LEAST_BYTES:
        log.warning("warehouse.duckdb is no database of DuckDB: it is derived and built anew")
        path.unlink()
        path.with_suffix(".duckdb.wal").unlink(missing_ok=True)


def _ensure_staging(data: Path) -> None:
    mark = data / "dbt" / "staging.sha256"
    # The views name their files by absolute path, so a folder that was moved needs them anew.
    digest = f"{project_hash()} {data}"
    current = mark.read_text(encoding="utf-8") if mark.is_file() and (data / "warehouse.duckdb").is_file() else ""
    if current != digest:
        call_dbt(data, ["seed"])
        call_dbt(data, ["run", "--select", "path:models/staging"])
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.write_text(digest, encoding="utf-8")


def project_hash() -> str:
    """A hash of names, sizes and times of the project's files: which state of the models a warehouse was built by."""
    digest = hashlib.sha256()
    for path in sorted(DBT_PROJECT.rglob("*")):
        if path.suffix in {".sql", ".yml", ".csv"}:
            stat = path.stat()
            digest.update(f"{path} {stat.st_size} {stat.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _option(name: str, values: Sequence[str]) -> list[str]:
    return [name, *values] if values else []


def _node(result: Any) -> NodeResult:
    failures = result.failures or 0
    status = str(result.status)
    # The adapter's message of a failed test is a count; of a failed model it can quote a value, so keep its
    # first line only up to the quotation.
    message = (result.message or "").strip().splitlines()
    text = " ".join(message[:3]).split("'")[0][:200] if status in {"error", "fail", "runtime error"} else ""
    return NodeResult(result.node.name, status, result.execution_time, failures, text)


def _rows(result: NodeResult) -> str:
    return f"  ({result.failures} rows)" if result.failures else ""


def _reason(exception: BaseException | None) -> str:
    return str(exception).strip() if exception else "see the log above"
