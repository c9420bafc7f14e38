"""One branch's season in small: release, reports, follow-up, ledger; then facts are broken one by one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pytest
from mailing_facts import (
    HANDED_OFF,
    SNAPSHOT,
    Envelope,
    Lot,
    MailingFacts,
    address,
    household,
    person,
    without_row,
)

from explained import assert_explained, one_member_for_each_outcome, settings_of
from kakuninsho.operations import publishing

FAMILY, PLAIN, LEAVER, RENAMED, RETURNED, VOLUNTARY, SPOILED, PROTECTED, NOWHERE = (
    household(number) for number in range(1, 10)
)
HOUSEHOLDS = (FAMILY, PLAIN, LEAVER, RENAMED, RETURNED, VOLUNTARY, SPOILED, PROTECTED, NOWHERE)
POSTED = date(2025, 10, 10)
RELEASED = date(2025, 10, 9)
REPORTED = date(2025, 10, 14)
FOLLOWED_UP = date(2025, 11, 4)
CLOSED = date(2025, 12, 1)


@dataclass
class Season:
    """The facts of the season and the pieces that tests speak of."""

    facts: MailingFacts
    home: Lot
    added: Lot
    bundle: Lot
    findings: dict[str, tuple[str | None, bool, str | None]]
    pending: list[tuple[object, ...]]
    follow_ups: dict[int, tuple[str, str | None]]

    def number(self, household_key: int, position: int = 1) -> str:
        """Control number of a household's home envelope."""
        return next(
            envelope.number
            for envelope in self.home.envelopes
            if envelope.members[0] // 100 == household_key and envelope.position == position
        )


def _register(facts: MailingFacts) -> None:
    members = [person(FAMILY, suffix) for suffix in range(6)]
    members += [person(key) for key in (PLAIN, LEAVER, RETURNED, SPOILED, PROTECTED, NOWHERE)]
    members += [
        person(RENAMED),
        person(RENAMED, 1),
        person(VOLUNTARY, enrolment="voluntary", qualified_on=date(2024, 10, 1)),
    ]
    homes = [address(key) for key in HOUSEHOLDS if key != NOWHERE]
    employer = {
        "employer_key": PLAIN // 10_000_000,
        "name": "株式会社　見本",
        "postal_code": "9188888",
        "address": "福井県福井市大手３－１７－１",
    }
    facts.register(SNAPSHOT, members, homes, employers=[employer])


def _home_plan(facts: MailingFacts) -> Lot:
    envelopes = [
        Envelope([FAMILY * 100 + suffix for suffix in range(4)], 1, 2),
        Envelope([FAMILY * 100 + suffix for suffix in (4, 5)], 2, 2),
        *(Envelope([key * 100]) for key in (PLAIN, LEAVER, RETURNED, VOLUNTARY, SPOILED, PROTECTED)),
        Envelope([RENAMED * 100, RENAMED * 100 + 1]),
    ]
    lot = Lot("fy2025-H-18-20251010-01", POSTED, envelopes)
    facts.plan("home-2025-04-30", "home", HANDED_OFF, [lot])
    return lot


def _release(facts: MailingFacts, home: Lot) -> tuple[Lot, Season]:
    facts.register(
        date(2025, 10, 8),
        [
            person(LEAVER, lost_on=POSTED),
            person(PLAIN, lost_on=POSTED + timedelta(days=1)),
            person(RENAMED, 1, name="健保　改姓"),
        ],
        kind="delta",
    )
    facts.build(RELEASED, select=["+int_plan_pending_supplementary"], run_kind="release", posting_date=POSTED)
    findings = {
        row[0]: row[1:]
        for row in facts.rows(
            "select certificate_id, reason_code, is_pulled, outcome from intermediate.int_recheck_findings"
        )
    }
    pending = facts.rows(
        """
        select household_key, member_key, slot, position, envelopes_in_household, lot_number, name
        from intermediate.int_plan_pending_supplementary order by member_key
        """
    )
    added = Lot("fy2025-S-18-20251010-01", POSTED, [Envelope([RENAMED * 100, RENAMED * 100 + 1])], "supplementary")
    pulls = facts.rows(
        """
        select certificate_id, envelope_id, lot_id, posting_date, member_key, reason_code, outcome, outcome_reason_code
        from intermediate.int_recheck_findings where is_pulled
        """
    )
    names = [
        "certificate_id",
        "envelope_id",
        "lot_id",
        "posting_date",
        "member_key",
        "reason_code",
        "outcome",
        "outcome_reason_code",
    ]
    facts.plan(
        f"release-{POSTED}",
        "release",
        RELEASED,
        [added],
        pulls=[dict(zip(names, row, strict=True)) for row in pulls],
        release_lots=[{"lot_id": home.lot_id, "posting_date": POSTED, "is_released": True}],
        posting_date=POSTED,
    )
    return added, Season(facts, home, added, added, findings, pending, {})


@pytest.fixture(scope="module")
def season(tmp_path_factory: pytest.TempPathFactory) -> Season:
    """The whole season, with the warehouse built on its last day."""
    facts = MailingFacts(tmp_path_factory.mktemp("season"))
    _register(facts)
    home = _home_plan(facts)
    added, season = _release(facts, home)
    events = {envelope.number: "posted" for envelope in home.envelopes}
    events |= dict.fromkeys(home.samples, "posted")
    events[season.number(LEAVER)] = events[season.number(RENAMED)] = "pulled"
    events[season.number(SPOILED)] = f"spoiled:{home.spares[0]}"
    events[home.spares[0]] = f"spoiled:{home.spares[1]}"
    events[home.spares[1]] = "posted"
    facts.report(REPORTED, home, events)
    facts.report(REPORTED, home, events)  # delivered twice under another name
    facts.report(REPORTED, added, dict.fromkeys([added.envelopes[0].number, *added.samples], "posted"))
    facts.returned(date(2025, 10, 20), [season.number(key) for key in (RETURNED, VOLUNTARY, PROTECTED)])
    facts.returned(date(2025, 10, 27), ["00000000000"])  # nobody gave this number
    facts.register(date(2025, 10, 31), [person(PROTECTED, protected=True)], kind="delta")
    facts.build(FOLLOWED_UP, select=["+int_follow_ups_pending"], run_kind="follow_up", run_on=FOLLOWED_UP)
    season.follow_ups = {
        row[0]: row[1:]
        for row in facts.rows(
            "select member_key // 100, envelope_outcome, reason_code from intermediate.int_follow_ups_pending"
        )
    }
    bundle = Lot("fy2025-E-18-20251105-01", date(2025, 11, 5), [Envelope([], changes={"employer_key": 1})], "employer")
    rows = facts.rows(
        """
        select run_on, envelope_id, certificate_id, member_key, envelope_outcome, outcome, reason_code
        from intermediate.int_follow_ups_pending order by certificate_id
        """
    )
    names = [
        "run_on",
        "envelope_id",
        "certificate_id",
        "member_key",
        "envelope_outcome",
        "outcome",
        "reason_code",
    ]
    follow_ups = [dict(zip(names, row, strict=True)) for row in rows]
    upcoming = facts.sequence + 3  # two samples come first
    for row in follow_ups:
        if row["outcome"] == "employer_bundle":
            row["bundle_id"] = f"{upcoming:09d}{98 - upcoming * 100 % 97:02d}"
    facts.plan(
        f"follow-up-{FOLLOWED_UP}",
        "follow_up",
        FOLLOWED_UP,
        [bundle],
        follow_ups=follow_ups,
        run_on=FOLLOWED_UP,
    )
    facts.report(date(2025, 11, 10), bundle, dict.fromkeys([bundle.envelopes[0].number, *bundle.samples], "posted"))
    season.bundle = bundle
    dispositions = ["+fct_member_dispositions", "+fct_late_dispositions"]
    facts.build(CLOSED, select=["+path:models/marts/mailing", "+path:models/marts/ledger", *dispositions])
    mine = ["marts/mailing", "marts/ledger", "intermediate/pieces"]
    facts.build(CLOSED, command="test", select=["path:tests/mailing", *(f"path:models/{path}" for path in mine)])
    return season


# --- the release ----------------------------------------------------------------------------------


def test_membership_lost_on_the_posting_date_is_pulled(season: Season) -> None:
    assert season.findings[f"{season.number(LEAVER)}-1"] == ("membership_lost", True, "closed")


def test_membership_lost_the_day_after_posting_is_not_pulled(season: Season) -> None:
    assert season.findings[f"{season.number(PLAIN)}-1"] == (None, False, None)


def test_member_without_a_finding_in_a_pulled_envelope_is_packed_anew(season: Season) -> None:
    assert season.findings[f"{season.number(RENAMED)}-1"] == ("packed_anew", True, "planned_again")
    assert season.findings[f"{season.number(RENAMED)}-2"] == ("details_changed", True, "planned_again")


def test_left_over_members_are_packed_anew_with_the_newest_values(season: Season) -> None:
    assert season.pending == [
        (RENAMED, RENAMED * 100, 1, 1, 1, 1, "健保　太郎0"),
        (RENAMED, RENAMED * 100 + 1, 2, 1, 1, 1, "健保　改姓"),
    ]


# --- the follow-up --------------------------------------------------------------------------------


def test_returned_envelopes_go_where_the_table_says(season: Season) -> None:
    assert season.follow_ups == {
        RETURNED: ("employer_bundle", None),
        VOLUNTARY: ("branch_desk", "household_voluntary"),
        PROTECTED: ("held", "address_protected"),
    }


# --- what became of each piece --------------------------------------------------------------------


def test_status_of_each_certificate_at_the_season_s_end(season: Season) -> None:
    statuses = {
        row[0]: row[1:]
        for row in season.facts.rows("select certificate_id, status, reason_code from marts.fct_certificates")
    }
    spoiled, again = season.home.spares[0], season.home.spares[1]
    assert statuses[f"{season.number(FAMILY)}-4"] == ("delivered", None)
    assert statuses[f"{season.number(PLAIN)}-1"] == ("closed", "return_expected")
    assert statuses[f"{season.number(LEAVER)}-1"] == ("pulled", "membership_lost")
    assert statuses[f"{season.number(RENAMED)}-1"] == ("pulled", "packed_anew")
    assert statuses[f"{season.added.envelopes[0].number}-2"] == ("delivered", None)
    assert statuses[f"{season.number(RETURNED)}-1"] == ("at_employer", None)
    assert statuses[f"{season.number(VOLUNTARY)}-1"] == ("at_branch_desk", "household_voluntary")
    assert statuses[f"{season.number(PROTECTED)}-1"] == ("held", "address_protected")
    assert [statuses[f"{number}-1"][0] for number in (season.number(SPOILED), spoiled, again)] == [
        "spoiled",
        "spoiled",
        "delivered",
    ]
    assert len(statuses) == 6 + 6 + 2 + 2 + 2  # family, six single ones, renamed twice, two printed again


def test_piece_printed_again_keeps_place_and_names_what_it_replaces(season: Season) -> None:
    rows = season.facts.rows(
        """
        select envelope_id, replaces_envelope_id, status, position, certificate_count from marts.fct_envelopes
        where number = '7' order by envelope_id
        """
    )
    first, second, third = season.number(SPOILED), *season.home.spares[:2]
    assert rows == [
        (first, None, "spoiled", 1, 1),
        (second, first, "spoiled", 1, 1),
        (third, second, "live", 1, 1),
    ]


def test_wave_is_planned_as_pulled_and_posted(season: Season) -> None:
    rows = season.facts.rows("select * from marts.fct_waves")
    assert rows == [("2025-10", 10, 2, 8, 3, 0, 0, True)]


def test_duplicate_reports_are_one_event(season: Season) -> None:
    rows = season.facts.rows("select event_type, count(*) from marts.fct_mail_events group by all order by all")
    assert rows == [("posted", 9), ("pulled", 2), ("returned", 3), ("spoiled", 2)]


def test_unserved_people_are_listed_with_their_reason(season: Season) -> None:
    rows = season.facts.rows(
        "select number, stage, reason_code, detail_code from marts.fct_unserved_people order by number"
    )
    assert rows == [
        ("6", "at_branch_desk", "at_branch_desk", "household_voluntary"),
        ("8", "held", "address_protected", "address_protected"),
        ("9", "held", "address_missing", "address_missing"),
    ]


def test_nobody_without_a_certificate_is_on_no_list(season: Season) -> None:
    rows = season.facts.rows("select number, stage, reason_code from marts.fct_work_list order by number")
    assert rows == [
        ("6", "branch_desk", "household_voluntary"),
        ("8", "returned", "address_protected"),
        ("9", "snapshot", "address_missing"),
    ]


def test_everyone_is_counted_once_in_the_first_line_that_fits(season: Season) -> None:
    rows = season.facts.rows("select insurer_number, line, reason_code, people from marts.fct_everyone order by 2, 3")
    assert rows == [
        ("01180017", "in_hand", "at_employer", 1),
        ("01180017", "in_hand", "delivered", 9),  # six of the family, two renamed, one printed again
        ("01180017", "without", "address_missing", 1),
        ("01180017", "without", "address_protected", 1),
        ("01180017", "without", "at_branch_desk", 1),
    ]


def test_everybody_of_the_season_is_explained(season: Season) -> None:
    data = season.facts.store.data
    publishing.export(data)
    chosen = one_member_for_each_outcome(data)
    statuses = {outcome.split(" ")[2] for found in chosen.values() for outcome in found if outcome[:4] == "cert"}
    assert statuses >= {"pulled", "spoiled", "at_employer", "at_branch_desk", "held", "delivered"}
    for member in chosen:
        assert_explained(settings_of(data), member)


def test_number_that_nobody_gave_is_an_alert_and_no_event(season: Season) -> None:
    rows = season.facts.rows("select alert_code, subject, count from marts.fct_alerts")
    assert rows == [("piece_unknown", "no lot", 1)]


# --- the ledger -----------------------------------------------------------------------------------


def test_ledger_closes_at_the_season_s_end_with_nothing_open(season: Season) -> None:
    rows = season.facts.rows("select stage, left_side, difference, open_count from marts.fct_ledger order by stage")
    assert rows == [
        ("1_register", 15, 0, 0),
        ("1b_later_drops", 4, 0, 0),
        ("2_people", 14, 0, 0),
        ("3_envelopes", 11, 0, 0),
        ("4_transfers", 17, 0, 0),
        ("5_pieces", 11, 0, 0),
        ("5b_reprints", 2, 0, 0),
        ("5c_samples", 6, 0, 0),
        ("5d_pull_lists", 2, 0, 0),
        ("5e_stopped", 0, 0, 0),
        ("6_posted", 9, 0, 0),
        ("7_returned", 3, 0, 0),
        ("8_everyone", 13, 0, 0),  # 15 without the two who left
    ]


@pytest.fixture
def broken(season: Season) -> Iterator[list[tuple[Path, bytes]]]:
    """Files that a test breaks; they are mended after it."""
    files: list[tuple[Path, bytes]] = []
    yield files
    for path, content in files:
        path.unlink()
        path.write_bytes(content)


def _open_stages(season: Season) -> dict[str, int]:
    season.facts.build(CLOSED, select=["+fct_ledger"])
    return season.facts.ledger()


@pytest.mark.parametrize(
    ("member", "what"),
    [(NOWHERE * 100, "held"), (PLAIN * 100, "target"), (FAMILY * 100, "insured of a household")],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_lost_register_row_opens_identity_1_only(
    season: Season, broken: list[tuple[Path, bytes]], member: int, what: str
) -> None:
    path = season.facts.store.get("register", f"as_of={SNAPSHOT}").table("members")
    broken.append((path, without_row(path, f"member_key = {member}")))
    assert _open_stages(season) == {"1_register": 1}, what


def test_lost_certificate_of_a_plan_opens_identity_2_only(season: Season, broken: list[tuple[Path, bytes]]) -> None:
    path = season.facts.store.get("plans", "home-2025-04-30").table("certificates")
    broken.append((path, without_row(path, f"member_key = {PLAIN * 100}")))
    assert _open_stages(season) == {"2_people": 1}


def test_lost_register_row_of_a_later_drop_opens_identity_1_only(
    season: Season, broken: list[tuple[Path, bytes]]
) -> None:
    path = season.facts.store.get("register", "as_of=2025-10-08").table("members")
    broken.append((path, without_row(path, f"member_key = {LEAVER * 100}")))
    assert _open_stages(season) == {"1b_later_drops": 1}


def test_lost_second_certificate_of_a_person_opens_identity_2_only(
    season: Season, broken: list[tuple[Path, bytes]]
) -> None:
    path = season.facts.store.get("plans", f"release-{POSTED}").table("certificates")
    broken.append((path, without_row(path, f"member_key = {RENAMED * 100}")))
    assert _open_stages(season) == {"2_people": 1}


def test_lost_envelope_of_a_plan_opens_identity_3_only(season: Season, broken: list[tuple[Path, bytes]]) -> None:
    path = season.facts.store.get("plans", "home-2025-04-30").table("envelopes")
    broken.append((path, without_row(path, f"envelope_id = '{season.number(RETURNED)}'")))
    assert _open_stages(season) == {"3_envelopes": -1}


@pytest.mark.parametrize("which", ["posted", "returned later", "printed again", "sample"])
def test_lost_posted_report_opens_identity_5_only(season: Season, broken: list[tuple[Path, bytes]], which: str) -> None:
    number, stage = {
        "posted": (season.number(PLAIN), "5_pieces"),
        "returned later": (season.number(RETURNED), "5_pieces"),
        "printed again": (season.home.spares[1], "5b_reprints"),
        "sample": (season.home.samples[0], "5c_samples"),
    }[which]
    for fact in season.facts.store.all("feeds/piece_reports")[:2]:  # the report was delivered twice
        path = fact.table("rows")
        broken.append((path, without_row(path, f"envelope_id = '{number}'")))
    assert _open_stages(season) == {stage: 1}


def test_lost_return_that_was_followed_up_opens_identity_7_only(
    season: Season, broken: list[tuple[Path, bytes]]
) -> None:
    path = season.facts.store.all("feeds/return_reports")[0].table("rows")
    broken.append((path, without_row(path, f"envelope_id = '{season.number(VOLUNTARY)}'")))
    assert _open_stages(season) == {"7_returned": -1}


def test_person_lost_between_the_lines_opens_identity_8_only(season: Season) -> None:
    before = _open_stages(season)
    with duckdb.connect(str(season.facts.store.data / "warehouse.duckdb")) as connection:
        connection.execute(f"delete from intermediate.int_everyone where member_key = {NOWHERE * 100}")
    season.facts.build(CLOSED, select=["fct_everyone", "fct_ledger_terms", "fct_ledger"])
    assert season.facts.ledger() == before | {"8_everyone": 1}
    assert "8_everyone" not in before
