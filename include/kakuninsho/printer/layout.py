"""The contract with the printer as an object: records, fields, names and codes, read from contract/printer-v1.yaml."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

CONTRACT_FOLDER = Path(__file__).parent / "contract"
CONTRACT_FILE = CONTRACT_FOLDER / "printer-v1.yaml"
SAMPLES = CONTRACT_FOLDER / "samples"

_COUNT = r"(?P<count>0|[1-9][0-9]*)"
_FILE_NAMES = {
    "lot": r"lot_(?P<lot_id>[a-z0-9]+-[A-Z]-[0-9]{2}-[0-9]{8}-[0-9]{2,})",
    "pull_list": r"pull_(?P<day>[0-9]{8})_(?P<ordinal>[0-9]{2,})",
    "urgent_pull_list": r"urgent_(?P<day>[0-9]{8})_(?P<ordinal>[0-9]{2,})",
    "release_order": r"release_(?P<day>[0-9]{8})_(?P<ordinal>[0-9]{2,})",
    "stop_order": r"stop_(?P<day>[0-9]{8})_(?P<ordinal>[0-9]{2,})",
    "acknowledgement": r"ack_(?P<day>[0-9]{8})_(?P<ordinal>[0-9]{3,})",
    "piece_report": r"piece_(?P<day>[0-9]{8})_(?P<ordinal>[0-9]{3,})",
    "return_report": r"return_(?P<day>[0-9]{8})_(?P<ordinal>[0-9]{3,})",
}
_NAME_PATTERNS = {
    kind: re.compile(rf"pv1_(?P<campaign>[a-z0-9]+)_{middle}_{_COUNT}\.csv") for kind, middle in _FILE_NAMES.items()
}
ANSWER_KINDS = ("acknowledgement", "piece_report", "return_report")
ORDER_WORDS = {
    "pull_list": "pull",
    "urgent_pull_list": "urgent",
    "release_order": "release",
    "stop_order": "stop",
}
ORDER_KINDS = tuple(ORDER_WORDS)


class ContractError(ValueError):
    """A name, record or manifest that is not as the contract says. Carries names of files and fields, no values."""


@dataclass(frozen=True)
class FileName:
    """The parts of a clear file name: `count` is pieces for a lot, rows for every other kind."""

    kind: str
    campaign: str
    count: int
    lot_id: str | None = None
    day: date | None = None
    ordinal: int | None = None


@lru_cache(maxsize=1)
def contract() -> dict[str, Any]:
    """The contract file as it stands."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the C one where PyYAML was built with it
    text = CONTRACT_FILE.read_text(encoding="utf-8")
    loaded: dict[str, Any] = yaml.load(text, Loader=loader)  # noqa: S506 (both loaders are safe)
    return loaded


def record_fields(record_type: str) -> list[dict[str, Any]]:
    """Fields of one record type of the lot file (H, E, C, B, L, N, T), in order."""
    fields: list[dict[str, Any]] = contract()["lot_file"]["records"][record_type]["fields"]
    return fields


def table_fields(file_kind: str) -> list[dict[str, Any]]:
    """Fields of an order to the printer or an answer from it, in order."""
    section = contract()["order_files" if file_kind in ORDER_KINDS else "answer_files"]
    fields: list[dict[str, Any]] = section[file_kind]["fields"]
    return fields


def parse_file_name(name: str) -> FileName:
    """Take a clear file name apart.

    Raises:
        ContractError: it is not a name of this contract.
    """
    for kind, pattern in _NAME_PATTERNS.items():
        found = pattern.fullmatch(name)
        if found is None:
            continue
        parts = found.groupdict()
        try:
            day = date.fromisoformat(parts["day"]) if "day" in parts else None
        except ValueError:
            break
        ordinal = int(parts["ordinal"]) if "ordinal" in parts else None
        return FileName(kind, parts["campaign"], int(parts["count"]), parts.get("lot_id"), day, ordinal)
    raise ContractError("a file name is not as in printer/v1, file_names: the file is left where it is")


def lot_file_name(campaign: str, lot_id: str, envelope_count: int) -> str:
    """Name of a lot file."""
    return _checked(f"pv1_{campaign}_lot_{lot_id}_{envelope_count}.csv")


def order_file_name(kind: str, campaign: str, day: date, ordinal: int, count: int) -> str:
    """Name of an order to the printer: a pull list, urgent pull list, release order or stop order."""
    return _checked(f"pv1_{campaign}_{ORDER_WORDS[kind]}_{day:%Y%m%d}_{ordinal:02d}_{count}.csv")


def answer_file_name(kind: str, campaign: str, day: date, ordinal: int, count: int) -> str:
    """Name of an acknowledgement, piece report or return report."""
    word = {"acknowledgement": "ack", "piece_report": "piece", "return_report": "return"}[kind]
    return _checked(f"pv1_{campaign}_{word}_{day:%Y%m%d}_{ordinal:03d}_{count}.csv")


def _checked(name: str) -> str:
    parse_file_name(name)
    return name


def counts_text(counts: dict[str, int]) -> str:
    """Enclosures as in the contract's type `counts`: code:count in order of code, without zeros."""
    return " ".join(f"{code}:{count}" for code, count in sorted(counts.items()) if count)


def parse_counts(text: str) -> dict[str, int]:
    """The opposite of `counts_text`."""
    return {code: int(count) for code, count in (pair.split(":") for pair in text.split())}


def japanese_date(day: date) -> str:
    """A date of the 令和 era: 令和11年11月30日.

    Raises:
        ContractError: the date is before the era.
    """
    if day < date(2019, 5, 1):
        raise ContractError("a date before 令和 cannot be printed as 令和")
    year = day.year - 2018
    return f"令和{'元' if year == 1 else year}年{day.month}月{day.day}日"
