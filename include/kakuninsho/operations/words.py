"""Japanese words for codes and counts in what people read. The codes themselves stay in files and tables."""

from __future__ import annotations

WORDS = {
    # counts
    "lots": "ロット",
    "envelopes": "封筒・束",
    "certificates": "資格確認書",
    "postage_yen": "郵便料金 (円)",
    "lines": "掲載者",
    "planned": "計画した封筒",
    "pulled": "引抜き",
    "packed_anew": "組み直し",
    "files": "ファイル",
    "rows": "行",
    "rejected": "除いた行",
    "drops": "配信",
    "register": "加入者データ",
    "transfers": "送付ファイル",
    "plans": "計画",
    "approvals": "承認",
    "refusals": "受け取らなかった報告",
    "acknowledgements": "受領確認",
    "piece_reports": "差出報告",
    "return_reports": "返戻報告",
    "issue_requests": "交付申請",
    "certificate_returns": "資格確認書の返却",
    "decisions": "判断",
    "usage_counts": "利用件数",
    # outcomes
    "held": "保留",
    "closed": "終了",
    "planned_again": "組み直して送る",
    "employer_bundle": "事業所へ",
    "branch_desk": "支部窓口",
    "issue": "交付",
    "refused": "却下",
    # reasons
    "row_missing": "加入者データに行がない",
    "membership_lost": "資格喪失",
    "reached_75": "75歳到達",
    "address_protected": "支援措置",
    "validity_over": "有効期限が差出日より前",
    "already_has_certificate": "有効な資格確認書がある",
    "details_changed": "記載事項・住所の変更",
    "moved_or_renamed": "記載事項・住所の変更",
    "address_missing": "住所がない・不備",
    "address_overseas": "海外住所",
    "damaged_text": "文字の欠け・化け",
    "kana_missing": "フリガナがない",
    "unprintable_text": "印刷できない文字",
    "branch_stopped": "支部の差出し停止 (返戻率超過)",
    "lot_rejected": "印刷会社がロットを拒否",
    "lot_destroyed": "中止指示で廃棄したロット",
    "lot_stopped": "中止指示で停止中",
    "not_acknowledged": "印刷会社の受領確認がない",
    "household_voluntary": "任意継続",
    "household_without_insured": "被保険者の行がない",
    "card_record_rejected": "カードの行が不備",
    "decided_excluded": "対象外と判断",
    "not_a_member": "加入者でない",
    "not_a_new_enrollee": "新規加入者でない",
    "replacement_stopped": "作り直しの停止",
    "returned_after_closing": "最終回の後の返戻",
    "employer_unknown": "事業所不明",
    "employer_closed": "事業所が全喪",
    "employer_unreachable": "事業所に送れない",
    "card_usable": "マイナ保険証を使える",
    # kinds of request
    "new_enrollee": "新規加入者",
    "care_needed": "要配慮者",
    "lost_or_damaged": "紛失・き損",
}


def say(code: str) -> str:
    """The Japanese word for a code, or the code itself."""
    return WORDS.get(code, code)
