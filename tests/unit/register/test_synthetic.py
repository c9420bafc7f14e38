"""The synthetic register keeps what docs/synthetic-register.md promises: contract, shares, determinism, evolution."""

from __future__ import annotations

import csv
import hashlib
import json
import re
from collections import Counter
from datetime import date
from pathlib import Path

import duckdb
import pytest

from kakuninsho.campaign import Campaign, load_campaign
from kakuninsho.register.synthetic import GenerationReport, SyntheticRegisterError, generate
from kakuninsho.register.synthetic.plants import FILES, Catalogue

NEEDS = {
    "no_card",
    "number_not_filed",
    "not_registered",
    "registration_cancelled",
    "certificate_in_grace",
    "certificate_expired",
}
HELD = {
    "address_protected",
    "between_routes",
    "household_without_insured",
    "card_record_rejected",
    "address_overseas",
    "address_missing",
    "unprintable_text",
}
# A friday and the saturday after it: the register changes on weekdays, so nothing happens between the two.
SHORT_SEASON = {
    date(2025, 4, 30): "full",
    date(2025, 5, 15): "delta",
    date(2025, 5, 30): "delta",
    date(2025, 5, 31): "full",
}
KEYS = {"members": 4, "addresses": 3, "employers": 2, "my_number_cards": 4}


@pytest.fixture(scope="module")
def campaign() -> Campaign:
    return load_campaign()


@pytest.fixture(scope="module")
def register(tmp_path_factory: pytest.TempPathFactory, campaign: Campaign) -> tuple[Path, GenerationReport]:
    out = tmp_path_factory.mktemp("register") / "register"
    return out, generate(20_000, 2025, out, campaign)


def query(sql: str) -> list[tuple]:
    # A folder named as_of=… would be taken for a column of every file in it.
    sql = re.sub(r"'([^']+\.parquet)'", r"read_parquet('\1', hive_partitioning = false)", sql)
    with duckdb.connect() as con:
        return con.execute(sql).fetchall()


def short(campaign: Campaign) -> Campaign:
    shortened = campaign.model_copy()
    shortened.__dict__["register_drops"] = dict(SHORT_SEASON)
    return shortened


def digests(out: Path) -> dict[str, str]:
    return {
        str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(out.rglob("*"))
        if path.is_file()
    }


def test_target_share_is_that_of_the_insurer(register: tuple[Path, GenerationReport]) -> None:
    _, report = register
    targets = sum(count for reason, count in report.dispositions.items() if reason in NEEDS)
    assert targets / report.members == pytest.approx(12.0 / 39.713, abs=0.01)
    assert set(report.dispositions) >= NEEDS


def test_held_people_are_few(register: tuple[Path, GenerationReport]) -> None:
    _, report = register
    assert sum(report.dispositions.get(reason, 0) for reason in HELD) / report.members < 0.015
    assert set(report.dispositions) >= HELD


def test_dependents_voluntary_people_and_employers_are_as_many_as_published(
    register: tuple[Path, GenerationReport],
) -> None:
    out, report = register
    drop = out / "as_of=2025-04-30"
    insured, dependents, voluntary, largest = query(
        f"""
        select count(*) filter (suffix = '00'), count(*) filter (suffix > '00'),
            count(*) filter (suffix = '00' and enrolment = 'voluntary'), max(try_cast(suffix as integer))
        from '{drop}/members.parquet'
        """
    )[0]
    assert dependents / insured == pytest.approx(0.543, abs=0.02)
    assert voluntary / insured == pytest.approx(215 / 25733, abs=0.004)
    assert largest >= 8
    assert report.drops["2025-04-30"]["employers"] == pytest.approx(20_000 * 2.7 / 39.713, rel=0.03)


def test_every_branch_has_members(register: tuple[Path, GenerationReport]) -> None:
    out, _ = register
    assert query(
        f"select count(distinct insurer_number) from '{out}/as_of=2025-04-30/addresses.parquet'"
        " where length(insurer_number) = 8"
    ) == [(47,)]


def test_manifest_tells_rows_and_hash_of_each_file(register: tuple[Path, GenerationReport], campaign: Campaign) -> None:
    out, report = register
    assert sorted(path.name for path in out.glob("as_of=*")) == [f"as_of={day}" for day in campaign.register_drops]
    for day, kind in campaign.register_drops.items():
        drop = out / f"as_of={day}"
        manifest = json.loads((drop / "manifest.json").read_text(encoding="utf-8"))
        assert (manifest["contract"], manifest["as_of"], manifest["kind"]) == ("register/v1", f"{day}", kind)
        # A delta leaves out what has not changed.
        told = [file for file in FILES if kind == "full" or report.drops[str(day)][file]]
        assert sorted(path.name for path in drop.iterdir()) == sorted(
            ["manifest.json", *(f"{file}.parquet" for file in told)]
        )
        for entry in manifest["files"]:
            path = drop / entry["name"]
            assert entry["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
            assert [(entry["rows"],)] == query(f"select count(*) from '{path}'")
            assert entry["rows"] == report.drops[str(day)][path.stem]


def test_members_asked_for_is_the_exact_count_of_rows(register: tuple[Path, GenerationReport]) -> None:
    _, report = register
    assert report.drops["2025-04-30"]["members"] == 20_000
    assert sum(report.dispositions.values()) + report.rejects["members"] == 20_000


def test_columns_and_types_are_those_of_the_contract(register: tuple[Path, GenerationReport]) -> None:
    out, _ = register
    types = {
        "birth_date": "DATE",
        "lost_on": "DATE",
        "protected": "BOOLEAN",
        "closed_on": "DATE",
        "has_card": "BOOLEAN",
    }
    for file, columns in FILES.items():
        described = query(f"describe select * from '{out}/as_of=2025-08-31/{file}.parquet'")
        assert [row[0] for row in described] == columns
        for name, kind, *_ in described:
            assert kind == types.get(name, "DATE" if name.endswith("_on") else kind)
            assert kind in {"VARCHAR", "DATE", "BOOLEAN"}


def test_same_arguments_give_the_same_bytes_and_another_seed_others(tmp_path: Path, campaign: Campaign) -> None:
    for name, seed in (("first", 7), ("again", 7), ("other", 8)):
        generate(2_000, seed, tmp_path / name, short(campaign))
    assert digests(tmp_path / "first") == digests(tmp_path / "again")
    assert digests(tmp_path / "first") != digests(tmp_path / "other")


def test_the_campaigns_drop_alone_is_the_same_drop(tmp_path: Path, campaign: Campaign) -> None:
    generate(2_000, 7, tmp_path / "all", short(campaign))
    generate(2_000, 7, tmp_path / "one", short(campaign), drops="campaign")
    alone = digests(tmp_path / "one")
    assert alone == {name: digest for name, digest in digests(tmp_path / "all").items() if name in alone}
    assert [path.name for path in (tmp_path / "one").glob("as_of=*")] == ["as_of=2025-04-30"]


def test_every_planted_kind_is_expected_and_rejected_rows_stay_under_the_limit(
    register: tuple[Path, GenerationReport], campaign: Campaign
) -> None:
    out, report = register
    places = {prefecture: [("9100067", "福井県福井市新田塚")] for prefecture in range(1, 48)}
    catalogue = Catalogue(campaign, places, full=True, text_file=False)
    kinds = {row.kind for row in catalogue.rows}
    assert len(kinds) > 150
    assert set(report.planted) == kinds
    expected = {kind for (kind,) in query(f"select distinct planted_as from '{out}/expected_dispositions.parquet'")}
    assert expected - {None} == {row.kind for row in catalogue.rows if row.disposition}
    codes = Counter(code for (code,) in query(f"select reason_code from '{out}/expected_rejects.parquet'"))
    assert set(codes) == {
        "duplicate_row", "conflicting_duplicate", "missing_value", "bad_format", "bad_code", "bad_date", "inconsistent"
    }  # fmt: skip
    for file, count in report.rejects.items():
        assert 0 < count <= max(5, report.drops["2025-04-30"][file] * 0.001)


@pytest.mark.parametrize("members", [1_000, 2_000, 19_999])
def test_a_small_register_keeps_its_rejects_to_five_rows_a_file(
    members: int, tmp_path: Path, campaign: Campaign
) -> None:
    report = generate(members, 1, tmp_path / "register", campaign, drops="campaign")
    assert report.drops["2025-04-30"]["members"] == members
    assert max(report.rejects.values()) <= 5


def test_each_household_and_employer_that_a_row_names_is_there(register: tuple[Path, GenerationReport]) -> None:
    out, _ = register
    for day in ("2025-04-30", "2025-10-31"):
        drop = out / f"as_of={day}"
        members = f"(select * from '{drop}/members.parquet' where length(insurer_number) = 8 and number[1] <> '9')"
        assert (
            query(f"select count(*) from {members} group by insurer_number, symbol, number, suffix having count(*) > 1")
            == []
        )
        assert query(
            f"""
            select count(*) from (
                select distinct insurer_number, symbol from {members} where enrolment = 'employee'
            ) anti join '{drop}/employers.parquet' using (insurer_number, symbol)
            """
        ) == [(0,)]
        assert query(
            f"""
            select count(*) from '{drop}/my_number_cards.parquet'
            as cards anti join '{drop}/members.parquet' using (insurer_number, symbol, number, suffix)
            where cards.number[1] <> '9'
            """
        ) == [(0,)]
        without_address = query(
            f"select count(*) from {members} where suffix = '00' and (insurer_number, symbol, number) not in"
            f" (select (insurer_number, symbol, number) from '{drop}/addresses.parquet')"
        )
        assert 0 < without_address[0][0] < 20


def test_deltas_laid_over_the_former_full_drop_give_the_next_one(tmp_path: Path, campaign: Campaign) -> None:
    out = tmp_path / "register"
    generate(20_000, 3, out, short(campaign))
    former, *deltas, following = [out / f"as_of={day}" for day in SHORT_SEASON]
    for file, width in KEYS.items():
        key = ", ".join(FILES[file][:width])
        rows = " union all ".join(
            f"select *, {n} as age from '{drop}/{file}.parquet'" for n, drop in enumerate([former, *deltas])
        )
        laid_over = f"(select * exclude (age) from ({rows}) qualify age = max(age) over (partition by {key}))"
        assert query(f"select count(*) from (from '{following}/{file}.parquet' except all from {laid_over})") == [(0,)]
        vanished = query(f"select count(*) from (from {laid_over} except all from '{following}/{file}.parquet')")
        assert vanished[0][0] <= 5
        assert query(f"select count(*) from '{deltas[0]}/{file}.parquet'")[0][0] > 0


def test_the_season_brings_every_kind_of_change(register: tuple[Path, GenerationReport]) -> None:
    out, _ = register
    first, last = (out / f"as_of={day}" for day in ("2025-04-30", "2025-10-31"))
    key = "insurer_number, symbol, number"
    changes = {
        "lost since": "old.lost_on is null and new.lost_on is not null",
        "renamed": "old.name <> new.name",
        "protected": "not old.protected and new.protected",
    }
    for kind, condition in changes.items():
        found = query(
            f"select count(*) from '{first}/members.parquet' as old join '{last}/members.parquet' as new"
            f" using ({key}, suffix) where {condition}"
        )
        assert found[0][0] > 0, kind
    for file, condition in (
        ("addresses", "old.address <> new.address"),
        ("my_number_cards", "not old.has_card and new.registered"),
        ("my_number_cards", "new.certificate_expires_on > old.certificate_expires_on"),
        ("my_number_cards", "old.registration_cancelled_on is null and new.registration_cancelled_on is not null"),
        ("employers", "old.closed_on is null and new.closed_on is not null"),
    ):
        columns = ", ".join(FILES[file][: KEYS[file]])
        found = query(
            f"select count(*) from '{first}/{file}.parquet' as old join '{last}/{file}.parquet' as new"
            f" using ({columns}) where {condition}"
        )
        assert found[0][0] > 0, condition
    for suffix, born in (("= '00'", ""), ("> '00'", "and birth_date > date '2025-04-30'")):
        appeared = query(
            f"select count(*) from '{last}/members.parquet' as late anti join '{first}/members.parquet' as early"
            f" using ({key}, suffix) where late.suffix {suffix} {born}"
        )
        assert appeared[0][0] > 0
    missing = query(
        f"select count(*) from '{first}/members.parquet' as early"
        f" anti join '{last}/members.parquet' as late using ({key}, suffix)"
        " where length(early.insurer_number) = 8 and sex is not null"
    )
    assert missing[0][0] > 0


def test_no_text_holds_twelve_digits(register: tuple[Path, GenerationReport]) -> None:
    out, _ = register
    for file, columns in FILES.items():
        for column in columns:
            assert query(
                f"select count(*) from '{out}/*/{file}.parquet'"
                f" where regexp_matches(nfc_normalize({column}::varchar), '[0-9０-９]{{12}}')"
            ) == [(0,)]


def test_csv_holds_the_same_register(tmp_path: Path, campaign: Campaign) -> None:
    for format in ("csv", "parquet"):
        generate(2_000, 5, tmp_path / format, campaign, format=format, drops="campaign")
    for file, columns in FILES.items():
        text = tmp_path / "csv" / "as_of=2025-04-30" / f"{file}.csv"
        assert next(csv.reader([text.read_text(encoding="utf-8").splitlines()[0]])) == columns
        as_text = ", ".join(f"{column}::varchar as {column}" for column in columns)
        parquet = f"select {as_text} from '{tmp_path}/parquet/as_of=2025-04-30/{file}.parquet'"
        delivered = f"select * from read_csv('{text}', all_varchar = true, header = true, hive_partitioning = false)"
        assert query(f"select count(*) from ({parquet} except all {delivered})") == [(0,)]


def test_refuses_a_folder_that_holds_drops(tmp_path: Path, campaign: Campaign) -> None:
    (tmp_path / "as_of=2025-04-30").mkdir()
    with pytest.raises(SyntheticRegisterError, match="holds register drops already"):
        generate(2_000, 1, tmp_path, campaign)


def test_refuses_a_register_too_small_for_its_planted_cases(tmp_path: Path, campaign: Campaign) -> None:
    with pytest.raises(SyntheticRegisterError, match="1000 to"):
        generate(10, 1, tmp_path / "register", campaign)


def test_nothing_is_left_beside_the_register(register: tuple[Path, GenerationReport]) -> None:
    out, _ = register
    assert not (out / ".work").exists()


def test_rows_keep_their_order_on_two_threads_beyond_one_row_group(tmp_path: Path, campaign: Campaign) -> None:
    generate(150_000, 9, tmp_path / "first", campaign, drops="campaign")
    generate(150_000, 9, tmp_path / "again", campaign, drops="campaign", threads=1)
    generate(150_000, 9, tmp_path / "season", campaign)
    # The same drop on any number of threads, alone or with a season after it.
    drop = digests(tmp_path / "first" / "as_of=2025-04-30")
    assert drop == digests(tmp_path / "season" / "as_of=2025-04-30")
    assert drop == digests(tmp_path / "again" / "as_of=2025-04-30")
    path = f"{tmp_path}/first/as_of=2025-04-30/members.parquet"
    with duckdb.connect() as con:
        unordered = con.execute(
            f"""
            select count(*) from (
                select place, lag(place) over (order by file_row_number) as before from (
                    select
                        file_row_number,
                        (substr(insurer_number, 3, 2) || lpad(number, 7, '0') || suffix)::bigint as place
                    from read_parquet('{path}', hive_partitioning = false, file_row_number = true)
                    where length(number) between 1 and 6 and number[1] <> '0' and length(insurer_number) = 8
                )
            ) where place <= before
            """
        ).fetchall()
    assert unordered == [(0,)]
