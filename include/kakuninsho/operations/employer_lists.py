"""One employer's list on demand, from the frozen plan: the same lines in the same order as the printer was sent."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb

from kakuninsho.campaign import load_branches
from kakuninsho.documents.employer_list import FORMATS, EmployerList, ListLine
from kakuninsho.facts.store import Fact, FactStore
from kakuninsho.messages import TwoLanguageError
from kakuninsho.plans.approvals import is_rejected
from kakuninsho.settings import Settings
from kakuninsho.warehouse import memory

SYMBOL_LENGTHS = {7, 8}


class EmployerListError(TwoLanguageError):
    """There is no such list. Says what was asked for and what to check; names no person."""


@dataclass(frozen=True)
class EmployerKey:
    """The key of an employer: 保険者番号 and 記号."""

    insurer_number: str
    symbol: str

    @classmethod
    def parse(cls, text: str) -> EmployerKey:
        """Read `insurer-symbol`.

        Raises:
            EmployerListError: not two parts of digits of the right length, or no branch's insurer number.
        """
        parts = text.split("-")
        if len(parts) != 2 or not all(part.isascii() and part.isdigit() for part in parts):
            raise EmployerListError(
                "事業所は 保険者番号-記号 で指定します (例 01180017-1060708)",
                "an employer is asked for as 保険者番号-記号, for example 01180017-1060708",
            )
        key = cls(*parts)
        if key.insurer_number not in {branch.insurer_number for branch in load_branches()}:
            raise EmployerListError(
                f"保険者番号 {key.insurer_number} は 47支部のどれでもありません",
                f"insurer number {key.insurer_number} is none of the 47 branches",
            )
        if len(key.symbol) not in SYMBOL_LENGTHS:
            raise EmployerListError(
                f"記号 {key.symbol}: 記号は 7桁または 8桁です", f"symbol {key.symbol}: a 記号 has 7 or 8 digits"
            )
        return key

    @property
    def packed(self) -> int:
        """The packed key that facts use (facts/schemas.py)."""
        code = int(self.symbol) + (10_000_000 if len(self.symbol) == max(SYMBOL_LENGTHS) else 0)
        return int(self.insurer_number[2:4]) * 110_000_000 + code


def employer_list(settings: Settings, key: EmployerKey) -> EmployerList:
    """The newest frozen list of an employer; a plan that was rejected does not count.

    Raises:
        EmployerListError: no list plan is frozen, or none of them has this employer.
    """
    plans = _list_plans(settings.store)
    if not plans:
        raise EmployerListError(
            "事業所一覧はまだ確定していません。send_employer_lists を先に実行してください",
            "no employer list is frozen yet; run send_employer_lists first",
        )
    for plan in reversed(plans):
        found = _read(plan, key)
        if found is not None:
            return found
    raise EmployerListError(
        f"事業所 {key.insurer_number}-{key.symbol} は一覧の計画 {len(plans)} 件のどれにもありません。"
        "対象者がいない、全喪、または事業所の登録がない (理由別の人数は fct_list_differences)",
        f"employer {key.insurer_number}-{key.symbol} is on none of {len(plans)} list plans: it had no target, was"
        " closed, or has no row in employers (fct_list_differences counts why)",
    )


def write_employer_list(found: EmployerList, form: str, path: Path) -> None:
    """Write a list in one of the formats pdf, csv, xlsx; readable by its owner alone, whole or not at all.

    Raises:
        EmployerListError: an unknown format, or the folder does not exist.
    """
    if form not in FORMATS:
        raise EmployerListError(
            f"形式 {form}: {', '.join(FORMATS)} のどれかを指定します",
            f"format {form}: it is one of {', '.join(FORMATS)}",
        )
    if not path.parent.is_dir():
        raise EmployerListError(
            f"フォルダ {path.parent} がありません。先に作ってください", f"{path.parent} is no folder; make it first"
        )
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        unfinished.touch(mode=0o600)
        unfinished.write_bytes(FORMATS[form](found))
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def _list_plans(store: FactStore) -> list[Fact]:
    """Frozen plans that hold lists, those that were rejected left out, oldest first."""
    plans = [
        plan for plan in store.all("plans") if plan.meta["rows"].get("list_lines") and not is_rejected(store, plan.name)
    ]
    return sorted(plans, key=lambda plan: (plan.meta["received_on"], plan.name))


def _read(plan: Fact, key: EmployerKey) -> EmployerList | None:
    with memory(limit="1GB") as connection:
        head = connection.execute(
            f"""select envelope_id, addressee_name from read_parquet('{plan.table("envelopes")}')
            where employer_key = {key.packed} and household_key is null and lot_kind = 'employer_list'"""
        ).fetchall()
        if not head:
            return None
        list_id, employer_name = head[0]
        lines = connection.execute(
            f"""select (member_key // 100 % 10000000)::varchar, lpad((member_key % 100)::varchar, 2, '0'), name
            from read_parquet('{plan.table("list_lines")}') where list_id = '{list_id}' order by member_key"""
        ).fetchall()
        listed_on = _run_on(connection, plan)
    branch = next(item for item in load_branches() if item.insurer_number == key.insurer_number)
    return EmployerList(
        list_id=list_id,
        plan_id=plan.name,
        insurer_number=key.insurer_number,
        branch_name=branch.branch_name,
        symbol=key.symbol,
        employer_name=employer_name,
        listed_on=listed_on,
        lines=tuple(ListLine(number, *line) for number, line in enumerate(lines, start=1)),
    )


def _run_on(connection: duckdb.DuckDBPyConnection, plan: Fact) -> date:
    row = connection.execute(
        f"select coalesce(run_on, received_on) from read_parquet('{plan.table('plan')}')"
    ).fetchone()
    day: date = row[0] if row else date.fromisoformat(plan.meta["received_on"])
    return day
