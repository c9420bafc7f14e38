"""From a wish for a plan to files at the printer: check, draft, judge, freeze, write, approve, send.

Each function is safe to run again: what is frozen, approved or sent is found and left as it is.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from kakuninsho.campaign import add_business_days, branch_names
from kakuninsho.derived import write_json
from kakuninsho.facts import gathered
from kakuninsho.facts.soundness import require_sound
from kakuninsho.facts.store import Fact, refuse_changed
from kakuninsho.gates import load_suite, require, run_gate
from kakuninsho.gates.file_bytes import Claimed
from kakuninsho.gates.last_door import judge_files, judge_manifests
from kakuninsho.gates.lot_files import write_file_counts
from kakuninsho.gates.manifests import SealedFile
from kakuninsho.gates.tables import BESIDE
from kakuninsho.operations import target_shares
from kakuninsho.operations.last_look import require_free
from kakuninsho.plans.approvals import Subject, is_rejected, require_approved, subject_hash
from kakuninsho.plans.draft import Draft, PlanError, PlanRequest, candidate_path, draft_plan
from kakuninsho.plans.freeze import freeze_plan, is_backdated, land_nothing_to_do, refuse_backdated
from kakuninsho.printer.lot_file import (
    ClearFile,
    write_lots,
    write_pull_list,
    write_release_order,
    write_stop_order,
    write_urgent_pull_list,
)
from kakuninsho.printer.outbox import note_files, waiting_files
from kakuninsho.printer.sealing import load_keys
from kakuninsho.printer.transfer import MANIFEST_SUFFIX, SEALED_SUFFIX, SftpTarget, deliver_all, land_stopped, seal_all
from kakuninsho.runs import recorded
from kakuninsho.settings import Settings
from kakuninsho.warehouse import Context, run_models, warehouse

log = logging.getLogger(__name__)

JUDGED = "judged.json"  # the gate's warnings, beside a draft that it has passed

# What must be built before a plan of each kind can be drafted; staging is there already.
MODELS = {
    "home": [
        "+int_plan_pending_home,path:models/intermediate",
        "+int_target_shares,path:models/intermediate",
        "int_run_context",
    ],
    "release": [
        "+int_plan_pending_supplementary,path:models/intermediate",
        "+int_lots_to_release,path:models/intermediate",
        "int_run_context",
    ],
    "resend": ["+int_lots,path:models/intermediate", "int_run_context"],
    "follow_up": [
        "+int_follow_ups_pending,path:models/intermediate",
        "+int_employers_judged,path:models/intermediate",
        "int_run_context",
    ],
    "employer_list": ["+int_employer_list_lines_pending,path:models/intermediate", "int_run_context"],
    "request": [
        "+int_plan_pending_request,path:models/intermediate",
        "+int_requests_judged,path:models/intermediate",
        "int_run_context",
    ],
    "stop": ["+int_lots,path:models/intermediate", "int_run_context"],
    "pull": ["+int_urgent_pulls,path:models/intermediate", "int_run_context"],
}


def check(settings: Settings, wish: PlanRequest, *, dry_run: bool = False, own_day: date | None = None) -> PlanRequest:
    """Say what is missing before a plan can be made; returns the wish, renamed when an earlier try was rejected.

    Args:
        settings: the installation.
        wish: the plan that is wanted.
        dry_run: whether it will only be shown: a dry run may look back and ahead.
        own_day: the day of the run itself, after which no plan is made.

    Raises:
        PlanError: the campaign's register has not landed, the home plan is missing, a later day is frozen, or the
            plan's day has not come yet.
    """
    store = settings.store
    require_sound(store)
    snapshot = settings.campaign.parameters.snapshot_as_of
    if store.find("register", f"as_of={snapshot}") is None:
        raise PlanError(
            f"plan {wish.plan_id}: the register of {snapshot} has not landed; run extract_register first "
            f"(drops are looked for in {settings.register})"
        )
    if wish.kind != "home" and store.find("plans", home_plan_id(settings)) is None:
        raise PlanError(f"plan {wish.plan_id}: the home plan is not frozen yet; run hand_off_to_printer first")
    while is_rejected(store, wish.plan_id):
        wish = replace(wish, attempt=wish.attempt + 1)
    if not dry_run:
        if own_day is not None and own_day < wish.as_of:
            raise PlanError(
                f"plan {wish.plan_id} is refused: its day {wish.as_of} lies after the day of this run, {own_day}; "
                "nothing is frozen for a day that has not come. Use the dry run to look ahead"
            )
        refuse_backdated(store, wish.plan_id, wish.as_of)
    return wish


def had_nothing_to_do(settings: Settings, wish: PlanRequest) -> bool:
    """Whether this run found nothing to do when its day had come, and a later day has been acted upon since."""
    store = settings.store
    return store.find("nothing_to_do", wish.plan_id) is not None and is_backdated(store, wish.plan_id, wish.as_of)


def note_nothing_to_do(settings: Settings, wish: PlanRequest) -> str:
    """Land that a run looked and found nothing to do, so that it is found again. Returns the plan's name."""
    register = newest_register_on(settings, wish.as_of)
    return land_nothing_to_do(settings.store, wish, looked_at=f"register {register or '-'}").name


def newest_register_on(settings: Settings, as_of: date) -> date | None:
    """The day of the newest register drop that has landed by a day."""
    drops = settings.store.all("register", until=as_of)
    return date.fromisoformat(drops[-1].name.removeprefix("as_of=")) if drops else None


def home_plan_id(settings: Settings) -> str:
    """The first plan of the campaign, the newest attempt that was not rejected."""
    wish = home_wish(settings, settings.campaign.parameters.snapshot_as_of)
    while is_rejected(settings.store, wish.plan_id):
        wish = replace(wish, attempt=wish.attempt + 1)
    return wish.plan_id


def draft(settings: Settings, wish: PlanRequest) -> dict[str, Any]:
    """Build what is pending and draft the plan, while the caller holds the warehouse's slot. Returns its totals."""
    frozen = settings.store.find("plans", wish.plan_id)
    if frozen is not None:
        log.info("plan %s is frozen already", wish.plan_id)
        return dict(frozen.meta["totals"])
    with recorded(settings.data, f"draft-{wish.kind}", wish.as_of) as record:
        context = Context(wish.as_of, wish.kind, wish.posting_date, wish.run_on)
        run_models(settings.store, settings.campaign, context, command="run", select=MODELS[wish.kind])
        if wish.kind == "home":
            with warehouse(settings.data) as connection:
                target_shares.require_believable(target_shares.off_shares(connection))
        drafted = draft_plan(settings.store, settings.campaign, wish)
        record.update(drafted.totals)
    return dict(drafted.totals)


def nothing_to_do(settings: Settings, wish: PlanRequest) -> str | None:
    """Why a plan that was just drafted is neither frozen nor shown to anybody; None when there is something to do.

    The draft is made from the models, so they alone say which lots are open, released or undone (int_lots).
    """
    if wish.kind not in _NOTHING or settings.store.find("plans", wish.plan_id) is not None:
        return None
    path = candidate_path(settings.store, wish.plan_id)
    reason, tables = _NOTHING[wish.kind]
    if not tables:
        return None if Draft.read(path).totals["row_count"] else reason
    return None if any(pq.read_metadata(path / f"{table}.parquet").num_rows for table in tables) else reason


# What a plan of each kind would do something to, and the words when there is none.
_NOTHING = {
    "release": ("この差出日に差し出すロットはありません (no lot to release)", ("lots", "release_lots", "pulls")),
    "resend": ("作り直して送るロットはありません (no lot to send again)", ("lots", "replaced_lots")),
    "request": ("申請も対象者もありません (nothing to issue or to refuse)", ()),
    "follow_up": ("事業所へ送り直すものはありません (nothing came back that is not followed up)", ()),
    "employer_list": ("一覧に載せる人はいません (nobody to list)", ()),
}


def judge(settings: Settings, wish: PlanRequest) -> list[str]:
    """Let the gate judge the draft. Returns warnings for the approvers.

    Raises:
        GateFailedError: a critical expectation fails; nothing is frozen.
    """
    if settings.store.find("plans", wish.plan_id) is not None:
        return []
    path = candidate_path(settings.store, wish.plan_id)
    warnings = _judge_draft(settings, wish, path)
    # Beside the draft, and gone with it when it is drafted again: `freeze` looks for it.
    write_json(path / JUDGED, warnings)
    return warnings


def _judge_draft(settings: Settings, wish: PlanRequest, path: Path) -> list[str]:
    totals = Draft.read(path).totals
    if wish.kind == "stop":
        posted = totals.get("lots_posted")
        # What holds for each lot was asked of the models when it was drafted; there is no piece to judge.
        return [f"差出済みの {posted} ロットには効果がないため、指示に含めません (posted: no effect)"] if posted else []
    if wish.kind == "pull":
        return _warn_of_late_pulls(wish, path)
    if wish.kind in {"follow_up", "employer_list"} and not totals["row_count"]:
        return ["この計画には対象がありません (nobody in this plan)"]  # the close always makes its own
    suite = {"follow_up": "outbound/follow_up", "employer_list": "outbound/employer_lists"}.get(
        wish.kind, "outbound/plan_lots"
    )
    parameters: dict[str, Any] = {"highest_sequence_before": totals["highest_sequence_before"]}
    if wish.kind in {"release", "resend", "request"}:
        # A posting date with nothing but pulls, or nothing at all to change, has no certificate of its own; nor has a
        # run whose requests are all refused.
        parameters["declared_rows"] = totals["certificate_count"]
    with recorded(settings.data, f"gate-{wish.kind}", wish.as_of) as record:
        result = run_gate(
            suite,
            _gate_tables(suite, path),
            _reports(settings, wish.plan_id),
            parameters,
            campaign=settings.campaign,
        )
        record["warnings"] = len(result.warnings)
    require(result)
    off = target_shares.warnings(path / "target_shares.parquet")
    return off + _doubts(path) + [finding.sentence for finding in result.warnings]


def _doubts(path: Path) -> list[str]:
    """Branches whose lots a release leaves out because the newest register would empty them."""
    if not (path / "doubts.parquet").is_file():
        return []
    return [
        f"{branch_names()[row['prefecture']]}: この差出日の封筒 {row['envelope_count']:,} 通のうち、"
        f"加入者データに行がない・受入不可 {row['missing_count']:,} 通、内容の変更 {row['changed_count']:,} 通です。"
        "多すぎるため、この支部のロットは差し出さず、引抜きもしません。"
        "加入者データを確かめ、正しければ resume を記録してください"
        for row in pq.read_table(path / "doubts.parquet").sort_by("prefecture").to_pylist()
    ]


def _warn_of_late_pulls(wish: PlanRequest, path: Path) -> list[str]:
    """What holds for each piece was asked of the models; people must know which may have left already."""
    rows = pq.read_table(path / "pulls.parquet", columns=["envelope_id", "posting_date", "reason_code"]).to_pylist()
    pieces = {row["envelope_id"] for row in rows}
    late = {row["envelope_id"] for row in rows if row["posting_date"] <= wish.as_of}
    protected = {row["envelope_id"] for row in rows if row["reason_code"] == "address_protected"}
    said = [
        f"送付の後に、支援措置の対象となった人を含む発送物 {len(protected)} 件、"
        f"人が止めた発送物 {len(pieces - protected)} 件です。承認が遅れると差し出されます"
    ]
    if late:
        said.append(f"うち {len(late)} 件は差出日を過ぎています。間に合わなければ事故として報告されます")
    return said


def _reports(settings: Settings, name: str) -> Path:
    return settings.data / "published" / "validations" / name


def freeze(settings: Settings, wish: PlanRequest) -> str:
    """Make the draft a fact. Returns the plan's id.

    Raises:
        PlanError: the draft was not judged, or has been made again since.
    """
    path = candidate_path(settings.store, wish.plan_id)
    if settings.store.find("plans", wish.plan_id) is None and not (path / JUDGED).is_file():
        raise PlanError(
            f"plan {wish.plan_id}: the gate has not judged this draft; nothing is frozen. Clear the task judge_plan"
        )
    with recorded(settings.data, f"freeze-{wish.kind}", wish.as_of):
        return freeze_plan(settings.store, wish.plan_id, wish.as_of).name


def write_files(settings: Settings, plan_id: str) -> dict[str, str]:
    """Write the clear files of a frozen plan into its outbox folder. Returns SHA-256 by file name.

    Raises:
        CorruptFactError: the plan on disk is not the one that was frozen.
        GateFailedError: the bytes, read back, do not say what the plan says.
    """
    files = clear_files(settings, plan_id)
    outbox = settings.data / "outbox" / plan_id
    if any(file.lot_id for file in files):
        counts = write_file_counts(files, outbox / "files.parquet")
        lots = settings.store.get("plans", plan_id).table("lots")
        tables, reports = {"files": counts, "lots": lots}, _reports(settings, plan_id)
        require(run_gate("outbound/lot_file", tables, reports, campaign=settings.campaign))
    _judge_bytes(settings, plan_id, files)
    note_files(files, outbox)
    return {file.name: file.sha256 for file in files}


def _judge_bytes(settings: Settings, plan_id: str, files: Sequence[ClearFile]) -> None:
    """The last door: every file is read back and each record judged against the plan, before anybody is asked."""
    plan = settings.store.get("plans", plan_id)
    claimed = [Claimed(file.path, file.lot_id, file.row_count, file.byte_count, file.sha256) for file in files]
    with recorded(settings.data, "gate-bytes", date.fromisoformat(plan.meta["received_on"])) as record:
        judge_files(settings.store, plan, settings.campaign.name, claimed, _reports(settings, plan_id))
        record.update(files=len(files), bytes=sum(file.byte_count for file in files))


def totals_before(settings: Settings, plan_id: str) -> dict[str, Any]:
    """Name and control totals of the plan of the same kind that was frozen before this one; empty for the first."""
    kind = plan_id[: plan_id.index("-20")]
    earlier = [plan for plan in settings.store.all("plans") if plan.name.startswith(kind) and plan.name < plan_id]
    return {"plan_id": earlier[-1].name, **earlier[-1].meta["totals"]} if earlier else {}


def branches_before(settings: Settings, plan_id: str) -> list[dict[str, Any]]:
    """A plan by branch beside the plan of the same kind before it, for its approvers; in the task's log too."""
    from kakuninsho.operations.changes import branch_table

    rows = branch_table(settings, totals_before(settings, plan_id).get("plan_id"), plan_id)
    for row in rows:
        log.info("%s by branch: %s", plan_id, " ".join(f"{name}={value}" for name, value in row.items()))
    return rows


def clear_files(settings: Settings, plan_id: str) -> list[ClearFile]:
    """The clear files of a frozen plan, made from the plan alone, in the order in which they are sent.

    Lots first, then the pull list, the release order last: the printer may post only what it has been told to
    leave out already.
    """
    store, campaign = settings.store, settings.campaign
    plan = store.get("plans", plan_id)
    refuse_changed(plan)
    if pq.read_metadata(plan.table("follow_ups")).num_rows:
        # What came back is printed as the plans before said.
        for earlier in store.all("plans"):
            refuse_changed(earlier, "envelopes", "certificates")
    outbox = settings.data / "outbox" / plan_id
    shutil.rmtree(outbox, ignore_errors=True)
    outbox.mkdir(parents=True, mode=0o700)
    received_on = date.fromisoformat(plan.meta["received_on"])
    with recorded(settings.data, "lot-files", received_on) as record:
        lot_ids = pq.read_table(plan.table("lots"), columns=["lot_id"]).column("lot_id").to_pylist()
        files = write_lots(plan, lot_ids, campaign, outbox)
        kind = plan_kind(plan)
        if kind == "release":
            files += _release_files(settings, plan, files, outbox)
        if kind == "request":
            files += _request_order(settings, plan, files, outbox)
        if kind == "pull":
            files += [write_urgent_pull_list(plan, received_on, campaign, outbox)]
        if kind == "stop":
            files += _stop_files(settings, plan, outbox)
        record.update(files=len(files), bytes=sum(file.byte_count for file in files))
    return files


def plan_kind(plan: Fact) -> str:
    """The kind of a frozen plan."""
    return str(pq.read_table(plan.table("plan"), columns=["plan_kind"]).column(0)[0].as_py())


def subject_of(settings: Settings, plan_id: str) -> Subject:
    """What an approval of a plan covers: the files that wait in its outbox, hashed as they lie there now.

    Raises:
        PlanError: they are gone, or not the ones that were written.
    """
    files = waiting_files(settings.data / "outbox" / plan_id)
    if files is None:
        raise PlanError(
            f"plan {plan_id}: the files that wait for approval are gone or were changed since they were written. "
            "Clear the task write_files: they are made again from the frozen plan, and people are asked again"
        )
    return Subject(plan_id, subject_hash({file.name: file.sha256 for file in files}))


def approved_files(settings: Settings, plan_id: str) -> tuple[Subject, list[ClearFile]]:
    """The files of an approved plan and what was approved: those of the outbox, else made again from the plan.

    Raises:
        ApprovalError: no two people have approved exactly these files, or the plan is void.
    """
    files = waiting_files(settings.data / "outbox" / plan_id)
    if files is None:
        log.info(
            "plan %s: the approved files are no longer in the outbox as they were; the plan gives them again", plan_id
        )
        files = clear_files(settings, plan_id)
    subject = Subject(plan_id, subject_hash({file.name: file.sha256 for file in files}))
    require_approved(settings.store, subject)
    return subject, files


def seal_plan(settings: Settings, plan_id: str, files: list[ClearFile], received_on: date) -> None:
    """Seal the files of an approved plan and keep the bytes as facts. Safe to run again: a file is sealed once."""
    with recorded(settings.data, "seal", received_on) as record:
        seal_all(settings.store, files, load_keys(settings.keys), received_on=received_on, plan_id=plan_id)
        record.update(files=len(files), bytes=sum(file.byte_count for file in files))
    _judge_manifests(settings, plan_id, files)


def _judge_manifests(settings: Settings, plan_id: str, files: Sequence[ClearFile]) -> None:
    """Every manifest is read back and judged against its file's own bytes, before one is uploaded."""
    kept = [(file.name, settings.store.get("transfers", f"{file.name}--sealed").path) for file in files]
    sealed = [
        SealedFile(name, path / name, path / f"{name}{SEALED_SUFFIX}", path / f"{name}{MANIFEST_SUFFIX}")
        for name, path in kept
    ]
    judge_manifests(settings.store, settings.store.get("plans", plan_id), sealed, _reports(settings, plan_id))


def send_plan(settings: Settings, plan_id: str, target: SftpTarget, received_on: date) -> dict[str, int]:
    """Look a last time, seal and send the files of an approved plan. What is announced is not sent twice.

    Where something of the plan has left before, it is gone on with: what the last look would stop is then pulled.

    Raises:
        ApprovalError: no two people have approved exactly these files, or the plan is void.
        LastLookError: somebody of the plan is protected now; nothing was sent and the plan is void.
    """
    subject, files = approved_files(settings, plan_id)
    if not has_left(settings, plan_id):
        require_free(settings, subject, received_on)
    seal_plan(settings, plan_id, files, received_on)
    with recorded(settings.data, "send", received_on) as record:
        deliver_all(settings.store, files, target, received_on=received_on)
        for file in files:
            if file.file_kind == "stop_order":
                _land_stopped(settings, plan_id, file, received_on)
        record.update(files=len(files), envelopes=sum(file.envelope_count or 0 for file in files))
    shutil.rmtree(settings.data / "outbox" / plan_id, ignore_errors=True)
    return {"files": len(files), "envelopes": sum(file.envelope_count or 0 for file in files)}


def has_left(settings: Settings, plan_id: str) -> bool:
    """Whether `send` has brought anything of a plan to the printer: from then on nobody can reject it."""
    sent = pq.read_table(
        gathered.transfers(settings.store),
        columns=["plan_id"],
        filters=[("step", "=", "uploaded"), ("plan_id", "=", plan_id)],
    )
    return bool(sent.num_rows)


def _gate_tables(suite: str, path: Path) -> dict[str, Path]:
    known = load_suite(suite)
    beside = [table for table in ("plan", *BESIDE) if table in known.optional_tables]
    return {
        table: path / f"{table}.parquet" for table in (*known.tables, *beside) if (path / f"{table}.parquet").is_file()
    }


def _stop_files(settings: Settings, plan: Fact, outbox: Path) -> list[ClearFile]:
    """The stop order of a plan; with a resumption, the release order of what no release of a posting date covers."""
    rows = pq.read_table(plan.table("stop_lots")).to_pylist()
    day, number = rows[0]["received_on"], rows[0]["order_number"]
    files = [
        write_stop_order(day, {row["lot_id"]: row["effect"] for row in rows}, settings.campaign, outbox, ordinal=number)
    ]
    # A request plan brings its own release order, which ended with the hold: it is given again.
    requested = {
        lot_id
        for other in settings.store.all("plans")
        if other.name.startswith("request-") and other.table("lots").is_file()
        for lot_id in pq.read_table(other.table("lots"), columns=["lot_id"]).column("lot_id").to_pylist()
    }
    sent = _sent_hashes(settings)
    again = {
        row["lot_id"]: sent[row["lot_id"]]
        for row in rows
        if row["effect"] == "resume" and row["lot_id"] in requested and "-S-" in row["lot_id"]
    }
    if again:
        posting_date = add_business_days(day, 1)
        files.append(write_release_order(posting_date, again, settings.campaign, outbox, ordinal=10 + number))
    return files


def _land_stopped(settings: Settings, plan_id: str, file: ClearFile, received_on: date) -> None:
    """Record, once the order is announced, which lots it stops or lets go on."""
    rows = pq.read_table(settings.store.get("plans", plan_id).table("stop_lots")).to_pylist()
    land_stopped(settings.store, file, [row["lot_id"] for row in rows], plan_id, received_on)


def _sent_hashes(settings: Settings) -> dict[str, str]:
    """SHA-256 of the clear file of each lot that was sealed."""
    sealed = pq.read_table(
        gathered.transfers(settings.store), columns=["lot_id", "sha256_clear"], filters=[("step", "=", "sealed")]
    )
    return {row["lot_id"]: row["sha256_clear"] for row in sealed.to_pylist() if row["lot_id"]}


def _release_files(settings: Settings, plan: Fact, supplementary: list[ClearFile], outbox: Path) -> list[ClearFile]:
    """The pull list and the release order of a posting date; the order names the hash of each lot that it releases."""
    sent = _sent_hashes(settings)
    sent |= {file.lot_id: file.sha256 for file in supplementary if file.lot_id}
    released = pq.read_table(plan.table("release_lots"), filters=[("is_released", "=", True)])
    lot_ids = {*released.column("lot_id").to_pylist(), *(file.lot_id for file in supplementary if file.lot_id)}
    posting_date = _posting_date(plan)
    pull_list = write_pull_list(plan, posting_date, settings.campaign, outbox)
    order = write_release_order(
        posting_date, {lot_id: sent[lot_id] for lot_id in lot_ids}, settings.campaign, outbox, pull_lists=(pull_list,)
    )
    return [pull_list, order]


def _request_order(settings: Settings, plan: Fact, lots: list[ClearFile], outbox: Path) -> list[ClearFile]:
    """The release order of a request plan's lots to homes: nothing is re-checked between this plan and its posting.

    Bundles to employers need none. The order takes number 02 of its posting date, 01 being that of a wave's release.
    """
    homes = {file.lot_id: file.sha256 for file in lots if file.lot_id and "-S-" in file.lot_id}
    if not homes:
        return []
    return [write_release_order(_posting_date(plan), homes, settings.campaign, outbox, ordinal=2)]


def request_wish(as_of: date) -> PlanRequest:
    """The wish for the certificates on request of a day: posted on the next business day, which is their issue date."""
    return PlanRequest("request", as_of, posting_date=add_business_days(as_of, 1), run_on=as_of)


def _posting_date(plan: Fact) -> date:
    day: date = pq.read_table(plan.table("plan"), columns=["posting_date"]).column(0)[0].as_py()
    return day


def home_wish(settings: Settings, as_of: date) -> PlanRequest:
    """The wish for the first plan. Its name carries the snapshot's day, its facts count as of the hand-off."""
    return PlanRequest("home", as_of, run_on=settings.campaign.parameters.snapshot_as_of)
