"""The Japanese words of codes. A code without a word is shown as it is, so nothing new is hidden."""

from __future__ import annotations

STEPS = {
    "extract": "データ抽出",
    "hand_off": "データ提供 (印刷会社)",
    "employer_lists": "対象者一覧 発送 (事業所)",
    "home_mail": "個人宛に発送",
    "employer_follow_up": "未着後 事業所発送",
    "served": "交付の期限",
}
STEP_UNITS = {
    "extract": "件",
    "hand_off": "ロット",
    "employer_lists": "ロット",
    "home_mail": "通",
    "employer_follow_up": "回",
    "served": "人",
}
STATES = {"done": "完了", "running": "進行中", "late": "遅れ", "waiting": "予定"}
FLOW = {
    "register": "加入者データの行",
    "rejected": "受入不可",
    "card_usable": "マイナ保険証を使える",
    "otherwise_excluded": "その他の対象外",
    "held_at_snapshot": "抽出時に保留",
    "target": "交付対象者",
    "addition": "後から加わった人",
    "to_be_served": "交付すべき人",
    "delivered": "配達 (みなし)",
    "in_transit": "郵送中",
    "at_employer": "事業所経由で交付",
    "waiting": "差出し前",
    "returned": "返戻 (次の発送待ち)",
    "at_branch_desk": "支部窓口",
    "held": "保留",
    "ended": "終了 (資格喪失など)",
}
LEDGER = {
    "1_register": ("加入者データ", "明細の行数 = 受入不可 + 対象外 + 保留 + 対象"),
    "1b_later_drops": ("その後のデータ", "明細の行数 = 受入不可 + 受入"),
    "2_people": ("人", "対象 + 追加 = 作成済み + 作成待ち + 後の対象外・保留"),
    "3_envelopes": ("封筒", "確定 = 送付 + 取消 + 送付待ち"),
    "4_transfers": ("送付", "送付 = 受領 + 拒否 + 回答待ち"),
    "5_pieces": ("差出し", "指示 = 差出し + 引抜き + 刷り損じ + 報告待ち"),
    "5b_reprints": ("刷り直し", "刷り損じ = 代わりの差出し + 刷り損じ + 報告待ち"),
    "5c_samples": ("見本", "指示したロットの見本 = 差出し + 報告待ち"),
    "5d_pull_lists": ("引抜き", "引抜きリスト = 差し出されていない"),
    "5e_stopped": ("差出し中止", "中止したロット = 引抜き + 刷り損じ + 保管中 + 廃棄待ち"),
    "6_posted": ("郵送", "差出し = 配達 + 返戻 + 郵送中"),
    "7_returned": ("返戻", "返戻 = 未着後の処理 + 期日前"),
    "8_everyone": ("全員", "加入者 + 欠けた人 + 受入不可の人 = 使える + 手元にある + 届く途中 + 手元に何もない"),
}
EVERYONE = {
    "able": "マイナ保険証を使える",
    "in_hand": "資格確認書が手元にある",
    "on_the_way": "資格確認書が届く途中",
    "without": "手元に何もない",
}
# Why somebody has nothing in hand. Codes that a person's decision or a later rule brings are shown as they are.
WITHOUT = {
    "returned": "返戻された (次の発送待ち)",
    "at_branch_desk": "支部窓口にある",
    "row_missing": "最新の加入者データに行がない",
    "row_rejected": "加入者データの行が受入不可",
    "row_rejected_without_key": "受入不可で誰の行か読めない (行数)",
    "address_protected": "支援措置の対象",
    "between_routes": "どちらの取扱いの対象でもない決定日",
    "household_without_insured": "世帯に被保険者の行がない",
    "card_record_rejected": "カードの行が受入不可",
    "address_overseas": "住所が国外",
    "address_missing": "住所がない・不備",
    "damaged_text": "文字が欠けている",
    "kana_missing": "フリガナがない",
    "unprintable_text": "印字できない文字",
    "address_is_employer": "住所が事業所と同じ",
    "employer_unknown": "事業所の登録がない",
    "employer_closed": "事業所が全喪した",
    "employer_unreachable": "事業所の宛先が印字できない",
    "replacement_stopped": "事故の調査中で作り直しを止めた",
    "by_person": "担当者が差出しを止めた",
    "given_back": "本人が資格確認書を返した",
    "decided_excluded": "担当者が対象外とした",
    "not_planned": "どの計画にも載っていない",
    "request_refused": "申請が却下された",
    "no_request_filed": "新規加入者で申請がない",
    "membership_lost": "資格喪失で終了した後に再び加入",
    "reached_75": "75歳で終了した後も加入中",
    "validity_over": "有効期限が差出し前に終わる",
    "already_has_certificate": "ほかの資格確認書があった",
    "card_usable": "カードが使えたため引き抜いた",
    "return_expected": "喪失で返却を待った後に再び加入",
    "spoiled": "刷り損じのまま",
    "no_route": "どの取扱いにも当たらない",
}
LOT_KINDS = {
    "home": "個人宛",
    "supplementary": "追送",
    "employer": "事業所 (未着後・申請)",
    "employer_list": "対象者一覧",
    "request": "申請",
}
LOT_STATES = {
    "planned": "計画",
    "handed_off": "送付済み",
    "accepted": "受領済み",
    "released": "差出し指示",
    "posted": "差出し済み",
    "withheld": "差出し見合せ",
    "rejected": "拒否",
    "replaced": "作り直し",
    "voided": "取消",
    "stopped": "差出し中止",
    "destroyed": "廃棄",
}
WORK_STAGES = {
    "snapshot": "抽出時の保留",
    "pulled": "引抜き後の保留",
    "returned": "返戻後の保留",
    "branch_desk": "支部窓口",
    "request": "申請の保留",
    "rolling": "随時の保留",
    "decided": "判断による交付の保留",
    "nothing_in_hand": "手元に何もない",
}
SEVERITIES = {"critical": "重大", "warning": "注意"}


def word(words: dict[str, str], code: str) -> str:
    """The word of a code, or the code itself."""
    return words.get(code, code)


def short_branch(name: str) -> str:
    """A branch's name as it fits on a tile: 北海道支部 is 北海道."""
    return name.removesuffix("支部")
