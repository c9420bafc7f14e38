"""The rules in words, in both languages: each table's lines in order, each reason, each status and what comes next.

The tables are those of the models; a test holds that every code that a season brings up has its words here.
"""

from __future__ import annotations

Text = tuple[str, str]
Lines = tuple[tuple[str, Text], ...]

# "What becomes of each row": reason code and what the line asks, in the order of int_members_evaluated.
DISPOSITION_LINES: Lines = (
    (
        "membership_lost",
        ("本人または被保険者が基準日までに資格を喪失したか", "own or insured's membership lost by the snapshot"),
    ),
    (
        "reached_75",
        ("本人または被保険者が基準日までに75歳になったか", "own or insured's 75th birthday by the snapshot"),
    ),
    ("new_enrollee", ("決定日が新規加入者の取扱い開始日以後か", "decided on or after the day of new enrollees")),
    (
        "address_protected",
        ("本人または被保険者が支援措置の対象か", "the member or the insured is under address protection"),
    ),
    ("between_routes", ("決定日が二つの取扱いの間か", "decided between the two routes")),
    ("household_without_insured", ("世帯に被保険者 (枝番00) の行がないか", "the household has no row with suffix 00")),
    ("card_record_rejected", ("マイナンバーカードの行が却下されたか", "the row of the card was rejected")),
    ("card_usable", ("マイナ保険証を使えるか", "the card can be used as insurance card")),
    (
        "already_has_certificate",
        (
            "ほかのシステムが交付した有効な資格確認書があるか",
            "a certificate of another system lives (issued_certificates)",
        ),
    ),
    ("address_overseas", ("住所が国外か", "the address is outside Japan")),
    ("address_missing", ("住所または郵便番号が欠けているか", "the address or its postal code is missing")),
    ("damaged_text", ("欠けた文字・化けた文字があるか", "a text lost characters on its way")),
    ("kana_missing", ("フリガナがないか", "the kana are missing")),
    ("unprintable_text", ("印字できない文字や長すぎる文字列があるか", "text that cannot be printed, or is too long")),
    (
        "address_is_employer",
        ("住所が事業所と同じで、保留とする設定か", "an employer's address, and the campaign holds those"),
    ),
)
# The same by a later drop that has the right row: lines 1 and 2 are of that drop's day.
LATE_LINES: Lines = (
    (
        "membership_lost",
        (
            "本人または被保険者がそのデータの日までに資格を喪失したか",
            "own or insured's membership lost by that drop's day",
        ),
    ),
    (
        "reached_75",
        ("本人または被保険者がそのデータの日までに75歳になったか", "own or insured's 75th birthday by that drop's day"),
    ),
    *DISPOSITION_LINES[2:],
)
# "A wave and its releases", line 1: what the re-check finds, in the order of int_recheck_findings.
RECHECK_LINES: Lines = (
    ("row_missing", ("最新の加入者データに行がないか、却下されたか", "the row is missing or was rejected")),
    (
        "membership_lost",
        ("本人または被保険者が差出日までに資格を喪失したか", "own or insured's membership lost by the posting date"),
    ),
    (
        "reached_75",
        ("本人または被保険者が差出日までに75歳になったか", "own or insured's 75th birthday by the posting date"),
    ),
    (
        "address_protected",
        ("本人または被保険者が支援措置の対象か", "the member or the insured is under address protection"),
    ),
    ("validity_over", ("有効期限が差出日より前か", "the validity ends before the posting date")),
    ("already_has_certificate", ("ほかに有効な資格確認書があるか", "a live certificate by another route")),
    ("by_person", ("人が止めたか (hold_piece)", "a person holds the piece (hold_piece)")),
    (
        "details_changed",
        (
            "氏名・カナ・性別・生年月日・資格取得日・住所が変わったか、有効期限が早まったか",
            "name, kana, sex, birth date, qualified_on or address changed, or the validity ends earlier",
        ),
    ),
    (
        "card_usable",
        ("マイナ保険証が使えるようになり、引き抜く設定か", "the card has become usable, and the campaign pulls then"),
    ),
    ("packed_anew", ("同じ封筒の人が引き抜かれ、残りを詰め直すか", "the envelope is pulled for somebody else in it")),
)
# "Undelivered mail": where a returned envelope goes, in the order of int_follow_ups_pending.
FOLLOW_UP_LINES: Lines = (
    (
        "address_protected",
        ("封筒の誰かか被保険者が支援措置の対象か", "anybody of the envelope, or the insured, is protected"),
    ),
    ("by_person", ("封筒の誰かを人が止めたか (hold_piece)", "a person holds somebody of the envelope (hold_piece)")),
    (
        "row_rejected",
        ("封筒の誰かか被保険者の最新の行が不備か", "the newest row of somebody of the envelope was rejected"),
    ),
    ("membership_lost", ("本人または被保険者が資格を喪失したか", "own or insured's membership is lost")),
    ("reached_75", ("本人または被保険者が75歳になったか", "own or insured's 75th birthday is over")),
    ("returned_after_closing", ("締めの実施日より後に返戻されたか", "returned after the closing run")),
    ("row_missing", ("最新の加入者データに行がないか", "the row is missing in the newest register")),
    ("household_voluntary", ("任意継続の世帯か (事業所がない)", "a voluntary household: there is no employer")),
    ("employer_unknown", ("事業所の登録がないか", "the employer is unknown")),
    ("employer_closed", ("事業所が全喪したか", "the employer has closed")),
    ("employer_unreachable", ("事業所の宛先が印字できないか", "the employer's address cannot be printed")),
    (
        "employer_bundle",
        ("上のどれでもない: 事業所の今回の束に入れる", "none of these: into the employer's bundle of this run"),
    ),
)
# "Other routes": why a request or a rolling issue is refused or held, in the order of int_issues_judged.
REQUEST_LINES: Lines = (
    (
        "row_missing",
        (
            "申請が最新の加入者データより新しいか、行が却下されたか",
            "asked after the newest register, or the row was rejected",
        ),
    ),
    ("not_a_member", ("最新の加入者データに行がないか", "no row in the newest register")),
    ("membership_lost", ("本人または被保険者が資格を喪失したか", "own or insured's membership is lost")),
    ("reached_75", ("本人または被保険者が75歳になったか", "own or insured's 75th birthday is over")),
    (
        "address_protected",
        ("本人または被保険者が支援措置の対象か", "the member or the insured is under address protection"),
    ),
    ("decided_excluded", ("人の判断で対象外となったか", "a person has taken the member out")),
    (
        "between_routes",
        (
            "決定日がどちらの取扱いにも当たらず、抽出時から使えないか",
            "decided between the two routes, and unable since the snapshot",
        ),
    ),
    ("household_without_insured", ("世帯に被保険者 (枝番00) の行がないか", "the household has no row with suffix 00")),
    ("not_a_new_enrollee", ("新規加入者としての申請だが、新規加入者でないか", "asks as a new enrollee and is none")),
    ("already_has_certificate", ("すでに有効な資格確認書があるか", "there is a live certificate already")),
    ("card_record_rejected", ("マイナンバーカードの行が却下されたか", "the row of the card was rejected")),
    ("card_usable", ("申請日にマイナ保険証を使えるか", "the card can be used on the day of the request")),
    ("validity_over", ("発行しても有効期限が過ぎているか", "the validity would be over")),
    ("address_overseas", ("住所が国外か", "the address is outside Japan")),
    ("address_missing", ("住所または郵便番号が欠けているか", "the address or its postal code is missing")),
    ("damaged_text", ("欠けた文字・化けた文字があるか", "a text lost characters on its way")),
    ("kana_missing", ("フリガナがないか", "the kana are missing")),
    ("unprintable_text", ("印字できない文字や長すぎる文字列があるか", "text that cannot be printed, or is too long")),
    ("employer_unknown", ("事業所の登録がないか", "the employer is unknown")),
    ("employer_closed", ("事業所が全喪したか", "the employer has closed")),
    ("employer_unreachable", ("事業所の宛先が印字できないか", "the employer's address cannot be printed")),
    ("issue", ("上のどれでもない: 交付する", "none of these: issue")),
)

# Tables of the rules, as headings.
TABLES: dict[str, Text] = {
    "rejects": ("加入者データの受入れ", "Register drop: rejects"),
    "disposition": ("抽出時の判定", "What becomes of each row"),
    "late": ("正しい行が届いたデータでの判定", "Judged by the first later drop that has the row"),
    "after_decision": ("人の判断のあとの判定", "The same after a person's decision"),
    "recheck": ("差出し前の再確認", "Re-check before posting"),
    "follow_up": ("返戻のあと", "Undelivered mail"),
    "request": ("申請による交付", "Issue on request"),
    "rolling": ("随時の交付", "Rolling issue"),
    "decided": ("判断による交付", "Issue decided by a person"),
}
ROLLING: Text = (
    "基準日または加入の後にマイナ保険証を使えなくなったか (電子証明書は期限の翌々月の末を過ぎたか)",
    "unable to use the card since the snapshot or joining (an expired certificate: past its second month)",
)
DECIDED: Text = (
    "ほかの取扱いに当たらない人に、担当者が交付を判断したか",
    "a person decided to issue, where no other line serves",
)
DISPOSITIONS: dict[str, Text] = {
    "excluded": ("対象外", "excluded"),
    "held": ("保留", "held"),
    "target": ("対象", "target"),
    "rejected": ("却下", "rejected"),
}
NEEDS: dict[str, Text] = {
    "no_card": ("カードを持っていない", "no card"),
    "number_not_filed": ("個人番号が登録されていない", "the number is not filed"),
    "not_registered": ("保険証の利用登録がない", "not registered as insurance card"),
    "registration_cancelled": ("利用登録を解除した", "the registration was cancelled"),
    "certificate_in_grace": ("電子証明書の期限が切れ、猶予期間中", "the electronic certificate expired, in grace"),
    "certificate_expired": ("電子証明書の期限が切れた", "the electronic certificate expired"),
    "care_needed": ("要配慮者の申請", "care needed"),
    "lost_or_damaged": ("紛失・き損", "lost or damaged"),
    "card_lost_or_renewing": ("カードの紛失・更新中", "the card is lost or being renewed"),
    "card_returned": ("カードを返納した", "the card was given back"),
}
REJECTS: dict[str, Text] = {
    "duplicate_row": ("同じ行が二つあり、写しのほう", "an exact copy of another row"),
    "conflicting_duplicate": ("同じ番号で内容の違う行がある", "rows of one key that differ"),
    "missing_value": ("必要な値がない", "a required value is missing"),
    "bad_format": ("形式が違う", "bad format"),
    "bad_code": ("定めのない符号", "unknown code"),
    "bad_date": ("日付が正しくない", "bad date"),
    "inconsistent": ("ほかの列と合わない", "disagrees with another column"),
}

# Why a certificate has its status, by reason code: the rule that decided.
REASONS: dict[str, Text] = {
    **{
        code: text
        for lines in (REQUEST_LINES, FOLLOW_UP_LINES, RECHECK_LINES, DISPOSITION_LINES)
        for code, text in lines
    },
    "packed_anew": (
        "同じ封筒の人が引き抜かれ、残りの人を詰め直した",
        "the envelope was pulled for somebody else in it",
    ),
    "details_changed": ("印字する内容が変わった", "what is printed has changed"),
    "membership_lost": ("本人または被保険者が資格を喪失した", "own or insured's membership was lost"),
    "reached_75": ("本人または被保険者が75歳になった", "own or insured's 75th birthday"),
    "by_person": ("人が止めた (hold_piece)", "a person holds the piece (hold_piece)"),
    "row_rejected": ("最新の加入者データの行が不備である", "the newest row was rejected"),
    "row_missing": ("最新の加入者データに行がない", "the row is missing in the newest register"),
    "address_protected": ("支援措置の対象である", "under address protection"),
    "validity_over": ("有効期限が差出日より前である", "the validity ends before the posting date"),
    "already_has_certificate": ("ほかに有効な資格確認書がある", "there is another live certificate"),
    "card_usable": ("マイナ保険証を使える", "the card can be used"),
    "pulled_not_listed": ("引抜きリストにないのに引き抜かれた", "pulled by the printer, though not on the pull list"),
    "pull_listed": ("引抜きリストに載せた", "on the pull list"),
    "replacement_stopped": (
        "引き抜いたはずの封筒が差し出されたため、世帯の追送を止めた",
        "a pulled piece was posted, which stops the household's replacement",
    ),
    "posted_though_pulled": (
        "引き抜いたはずの封筒が差し出された (事故)",
        "posted though it was to be pulled (incident)",
    ),
    "plan_voided": ("計画が承認されず無効になった", "its plan was not approved and is void"),
    "lot_rejected": (
        "ロットが印刷会社に拒否され、新しい番号で送り直した",
        "the printer rejected its lot, sent again under new numbers",
    ),
    "lot_destroyed": (
        "差出し前にロットを止めて廃棄した (中止指示)",
        "its lot was stopped before posting and destroyed (stop order)",
    ),
    "spoiled": ("刷り損じ", "spoiled in printing"),
    "superseded_by_request": ("申請による新しい資格確認書に替わった", "a certificate on request took its place"),
    "returned_by_member": ("本人が返信用封筒で返した", "sent back by the member in the reply envelope"),
    "return_expected": (
        "投函後に資格を喪失した。返却を待つ",
        "membership was lost after posting; its return is expected",
    ),
    "in_employer_bundle": ("返戻され、事業所の束に入れた", "returned, and put into the employer's bundle"),
    "bundle_returned": ("事業所へ送った束が返戻された", "the employer's bundle was returned"),
    "returned_after_closing": ("締めの実施日より後に返戻された", "returned after the closing run"),
    "household_voluntary": ("任意継続の世帯で、事業所がない", "a voluntary household has no employer"),
    "employer_unknown": ("事業所の登録がない", "the employer is unknown"),
    "employer_closed": ("事業所が全喪した", "the employer has closed"),
    "employer_unreachable": ("事業所の宛先が印字できない", "the employer's address cannot be printed"),
    "decided_excluded": ("人の判断で対象外とした", "a person has taken the member out"),
    "R01": ("返戻 R01 あて所に尋ねあたりません", "return R01: not known at this address"),
    "R02": ("返戻 R02 転居先不明", "return R02: moved, no new address"),
    "R03": ("返戻 R03 あて名不完全", "return R03: incomplete address"),
    "R04": ("返戻 R04 保管期間経過", "return R04: not collected in time"),
    "R05": ("返戻 R05 受取拒絶 (住所の不備ではない)", "return R05: refused (no fault of the address)"),
    "R06": ("返戻 R06 転送不要のため返還", "return R06: not to be forwarded"),
    "R09": ("返戻 R09 その他", "return R09: other"),
}
# What the status says where no reason stands beside it: the rule that decided.
STATUS_RULES: dict[str, Text] = {
    "planned": ("対象として計画が確定した", "planned as a target"),
    "handed_off": ("ロットを印刷会社へ渡した", "its lot was handed to the printer"),
    "posted": ("印刷会社が投函を報告した", "the printer reported it posted"),
    "delivered": ("投函後の日数内に返戻がない", "not returned within the days after posting"),
    "returned": ("郵便局から返戻された", "returned by the post"),
    "at_employer": ("事業所の束が投函された", "the employer's bundle was posted"),
    "at_branch_desk": ("支部窓口へ回した", "sent to the branch desk"),
    "held": ("支部で保留している", "held at the branch"),
    "pulled": ("差出し前に引き抜いた", "pulled before posting"),
    "spoiled": ("刷り損じ", "spoiled in printing"),
    "superseded": ("新しい資格確認書に替わった", "another certificate took its place"),
    "closed": ("処理を終えた", "closed"),
}
NEXT: dict[str, Text] = {
    "planned": ("承認のあと印刷会社へ渡します。", "After two approvals it goes to the printer."),
    "handed_off": (
        "差出日の前に最新の加入者データで再確認し、承認のあと差し出します。",
        "Before its posting date it is checked against the newest register, approved and released.",
    ),
    "posted": (
        "期間内に返戻がなければ配達とみなします。返戻されれば次の未着後発送で処理します。",
        "Without a return in time it counts as delivered; a return goes to the next follow-up.",
    ),
    "delivered": (
        "これ以上の処理はありません。あとから返戻されれば未着後発送で処理します。",
        "Nothing more; a later return would still be followed up.",
    ),
    "returned": ("次の未着後発送で、事業所・支部窓口・保留のどれかに進みます。", "The next follow-up sends it on."),
    "at_employer": (
        "事業所から本人に渡されます。束が返戻されれば支部窓口に回ります。",
        "The employer hands it over; a returned bundle goes to the branch desk.",
    ),
    "at_branch_desk": (
        "支部が本人に連絡し、窓口で渡すか、返却を記録します。",
        "The branch reaches the person, hands it over, or records its return.",
    ),
    "held": (
        "支部が保管しています。本人の安全な連絡先を確かめ、窓口で渡すか、返却を記録します。",
        "It lies at the branch, to be handed over safely, or its return recorded.",
    ),
    "pulled": ("この資格確認書はもう使われません。", "This certificate is not used any more."),
    "spoiled": ("新しい管理番号で印刷し直されます。", "It is printed again under a new control number."),
    "superseded": ("新しい資格確認書だけが有効です。", "Only the new certificate counts."),
    "closed": ("これ以上の処理はありません。", "Nothing more."),
}
# Where the reason says more than the status about what comes next.
NEXT_BY_REASON: dict[str, Text] = {
    "return_expected": (
        "返信用封筒での返却を待ちます。届けば返却として締めます。",
        "Its return in the reply envelope is awaited, and closes it.",
    ),
    "in_employer_bundle": ("事業所の束の投函を待っています。", "The employer's bundle waits to be posted."),
    "replacement_stopped": (
        "事故の経過を確かめるまで、この世帯には何も送りません。",
        "Nothing is sent to this household until the incident is settled.",
    ),
    "posted_though_pulled": (
        "手順書 pulled_piece_posted に従い、取戻しを求め、経過を記録します。",
        "Follow the runbook pulled_piece_posted: claim the piece back and record what happens.",
    ),
    "plan_voided": ("作り直した計画に載ります。", "A plan made again will hold this person."),
    "lot_rejected": ("新しい番号の資格確認書が代わりに送られます。", "Its replacement under a new number is sent."),
    "lot_destroyed": (
        "新しいロットで作り直され、新しい番号の資格確認書が送られます。",
        "It is planned again in a new lot and sent under a new number.",
    ),
    "superseded_by_request": (
        "申請による資格確認書が代わりになります。",
        "The certificate on request takes its place.",
    ),
}
NEXT_AFTER_PULL: dict[str, Text] = {
    "held": (
        "引き抜いたあと保留です。支部の判断 (release) が記録されると、次の差出しの追送に入ります。",
        "Pulled and held: a recorded release brings the person into the next supplementary lot.",
    ),
    "row_missing": (
        "引き抜いて保留しています。正しい行が後の加入者データで届けば判定し、対象なら支部の次の追送に入ります。",
        "Pulled and held: once a later drop has the row it judges, and a target joins the next supplementary lot.",
    ),
    "closed": ("引き抜いて終わりです。新しい資格確認書は作りません。", "Pulled for good: nothing takes its place."),
    "planned_again": (
        "同じ差出日の追送ロットで、新しい番号の資格確認書を作りました。",
        "Planned again under a new number in the supplementary lot of the same day.",
    ),
}
NEXT_OF_DISPOSITION: dict[str, Text] = {
    "excluded": (
        "一括交付の対象外です。状況が変われば、申請または随時の交付の対象になります。",
        "Not part of the bulk issue; another route takes over where things change.",
    ),
    "held": (
        "支部の担当者の判断を待っています。解かれると残りの規則を通り、次の差出しに入ります。",
        "A person at the branch decides; a release runs through the remaining rules into the next wave.",
    ),
    "target": ("計画の確定を待っています。", "Waits for its plan to be frozen."),
    "target_later": (
        "抽出のあとに届いた正しい行で対象となりました。支部の次のロット (追送) に入ります。",
        "A target by a row that came after the snapshot: joins the branch's next supplementary lot.",
    ),
    "rejected": (
        "基幹システムで行を直します。正しい行が届いた最初の加入者データで判定し、対象なら支部の次のロットに入ります。",
        "The core system corrects the row; the first drop with it judges, and a target joins the branch's next lot.",
    ),
    "unknown": (
        "一括交付の対象データにない人です。申請または随時の交付を待ちます。",
        "Not in the campaign's drop: served on request or by rolling issue.",
    ),
}
NEXT_OF_REQUEST: dict[str, Text] = {
    "issue": ("次の週次の交付 (issue_on_request) で作ります。", "The next weekly issue makes it."),
    "refused": (
        "交付しません。事情が変われば、あらためて申請します。",
        "Refused; a new request may be made when things change.",
    ),
    "held": (
        "支部の判断を待っています。次の週次の交付でもう一度判定します。",
        "Held: judged again in the next weekly issue.",
    ),
}
OLD_CARD: dict[str, Text] = {
    "return_to_employer": (
        "従来の保険証は事業所へ返却が必要です (資格喪失日 {lost_on})。",
        "The old card goes back to the employer (membership lost on {lost_on}).",
    ),
    "may_discard": (
        "従来の保険証は {end_on} から本人が破棄できます。",
        "The old card may be thrown away from {end_on}.",
    ),
    "stays": (
        "従来の保険証は {end_on} から本人が破棄できます。それより前に資格を喪失したときは事業所へ返却します。",
        "The old card may be thrown away from {end_on}; who leaves before gives it back to the employer.",
    ),
}
