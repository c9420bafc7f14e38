"""A person's decision made a fact: what may be decided of whom, by whom, and when two people are needed.

Rules: what becomes of each row, a hold that a person releases (address_protected takes two people and a recorded
delivery place); the stop rule (resume). No decision carries an address: an address that is right is one that the core
system delivers, since the re-check before posting compares with the register and would pull anything else.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import tempfile
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from kakuninsho.campaign import load_branches
from kakuninsho.facts.store import Fact
from kakuninsho.feeds import FeedError, receive_feed
from kakuninsho.feeds.contract import EXCLUDE_REASONS, INCIDENT_REASONS, SHARE_REASONS, TABLES
from kakuninsho.messages import TwoLanguageError, t
from kakuninsho.operations.members import CaseBook, MemberKey
from kakuninsho.operations.newest_rows import newest_row
from kakuninsho.operations.published_copy import require_published
from kakuninsho.operations.work_list import STAGES_AT_BRANCH, STAGES_NOT_HELD, find_member
from kakuninsho.plans.approvals import Subject
from kakuninsho.settings import Settings
from kakuninsho.warehouse import published

RELEASE, EXCLUDE, CORRECT_ADDRESS, RESUME = "release", "exclude", "correct_address", "resume"
HOLD, ISSUE, INCIDENT_CLOSED, ACCEPT_SHARE = "hold_piece", "issue", "incident_closed", "accept_share"
FORM_DECISIONS = (RELEASE, EXCLUDE, CORRECT_ADDRESS, RESUME, HOLD, ISSUE, INCIDENT_CLOSED, ACCEPT_SHARE)
REASONS = {EXCLUDE: EXCLUDE_REASONS, INCIDENT_CLOSED: INCIDENT_REASONS, ACCEPT_SHARE: SHARE_REASONS}
OF_A_BRANCH = (RESUME, ACCEPT_SHARE)
NATION = "00"
OF_TWO = (RELEASE, INCIDENT_CLOSED)  # what two people may have to decide: each is a fact of its own
# Alerts of pieces that left though they must not, or of which the printer says two things.
INCIDENTS = (
    "protected_piece_posted",
    "pulled_piece_posted",
    "piece_posted_twice",
    "piece_posted_and_pulled",
    "spoiled_piece_posted",
)
PROTECTED = "address_protected"
PEOPLE_NEEDED = 2


class DecisionError(TwoLanguageError):
    """A decision that cannot be recorded. Says why and what to do; repeats nothing of a person."""


@dataclass(frozen=True)
class Decision:
    """What somebody wants to record of one member, or of one branch (resume)."""

    member: MemberKey
    decision: str
    on: date
    reason_code: str | None = None


@dataclass(frozen=True)
class Share:
    """A share of targets that somebody has looked at: of which drop, and how large."""

    drop_as_of: date
    share: float


@dataclass(frozen=True)
class Checked:
    """A decision that may be recorded. Holds nothing personal: it passes between tasks."""

    case: str
    decision: str
    on: str
    reason_code: str | None
    needs_second: bool
    warnings: tuple[str, ...] = field(default=())


def read_wish(settings: Settings, subject: str, decision: str, on: date, reason_code: str | None) -> Decision:
    """What a form or a command asks for.

    Args:
        settings: the installation.
        subject: a case number, a certificate's number or a member key; the branch's two digits to resume it.
        decision: one of the feed's.
        on: the day of the decision.
        reason_code: why somebody is taken out, or an incident closed.

    Raises:
        DecisionError: a form that does not hold together.
        MemberError: nobody is meant by the subject.
    """
    if decision not in FORM_DECISIONS:
        raise DecisionError(
            f"判断は {', '.join(FORM_DECISIONS)} のどれかです", f"a decision is one of {', '.join(FORM_DECISIONS)}"
        )
    reasons = REASONS.get(decision, ())
    if reasons and reason_code not in reasons:
        raise DecisionError(
            f"{decision} には理由が要ります: {', '.join(reasons)}", f"{decision} takes a reason: {', '.join(reasons)}"
        )
    if not reasons and reason_code:
        raise DecisionError(
            f"理由は {', '.join(REASONS)} のときだけ選びます", f"a reason goes with {', '.join(REASONS)} alone"
        )
    if decision in OF_A_BRANCH:
        code = subject.strip()
        whole = decision == ACCEPT_SHARE and code == NATION
        return Decision(MemberKey("0" * 8, "0" * 7, "0", "00") if whole else _branch(code), decision, on, reason_code)
    return Decision(find_member(settings, subject), decision, on, reason_code)


def check_decision(settings: Settings, wish: Decision) -> Checked:
    """Check that a decision may be recorded on what is known of the case.

    Raises:
        DecisionError: the case is not one on which this can be decided; says what to do instead.
        NothingPublishedError: nothing is published yet, so nobody can see the case.
    """
    case = CaseBook(settings.data).number(wish.member.packed)
    recorded = _decisions(settings, wish.member)
    if wish.decision not in OF_TWO and _is_there(recorded, wish):
        return Checked(case, wish.decision, wish.on.isoformat(), wish.reason_code, False)
    _refuse_past(settings, wish.on)
    require_published(settings)
    if wish.decision == RESUME:
        _refuse_unless_stopped(settings, wish.member)
        return Checked(case, wish.decision, wish.on.isoformat(), None, False)
    if wish.decision == ACCEPT_SHARE:
        _share_to_accept(settings, wish.member)
        return Checked(case, wish.decision, wish.on.isoformat(), wish.reason_code, False)
    standing = _standing(settings, wish.member)
    if not standing and newest_row(settings, "members", wish.member.packed, wish.on) is None:
        raise DecisionError(
            "その番号の加入者はいません。整理番号または 4 つの番号を確かめてください",
            "there is no such member; check the case number or each of the four numbers",
        )
    if wish.decision == HOLD:  # of anybody at any time: the next release or follow-up leaves the piece out
        return Checked(case, wish.decision, wish.on.isoformat(), None, False)
    if wish.decision == INCIDENT_CLOSED:
        _refuse_without_incident(settings, wish.member)
        return Checked(case, wish.decision, wish.on.isoformat(), wish.reason_code, True)
    _refuse_contradiction(recorded, wish)
    warnings: list[str] = []
    if wish.decision == CORRECT_ADDRESS:
        _refuse_unusable_address(settings, wish)
    elif wish.decision == ISSUE:
        _refuse_unless_nothing_else_serves(standing)
    else:
        _refuse_unless_open(standing, wish)
    needs_second = wish.decision == RELEASE and PROTECTED in standing.values()
    if needs_second:
        warnings += _protected(settings, wish, recorded)
    return Checked(case, wish.decision, wish.on.isoformat(), wish.reason_code, needs_second, tuple(warnings))


def subject_of(wish: Decision, case: str) -> Subject:
    """What a second person is asked about: exactly this decision on exactly this member."""
    content = f"{wish.member.packed} {wish.decision} {wish.on} {wish.reason_code or ''}"
    return Subject(f"decision-{wish.on}-{case}-{wish.decision}", hashlib.sha256(content.encode()).hexdigest())


def known_user(name: str) -> str:
    """The name of who decides.

    Raises:
        DecisionError: nobody is known to.
    """
    if not name.strip():
        raise DecisionError(
            "判断した人が分かりません。画面に利用者として入り、そこから実行してください",
            "nobody is known to have decided; log in to the page and start it from there",
        )
    return name.strip()


def record_by(settings: Settings, wish: Decision, first: str, second: str | None, *, approved: bool) -> list[Fact]:
    """Record a decision in the name of one person, and of a second where two are needed.

    Args:
        settings: the installation.
        wish: what is decided.
        first: who decided, as the page knows them.
        second: who was asked as the second person; None where none was.
        approved: what the second person answered.

    Raises:
        DecisionError: nobody is known, one person twice, a refusal, or the case does not stand so any more.
    """
    checked = check_decision(settings, wish)
    people = [known_user(first)]
    if checked.needs_second:
        if second is None or not second.strip() or not approved:
            raise DecisionError(
                "二人目が認めなかったため、何も記録していません",
                "the second person did not approve: nothing was recorded, what was held stays held",
            )
        people.append(second.strip())
        if len(set(people)) < PEOPLE_NEEDED:
            raise DecisionError(
                "異なる二人が要ります。同じ人が二度答えています。別の人が最初からやり直してください",
                "two different people are needed; the same person answered twice. Begin again",
            )
    share = _share_to_accept(settings, wish.member) if wish.decision == ACCEPT_SHARE else None
    return [
        record_decision(settings, wish.member, wish.decision, who, wish.on, wish.reason_code, share) for who in people
    ]


def record_decision(
    settings: Settings,
    member: MemberKey,
    decision: str,
    by: str,
    on: date,
    reason_code: str | None = None,
    share: Share | None = None,
) -> Fact:
    """Land one person's decision on one member, as a file of the feed `decisions`; the same one twice is one fact.

    `share`, of accept_share alone: what was looked at.

    Raises:
        DecisionError: the decision, the reason or the person's name is not as the feed's contract has it.
    """
    if decision not in FORM_DECISIONS:
        raise DecisionError(
            f"判断は {', '.join(FORM_DECISIONS)} のどれかです", f"a decision is one of {', '.join(FORM_DECISIONS)}"
        )
    if not by.strip():
        raise DecisionError("判断には人の名が要ります", "a decision has a person's name")
    settings.store.initialise()
    branch = "" if member.packed == 0 else member.insurer_number
    key = [branch, "", "", ""] if decision in OF_A_BRANCH else str(member).split("-")
    looked_at = [share.drop_as_of.isoformat(), f"{share.share:.4f}"] if share else ["", ""]
    row = [*key, on.isoformat(), decision, by.strip(), reason_code or "", *looked_at]
    text = io.StringIO(newline="")
    writer = csv.writer(text, quoting=csv.QUOTE_ALL)
    writer.writerow(TABLES["decisions"].column_names)
    writer.writerow(row)
    content = text.getvalue().encode()
    digest = hashlib.sha256(content).hexdigest()
    with tempfile.TemporaryDirectory(dir=settings.store.data_tmp()) as folder:
        path = Path(folder) / f"decisions_{on:%Y%m%d}_{digest[:12]}.csv"
        path.write_bytes(content)
        manifest = json.dumps({"rows": 1, "sha256": digest})
        path.with_name(path.name + ".manifest.json").write_text(manifest, encoding="utf-8")
        try:
            fact = receive_feed(settings.store, "decisions", path, on)
        except FeedError as error:
            raise DecisionError(f"判断を取り込めません: {error}", str(error)) from error
    if fact.meta["rows"]["rejects"]:
        raise AssertionError(f"{fact.kind}/{fact.name}: a decision that was checked does not pass its feed's contract")
    return fact


def refuse_second_person(checked: Checked) -> None:
    """Refuse, at the terminal, what takes two people: a name typed there proves nobody (rules: approvals).

    Raises:
        DecisionError: the decision takes a second person.
    """
    if checked.needs_second:
        raise DecisionError(
            "二人が要る判断は端末では記録できません。画面の DAG record_decision で、二人がそれぞれ入って行ってください",
            "what takes two people is not recorded at the terminal: use the DAG record_decision in the page, where two "
            "people log in as themselves",
        )


def decisions_of(settings: Settings, member: MemberKey) -> list[dict[str, Any]]:
    """Every decision on one member and on its branch, oldest first: day, what, by whom, why, and its file."""
    return _decisions(settings, member)


def _branch(code: str) -> MemberKey:
    insurer = {item.prefecture_code: item.insurer_number for item in load_branches()}.get(code)
    if insurer is None:
        raise DecisionError(
            "再開する支部は都道府県コード 2 桁 (01 から 47) で指定します",
            "the branch to resume is named by the two digits of its prefecture, 01 to 47",
        )
    return MemberKey(insurer, "0000000", "0", "00")


def _decisions(settings: Settings, member: MemberKey) -> list[dict[str, Any]]:
    facts = settings.store.all("feeds/decisions")
    files = [
        str(fact.table("rows")) for fact in facts if fact.meta["rows"].get("rows") and fact.table("rows").is_file()
    ]
    if not files:
        return []
    connection = duckdb.connect(":memory:")
    try:
        cursor = connection.execute(
            "select decided_on, decision, decided_by, reason_code, source_file, received_on, member_key"
            " from read_parquet(?, union_by_name = true) where member_key in (?, ?)"
            " order by decided_on, received_on, source_file, row_number",
            [[*files, *_zero_row_file(settings)], member.packed, member.branch_packed],
        )
        names = [column[0] for column in cursor.description or []]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    finally:
        connection.close()


def _zero_row_file(settings: Settings) -> list[str]:
    """It has every column, also those that no older file has."""
    settings.store.initialise()
    return [str(settings.store.root / "feeds" / "decisions" / "_empty" / "rows.parquet")]


def _is_there(recorded: list[dict[str, Any]], wish: Decision) -> bool:
    key = wish.member.branch_packed if wish.decision in OF_A_BRANCH else wish.member.packed
    return any(
        (row["member_key"], row["decision"], row["decided_on"]) == (key, wish.decision, wish.on) for row in recorded
    )


def _refuse_past(settings: Settings, on: date) -> None:
    """What is frozen was decided on what was known then: a decision cannot be put before it."""
    frozen = [str(fact.meta["received_on"]) for fact in settings.store.all("plans")]
    if frozen and max(frozen) > on.isoformat():
        raise DecisionError(
            f"{max(frozen)} に確定した計画があります。判断日はその日以後にしてください",
            f"a plan was frozen on {max(frozen)}; the day of a decision cannot be before it",
        )


def _standing(settings: Settings, member: MemberKey) -> dict[str, str]:
    """Reason by stage of what waits for a person about this member; `target` for one who is to be served."""
    values = [member.insurer_number, member.symbol, member.number, member.suffix]
    where = "where insurer_number = ? and symbol = ? and number = ? and suffix = ?"
    with published(settings.data) as connection:
        waiting = connection.execute(
            f"select stage, coalesce(reason_code, '') from marts.fct_work_list {where}", values
        ).fetchall()
        disposition = connection.execute(
            "select effective_disposition, effective_reason_code from marts.fct_member_dispositions " + where, values
        ).fetchone()
        # A later drop that judged has the last word on a row that was rejected at the snapshot.
        late = connection.execute(
            "select effective_disposition, effective_reason_code from marts.fct_late_dispositions " + where, values
        ).fetchone()
    disposition = late or disposition
    standing = {str(stage): str(reason) for stage, reason in waiting}
    if disposition is not None and disposition[0] != "held":
        standing[str(disposition[0])] = str(disposition[1])
    return standing


def _refuse_unless_stopped(settings: Settings, branch: MemberKey) -> None:
    with published(settings.data) as connection:
        found = connection.execute(
            "select count(*) from marts.fct_alerts"
            " where alert_code in ('stop_rate_exceeded', 'register_doubted') and subject = ?",
            [branch.insurer_number],
        ).fetchone()
    if not found or not found[0]:
        raise DecisionError(
            "その支部は停止していません (警報 stop_rate_exceeded も register_doubted もありません)",
            "that branch is not stopped: there is no alert stop_rate_exceeded or register_doubted of it",
        )


def _share_to_accept(settings: Settings, branch: MemberKey) -> Share:
    """The share of targets that waits for a person, of a branch or the nation, as last published."""
    where = "insurer_number is null" if branch.packed == 0 else f"insurer_number = '{branch.insurer_number}'"
    with published(settings.data) as connection:
        found = connection.execute(
            f"select drop_as_of, share from marts.fct_target_shares where {where} and state <> 'usual'"
        ).fetchone()
    if found is None:
        raise DecisionError(
            "対象者の割合で、認めるものがありません (fct_target_shares)。全国は 00、支部は都道府県コード 2 桁です",
            "no share of targets waits to be accepted (fct_target_shares); 00 is the nation, 01 to 47 a branch",
        )
    return Share(*found)


def _refuse_without_incident(settings: Settings, member: MemberKey) -> None:
    """An incident is about a piece of this person: in a lot with such an alert, or in an employer's bundle or list."""
    values = [member.insurer_number, member.symbol, member.number, member.suffix]
    where = "insurer_number = ? and symbol = ? and number = ? and suffix = ?"
    codes = ", ".join(f"'{code}'" for code in INCIDENTS)
    with published(settings.data) as connection:
        found = connection.execute(
            f"""
            with incidents as (select subject from marts.fct_alerts where alert_code in ({codes}))
            select exists (
                select 1 from marts.fct_certificates join incidents on lot_id = subject where {where}
            ) or (
                exists (select 1 from incidents join marts.fct_lots on lot_id = subject
                    where kind in ('employer', 'employer_list'))
                and exists (select 1 from marts.fct_employer_lists where {where})
            )
            """,
            values * 2,
        ).fetchone()
    if not found or not found[0]:
        raise DecisionError(
            f"この人の発送物に、完了とする事故がありません (警報 {', '.join(INCIDENTS)})",
            f"no piece of this person has an incident to close (alerts {', '.join(INCIDENTS)})",
        )


def _refuse_contradiction(recorded: list[dict[str, Any]], wish: Decision) -> None:
    """Two opposite decisions of one day have no order."""
    opposites = {RELEASE: {EXCLUDE}, ISSUE: {EXCLUDE}, EXCLUDE: {RELEASE, ISSUE}}.get(wish.decision, set())
    found = sorted(row["decision"] for row in recorded if row["decided_on"] == wish.on and row["decision"] in opposites)
    if found:
        opposite = found[0]
        raise DecisionError(
            f"同じ日に反対の判断 ({opposite}) が記録されています。改めるなら翌日の日付で記録してください",
            f"the opposite decision ({opposite}) was recorded on the same day; to change it, decide on a later day",
        )


def _refuse_unless_open(standing: dict[str, str], wish: Decision) -> None:
    open_stages = set(standing) - STAGES_AT_BRANCH - STAGES_NOT_HELD - {"target", "excluded"}
    if open_stages or (wish.decision == EXCLUDE and "target" in standing):
        return
    if set(standing) & STAGES_AT_BRANCH:
        raise DecisionError(
            "資格確認書は支部にあります。本人に連絡し、窓口で渡すか返却を記録してください",
            "the certificate lies at the branch: hand it over at the desk, or record its return",
        )
    raise DecisionError(
        "この人は保留ではありません。作業一覧を確かめてください",
        "this person is not held; look at the work list",
    )


def _refuse_unless_nothing_else_serves(standing: dict[str, str]) -> None:
    """Rules, other routes, decided: an unable member whom no other line serves, nobody who is held or served."""
    if set(standing) & STAGES_NOT_HELD:
        return
    if set(standing) - STAGES_AT_BRANCH - {"target", "excluded"}:
        raise DecisionError(
            "この人は保留です。交付するには、作業一覧のとおり保留を解いてください (release など)",
            "this person is held: decide on the hold as the work list says (release and so on)",
        )
    raise DecisionError(
        "この人は「手元に何もない」人ではありません。カードが使えるか、資格確認書があるか、交付の途中です",
        "this person is not without anything in hand: the card works, or a certificate is there or on the way",
    )


def _refuse_unusable_address(settings: Settings, wish: Decision) -> None:
    """A corrected address is one that the newest register has: recording it before would promise what is not there."""
    row = newest_row(settings, "addresses", wish.member.packed // 100, wish.on)
    digits = "".join(character for character in str((row or {}).get("postal_code") or "") if character.isdecimal())
    if row is None or row["country"] != "JP" or not str(row["address"] or "").strip() or len(digits) != 7:
        raise DecisionError(
            "最新の加入者データに、送れる住所 (国内、住所、郵便番号 7 桁) がまだありません。"
            "先に基幹システムで住所を登録し、次の加入者データの取込み後に記録してください",
            "the newest register has no address yet that mail can be sent to (Japan, address, postal code of 7 digits);"
            " enter it in the core system first and record this after the next register drop",
        )


def _protected(settings: Settings, wish: Decision, recorded: list[dict[str, Any]]) -> list[str]:
    if not any(row["decision"] == CORRECT_ADDRESS and row["member_key"] == wish.member.packed for row in recorded):
        raise DecisionError(
            "支援措置の保留を解くには、先に送付先の確認 (correct_address) の記録が要ります",
            "a hold for protection is released after its delivery place is recorded (correct_address)",
        )
    insured = wish.member.packed // 100 * 100
    rows = [newest_row(settings, "members", key, wish.on) for key in (wish.member.packed, insured)]
    if any(row and row["protected"] for row in rows):
        return [
            t(
                "最新の加入者データではまだ支援措置の対象です。外れるまで、解いても送られません",
                "the newest register still has the protection: nothing is sent before it is lifted",
            )
        ]
    return []
