"""`kakuninsho verify`: every fact read again, every lot made again, the ledger derived anew (rules: evidence)."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from kakuninsho.facts.store import FactStore
from kakuninsho.facts.verify import Finding, Verified, verify_facts
from kakuninsho.messages import t
from kakuninsho.operations.publishing import newest_fact_on
from kakuninsho.printer.layout import parse_file_name
from kakuninsho.printer.lot_file import LotFileError
from kakuninsho.printer.rebuild import RebuildError, rebuild_lot
from kakuninsho.settings import Settings
from kakuninsho.warehouse import Context, TransformError, run_models, warehouse

LEDGER = "+fct_ledger"


@dataclass
class Report:
    """What `verify` found."""

    facts: Verified
    lots: int = 0  # made again, and the same
    not_rebuilt: dict[str, str] = field(default_factory=dict)  # lot: why its bytes cannot be made again
    identities: int = 0  # of the ledger, derived anew
    findings: list[Finding] = field(default_factory=list)

    def lines(self) -> list[str]:
        """What a person reads: the counts, what cannot be vouched for, and every finding."""
        facts = self.facts
        said = [
            t(
                f"事実 {facts.facts:,} 件 ({facts.bytes:,} バイト)、末尾 {facts.head.count}:{facts.head.sha256}",
                f"{facts.facts:,} facts ({facts.bytes:,} bytes), head {facts.head.count}:{facts.head.sha256}",
            ),
            t(
                f"作り直したロット {self.lots:,}、台帳の恒等式 {self.identities}",
                f"lots made again {self.lots:,}, identities of the ledger {self.identities}",
            ),
        ]
        if facts.vouched_outside < facts.head.count:
            said.append(
                t(
                    f"外に控えた末尾で保証されるのは {facts.vouched_outside:,} 件目まで (印刷会社への目録、--head)",
                    f"a head outside the house vouches for links up to {facts.vouched_outside:,} only "
                    "(manifests to the printer, --head)",
                )
            )
        if facts.not_vouched:
            said.append(
                t(
                    f"{len(facts.not_vouched):,} 件は連鎖の前の版のもの: `kakuninsho adopt` で加えてください",
                    f"{len(facts.not_vouched):,} facts are of a version before the chain: run `kakuninsho adopt`",
                )
            )
        said += [f"{name}: deleted on {day}, not rebuilt" for name, day in sorted(facts.deleted.items())]
        findings = [*facts.findings, *self.findings]
        said += [str(finding) for finding in findings]
        if not findings:
            said.append(t("違いはありません", "nothing differs"))
        return said

    @property
    def is_sound(self) -> bool:
        """Whether everything is as it landed and the ledger closes."""
        return not self.facts.findings and not self.findings


def verify(settings: Settings, *, head: tuple[int, str] | None = None, thorough: bool = True) -> Report:
    """Read every byte of every fact; where that is sound, make every lot again and derive the ledger anew.

    Args:
        settings: the installation.
        head: count and hash of a head that was kept outside the house.
        thorough: whether lots are made again and the ledger is derived.
    """
    report = Report(verify_facts(settings.store, head=head))
    if thorough and not report.facts.findings:
        _rebuild_lots(settings, report)
        _derive_ledger(settings, report)
    return report


def as_dict(report: Report) -> dict[str, Any]:
    """The report for machines."""
    facts = report.facts
    return {
        "facts": facts.facts,
        "bytes": facts.bytes,
        "head": {"count": facts.head.count, "sha256": facts.head.sha256},
        "vouched_outside": facts.vouched_outside,
        "not_vouched": facts.not_vouched,
        "deleted": facts.deleted,
        "lots": report.lots,
        "not_rebuilt": report.not_rebuilt,
        "identities": report.identities,
        "findings": [asdict(finding) for finding in [*facts.findings, *report.findings]],
        "is_sound": report.is_sound,
    }


def _rebuild_lots(settings: Settings, report: Report) -> None:
    store = settings.store
    sealed = [fact for fact in store.all("transfers") if fact.name.endswith("--sealed")]
    lots = [lot for fact in sealed if (lot := parse_file_name(fact.meta["source"]).lot_id)]
    folder = Path(tempfile.mkdtemp(prefix="verify-", dir=store.data_tmp()))
    try:
        for lot_id in lots:
            try:
                rebuilt = rebuild_lot(store, lot_id, folder)
            except (RebuildError, LotFileError) as error:
                report.not_rebuilt[lot_id] = str(error)
                if "deleted on" not in str(error):
                    report.findings.append(Finding("not_rebuilt", lot_id, str(error)))
                continue
            if not rebuilt.agrees:
                report.findings.append(Finding("changed", lot_id, "made again from its plan, the lot has other bytes"))
            report.lots += 1
            rebuilt.path.unlink()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _derive_ledger(settings: Settings, report: Report) -> None:
    """Derive the ledger in a warehouse of its own, from the facts alone."""
    day = newest_fact_on(settings.store)
    if day is None:
        return
    folder = Path(tempfile.mkdtemp(prefix="verify-", dir=settings.store.data_tmp()))
    try:
        (folder / "facts").symlink_to(settings.store.root)
        aside = FactStore(folder, settings.keys)
        run_models(aside, settings.campaign, Context(day), command="run", select=[LEDGER])
        with warehouse(folder) as connection:
            rows = connection.execute("select stage, difference from marts.fct_ledger order by stage").fetchall()
        report.identities = len(rows)
        report.findings += [
            Finding("identity_open", str(stage), f"the sides differ by {difference}")
            for stage, difference in rows
            if difference
        ]
    except TransformError as error:
        report.findings.append(Finding("identity_open", "fct_ledger", str(error)))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
