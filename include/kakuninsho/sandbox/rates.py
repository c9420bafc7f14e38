"""How often things happen outside, and how long they take. All assumed; `--rates FILE` overrides by name."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from kakuninsho.sandbox.errors import SetUpError


def _default_reasons() -> dict[str, float]:
    return {"R01": 0.56, "R02": 0.17, "R03": 0.09, "R04": 0.05, "R05": 0.04, "R06": 0.06, "R09": 0.03}


@dataclass(frozen=True)
class Rates:
    """Shares are of 1, delays in calendar days. One table of these is in docs/sandbox.md."""

    spoiled: float = 0.002  # of pieces printed; a replacement can spoil too
    returned_home: float = 0.022  # of posted home and supplementary pieces
    returned_employer: float = 0.003  # of posted employer bundles
    returned_employer_list: float = 0.0  # of posted employer lists: the rules say nothing about them
    return_days_first: int = 4
    return_days_last: int = 20
    # Mail that turns up at the very end of the season, after the insurer's closing run.
    returned_very_late: float = 0.001  # of posted home and supplementary pieces, on top of returned_home
    very_late_first: str = "11-21"
    very_late_last: str = "11-25"
    return_reasons: dict[str, float] = field(default_factory=_default_reasons)
    report_days_first: int = 1
    report_days_last: int = 3
    reported_late: float = 0.03  # of the daily batches of a lot
    report_late_days_first: int = 4
    report_late_days_last: int = 8
    report_latest_worked_days: int = 10  # every event is reported by then


def read_rates(path: Path | None) -> Rates:
    """The default rates, with those that a JSON file gives by name.

    Raises:
        SetUpError: not JSON, an unknown name, a share outside 0 to 1, or reasons that do not add up to 1.
    """
    if path is None:
        return Rates()
    try:
        given: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SetUpError(f"{path.name}: rates cannot be read as JSON ({type(error).__name__})") from error
    known = {item.name for item in fields(Rates)}
    unknown = sorted(set(given) - known)
    if unknown:
        raise SetUpError(f"{path.name}: unknown rates {unknown}; known are {sorted(known)}")
    rates = replace(Rates(), **given)
    for name in known:
        value = getattr(rates, name)
        if isinstance(value, float) and not 0 <= value <= 1:
            raise SetUpError(f"{path.name}: {name} must be a share from 0 to 1")
    if abs(sum(rates.return_reasons.values()) - 1) > 1e-9:
        raise SetUpError(f"{path.name}: the shares of return_reasons must add up to 1")
    return rates
