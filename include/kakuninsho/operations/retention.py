"""Deletion of what has been kept long enough (campaign parameter months_to_keep).

The payload goes; fact.json with its totals stays and says since when. Deleted are the clear and sealed files of
transfers, and the rows of register drops other than the campaign's own. Rows on which the ledger of a campaign
stands (its drop, plans, feeds, approvals) are not deleted yet: the README lists it as not built.
"""

from __future__ import annotations

import json
import logging
from datetime import date

from kakuninsho.facts.store import Fact
from kakuninsho.settings import Settings

log = logging.getLogger(__name__)


def delete_expired(settings: Settings, as_of: date, *, dry_run: bool = False) -> dict[str, int]:
    """Delete expired payloads. Returns how many facts of each kind were (or, dry, would be) emptied."""
    settings.store.initialise()
    months = settings.campaign.parameters.months_to_keep
    snapshot = f"as_of={settings.campaign.parameters.snapshot_as_of}"
    counts = {"register": 0, "transfers": 0}
    for kind in counts:
        for fact in settings.store.all(kind):
            received_on = date.fromisoformat(fact.meta["received_on"])
            expired = _months_later(received_on, months[kind]) <= as_of
            if expired and "deleted_on" not in fact.meta and fact.name != snapshot:
                counts[kind] += 1
                if not dry_run:
                    _empty(fact, as_of)
    log.info("expired: %s", counts)
    return counts


def _empty(fact: Fact, as_of: date) -> None:
    for path in fact.path.iterdir():
        if path.suffix != ".json" and (path.suffix != ".parquet" or fact.kind == "register"):
            path.unlink()
    meta = fact.meta | {"deleted_on": as_of.isoformat()}
    (fact.path / "fact.json").write_text(json.dumps(meta, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def _months_later(day: date, months: int) -> date:
    month = day.month - 1 + months
    year, month = day.year + month // 12, month % 12 + 1
    return date(year, month, 1)
