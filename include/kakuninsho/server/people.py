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


@dataclass(frozen=True)
class Person:
    """A user of the page. `role` is Airflow's: the same names in its simple and its full access control."""

    name: str
    role: str
    title: str


# Two approvers, because two different people must answer (rules: a wave, line 3). Nobody needs Admin to work.
PEOPLE = (
    Person("operator", "op", "担当者: 実行・再実行、プール・接続 (runs DAGs)"),
    Person("approver1", "user", "承認者 1 (answers approvals)"),
    Person("approver2", "user", "承認者 2 (answers approvals)"),
    Person("analyst", "viewer", "分析: 閲覧のみ (read only)"),
)
APPROVERS = tuple(person.name for person in PEOPLE if person.role == "user")


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


def simple_users() -> str:
    """The people as Airflow's simple access control wants them: name:role, separated by commas."""
    return ",".join(f"{person.name}:{person.role}" for person in PEOPLE)
