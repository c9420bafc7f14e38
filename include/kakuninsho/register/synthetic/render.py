"""SQL that writes the world out as the four files of a drop (contract register/v1).

Each query shows the rows as they stand on a day; with `since` only those new or changed after it. Queries keep the
order of the world's tables (the connection keeps insertion order and never swaps the sides of a join).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from kakuninsho.register.synthetic.draws import Draws
from kakuninsho.register.synthetic.names import BUILDINGS, EMPLOYER_TRADES, FOREIGN_PLACES, SURNAMES
from kakuninsho.register.synthetic.rates import FEEDS, RESIDES_ELSEWHERE
from kakuninsho.register.synthetic.world import VOLUNTARY_SYMBOL

# Symbol: one or two digits of the district, then three kana as two digits each (46 kana). Unique inside a branch.
_SYMBOL = (
    "(1 + ((e % 97336) * 7919 + e // 97336) % 60)::varchar"
    " || lpad((1 + (e // 2116) % 46)::varchar, 2, '0')"
    " || lpad((1 + (e // 46) % 46)::varchar, 2, '0')"
    " || lpad((1 + e % 46)::varchar, 2, '0')"
)
SYMBOL = f"case when e < 0 then '{VOLUNTARY_SYMBOL}' else {_SYMBOL} end"
ISSUED_ELSEWHERE = "was issued a certificate by another system"  # a draw of a person; feeds reads it too
_FULL_WIDTH = "translate({}, '0123456789-', '０１２３４５６７８９{}')"


def _list(words: tuple[str, ...] | list[str]) -> str:
    return "[" + ", ".join(f"'{word}'" for word in words) + "]"


def _changed(columns: str, as_of: date, since: date | None) -> str:
    """SQL: the row exists on the day and, for a delta, one of its days of change falls after `since`."""
    present = f"appears_on <= date '{as_of}'"
    if since is None:
        return present
    days = " or ".join(f"({column} > date '{since}' and {column} <= date '{as_of}')" for column in columns.split())
    return f"{present} and ({days})"


def members(draws: Draws, as_of: date, since: date | None) -> str:
    """Rows of members as they stand on `as_of`."""
    del draws
    day = f"date '{as_of}'"
    changed = _changed("appears_on lost_known_on renamed_on protected_on", as_of, since)
    source = "members" if since is None else "changed_members"
    return f"""
        select
            insurer_number,
            {SYMBOL} as symbol,
            (i + 1)::varchar as number,
            lpad(suffix::varchar, 2, '0') as suffix,
            case when suffix = 0 then 'insured' else 'dependent' end as relationship,
            case when is_voluntary then 'voluntary' else 'employee' end as enrolment,
            surnames.written || '　' || given_names.written as name,
            case when is_half_width then surnames.half_kana || ' ' || given_names.half_kana
                else surnames.kana || '　' || given_names.kana end as name_kana,
            case when is_man then 'male' else 'female' end as sex,
            birth_date,
            qualified_on,
            decided_on,
            case when lost_known_on <= {day} then lost_on end as lost_on,
            is_protected or coalesce(protected_on <= {day}, false) as protected
        from (
            select *, case when renamed_on <= {day} then surname_after else surname end as surname_now
            from {source}
            where {changed} and (vanishes_on is null or vanishes_on > {day})
        ) as people
        join prefectures on prefectures.prefecture = people.prefecture
        join surnames on surnames.name_id = surname_now
        join given_names on given_names.name_id = given_name
    """


def my_number_cards(draws: Draws, as_of: date, since: date | None) -> str:
    """Rows of my_number_cards as they stand on `as_of`; people who never had a record have none."""
    del draws
    day = f"date '{as_of}'"
    changed = _changed("appears_on card_changed_on", as_of, since)
    source = "members" if since is None else "changed_members"
    return f"""
        select
            insurer_number,
            {SYMBOL} as symbol,
            (i + 1)::varchar as number,
            lpad(suffix::varchar, 2, '0') as suffix,
            state <> 'no_card' as has_card,
            state <> 'number_not_filed' as number_filed,
            state not in ('no_card', 'number_not_filed', 'not_registered') as registered,
            case when is_changed then expires_after else expires_on end as certificate_expires_on,
            case when not is_changed then cancelled_on
                when state = 'registration_cancelled' then card_changed_on
            end as registration_cancelled_on
        from (
            select
                *,
                coalesce(card_changed_on <= {day}, false) as is_changed,
                case when is_changed then card_after else card_state end as state
            from {source}
            where {changed} and (vanishes_on is null or vanishes_on > {day})
        ) as people
        join prefectures on prefectures.prefecture = people.prefecture
        where has_card_row or is_changed
    """


def _numbers(draws: Draws, key: str) -> str:
    """SQL: block, lot and house number in one of the styles that registers hold, mixed widths included."""
    block, lot, house = (
        f"(1 + {draws.pick(key, purpose, count)})::varchar"
        for purpose, count in (("block", 8), ("lot", 30), ("house", 20))
    )
    style, hyphened = draws.u(key, "style of numbers"), f"{block} || '-' || {lot} || '-' || {house}"
    return f"""case
        when {style} < 0.25 then {block} || '丁目' || {lot} || '番' || {house} || '号'
        when {style} < 0.50 then {_FULL_WIDTH.format(hyphened, "－")}
        when {style} < 0.60 then {_FULL_WIDTH.format(hyphened, "−")}
        when {style} < 0.85 then {hyphened}
        else {lot} || '番地' || {house}
    end"""


def addresses(draws: Draws, as_of: date, since: date | None) -> str:
    """Rows of addresses as they stand on `as_of`; a few households have none."""
    changed = _changed("appears_on moved_on", as_of, since)
    source = "households" if since is None else "changed_households"
    key = "home"
    foreign = draws.pick(key, "abroad", len(FOREIGN_PLACES))
    moved_to = {"address_overseas": 0.003, "address_missing": 0.002, "unprintable_text": 0.003}
    return f"""
        with homes as (
            select
                *,
                coalesce(moved_on <= date '{as_of}', false) as has_moved,
                hid * 2 + has_moved::integer as home,
                case when has_moved then {draws.choose(key, "moves to", moved_to, "ordinary")}
                    else household_case end as address_case,
                {draws.pick(key, "missing", 6)} as missing,
                case when has_moved then 'building' else unprintable_in end as unprintable,
                case when {draws.u(key, "elsewhere")} < {RESIDES_ELSEWHERE!r}
                    then 1 + {draws.pick(key, "prefecture", 47)} else prefecture end as resides_in
            from {source}
            where {changed}
        ),

        placed as (
            select
                homes.*,
                branch.insurer_number,
                residence.first_place + {draws.pick(key, "place", "residence.place_count")} as place_now
            from homes
            join prefectures as branch on branch.prefecture = homes.prefecture
            join prefectures as residence on residence.prefecture = homes.resides_in
            where not (address_case = 'address_missing' and missing = 0)
        )

        select
            insurer_number,
            {SYMBOL} as symbol,
            (i + 1)::varchar as number,
            case
                when address_case = 'address_overseas' then null
                when address_case = 'address_missing' and missing = 4 then null
                when address_case = 'address_missing' and missing = 5 then left(postal_code, 5)
                when {draws.u(key, "hyphened postal code")} < 0.02
                    then left(postal_code, 3) || '-' || right(postal_code, 4)
                else postal_code
            end as postal_code,
            case
                when address_case = 'address_overseas'
                    then {_list([place for _, place in FOREIGN_PLACES])}[1 + {foreign}]
                when address_case = 'address_missing' and missing = 2 then null
                when address_case = 'address_missing' and missing = 3 then '　 '
                when address_case = 'unprintable_text' and unprintable = 'address'
                    then place || '字𡈽手' || {_numbers(draws, key)}
                else place || {_numbers(draws, key)}
            end as address,
            case
                when address_case = 'address_overseas' then null
                when address_case = 'unprintable_text' and unprintable = 'building' then 'メゾン𠮷祥'
                when {draws.u(key, "has a building")} < 0.55 then null
                else {_list(BUILDINGS)}[1 + {draws.pick(key, "building", len(BUILDINGS))}]
                    || ((1 + {draws.pick(key, "floor", 12)}) * 100 + 1 + {draws.pick(key, "door", 8)})::varchar
                    || case when {draws.u(key, "door is named")} < 0.4 then '号室' else '' end
            end as building,
            case
                when address_case = 'address_overseas'
                    then {_list([code for code, _ in FOREIGN_PLACES])}[1 + {foreign}]
                when address_case = 'address_missing' and missing = 1 then null
                else 'JP'
            end as country,
            case when has_moved then moved_on else insured_decided end as updated_on
        from placed
        join places on places.place_id = place_now
    """


def employers(draws: Draws, as_of: date, since: date | None) -> str:
    """Rows of employers as they stand on `as_of`."""
    changed = _changed("appears_on closed_known_on", as_of, since)
    key = "employer_id"
    form = draws.u(key, "legal form")
    return f"""
        select
            insurer_number,
            {SYMBOL} as symbol,
            case when {form} < 0.6 then '株式会社' when {form} < 0.85 then '有限会社' else '' end
                || written || {_list(EMPLOYER_TRADES)}[1 + {draws.pick(key, "trade", len(EMPLOYER_TRADES))}]
                || case when {form} >= 0.95 then '　本店' else '' end as name,
            postal_code,
            place || {_numbers(draws, key)} as address,
            case when {draws.u(key, "has a building")} < 0.8 then null
                else '第' || (1 + {draws.pick(key, "building", 9)})::varchar || 'ビル'
                    || (1 + {draws.pick(key, "floor", 12)})::varchar || '階' end as building,
            case when closed_known_on <= date '{as_of}' then closed_on end as closed_on
        from (
            select
                employers.*,
                insurer_number,
                {draws.pick(key, "name", len(SURNAMES))} as name_now,
                first_place + {draws.pick(key, "place", "place_count")} as place_now
            from employers
            join prefectures on prefectures.prefecture = employers.prefecture
            where {changed}
        ) as firms
        join surnames on surnames.name_id = name_now
        join places on places.place_id = place_now
    """


def issued_certificates(draws: Draws, as_of: date, since: date | None) -> str:
    """Certificates that another system issued: most new enrollees without a usable card asked before the season."""
    person = "(hid * 16 + suffix)"
    issued_on = f"(decided_on + 10 + {draws.pick(person, 'issued elsewhere on', 20)})::date"
    after = f"and issued_on > date '{since}'" if since else ""
    return f"""
        select
            insurer_number,
            {SYMBOL} as symbol,
            (i + 1)::varchar as number,
            lpad(suffix::varchar, 2, '0') as suffix,
            issued_on,
            make_date(year(issued_on) + 4, 11, 30) as valid_until,
            null::date as ended_on
        from (
            select *, {issued_on} as issued_on
            from members
            where member_case = 'new_enrollee' and card_state <> 'usable'
                and {draws.u(person, ISSUED_ELSEWHERE)} < {FEEDS.issued_elsewhere!r}
                and appears_on <= date '{as_of}' and (vanishes_on is null or vanishes_on > date '{as_of}')
        ) as people
        join prefectures on prefectures.prefecture = people.prefecture
        where issued_on <= date '{as_of}' {after}
        order by insurer_number, symbol, number, suffix
    """


QUERIES: dict[str, Callable[[Draws, date, date | None], str]] = {
    "members": members,
    "addresses": addresses,
    "employers": employers,
    "my_number_cards": my_number_cards,
    "issued_certificates": issued_certificates,
}
