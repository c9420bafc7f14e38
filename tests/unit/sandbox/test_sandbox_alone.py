"""The sandbox stands alone: it imports nothing of the pipeline, and the pipeline imports nothing of it."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import kakuninsho

PACKAGE = Path(kakuninsho.__file__).parent
SANDBOX = PACKAGE / "sandbox"


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}: relative import"
            names |= {str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)}
    return {name for name in names if name.startswith("kakuninsho")}


def is_own(name: str) -> bool:
    return name == "kakuninsho.sandbox" or name.startswith("kakuninsho.sandbox.")


def test_no_source_file_of_the_sandbox_imports_the_rest() -> None:
    files = sorted(SANDBOX.rglob("*.py"))
    assert len(files) > 10
    for path in files:
        assert {name for name in imported(path) if not is_own(name)} == set(), path.name


def test_running_it_loads_nothing_of_the_rest() -> None:
    code = (
        "import sys, kakuninsho.sandbox.__main__\n"
        "print(*sorted(name for name in sys.modules if name.startswith('kakuninsho')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert loaded > {"kakuninsho", "kakuninsho.sandbox"}
    assert {name for name in loaded if name != "kakuninsho" and not is_own(name)} == set()


def test_only_who_starts_it_may_call_the_sandbox_and_only_its_control_channel() -> None:
    starters = (PACKAGE / "replay", PACKAGE / "server")
    for path in sorted(PACKAGE.rglob("*.py")):
        used = {name for name in imported(path) if is_own(name)} - {"kakuninsho.sandbox"}
        if path.is_relative_to(SANDBOX):
            continue
        if any(path.is_relative_to(folder) for folder in starters):
            used = {name for name in used if not name.startswith("kakuninsho.sandbox.control")}
        assert used == set(), str(path.relative_to(PACKAGE))
