"""The command line: both languages, JSON for machines, exit codes, and no traceback where the package refuses."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.core import TyperGroup
from typer.main import get_command
from typer.testing import CliRunner

from kakuninsho.cli import app
from kakuninsho.messages import HEADLINES, TwoLanguageError, describe, in_japanese, t
from kakuninsho.paths import PROJECT_ROOT
from kakuninsho.register.errors import Reason, RegisterDropError

KAKUNINSHO = Path(sys.executable).parent / "kakuninsho"
JAPANESE = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]")
MEMBER = "01180017-1234567-1-00"


def commands() -> dict[str, Any]:
    found: dict[str, Any] = {}
    group = get_command(app)
    assert isinstance(group, TyperGroup)
    for name, command in group.commands.items():
        inner = command.commands if isinstance(command, TyperGroup) else {"": command}
        found |= {f"{name} {part}".strip(): child for part, child in inner.items()}
    return found


def run(*words: str, language: str = "C.UTF-8") -> tuple[int, str, str]:
    done = CliRunner().invoke(app, list(words), env={"LC_ALL": language, "COLUMNS": "160"})
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.stdout, done.stderr


@pytest.mark.parametrize("language", ["ja_JP.UTF-8", "C.UTF-8"])
def test_help_is_in_the_language_of_the_environment_and_tells_the_exit_codes(language: str) -> None:
    environment = {**os.environ, "LC_ALL": language, "COLUMNS": "160"}
    done = subprocess.run([KAKUNINSHO, "--help"], env=environment, capture_output=True, text=True, check=True)
    if language.startswith("ja"):
        assert "終了コード: 0 完了" in done.stdout
        assert "年度の業務を動かす" in done.stdout
    else:
        assert "Exit codes: 0 done" in done.stdout
        assert JAPANESE.findall(done.stdout) == []


@pytest.mark.parametrize("name", sorted(set(commands()) - {"bench"}))
def test_every_command_speaks_json(name: str) -> None:
    assert "--json" in {option for param in commands()[name].params for option in param.opts}


@pytest.mark.parametrize(
    "words",
    [("ledger",), ("explain", MEMBER), ("worklist",), ("decide", MEMBER, "--decision", "release", "--by", "a", "--on",
     "2025-08-05"), ("printer", "rebuild", "lot"), ("printer", "proof", "lot")],
    ids=lambda words: " ".join(words[:2]),
)  # fmt: skip
def test_an_empty_data_folder_is_a_refusal_in_words(tmp_path: Path, words: tuple[str, ...]) -> None:
    code, out, err = run(*words, "--data", str(tmp_path / "nothing"))
    assert (code, out) == (1, "")
    assert "Traceback" not in err
    assert err.strip()
    code, _, err = run(*words, "--data", str(tmp_path / "nothing"), "--json")
    assert code == 1
    assert set(json.loads(err)) == {"error", "message"}


def test_a_refusal_is_in_the_language_of_the_environment(tmp_path: Path) -> None:
    _, _, english = run("ledger", "--data", str(tmp_path))
    _, _, japanese = run("ledger", "--data", str(tmp_path), language="ja_JP.UTF-8")
    assert "nothing is published" in english
    assert "公開された写しがありません" in japanese


def test_wrong_use_ends_with_2() -> None:
    assert run("ledgre")[0] == 2
    assert run("explain")[0] == 2
    code, _, err = run("decide", MEMBER, "--decision", "release", "--by", "a", "--on", "5 August")
    assert code == 2
    assert "YYYY-MM-DD" in err


def test_a_missing_file_is_no_traceback(tmp_path: Path) -> None:
    code, _, err = run("employer-list", "--employer", "01180017-1234567", "--out", str(tmp_path / "no" / "x.pdf"),
                       "--data", str(tmp_path))  # fmt: skip
    assert code == 1
    assert "Traceback" not in err


def test_a_file_that_is_not_there_is_named() -> None:
    error = FileNotFoundError(2, "No such file or directory", "/data/summary.json")
    assert "/data/summary.json" in (describe(error) or "")


def test_a_mistake_in_the_program_is_not_hidden() -> None:
    assert describe(ZeroDivisionError()) is None
    assert describe(KeyError("x")) is None


def test_both_texts_stand_side_by_side(monkeypatch: pytest.MonkeyPatch) -> None:
    error = TwoLanguageError("だめです", "no")
    for variable, value, expected in (("LANG", "ja_JP.UTF-8", "だめです"), ("LC_ALL", "en_US.UTF-8", "no")):
        for name in ("LANG", "LC_ALL", "LC_MESSAGES"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv(variable, value)
        assert str(error) == expected == t("だめです", "no")
    with in_japanese():
        assert str(error) == "だめです"


def test_a_refusal_keeps_its_own_sentence_under_a_headline() -> None:
    error = RegisterDropError(Reason.WRONG_HASH, file="members.csv", rule="the hash differs", action="send it again")
    with in_japanese():
        told = describe(error) or ""
    assert told.startswith("加入者データを取り込めません: members.csv")
    assert "send it again" in told


def test_every_refusal_of_the_package_has_a_headline_or_both_languages() -> None:
    bases: dict[str, list[str]] = {}
    package = PROJECT_ROOT / "include" / "kakuninsho"
    for path in set(package.rglob("*.py")) - set((package / "sandbox").rglob("*.py")):  # a process of its own
        for name, parents in re.findall(
            r"^class (\w+Error)\(([^)]*)\):", path.read_text(encoding="utf-8"), re.MULTILINE
        ):
            bases.setdefault(name, []).extend(part.strip().split(".")[-1] for part in parents.split(","))

    def is_told(name: str) -> bool:
        return name in HEADLINES or name == "TwoLanguageError" or any(map(is_told, bases.get(name, [])))

    assert sorted(name for name in bases if not is_told(name)) == []
