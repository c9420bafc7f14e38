"""What is out and must be stopped: protection or a hold that became known after sending (rules: to the letter box).

The landing of a register drop, and of decisions, looks at what may leave at any hour. Whether anybody in it is
protected or held now the model int_urgent_pulls says; `may_concern` spares its build where no person can be.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from datetime import date

import pyarrow.parquet as pq

from kakuninsho import alerting
from kakuninsho.facts.store import Fact, FactStore
from kakuninsho.operations import planning
from kakuninsho.plans.approvals import is_rejected
from kakuninsho.plans.draft import PlanRequest, digest_of
from kakuninsho.settings import Settings
from kakuninsho.warehouse import Context, memory, run_models, warehouse

log = logging.getLogger(__name__)

KIND = "pull"
MODELS = planning.MODELS[KIND]
ALERT = "protected_after_release"
HOLD = "hold_piece"


@dataclass(frozen=True)
class Found:
    """Pieces that are out and must be stopped, none of which an urgent pull list names yet."""

    digest: str  # of their control numbers: tells two pulls of one day apart
    by_lot: tuple[tuple[str, int], ...]  # lot and pieces

    @property
    def pieces(self) -> int:
        """How many pieces."""
        return sum(count for _, count in self.by_lot)


def wish_of(as_of: date, found: Found | None) -> PlanRequest:
    """The wish for an urgent pull; without pieces only the name under which a look that found nothing is noted."""
    return replace(PlanRequest(KIND, as_of), pieces=found.digest if found else None)


def look(settings: Settings, as_of: date) -> Found | None:
    """Build the model and read what must be stopped, while the caller holds the warehouse's slot."""
    run_models(settings.store, settings.campaign, Context(as_of, KIND), command="run", select=MODELS)
    with warehouse(settings.data) as connection:
        rows = connection.execute(
            """
            select lot_id, envelope_id from intermediate.int_urgent_pulls
            where not is_listed group by all order by all
            """
        ).fetchall()
    if not rows:
        return None
    digest = digest_of([envelope_id for _, envelope_id in rows])
    lots: dict[str, int] = {}
    for lot_id, _ in rows:
        lots[lot_id] = lots.get(lot_id, 0) + 1
    return Found(digest, tuple(lots.items()))


def raise_alert(settings: Settings, as_of: date, found: Found, channels: list[alerting.Channel]) -> None:
    """Tell people at once, in the run that landed the register. What is told here is not told again as published."""
    alerts = [
        alerting.Alert(ALERT, lot_id, count, as_of.isoformat(), "critical", f"docs/runbooks/{ALERT}.md")
        for lot_id, count in found.by_lot
    ]
    log.error("送付後に支援措置または保留となった発送物が %d 件あります (%d ロット)", found.pieces, len(found.by_lot))
    batch = alerting.announce_now(settings.data, as_of, alerts, [channel.name for channel in channels])
    if batch is not None:
        alerting.deliver([batch], channels)


def may_concern(settings: Settings, as_of: date) -> bool:
    """Whether what landed since the last look can be about somebody whose paper is out.

    That is: a person of any plan who is protected by a drop and was not by the register before it, or whom a person
    holds since.
    """
    store = settings.store
    since = max((fact.number for fact in _looks(store, as_of)), default=0)
    drops = [
        fact
        for fact in store.all("register", until=as_of)
        if fact.number > since and fact.name != f"as_of={settings.campaign.parameters.snapshot_as_of}"
    ]
    if any(_has_hold(fact) for fact in store.all("feeds/decisions", until=as_of) if fact.number > since):
        return True
    return bool(drops) and _has_newly_protected(store, drops, as_of)


def _looks(store: FactStore, as_of: date) -> list[Fact]:
    noted = [fact for fact in store.all("nothing_to_do", until=as_of) if fact.name.startswith(f"{KIND}-")]
    pulls = [fact for fact in store.all("plans", until=as_of) if fact.name.startswith(f"{KIND}-")]
    # A pull that was rejected has stopped nothing: people are asked again.
    return [fact for fact in pulls if not is_rejected(store, fact.name)] + noted


def _has_hold(fact: Fact) -> bool:
    if not fact.table("rows").is_file():
        return False
    return HOLD in pq.read_table(fact.table("rows"), columns=["decision"]).column("decision").to_pylist()


def _has_newly_protected(store: FactStore, drops: list[Fact], as_of: date) -> bool:
    first = min(fact.name for fact in drops)
    earlier = [fact for fact in store.all("register", until=as_of) if fact.name < first]
    full = max((fact.name for fact in earlier if fact.meta["totals"]["kind"] == "full"), default="")
    before = [fact for fact in earlier if fact.name >= full]
    empty = store.root / "register" / "_empty"

    def files(facts: list[Fact], table: str) -> list[str]:
        found = [str(fact.table(table)) for fact in facts if fact.table(table).is_file()]
        return [str(empty / f"{table}.parquet"), *found]

    plans = store.root / "plans"
    with memory(spill=store.data_tmp() / "duckdb") as connection:
        row = connection.execute(
            f"""
            with told as (
                select member_key from read_parquet(?, union_by_name = true) where protected
                union
                -- A rejected row still protects, unless it can be read as not protected.
                select row_key from read_parquet(?, union_by_name = true)
                where file = 'members' and row_key is not null and reason_code <> 'duplicate_row'
                    and protected_readable is distinct from false
            ),
            known as (
                select member_key from (
                    select members.member_key, arg_max(protected, as_of) as was_protected
                    from read_parquet(?, union_by_name = true) as members
                    semi join told using (member_key)
                    group by members.member_key
                ) where was_protected
            ),
            new as (select member_key from told anti join known using (member_key)),
            households as (select member_key // 100 as household_key from new where member_key % 100 = 0),
            people as (
                select member_key from read_parquet('{plans}/*/certificates.parquet', union_by_name = true)
                union all
                select member_key from read_parquet('{plans}/*/list_lines.parquet', union_by_name = true)
            )
            select count(*) from people
            where member_key in (select member_key from new)
                or member_key // 100 in (select household_key from households)
            """,
            [files(drops, "members"), files(drops, "rejects"), files(before, "members")],
        ).fetchone()
    return bool(row and row[0])
