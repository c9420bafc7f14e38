"""One campaign: typed parameters with their source, dispatch windows, and every date that follows from them."""

from __future__ import annotations

import csv
import os
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict

from kakuninsho.campaign.calendar import add_business_days, first_business_day, is_business_day, on_or_after

Source = Literal["seed", "published", "assumed"]
DEFAULT_CAMPAIGN = "fy2025"  # in force unless KAKUNINSHO_CAMPAIGN names another
WEEKDAYS = {"mon": 0, "tue": 1, "wed": 2, "thu": 3, "fri": 4}


class CampaignError(ValueError):
    """A campaign file that does not hold together; the message says what to mend."""


class Parameter(BaseModel):
    """One value of the campaign file and where it comes from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    value: Any
    source: Source
    note: str = ""


class PostageClass(BaseModel):
    """Price of one registered piece (特定記録) up to a weight, in yen."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: str
    up_to_g: int
    yen: int


class Parameters(BaseModel):
    """The values of the campaign's parameters, typed. Names and units as in campaign.yaml."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    snapshot_as_of: date
    enrolled_through: date
    new_enrollee_from: date
    mail_in_grace: bool
    pull_when_usable: bool
    hold_when_address_is_employer: bool
    expected_target_share: float
    target_share_tolerated: float
    target_share_stopped: float
    target_share_from_members: int
    validity_turns_over_month: int
    validity_turns_over_day: int
    validity_years: int
    age_of_late_stage_care: int
    voluntary_years: int
    min_days_valid: int
    certificates_per_envelope: int
    lot_size: int
    seed_households_per_lot: int
    samples_from_envelopes: int
    replacement_numbers_share: float
    replacement_numbers_floor: int
    certificate_weight_g: float
    mount_weight_g: float
    leaflet_weight_g: float
    seal_weight_g: float
    reply_envelope_weight_g: float
    outer_envelope_weight_g: float
    postage_classes: tuple[PostageClass, ...]
    hand_off_on: date
    employer_lists_on: date
    wave_months: tuple[str, ...]
    release_business_days_before_posting: int
    recheck_max_business_days: int
    recheck_max_age_days: int
    follow_up_months: tuple[str, ...]
    closing_follow_up_on: date
    requests_weekday: int
    rolling_months_after_expiry: int
    usage_rates_day_of_month: int
    deletion_day_of_month: int
    old_cards_end_on: date
    served_by: date
    printer_report_weekday: int
    stop_min_posted: int
    stop_rate: float
    doubt_rows_always_believed: int
    doubt_missing_share: float
    doubt_changed_share: float
    assumed_delivered_after_days: int
    printer_capacity_per_week: int
    post_capacity_per_week: int
    max_reject_rate: float
    max_reject_rows_always_accepted: int
    min_share_of_previous_rows: float
    branch_rows_fewer_at_least: int
    max_growth_without_card_row: float
    min_insured_share: float
    max_insured_share: float
    max_protected_share: float
    max_voluntary_share: float
    max_households_without_insured_share: float
    max_households_without_address_share: float
    max_households_without_employer_share: float
    max_bad_postal_code_share: float
    max_blank_address_share: float
    max_blank_name_share: float
    max_overseas_share: float
    max_closed_employer_share: float
    min_usable_share: float
    max_usable_share: float
    max_spoiled_share: float
    max_other_reason_share: float
    max_name_width: int
    max_address_width: int
    max_building_width: int
    months_to_keep: dict[str, int]


class DispatchWindow(BaseModel):
    """The days between which a branch's home mail is posted, and the weekdays on which it posts."""

    model_config = ConfigDict(frozen=True)

    prefecture_code: str
    insurer_number: str
    opens_on: date
    closes_on: date
    posting_weekdays: str
    source: Source
    note: str = ""

    @cached_property
    def posting_dates(self) -> tuple[date, ...]:
        """Business days of the window on which its calendar posts; both ends post when they are business days."""
        weekdays = {WEEKDAYS[name] for name in self.posting_weekdays.split()}
        days = (self.opens_on + timedelta(days=n) for n in range((self.closes_on - self.opens_on).days + 1))
        ends = {self.opens_on, self.closes_on}
        return tuple(day for day in days if is_business_day(day) and (day.weekday() in weekdays or day in ends))


@dataclass(frozen=True)
class Week:
    """A week of the calendar and the days on which printer and post work in it."""

    week_start: date
    working_days: int
    working_days_to_deliver: int  # not after the last day from which a letter counts as delivered in time


class Campaign(BaseModel):
    """A campaign (one fiscal year's mailing) and the calendar that its parameters give."""

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)

    name: str
    title: str
    sourced: dict[str, Parameter]
    parameters: Parameters
    windows: tuple[DispatchWindow, ...]

    # --- calendar -------------------------------------------------------------------------------

    @cached_property
    def posting_dates(self) -> tuple[date, ...]:
        """Every day on which some branch posts home mail, in order."""
        return tuple(sorted({day for window in self.windows for day in window.posting_dates}))

    def release_on(self, posting_date: date) -> date:
        """The day of re-check, pulls and release of a posting date (rules 6.1)."""
        return add_business_days(posting_date, -self.parameters.release_business_days_before_posting)

    @cached_property
    def releases(self) -> dict[date, date]:
        """Posting date by its day of release, in order."""
        return {self.release_on(day): day for day in self.posting_dates}

    @cached_property
    def register_drops(self) -> dict[date, Literal["full", "delta"]]:
        """The evenings on which the core system delivers.

        Full drops: the snapshot and each month end after it, to the last one before the last day of service. Deltas:
        the business day before each day that acts on the newest register (rules 1).
        """
        snapshot, served_by = self.parameters.snapshot_as_of, self.parameters.served_by
        acts = (
            *self.releases,
            self.parameters.employer_lists_on,
            *self.follow_up_runs,
            *self.request_runs,
            served_by,
        )
        drops: dict[date, Literal["full", "delta"]] = {add_business_days(day, -1): "delta" for day in acts}
        year, month = snapshot.year, snapshot.month
        while (full := _month_end(year, month)) < served_by:
            drops[full] = "full"
            year, month = (year + 1, 1) if month == 12 else (year, month + 1)
        drops[snapshot] = "full"
        return dict(sorted(drops.items()))

    @cached_property
    def wave_openings(self) -> dict[date, str]:
        """Wave key (YYYY-MM) by the day on which the month opens, its first business day."""
        return {_first_business_day(month): month for month in self.parameters.wave_months}

    @cached_property
    def follow_up_runs(self) -> tuple[date, ...]:
        """Days of the employer follow-up, the closing run last (rules 7)."""
        monthly = [_first_business_day(month) for month in self.parameters.follow_up_months]
        return (*monthly, self.parameters.closing_follow_up_on)

    @cached_property
    def printer_report_days(self) -> tuple[date, ...]:
        """Days on which the printer's answers are taken in: weekly from the hand-off to the last day of service."""
        last = self.parameters.served_by
        days = {min(day, last) for day in self._weekly(self.parameters.printer_report_weekday)}
        return tuple(sorted(days | {last}))

    @cached_property
    def request_runs(self) -> tuple[date, ...]:
        """Days of the issue on request and rolling: weekly, the last one posted in time (rules 1)."""
        days = self._weekly(self.parameters.requests_weekday)
        return tuple(day for day in days if add_business_days(day, 1) <= self.parameters.served_by)

    def _weekly(self, weekday: int) -> tuple[date, ...]:
        """A weekday of each week after the hand-off to the last day of service, or the business day after it."""
        start, last = self.parameters.hand_off_on, self.parameters.served_by
        days = (start + timedelta(days=n) for n in range(1, (last - start).days + 1))
        return tuple(on_or_after(day) for day in days if day.weekday() == weekday)

    @property
    def last_day_to_deliver(self) -> date:
        """The last day of posting from which a letter counts as delivered by the last day of service."""
        return self.parameters.served_by - timedelta(days=self.parameters.assumed_delivered_after_days)

    @cached_property
    def weeks(self) -> tuple[Week, ...]:
        """Weeks (Monday to Sunday) from the snapshot's to that of the last day of service, for the forecast."""
        start, last = self.parameters.snapshot_as_of, self.parameters.served_by
        monday = start - timedelta(days=start.weekday())
        weeks = []
        while monday <= last:
            days = [monday + timedelta(days=n) for n in range(7)]
            working = [day for day in days if is_business_day(day) and day <= last]
            weeks.append(Week(monday, len(working), sum(day <= self.last_day_to_deliver for day in working)))
            monday += timedelta(days=7)
        return tuple(weeks)

    def business_days_between(self, start: date, end: date) -> int:
        """Business days after `start` up to and including `end`."""
        days = (start + timedelta(days=n) for n in range(1, (end - start).days + 1))
        return sum(is_business_day(day) for day in days)

    def monthly(self, day_of_month: int) -> tuple[date, ...]:
        """A day of each month from the hand-off to the last day of service, or the business day after it."""
        start, last = self.parameters.hand_off_on, self.parameters.served_by
        year, month = start.year, start.month
        days = []
        while (year, month) <= (last.year, last.month):
            day = on_or_after(date(year, month, day_of_month))
            if start <= day <= last:
                days.append(day)
            year, month = (year + 1, 1) if month == 12 else (year, month + 1)
        return tuple(days)

    def window_of(self, prefecture_code: str) -> DispatchWindow:
        """The dispatch window of a branch."""
        return next(window for window in self.windows if window.prefecture_code == prefecture_code)

    # --- checks ---------------------------------------------------------------------------------

    def check(self) -> None:
        """Raise CampaignError where parameters contradict each other or a branch cannot post."""
        values = self.parameters
        problems = [
            f"window of branch {window.prefecture_code} has no posting date"
            for window in self.windows
            if not window.posting_dates
        ]
        for window in self.windows:
            if {f"{day:%Y-%m}" for day in window.posting_dates} - set(values.wave_months):
                problems.append(f"window of branch {window.prefecture_code} posts outside wave_months")
        if len(self.windows) != 47 or len({window.prefecture_code for window in self.windows}) != 47:
            problems.append("dispatch_windows.csv must hold each of the 47 branches once")
        if not 0 < values.release_business_days_before_posting <= values.recheck_max_business_days:
            problems.append("release_business_days_before_posting must lie between 1 and recheck_max_business_days")
        order = ["snapshot_as_of", "hand_off_on", "employer_lists_on", "closing_follow_up_on", "served_by"]
        days = [getattr(values, name) for name in order]
        if days != sorted(days):
            problems.append(f"these days must follow each other: {', '.join(order)}")
        if self.posting_dates and self.posting_dates[0] <= values.employer_lists_on:
            problems.append("employer_lists_on must be before the first posting date")
        if values.lot_size <= values.seed_households_per_lot + 25:
            problems.append("lot_size must leave room for a whole household besides the samples")
        shares = {
            name: value for name, value in values.model_dump().items() if name.endswith(("_share", "_rows", "_rate"))
        }
        problems += [
            f"{name} is a share and must lie between 0 and 1"
            for name, value in shares.items()
            if isinstance(value, float) and not 0 <= value <= 1
        ]
        if values.min_insured_share > values.max_insured_share or values.min_usable_share > values.max_usable_share:
            problems.append("the least share of insured or usable must not be above the most")
        if problems:
            raise CampaignError(f"campaign {self.name}: " + "; ".join(problems))


def _month_end(year: int, month: int) -> date:
    return date(year + month // 12, month % 12 + 1, 1) - timedelta(days=1)


def _first_business_day(month: str) -> date:
    year, number = (int(part) for part in month.split("-"))
    return first_business_day(year, number)


def campaigns_folder() -> Path | None:
    """The folder of campaigns that KAKUNINSHO_CAMPAIGNS names; None means those that come with the package."""
    folder = os.environ.get("KAKUNINSHO_CAMPAIGNS")
    return Path(folder) if folder else None


@lru_cache(maxsize=4)
def load_campaign(name: str = DEFAULT_CAMPAIGN, folder: Path | None = None) -> Campaign:
    """Read a campaign folder (campaign.yaml, dispatch_windows.csv), check it, and return it.

    `folder` holds one folder per campaign; the default is the campaigns that come with the package.
    """
    path = (folder or Path(__file__).parent) / name
    if not (path / "campaign.yaml").is_file():
        raise CampaignError(f"there is no campaign file {path / 'campaign.yaml'}")
    raw = yaml.safe_load((path / "campaign.yaml").read_text(encoding="utf-8"))
    sourced = {key: Parameter.model_validate(entry) for key, entry in raw["parameters"].items()}
    with (path / "dispatch_windows.csv").open(encoding="utf-8", newline="") as file:
        windows = tuple(DispatchWindow.model_validate(row) for row in csv.DictReader(file))
    campaign = Campaign(
        name=raw["campaign"],
        title=raw["title"],
        sourced=sourced,
        parameters=Parameters.model_validate({key: entry.value for key, entry in sourced.items()}),
        windows=windows,
    )
    campaign.check()
    return campaign
