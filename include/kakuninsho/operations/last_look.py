"""The last look before anything leaves: what has landed since a plan was drafted (rules: a wave, to the letter box).

Protection, or a piece that a person holds, stops everything and voids the plan. Losses, birthdays, missing and rejected
rows and changed details are counted and told: the re-check may be three business days old.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import date

import duckdb
import pyarrow.parquet as pq

from kakuninsho.facts.store import Fact, FactStore
from kakuninsho.messages import TwoLanguageError
from kakuninsho.plans.approvals import Subject, void
from kakuninsho.settings import Settings
from kakuninsho.warehouse import memory

log = logging.getLogger(__name__)

# What puts paper in the post or names people to employers. The hand-off does not: every release of it checks again.
KINDS = ("release", "resend", "follow_up", "request", "employer_list", "stop")
HOLD = "hold_piece"


class LastLookError(TwoLanguageError):
    """Somebody of a plan is protected now, or held by a person: nothing was sent. Says how many and what to do."""


@dataclass(frozen=True)
class LastLook:
    """What landed after the draft says of the people of a plan, counted."""

    drops: tuple[str, ...] = ()  # register drops that landed since
    protected: int = 0  # the member, or the insured of the household
    held: int = 0  # by a person
    left: int = 0  # lost membership on or before the plan's day
    rejected: int = 0  # the newest row was rejected and says that there is no protection
    other: int = 0  # has another row than before, which stops nothing

    @property
    def stops(self) -> bool:
        """Whether nothing may be sent."""
        return bool(self.protected or self.held)


def look(settings: Settings, plan_id: str, as_of: date) -> LastLook:
    """Look at what landed after the draft of a plan, up to a day."""
    store, plan = settings.store, settings.store.get("plans", plan_id)
    row = pq.read_table(plan.table("plan"), columns=["plan_kind", "register_as_of"]).to_pylist()[0]
    if row["plan_kind"] not in KINDS:
        return LastLook()
    drops = [fact for fact in store.all("register", until=as_of) if _is_later(fact, plan, row["register_as_of"])]
    decisions = [fact for fact in store.all("feeds/decisions", until=as_of) if fact.number > plan.number]
    if not drops and not decisions:
        return LastLook()
    with memory(spill=store.data_tmp() / "duckdb") as connection:
        _people_of(connection, store, plan, str(row["plan_kind"]))
        counts = _from_drops(connection, store, drops, as_of)
        held = _held(connection, decisions)
    found = LastLook(tuple(fact.name for fact in drops), *counts[:1], held, *counts[1:])
    log.info("last look at %s: %s", plan_id, found)
    return found


def require_free(settings: Settings, subject: Subject, as_of: date) -> LastLook:
    """Void a plan of which somebody is protected now or held by a person; else return what was found.

    Raises:
        LastLookError: nothing was sent, both approvals are void.
    """
    found = look(settings, subject.name, as_of)
    if found.stops:
        void(settings.store, subject, received_on=as_of)
        raise LastLookError(
            f"{subject.name}: 作成の後に届いた内容で、支援措置の対象 {found.protected} 人、人が止めた {found.held} 人が"
            "計画に含まれています。何も送っていません。承認は無効になりました。"
            "この DAG を初めから実行し直してください (最新の加入者データで作り直します)",
            f"{subject.name}: of its people {found.protected} are protected and {found.held} are held by a person in "
            "what landed after the draft. Nothing was sent, both approvals are void: start the DAG again",
        )
    return found


def _is_later(drop: Fact, plan: Fact, register_as_of: date | None) -> bool:
    """Landed after the plan was frozen, or between its draft and that."""
    seen = f"as_of={register_as_of}" if register_as_of else ""
    return drop.number > plan.number or drop.name > seen


def _people_of(connection: duckdb.DuckDBPyConnection, store: FactStore, plan: Fact, kind: str) -> None:
    """Make the table `people` (member_key) of a plan: whom its paper is for, or who is named to an employer."""
    root = store.root / "plans"
    own = {
        "follow_up": f"""
            select member_key from read_parquet('{plan.table("follow_ups")}') where outcome = 'employer_bundle'""",
        "employer_list": f"select member_key from read_parquet('{plan.table('list_lines')}')",
        "resend": f"select member_key from read_parquet('{plan.table('certificates')}')",
        "request": f"select member_key from read_parquet('{plan.table('certificates')}')",
    }.get(kind)
    lots = {
        "release": f"""
            select lot_id from read_parquet('{plan.table("release_lots")}') where is_released
            union select lot_id from read_parquet('{plan.table("lots")}')""",
        "stop": f"select lot_id from read_parquet('{plan.table('stop_lots')}') where effect = 'resume'",
    }.get(kind)
    query = (
        own
        or f"""
        select certificates.member_key
        from read_parquet('{root}/*/certificates.parquet') as certificates
        semi join (
            select envelope_id from read_parquet('{root}/*/envelopes.parquet') semi join ({lots}) as lots using (lot_id)
        ) as pieces using (envelope_id)
        anti join (
            select certificate_id from read_parquet('{root}/*/pulls.parquet')
        ) as pulled using (certificate_id)
        """
    )
    connection.execute(f"create temp table people as select distinct member_key from ({query})")


def _from_drops(
    connection: duckdb.DuckDBPyConnection, store: FactStore, drops: list[Fact], as_of: date
) -> tuple[int, int, int, int]:
    """Protected, left, rejected and other people, by the newest row of each key in drops that landed since."""
    if not drops:
        return 0, 0, 0, 0
    empty = store.root / "register" / "_empty"
    members = [str(empty / "members.parquet"), *(str(drop.table("members")) for drop in drops)]
    rejects = [str(empty / "rejects.parquet"), *(str(drop.table("rejects")) for drop in drops)]
    counts = connection.execute(
        """
        with keys as (
            select member_key, member_key as of_key from people
            union
            select member_key, member_key // 100 * 100 from people
        ),
        told as (
            select member_key as of_key, as_of, protected, lost_on, false as is_rejected
            from read_parquet(?, union_by_name = true)
            union all
            -- A rejected row still protects, unless it can be read as not protected.
            select row_key, as_of, coalesce(protected_readable, true), null, true
            from read_parquet(?, union_by_name = true)
            where file = 'members' and row_key is not null and reason_code <> 'duplicate_row'
        ),
        newest as (
            select told.of_key, bool_or(protected) as protected, min(lost_on) as lost_on,
                bool_or(is_rejected) as is_rejected
            from told
            inner join (select of_key, max(as_of) as as_of from told group by of_key) as last using (of_key, as_of)
            semi join keys using (of_key)
            group by told.of_key
        ),
        judged as (
            select keys.member_key, bool_or(protected) as protected, min(lost_on) as lost_on,
                bool_or(is_rejected) as is_rejected
            from keys inner join newest using (of_key)
            group by keys.member_key
        )
        select
            count(*) filter (where protected),
            count(*) filter (where not protected and lost_on <= ?),
            count(*) filter (where not protected and is_rejected),
            count(*) filter (where not protected and not is_rejected and coalesce(lost_on > ?, true))
        from judged
        """,
        [members, rejects, as_of, as_of],
    ).fetchall()[0]
    return int(counts[0]), int(counts[1]), int(counts[2]), int(counts[3])


def _held(connection: duckdb.DuckDBPyConnection, decisions: list[Fact]) -> int:
    """People of the plan whom a person has held since, or whose insured."""
    files = [str(fact.table("rows")) for fact in decisions if fact.table("rows").is_file()]
    if not files:
        return 0
    row = connection.execute(
        """
        select count(distinct people.member_key) from people
        inner join read_parquet(?, union_by_name = true) as decisions on people.member_key = decisions.member_key
        where decisions.decision = ?
        """,
        [files, HOLD],
    ).fetchone()
    return int(row[0]) if row else 0
