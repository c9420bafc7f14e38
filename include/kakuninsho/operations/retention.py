"""Deletion of what has been kept long enough (campaign parameter months_to_keep; rules: approvals and evidence).

The payload goes; fact.json with its totals stays, and a fact of its own says what was deleted. Until the close of the
season is signed, the snapshot, the newest register and the plans stay, and so does everything that a piece stands on
that is planned, handed off, unanswered, or returned and not followed up.
"""

from __future__ import annotations

import hashlib
import logging
from collections import Counter
from dataclasses import dataclass
from datetime import date

from kakuninsho.facts import gathered
from kakuninsho.facts.store import Fact
from kakuninsho.messages import TwoLanguageError
from kakuninsho.operations.publishing import DATABASE, is_current
from kakuninsho.plans.approvals import Subject, require_approved
from kakuninsho.settings import Settings
from kakuninsho.warehouse import memory, published

log = logging.getLogger(__name__)

# Kinds whose payload can go. What the ledger of a campaign stands on (feeds, decisions, plans) is not deleted yet.
DELETABLE = ("register", "transfers")


class RetentionError(TwoLanguageError):
    """A deletion that is refused. Says why and what to do."""


@dataclass(frozen=True)
class Expired:
    """What may be deleted on a day, in order of kind and name."""

    on: date
    facts: tuple[Fact, ...]

    @property
    def subject(self) -> Subject:
        """What two people are asked about: exactly these facts."""
        named = ((fact, fact.meta["sha256"][file], file) for fact in self.facts for file in _payload(fact))
        lines = "".join(f"{fact.kind}/{fact.name}/{file} {sha256}\n" for fact, sha256, file in named)
        return Subject(f"deletion-{self.on}", hashlib.sha256(lines.encode()).hexdigest())

    @property
    def counts(self) -> dict[str, int]:
        """Facts by kind."""
        found = Counter(fact.kind for fact in self.facts)
        return {kind: found.get(kind, 0) for kind in DELETABLE}


def expired(settings: Settings, as_of: date, *, own_day: date | None = None) -> Expired:
    """What has been kept long enough on a day and may go.

    Args:
        settings: the installation.
        as_of: the day that is asked about.
        own_day: the day of the run itself: nothing is deleted for a day that has not come.

    Raises:
        RetentionError: the day has not come.
    """
    settings.store.initialise()
    if own_day is not None and own_day < as_of:
        raise RetentionError(
            f"{as_of} はまだ来ていません (この実行の日は {own_day})。先の日付では何も削除しません。"
            "試行では先の日も見られます",
            f"{as_of} has not come (this run's day is {own_day}): nothing is deleted for a day ahead. "
            "A dry run may look ahead",
        )
    months = settings.campaign.parameters.months_to_keep
    kept = _needed(settings)
    found = [
        fact
        for kind in DELETABLE
        for fact in settings.store.all(kind)
        if _months_later(date.fromisoformat(fact.meta["received_on"]), months[kind]) <= as_of
        and f"{kind}/{fact.name}" not in kept
        and _payload(fact)
    ]
    return Expired(as_of, tuple(found))


def delete(settings: Settings, found: Expired) -> dict[str, int]:
    """Delete what two people approved. Safe to run again. Returns the facts that were emptied, by kind.

    Raises:
        ApprovalError: two people have not approved exactly this.
    """
    if found.facts:
        require_approved(settings.store, found.subject)
        payload = [(fact, file) for fact in found.facts for file in _payload(fact)]
        settings.store.delete_payloads(payload, received_on=found.on, approved=found.subject.name)
    log.info("deleted: %s", found.counts)
    return found.counts


def _payload(fact: Fact) -> list[str]:
    """Files of a fact that can go: rows of people, clear and sealed files. The ledger stands on transfers' rows."""
    files = [file for file in sorted(fact.meta["sha256"]) if (fact.path / file).is_file()]
    return [file for file in files if fact.kind == "register" or not file.endswith(".parquet")]


def _needed(settings: Settings) -> set[str]:
    """Facts that stay whatever their age: the snapshot, the newest register, and what open pieces stand on."""
    drops = settings.store.all("register")
    full = [fact for fact in drops if fact.meta["totals"].get("kind") == "full"]
    newest = [fact for fact in drops if not full or fact.name >= full[-1].name]
    kept = {f"register/as_of={settings.campaign.parameters.snapshot_as_of}"}
    kept |= {f"register/{fact.name}" for fact in newest}
    closed = _lots_that_are_done(settings)
    with memory() as connection:
        rows = connection.execute(
            "select distinct lot_id, file_name, step from read_parquet(?)", [str(gathered.transfers(settings.store))]
        ).fetchall()
    # An order without a lot goes with the season: it stays until the close.
    return kept | {f"transfers/{name}--{step}" for lot_id, name, step in rows if lot_id not in closed}


def _lots_that_are_done(settings: Settings) -> set[str]:
    """Lots no piece of which is planned, handed off, unanswered, or returned and not followed up, as published.

    Where the published copy is not of all facts, nothing is known to be done, and nothing goes.
    """
    if not (settings.data / "published" / DATABASE).is_file() or not is_current(settings):
        log.warning("the published copy is not of all facts: no file of a lot is deleted before publish_for_analysts")
        return set()
    with published(settings.data) as connection:
        rows = connection.execute(
            """
            select lot_id from marts.fct_lots
            where status in ('posted', 'replaced', 'rejected', 'destroyed', 'voided')
                and posted_count + pulled_count + spoiled_count >= envelope_count * (status = 'posted')::integer
                and lot_id not in (
                    select fct_envelopes.lot_id
                    from marts.fct_certificates
                    inner join marts.fct_envelopes using (envelope_id)
                    where fct_certificates.status in ('planned', 'handed_off', 'posted', 'returned')
                )
            """
        ).fetchall()
    return {str(row[0]) for row in rows}


def _months_later(day: date, months: int) -> date:
    month = day.month - 1 + months
    year, month = day.year + month // 12, month % 12 + 1
    return date(year, month, 1)
