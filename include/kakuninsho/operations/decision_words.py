"""Decisions and reasons in words, in both languages. Imports nothing, since forms are read with every DAG file."""

from __future__ import annotations

DECISION_NAMES: dict[str, tuple[str, str]] = {
    "release": ("保留を解く (release)", "release"),
    "exclude": ("対象外とする (exclude)", "exclude"),
    "correct_address": ("住所を訂正し登録した (correct_address)", "correct_address"),
    "resume": ("停止中の支部を再開する (resume)", "resume"),
    "issue": ("どの取扱いにも当たらない人に交付する (issue)", "issue"),
    "hold_piece": ("発送物を止める (hold_piece)", "hold_piece"),
    "reject_plan": ("承認した計画を却下する (reject_plan、承認者のみ、送付が始まる前)", "reject_plan"),
}
EXCLUDE_REASON_NAMES: dict[str, tuple[str, str]] = {
    "not_entitled": ("交付の対象でない", "not entitled"),
    "membership_ended": ("資格を喪失していた", "membership has ended"),
    "declined": ("本人が希望しない", "the person declines"),
    "unreachable": ("送付先を確かめられない", "no delivery place can be found"),
    "served_at_branch": ("支部窓口で交付した", "served at the branch"),
    "other_route": ("別の経路で交付する", "served by another route"),
    "entered_in_error": ("登録の誤り", "entered in error"),
}
