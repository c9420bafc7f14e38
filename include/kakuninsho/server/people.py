"""The people of one installation: who may do what in the page, and their passwords."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

# Without the characters that are misread from a screen.
LETTERS = "abcdefghjkmnpqrstuvwxyzABCDEFGHJKMNPQRSTUVWXYZ23456789"
PASSWORD_LENGTH = 16


# Roles of the page. The administrator's is Airflow's own.
OPERATOR, APPROVER, ANALYST, AUDITOR, ADMINISTRATOR = "Operator", "Approver", "Analyst", "Auditor", "Admin"


@dataclass(frozen=True)
class Person:
    """A user of the page, with one role."""

    name: str
    role: str
    title: str


# Two approvers, because two different people must answer (rules: a wave, line 3).
PEOPLE = (
    Person("operator", OPERATOR, "担当者: 実行・再実行 (starts, retries, clears)"),
    Person("approver1", APPROVER, "承認者 1 (answers approvals)"),
    Person("approver2", APPROVER, "承認者 2 (answers approvals)"),
    Person("analyst", ANALYST, "分析: 閲覧のみ (read only)"),
    Person("administrator", ADMINISTRATOR, "管理者: 利用者と接続 (users and connections)"),
    Person("auditor", AUDITOR, "監査記録の読取り専用、人は使わない (for alerts that name who changed a run)"),
)
APPROVERS = tuple(person.name for person in PEOPLE if person.role == APPROVER)


def new_password() -> str:
    """A random password."""
    return "".join(secrets.choice(LETTERS) for _ in range(PASSWORD_LENGTH))


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = path.with_name(f"{path.name}.part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    part.replace(path)


def ensure_passwords(file: Path) -> tuple[dict[str, str], bool]:
    """Passwords by user name, made for those who have none yet; and whether any was made."""
    known: dict[str, str] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    made = {person.name: new_password() for person in PEOPLE if person.name not in known}
    if made:
        write_private(file, json.dumps(known | made) + "\n")
    return known | made, bool(made)
