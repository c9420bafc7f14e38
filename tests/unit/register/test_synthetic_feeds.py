"""The feeds beside a synthetic register: read by the door that reads real ones, asked for by people who can ask."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from kakuninsho.campaign import load_campaign
from kakuninsho.facts.store import FactStore
from kakuninsho.feeds import stage_feed
from kakuninsho.register.synthetic import generate

Row = dict[str, str]
KEY = ("insurer_number", "symbol", "number", "suffix")


@pytest.fixture(scope="module")
def register(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("register") / "register"
    generate(6_000, 5, out, load_campaign())
    return out


def files(register: Path, feed: str) -> Iterator[tuple[date, Path]]:
    """Files of a feed with the day on which they are delivered."""
    for path in sorted(register.glob(f"feeds/*/{feed}_*.csv")):
        yield date.fromisoformat(path.parent.name), path


def rows(register: Path, feed: str) -> list[Row]:
    found = []
    for _, path in files(register, feed):
        with path.open(encoding="utf-8", newline="") as file:
            found += list(csv.DictReader(file))
    return found


def key(row: Row) -> tuple[str, ...]:
    return tuple(row[name] for name in KEY)


@pytest.mark.parametrize("feed", ["issue_requests", "decisions", "usage_counts"])
def test_every_file_is_read_whole_on_the_day_it_is_delivered(register: Path, tmp_path: Path, feed: str) -> None:
    store = FactStore(tmp_path / "data")
    store.initialise()
    delivered = list(files(register, feed))
    assert delivered
    for day, path in delivered:
        staged = stage_feed(store, feed, path, tmp_path / "work", received_on=day)
        assert (staged.accepted, staged.rejected) == (staged.declared_rows, 0)


def test_everything_arrives_before_the_last_run_that_takes_it_in(register: Path) -> None:
    campaign = load_campaign()
    last = {
        "usage_counts": max(campaign.monthly(campaign.parameters.usage_rates_day_of_month)),
        "issue_requests": max(campaign.request_runs),
    }
    last["decisions"] = last["issue_requests"]
    for feed, day in last.items():
        assert max(delivered for delivered, _ in files(register, feed)) <= day
    with (register / "certificates_given_back.csv").open(encoding="utf-8", newline="") as file:
        people = list(csv.DictReader(file))
    assert {row["until"] for row in people} == {last["issue_requests"].isoformat()}
    assert all(row["gives_back_on"] <= row["until"] for row in people)


def test_who_asks_stands_in_a_register_and_has_a_reason_to_ask(register: Path) -> None:
    members: dict[tuple[str, ...], dict[str, object]] = {}
    for path in sorted(register.glob("as_of=*/members.parquet")):
        columns = [*KEY, "decided_on", "lost_on"]
        members |= {key(row): row for row in pq.read_table(path, columns=columns, partitioning=None).to_pylist()}
    asked = rows(register, "issue_requests")
    kinds = Counter(row["kind"] for row in asked)
    assert set(kinds) == {"new_enrollee", "care_needed", "lost_or_damaged", "card_lost_or_renewing", "card_returned"}
    assert len({row["request_id"] for row in asked}) == len(asked)
    for row in asked:
        member = members[key(row)]
        if row["kind"] == "new_enrollee":
            assert member["decided_on"] >= date(2024, 12, 2)
        assert member["lost_on"] is None or member["lost_on"].isoformat() > row["requested_on"]
    assert any(count > 1 for count in Counter((key(row), row["kind"]) for row in asked).values())


def test_decisions_are_about_held_people_or_requests_that_wait(register: Path) -> None:
    expected = {key(row): row for row in pq.read_table(register / "expected_dispositions.parquet").to_pylist()}
    asked = {key(row) for row in rows(register, "issue_requests")}
    decided = rows(register, "decisions")
    assert decided
    assert any(row["decision"] == "issue" for row in decided)
    for row in decided:
        if row["decision"] == "issue":
            assert expected[key(row)]["reason_code"] == "new_enrollee"
            assert key(row) not in asked
        else:
            assert key(row) in asked or expected[key(row)]["disposition"] == "held"
    releasing: dict[tuple[str, ...], set[str]] = {}
    for row in decided:
        if row["decision"] == "release":
            releasing.setdefault(key(row), set()).add(row["by"])
    protected = [one for one in releasing if expected.get(one, {}).get("reason_code") == "address_protected"]
    assert protected
    assert all(len(releasing[one]) == 2 for one in protected)


def test_usage_counts_are_of_every_prefecture_and_of_months_that_nobody_has_published(register: Path) -> None:
    counts = rows(register, "usage_counts")
    months = Counter(row["month"] for row in counts)
    assert set(months.values()) == {47}
    assert min(months) == "2025-04"
    assert len(months) >= 5
    assert all(0 < int(row["uses"]) < int(row["verifications"]) for row in counts)


def test_only_people_who_leave_give_a_certificate_back(register: Path) -> None:
    lost = set()
    for path in sorted(register.glob("as_of=*/members.parquet")):
        table = pq.read_table(path, columns=[*KEY, "lost_on"], partitioning=None).to_pylist()
        lost |= {key(row) for row in table if row["lost_on"] is not None}
    with (register / "certificates_given_back.csv").open(encoding="utf-8", newline="") as file:
        people = [key(row) for row in csv.DictReader(file)]
    assert people
    # Some losses are told only after the last drop.
    assert sum(one in lost for one in people) / len(people) > 0.8
