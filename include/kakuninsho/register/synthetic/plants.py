"""The planted cases: households made for one line of the rules each, and rows that break one rule of the contract.

Every column of a planted household is chosen, edge dates included.
A plant states its own disposition or reject; nothing here evaluates the rules. `tier` 1 is planted in every
register, 2 only from FULL_SET_FROM members up, so that small registers keep their shares and their reject limits.
"""

from __future__ import annotations

from calendar import isleap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, Literal

from kakuninsho.campaign import Campaign, load_branches
from kakuninsho.register.synthetic.names import MEN, SURNAMES, WOMEN
from kakuninsho.register.synthetic.world import VOLUNTARY_SYMBOL

FULL_SET_FROM = 20_000
FILES = {
    "members": [
        "insurer_number",
        "symbol",
        "number",
        "suffix",
        "relationship",
        "enrolment",
        "name",
        "name_kana",
        "sex",
        "birth_date",
        "qualified_on",
        "decided_on",
        "lost_on",
        "protected",
    ],
    "addresses": ["insurer_number", "symbol", "number", "postal_code", "address", "building", "country", "updated_on"],
    "employers": ["insurer_number", "symbol", "name", "postal_code", "address", "building", "closed_on"],
    "my_number_cards": [
        "insurer_number",
        "symbol",
        "number",
        "suffix",
        "has_card",
        "number_filed",
        "registered",
        "certificate_expires_on",
        "registration_cancelled_on",
    ],
    "issued_certificates": ["insurer_number", "symbol", "number", "suffix", "issued_on", "valid_until", "ended_on"],
}
# Large, small and single-day branches; the prefecture is the index + 1 of load_branches.
_PREFECTURES = (18, 13, 27, 23, 1, 40, 47, 14)
_FIRST_NUMBER = 9_000_001

Row = dict[str, Any]
# Day, file, suffix (-1 for files without one), changed columns or None for a row that vanishes.
Change = tuple[date, str, int, Mapping[str, Any] | None]
Employer = Literal["open", "closed", "closing", "unknown", "voluntary"]
NORMAL: dict[str, str | None] = {}
USABLE = "usable"


@dataclass
class Planted:
    """One row of one file, valid in drops from `since` to before `until` (None: for good)."""

    file: str
    kind: str
    values: Row
    since: date
    until: date | None = None
    disposition: str | None = None
    reason_code: str | None = None
    reject_column: str | None = None
    reject_code: str | None = None
    at_end: bool = False
    # What the first later drop with an accepted row makes of a person whom a rejected row of the snapshot concerns.
    late_disposition: str | None = None
    late_reason_code: str | None = None


@dataclass(frozen=True)
class Person:
    """What differs from an ordinary insured person without a card."""

    disposition: str = "target"
    reason: str = "no_card"
    changes: Mapping[str, Any] = field(default_factory=dict)
    card: Mapping[str, Any] | None = None
    late: str | None = None  # reason by which a later drop judges whom a rejected row of the snapshot holds


def person(reason: str = "no_card", *, card: Mapping[str, Any] | None = None, **changes: Any) -> Person:
    """A person who ends with this reason; the disposition follows from the name of the reason alone."""
    excluded = ("membership_lost", "reached_75", "new_enrollee", "card_usable", "already_has_certificate")
    held = [
        "address_protected",
        "between_routes",
        "household_without_insured",
        "card_record_rejected",
        "address_overseas",
        "address_missing",
        "unprintable_text",
    ]
    disposition = "excluded" if reason in excluded else "held" if reason in held else "target"
    return Person(disposition, reason, changes, card)


def late(reason: str) -> tuple[str, str]:
    """Disposition and reason of a later drop, the disposition by the name of the reason."""
    return person(reason).disposition, reason


class Catalogue:
    """Collects planted rows. Keys are numbers from 9,000,001 up, which the drawn world never reaches."""

    def __init__(
        self, campaign: Campaign, places: Mapping[int, list[tuple[str, str]]], *, full: bool, text_file: bool
    ) -> None:
        self.rows: list[Planted] = []
        self.as_of = campaign.parameters.snapshot_as_of
        self.campaign = campaign
        self.full = full
        self.text_file = text_file
        self._places = places
        self._insurer_numbers = [branch.insurer_number for branch in load_branches()]
        self._count = 0
        self._employers: set[tuple[int, str]] = set()
        # Days on which rows that were rejected at the snapshot are right: a delta tells, the full drops after it too.
        self.corrected_on = [
            day for day, kind in campaign.register_drops.items() if kind == "delta" and day > self.as_of
        ][:2]
        for plant in _CATALOGUE:
            plant(self)

    # --- building blocks ------------------------------------------------------------------------

    def day(self, offset: int) -> date:
        """So many days after as_of."""
        return self.as_of + timedelta(days=offset)

    def on(self, years: int, month: int, day: int) -> date:
        """This day of the year so many years from that of as_of."""
        return date(self.as_of.year + years, month, day)

    def leap_birth(self, turns_75_after: int) -> date:
        """Born on 29 February so that the 75th birthday is this many years after that of as_of, or soonest later."""
        year = self.as_of.year + turns_75_after - 75
        return date(next(year + n for n in range(8) if isleap(year + n)), 2, 29)

    def months_before(self, months: int) -> date:
        """The first day of the month so many months before that of as_of."""
        months_since = self.as_of.year * 12 + self.as_of.month - 1 - months
        return date(months_since // 12, months_since % 12 + 1, 1)

    def birth(self, age: int, offset: int = 0) -> date:
        """Born so that this birthday falls on as_of plus offset."""
        day = self.day(offset)
        return date(day.year - age, day.month, day.day)

    def usable(self, **changes: Any) -> Row:
        """A card that works as insurance card on as_of."""
        return {
            "has_card": True,
            "number_filed": True,
            "registered": True,
            "certificate_expires_on": self.day(700),
            "registration_cancelled_on": None,
            **changes,
        }

    def household(
        self,
        kind: str,
        *people: Person,
        tier: int = 2,
        prefecture: int | None = None,
        address: Mapping[str, Any] | None = NORMAL,
        employer: Employer = "open",
        first_suffix: int = 0,
        later: Iterable[Change] = (),
    ) -> Row | None:
        """Plant a household; returns its key, or None when this register is too small for the kind.

        `later` are the changes that drops after the campaign's show.
        """
        if tier > 1 and not self.full:
            return None
        self._count += 1
        prefecture = prefecture or _PREFECTURES[self._count % len(_PREFECTURES)]
        key = self._key(prefecture, employer)
        later = sorted(later, key=lambda change: change[0])
        enrolment = "voluntary" if employer == "voluntary" else "employee"
        for position, one in enumerate(people):
            suffix = position + first_suffix
            values = self._member(key, suffix, enrolment, one.changes)
            outcome = (one.disposition, one.reason)
            self._versions("members", kind, values, later, suffix, outcome)
            if one.late is not None and self.corrected_on:
                self.rows[-1].late_disposition, self.rows[-1].late_reason_code = late(one.late)
            if one.card is not None:
                card = {**key, "suffix": f"{suffix:02}", **one.card}
                self._versions("my_number_cards", kind, card, later, suffix)
        if address is not None:
            values = {**key, **self._address(prefecture), "updated_on": self.day(-400), **address}
            self._versions("addresses", kind, values, later, -1)
        return key

    def _key(self, prefecture: int, employer: Employer) -> Row:
        insurer_number = self._insurer_numbers[prefecture - 1]
        digit = {"open": 1, "closed": 2, "closing": 3, "unknown": 4, "voluntary": 0}[employer]
        symbol = VOLUNTARY_SYMBOL if employer == "voluntary" else f"7101010{digit}"
        if employer in ("open", "closed", "closing") and (prefecture, employer) not in self._employers:
            self._employers.add((prefecture, employer))
            values = {
                "insurer_number": insurer_number,
                "symbol": symbol,
                "name": f"株式会社{SURNAMES[prefecture][0]}商会",
                **self._place(prefecture, 0, "１－１－１"),
                "building": None,
                "closed_on": self.day(-30) if employer == "closed" else None,
            }
            closing = (self.campaign.follow_up_runs[0] - timedelta(days=20), "employers", -1)
            changes = {"closed_on": self.campaign.follow_up_runs[0] - timedelta(days=25)}
            later = [(*closing, changes)] if employer == "closing" else []
            self._versions("employers", f"employer_{employer}", values, later, -1)
        return {
            "insurer_number": insurer_number,
            "symbol": symbol,
            "number": str(_FIRST_NUMBER + self._count),
        }

    def _place(self, prefecture: int, which: int, numbers: str) -> Row:
        places = self._places[prefecture]
        code, place = places[which % len(places)]
        return {"postal_code": code, "address": place + numbers}

    def _address(self, prefecture: int) -> Row:
        place = self._place(prefecture, self._count, f"{self._count % 9 + 1}-{self._count % 30 + 1}")
        return {**place, "building": None, "country": "JP"}

    def _member(self, key: Row, suffix: int, enrolment: str, changes: Mapping[str, Any]) -> Row:
        surname = SURNAMES[self._count % len(SURNAMES)]
        given = (MEN if suffix % 2 == 0 else WOMEN)[(self._count + suffix) % 90]
        return {
            **key,
            "suffix": f"{suffix:02}",
            "relationship": "insured" if suffix == 0 else "dependent",
            "enrolment": enrolment,
            "name": f"{surname[0]}　{given[0]}",
            "name_kana": f"{surname[1]}　{given[1]}",
            "sex": "male" if suffix % 2 == 0 else "female",
            "birth_date": date(1980, 6, 15) if suffix == 0 else date(2012, 1, 10) + timedelta(days=400 * suffix),
            "qualified_on": self.on(-1, 4, 1),
            "decided_on": self.on(-1, 4, 9),
            "lost_on": None,
            "protected": False,
            **changes,
        }

    def _versions(
        self,
        file: str,
        kind: str,
        values: Row,
        later: Iterable[Change],
        suffix: int,
        outcome: tuple[str | None, str | None] = (None, None),
    ) -> None:
        row = Planted(file, kind, values, self.as_of, disposition=outcome[0], reason_code=outcome[1])
        for day, changed_file, changed_suffix, changes in later:
            if changed_file != file or changed_suffix != suffix:
                continue
            row.until = day
            self.rows.append(row)
            if changes is None:
                return
            row = Planted(file, kind, {**row.values, **changes}, day)
        self.rows.append(row)

    def reject(
        self,
        file: str,
        kind: str,
        values: Row,
        column: str | None,
        code: str,
        *,
        at_end: bool = True,
        until: date | None = None,
    ) -> None:
        """Plant a row that the contract rejects, for good or until a drop that has it right."""
        self.rows.append(
            Planted(file, kind, values, self.as_of, until, reject_column=column, reject_code=code, at_end=at_end)
        )

    def right_later(self, file: str, kind: str, values: Row, which: int, reason: str | None = None) -> date | None:
        """Plant the accepted row of a key that was rejected at the snapshot, in the first or second delta after it.

        `reason` is what that drop makes of a member. Returns its day: the rejected row is there until then. None where
        the season has no such drop.
        """
        if which >= len(self.corrected_on):
            return None
        day = self.corrected_on[which]
        outcome = late(reason) if reason else (None, None)
        self.rows.append(Planted(file, kind, values, day, late_disposition=outcome[0], late_reason_code=outcome[1]))
        return day


def _membership(c: Catalogue) -> None:
    """Rules, what becomes of each row, lines 1 and 2. The functions after this one plant the other lines."""
    day = c.day

    # Line 1: membership lost.
    c.household("lost_on_as_of", person("membership_lost", lost_on=day(0)), tier=1)
    c.household("lost_before_as_of", person("membership_lost", lost_on=day(-20)), person("membership_lost"), tier=1)
    c.household("lost_day_after_as_of", person(lost_on=day(1)), tier=1)
    c.household("lost_dependent_only", person(), person("membership_lost", lost_on=day(0)))
    c.household("lost_on_day_of_qualification", person("membership_lost", lost_on=c.on(-1, 4, 1)))
    c.household(
        "lost_before_every_other_reason",
        person("membership_lost", lost_on=day(0), protected=True, decided_on=day(-10), birth_date=c.birth(76)),
        address=None,
    )

    # Line 2: the 75th birthday.
    c.household("birthday_75_on_as_of", person("reached_75", birth_date=c.birth(75)), tier=1)
    c.household("birthday_75_day_after_as_of", person(birth_date=c.birth(75, 1)), tier=1)
    c.household("insured_reached_75", person("reached_75", birth_date=c.birth(75, -40)), person("reached_75"))
    c.household("dependent_reached_75", person(), person("reached_75", birth_date=c.birth(75)))
    c.household("born_29_february_reached_75", person("reached_75", birth_date=c.leap_birth(-5)))
    c.household("born_29_february_turns_75_in_validity", person(birth_date=c.leap_birth(1)), person())
    c.household("reached_75_before_new_enrollee", person("reached_75", birth_date=c.birth(75), decided_on=day(-30)))


def _enrolment(c: Catalogue) -> None:
    """Lines 3 and 5: the day of decision."""
    usable, dependent, day = c.usable(), person(), c.day
    # Lines 3 and 5: the day of decision.
    through, new_from = c.campaign.parameters.enrolled_through, c.campaign.parameters.new_enrollee_from
    between = through + timedelta(days=1)
    c.household("decided_on_last_day", person(decided_on=through), tier=1)
    c.household("decided_on_last_business_day", person(decided_on=through - timedelta(days=1)))
    c.household("decided_between", person("between_routes", decided_on=between), tier=1)
    c.household("decided_between_with_usable_card", person("between_routes", decided_on=between, card=usable))
    c.household("decided_on_first_new_day", person("new_enrollee", decided_on=new_from), tier=1)
    c.household(
        "qualified_before_decided_after",
        person("new_enrollee", qualified_on=c.on(-1, 10, 1), decided_on=new_from),
    )
    c.household("new_dependent_of_old_insured", person(), person("new_enrollee", decided_on=day(-60)))
    c.household("old_dependent_of_new_insured", person("new_enrollee", decided_on=day(-60)), dependent)
    c.household("new_before_protected", person("new_enrollee", decided_on=day(-60), protected=True))


def _protection_and_missing_insured(c: Catalogue) -> None:
    """Lines 4, 6 and 7."""
    usable = c.usable()
    day = c.day
    between = c.campaign.parameters.enrolled_through + timedelta(days=1)
    # Line 4: address protection.
    c.household("protected_insured", person("address_protected", protected=True), person("address_protected"), tier=1)
    c.household("protected_dependent", person(), person("address_protected", protected=True), tier=1)
    c.household("protected_with_usable_card", person("address_protected", protected=True, card=usable))
    c.household("protected_before_between", person("address_protected", protected=True, decided_on=between))
    c.household("protected_without_address", person("address_protected", protected=True), address=None)

    # Line 6: no accepted row with suffix 00.
    without = person("household_without_insured")
    c.household("household_without_insured", without, without, first_suffix=1, tier=1)
    c.household(
        "household_without_insured_card_usable",
        person("household_without_insured", card=usable),
        person("membership_lost", lost_on=day(-3)),
        first_suffix=1,
    )
    key = c.household("insured_rejected", person("household_without_insured"), first_suffix=1)
    if key:
        values = {**c._member(key, 0, "employee", {}), "sex": None}
        c.reject("members", "insured_rejected", values, "sex", "missing_value")

    # Line 7: the card's row was rejected.
    for column in ("number_filed", "registered"):
        kind = f"card_rejected_{column}"
        key = c.household(kind, person("card_record_rejected"))
        if key:
            values = {**key, "suffix": "00", **usable, column: None}
            c.reject("my_number_cards", kind, values, column, "missing_value")
    key = c.household("card_conflicting_duplicate", person("card_record_rejected"))
    if key:
        for registered in (True, False):
            values = {**key, "suffix": "00", **usable, "registered": registered}
            c.reject("my_number_cards", "card_conflicting_duplicate", values, None, "conflicting_duplicate")
    key = c.household("card_copied", person("card_usable", card=usable))
    if key:
        c.reject("my_number_cards", "card_copied", {**key, "suffix": "00", **usable}, None, "duplicate_row")


def _cards(c: Catalogue) -> None:
    """Lines 8 and 12: the card on as_of."""
    day = c.day

    # Lines 8 and 12: the card on as_of.
    def card(kind: str, reason: str, *, tier: int = 2, **changes: Any) -> None:
        c.household(kind, person(reason, card=c.usable(**changes)), tier=tier)

    card("card_usable", "card_usable", tier=1)
    card("certificate_expires_on_as_of", "card_usable", tier=1, certificate_expires_on=day(0))
    card("certificate_expired_day_before", "certificate_in_grace", tier=1, certificate_expires_on=day(-1))
    # Grace lasts to the end of the third month after, so as_of at a month's end is its last day.
    day_of_grace = c.months_before(3)
    card("grace_ends_on_as_of", "certificate_in_grace", certificate_expires_on=day_of_grace)
    end_of_month = c.months_before(2) - timedelta(days=1)
    card("grace_from_end_of_month", "certificate_in_grace", certificate_expires_on=end_of_month)
    card("grace_is_over", "certificate_expired", certificate_expires_on=day_of_grace - timedelta(days=1))
    card("expiry_unknown", "certificate_expired", certificate_expires_on=None)
    card("cancelled_on_as_of", "registration_cancelled", tier=1, registration_cancelled_on=day(0))
    card("cancelled_day_after_as_of", "card_usable", registration_cancelled_on=day(1))
    card("cancelled_before_expired", "registration_cancelled", registration_cancelled_on=day(-9),
         certificate_expires_on=day(-500))  # fmt: skip
    card("not_registered", "not_registered", tier=1, registered=False)
    card(
        "not_registered_before_cancelled",
        "not_registered",
        registered=False,
        registration_cancelled_on=day(-5),
    )
    card("number_not_filed", "number_not_filed", tier=1, number_filed=False)
    card("number_not_filed_before_not_registered", "number_not_filed", number_filed=False, registered=False)
    card("no_card_though_registered", "no_card", has_card=False)
    c.household("no_card_row", person(), tier=1)


def _issued_elsewhere(c: Catalogue) -> None:
    """Line 8a: certificates that another system issued, with the edges of their life."""
    day, last = c.day, c.on(4, 11, 30)

    def issued(kind: str, reason: str, *, tier: int = 2, since: date | None = None, **changes: Any) -> None:
        key = c.household(f"issued_{kind}", person(reason), tier=tier)
        if key:
            values = {**key, "suffix": "00", "issued_on": day(-60), "valid_until": last, "ended_on": None, **changes}
            c.rows.append(Planted("issued_certificates", f"issued_{kind}", values, since or c.as_of))

    issued("elsewhere", "already_has_certificate", tier=1)
    issued("on_as_of_for_a_day", "already_has_certificate", issued_on=day(0), valid_until=day(0))
    issued("day_after_as_of", "no_card", issued_on=day(1), tier=1)
    issued("over_before_as_of", "no_card", valid_until=day(-1))
    issued("ended_on_as_of", "no_card", ended_on=day(0), tier=1)
    issued("ends_day_after_as_of", "already_has_certificate", ended_on=day(1))
    # Told by a later drop: the bulk certificate is pulled.
    told = min(later for later in c.campaign.register_drops if later > c.as_of)
    issued("since_a_later_drop", "no_card", since=told, issued_on=told, tier=1)
    key = c.household("issued_row_rejected", person())
    if key:
        values = {**key, "suffix": "00", "issued_on": day(-60), "valid_until": last, "ended_on": day(-61)}
        c.reject("issued_certificates", "issued_row_rejected", values, "ended_on", "inconsistent")


def _addresses(c: Catalogue) -> None:
    """Lines 9 and 10."""
    usable = c.usable()
    day = c.day
    # Line 9: overseas.
    abroad = {"postal_code": None, "address": "123 Main Street, Honolulu, HI", "country": "US"}
    c.household(
        "address_overseas",
        person("address_overseas"),
        person("card_usable", card=usable),
        address=abroad,
        tier=1,
    )
    c.household(
        "address_overseas_blank",
        person("address_overseas"),
        address={**abroad, "address": None, "country": "KR"},
    )
    c.household("address_overseas_unprintable_name", person("address_overseas", name="𠮷田　誠"), address=abroad)

    # Line 10: missing address.
    missing: dict[str, Mapping[str, Any] | None] = {
        "no_address_row": None,
        "country_missing": {"country": None},
        "address_null": {"address": None},
        "address_of_unicode_spaces": {"address": "　\u00a0\u2003 "},
        "postal_code_null": {"postal_code": None},
        "postal_code_six_digits": {"postal_code": "910006"},
        "postal_code_eight_digits": {"postal_code": "91000670"},
        "postal_code_with_letter": {"postal_code": "91O0067"},
        "postal_code_with_mark": {"postal_code": "〒910-0067"},
        "postal_code_with_wave_dash": {"postal_code": "910〜0067"},
        "postal_code_with_space": {"postal_code": "910 0067"},
    }
    for kind, address in missing.items():
        c.household(kind, person("address_missing"), address=address, tier=1 if kind == "no_address_row" else 2)
    c.household("address_missing_card_usable", person("card_usable", card=usable), address=None)
    key = c.household("address_rejected", person("address_missing"), address=None)
    if key:
        for building in ("コーポ一", "コーポ二"):
            values = {**key, **c._address(18), "building": building, "updated_on": day(-5)}
            c.reject("addresses", "address_rejected", values, None, "conflicting_duplicate")
    for mark in "\u002d\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u30fc":
        c.household(f"postal_code_hyphen_{ord(mark):04x}", person(), address={"postal_code": f"910{mark}0067"})
    c.household("postal_code_full_width", person(), address={"postal_code": "９１０－００６７"})


def _texts(c: Catalogue) -> None:
    """Line 11, and text that just fits."""
    usable = c.usable()
    # Line 11: text that cannot be printed.
    odd = person("unprintable_text")
    c.household("insured_name_unprintable", person("unprintable_text", name="𠮷田　誠"), odd, tier=1)
    c.household("insured_name_unprintable_card_usable", person("card_usable", name="𠮷田　明", card=usable), odd)
    c.household("dependent_name_unprintable", person(), person("unprintable_text", name="山田　𠮷乃"), tier=1)
    c.household("kana_decomposed", person("unprintable_text", name_kana="カ\u3099ンダ　マコト"))
    c.household("dependent_kana_unprintable", person(), person("unprintable_text", name_kana="ヤマダ　ヷルター"))
    c.household(
        "insured_kana_does_not_hold_dependents",
        person("unprintable_text", name_kana="ヷルター　マコト"),
        person(),
    )
    c.household("name_private_use", person("unprintable_text", name="\ue000田　誠"))
    unprintable = {
        "address_unprintable": {"address": "東京都千代田区𠮷町１－１"},
        "address_control_character": {"address": "東京都千代田区霞が関\t1-1"},
        "address_delete_character": {"address": "東京都千代田区霞が関1-1\u007f"},
        "address_c1_control_character": {"address": "東京都千代田区霞が関1-1\u0085"},
        "address_too_wide": {"address": "東" * 60 + "1"},
        "building_unprintable": {"building": "メゾン♥青葉"},
        "building_too_wide": {"building": "ハ" * 40 + "1"},
    }
    for kind, address in unprintable.items():
        c.household(kind, person("unprintable_text"), address=address)
    c.household("address_just_fits", person(), address={"address": "東" * 60})
    c.household("building_just_fits", person(), address={"building": "ハ" * 40})
    c.household("building_substituted", person(), address={"building": "〜−‖—¢£¬"}, tier=1)
    c.household("building_half_width_kana", person(), address={"building": "ﾒｿﾞﾝﾄﾞｰﾙ101"})
    c.household("name_ibm_characters", person(name="髙﨑　誠"), tier=1)
    c.household("name_just_fits", person(name="東" * 40, name_kana="ア" * 40))


def _packing(c: Catalogue) -> None:
    """Line 12: who is packed together, what caps validity, and employers."""
    usable = c.usable()
    # Line 12: who is packed together, and what caps validity.
    c.household("four_targets", *[person()] * 4)
    c.household("five_targets", *[person()] * 5, tier=1)
    c.household("eight_targets", *[person()] * 8)
    c.household("nine_targets", *[person()] * 9)
    c.household(
        "target_among_others",
        person("card_usable", card=usable),
        person(),
        person("card_usable", card=usable),
        person(),
    )
    c.household("voluntary_household", person(qualified_on=c.on(-1, 3, 1)), person(), employer="voluntary", tier=1)
    c.household(
        "voluntary_until_season",
        person(qualified_on=c.on(-2, 10, 20), decided_on=c.on(-2, 11, 1)),
        employer="voluntary",
    )
    # The two years of voluntary membership hold such a day when the year before is a leap year.
    if isleap(c.as_of.year - 1):
        c.household("voluntary_qualified_29_february", person(qualified_on=c.on(-1, 2, 29)), employer="voluntary")
    c.household("insured_turns_75_before_december", person(birth_date=c.on(-75, 11, 30)), person())
    c.household("dependent_turns_75_in_validity", person(), person(birth_date=c.on(-72, 8, 1)))
    c.household("employer_closed", person(), employer="closed", tier=1)
    c.household("employer_closes_in_season", person(), employer="closing")
    c.household("employer_unknown", person(), employer="unknown", tier=1)

    # An address that is an employer's, once as written there and once in other widths.
    for kind, written in (
        ("address_is_employer", "１－１－１"),
        ("address_is_employer_other_width", "1-1-1"),
    ):
        at_work = {**c._place(13, 0, written), "building": None}
        c.household(kind, person(), prefecture=13, address=at_work, tier=1 if written[0] == "１" else 2)


def _recheck_households(c: Catalogue) -> None:
    """Rules, a wave and its releases: what the re-check before posting is to find, in a branch that posts once."""
    if not c.full:
        return
    single = [window for window in c.campaign.windows if len(window.posting_dates) == 1]
    if not single:
        return
    window = single[0]
    posting, prefecture = window.posting_dates[0], int(window.prefecture_code)
    before = {
        day: kind for day, kind in c.campaign.register_drops.items() if c.as_of < day < posting - timedelta(days=2)
    }
    # A row only vanishes by a full drop; everything else a delta tells.
    told = max((day for day, kind in before.items() if kind == "delta"), default=None)
    gone = max((day for day, kind in before.items() if kind == "full"), default=None)
    if told is None or gone is None:
        return

    def change(
        kind: str, file: str, suffix: int, changes: Mapping[str, Any] | None, *people: Person, **more: Any
    ) -> None:
        c.household(
            f"recheck_{kind}",
            *(people or (person(),)),
            prefecture=prefecture,
            later=[(told if changes else gone, file, suffix, changes)],
            **more,
        )

    after = posting + timedelta(days=1)
    change("lost_on_posting_date", "members", 0, {"lost_on": posting}, person(), person())
    change("lost_day_after_posting", "members", 0, {"lost_on": after})
    change("dependent_lost", "members", 1, {"lost_on": posting}, person(), person())
    for kind, birthday in (("on_posting_date", posting), ("day_after_posting", after)):
        born = date(birthday.year - 75, birthday.month, birthday.day)
        c.household(f"recheck_75_{kind}", person(birth_date=born), person(), prefecture=prefecture)
    change("protected", "members", 0, {"protected": True}, person(), person())
    change("dependent_protected", "members", 1, {"protected": True}, person(), person())
    change("row_missing", "members", 0, None)
    change("dependent_row_missing", "members", 1, None, person(), person())
    change("row_rejected", "members", 0, {"sex": "unknown"})
    change("renamed", "members", 0, {"name": "山本　誠", "name_kana": "ヤマモト　マコト"})
    change("kana_width_only", "members", 0, {"name_kana": "ﾔﾏﾓﾄ ﾏｺﾄ"}, person(name_kana="ヤマモト　マコト"))
    change("birth_date_corrected", "members", 0, {"birth_date": date(1980, 6, 16)})
    change("name_becomes_unprintable", "members", 0, {"name": "𠮷田　誠"})
    home = c._address(prefecture)
    change("moved", "addresses", -1, {"address": home["address"] + "8", "updated_on": told})
    change("building_added", "addresses", -1, {"building": "青葉荘101", "updated_on": told})
    width = {"address": home["address"].translate(str.maketrans("0123456789-", "０１２３４５６７８９－"))}
    change(
        "address_width_only",
        "addresses",
        -1,
        {**width, "updated_on": told},
        address=home,
    )
    change("moved_overseas", "addresses", -1, {"country": "US", "postal_code": None, "updated_on": told})
    change("address_becomes_missing", "addresses", -1, {"address": None, "updated_on": told})
    change("five_packed_anew", "members", 1, {"lost_on": posting}, *[person()] * 5)
    change(
        "card_now_usable",
        "my_number_cards",
        0,
        c.usable(),
        person("not_registered", card=c.usable(registered=False)),
    )


def _right_later(c: Catalogue) -> None:
    """Rules, "rejected at the snapshot is not lost": rows that a later drop has right, one file and outcome each."""
    usable = c.usable()
    # The insured's row: own and of the household that it held.
    kind = "late_insured"
    held = Person("held", "household_without_insured", {}, None, "no_card")
    key = c.household(kind, held, tier=1, first_suffix=1)
    if key:
        values = c._member(key, 0, "employee", {})
        until = c.right_later("members", kind, values, 0, "no_card")
        c.reject("members", kind, {**values, "sex": "m"}, "sex", "bad_code", until=until)

    # An own row with a card that works all the time. A small register has no room for one more rejected row.
    if c.full:
        kind = "late_usable"
        key = _key(c)
        values = c._member(key, 0, "employee", {})
        home = {**key, **c._address(18), "updated_on": c.day(-9)}
        c.rows.append(Planted("addresses", kind, home, c.as_of))
        c.rows.append(Planted("my_number_cards", kind, {**key, "suffix": "00", **usable}, c.as_of))
        until = c.right_later("members", kind, values, 1, "card_usable")
        c.reject("members", kind, {**values, "name": None}, "name", "missing_value", at_end=False, until=until)

    # Two rows of one key, only one of them valid: both are rejected. The right one says that the person has left.
    values = c._member(_key(c), 0, "employee", {})
    left = {**values, "lost_on": c.day(10)}
    until = c.right_later("members", "reject_conflict", left, 1, "membership_lost")
    for row in (values, {**values, "sex": "x"}):
        c.reject("members", "reject_conflict", row, None, "conflicting_duplicate", at_end=False, until=until)

    # The card's row.
    kind = "card_rejected_has_card"
    key = c.household(kind, Person("held", "card_record_rejected", {}, None, "not_registered"), tier=1)
    if key:
        values = {**key, "suffix": "00", **usable, "registered": False}
        until = c.right_later("my_number_cards", kind, values, 1)
        c.reject("my_number_cards", kind, {**values, "has_card": None}, "has_card", "missing_value", until=until)

    # The household's address.
    kind = "late_address"
    key = c.household(kind, Person("held", "address_missing", {}, None, "no_card"), tier=1, address=None)
    if key:
        home = {**key, **c._address(int(key["insurer_number"][2:4])), "updated_on": c.day(-5)}
        until = c.right_later("addresses", kind, {**home, "building": "コーポ一"}, 0)
        for building in ("コーポ一", "コーポ二"):
            c.reject("addresses", kind, {**home, "building": building}, None, "conflicting_duplicate", until=until)


def _key(c: Catalogue) -> Row:
    """A household of its own in 福井, with no row but the rejected one."""
    c._count += 1
    return {
        "insurer_number": c._insurer_numbers[17],
        "symbol": "71010101",
        "number": str(_FIRST_NUMBER + c._count),
    }


def _reject(c: Catalogue, file: str, values: Row, column: str, value: Any, code: str) -> None:
    """A row that is right but for one column."""
    c.reject(file, f"reject_{file}_{column}_{code}", {**values, column: value}, column, code, at_end=c._count % 2 == 0)


def _member_rejects(c: Catalogue) -> None:
    """Contract register/v1, Rejects, members: at 20,000 members the limit is 20 rows, below 5,000 it is 5."""

    def member(column: str, value: Any, code: str, **more: Any) -> None:
        _reject(c, "members", c._member(_key(c), 0, "employee", more), column, value, code)

    member("name", None, "missing_value")
    if c.full:
        member("insurer_number", "0118001", "bad_format")
        member("insurer_number", "01180018", "bad_code")
        member("symbol", "７１０１０１０１", "bad_format")
        member("number", "0123", "bad_format")
        member("suffix", "0", "bad_format")
        member("relationship", "dependent", "inconsistent")
        member("name_kana", "ア" * 201, "bad_format")
        member("birth_date", c.day(1), "bad_date", qualified_on=c.day(1))
        member("qualified_on", date(1980, 6, 14), "inconsistent")
        member("lost_on", c.on(-1, 3, 31), "inconsistent")
        # A typed column of Parquet cannot hold these.
        if c.text_file:
            member("decided_on", f"{c.as_of.year - 1}-02-30", "bad_date")
            member("protected", "TRUE", "bad_format")
        else:
            member("enrolment", "temporary", "bad_code")
            member("decided_on", None, "missing_value")

    values = c._member(_key(c), 0, "employee", {})
    kept = Planted("members", "reject_copy", values, c.as_of, disposition="target", reason_code="no_card")
    home = {**{name: values[name] for name in FILES["addresses"][:3]}, **c._address(18), "updated_on": c.day(-9)}
    c.rows += [kept, Planted("addresses", "reject_copy", home, c.as_of)]
    c.reject("members", "reject_copy", dict(values), None, "duplicate_row")
    c.reject("addresses", "reject_addresses_copy", dict(home), None, "duplicate_row")


def _other_rejects(c: Catalogue) -> None:
    """The same in the other files: at 20,000 members the limits are 12 addresses, 5 employers, 17 cards."""

    def card(column: str, value: Any, code: str) -> None:
        _reject(c, "my_number_cards", {**_key(c), "suffix": "00", **c.usable()}, column, value, code)

    def address(column: str, value: Any, code: str) -> None:
        _reject(c, "addresses", {**_key(c), **c._address(18), "updated_on": c.day(-9)}, column, value, code)

    address("number", "12345678", "bad_format")
    if c.full:
        address("insurer_number", "01170018X", "bad_format")
        address("symbol", None, "missing_value")
        card("symbol", "710101", "bad_format")
        card("suffix", "1", "bad_format")
        card("insurer_number", None, "missing_value")
        if c.text_file:
            address("updated_on", f"{c.as_of.year}-13-01", "bad_date")
            card("certificate_expires_on", f"{c.as_of.year + 1}-02-30", "bad_date")
            card("has_card", "yes", "bad_format")
        else:
            address("updated_on", None, "missing_value")

    employer = {
        "insurer_number": c._insurer_numbers[17],
        "symbol": "72010101",
        "name": "有限会社若狭印刷",
        **c._place(18, 3, "２－２"),
        "building": None,
        "closed_on": None,
    }
    c.rows.append(Planted("employers", "reject_employers_copy", employer, c.as_of))
    c.reject("employers", "reject_employers_copy", dict(employer), None, "duplicate_row")
    if c.full:
        _reject(c, "employers", employer, "symbol", "72A10101", "bad_format")
        for name in ("一", "二"):
            values = {**employer, "symbol": "72010102", "name": f"株式会社{name}号"}
            c.reject("employers", "reject_employers_conflict", values, None, "conflicting_duplicate")


_CATALOGUE = (
    _membership,
    _enrolment,
    _protection_and_missing_insured,
    _cards,
    _issued_elsewhere,
    _addresses,
    _texts,
    _packing,
    _recheck_households,
    _right_later,
    _member_rejects,
    _other_rejects,
)
