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
    "accept_share": ("対象者の割合を認める (accept_share)", "accept_share"),
    "incident_closed": ("事故の対応を完了した (incident_closed、二人)", "incident_closed"),
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
INCIDENT_REASON_NAMES: dict[str, tuple[str, str]] = {
    "recovered": ("発送物を回収した", "the piece was recovered"),
    "person_informed_and_safe": ("本人に連絡し、安全を確認した", "the person was told and is safe"),
    "report_was_wrong": ("印刷会社の報告の誤りだった", "the printer's report was wrong"),
    "other_measures_taken": ("その他の措置をとり、記録した", "other measures were taken and written down"),
}
SHARE_REASON_NAMES: dict[str, tuple[str, str]] = {
    "core_system_confirmed": ("基幹システムが行数を確認した", "the core system confirmed the rows"),
    "branch_confirmed": ("支部が事情を確認した", "the branch confirmed it"),
    "expected_share_outdated": ("想定の割合が古い", "the expected share is outdated"),
}
REASON_NAMES = EXCLUDE_REASON_NAMES | INCIDENT_REASON_NAMES | SHARE_REASON_NAMES
