"""What the forms on single cases ask for, as JSON schemas with Japanese words. Knows no Airflow.

Neither form has a field for an address, a name or a birth date: what is typed into one lies in Airflow's own database.
"""

from __future__ import annotations

from kakuninsho.operations.decision_words import DECISION_NAMES, REASON_NAMES
from kakuninsho.operations.forms import NOT_CHOSEN, NULLABLE, Schema

CASE = r"[0-9A-Za-z]{5}-?[0-9A-Za-z]{5}"
CERTIFICATE = r"[0-9]{11}-[0-9]{1,2}"
MEMBER = r"[0-9]{8}-[0-9]{7,8}-[1-9][0-9]{0,6}-[0-9]{2}"
BRANCH = r"[0-9]{2}"
PLAN = r"[a-z]+(-[a-z]+)*-[0-9]{4}-[0-9]{2}-[0-9]{2}(-[0-9a-f]{8})?(-[0-9]+)?"


def person_field() -> Schema:
    """Whom an explanation is about."""
    return {
        "type": "string",
        "pattern": rf"^\s*({CASE}|{CERTIFICATE}|{MEMBER})\s*$",
        "title": "誰の",
        "description": "作業一覧の整理番号 (例 GK4AH-PTWH1)、または資格確認書番号 (例 00000000195-1)。"
        "どちらも分からないときだけ 保険者番号-記号-番号-枝番。入力した値は Airflow の実行記録に残ります。",
    }


def subject_field() -> Schema:
    """Whom, or which branch, a decision is about."""
    return {
        "type": "string",
        "pattern": rf"^\s*({CASE}|{CERTIFICATE}|{MEMBER}|{BRANCH}|{PLAN})\s*$",
        "title": "対象",
        "description": "作業一覧の整理番号 (例 GK4AH-PTWH1)。支部を再開する、割合を認めるときは都道府県コード 2 桁 "
        "(例 18、全国の割合は 00)。"
        "計画を却下するときは、承認タスクにある計画の名前。"
        "氏名や住所は書かないでください: 住所の訂正は基幹システムで行い、ここには訂正したことだけを記録します。",
    }


def decision_field() -> Schema:
    """What is decided."""
    return {
        "type": "string",
        "enum": list(DECISION_NAMES),
        "values_display": {name: words[0] for name, words in DECISION_NAMES.items()},
        "title": "判断",
        "description": "支援措置の保留を解く (release) には、"
        "送付先の確認 (correct_address) の記録と、もう一人の承認が要ります。"
        "事故の対応を完了した (incident_closed) にも、もう一人の承認が要ります。"
        "判断した人は、画面に入っている利用者として記録されます。",
    }


def reason_field() -> Schema:
    """Why somebody is taken out, an incident closed, or a share accepted."""
    names = {code: words[0] for code, words in REASON_NAMES.items()}
    return {
        "type": NULLABLE,
        "enum": [None, *names],
        "values_display": {"null": NOT_CHOSEN, "None": NOT_CHOSEN, **names},
        "title": "理由",
        "description": "判断が「対象外とする」「事故の対応を完了した」「割合を認める」のときだけ選びます。",
    }
