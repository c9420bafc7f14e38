"""The synthetic world: compact DuckDB tables of employers, households and members with what happens to each, and when.

Every member is drawn into a case first (rules: what becomes of each row) and its columns are then made to fit.
Names and addresses are kept as numbers of lists; `render` writes them out per drop. A row that a drop shows on day
D is a function of these tables and D, so a full drop, a delta and the next full drop agree by construction.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from math import gcd

import duckdb
import pyarrow as pa

from kakuninsho.campaign import Campaign, load_branches
from kakuninsho.register.synthetic import rates
from kakuninsho.register.synthetic.draws import Draws
from kakuninsho.register.synthetic.names import MEN, SURNAMES, WOMEN, half_width
from kakuninsho.register.synthetic.places import load_places
from kakuninsho.register.synthetic.rates import MONTHLY

VOLUNTARY_SYMBOL = "99999901"
_DAYS_PER_MONTH = 30.44
# Steps of even draws; the household sizes walk by the golden section. Independent of each other as irrationals are.
_ROOT_2, _ROOT_3, _ROOT_7 = 0.4142135623730951, 0.7320508075688772, 0.6457513110645906


@dataclass(frozen=True)
class Calendar:
    """The days that the world turns on, as SQL literals where SQL needs them."""

    as_of: date
    last: date
    enrolled_through: date
    new_enrollee_from: date

    @classmethod
    def of(cls, campaign: Campaign) -> Calendar:
        """From the campaign's parameters and drops."""
        values = campaign.parameters
        return cls(
            values.snapshot_as_of,
            max(campaign.register_drops),
            values.enrolled_through,
            values.new_enrollee_from,
        )

    @property
    def days(self) -> int:
        """Days from the snapshot to the last drop."""
        return (self.last - self.as_of).days

    @property
    def months(self) -> float:
        """The same in months."""
        return self.days / _DAYS_PER_MONTH


@dataclass(frozen=True)
class Size:
    """How much of everything: exact, so that the campaign's drop has the asked number of member rows."""

    members: int  # rows of background members in the campaign's drop
    households: tuple[tuple[int, int], ...]  # (dependents, households), largest first; the rest have none
    household_count: int
    late_household_count: int
    employer_count: int
    without_card: float  # share of people without a usable card among those whose card decides

    @classmethod
    def of(cls, members: int, targets: float, calendar: Calendar, *, with_season: bool) -> Size:
        """Counts for so many background members of whom so many are to become targets."""
        insured = members / (1 + sum(count * share for count, share in rates.DEPENDENTS.items()))
        families = tuple(
            (count, int(insured * share)) for count, share in sorted(rates.DEPENDENTS.items(), reverse=True)
        )
        singles = members - sum((count + 1) * number for count, number in families)
        households = singles + sum(number for _, number in families)
        late = round(households * MONTHLY.newly_insured * calendar.months) if with_season else 0
        employers = max(47, round(members * rates.EMPLOYERS_PER_MEMBER))

        cases = rates.HOUSEHOLD_CASES
        decided_by_card = 1 - sum(cases[case] for case in rates.WHOLE_HOUSEHOLD_CASES)
        held_without_card = sum(cases.values()) - (1 - decided_by_card)
        dependents = 1 - households / members
        own_case = dependents * sum(rates.DEPENDENT_CASES.values())
        become_targets = (decided_by_card - held_without_card) * (1 - own_case)
        become_targets *= 1 - dependents * rates.DEPENDENT_NAME_UNPRINTABLE
        return cls(members, families, households, late, employers, targets / members / become_targets)


def build(con: duckdb.DuckDBPyConnection, size: Size, calendar: Calendar, seed: int) -> None:
    """Create the tables prefectures, places, surnames, given_names, employers, households and members.

    Employers, households and members are made without a join: DuckDB then keeps their order on any number of threads.
    """
    draws = Draws(seed)
    _macros(con)
    _lists(con)
    _prefectures(con, size)
    _employers(con, calendar, draws)
    _households(con, size, calendar, draws)
    _members(con, size, calendar, draws)


def _macros(con: duckdb.DuckDBPyConnection) -> None:
    con.execute(
        """
        -- Saturday and Sunday fall back to Friday: offices decide on weekdays.
        create macro workday(day) as day - case dayofweek(day) when 6 then 1 when 0 then 2 else 0 end;
        -- Rules: validity; born on 29 February, the birthday of a common year is 1 March.
        create macro birthday(born, years) as case
            when month(born) = 2 and day(born) = 29 and (year(born) + years) % 4 <> 0
            then make_date(year(born) + years, 3, 1)
            else make_date(year(born) + years, month(born), day(born)) end;
        """
    )


def _lists(con: duckdb.DuckDBPyConnection) -> None:
    def names(pairs: list[tuple[str, str]], first: int) -> pa.Table:
        return pa.table(
            {
                "name_id": pa.array(range(first, first + len(pairs)), pa.int32()),
                "written": pa.array([written for written, _ in pairs]),
                "kana": pa.array([kana for _, kana in pairs]),
                "half_kana": pa.array([half_width(kana) for _, kana in pairs]),
            }
        )

    # The last surname cannot be printed; only its case draws it.
    lists = {
        "surnames": names([*SURNAMES, ("𠮷田", "ヨシダ")], 0),
        "given_names": pa.concat_tables(
            [names(MEN, 0), names(WOMEN, len(MEN)), names([("𠮷乃", "ヨシノ")], len(MEN) + len(WOMEN))]
        ),
        "places": load_places(),
    }
    for name, table in lists.items():
        con.register("incoming", table)
        con.execute(f"create table {name} as select * from incoming")
        con.unregister("incoming")


def _shared_out(total: int) -> list[int]:
    """A total over the prefectures by population, at least one each while there is enough, exact in sum."""
    whole, reached, counts, before = sum(rates.POPULATION), 0, [], 0
    for population in rates.POPULATION:
        reached += population
        upto = total * reached // whole
        counts.append(upto - before)
        before = upto
    return counts


def _prefectures(con: duckdb.DuckDBPyConnection, size: Size) -> None:
    columns = {
        "prefecture": pa.array(range(1, 48), pa.int32()),
        "insurer_number": [branch.insurer_number for branch in load_branches()],
        "household_count": _shared_out(size.household_count),
        "late_count": _shared_out(size.late_household_count),
        "employer_count": [max(1, count) for count in _shared_out(size.employer_count)],
    }
    con.register("incoming", pa.table(columns))
    con.execute(
        """
        create table prefectures as
        select
            incoming.*,
            (sum(household_count) over (order by prefecture) - household_count)::bigint as first_household,
            (sum(late_count) over (order by prefecture) - late_count)::bigint as first_late,
            first_place,
            place_count
        from incoming
        left join (
            select prefecture, min(place_id) as first_place, count(*)::integer as place_count
            from places group by prefecture
        ) as counted using (prefecture)
        order by prefecture
        """
    )
    con.unregister("incoming")


def _season_day(calendar: Calendar, draws: Draws, key: str, purpose: str) -> str:
    """A weekday after the snapshot, to the last drop."""
    day = f"date '{calendar.as_of}' + 1 + {draws.pick(key, purpose, calendar.days)}"
    return f"greatest(workday({day}), date '{calendar.as_of}' + 1)"


def _employers(con: duckdb.DuckDBPyConnection, calendar: Calendar, draws: Draws) -> None:
    as_of, key = f"date '{calendar.as_of}'", "employer_id"
    closes = draws.u(key, "employer closes")
    closing = MONTHLY.employers_closed * calendar.months
    new = MONTHLY.employers_new * calendar.months
    con.execute(
        f"""
        create table employers as
        with numbered as (
            select
                prefecture,
                employer_count,
                unnest(range(employer_count + ceil(employer_count * {new!r})::integer))::integer as e
            from prefectures
        )
        select
            prefecture,
            e,
            prefecture::bigint * 10000000 + e as employer_id,
            e >= employer_count as is_late,
            -- New employers come in the first two months, their people after that.
            case when e < employer_count then {as_of}
                else greatest(workday({as_of} + 1 + {draws.pick(key, "employer appears", 60)}), {as_of} + 1)
            end as appears_on,
            case
                when e >= employer_count then null
                when {closes} < 0.005 then {as_of} - {draws.pick(key, "employer closed", 400)}
                when {closes} < {0.005 + closing!r} then {_season_day(calendar, draws, key, "employer closing")}
            end as closed_on,
            case when closed_on <= {as_of} then {as_of} else workday(closed_on + 5) end as closed_known_on
        from numbered
        """
    )


def _coprime(count: int) -> int:
    """A multiplier near the golden section that walks through 0 .. count - 1 once."""
    step = max(1, int(count * 0.6180339887))
    while gcd(step, count) != 1:
        step += 1
    return step


def _households(con: duckdb.DuckDBPyConnection, size: Size, calendar: Calendar, draws: Draws) -> None:
    con.execute(
        f"""
        create table seeds as
        select
            prefecture,
            employer_count,
            i,
            i >= household_count as is_late,
            case when is_late then {size.household_count} + first_late + i - household_count
                else first_household + i end as hid
        from (
            select *, unnest(range(household_count + late_count))::integer as i from prefectures
        )
        """
    )
    as_of, through = f"date '{calendar.as_of}'", f"date '{calendar.enrolled_through}'"
    new_from = f"date '{calendar.new_enrollee_from}'"
    new_days = (calendar.as_of - calendar.new_enrollee_from).days + 1
    youngest_75 = f"({as_of} - interval 75 year)::date"

    reached, exact = 0, []
    for dependents, count in size.households:
        reached += count
        exact.append(f"when walk < {reached} then {dependents}")
    key = "hid"
    offset = draws.salt("household sizes") % max(1, size.household_count)
    families = {str(count): share for count, share in sorted(rates.DEPENDENTS.items(), reverse=True)}
    season = calendar.months
    con.execute(
        f"""
        create table households as
        with drawn as (
            select
                hid,
                prefecture,
                i,
                is_late,
                case when is_late then null
                    else (hid * {_coprime(size.household_count)} + {offset}) % {size.household_count} end as walk,
                case
                    when is_late then ({draws.choose(key, "late household size", families, "0")})::integer
                    {" ".join(exact)}
                    else 0
                end as dependents,
                {draws.u(key, "voluntary")} < {rates.VOLUNTARY!r} as is_voluntary,
                case when is_late then 'late'
                    else {
            draws.choose(
                key,
                "household case",
                rates.HOUSEHOLD_CASES,
                "ordinary",
                draw=draws.even("hid", "household case", _ROOT_7),
            )
        }
                end as household_case,
                case
                    when is_voluntary then -1
                    when i < employer_count then i
                    when is_late and {draws.u(key, "joins a new employer")} < 0.05 then employer_count
                    -- Sizes of employers are heavy-tailed: few are large, most have a handful of people.
                    else {draws.pick(key, "employer", "employer_count", skew=2)}
                end as e,
                {draws.even("hid", "reluctant", _ROOT_2)} < {rates.RELUCTANT_HOUSEHOLDS!r} as is_reluctant,
                ['name', 'name', 'name', 'name', 'address', 'building'][1 + {draws.pick(key, "unprintable", 6)}]
                    as unprintable_in,
                case when is_late
                    then case when e >= employer_count
                        then greatest({as_of} + 1, workday(
                            {as_of} + 70 + {draws.pick(key, "appears late", max(1, calendar.days - 69))}))
                        else {_season_day(calendar, draws, key, "appears")} end
                    else {as_of}
                end as appears_on
            from seeds
        ),

        aged as (
            select
                *,
                {draws.u(key, "age bracket")} as bracket,
                {draws.u(key, "age")} as within,
                case
                    when household_case = 'reached_75' then 75 + within * 8
                    when bracket < 0.02 then 18 + within * 2
                    when bracket < 0.20 then 20 + within * 10
                    when bracket < 0.42 then 30 + within * 10
                    when bracket < 0.67 then 40 + within * 10
                    when bracket < 0.87 then 50 + within * 10
                    when bracket < 0.96 then 60 + within * 6
                    when bracket < 0.99 then 66 + within * 5
                    else 71 + within * 4
                end as age,
                {as_of} - floor(age * 365.2425)::integer as born,
                case when household_case = 'reached_75' then least(born, {youngest_75})
                    else greatest(born, {youngest_75} + 1) end as insured_birth
            from drawn
        ),

        enrolled as (
            select
                *,
                case
                    when household_case = 'new_enrollee' then greatest({new_from}, workday({new_from} + case
                        when {draws.u(key, "enrols in spring")} < 0.30
                            then {new_days - 30} + {draws.pick(key, "enrols", 30)}
                        else {draws.pick(key, "enrols", new_days)} end))
                    when household_case = 'between_routes' then {through} + 1
                    when household_case = 'late' then appears_on - 1 - {draws.pick(key, "decided late", 6)}
                end as decided_lately,
                greatest(0, least(14600, {through} - 15 - (insured_birth + interval 15 year)::date)) as span,
                case
                    when household_case = 'between_routes' then decided_lately - 6
                    when decided_lately is not null then decided_lately - 3 - {draws.pick(key, "qualified lately", 18)}
                    when is_voluntary then {through} - 25 - {draws.pick(key, "qualified voluntary", 510)}
                    else {through} - 15 - {draws.pick(key, "qualified", "span + 1", skew=2)}
                end as insured_qualified,
                coalesce(decided_lately, workday(insured_qualified + 3 + {draws.pick(key, "decided", 10)}))
                    as insured_decided
            from aged
        ),

        leaving as (
            select
                *,
                birthday(insured_birth, 75) as turns_75_on,
                (insured_qualified + interval 2 year)::date as two_years_on,
                case
                    when household_case = 'membership_lost'
                        then {as_of} - {draws.pick(key, "lost before", 75, skew=2)}
                    when household_case in ('reached_75', 'late') then null
                    when turns_75_on <= date '{calendar.last}'
                        and {draws.u(key, "closed at 75")} >= {rates.NEVER_CLOSED_AT_75!r} then turns_75_on
                    when is_voluntary and two_years_on between {as_of} + 1 and date '{calendar.last}' then two_years_on
                    when {draws.u(key, "leaves")} < {MONTHLY.leavers * season!r}
                        then {as_of} + 1 + {draws.pick(key, "lost", calendar.days)}
                end as lost_on,
                greatest({as_of}, case
                    when household_case = 'membership_lost' then {as_of}
                    when lost_on = turns_75_on then workday(lost_on - 20)
                    when is_voluntary and lost_on = two_years_on then workday(lost_on)
                    when lost_on is not null
                        then workday(lost_on - 10 + {draws.pick(key, "lost is known", 36)})
                end) as lost_known
            from enrolled
        )

        select
            hid,
            prefecture,
            i,
            e,
            dependents,
            is_late,
            is_voluntary,
            is_reluctant,
            household_case,
            case when household_case = 'unprintable_text' then unprintable_in end as unprintable_in,
            insured_birth,
            insured_qualified,
            insured_decided,
            appears_on,
            lost_on,
            case when lost_on is not null then lost_known end as lost_known_on,
            case when not is_late and {draws.u(key, "moves")} < case household_case
                    when 'address_missing' then {rates.ADDRESS_FOUND!r} else {MONTHLY.movers * season!r} end
                then {_season_day(calendar, draws, key, "moved")} end as moved_on,
            case when not is_late and lost_on is null and household_case <> 'reached_75'
                and {draws.u(key, "new dependent")} < {MONTHLY.new_dependents * season!r}
                then {_season_day(calendar, draws, key, "new dependent on")} end as new_dependent_on
        from leaving
        """
    )
    con.execute("drop table seeds")


def _members(con: duckdb.DuckDBPyConnection, size: Size, calendar: Calendar, draws: Draws) -> None:
    as_of, through, last = (
        f"date '{calendar.as_of}'",
        f"date '{calendar.enrolled_through}'",
        f"date '{calendar.last}'",
    )
    new_from = f"date '{calendar.new_enrollee_from}'"
    new_days = (calendar.as_of - calendar.new_enrollee_from).days + 1
    youngest_75 = f"({as_of} - interval 75 year)::date"
    # Rules, section 3: in grace to the last day of the third month after the month of expiry.
    month_index = calendar.as_of.year * 12 + calendar.as_of.month - 1 - 3
    grace_from = date(month_index // 12, month_index % 12 + 1, 1)
    grace_days = (calendar.as_of - grace_from).days
    whole = ", ".join(f"'{case}'" for case in rates.WHOLE_HOUSEHOLD_CASES)
    reluctant = rates.RELUCTANT_WITHOUT_CARD
    others = (size.without_card - rates.RELUCTANT_HOUSEHOLDS * reluctant) / (1 - rates.RELUCTANT_HOUSEHOLDS)
    men, women, season, key = len(MEN), len(WOMEN), calendar.months, "person"
    changes = {
        "no_card": MONTHLY.obtains_card,
        "number_not_filed": MONTHLY.files_number,
        "not_registered": MONTHLY.registers,
        "certificate_in_grace": MONTHLY.renews_expired,
        "certificate_expired": MONTHLY.renews_expired,
    }
    change_share = " ".join(f"when '{state}' then {rate * season!r}" for state, rate in changes.items())
    con.execute(
        f"""
        create table members as
        with people as (
            select
                *,
                unnest(range(dependents + 1 + (new_dependent_on is not null)::integer))::integer as suffix
            from households
        ),

        drawn as (
            select
                *,
                hid * 16 + suffix as person,
                suffix > dependents as is_new_dependent,
                case
                    when suffix = 0 then 'insured'
                    when is_new_dependent then 'child'
                    when suffix = 1 and {draws.u(key, "spouse")} < 0.6 then 'spouse'
                    when {draws.u(key, "parent")} < 0.08 and insured_birth > {as_of} - 17000 then 'parent'
                    else 'child'
                end as role,
                case when suffix = 0 then {draws.even("hid", "without card", _ROOT_3)}
                    else {draws.u(key, "without card")} end as card_share,
                case when card_share < case when is_reluctant then {reluctant!r} else {others!r} end
                    then {draws.choose(key, "need", rates.NEEDS, "no_card")}
                    else 'usable'
                end as card_state,
                case when suffix > 0 then {draws.choose(key, "dependent case", rates.DEPENDENT_CASES, "none")}
                    else 'none' end as own_case,
                case
                    when is_late or is_new_dependent then 'late'
                    when household_case in ({whole}) then household_case
                    when own_case <> 'none' then own_case
                    when card_state = 'usable' then 'card_usable'
                    when household_case <> 'ordinary' then household_case
                    when suffix > 0 and {draws.u(key, "name unprintable")} < {rates.DEPENDENT_NAME_UNPRINTABLE!r}
                        then 'unprintable_text'
                    else 'target'
                end as member_case,
                {draws.u(key, "newborn")} < 0.6 and not is_late and not is_new_dependent and suffix > 0
                    and household_case not in ({whole}) and member_case = 'new_enrollee' as is_newborn
            from people
        ),

        born as (
            select
                *,
                case
                    when suffix = 0 then insured_birth
                    when is_new_dependent then new_dependent_on - 15 - {draws.pick(key, "birth", 10)}
                    when is_newborn then {new_from} - 12 + {draws.pick(key, "birth", max(1, new_days - 10))}
                    when member_case = 'reached_75' and household_case <> 'reached_75'
                        then {youngest_75} - {draws.pick(key, "birth", 2900)}
                    when role = 'spouse' then greatest({youngest_75} + 1,
                        least({as_of} - 7305, insured_birth - 2190 + {draws.pick(key, "birth", 4380)}))
                    when role = 'parent' then greatest({youngest_75} + 1,
                        insured_birth - 8000 - {draws.pick(key, "birth", 3000)})
                    else least({through} - 20, greatest(
                        (insured_birth + interval 18 year)::date, {as_of} - {draws.pick(key, "birth", 8030)}))
                end as birth_date
            from drawn
        ),

        enrolled as (
            select
                *,
                case
                    when is_new_dependent or is_newborn then birth_date
                    when suffix = 0 or household_case in ('new_enrollee', 'between_routes', 'late')
                        then insured_qualified
                    when member_case = 'new_enrollee'
                        then greatest({new_from}, workday({new_from} + {draws.pick(key, "decided", new_days)})) - 10
                    else greatest(insured_qualified, birth_date)
                end as qualified_on,
                case
                    when is_new_dependent then new_dependent_on - 1
                    when suffix = 0 or household_case in ('between_routes', 'late') then insured_decided
                    when household_case = 'new_enrollee'
                        then least({as_of}, greatest(insured_decided,
                            workday(insured_decided + {draws.pick(key, "decided", 5)})))
                    when is_newborn
                        then least({as_of}, greatest({new_from},
                            workday(birth_date + 12 + {draws.pick(key, "decided", 13)})))
                    when member_case = 'new_enrollee' then qualified_on + 10
                    else least({through} - 1, workday(qualified_on + 5 + {draws.pick(key, "decided", 15)}))
                end as decided_on
            from born
        ),

        leaving as (
            select
                * exclude (lost_on, lost_known_on, appears_on),
                case when is_new_dependent then new_dependent_on else appears_on end as appears_on,
                -- One dependent in ten keeps an open row though the insured has left.
                lost_on is not null and own_case <> 'membership_lost'
                    and (suffix = 0 or {draws.u(key, "lost with insured")} < 0.9) as leaves_with_insured,
                birthday(birth_date, 75) as turns_75_on,
                case
                    when leaves_with_insured then lost_on
                    when suffix = 0 or is_late or is_new_dependent or member_case = 'reached_75' then null
                    when member_case = 'membership_lost' and household_case <> 'membership_lost'
                        then {as_of} - {draws.pick(key, "lost before", 75, skew=2)}
                    when household_case = 'membership_lost' then null
                    when turns_75_on <= {last} and {draws.u(key, "closed at 75")} >= {rates.NEVER_CLOSED_AT_75!r}
                        then turns_75_on
                    when {draws.u(key, "leaves")} < {MONTHLY.dependents_lost * season!r}
                        then {as_of} + 1 + {draws.pick(key, "lost", calendar.days)}
                end as member_lost_on,
                case
                    when member_lost_on is null then null
                    when leaves_with_insured then lost_known_on
                    when member_lost_on <= {as_of} then {as_of}
                    when member_lost_on = turns_75_on then greatest({as_of}, workday(member_lost_on - 20))
                    else greatest({as_of}, workday(member_lost_on - 10 + {draws.pick(key, "lost is known", 36)}))
                end as member_lost_known_on
            from enrolled
        ),

        carded as (
            select
                *,
                -- An electronic certificate ends on a birthday.
                make_date(year({as_of}) + {draws.pick(key, "expires", 5)}, month(birth_date),
                    least(day(birth_date), case when month(birth_date) = 2 then 28 else 31 end)) as anniversary,
                case when anniversary < {as_of} then (anniversary + interval 5 year)::date else anniversary end
                    as ends_on,
                case card_state
                    when 'no_card' then null
                    when 'certificate_in_grace' then date '{grace_from}' + {draws.pick(key, "grace", grace_days)}
                    when 'certificate_expired' then case when {draws.u(key, "expiry unknown")} >= 0.1
                        then date '{grace_from}' - 1 - {draws.pick(key, "expired", 730)} end
                    else ends_on
                end as expires_on,
                case when card_state = 'registration_cancelled'
                    then {as_of} - {draws.pick(key, "cancelled", 180)} end as cancelled_on,
                {draws.u(key, "card changes")} as card_draw,
                case
                    when is_late or is_new_dependent then null
                    when card_state = 'usable' and expires_on <= {last} then
                        case when card_draw < {rates.RENEWS_IN_TIME!r} then greatest({as_of} + 1,
                            workday(expires_on - {draws.pick(key, "card changed", 80)})) end
                    when card_state = 'usable' then case when card_draw < {MONTHLY.cancels_registration * season!r}
                        then {_season_day(calendar, draws, key, "card changed")} end
                    when card_draw < case card_state {change_share} else 0 end
                        then {_season_day(calendar, draws, key, "card changed")}
                end as card_changed_on
            from leaving
        )

        select
            hid,
            suffix,
            prefecture,
            i,
            e,
            is_voluntary,
            member_case,
            card_state,
            card_state <> 'no_card' or {draws.u(key, "empty card row")} < 0.4 as has_card_row,
            {draws.pick("hid", "surname", len(SURNAMES), skew=2)} as family_name,
            case when unprintable_in = 'name' then {len(SURNAMES)}
                when suffix > 0 and {draws.u(key, "other surname")} < 0.04
                    then {draws.pick(key, "own surname", len(SURNAMES), skew=2)}
                else family_name end as surname,
            case role when 'insured' then {draws.u("hid", "insured is a man")} < 0.58
                when 'spouse' then {draws.u("hid", "insured is a man")} >= 0.58
                else {draws.u(key, "man")} < 0.5 end as is_man,
            case when member_case = 'unprintable_text' and household_case <> 'unprintable_text'
                then {men + women}
                when is_man then {draws.pick(key, "given name", men)}
                else {men} + {draws.pick(key, "given name", women)} end as given_name,
            {draws.u(key, "half-width kana")} < 0.03 as is_half_width,
            birth_date,
            qualified_on,
            decided_on,
            case when member_case = 'address_protected' then suffix = 0
                or household_case <> 'address_protected' or {draws.u(key, "protected too")} < 0.3
                else false end as is_protected,
            appears_on,
            member_lost_on as lost_on,
            member_lost_known_on as lost_known_on,
            case when not is_late and {draws.u(key, "renamed")} < {MONTHLY.renamed * season!r}
                then {_season_day(calendar, draws, key, "renamed on")} end as renamed_on,
            case when renamed_on is not null then {draws.pick(key, "new surname", len(SURNAMES), skew=2)} end
                as surname_after,
            case when not is_late and {draws.u(key, "newly protected")} < {MONTHLY.newly_protected * season!r}
                then {_season_day(calendar, draws, key, "protected on")} end as protected_on,
            case when not is_late and not is_new_dependent and {draws.u(key, "vanishes")} < {rates.VANISHES!r}
                then {_season_day(calendar, draws, key, "vanished on")} end as vanishes_on,
            expires_on,
            cancelled_on,
            card_changed_on,
            case when card_changed_on is null then null
                when card_state = 'usable' and expires_on > {last} then 'registration_cancelled'
                else 'usable' end as card_after,
            case
                when card_changed_on is null then null
                when card_after = 'registration_cancelled' or card_state in ('not_registered', 'number_not_filed')
                    then expires_on
                else make_date(year(card_changed_on) + 5, month(birth_date),
                    least(day(birth_date), case when month(birth_date) = 2 then 28 else 31 end))
            end as expires_after
        from carded
        """
    )
