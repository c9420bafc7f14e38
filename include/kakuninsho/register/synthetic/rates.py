"""Every share and rate of the synthetic world, in one place. docs/synthetic-register.md says where each comes from.

Shares are of the campaign's drop; monthly rates are of the people concerned, over the months from the
snapshot to the last drop.
"""

from __future__ import annotations

from dataclasses import dataclass

# Population of the 47 prefectures, census of 2020, thousands: the weight of a branch (assumed to be proportional).
POPULATION = (
    5225, 1238, 1211, 2302, 960, 1068, 1833, 2867, 1933, 1939, 7345, 6284, 14048, 9237, 2201, 1035,
    1133, 767, 810, 2048, 1979, 3633, 7542, 1770, 1414, 2578, 8838, 5465, 1324, 923, 553, 671,
    1888, 2800, 1342, 720, 950, 1335, 692, 5135, 811, 1312, 1738, 1124, 1070, 1588, 1467,
)  # fmt: skip

# Households by number of dependents, 1 to 9; the rest have none. Mean 0.543 (13,980 / 25,733 thousand).
DEPENDENTS = {
    1: 0.1345,
    2: 0.0980,
    3: 0.0455,
    4: 0.0125,
    5: 0.0033,
    6: 0.0010,
    7: 0.0003,
    8: 0.00015,
    9: 0.00006,
}

EMPLOYERS_PER_MEMBER = 2.7 / 39.713
VOLUNTARY = 215 / 25733
TARGET_SHARE = 12.0 / 39.713

# Households by case, first draw; the rest are ordinary. Keys are reason codes of the rules.
HOUSEHOLD_CASES = {
    "membership_lost": 0.0250,
    "reached_75": 0.0002,
    "new_enrollee": 0.0950,
    "address_protected": 0.0008,
    "between_routes": 0.00005,
    # From here on only those without a usable card are held.
    "address_overseas": 0.0006,
    "address_missing": 0.0015,
    "unprintable_text": 0.0035,
}
WHOLE_HOUSEHOLD_CASES = (
    "membership_lost",
    "reached_75",
    "new_enrollee",
    "address_protected",
    "between_routes",
)

# Dependents of other households by their own case.
DEPENDENT_CASES = {
    "membership_lost": 0.0040,
    "reached_75": 0.0002,
    "new_enrollee": 0.0140,
    "address_protected": 0.0002,
}
DEPENDENT_NAME_UNPRINTABLE = 0.0008  # of dependents without a usable card

# People without a usable card by need.
NEEDS = {
    "no_card": 0.58,
    "not_registered": 0.29,
    "certificate_expired": 0.06,
    "number_not_filed": 0.04,
    "certificate_in_grace": 0.025,
    "registration_cancelled": 0.005,
}
# Families decide together: in this share of households nearly everyone is without a usable card.
RELUCTANT_HOUSEHOLDS = 0.28
RELUCTANT_WITHOUT_CARD = 0.80

RESIDES_ELSEWHERE = 0.03  # address in another prefecture than the branch's


@dataclass(frozen=True)
class Monthly:
    """Monthly rates of change after the snapshot."""

    newly_insured: float = 5493 / 25733 / 12  # of households
    leavers: float = 0.0170  # of households
    dependents_lost: float = 0.0050  # of dependents
    new_dependents: float = 0.0020  # of households, births among them
    movers: float = 0.0035  # of households
    renamed: float = 0.0004  # of members
    newly_protected: float = 0.00002  # of members
    employers_closed: float = 0.0025  # of employers
    employers_new: float = 0.0025  # of employers
    obtains_card: float = 0.012  # of no_card
    files_number: float = 0.030  # of number_not_filed
    registers: float = 0.020  # of not_registered
    renews_expired: float = 0.030  # of certificate_in_grace and certificate_expired
    cancels_registration: float = 0.0001  # of usable


MONTHLY = Monthly()
RENEWS_IN_TIME = 0.70  # of certificates that expire between the snapshot and the last drop
VANISHES = 0.00005  # of members over the season: the row is gone from a full drop
NEVER_CLOSED_AT_75 = 0.05  # of those who turn 75 in the season
ADDRESS_FOUND = 0.4  # of households without a usable address: a new one is in the register in the season


@dataclass(frozen=True)
class Feeds:
    """What comes beside the register. Shares are of the people concerned, over the whole season."""

    late_enrollee_asks: float = 0.6  # of those enrolled in the season without a usable card
    issued_elsewhere: float = 0.6  # of those enrolled before the season: served before it
    new_enrollee_asks: float = 0.25  # of those enrolled before: most asked before the season
    enrollee_with_card_asks: float = 0.01  # refused
    care_needed: float = 0.0008
    care_needed_old: float = 0.02  # of those above seventy
    lost_or_damaged: float = 0.004  # of targets
    card_lost_or_renewing: float = 0.004  # of those who can use the card
    card_returned: float = 0.002  # of the same
    decided_to_issue: float = 0.1  # of new enrollees without a usable card who ask for nothing
    asks_twice: float = 0.04  # of requests, three weeks later
    released: float = 0.8  # of between_routes and card_record_rejected
    excluded: float = 0.4  # of address_overseas
    protection_released: float = 0.3  # of address_protected
    gives_back: float = 0.5  # of those who leave holding a certificate
    usage_first: float = 0.30  # uses of verifications in the first month
    usage_monthly: float = 0.012
    verifications_per_inhabitant: float = 1.5  # a month


FEEDS = Feeds()
