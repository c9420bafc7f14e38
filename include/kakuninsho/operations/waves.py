"""A month of home mailing and the release of each of its posting dates (rules: a wave)."""

from __future__ import annotations

import csv
import logging
from datetime import date

import pyarrow.parquet as pq

from kakuninsho.facts import gathered
from kakuninsho.operations.forecasting import deadline_sentence
from kakuninsho.operations.planning import home_plan_id, home_wish
from kakuninsho.plans.draft import PlanError, PlanRequest
from kakuninsho.plans.freeze import is_backdated
from kakuninsho.settings import Settings
from kakuninsho.warehouse import memory, published

log = logging.getLogger(__name__)


def open_month(settings: Settings, as_of: date, wave: str | None = None) -> dict[str, int]:
    """Write what a month will post, a line per lot, and return its counts. Without `wave` the month of the day.

    Raises:
        PlanError: the home plan is not frozen, or the month is none of mailing.
    """
    wave = wave or f"{as_of:%Y-%m}"
    lots = month_lots(settings, wave)
    folder = settings.data / "published" / "waves"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{wave}.csv").open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["差出日", "ロット", "封筒", "資格確認書", "見本", "郵便料金(円)"])
        writer.writerows(lots)
    counts = {
        "lots": len(lots),
        "envelopes": sum(lot[2] for lot in lots),
        "certificates": sum(lot[3] for lot in lots),
        "postage_yen": sum(lot[5] for lot in lots),
    }
    log.info("wave %s: %s", wave, counts)
    for month, open_count, unconfirmed in waves_not_closed(settings, wave):
        log.warning("%s はまだ締められません: 差出し待ち %d 通、確認のない引抜き %d 通", month, open_count, unconfirmed)
    log.info("%s", deadline_sentence(settings))
    return counts


def waves_not_closed(settings: Settings, before: str) -> list[tuple[str, int, int]]:
    """Months before one that cannot be closed, as last published: month, envelopes that wait, pulls not confirmed."""
    if not (settings.data / "published" / "analytics.duckdb").is_file():
        return []
    with published(settings.data) as connection:
        return connection.execute(
            """
            select wave_key, open_count, unconfirmed_pull_count from marts.fct_waves
            where wave_key < ? and not is_closed order by wave_key
            """,
            [before],
        ).fetchall()


def month_lots(settings: Settings, wave: str) -> list[tuple[date, str, int, int, int, int]]:
    """Lots of a month: posting date, lot, envelopes, certificates, samples, postage in yen; by posting date.

    Raises:
        PlanError: the home plan is not frozen, or the month is none of mailing.
    """
    if wave not in settings.campaign.parameters.wave_months:
        raise PlanError(f"{wave} is no month of mailing of campaign {settings.campaign_name}")
    if settings.store.find("plans", home_plan_id(settings)) is None:
        raise PlanError(f"wave {wave}: the home plan is not frozen yet; run hand_off_to_printer first")
    connection = memory()
    try:
        return connection.execute(
            f"""
            select posting_date, lot_id, envelope_count, certificate_count, seed_count, postage_yen
            from read_parquet('{settings.store.root}/plans/*/lots.parquet')
            where wave_key = ? and lot_kind in ('home', 'supplementary') order by posting_date, lot_id
            """,
            [wave],
        ).fetchall()
    finally:
        connection.close()


def release_wish(settings: Settings, as_of: date, posting_date: date | None = None) -> PlanRequest:
    """The release that a day prepares. Whether it has anything to release, its draft says (planning.nothing_to_do).

    Without `posting_date` it is the campaign's for that day of release; on another day the next one that may be
    re-checked.

    Raises:
        PlanError: no posting date, or not this one, may be released on this day.
    """
    posting_date = _posting_date(settings, as_of) if posting_date is None else posting_date
    _refuse_too_early(settings, as_of, posting_date)
    return PlanRequest("release", as_of, posting_date=posting_date)


def hand_off_wish(settings: Settings, as_of: date) -> PlanRequest:
    """What a day hands over: the first plan, or, once all of that is sent, its lots that can never be posted.

    The run that made the first plan finds it again, also when later days have been acted upon since.
    """
    again, first = resend_wish(as_of), home_plan_id(settings)
    if settings.store.find("plans", again.plan_id) is not None:
        return again
    return (
        home_wish(settings, as_of) if not _is_sent(settings, first) or _was_made_on(settings, first, as_of) else again
    )


def _was_made_on(settings: Settings, plan_id: str, as_of: date) -> bool:
    """Whether a plan was frozen on a day that is over: another plan of a later day has been frozen since."""
    plan = settings.store.find("plans", plan_id)
    if plan is None or plan.meta["received_on"] != as_of.isoformat():
        return False
    return is_backdated(settings.store, resend_wish(as_of).plan_id, as_of)


def resend_wish(as_of: date) -> PlanRequest:
    """The wish to send home lots that the printer rejected or had to destroy again, under new numbers.

    Whether there is such a lot, its draft says (planning.nothing_to_do): one model, int_lots, knows which lots are
    open, released or undone. What went to employers or was asked for is taken up by the next run of its own kind.
    """
    return PlanRequest("resend", as_of, run_on=as_of)


def _is_sent(settings: Settings, plan_id: str) -> bool:
    """Whether every lot of a plan is announced at the printer."""
    plan = settings.store.find("plans", plan_id)
    if plan is None:
        return False
    announced = pq.read_table(
        gathered.transfers(settings.store), columns=["lot_id"], filters=[("step", "=", "announced")]
    )
    lots = pq.read_table(plan.table("lots"), columns=["lot_id"])
    return set(lots.column("lot_id").to_pylist()) <= set(announced.column("lot_id").to_pylist())


def _posting_date(settings: Settings, as_of: date) -> date:
    campaign = settings.campaign
    if as_of in campaign.releases:
        return campaign.releases[as_of]
    ahead = [day for day in campaign.posting_dates if as_of < day]
    if not ahead:
        raise PlanError(f"no posting date can be released on {as_of}: the last one was {campaign.posting_dates[-1]}")
    return ahead[0]


def _refuse_too_early(settings: Settings, as_of: date, posting_date: date) -> None:
    """A re-check that is older than the rules allow protects nobody, and one after posting comes too late."""
    most = settings.campaign.parameters.recheck_max_business_days
    if not as_of < posting_date or settings.campaign.business_days_between(as_of, posting_date) > most:
        raise PlanError(
            f"posting date {posting_date} cannot be released on {as_of}: a re-check counts at most "
            f"{most} business days before posting"
        )
