"""A month of home mailing and the release of each of its posting dates (rules: a wave)."""

from __future__ import annotations

import csv
import logging
from datetime import date

from kakuninsho.facts import gathered
from kakuninsho.operations.forecasting import deadline_sentence
from kakuninsho.operations.planning import home_plan_id, home_wish
from kakuninsho.plans.draft import PlanError, PlanRequest
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


def release_wish(settings: Settings, as_of: date, posting_date: date | None = None) -> PlanRequest | None:
    """The release that a day prepares, or None when its posting date has nothing to post.

    Without `posting_date` it is the campaign's for that day of release; on another day the next one that may be
    re-checked.

    Raises:
        PlanError: no posting date, or not this one, may be released on this day.
    """
    posting_date = _posting_date(settings, as_of) if posting_date is None else posting_date
    _refuse_too_early(settings, as_of, posting_date)
    wish = PlanRequest("release", as_of, posting_date=posting_date)
    if settings.store.find("plans", wish.plan_id) is not None:
        return wish
    decided = bool(settings.store.all("feeds/decisions", until=as_of))
    return wish if decided or _lots_to_release(settings, as_of, posting_date) else None


def _lots_to_release(settings: Settings, as_of: date, posting_date: date) -> int:
    """Lots of a posting date, and those of earlier ones that no release covers: left out, resumed, or sent again."""
    root = settings.store.root
    connection = memory()
    try:
        row = connection.execute(
            f"""
            with voided as (
                select plan_id from read_parquet('{root}/approvals/*/approvals.parquet') where decision = 'rejected'
            ),
            plans as (
                select plan_id, plan_kind from read_parquet('{root}/plans/*/plan.parquet')
                where plan_id not in (select plan_id from voided)
            ),
            lots as (
                select lot_id, plan_id, plan_kind, posting_date
                from read_parquet('{root}/plans/*/lots.parquet') join plans using (plan_id)
                where lot_kind in ('home', 'supplementary') and plan_kind <> 'request' and posting_date <= ?
            ),
            ended as (
                select stopped.lot_id, stopped.cancelled_plan_id as plan_id
                from read_parquet('{root}/plans/*/stop_lots.parquet') as stopped
                join read_parquet('{gathered.transfers(settings.store)}') as sent using (plan_id, lot_id)
                where sent.step = 'stopped' and sent.received_on <= ? and stopped.cancelled_plan_id is not null
            ),
            released as (
                select lot_id, plan_id
                from read_parquet('{root}/plans/*/release_lots.parquet') join plans using (plan_id)
                where is_released
                union all
                select lot_id, plan_id from lots where plan_kind = 'release'
            ),
            replaced as (
                select lot_id from read_parquet('{root}/plans/*/replaced_lots.parquet') join plans using (plan_id)
                union all
                select replaces_lot_id from read_parquet('{root}/plans/*/lots.parquet') join plans using (plan_id)
                where replaces_lot_id is not null
            )
            select count(*) from lots
            where posting_date = ? or (
                lot_id not in (select lot_id from replaced)
                and lot_id not in (select lot_id from released anti join ended using (lot_id, plan_id))
            )
            """,
            [posting_date, as_of, posting_date],
        ).fetchone()
    finally:
        connection.close()
    return int(row[0]) if row else 0


def hand_off_wish(settings: Settings, as_of: date) -> PlanRequest:
    """What a day hands over: the first plan, or, once that is sent, its lots that can never be posted."""
    return resend_wish(settings, as_of) or home_wish(settings, as_of)


def resend_wish(settings: Settings, as_of: date) -> PlanRequest | None:
    """The wish to send home lots that the printer rejected or had to destroy again, under new numbers; None without.

    What went to employers or was asked for is taken up by the next run of its own kind.
    """
    wish = PlanRequest("resend", as_of, run_on=as_of)
    if settings.store.find("plans", wish.plan_id) is not None:
        return wish
    root = settings.store.root
    connection = memory()
    try:
        row = connection.execute(
            f"""
            with answers as (
                select lot_id, arg_max(result, (acknowledged_on, row_number)) as result
                from read_parquet('{root}/feeds/acknowledgements/*/rows.parquet')
                where lot_id is not null and received_on <= ? group by lot_id
            ),
            destroyed as (
                select stopped.lot_id
                from read_parquet('{root}/plans/*/stop_lots.parquet') as stopped
                join read_parquet('{gathered.transfers(settings.store)}') as sent using (plan_id, lot_id)
                where stopped.effect = 'destroy' and sent.step = 'stopped' and sent.received_on <= ?
            ),
            voided as (
                select plan_id from read_parquet('{root}/approvals/*/approvals.parquet') where decision = 'rejected'
            ),
            replaced as (
                select plan_id, replaces_lot_id as lot_id from read_parquet('{root}/plans/*/lots.parquet')
                union all
                select plan_id, lot_id from read_parquet('{root}/plans/*/replaced_lots.parquet')
            )
            select count(*) from read_parquet('{root}/plans/*/lots.parquet') as lots
            join read_parquet('{root}/plans/*/plan.parquet') as plans using (plan_id)
            left join answers using (lot_id)
            where (answers.result = 'rejected' or lots.lot_id in (select lot_id from destroyed))
                and lots.lot_kind in ('home', 'supplementary') and plans.plan_kind <> 'request'
                and lots.plan_id not in (select plan_id from voided)
                and lots.lot_id not in (
                    select lot_id from replaced
                    where lot_id is not null and plan_id not in (select plan_id from voided)
                )
            """,
            [as_of, as_of],
        ).fetchone()
    finally:
        connection.close()
    return wish if row and row[0] else None


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
