"""Everything known of one person: which rule decided, each certificate and event, what happens next.

Read from the published copy and the landed register; shown to a person who asks for that one member, never logged.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any

import duckdb

from kakuninsho.facts.store import Fact
from kakuninsho.settings import Settings
from kakuninsho.warehouse import published
from kakuninsho.warehouse.context import newest_register

# The lines of "what becomes of each row", in their order: reason code and what the line asks.
LINES: tuple[tuple[str, str], ...] = (
    ("membership_lost", "本人または被保険者が基準日までに資格を喪失したか"),
    ("reached_75", "本人または被保険者が基準日までに75歳になったか"),
    ("new_enrollee", "決定日が新規加入者の取扱い開始日以後か"),
    ("address_protected", "本人または被保険者が支援措置の対象か"),
    ("between_routes", "決定日が二つの取扱いの間か"),
    ("household_without_insured", "世帯に被保険者 (枝番00) の行がないか"),
    ("card_record_rejected", "マイナンバーカードの行が却下されたか"),
    ("card_usable", "マイナ保険証を使えるか"),
    ("address_overseas", "住所が国外か"),
    ("address_missing", "住所または郵便番号が欠けているか"),
    ("unprintable_text", "印字できない文字や長すぎる文字列があるか"),
)
NEXT = {
    "planned": "差出日を待っています。",
    "handed_off": "印刷会社に渡し済み。差出日の前に再確認します。",
    "posted": "投函済み。30日以内に戻らなければ配達とみなします。",
    "delivered": "配達とみなしています。これ以上の処理はありません。",
    "returned": "返戻されました。次の未着後発送で処理します。",
    "at_employer": "事業所へ送りました。事業所から本人に渡されます。",
    "at_branch_desk": "支部窓口で本人の連絡を待っています。",
    "held": "保留中です。支部の担当者の判断を待っています。",
    "pulled": "差出し前に引き抜きました。",
    "spoiled": "刷り損じです。新しい番号で印刷されます。",
    "superseded": "新しい資格確認書に置き換わりました。",
    "closed": "処理を終えています。",
}


class ExplainError(ValueError):
    """The key is not of a member, or nothing is known of it. Says what to check."""


@dataclass(frozen=True)
class MemberKey:
    """The natural key of a member."""

    insurer_number: str
    symbol: str
    number: str
    suffix: str

    @classmethod
    def parse(cls, text: str) -> MemberKey:
        """Read `insurer-symbol-number-suffix`.

        Raises:
            ExplainError: not four parts of digits.
        """
        parts = text.split("-")
        if len(parts) != 4 or not all(part.isascii() and part.isdigit() for part in parts):
            raise ExplainError("a member is asked for as 保険者番号-記号-番号-枝番, for example 01180017-1060708-12-00")
        return cls(*parts)

    @property
    def packed(self) -> int:
        """The packed key that facts use."""
        code = int(self.symbol) + (10_000_000 if len(self.symbol) == 8 else 0)
        employer = int(self.insurer_number[2:4]) * 110_000_000 + code
        return (employer * 10_000_000 + int(self.number)) * 100 + int(self.suffix)


@dataclass
class Explanation:
    """What is known of one member."""

    member: str
    disposition: dict[str, Any] | None
    rules: list[dict[str, str]]
    register: dict[str, Any] | None
    certificates: list[dict[str, Any]]
    envelopes: list[dict[str, Any]]
    events: list[dict[str, Any]]
    employer_list: list[dict[str, Any]]
    follow_ups: list[dict[str, Any]]
    old_card: str
    next_steps: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def explain(settings: Settings, key: MemberKey) -> Explanation:
    """Collect everything known of one member.

    Raises:
        ExplainError: no register and no plan knows this member.
    """
    values = [key.insurer_number, key.symbol, key.number, key.suffix]
    household = values[:3]
    of_member = "where insurer_number = ? and symbol = ? and number = ? and suffix = ?"
    of_household = "where insurer_number = ? and symbol = ? and number = ?"
    with published(settings.data) as connection:
        dispositions = _rows(connection, f"select * from marts.fct_member_dispositions {of_member}", values)
        certificates = _rows(
            connection, f"select * from marts.fct_certificates {of_member} order by issued_on, certificate_id", values
        )
        envelopes = _rows(
            connection, f"select * from marts.fct_envelopes {of_household} order by envelope_id", household
        )
        mine = [row["envelope_id"] for row in certificates]
        envelopes = [row for row in envelopes if row["envelope_id"] in mine]
        events = _rows(
            connection,
            "select * from marts.fct_mail_events where envelope_id in (select unnest(?::varchar[]))"
            " order by occurred_on, event_id",
            [mine],
        )
        listed = _rows(connection, f"select * from marts.fct_employer_lists {of_member}", values)
        follow_ups = _rows(
            connection,
            "select * from marts.fct_employer_follow_ups"
            " where envelope_id in (select unnest(?::varchar[])) order by run_on",
            [mine],
        )
    register = _newest_row(settings, key)
    if not (dispositions or certificates or register):
        raise ExplainError(f"nothing is known of this member under {settings.data}; check each of the four numbers")
    disposition = dispositions[0] if dispositions else None
    return Explanation(
        member="-".join(values),
        disposition=disposition,
        rules=_rules(disposition),
        register=register,
        certificates=certificates,
        envelopes=envelopes,
        events=events,
        employer_list=listed,
        follow_ups=follow_ups,
        old_card=_old_card(settings, register),
        next_steps=_next_steps(disposition, certificates),
    )


def _rules(disposition: dict[str, Any] | None) -> list[dict[str, str]]:
    if disposition is None:
        return []
    reason, rules = disposition["reason_code"], []
    for code, question in LINES:
        if code == reason:
            rules.append({"line": code, "question": question, "answer": f"はい → {disposition['disposition']}"})
            return rules
        rules.append({"line": code, "question": question, "answer": "いいえ"})
    rules.append({"line": "target", "question": "上のどれでもない", "answer": f"対象 ({reason})"})
    return rules


def _newest_row(settings: Settings, key: MemberKey) -> dict[str, Any] | None:
    """The member's own row in the newest drop that has it, with what concerns the mailing only."""
    full, deltas = newest_register(settings.store, date.max)
    drops: list[Fact] = [*reversed(deltas), *([full] if full else [])]
    connection = duckdb.connect(":memory:")
    try:
        for drop in drops:
            found = _rows(
                connection,
                "select as_of, enrolment, qualified_on, decided_on, lost_on, protected"
                " from read_parquet(?, hive_partitioning = false) where member_key = ?",
                [str(drop.table("members")), key.packed],
            )
            if found:
                return found[0]
    finally:
        connection.close()
    return None


def _old_card(settings: Settings, register: dict[str, Any] | None) -> str:
    """Rules: campaign parameters, old card."""
    values = settings.campaign.parameters
    lost_on = register["lost_on"] if register else None
    if lost_on and lost_on < values.old_cards_end_on:
        return f"従来の保険証は事業所へ返却が必要です (資格喪失日 {lost_on})。"
    return f"従来の保険証は {values.old_cards_end_on} から本人が破棄できます。"


def _next_steps(disposition: dict[str, Any] | None, certificates: list[dict[str, Any]]) -> list[str]:
    live = [row for row in certificates if row["is_live"]]
    if live:
        return [NEXT[row["status"]] for row in live]
    if certificates:
        return [NEXT[certificates[-1]["status"]]]
    if disposition is None:
        return ["一括交付の対象データにない人です。申請または随時の交付を待ちます。"]
    steps = {
        "excluded": "一括交付の対象外です。状況が変われば申請または随時の交付の対象になります。",
        "held": "支部の担当者の判断を待っています。判断を記録すると次の差出しに入ります。",
        "target": "計画の確定を待っています。",
    }
    return [steps[str(disposition["effective_disposition"])]]


def _rows(connection: duckdb.DuckDBPyConnection, query: str, values: list[Any]) -> list[dict[str, Any]]:
    cursor = connection.execute(query, values)
    names = [column[0] for column in cursor.description or []]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
