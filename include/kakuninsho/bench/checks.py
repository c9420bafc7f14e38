"""What must hold after a run, or the benchmark fails: the ledger closes, and manifests, marts and register agree."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from kakuninsho.bench.errors import BenchError
from kakuninsho.settings import Settings
from kakuninsho.warehouse import published


def published_rows(settings: Settings) -> int:
    """Rows of all published marts."""
    with published(settings.data) as connection:
        row = connection.execute("select sum(estimated_size) from duckdb_tables()").fetchone()
    return int(row[0]) if row else 0


def check_all(settings: Settings, expected: Path | None) -> dict[str, Any]:
    """Hold the published marts against the ledger, the sealed manifests and what the synthetic register planted.

    Raises:
        BenchError: something does not agree.
    """
    problems: list[str] = []
    with published(settings.data) as connection:
        connection.execute("set memory_limit = '3GB'")
        ledger = connection.execute("select stage, left_side, right_side, closes from marts.fct_ledger").fetchall()
        problems += [f"ledger {stage}: {left} against {right}" for stage, left, right, closes in ledger if not closes]
        marts = {
            lot_id: counts
            for lot_id, *counts in connection.execute(
                """
                select lot_id, envelope_count, coalesce(envelopes, 0), coalesce(certificates, 0)
                from marts.fct_lots
                left join (
                    -- A spoiled piece and the one printed for it are one piece of the lot.
                    select lot_id, count(*) as envelopes, sum(certificate_count)::bigint as certificates
                    from marts.fct_envelopes where status <> 'spoiled' group by lot_id
                ) using (lot_id)
                """
            ).fetchall()
        }
        totals = connection.execute(
            """
            select
                (select count(*) from marts.fct_certificates),
                (select count(*) from marts.fct_envelopes),
                (select count(*) from marts.fct_employer_lists)
            """
        ).fetchone() or (0, 0, 0)
        if expected is not None:
            wrong = connection.execute(
                f"""
                select count(*) from read_parquet('{expected}') as planted
                full join marts.fct_member_dispositions as found using (insurer_number, symbol, number, suffix)
                where found.disposition is distinct from planted.disposition
                    or found.reason_code is distinct from planted.reason_code
                """
            ).fetchone()
            if wrong and wrong[0]:
                problems.append(f"{wrong[0]} people have another disposition than was planted")
    manifests = _manifests(settings)
    problems += _compare(manifests, marts)
    lines = sum(manifest["list_line_count"] - _samples(manifest, "employer_list") for manifest in manifests.values())
    if lines != totals[2]:
        problems.append(f"list lines: {lines} in the manifests, {totals[2]} in fct_employer_lists")
    if problems:
        raise BenchError(f"the run does not close: {'; '.join(problems[:10])} ({len(problems)} in all)")
    return {
        "ledger": [{"stage": stage, "left": left, "right": right} for stage, left, right, _ in ledger],
        "certificates": totals[0],
        "envelopes": totals[1],
        "list_lines": totals[2],
        "lots": len(manifests),
    }


def _samples(manifest: dict[str, Any], kind: str) -> int:
    is_list = bool(manifest["list_line_count"])
    return int(manifest["sample_count"]) if is_list == (kind == "employer_list") else 0


def _manifests(settings: Settings) -> dict[str, dict[str, Any]]:
    """The manifest of each sealed lot, by lot."""
    found = {}
    for fact in settings.store.all("transfers"):
        if fact.name.endswith("--sealed"):
            manifest = json.loads((fact.path / f"{fact.meta['source']}.manifest.json").read_text(encoding="utf-8"))
            if manifest["file_kind"] == "lot":
                found[manifest["lot_id"]] = manifest
    return found


def _compare(manifests: dict[str, dict[str, Any]], marts: dict[str, list[int]]) -> list[str]:
    problems = []
    if manifests.keys() != marts.keys():
        problems.append(f"{len(manifests)} lots are sealed, {len(marts)} are in fct_lots")
    for lot_id in manifests.keys() & marts.keys():
        manifest, (planned, envelopes, certificates) = manifests[lot_id], marts[lot_id]
        pieces = manifest["envelope_count"] - manifest["sample_count"]
        # Packets of a bundle are no pieces of the lot, and a sample of a list has no certificate.
        of_lot = manifest["certificate_count"] - _samples(manifest, "household")
        if pieces != planned or (envelopes and (pieces, of_lot) != (envelopes, certificates)):
            problems.append(
                f"lot {lot_id}: {pieces} pieces and {of_lot} certificates in the manifest, "
                f"{planned} planned, {envelopes} and {certificates} in the marts"
            )
    return problems
