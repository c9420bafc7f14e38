"""What else the core system has to say in the season: requests, decisions, usage counts, and who gives back.

Everything is drawn from the world's own tables, so a request is made by somebody who can make it. Each file lies under
the day on which it is delivered: `<out>/feeds/<day>/<feed>_<yyyymmdd>.csv` and its manifest. Certificates have numbers
that only the pipeline gives, so who sends one back is written as people: the stand-in for the core system
(`sandbox/core_system.py`) turns them into the feed `certificate_returns` once they hold a certificate.
"""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.csv as pacsv

from kakuninsho.campaign import Campaign
from kakuninsho.facts.store import sha256_of
from kakuninsho.register.synthetic import rates, render
from kakuninsho.register.synthetic.draws import Draws
from kakuninsho.register.synthetic.plants import FILES
from kakuninsho.register.synthetic.world import Calendar

FEEDS = "feeds"
GIVEN_BACK = "certificates_given_back.csv"
MEMBER_KEY = FILES["members"][:4]
HELD_CASES = ("address_protected", "between_routes", "address_overseas", "address_missing")
# From the last delivery to the last run that takes requests in.
_DAYS_BEFORE_LAST_RUN = 1
# Files come on Tuesdays, the evening before the weekly run; everything else happens on weekdays.
_DELIVERED = "{day} + ((9 - isodow({day})) % 7)::integer"


def write_feeds(con: duckdb.DuckDBPyConnection, campaign: Campaign, calendar: Calendar, seed: int, out: Path) -> None:
    """Write every feed file of the season below `<out>/feeds/`, and who gives a certificate back."""
    draws = Draws(seed)
    runs = campaign.request_runs
    last = min(calendar.last, max(runs) - timedelta(days=_DAYS_BEFORE_LAST_RUN))
    _people(con, calendar, draws)
    _requests(con, calendar, draws, last)
    _decisions(con, calendar, draws, last)
    _usage_counts(con, campaign, calendar, draws)
    for feed in ("issue_requests", "decisions", "usage_counts"):
        _write(con, feed, out / FEEDS)
    _given_back(con, calendar, draws, max(runs), out / GIVEN_BACK)
    for table in ("asking", "issue_requests", "decisions", "usage_counts"):
        con.execute(f"drop table {table}")


def _people(con: duckdb.DuckDBPyConnection, calendar: Calendar, draws: Draws) -> None:
    """Whoever of the drawn world may ask, be decided about or leave in the season, with the keys of the register."""
    rate, held = rates.FEEDS, ", ".join(f"'{case}'" for case in HELD_CASES)
    con.execute(
        f"""
        create table asking as
        select
            insurer_number,
            {render.SYMBOL} as symbol,
            (i + 1)::varchar as number,
            lpad(suffix::varchar, 2, '0') as suffix,
            people.* exclude (i, suffix)
        from (
            select
                prefecture, hid, i, e, suffix, hid * 16 + suffix as person, member_case, card_state, birth_date,
                appears_on, lost_on
            from members
            where vanishes_on is null and (lost_on is null or lost_on > date '{calendar.as_of}') and (
                lost_on is not null
                or member_case in ({held})
                or member_case in ('late', 'new_enrollee')
                and {draws.u("person", "asks: new_enrollee")} < {rate.late_enrollee_asks!r}
                or {draws.u("person", "asks: care_needed")} < {rate.care_needed_old!r}
                or {draws.u("person", "asks: lost_or_damaged")} < {rate.lost_or_damaged!r}
                or {draws.u("person", "asks: card_lost_or_renewing")} < {rate.card_lost_or_renewing!r}
                or {draws.u("person", "asks: card_returned")} < {rate.card_returned!r}
                or member_case = 'new_enrollee' and {draws.u("person", "is issued")} < {rate.decided_to_issue!r}
            )
        ) as people
        join prefectures on prefectures.prefecture = people.prefecture
        """
    )


def _day(draws: Draws, start: str, purpose: str, days: int) -> str:
    """A weekday after `start`, up to so many days."""
    return f"workday({start} + 3 + {draws.pick('person', purpose, days)})"


def _requests(con: duckdb.DuckDBPyConnection, calendar: Calendar, draws: Draws, last: date) -> None:
    """Feed issue_requests: new enrollees, care needed, lost certificates, cards lost or given back; some ask twice."""
    as_of, season = f"date '{calendar.as_of}'", max(1, (last - calendar.as_of).days)
    rate, old = rates.FEEDS, f"birth_date < date '{calendar.as_of}' - 25568"  # seventy years
    asked = {
        "new_enrollee": (
            f"""case
                when member_case = 'late' and card_state <> 'usable' then {rate.late_enrollee_asks!r}
                when member_case = 'new_enrollee' and card_state <> 'usable' then {rate.new_enrollee_asks!r}
                when member_case in ('late', 'new_enrollee') then {rate.enrollee_with_card_asks!r}
                else 0 end""",
            f"case when member_case = 'late' then {_day(draws, 'appears_on', 'enrollee asks on', 20)}"
            f" else {_day(draws, as_of, 'enrollee asks on', min(60, season))} end",
        ),
        "care_needed": (
            f"case when {old} then {rate.care_needed_old!r} else {rate.care_needed!r} end",
            _day(draws, f"greatest({as_of}, appears_on)", "care needed on", season),
        ),
        "lost_or_damaged": (
            f"case when member_case = 'target' then {rate.lost_or_damaged!r} else 0 end",
            _day(draws, as_of, "lost on", season),
        ),
        "card_lost_or_renewing": (
            f"case when member_case = 'card_usable' then {rate.card_lost_or_renewing!r} else 0 end",
            _day(draws, as_of, "card lost on", season),
        ),
        "card_returned": (
            f"case when member_case = 'card_usable' then {rate.card_returned!r} else 0 end",
            _day(draws, as_of, "card returned on", season),
        ),
    }
    kinds = " union all ".join(
        f"""
        select {", ".join(MEMBER_KEY)}, person, lost_on, '{kind}' as kind, {day} as requested_on
        from asking where {draws.u("person", f"asks: {kind}")} < {share}
        """
        for kind, (share, day) in asked.items()
    )
    con.execute(
        f"""
        create table issue_requests as
        with wishes as ({kinds}),

        repeated as (
            select *, false as is_again from wishes
            union all
            select * replace (requested_on + 21 as requested_on), true as is_again
            from wishes where {draws.u("person", "asks twice")} < {rate.asks_twice!r}
        )

        select
            'R' || lpad((row_number() over (
                order by requested_on, {", ".join(MEMBER_KEY)}, kind, is_again
            ))::varchar, 8, '0') as request_id,
            {", ".join(MEMBER_KEY)},
            requested_on,
            kind,
            person,
            {_DELIVERED.format(day="requested_on")} as delivered_on
        from repeated
        where delivered_on <= date '{last}' and (lost_on is null or lost_on > requested_on)
        """
    )


def _decisions(con: duckdb.DuckDBPyConnection, calendar: Calendar, draws: Draws, last: date) -> None:
    """Feed decisions: what branch staff decide on some of the held cases."""
    as_of, rate = f"date '{calendar.as_of}'", rates.FEEDS
    season = max(1, (last - calendar.as_of).days)
    decided_on = f"workday({as_of} + 16 + {draws.pick('person', 'decided on', season)})"
    by = "'支部担当' || prefecture::varchar || "
    held_keys = ", ".join(f"v_{column} as {column}" for column in MEMBER_KEY)
    con.execute(
        f"""
        create table decisions as
        with held as (
            select {", ".join(MEMBER_KEY)}, prefecture, person, hid, member_case
            from asking
            where member_case in ({", ".join(f"'{case}'" for case in HELD_CASES)})
            union all
            select
                {held_keys},
                substr(v_insurer_number, 3, 2)::integer as prefecture,
                10000000000 + place as person,
                null as hid,
                reason_code as member_case
            from planted_members
            where disposition = 'held' and since = {as_of} and reject_code is null
                and reason_code in ('address_protected', 'between_routes', 'card_record_rejected')
                and late_disposition is null
        ),

        -- Someone at the branch wrote to the household; its new address is in the register since then.
        found as (select hid, moved_on from households where moved_on is not null),

        decided as (
            select held.*, {decided_on} as decided_on, 'release' as decision, {by}'A' as decided_by
            from held
            where member_case in ('between_routes', 'card_record_rejected')
                and {draws.u("person", "is released")} < {rate.released!r}
            union all
            select
                held.*, workday(moved_on + 10) as decided_on,
                unnest(['release', 'correct_address']) as decision, {by}'A' as decided_by
            from held join found using (hid)
            where member_case = 'address_missing'
            union all
            select held.*, {decided_on} as decided_on, 'exclude' as decision, {by}'A' as decided_by
            from held
            where member_case = 'address_overseas' and {draws.u("person", "is excluded")} < {rate.excluded!r}
            -- Two people and a recorded place: and still nothing leaves while the register protects the address.
            union all
            select
                held.*, {decided_on} as decided_on, unnest(['release', 'release', 'correct_address']) as decision,
                {by}unnest(['A', 'B', 'B']) as decided_by
            from held
            where member_case = 'address_protected'
                and {draws.u("person", "protection is released")} < {rate.protection_released!r}
            -- A new enrollee who asks for nothing: somebody at the branch decides to issue.
            union all
            select
                {", ".join(MEMBER_KEY)}, prefecture, person, hid, member_case, {decided_on} as decided_on,
                'issue' as decision, {by}'A' as decided_by
            from asking
            where member_case = 'new_enrollee' and card_state <> 'usable'
                and {draws.u("person", render.ISSUED_ELSEWHERE)} >= {rate.issued_elsewhere!r}
                and person not in (select issue_requests.person from issue_requests)
                and {draws.u("person", "is issued")} < {rate.decided_to_issue!r}
            -- A request that waits because the employer has closed: the branch lets it go home.
            union all
            select
                asking.{", asking.".join(MEMBER_KEY)}, asking.prefecture, asking.person, asking.hid,
                asking.member_case,
                workday(requested_on + 14) as decided_on, 'release' as decision,
                '支部担当' || asking.prefecture::varchar || 'A' as decided_by
            from issue_requests
            join asking using (person)
            join employers on employers.prefecture = asking.prefecture and employers.e = asking.e
            where employers.closed_on <= requested_on + 30
        )

        select distinct
            {", ".join(MEMBER_KEY)},
            decided_on,
            decision,
            decided_by as "by",
            {_DELIVERED.format(day="decided_on")} as delivered_on
        from decided
        where decided_on > {as_of} and delivered_on <= date '{last}'
        """
    )


def _usage_counts(con: duckdb.DuckDBPyConnection, campaign: Campaign, calendar: Calendar, draws: Draws) -> None:
    """Feed usage_counts: each month's counts of the 47 prefectures, delivered in the middle of the month after."""
    first, rate = date(calendar.as_of.year, calendar.as_of.month, 1), rates.FEEDS
    last = max(campaign.monthly(campaign.parameters.usage_rates_day_of_month))
    population = ", ".join(str(value) for value in rates.POPULATION)
    key = "(prefecture * 1000 + nth)"
    con.execute(
        f"""
        create table usage_counts as
        select
            strftime(month, '%Y-%m') as month,
            lpad(prefecture::varchar, 2, '0') as prefecture_code,
            floor(verifications * ({rate.usage_first!r} + nth * {rate.usage_monthly!r}
                + ({draws.u("prefecture", "usage of the prefecture")} - 0.5) * 0.12
                + ({draws.u(key, "usage of the month")} - 0.5) * 0.01))::bigint as uses,
            verifications,
            delivered_on
        from (
            select
                prefecture,
                nth,
                (date '{first}' + to_months(nth::integer))::date as month,
                workday((month + interval 1 month)::date + 14) as delivered_on,
                floor([{population}][prefecture] * 1000 * {rate.verifications_per_inhabitant!r}
                    * (0.95 + 0.1 * {draws.u(key, "verifications")}))::bigint as verifications
            from prefectures, range(0, 12) as months (nth)
        )
        where delivered_on <= date '{min(last, calendar.last)}'
        """
    )


def _given_back(con: duckdb.DuckDBPyConnection, calendar: Calendar, draws: Draws, last: date, path: Path) -> None:
    """People who leave and then post their certificate in the reply envelope, and from which day on they would.

    What arrives after `last`, the last run that takes it in, is not told any more.
    """
    gives_back = f"{draws.u('person', 'gives back')} < {rates.FEEDS.gives_back!r}"
    _copy(
        con,
        f"""
        select
            {", ".join(MEMBER_KEY)},
            {_day(draws, f"greatest(lost_on, date '{calendar.as_of}')", "gives back on", 30)} as gives_back_on,
            date '{last}' as until
        from asking
        where lost_on is not null and {gives_back} and gives_back_on <= date '{last}'
        order by {", ".join(MEMBER_KEY)}
        """,
        path,
    )


def _write(con: duckdb.DuckDBPyConnection, feed: str, folder: Path) -> None:
    """One file and manifest for each day of delivery."""
    columns = {
        "issue_requests": ("request_id", *MEMBER_KEY, "requested_on", "kind"),
        "decisions": (*MEMBER_KEY, "decided_on", "decision", "by"),
        "usage_counts": ("month", "prefecture_code", "uses", "verifications"),
    }[feed]
    listed = ", ".join(f'"{column}"' for column in columns)
    days = con.execute(f"select distinct delivered_on from {feed} order by all").fetchall()
    for (day,) in days:
        path = folder / day.isoformat() / f"{feed}_{day:%Y%m%d}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        count = _copy(con, f"select {listed} from {feed} where delivered_on = date '{day}' order by all", path)
        manifest = {"rows": count, "sha256": sha256_of(path)}
        path.with_name(path.name + ".manifest.json").write_text(json.dumps(manifest) + "\n", encoding="utf-8")


def _copy(con: duckdb.DuckDBPyConnection, query: str, path: Path) -> int:
    table: pa.Table = con.execute(query).to_arrow_table()
    pacsv.write_csv(table, path, pacsv.WriteOptions(quoting_style="needed"))
    return int(table.num_rows)
