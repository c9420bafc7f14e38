"""Which columns are personal is said once, in the models, and the copy for analysts has none of them."""

from __future__ import annotations

import re
import stat
from pathlib import Path
from typing import Any

import duckdb
import pytest

from kakuninsho.operations.publishing import export
from kakuninsho.page import figures
from kakuninsho.paths import PROJECT_ROOT
from kakuninsho.warehouse import TransformError
from kakuninsho.warehouse.personal import Mart, described_marts
from kakuninsho.warehouse.transform import project_manifest

# What a register or a letter says of a person, by the names that columns here have.
TELLING = re.compile(r"(^|_)(name|kana|birth_date|sex|address|building|postal_code|country)(_|$)")
TELLS_NOBODY = re.compile(r"^(fits_|is_|has_|hold_|max_)|_is_|^(branch|column|file)_name$")
# Columns that others rely on in the copy for analysts, whatever becomes of the rest.
RELIED_ON = {
    "fct_register_rejects": "file row_number column_name reason_code",
    "fct_member_dispositions": "insurer_number symbol number suffix disposition reason_code wave_key",
    "fct_late_dispositions": "insurer_number symbol number suffix disposition reason_code wave_key judged_on",
    "fct_certificates": "certificate_id insurer_number symbol number suffix route need issued_on valid_until "
    "envelope_id status status_on",
    "fct_envelopes": "envelope_id insurer_number symbol number position envelopes_in_household certificate_count "
    "lot_id wave_key posting_date status",
    "fct_lots": "lot_id wave_key insurer_number kind envelope_count certificate_count status",
    "fct_mail_events": "event_id envelope_id event_type occurred_on source_file",
    "fct_employer_lists": "insurer_number symbol number suffix",
    "fct_employer_follow_ups": "envelope_id run_on outcome bundle_id",
    "fct_everyone": "insurer_number line reason_code people",
    "fct_unserved_people": "insurer_number symbol number suffix reason_code",
    "fct_ledger": "stage left_side right_side difference closes",
    "fct_usage_rates": "prefecture_code month rate rank source",
    "fct_card_expiry_forecast": "insurer_number month expiring_count grace_ending_count",
    "fct_seed_pieces": "envelope_id lot_id status",
    "dim_branches": "insurer_number source",
    "dim_dispatch_windows": "insurer_number source",
}
JAPANESE = re.compile("[぀-ヿ一-鿿]")
ENGLISH = re.compile("[A-Za-z]{2}")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("personal")


@pytest.fixture(scope="module")
def manifest(data: Path) -> Any:
    return project_manifest(data)


@pytest.fixture(scope="module")
def marts(data: Path) -> dict[str, Mart]:
    return described_marts(data)


def models(manifest: Any) -> list[Any]:
    return [node for node in manifest.nodes.values() if str(node.resource_type) == "model"]


def test_every_column_that_tells_of_a_person_is_marked(manifest: Any) -> None:
    telling = [
        (node.name, name, column)
        for node in models(manifest)
        for name, column in node.columns.items()
        if TELLING.search(name) and not TELLS_NOBODY.search(name)
    ]
    assert len(telling) > 50
    assert [(model, name) for model, name, column in telling if column.config.meta.get("personal") is not True] == []


def test_no_mark_takes_away_what_others_rely_on(marts: dict[str, Mart]) -> None:
    missing = {
        name: sorted(set(columns.split()) - set(marts[name].open_columns))
        for name, columns in RELIED_ON.items()
        if not set(columns.split()) <= set(marts[name].open_columns)
    }
    assert missing == {}


def test_only_the_restricted_mart_has_personal_columns(marts: dict[str, Mart]) -> None:
    assert [mart.name for mart in marts.values() if mart.is_restricted] == ["dim_waiting_people"]
    assert marts["dim_waiting_people"].open_columns == ()


def test_every_mart_and_column_is_described_in_japanese_and_english(manifest: Any) -> None:
    texts = {
        f"{node.name}.{name}".rstrip("."): description
        for node in models(manifest)
        if node.schema == "marts"
        for name, description in [
            ("", node.description),
            *((column.name, column.description) for column in node.columns.values()),
        ]
    }
    assert len(texts) > 200
    assert [name for name, text in texts.items() if not (JAPANESE.search(text) and ENGLISH.search(text))] == []


def test_every_mart_has_a_reader(manifest: Any, marts: dict[str, Mart]) -> None:
    read = {node.split(".")[-1] for exposure in manifest.exposures.values() for node in exposure.depends_on.nodes}
    assert set(marts) - read == set()
    assert {"campaign_page", "analysts", "printer", "employers", "summary"} <= {
        exposure.name for exposure in manifest.exposures.values()
    }


def test_the_pages_exposure_names_what_the_page_reads(manifest: Any) -> None:
    exposure = next(item for item in manifest.exposures.values() if item.name == "campaign_page")
    reads = set(re.findall(r"marts\.(\w+)", Path(figures.__file__).read_text(encoding="utf-8")))
    assert {node.split(".")[-1] for node in exposure.depends_on.nodes} == reads


def test_the_analysts_guide_asks_only_what_their_exposure_names(manifest: Any) -> None:
    exposure = next(item for item in manifest.exposures.values() if item.name == "analysts")
    guide = (PROJECT_ROOT / "docs" / "analysts.md").read_text(encoding="utf-8")
    asked = {
        name
        for query in re.findall(r"```sql.*?```", guide, re.S)
        for name in re.findall(r"marts\.((?:fct|dim)_\w+)", query)
    }
    assert len(asked) > 5
    assert asked <= {node.split(".")[-1] for node in exposure.depends_on.nodes}


def warehouse(data: Path, marts: dict[str, Mart], **extra: str) -> None:
    """A warehouse with every described mart, empty but for one person, and tables beside them."""
    (data / "warehouse.duckdb").unlink(missing_ok=True)
    with duckdb.connect(str(data / "warehouse.duckdb")) as connection:
        connection.execute("create schema marts")
        for mart in marts.values():
            columns = ", ".join(f'"{name}" varchar' for name in mart.columns)
            connection.execute(f"create table marts.{mart.name} ({columns})")
        connection.execute("insert into marts.dim_waiting_people (symbol, name) values ('1234567', '健保　太郎')")
        for name, columns in extra.items():
            connection.execute(f"create or replace table marts.{name} ({columns})")


def test_the_copies_are_parted_and_nobody_else_may_read_them(data: Path, marts: dict[str, Mart]) -> None:
    warehouse(data, marts, fct_of_yesterday="name varchar")
    assert export(data) == len(marts) - 1
    with duckdb.connect(str(data / "published" / "analytics.duckdb"), read_only=True) as connection:
        tables = {row[0] for row in connection.execute("select table_name from duckdb_tables()").fetchall()}
    assert tables == set(marts) - {"dim_waiting_people"}
    assert {path.stem for path in (data / "published" / "parquet").iterdir()} == tables
    with duckdb.connect(str(data / "restricted" / "analytics.duckdb"), read_only=True) as connection:
        assert connection.execute("select name from marts.dim_waiting_people").fetchall() == [("健保　太郎",)]
    assert [path.stem for path in (data / "restricted" / "parquet").iterdir()] == ["dim_waiting_people"]
    for copy in ("published", "restricted"):
        assert stat.S_IMODE((data / copy).stat().st_mode) == 0o700
        assert {stat.S_IMODE(path.stat().st_mode) for path in (data / copy).rglob("*.*") if path.is_file()} == {0o600}


def test_a_column_that_nobody_described_stops_the_publication(data: Path, marts: dict[str, Mart]) -> None:
    warehouse(data, marts)
    export(data)
    before = (data / "published" / "analytics.duckdb").read_bytes()
    warehouse(data, marts, dim_branches="insurer_number varchar, telephone varchar")
    with pytest.raises(TransformError, match="telephone"):
        export(data)
    assert (data / "published" / "analytics.duckdb").read_bytes() == before


def test_a_marked_column_of_an_open_mart_is_left_out(
    data: Path, marts: dict[str, Mart], monkeypatch: pytest.MonkeyPatch
) -> None:
    warehouse(data, marts)
    marked = Mart("dim_branches", marts["dim_branches"].columns, frozenset({"branch_name"}), is_personal=False)
    monkeypatch.setattr(
        "kakuninsho.operations.publishing.described_marts", lambda _data: marts | {"dim_branches": marked}
    )
    export(data)
    with duckdb.connect(str(data / "published" / "analytics.duckdb"), read_only=True) as connection:
        columns = [row[0] for row in connection.execute("describe marts.dim_branches").fetchall()]
    assert columns == [name for name in marked.columns if name != "branch_name"]
    with duckdb.connect(str(data / "restricted" / "analytics.duckdb"), read_only=True) as connection:
        columns = [row[0] for row in connection.execute("describe marts.dim_branches").fetchall()]
    assert columns == list(marked.columns)
