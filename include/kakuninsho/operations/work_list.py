"""What waits for a person at a branch, and a person's decision made a fact (rules: what becomes of each row, held)."""

from __future__ import annotations

import csv
import hashlib
import json
import tempfile
from dataclasses import astuple, dataclass, fields
from datetime import date
from pathlib import Path

import duckdb

from kakuninsho.campaign import load_branches
from kakuninsho.facts.store import Fact
from kakuninsho.feeds import FeedError, receive_feed
from kakuninsho.feeds.contract import TABLES
from kakuninsho.operations.explaining import MemberKey
from kakuninsho.settings import Settings
from kakuninsho.warehouse import published

# What a person decides of each reason. A corrected address comes with the register; the decision records that it was.
DECIDE = {
    "address_protected": "送付先を確かめ correct_address を記録し、二人が release (最新データで支援措置が外れてから)",
    "between_routes": "対象か確かめ、release または exclude",
    "household_without_insured": "被保険者の行を登録し、release または exclude",
    "card_record_rejected": "カードの行を訂正し、release または exclude",
    "address_overseas": "国内の送付先を登録し correct_address と release、または exclude",
    "address_missing": "住所を登録し correct_address と release、または exclude",
    "unprintable_text": "印字できる文字に改め release、または exclude",
    "address_is_employer": "事業所の住所でよいか本人に確かめ、release または exclude",
    "row_missing": "加入者データから消えた理由を確かめ、release または exclude",
    "employer_closed": "事業所が全喪。自宅に送るなら release、送らないなら exclude",
    "employer_unknown": "事業所の登録がない。自宅に送るなら release、送らないなら exclude",
    "employer_unreachable": "事業所の宛先が印字できない。自宅に送るなら release、送らないなら exclude",
}
AT_DESK = "本人に連絡し、窓口で渡すか返却を記録する"


class DecisionError(ValueError):
    """A decision that cannot be recorded, or a branch that does not exist. Says why and what to do."""


@dataclass(frozen=True)
class Waiting:
    """One line of a branch's work list."""

    branch: str
    member: str  # as `kakuninsho explain` and `decide` take it
    stage: str
    reason: str
    decide: str
    certificate_id: str | None
    request_id: str | None


def work_list(settings: Settings, branch: str | None = None) -> list[Waiting]:
    """Everyone who waits for a person, of one branch (its prefecture's two digits) or of all, in order of member.

    Raises:
        DecisionError: no such branch, or nothing is published yet.
    """
    names = {item.insurer_number: item.branch_name for item in load_branches()}
    codes = {item.prefecture_code: item.insurer_number for item in load_branches()}
    if branch is not None and branch not in codes:
        raise DecisionError("a branch is named by the two digits of its prefecture, 01 to 47")
    if not (settings.data / "published" / "analytics.duckdb").is_file():
        raise DecisionError(f"nothing is published under {settings.data}; run publish_for_analysts first")
    where = f"where insurer_number = '{codes[branch]}'" if branch else ""
    with published(settings.data) as connection:
        try:
            rows = connection.execute(
                "select insurer_number, concat_ws('-', insurer_number, symbol, number, suffix), stage, reason_code,"
                f" certificate_id, request_id from marts.fct_work_list {where} order by all"
            ).fetchall()
        except duckdb.CatalogException as error:
            raise DecisionError("the published copy has no work list yet; publish again") from error
    return [
        Waiting(
            names[insurer],
            member,
            stage,
            reason or "",
            AT_DESK if stage == "branch_desk" else DECIDE.get(reason or "", "release または exclude"),
            certificate_id,
            request_id,
        )
        for insurer, member, stage, reason, certificate_id, request_id in rows
    ]


def write_work_list(lines: list[Waiting], path: Path) -> None:
    """Write a work list as CSV (UTF-8 with BOM, for spreadsheets), readable by its owner alone."""
    path.touch(mode=0o600)
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([item.name for item in fields(Waiting)])
        writer.writerows(astuple(line) for line in lines)


def record_decision(settings: Settings, member: MemberKey, decision: str, by: str, on: date) -> Fact:
    """Land one person's decision on one member, as a file of the feed `decisions`; the same one twice is one fact.

    Raises:
        DecisionError: the decision, the person's name or the member key is not as the feed's contract has it.
    """
    settings.store.initialise()
    text = ",".join(TABLES["decisions"].column_names) + "\r\n"
    row = [member.insurer_number, member.symbol, member.number, member.suffix, on.isoformat(), decision, by.strip()]
    text += ",".join('"' + value.replace('"', '""') + '"' for value in row) + "\r\n"
    digest = hashlib.sha256(text.encode()).hexdigest()
    with tempfile.TemporaryDirectory(dir=settings.store.data_tmp()) as folder:
        path = Path(folder) / f"decisions_{on:%Y%m%d}_{digest[:12]}.csv"
        path.write_bytes(text.encode())
        manifest = json.dumps({"rows": 1, "sha256": digest})
        path.with_name(path.name + ".manifest.json").write_text(manifest, encoding="utf-8")
        _refuse_bad_row(path, member, decision, by)
        try:
            return receive_feed(settings.store, "decisions", path, on)
        except FeedError as error:
            raise DecisionError(str(error)) from error


def _refuse_bad_row(path: Path, member: MemberKey, decision: str, by: str) -> None:
    """A feed keeps a bad row aside; a person at the command line is told at once, and nothing lands."""
    from kakuninsho.feeds.contract import DECISIONS

    if decision not in DECISIONS:
        raise DecisionError(f"{path.name}: a decision is one of {', '.join(DECISIONS)}")
    if not by.strip():
        raise DecisionError(f"{path.name}: a decision has a person's name")
    if member.insurer_number not in {item.insurer_number for item in load_branches()}:
        raise DecisionError(f"{path.name}: the insurer number is none of the 47 branches")
    if not (len(member.symbol) in {7, 8} and 0 < len(member.number) <= 7 and len(member.suffix) == 2):
        raise DecisionError(f"{path.name}: a member is 保険者番号-記号-番号-枝番, for example 01180017-1060708-12-00")
