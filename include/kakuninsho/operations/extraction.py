"""Data extraction (データ抽出): drops of the register are found, checked, judged and landed as facts."""

from __future__ import annotations

import hashlib
import logging
import shutil
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from kakuninsho.derived import read_json, write_json
from kakuninsho.facts.schemas import REFUSALS
from kakuninsho.facts.store import ARROW_TYPES, Fact, FactConflictError, sha256_of
from kakuninsho.gates import GateFailedError, require, run_gate
from kakuninsho.register.branches import losses
from kakuninsho.register.drops import Drop, incomplete_drops, list_drops
from kakuninsho.register.errors import Reason, RegisterConflictError, RegisterDropError
from kakuninsho.register.landing import StagedDrop, land_register, landed, stage_drop
from kakuninsho.runs import recorded
from kakuninsho.settings import Settings
from kakuninsho.warehouse import memory

log = logging.getLogger(__name__)

REFUSED = "refused.txt"
WARNINGS = "warnings.json"
_REGISTER = "register/"
SUITES = ("members", "addresses", "employers", "my_number_cards", "issued_certificates")
# Tables that a suite looks at beside its own.
BESIDE = {"members": (), **dict.fromkeys(SUITES[1:], ("members",))}


@dataclass(frozen=True)
class RefusedDrop:
    """A drop that was refused at the door, and why. No value of a row."""

    as_of: date
    reason: str


def find(settings: Settings, as_of: date) -> list[str]:
    """Drops of the register up to a day that a run has to look at, oldest first, by name.

    Those are the unread ones, the campaign's own while it has not landed, and a second delivery of a landed day with
    other content, which `stage` refuses. Each is landed or refused for itself: none stops another.
    """
    settings.store.initialise()
    for drop in incomplete_drops(settings.register, as_of):
        log.warning("%s has no manifest yet: the drop is not complete, it will be looked for again", drop.name)
    wanted = {drop.as_of for drop in unread_drops(settings, as_of)} | {settings.campaign.parameters.snapshot_as_of}
    return [
        drop.name
        for drop in list_drops(settings.register, as_of)
        if not _is_refused(settings, drop)
        and (
            (drop.as_of in wanted and settings.store.find("register", drop.name) is None) or _conflicts(settings, drop)
        )
    ]


def unread_drops(settings: Settings, as_of: date) -> list[Drop]:
    """Complete drops up to a day that nobody has read yet (rules: a wave and its releases, to the letter box).

    They are neither landed, nor refused at the door, nor older than a landed full drop.
    """
    full = _newest_full(settings)
    return [
        drop
        for drop in list_drops(settings.register, as_of)
        if (full is None or drop.as_of > full)
        and settings.store.find("register", drop.name) is None
        and not _is_refused(settings, drop)
    ]


def refused_drops(settings: Settings, as_of: date) -> list[RefusedDrop]:
    """Drops refused up to a day that have not come right since and that no later landed full drop supersedes.

    What is in them is not seen, protections too. Oldest first.
    """
    full = _newest_full(settings)
    found = []
    for fact in settings.store.all("refusals"):
        if not str(fact.meta["source"]).startswith(_REGISTER) or fact.meta["received_on"] > as_of.isoformat():
            continue
        row = pq.read_table(fact.table("refusals")).to_pylist()[0]
        day = date.fromisoformat(row["file_name"].removeprefix("as_of="))
        is_conflict = row["reason"].startswith(Reason.CONFLICT)
        has_landed = settings.store.find("register", row["file_name"]) is not None
        if (full is None or day >= full) and (is_conflict or not has_landed):
            found.append(RefusedDrop(day, row["reason"]))
    return sorted(found, key=lambda drop: (drop.as_of, drop.reason))


def _newest_full(settings: Settings) -> date | None:
    days = [
        date.fromisoformat(fact.name.removeprefix("as_of="))
        for fact in settings.store.all("register")
        if fact.meta["totals"]["kind"] == "full"
    ]
    return max(days, default=None)


def _conflicts(settings: Settings, drop: Drop) -> bool:
    """Whether a drop's day has landed with other content."""
    try:
        landed(settings.store, drop)
    except RegisterConflictError:
        return True
    except RegisterDropError:
        return False  # not landed, or its manifest cannot be read: staging says so
    return False


def _refusal_name(drop: Drop) -> str:
    """The name of a refusal: the same for the same bytes, so that the drop is looked at again when one has changed."""
    files = [path for path in sorted(drop.path.iterdir()) if path.is_file()]
    content = [drop.name, *(f"{path.name} {sha256_of(path)}" for path in files)]
    return hashlib.sha256("\n".join(content).encode()).hexdigest()[:16]


def _is_refused(settings: Settings, drop: Drop) -> bool:
    """Whether a drop was refused with just these bytes. They are read only where one of its name was refused."""
    source = f"{_REGISTER}{drop.name}"
    if not any(fact.meta["source"] == source for fact in settings.store.all("refusals")):
        return False
    return settings.store.find("refusals", _refusal_name(drop)) is not None


def _set_aside(settings: Settings, drop: str, error: Exception, run: str) -> None:
    code = error.reason if isinstance(error, RegisterDropError) else "gate"
    log.error("%s is refused: %s", drop, error)
    work = _work(settings, drop, run)
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True, mode=0o700)
    (work / REFUSED).write_text(f"{code}: {error}", encoding="utf-8")


def set_aside(settings: Settings, names: list[str], run: str = "") -> dict[str, str]:
    """Why drops of a run were refused, by name."""
    paths = {name: _work(settings, name, run) / REFUSED for name in names}
    return {name: path.read_text(encoding="utf-8") for name, path in paths.items() if path.is_file()}


def stage(settings: Settings, names: list[str], as_of: date, run: str = "") -> dict[str, dict[str, int]]:
    """Verify drops and classify each row into accepted or rejected, aside. Returns rejected rows by drop and file.

    A drop that must not be loaded is set aside with its reason and stops no other; `land` makes it a refusal.
    """
    counts: dict[str, dict[str, int]] = {}
    for drop in _drops(settings, names, as_of):
        with recorded(settings.data, "register-stage", as_of) as record:
            work = _work(settings, drop.name, run)
            shutil.rmtree(work, ignore_errors=True)
            work.mkdir(parents=True)
            try:
                landed(settings.store, drop)
                staged = stage_drop(drop, settings.campaign, work)
            except RegisterDropError as error:
                _set_aside(settings, drop.name, error, run)
                continue
            counts[drop.name] = staged.rejected
            record.update(rows=sum(staged.rows.values()), rejected=sum(staged.rejected.values()))
    return counts


def judge(settings: Settings, names: list[str], as_of: date, run: str = "") -> list[str]:
    """Let the gates judge what was staged. Returns their warnings. A drop that fails is set aside, as in `stage`."""
    warnings: list[str] = []
    refused = set_aside(settings, names, run)
    for name in [name for name in names if name not in refused]:
        work = _work(settings, name, run)
        staged = StagedDrop.read(Drop(date.fromisoformat(name.removeprefix("as_of=")), settings.register / name), work)
        with recorded(settings.data, "register-gate", as_of) as record:
            try:
                warnings += _judged(settings, staged, work)
            except GateFailedError as error:
                _set_aside(settings, name, error, run)
            record["warnings"] = len(warnings)
    return warnings


def _judged(settings: Settings, staged: StagedDrop, work: Path) -> list[str]:
    warnings: list[str] = []
    for table in (table for table in SUITES if table in staged.files):
        result = run_gate(
            f"inbound/register_{table}",
            {file: work / f"{file}.parquet" for file in (table, *BESIDE[table], "rejects")},
            settings.data / "published" / "validations" / staged.name,
            _parameters(settings, staged.name, table, staged),
            campaign=settings.campaign,
        )
        require(result)
        warnings += [f"{staged.as_of} の加入者データ {finding.sentence}" for finding in result.warnings]
    warnings = _losses(settings, staged) + warnings
    write_json(work / WARNINGS, warnings)
    for warning in warnings:
        log.warning("%s", warning)
    return warnings


def _losses(settings: Settings, staged: StagedDrop) -> list[str]:
    """Branches of a full drop that lost rows beside the full drop before it, as sentences."""
    before = _full_drops_before(settings, staged.name)
    if staged.kind != "full" or not before:
        return []
    with memory(spill=settings.store.data_tmp() / "duckdb") as connection:
        found = losses(connection, staged, before[-1], settings.campaign.parameters)
    return [loss.sentence(str(staged.as_of)) for loss in found]


def _full_drops_before(settings: Settings, name: str) -> list[Fact]:
    return [
        fact for fact in settings.store.all("register") if fact.name < name and fact.meta["totals"]["kind"] == "full"
    ]


def land(settings: Settings, names: list[str], as_of: date, run: str = "") -> list[str]:
    """Make staged drops facts, and refusals of those that were set aside. Returns the names of what has landed.

    Raises:
        RegisterDropError: every drop was refused and there is no register at all: nothing can go on.
    """
    names_landed = []
    refused = set_aside(settings, names, run)
    for drop in _drops(settings, names, as_of):
        if drop.name in refused:
            _land_refusal(settings, drop, refused[drop.name], as_of)
        else:
            with recorded(settings.data, "register-land", as_of):
                work = _work(settings, drop.name, run)
                staged = StagedDrop.read(drop, work)
                warnings = list(read_json(work / WARNINGS) or [])
                names_landed.append(land_register(settings.store, staged, as_of, warnings=warnings).name)
        shutil.rmtree(_work(settings, drop.name, run), ignore_errors=True)
    if refused and not settings.store.all("register"):
        name = min(refused)
        raise RegisterDropError(
            Reason.MISSING_FILE,
            file=", ".join(sorted(refused)),
            rule=f"no register has landed, and what came is refused ({refused[name]})",
            action="have the drop delivered again; the run goes on with it",
        )
    return names_landed


def _land_refusal(settings: Settings, drop: Drop, reason: str, as_of: date) -> None:
    """Write a refusal down: an alert, and the first warning of approvals, until a later full drop has landed."""
    name = _refusal_name(drop)
    if settings.store.find("refusals", name) is not None:
        return
    row = {"file_name": drop.name, "reason": reason, "received_on": as_of}
    schema = pa.schema([(column, ARROW_TYPES[kind]) for column, kind in REFUSALS["refusals"].items()])
    try:
        with settings.store.land(
            "refusals", name, received_on=as_of, source=f"{_REGISTER}{drop.name}", source_sha256=name
        ) as draft:
            pq.write_table(pa.Table.from_pylist([row], schema=schema), draft.table("refusals"))
    except FactConflictError:
        return  # another run said so meanwhile


def staged_drops(settings: Settings, names: list[str], as_of: date, run: str = "") -> list[StagedDrop]:
    """Drops that were staged and have not landed."""
    refused = set_aside(settings, names, run)
    return [
        StagedDrop.read(drop, _work(settings, drop.name, run))
        for drop in _drops(settings, names, as_of)
        if drop.name not in refused
    ]


def _drops(settings: Settings, names: list[str], as_of: date) -> list[Drop]:
    return [drop for drop in list_drops(settings.register, as_of) if drop.name in names]


def _work(settings: Settings, name: str, run: str = "") -> Path:
    """Each run's own folder: no other run clears it away."""
    key = hashlib.sha256(run.encode()).hexdigest()[:16]
    return settings.data / "staging" / "register" / key / name


def _parameters(settings: Settings, name: str, table: str, staged: StagedDrop) -> dict[str, object]:
    """The gate's parameters: declared rows, row limits, and the rows of the newest full drop before this one."""
    values = settings.campaign.parameters
    before = _full_drops_before(settings, name)
    return {
        "declared_rows": staged.rows[table],
        "max_reject_rate": values.max_reject_rate,
        "max_reject_rows_always_accepted": values.max_reject_rows_always_accepted,
        "previous_rows": before[-1].meta["rows"].get(table) if before else None,
        "as_of": staged.as_of,
        "kind": staged.kind,
    }
