"""To the letter box: no plan is made while a register drop lies unread (rules: a wave, to the letter box)."""

from __future__ import annotations

import logging
from datetime import date

from kakuninsho.operations import extraction
from kakuninsho.operations.planning import newest_register_on
from kakuninsho.settings import Settings

log = logging.getLogger(__name__)


def land_unread(settings: Settings, as_of: date, run: str) -> list[str]:
    """Land every complete drop up to a day that nobody has read, as extract_register does. Returns their names.

    A drop that is refused stops nothing: it is a refusal, an alert, and the first warning of every approval.
    """
    names = [drop.name for drop in extraction.unread_drops(settings, as_of)]
    if not names:
        return []
    log.info("unread drops are landed first: %s", ", ".join(names))
    extraction.stage(settings, names, as_of, run)
    extraction.judge(settings, names, as_of, run)
    return extraction.land(settings, names, as_of, run)


def _gate_warnings(settings: Settings, as_of: date) -> list[str]:
    """What the gates said of the newest full drop and of the deltas after it: they were landed all the same."""
    drops = settings.store.all("register", until=as_of)
    full = max((drop.name for drop in drops if drop.meta["totals"]["kind"] == "full"), default="")
    return [said for drop in drops if drop.name >= full for said in drop.meta["totals"].get("warnings", ())]


def warnings(settings: Settings, as_of: date) -> list[str]:
    """What the approvers of any plan must know of the register first, as sentences."""
    said = [
        f"{drop.as_of} の加入者データは受け入れられていません。その中の支援措置・資格喪失は、この計画では見えていません"
        for drop in extraction.refused_drops(settings, as_of)
    ]
    said += _gate_warnings(settings, as_of)
    newest, limit = newest_register_on(settings, as_of), settings.campaign.parameters.recheck_max_age_days
    if newest is not None and (as_of - newest).days > limit:
        said.append(
            f"最新の加入者データは {newest} のもので、{(as_of - newest).days} 日前です ({limit} 日より古い)。"
            "その後の支援措置・資格喪失は見えていません"
        )
    return said
