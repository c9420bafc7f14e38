"""Freezing a plan: the draft that the gate has passed becomes a fact, once."""

from __future__ import annotations

import shutil
from datetime import date

import pyarrow as pa
import pyarrow.parquet as pq

from kakuninsho.facts.schemas import NOTHING_TO_DO, PLANS
from kakuninsho.facts.store import ARROW_TYPES, Fact, FactStore, link_or_copy
from kakuninsho.plans.approvals import is_rejected
from kakuninsho.plans.control_numbers import highest_sequence
from kakuninsho.plans.draft import Draft, PlanError, PlanRequest, candidate_path


def is_backdated(store: FactStore, plan_id: str, as_of: date) -> bool:
    """Whether a plan would decide on a past that was acted upon: a later day is frozen and was not rejected."""
    return bool(_later_plans(store, as_of)) and store.find("plans", plan_id) is None


def refuse_backdated(store: FactStore, plan_id: str, as_of: date) -> None:
    """Refuse a new plan for a day before the newest frozen one that is not void.

    Raises:
        PlanError: a plan of a later day is frozen.
    """
    if is_backdated(store, plan_id, as_of):
        later = _later_plans(store, as_of)[-1]
        raise PlanError(
            f"plan {plan_id} for {as_of} is refused: {later} of a later day is frozen already; "
            "use the dry run to look at a past day"
        )


def _later_plans(store: FactStore, as_of: date) -> list[str]:
    return [
        plan.name
        for plan in store.all("plans")
        if plan.meta["received_on"] > as_of.isoformat() and not is_rejected(store, plan.name)
    ]


def land_nothing_to_do(store: FactStore, request: PlanRequest, *, looked_at: str) -> Fact:
    """Land that a run of a day found nothing to do; a plan with this name may still come while its day lasts.

    Args:
        store: the facts.
        request: the plan that was wanted.
        looked_at: what it was looked for in, by name.
    """
    known = store.find("nothing_to_do", request.plan_id)
    if known is not None:
        return known
    row = {
        "plan_id": request.plan_id,
        "plan_kind": request.kind,
        "looked_at": looked_at,
        "received_on": request.as_of,
    }
    with store.land("nothing_to_do", request.plan_id, received_on=request.as_of, source="kakuninsho") as fact:
        schema = pa.schema([(name, ARROW_TYPES[kind]) for name, kind in NOTHING_TO_DO["nothing_to_do"].items()])
        pq.write_table(pa.Table.from_pylist([row], schema=schema), fact.table("nothing_to_do"))
    shutil.rmtree(candidate_path(store, request.plan_id), ignore_errors=True)
    return store.get("nothing_to_do", request.plan_id)


def freeze_plan(store: FactStore, plan_id: str, as_of: date) -> Fact:
    """Make the draft of a plan a fact; a plan that is frozen is returned as it is.

    Raises:
        PlanError: there is no draft, or control numbers were given to another plan since it was drafted.
    """
    frozen = store.find("plans", plan_id)
    if frozen is not None:
        return frozen
    refuse_backdated(store, plan_id, as_of)
    path = candidate_path(store, plan_id)
    if not (path / "draft.json").is_file():
        raise PlanError(f"plan {plan_id} has no draft; run the draft task of this DAG run again")
    draft = Draft.read(path)
    if draft.totals["highest_sequence_before"] != highest_sequence(store):
        raise PlanError(
            f"plan {plan_id}: control numbers were given to another plan after this one was drafted; "
            "run the draft task of this DAG run again"
        )
    with store.land("plans", plan_id, received_on=as_of, source="kakuninsho") as fact:
        for table in PLANS:
            link_or_copy(path / f"{table}.parquet", fact.table(table))
        fact.totals.update(draft.totals)
    shutil.rmtree(path, ignore_errors=True)
    return store.get("plans", plan_id)
