"""Freezing a plan: the draft that the gate has passed becomes a fact, once."""

from __future__ import annotations

import shutil
from datetime import date

from kakuninsho.facts.schemas import PLANS
from kakuninsho.facts.store import Fact, FactStore, link_or_copy
from kakuninsho.plans.control_numbers import highest_sequence
from kakuninsho.plans.draft import Draft, PlanError, candidate_path


def refuse_backdated(store: FactStore, plan_id: str, as_of: date) -> None:
    """Refuse a new plan for a day before the newest frozen one: it would decide on a past that was acted upon.

    Raises:
        PlanError: a plan of a later day is frozen.
    """
    later = [plan.name for plan in store.all("plans") if plan.meta["received_on"] > as_of.isoformat()]
    if later and store.find("plans", plan_id) is None:
        raise PlanError(
            f"plan {plan_id} for {as_of} is refused: {later[-1]} of a later day is frozen already; "
            "use the dry run to look at a past day"
        )


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
