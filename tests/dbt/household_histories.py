"""What can happen to a household in a season, as hypothesis draws it, and how it looks in the register.

A history is small and can be read: what is not said is ordinary. It can be made simpler in steps, so that a failing one
ends as the few words that matter.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace
from datetime import date, timedelta
from typing import Any, Literal

from hypothesis import strategies as st
from mailing_facts import address as address_row
from mailing_facts import person as person_row

Row = dict[str, Any]
SNAPSHOT = date(2025, 4, 30)
# The first plan posts branch 44 and 43 on 1 August, 13 on 1 August and weekly after it, 18 on 10 October.
BRANCHES = (44, 43, 13, 18)
DROPS: tuple[tuple[date, Literal["full", "delta"]], ...] = (
    (date(2025, 6, 18), "delta"),
    (date(2025, 6, 30), "full"),
    (date(2025, 7, 30), "delta"),
    (date(2025, 8, 27), "delta"),
    (date(2025, 8, 31), "full"),
    (date(2025, 10, 8), "delta"),
    (date(2025, 11, 18), "delta"),
)
REQUEST_RUNS = tuple(date(2025, month, 20) for month in (5, 6, 8, 10, 11))
RELEASES = {
    date(2025, 7, 31): date(2025, 8, 1),
    date(2025, 8, 28): date(2025, 8, 29),
    date(2025, 10, 9): date(2025, 10, 10),
}
FOLLOW_UPS = (date(2025, 9, 1), date(2025, 11, 4), date(2025, 11, 20))
CLOSED_ON = date(2025, 12, 1)
DECISION_DAYS = (date(2025, 5, 12), *REQUEST_RUNS)
EDGES = sorted(
    day + timedelta(days=offset)
    for day in (SNAPSHOT, *RELEASES.values(), *FOLLOW_UPS, *(run + timedelta(days=1) for run in REQUEST_RUNS))
    for offset in (-1, 0, 1)
)
USABLE = (True, True, True, date(2029, 5, 1), None)
CARDS: dict[str, tuple[Any, ...] | None] = {
    "none": None,
    "no_card": (False, False, False, None, None),
    "usable": USABLE,
    "not_filed": (True, False, False, date(2029, 5, 1), None),
    "not_registered": (True, True, False, date(2029, 5, 1), None),
    "cancelled": (True, True, True, date(2029, 5, 1), date(2025, 4, 1)),
    "expires on the snapshot": (True, True, True, SNAPSHOT, None),
    "in grace": (True, True, True, date(2025, 4, 29), None),
    "grace is over": (True, True, True, date(2024, 12, 31), None),
    "ends in May": (True, True, True, date(2025, 5, 20), None),
    "ends in July": (True, True, True, date(2025, 7, 31), None),
    "expiry unknown": (True, True, True, None, None),
}
ADDRESSES: dict[str, Row | None] = {
    "good": {},
    "elsewhere": {"address": "大分県別府市上野口町１", "postal_code": "8740025"},
    "other width": {"address": "福井県福井市大手3－4－1"},
    "overseas": {"country": "US", "postal_code": None, "address": "Honolulu"},
    "missing": {"address": "　"},
    "no postal code": {"postal_code": None},
    "unprintable": {"building": "𠮷荘"},
    "no row": None,
}
NAMES = {"plain": "健保　太郎", "other": "健保　花子", "unprintable": "𠮷田　花子"}


@dataclass(frozen=True)
class Person:
    """A member at the snapshot."""

    birth: date = date(1980, 5, 1)
    decided: date = date(2010, 4, 5)
    card: str = "none"
    protected: bool = False
    name: str = "plain"


@dataclass(frozen=True)
class Change:
    """What a drop tells anew. `suffix` does not matter for changes of the household."""

    drop: int
    what: str  # lost_on, found (no loss any more), birth, protected, name, card, row, address, voluntary, born
    value: Any
    suffix: int = 0


@dataclass(frozen=True)
class Request:
    """A form that arrives before a run."""

    run: int
    suffix: int
    kind: str
    times: int = 1


@dataclass(frozen=True)
class Decision:
    """What a person decides on a held case."""

    day: int
    suffix: int
    decision: str
    by: str = "A"


@dataclass(frozen=True)
class Mail:
    """What happens to a piece of the household: printed again so often, reported late, returned after so many days."""

    spoiled: int = 0
    is_late: bool = False
    returned_after: int | None = None
    reason: str = "R01"


@dataclass(frozen=True)
class History:
    """A household and its season."""

    branch: int = 44
    employer: str = "open"  # open, closed, closing, unknown
    voluntary_since: date | None = None
    address: str = "good"
    people: tuple[Person, ...] = (Person(),)
    changes: tuple[Change, ...] = ()
    requests: tuple[Request, ...] = ()
    decisions: tuple[Decision, ...] = ()
    given_back: tuple[tuple[int, int], ...] = ()  # run, suffix
    mail: tuple[Mail, ...] = field(default=())  # of its pieces, in order; then ordinary

    def __str__(self) -> str:
        """Only what is not ordinary."""
        lines = []
        for name in (item.name for item in fields(self)):
            value, ordinary = getattr(self, name), getattr(History(), name)
            if value != ordinary:
                shown = [str(value)] if not isinstance(value, tuple) else [_words(item) for item in value]
                lines.append(f"  {name}: " + "; ".join(shown))
        return "\n".join(lines) or "  an ordinary household"

    # --- the register ---------------------------------------------------------------------------------------

    def household_key(self, place: int) -> int:
        """Packed key; every household has an employer of its own, so that none touches another."""
        return (self.branch * 110_000_000 + 1_000_000 + place) * 10_000_000 + 1

    def state(self, place: int, upto: int) -> dict[tuple[str, int], Row | str]:
        """Rows by table and key after so many later drops; `rejected` or `absent` stand instead of a row."""
        key = self.household_key(place)
        told = [change for change in self.changes if change.drop < upto]
        people = [*self.people, *(Person(decided=date(2025, 7, 1)) for change in told if change.what == "born")]
        voluntary = next(
            (change.value for change in reversed(told) if change.what == "voluntary"), self.voluntary_since
        )
        rows: dict[tuple[str, int], Row | str] = {}
        for suffix, one in enumerate(people):
            own = [change for change in told if change.suffix == suffix and change.what != "born"]
            values = {change.what: change.value for change in own}
            member = key * 100 + suffix
            row = person_row(
                key,
                suffix,
                birth_date=values.get("birth", one.birth),
                decided_on=one.decided,
                qualified_on=voluntary or min(one.decided, date(2010, 4, 1)),
                enrolment="voluntary" if voluntary else "employee",
                lost_on=values.get("lost_on"),
                protected=values.get("protected", one.protected),
                name=NAMES[values.get("name", one.name)],
            )
            rows["members", member] = values.get("row") or row
            card = CARDS[values.get("card", one.card)]
            if values.get("card row") == "rejected":
                rows["my_number_cards", member] = "rejected"
            elif card is not None:
                names = (
                    "has_card",
                    "number_filed",
                    "registered",
                    "certificate_expires_on",
                    "registration_cancelled_on",
                )
                rows["my_number_cards", member] = {"member_key": member, **dict(zip(names, card, strict=True))}
        where = ADDRESSES[next((change.value for change in reversed(told) if change.what == "address"), self.address)]
        if where is not None:
            rows["addresses", key] = address_row(key, **{"postal_code": "8708570", **where})
        if self.employer != "unknown":
            closed = {"closed": date(2025, 3, 31), "closing": date(2025, 8, 15) if upto > 3 else None}
            rows["employers", key // 10_000_000] = {
                "employer_key": key // 10_000_000,
                "name": f"株式会社見本{place}",
                "postal_code": "8700021",
                "address": "大分県大分市府内町１－１",
                "building": None,
                "closed_on": closed.get(self.employer),
            }
        return rows

    def is_protected(self, place: int, upto: int, suffix: int) -> bool:
        """Whether the register that is known protects the member, or the insured person."""
        rows, key = self.state(place, upto), self.household_key(place) * 100
        return any(
            isinstance(row := rows.get(("members", key + who)), dict) and row["protected"] for who in (0, suffix)
        )

    def is_voluntary(self, place: int, upto: int) -> bool:
        """Whether the insured person of the register that is known has no employer."""
        row = self.state(place, upto).get(("members", self.household_key(place) * 100))
        return isinstance(row, dict) and row["enrolment"] == "voluntary"

    # --- simpler --------------------------------------------------------------------------------------------

    def simpler(self) -> Iterator[History]:  # noqa: PLR0912 (one loop per kind of thing to leave out)
        """Histories that are one step nearer to the ordinary."""
        for name in ("changes", "requests", "decisions", "given_back"):
            value = getattr(self, name)
            for place in range(len(value)):
                yield replace(self, **{name: value[:place] + value[place + 1 :]})
        for place, mail in enumerate(self.mail):
            if mail != Mail():
                yield replace(self, mail=(*self.mail[:place], Mail(), *self.mail[place + 1 :]))
        if self.mail and self.mail[-1] == Mail():
            yield replace(self, mail=self.mail[:-1])
        last = len(self.people) - 1
        if last and not any(item.suffix == last for item in (*self.changes, *self.requests, *self.decisions)):
            yield replace(self, people=self.people[:-1])
        for place, one in enumerate(self.people):
            for name in (item.name for item in fields(Person)):
                if getattr(one, name) != getattr(Person(), name):
                    plain = replace(one, **{name: getattr(Person(), name)})
                    yield replace(self, people=(*self.people[:place], plain, *self.people[place + 1 :]))
        for name in ("employer", "voluntary_since", "address", "branch"):
            if getattr(self, name) != getattr(History(), name):
                yield replace(self, **{name: getattr(History(), name)})
        for place, request in enumerate(self.requests):
            if request.times > 1:
                yield replace(
                    self, requests=(*self.requests[:place], replace(request, times=1), *self.requests[place + 1 :])
                )


def _words(item: Any) -> str:
    if not isinstance(item, Person | Change | Request | Decision | Mail):
        return str(item)
    values = {one.name: getattr(item, one.name) for one in fields(item)}
    if isinstance(item, Change):
        return f"{DROPS[item.drop][0]} of {item.suffix:02d}: {item.what} = {item.value}"
    if isinstance(item, Request):
        return f"{REQUEST_RUNS[item.run]} {item.suffix:02d} asks, {item.kind} x {item.times}"
    if isinstance(item, Decision):
        return f"{DECISION_DAYS[item.day]} {item.decision} of {item.suffix:02d} by {item.by}"
    ordinary: Any = Person() if isinstance(item, Person) else Mail()
    told = {name: value for name, value in values.items() if value != getattr(ordinary, name)}
    return ", ".join(f"{name} {value}" for name, value in told.items()) or "ordinary"


# --- strategies -----------------------------------------------------------------------------------------------


def _mostly(ordinary: Any, others: st.SearchStrategy[Any], one_in: int) -> st.SearchStrategy[Any]:
    """The ordinary value, but for one in so many."""
    return st.integers(1, one_in).flatmap(lambda number: others if number == one_in else st.just(ordinary))


BIRTHS_AT_EDGES = st.sampled_from([day.replace(year=day.year - 75) for day in EDGES] + [date(1952, 2, 29)])
PEOPLE = st.builds(
    Person,
    birth=_mostly(date(1980, 5, 1), BIRTHS_AT_EDGES, 12),
    decided=_mostly(
        date(2010, 4, 5),
        st.sampled_from([date(2024, 11, 30), date(2024, 12, 1), date(2024, 12, 2), *[date(2025, 1, 10)] * 3]),
        5,
    ),
    card=st.sampled_from([*["none"] * 8, *["usable"] * 4, *CARDS]),
    protected=_mostly(False, st.just(True), 25),
    name=_mostly("plain", st.just("unprintable"), 30),
)
CHANGES: dict[str, st.SearchStrategy[Any]] = {
    "lost_on": st.sampled_from(EDGES),
    "birth": BIRTHS_AT_EDGES,
    "protected": st.booleans(),
    "name": st.sampled_from(sorted(NAMES)),
    "card": st.sampled_from(sorted(CARDS)),
    "card row": st.just("rejected"),
    "row": st.sampled_from(["rejected", "absent", None]),
    "address": st.sampled_from(sorted(ADDRESSES)),
    "voluntary": st.sampled_from([date(2025, 5, 1), date(2023, 8, 2)]),
    "born": st.none(),
}
MAIL = st.builds(
    Mail,
    spoiled=st.sampled_from([0, 0, 0, 1, 2]),
    is_late=st.booleans(),
    returned_after=st.sampled_from([None, None, 3, 6, 10, 20, 33, 70]),
    reason=st.sampled_from(["R01", "R02", "R04", "R05", "R09"]),
)


@st.composite
def histories(draw: st.DrawFn) -> History:
    """A household history of a season."""
    size = draw(st.sampled_from([1, 1, 1, 2, 2, 3, 4, 5, 5, 6, 9]))
    suffixes = st.integers(0, size - 1)
    weighted = [name for name, weight in _WEIGHTS.items() for _ in range(weight)]
    changes = []
    for _ in range(draw(st.sampled_from([0, 0, 1, 1, 1, 2, 3, 4]))):
        what = draw(st.sampled_from(weighted))
        on_household = what in ("address", "voluntary", "born")
        changes.append(
            Change(
                draw(st.integers(0, len(DROPS) - 1)), what, draw(CHANGES[what]), 0 if on_household else draw(suffixes)
            )
        )
    people = draw(st.lists(PEOPLE, min_size=size, max_size=size))
    is_new = any(one.decided >= date(2024, 12, 2) for one in people)
    kinds = st.sampled_from(
        ["care_needed", "lost_or_damaged", "new_enrollee", *["new_enrollee"] * (8 if is_new else 0)]
    )
    runs = st.integers(0, len(REQUEST_RUNS) - 1)
    # Also people whom the register does not know.
    asking = _mostly(0, st.integers(0, size), 2)
    requests = st.builds(Request, runs, asking, kinds, st.sampled_from([1, 1, 1, 2]))
    decided = st.builds(
        Decision,
        st.integers(0, len(DECISION_DAYS) - 1),
        suffixes,
        st.sampled_from(["release", "release", "exclude", "correct_address"]),
        st.sampled_from(["A", "B"]),
    )
    return History(
        branch=draw(st.sampled_from(BRANCHES)),
        employer=draw(st.sampled_from([*["open"] * 7, "closed", "closing", "unknown"])),
        voluntary_since=draw(
            _mostly(
                None, st.sampled_from([date(2024, 10, 1), date(2023, 8, 1), date(2023, 8, 2), date(2024, 2, 29)]), 8
            )
        ),
        address=draw(_mostly("good", st.sampled_from(sorted(ADDRESSES)), 6)),
        people=tuple(people),
        changes=tuple(sorted(changes, key=lambda change: change.drop)),
        requests=tuple(draw(st.lists(requests, max_size=3))),
        decisions=tuple(draw(_mostly([], st.lists(decided, min_size=1, max_size=4), 3))),
        given_back=tuple(draw(_mostly([], st.lists(st.tuples(runs, suffixes), min_size=1, max_size=2), 5))),
        # Pieces that come back are few, or the printer's lots would be stopped.
        mail=tuple(draw(_mostly([], st.lists(MAIL, min_size=1, max_size=4), 4))),
    )


_WEIGHTS = {
    "lost_on": 5,
    "address": 4,
    "card": 4,
    "name": 3,
    "protected": 3,
    "row": 2,
    "voluntary": 2,
    "birth": 1,
    "born": 1,
    "card row": 1,
}
