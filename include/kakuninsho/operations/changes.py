"""What changed: between the registers of two days, and between two frozen plans; counts by branch, nobody's name.

A member of a day has a row in the register of that day, and neither the own nor the insured person's `lost_on` is on or
before it. Came in: a member of the later day only; left: of the earlier day only. Of those who are in both: moved, when
the household's address differs in more than the width of its characters; changed need, when why the card cannot be used
(or that it can) differs between the two days, by time alone too.
"""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

import duckdb

from kakuninsho.campaign import load_branches
from kakuninsho.facts.schemas import REGISTER
from kakuninsho.facts.store import EMPTY, Fact, FactStore
from kakuninsho.messages import TwoLanguageError
from kakuninsho.settings import Settings
from kakuninsho.warehouse import memory
from kakuninsho.warehouse.macros import macro_sql

log = logging.getLogger(__name__)

USABLE = "usable"  # a card that can be used, beside the needs of the rules
NEEDS = (
    USABLE,
    "no_card",
    "number_not_filed",
    "not_registered",
    "registration_cancelled",
    "certificate_in_grace",
    "certificate_expired",
)


class ChangesError(TwoLanguageError):
    """There is nothing to compare. Says what is missing."""


@dataclass(frozen=True)
class BranchChanges:
    """People of one branch: before + came_in - left = after; moved and changed_need are of those in both."""

    insurer_number: str
    branch: str
    before: int
    came_in: int
    left: int
    after: int
    moved: int
    changed_need: int


@dataclass(frozen=True)
class NeedChange:
    """People whose need changed from one to another."""

    before: str
    after: str
    people: int


@dataclass(frozen=True)
class Changes:
    """What changed between two registers or plans, named `before` and `after`."""

    before: str
    after: str
    branches: tuple[BranchChanges, ...]
    needs: tuple[NeedChange, ...]

    @property
    def total(self) -> BranchChanges:
        """All branches together."""
        names = ("before", "came_in", "left", "after", "moved", "changed_need")
        return BranchChanges("", "", **{name: sum(getattr(row, name) for row in self.branches) for name in names})

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        total = {name: value for name, value in asdict(self.total).items() if name not in {"insurer_number", "branch"}}
        return {**asdict(self), "total": total}


# --- two registers --------------------------------------------------------------------------------


def register_changes(settings: Settings, before: date, after: date) -> Changes:
    """What changed between the registers of two days, each the newest full drop with its later deltas.

    Raises:
        ChangesError: the days are not in order, or no register has landed for the earlier one.
    """
    if before >= after:
        raise ChangesError(
            f"前の日 {before} は後の日 {after} より前でなければなりません",
            f"the earlier day {before} must be before the later day {after}",
        )
    with _connection(settings) as connection:
        for side, day in (("before", before), ("after", after)):
            _create_register(connection, settings.store, side, day)
            # Whom the insured person's loss takes along is found by the household; few are lost on one day.
            connection.execute(
                f"""create temp table people_{side} as
                select member_key from {side}_members
                anti join (
                    select household_key as lost_household from {side}_members
                    where member_key % 100 = 0 and lost_on <= date '{day}'
                ) on household_key = lost_household
                where lost_on is null or lost_on > date '{day}'"""
            )
        connection.execute(
            f"""create temp table moved_households as
            select coalesce(old.household_key, new.household_key) as household_key
            from before_addresses as old
            full outer join after_addresses as new on old.household_key = new.household_key
            where {_address_differs("old", "new")} or old.country is distinct from new.country;
            create temp table moved as
            select member_key from people_before
            semi join moved_households on household_key = member_key // 100;
            create temp table needs_changed as
            select coalesce(old.member_key, new.member_key) as member_key,
                coalesce(old.need, 'no_card') as need_before, coalesce(new.need, 'no_card') as need_after
            from ({_needs("before", before)}) as old
            full outer join ({_needs("after", after)}) as new on old.member_key = new.member_key
            where coalesce(old.need, 'no_card') <> coalesce(new.need, 'no_card')"""
        )
        return _counted(connection, f"{before}", f"{after}")


def register_before(store: FactStore, name: str) -> date | None:
    """The day of the drop before a drop; None for the first."""
    earlier = [fact.name for fact in store.all("register") if fact.name < name]
    return date.fromisoformat(max(earlier).removeprefix("as_of=")) if earlier else None


def log_register_changes(settings: Settings, names: list[str]) -> None:
    """Write into the task's log what each landed drop changed against the register before it."""
    for name in names:
        before = register_before(settings.store, name)
        if before is None:
            log.info("%s is the first register: nothing to compare it with", name)
            continue
        changes = register_changes(settings, before, date.fromisoformat(name.removeprefix("as_of=")))
        log.info("what changed from %s to %s\n%s", changes.before, changes.after, "\n".join(as_lines(changes)))


def _needs(side: str, day: date) -> str:
    need = macro_sql("card_need", f"date '{day}'", cards=f"{side}_my_number_cards")
    names = ", ".join(f"'{name}'" for name in NEEDS)
    return f"select member_key, coalesce({need}, '{USABLE}')::enum({names}) as need from {side}_my_number_cards"


def _create_register(connection: duckdb.DuckDBPyConnection, store: FactStore, side: str, day: date) -> None:
    """Views of the four tables of the register of a day, by the same macro as dbt's models."""
    drops = [fact for fact in store.all("register") if fact.name <= f"as_of={day.isoformat()}"]
    fulls = [fact for fact in drops if fact.meta["totals"]["kind"] == "full"]
    if not fulls:
        raise ChangesError(
            f"{day} までに取り込まれた全件の加入者データがありません。extract_register を先に実行してください",
            f"no full register up to {day} has landed; run extract_register first",
        )
    full = max(fulls, key=lambda fact: fact.name)
    empty = store.root / "register" / EMPTY
    later = [fact for fact in drops if fact.meta["totals"]["kind"] == "delta" and fact.name > full.name]
    deltas = [empty, *(fact.path for fact in later)]

    def source(name: str, table: str) -> str:
        folders = [full.path] if name == "register_newest_full" else deltas
        return f"read_parquet({[str(folder / f'{table}.parquet') for folder in folders]}, hive_partitioning = false)"

    for table in REGISTER:
        if table not in {"rejects", "issued_certificates"}:
            key = {"members": "member_key", "my_number_cards": "member_key", "employers": "employer_key"}
            query = macro_sql("newest_register", table, key.get(table, "household_key"), source=source)
            connection.execute(f"create temp view {side}_{table} as {query}")


# --- two plans ------------------------------------------------------------------------------------


def plan_changes(settings: Settings, before: str, after: str) -> Changes:
    """What changed between two frozen plans: people of their certificates, else of their follow-ups or lists.

    Moved and changed need are told of plans with certificates; nobody moves on a list.

    Raises:
        ChangesError: a plan is not frozen.
    """
    with _connection(settings) as connection:
        for side, plan_id in (("before", before), ("after", after)):
            plan = settings.store.find("plans", plan_id)
            if plan is None:
                raise ChangesError(
                    f"計画 {plan_id} は確定していません ({settings.store.root / 'plans'} を見てください)",
                    f"plan {plan_id} is not frozen (look into {settings.store.root / 'plans'})",
                )
            connection.execute(f"create temp table plan_{side} as {_plan_people(plan)}")
            connection.execute(f"create temp view people_{side} as select member_key from plan_{side}")
        connection.execute(
            f"""create temp table moved as
            select old.member_key from plan_before as old join plan_after as new using (member_key)
            where {_address_differs("old", "new")};
            create temp table needs_changed as
            select member_key, old.need as need_before, new.need as need_after
            from plan_before as old join plan_after as new using (member_key)
            where old.need <> new.need"""
        )
        return _counted(connection, before, after)


def _plan_people(plan: Fact) -> str:
    """People of a plan, once each: a person has one certificate in a plan."""
    certificates, envelopes = plan.table("certificates"), plan.table("envelopes")
    if plan.meta["rows"].get("certificates"):
        return f"""
            select certificates.member_key, any_value(certificates.need) as need,
                any_value(envelopes.postal_code) as postal_code, any_value(envelopes.address) as address,
                any_value(envelopes.building) as building
            from read_parquet('{certificates}') as certificates
            join read_parquet('{envelopes}') as envelopes using (envelope_id)
            group by certificates.member_key"""
    table = plan.table("follow_ups" if plan.meta["rows"].get("follow_ups") else "list_lines")
    return f"""
        select distinct member_key, null::varchar as need, null::varchar as postal_code, null::varchar as address,
            null::varchar as building
        from read_parquet('{table}')"""


# Plans of these kinds hold everyone, so people of two of them can be compared; others hold whoever was due.
WHOLE_KINDS = ("home-", "employer-list-")


def branch_table(settings: Settings, before: str | None, after: str) -> list[dict[str, Any]]:
    """Pieces and certificates of a frozen plan by branch beside those of the plan before, for its approvers.

    Of plans that hold everyone also who came in, left, moved or changed need. Samples are apart. Branches without a
    piece in either are left out.
    """
    now = _pieces_by_branch(settings.store.find("plans", after))
    earlier = _pieces_by_branch(settings.store.find("plans", before) if before else None)
    people: dict[str, BranchChanges] = {}
    if before and after.startswith(WHOLE_KINDS):
        people = {row.branch: row for row in plan_changes(settings, before, after).branches}
    rows = []
    for _, branch in _branch_names().values():
        if branch in now or branch in earlier or branch in people:
            change = people.get(branch)
            rows.append(
                {
                    "branch": branch,
                    **{name: now.get(branch, NO_PIECES)[name] for name in NO_PIECES},
                    **{f"{name}_before": earlier.get(branch, NO_PIECES)[name] for name in NO_PIECES},
                    **({name: getattr(change, name) for name in PEOPLE_COLUMNS} if change else {}),
                }
            )
    return rows


NO_PIECES = {"envelope_count": 0, "certificate_count": 0}
PEOPLE_COLUMNS = ("came_in", "left", "moved", "changed_need")


def _pieces_by_branch(plan: Fact | None) -> dict[str, dict[str, int]]:
    if plan is None:
        return {}
    names = _branch_names()
    with memory(limit="500MB") as connection:
        rows = connection.execute(
            f"""select prefecture, sum(envelope_count)::bigint, sum(certificate_count)::bigint
            from read_parquet('{plan.table("lots")}') group by prefecture order by prefecture"""
        ).fetchall()
    return {
        names[prefecture][1]: {"envelope_count": envelopes, "certificate_count": certificates}
        for prefecture, envelopes, certificates in rows
    }


# --- common ---------------------------------------------------------------------------------------


def _connection(settings: Settings) -> duckdb.DuckDBPyConnection:
    return memory(spill=settings.store.data_tmp() / "changes", keep_order=False)


def _address_differs(old: str, new: str) -> str:
    columns = ("postal_code", "address", "building")
    texts = " or ".join(
        macro_sql("text_differs", f"coalesce({old}.{name}, '')", f"coalesce({new}.{name}, '')") for name in columns
    )
    # The expensive comparison is for the few that are not the same text.
    raw = " or ".join(f"{old}.{name} is distinct from {new}.{name}" for name in columns)
    return f"(({raw}) and ({texts}))"


def _counted(connection: duckdb.DuckDBPyConnection, before: str, after: str) -> Changes:
    """Counts by branch from people_before, people_after, moved and needs_changed."""
    branch_of = "(member_key // 110000000000000000)::integer"
    connection.execute(
        """create temp table came_in as select member_key from people_after anti join people_before using (member_key);
        create temp table gone as select member_key from people_before anti join people_after using (member_key);
        create temp table stayed_moved as select member_key from moved semi join people_after using (member_key);
        create temp table stayed_changed as
        select * from needs_changed
        semi join people_before using (member_key) semi join people_after using (member_key)"""
    )
    sources = {
        "before": "people_before",
        "came_in": "came_in",
        "left": "gone",
        "after": "people_after",
        "moved": "stayed_moved",
        "changed_need": "stayed_changed",
    }
    counts: dict[int, dict[str, int]] = {}
    for name, table in sources.items():
        for branch, people in connection.execute(f"select {branch_of}, count(*) from {table} group by 1").fetchall():
            counts.setdefault(branch, dict.fromkeys(sources, 0))[name] = people
    needs = connection.execute(
        "select need_before::varchar, need_after::varchar, count(*) from stayed_changed group by all order by all"
    ).fetchall()
    names = _branch_names()
    return Changes(
        before,
        after,
        tuple(_of_branch(*names[branch], counts[branch]) for branch in sorted(counts)),
        tuple(NeedChange(*row) for row in needs),
    )


def _of_branch(insurer_number: str, branch: str, counts: dict[str, int]) -> BranchChanges:
    return BranchChanges(
        insurer_number,
        branch,
        before=counts["before"],
        came_in=counts["came_in"],
        left=counts["left"],
        after=counts["after"],
        moved=counts["moved"],
        changed_need=counts["changed_need"],
    )


def _branch_names() -> dict[int, tuple[str, str]]:
    return {int(item.prefecture_code): (item.insurer_number, item.branch_name) for item in load_branches()}


def as_lines(changes: Changes) -> list[str]:
    """The changes as lines of a log: a line per branch that has any, the total, and the needs."""
    head = f"{'branch':<10} {'before':>11} {'came in':>9} {'left':>9} {'after':>11} {'moved':>9} {'need':>9}"
    rows = [row for row in changes.branches if row.came_in or row.left or row.moved or row.changed_need]
    lines = [head]
    for row in (*rows, changes.total):
        name = row.insurer_number or "total"
        lines.append(
            f"{name:<10} {row.before:>11,} {row.came_in:>9,} {row.left:>9,} {row.after:>11,} {row.moved:>9,}"
            f" {row.changed_need:>9,}"
        )
    return lines + [f"need {need.before} -> {need.after}: {need.people:,}" for need in changes.needs]
