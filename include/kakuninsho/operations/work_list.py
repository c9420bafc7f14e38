"""What waits for a person at a branch (rules: what becomes of each row, held), and who is meant by a case number."""

from __future__ import annotations

import csv
import re
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import duckdb

from kakuninsho.campaign import load_branches
from kakuninsho.messages import TwoLanguageError, t
from kakuninsho.operations.members import CaseBook, MemberError, MemberKey, looks_like_case, same_case
from kakuninsho.operations.published_copy import require_published
from kakuninsho.settings import Settings
from kakuninsho.warehouse import published

# What a person decides of each reason. A corrected address comes with the register; the decision records that it was.
DECIDE: dict[str, tuple[str, str]] = {
    "address_protected": (
        "送付先を確かめ correct_address を記録し、二人が release (最新データで支援措置が外れてから)",
        "confirm the delivery place, record correct_address, then release by two people (protection lifted)",
    ),
    "between_routes": ("対象か確かめ、release または exclude", "is it a target? release or exclude"),
    "household_without_insured": (
        "被保険者の行を登録し、release または exclude",
        "enter the insured person's row, then release or exclude",
    ),
    "card_record_rejected": (
        "カードの行を訂正してもらう。正しい行が届けば自動で判定する。それまでに決めるなら release または exclude",
        "have the card's row corrected: once it is right it is judged; else release or exclude",
    ),
    "address_overseas": (
        "国内の送付先を登録し correct_address と release、または exclude",
        "enter an address in Japan, correct_address and release, or exclude",
    ),
    "address_missing": (
        "住所を登録し correct_address と release、または exclude",
        "enter the address, correct_address and release, or exclude",
    ),
    "damaged_text": (
        "正しい氏名・カナ・住所を確かめて登録し release、または exclude",
        "find out and enter the right name, kana or address, release, or exclude",
    ),
    "kana_missing": (
        "フリガナを登録し release、または exclude",
        "enter the kana, release, or exclude",
    ),
    "unprintable_text": (
        "印字できる文字に改め release、または exclude",
        "use characters that can be printed, release, or exclude",
    ),
    "address_is_employer": (
        "事業所の住所でよいか本人に確かめ、release または exclude",
        "ask the person whether the employer's address is meant, release or exclude",
    ),
    "row_missing": (
        "加入者データから消えた理由を確かめる。行が戻れば自動で判定する。それまでに決めるなら release または exclude",
        "why did the row vanish? Once it is back it is judged by itself; else release or exclude",
    ),
    "row_rejected": (
        "加入者データの行を訂正してもらう。正しい行が届けば自動で判定し、対象なら次のロットに入る",
        "have the register's row corrected: once it is right it is judged, and a target joins the next lot",
    ),
    "given_back": (
        "資格確認書を返した人。必要なら交付申請を受け付けるか、issue (交付する)",
        "gave the certificate back: take a request if one is needed, or issue",
    ),
    "no_request_filed": (
        "申請のない新規加入者。本人に確かめ、必要なら交付申請を受け付けるか、issue (交付する)",
        "a new enrollee who asked for nothing: ask, and take a request if one is needed, or issue",
    ),
    "no_route": (
        "どの取扱いにも当たらない。本人に確かめ、必要なら交付申請を受け付けるか、issue (交付する)",
        "no route serves this person: ask, and take a request if one is needed, or issue",
    ),
    "replacement_stopped": (
        "引き抜いたはずの封筒が差し出された世帯。経過を確かめるまで送らない",
        "a pulled piece of the household was posted: nothing is sent until that is settled",
    ),
    "employer_closed": (
        "事業所が全喪。自宅に送るなら release、送らないなら exclude",
        "the employer has closed: release sends home, exclude does not send",
    ),
    "employer_unknown": (
        "事業所の登録がない。自宅に送るなら release、送らないなら exclude",
        "no such employer: release sends home, exclude does not send",
    ),
    "employer_unreachable": (
        "事業所の宛先が印字できない。自宅に送るなら release、送らないなら exclude",
        "the employer's address cannot be printed: release sends home, exclude does not send",
    ),
}
RELEASE_OR_EXCLUDE = ("release または exclude", "release or exclude")
AT_DESK = (
    "本人に連絡し、窓口で渡すか返却を記録する",
    "reach the person, hand it over at the desk or record its return",
)
# Released when no posting date was left: there is nothing yet that could be handed over.
AT_DESK_WITHOUT_CERTIFICATE = (
    "一括発送の便は終わり、資格確認書はまだない。本人に連絡して交付申請を受け付ける (次の週次の交付で作る)",
    "no posting date is left and no certificate made: take a request, which the next weekly issue serves",
)
STAGES: dict[str, tuple[str, str]] = {
    "snapshot": ("抽出時から保留", "held since the snapshot"),
    "pulled": ("引抜き後に保留", "pulled and held"),
    "returned": ("返戻後に保留", "returned and held"),
    "branch_desk": ("支部窓口", "branch desk"),
    "request": ("申請の保留", "request held"),
    "rolling": ("随時交付の保留", "rolling issue held"),
    "decided": ("判断による交付の保留", "decided issue held"),
    "nothing_in_hand": ("手元に何もない", "nothing in hand"),
}
# Where a certificate lies at the branch, a decision moves nothing: it is handed over or comes back.
STAGES_AT_BRANCH = frozenset({"returned", "branch_desk"})
# Nothing is held there that a release or an exclusion could free.
STAGES_NOT_HELD = frozenset({"nothing_in_hand"})


def to_decide(stage: str, reason: str | None, certificate_id: str | None) -> str:
    """What a person at the branch has to decide or do about a line of the work list, in words."""
    if stage in STAGES_AT_BRANCH:
        return t(*(AT_DESK if certificate_id and reason != "released_and_waiting" else AT_DESK_WITHOUT_CERTIFICATE))
    return t(*DECIDE.get(reason or "", RELEASE_OR_EXCLUDE))


class WorkListError(TwoLanguageError):
    """No such branch, or the published copy has no work list. Says what to do."""


@dataclass(frozen=True)
class Waiting:
    """One line of a branch's work list."""

    branch: str
    case: str  # 整理番号: names the member in forms, mails and on the phone without a key
    member: str  # as `kakuninsho explain` and `decide` take it
    stage: str
    reason: str
    decide: str
    certificate_id: str | None
    request_id: str | None


def work_list(settings: Settings, branch: str | None = None) -> list[Waiting]:
    """Everyone who waits for a person, of one branch (its prefecture's two digits) or of all, in order of member.

    Raises:
        WorkListError: no such branch, or the published copy is of an older version.
        NothingPublishedError: nothing is published yet.
    """
    names = {item.insurer_number: item.branch_name for item in load_branches()}
    codes = {item.prefecture_code: item.insurer_number for item in load_branches()}
    if branch is not None and branch not in codes:
        raise WorkListError(
            "支部は都道府県コード 2 桁 (01 から 47) で指定します",
            "a branch is named by the two digits of its prefecture, 01 to 47",
        )
    require_published(settings)
    where = f"where insurer_number = '{codes[branch]}'" if branch else ""
    with published(settings.data) as connection:
        try:
            rows = connection.execute(
                "select insurer_number, symbol, number, suffix, stage, reason_code, certificate_id, request_id"
                f" from marts.fct_work_list {where}"
                " order by insurer_number, symbol, number::bigint, suffix, stage, certificate_id, request_id"
            ).fetchall()
        except duckdb.CatalogException as error:
            raise WorkListError(
                "公開された写しに作業一覧がありません。公開をやり直してください",
                "the published copy has no work list yet; publish again",
            ) from error
    cases = CaseBook(settings.data)
    lines = []
    for insurer, symbol, number, suffix, stage, reason, certificate_id, request_id in rows:
        member = MemberKey(insurer, symbol, number, suffix)
        lines.append(
            Waiting(
                names[insurer],
                cases.number(member.packed),
                str(member),
                stage,
                reason or "",
                to_decide(stage, reason, certificate_id),
                certificate_id,
                request_id,
            )
        )
    return lines


def write_work_list(lines: list[Waiting], path: Path) -> None:
    """Write a work list as CSV (UTF-8 with BOM, for spreadsheets), readable by its owner alone."""
    path.touch(mode=0o600)
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([item.name for item in fields(Waiting)])
        writer.writerows(astuple(line) for line in lines)


def find_member(settings: Settings, text: str) -> MemberKey:
    """Who is meant by a member key, a case number of the work list, or a certificate's number.

    Raises:
        MemberError: nobody is meant by it.
        NothingPublishedError: a number is looked up, and nothing is published yet.
    """
    text = text.strip()
    if re.fullmatch(r"[0-9]{11}-[0-9]{1,2}", text):
        return _member_of_certificate(settings, text)
    if not looks_like_case(text):
        return MemberKey.parse(text)
    for line in work_list(settings):
        if same_case(line.case, text):
            return MemberKey.parse(line.member)
    raise MemberError(
        "その整理番号の人は作業一覧にいません。一覧を作り直すか、保険者番号-記号-番号-枝番 で指定してください",
        "nobody on the work list has that case number; make the list again, or give the member key",
    )


def _member_of_certificate(settings: Settings, certificate_id: str) -> MemberKey:
    require_published(settings)
    with published(settings.data) as connection:
        found = connection.execute(
            "select insurer_number, symbol, number, suffix from marts.fct_certificates where certificate_id = ?",
            [certificate_id],
        ).fetchone()
    if found is None:
        raise MemberError("その番号の資格確認書はありません", "there is no certificate of that number")
    return MemberKey(*found)
