"""A whole season agrees with the rules computed a second time, in plain Python, person by person."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from season_oracle import SeasonOracle, disagreements

from kakuninsho.paths import PROJECT_ROOT
from oracle import newest_register

pytestmark = pytest.mark.slow

MEMBER = "insurer_number, symbol, number, suffix"


@pytest.fixture(scope="module")
def season(request: pytest.FixtureRequest) -> Iterator[SeasonOracle]:
    """SEASON_DATA (and SEASON_REGISTER, when it played a given register), else the suite's own season."""
    data = Path(os.environ["SEASON_DATA"]) if "SEASON_DATA" in os.environ else request.getfixturevalue("season_2000")
    register = os.environ.get("SEASON_REGISTER")
    yield SeasonOracle(
        data.resolve(),
        Path(register) if register else data / "outside" / "core" / "register",
        PROJECT_ROOT / "include" / "kakuninsho" / "campaign" / "fy2025",
    )


def test_every_rejected_row_of_every_drop(season: SeasonOracle) -> None:
    theirs = season.marts("select as_of, file, row_number, column_name, reason_code from marts.fct_register_rejects")
    ours = [
        (drop.as_of, row.file, row.row_number, row.column, row.code) for drop in season.drops for row in drop.rejects
    ]
    assert sorted(map(str, theirs)) == sorted(map(str, ours))


def test_every_disposition_and_reason(season: SeasonOracle) -> None:
    theirs = {
        row[:4]: row[4:]
        for row in season.marts(f"select {MEMBER}, disposition, reason_code from marts.fct_member_dispositions")
    }
    assert disagreements(theirs, season.dispositions) == []
    assert len(theirs) > 0


def test_everyone_whom_a_later_drop_judged(season: SeasonOracle) -> None:
    columns = f"{MEMBER}, disposition, reason_code, judged_on"
    theirs = {row[:4]: row[4:] for row in season.marts(f"select {columns} from marts.fct_late_dispositions")}
    judged = season.routes.late_outcomes(season.drops[-1].as_of, season.routes.decisions)
    ours = {key: (one.outcome, one.reason, one.judged_on) for key, one in judged.items()}
    assert disagreements(theirs, ours) == []
    assert {outcome for outcome, _, _ in ours.values()} >= {"target", "excluded"}


def test_every_envelope_of_the_first_plan(season: SeasonOracle) -> None:
    ours = {(env.household, env.position, env.posting_date): (env.count, env.members) for env in season.first_plan}
    assert disagreements(season.envelopes_of(season.plan_ids("home")[-1]), ours) == []


def test_need_issue_date_and_validity_of_every_certificate(season: SeasonOracle) -> None:
    theirs, ours = season.validity()
    assert disagreements(theirs, ours) == []


def test_published_envelopes_of_the_first_plan(season: SeasonOracle) -> None:
    rows = season.marts(
        """
        select distinct insurer_number, symbol, number, position, envelopes_in_household, certificate_count,
            posting_date
        from marts.fct_envelopes where lot_kind = 'home' and not is_additional
        """
    )
    theirs = {((*row[:3],), row[3]): row[4:] for row in rows}
    ours = {(env.household, env.position): (env.count, len(env.members), env.posting_date) for env in season.first_plan}
    assert disagreements(theirs, ours) == []


def test_every_pull_and_its_reason(season: SeasonOracle) -> None:
    for posting_date, newest in season.releases():
        theirs = {
            unpacked: (row["reason_code"], row["outcome"], row["outcome_reason_code"])
            for row in season.plan(f"release-{posting_date}", "pulls")
            for unpacked in [season.members_of[row["envelope_id"]][int(row["certificate_id"].rsplit("-", 1)[1]) - 1]]
        }
        ours, _ = season.recheck(posting_date, newest)
        assert disagreements(theirs, ours) == [], posting_date


def test_published_reasons_of_pulled_certificates(season: SeasonOracle) -> None:
    theirs = {
        (*row[:4], row[4]): row[5]
        for row in season.marts(
            f"select {MEMBER}, issued_on, reason_code from marts.fct_certificates where status = 'pulled'"
        )
    }
    ours = {
        (*key, posting_date): reason
        for posting_date, newest in season.releases()
        for key, (reason, _, _) in season.recheck(posting_date, newest)[0].items()
    }
    assert disagreements(theirs, ours) == []


def test_every_supplementary_envelope(season: SeasonOracle) -> None:
    for posting_date, newest in season.releases():
        _, anew = season.recheck(posting_date, newest)
        ours = {(env.household, env.position, env.posting_date): (env.count, env.members) for env in anew}
        assert disagreements(season.envelopes_of(f"release-{posting_date}"), ours) == [], posting_date


def test_everyone_on_the_employer_lists(season: SeasonOracle) -> None:
    theirs, ours = season.employer_lists()
    assert theirs == ours
    assert set(season.marts(f"select {MEMBER} from marts.fct_employer_lists")) == ours


def test_every_outcome_of_the_follow_up(season: SeasonOracle) -> None:
    rows = season.marts("select envelope_id, run_on, outcome from marts.fct_employer_follow_ups")
    assert disagreements({row[:2]: row[2] for row in rows}, season.follow_ups()) == []


def test_every_request_and_rolling_certificate_of_every_run(season: SeasonOracle) -> None:
    runs = season.request_runs()
    for plan_id, theirs, ours in runs:
        assert disagreements(theirs, ours) == [], plan_id
    assert runs


def test_where_every_certificate_is_at_the_end(season: SeasonOracle) -> None:
    theirs = {
        row[0]: (row[1], row[2])
        for row in season.marts(
            """
            select certificate_id, status not in ('pulled', 'spoiled', 'superseded', 'closed'),
                status in ('closed', 'superseded')
            from marts.fct_certificates
            """
        )
    }
    last = season.drops[-1].as_of
    ours = {
        one.number: (one.is_live, one.status in ("closed", "superseded"))
        for one in season.routes.state((season.campaign.served_by, 23), newest_register(season.drops, last))
    }
    assert disagreements({key: value for key, value in theirs.items() if key in ours}, ours) == []
