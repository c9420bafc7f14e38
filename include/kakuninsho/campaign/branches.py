"""The 47 branches (支部) and the check digit of their insurer numbers (保険者番号)."""

from __future__ import annotations

import csv
from functools import lru_cache

from pydantic import BaseModel, ConfigDict

from kakuninsho.paths import DBT_PROJECT


class Branch(BaseModel):
    """One branch of the insurer."""

    model_config = ConfigDict(frozen=True)

    prefecture_code: str
    insurer_number: str
    branch_name: str
    source: str


@lru_cache(maxsize=1)
def load_branches() -> tuple[Branch, ...]:
    """The 47 branches, in order of prefecture."""
    with (DBT_PROJECT / "seeds" / "branches.csv").open(encoding="utf-8", newline="") as file:
        return tuple(Branch.model_validate(row) for row in csv.DictReader(file))


@lru_cache(maxsize=1)
def branch_names() -> dict[int, str]:
    """Name of each branch by the number of its prefecture, 1 to 47."""
    return {int(branch.prefecture_code): branch.branch_name for branch in load_branches()}


def insurer_check_digit(first_seven: str) -> int:
    """Check digit of an insurer number: weights 2, 1, 2, … from the right, digits of products added."""
    total = 0
    for index, digit in enumerate(reversed(first_seven)):
        product = int(digit) * (2 if index % 2 == 0 else 1)
        total += product // 10 + product % 10
    return (10 - total % 10) % 10
