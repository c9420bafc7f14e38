"""Plays a world through the pipeline in this process: extraction, plans, answers of a printer that does everything."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from worlds import AFTER_ON, DELTA_ON, RUN_ON, SNAPSHOT, World, season_drops, write_drop

from approvals_kit import answer, approve
from kakuninsho.facts.schemas import FEEDS
from kakuninsho.facts.store import ARROW_TYPES
from kakuninsho.operations import extraction, planning, publishing
from kakuninsho.paths import PROJECT_ROOT
from kakuninsho.plans.approvals import APPROVED, Subject
from kakuninsho.plans.draft import PlanRequest
from kakuninsho.settings import Settings

CAMPAIGN = PROJECT_ROOT / "include" / "kakuninsho" / "campaign" / "fy2025"
HAND_OFF, LISTS, RELEASE, POSTING = date(2025, 5, 15), date(2025, 6, 16), date(2025, 7, 31), date(2025, 8, 1)


def installation(base: Path) -> Settings:
    """An installation whose campaign takes any number of rejects, targets and changes: a world is made of them."""
    folder = base / "campaigns" / "fy2025"
    shutil.copytree(CAMPAIGN, folder)
    raw = yaml.safe_load((folder / "campaign.yaml").read_text(encoding="utf-8"))
    raw["parameters"]["max_reject_rate"]["value"] = 1.0
    raw["parameters"]["target_share_from_members"]["value"] = 1_000_000
    raw["parameters"]["doubt_rows_always_believed"]["value"] = 1_000_000
    (folder / "campaign.yaml").write_text(yaml.safe_dump(raw, allow_unicode=True), encoding="utf-8")
    return settings_of(base)


def settings_of(base: Path) -> Settings:
    """The settings of an installation made before."""
    return Settings(base / "data", base / "register", base / "feeds", base / "keys", "fy2025")


def extract(settings: Settings, day: date) -> None:
    """Land every drop up to a day."""
    names = extraction.find(settings, day)
    extraction.stage(settings, names, day)
    extraction.judge(settings, names, day)
    extraction.land(settings, names, day)


def plan(settings: Settings, wish: PlanRequest) -> Path:
    """Draft, judge, freeze and approve a plan; returns its folder."""
    wish = planning.check(settings, wish)
    planning.draft(settings, wish)
    planning.judge(settings, wish)
    planning.freeze(settings, wish)
    if wish.kind == "home":
        planning.write_files(settings, wish.plan_id)
        approve(settings, wish.plan_id, wish.as_of)
    else:
        answer(settings.store, Subject(wish.plan_id, "0" * 64), APPROVED, APPROVED, on=wish.as_of)
    return settings.store.get("plans", wish.plan_id).path


def feed(settings: Settings, name: str, rows: list[dict[str, Any]], day: date) -> None:
    """Land rows as if a file of the printer had brought them."""
    source = f"{name}-{day}"
    with settings.store.land(
        f"feeds/{name}", f"{abs(hash(source)):016x}"[:16], received_on=day, source=source
    ) as draft:
        for table, columns in FEEDS[name].items():
            schema = pa.schema([(column, ARROW_TYPES[kind]) for column, kind in columns.items()])
            told = {"source_file": source, "received_on": day}
            values = [dict.fromkeys(columns) | row | told | {"row_number": n} for n, row in enumerate(rows, 1)]
            pq.write_table(pa.Table.from_pylist(values if table == "rows" else [], schema), draft.table(table))


def play_register(base: Path, world: World) -> Settings:
    """Extraction, first plan and publication of one drop."""
    write_drop(base / "register", SNAPSHOT, "full", world.tables())
    settings = installation(base)
    extract(settings, date.fromisoformat(SNAPSHOT))
    plan(settings, planning.home_wish(settings, HAND_OFF))
    publishing.publish(settings, HAND_OFF)
    return settings


def play_season(base: Path, world: World) -> Settings:
    """First plan, employer lists and one release."""
    for day, (kind, tables) in season_drops(world).items():
        write_drop(base / "register", day, kind, tables)
    settings = installation(base)
    extract(settings, date.fromisoformat(SNAPSHOT))
    home = plan(settings, planning.home_wish(settings, HAND_OFF))
    lots = pq.read_table(home / "lots.parquet").to_pylist()
    accepted = [
        {
            "file_name": lot["lot_id"],
            "lot_id": lot["lot_id"],
            "result": "accepted",
            "acknowledged_on": HAND_OFF,
        }
        for lot in lots
    ]
    feed(settings, "acknowledgements", accepted, HAND_OFF)
    plan(settings, PlanRequest("employer_list", LISTS, run_on=LISTS))
    extract(settings, date.fromisoformat(DELTA_ON))
    plan(settings, PlanRequest("release", RELEASE, posting_date=POSTING))
    return settings


def play_follow_up(settings: Settings) -> Settings:
    """The release's pieces are posted, nearly all come back, and a follow-up runs."""
    plans = settings.store.root / "plans"
    home, release = plans / f"home-{SNAPSHOT}", plans / f"release-{POSTING}"
    pulled = set(pq.read_table(release / "pulls.parquet").column("envelope_id").to_pylist())
    pieces = [piece for path in (home, release) for piece in pq.read_table(path / "envelopes.parquet").to_pylist()]
    spare = {
        lot["lot_id"]: iter(range(lot["replacement_first"], lot["replacement_last"] + 1))
        for path in (home, release)
        for lot in pq.read_table(path / "lots.parquet").to_pylist()
    }
    reports, returns = [], []
    run_on = date.fromisoformat(RUN_ON)
    for number, piece in enumerate(pieces):
        envelope_id, lot = piece["envelope_id"], {"lot_id": piece["lot_id"], "occurred_on": POSTING}
        if envelope_id in pulled:
            reports.append({"envelope_id": envelope_id, "event_type": "pulled", **lot})
            continue
        # Two in twenty-six are printed again, once or twice: the last one is posted.
        for _ in range(max(0, number % 26 - 23)):
            sequence = next(spare[piece["lot_id"]])
            again = f"{sequence:09d}{98 - sequence * 100 % 97:02d}"
            reports.append({"envelope_id": envelope_id, "event_type": "spoiled", "replacement_id": again, **lot})
            envelope_id = again
        same = {"envelope_id": envelope_id, "tracking_number": f"5{number:010d}"}
        reports.append({"event_type": "posted", **same, **lot})
        # One in ten is delivered, one in ten comes back on the day of the run, the others the day before.
        if number % 10 < 9:
            returned_on = run_on if number % 10 == 8 else date(2025, 8, 31)
            returns.append(same | {"returned_on": returned_on, "reason_code": "R01"})
    feed(settings, "piece_reports", reports, date(2025, 8, 4))
    feed(settings, "return_reports", returns, run_on)
    extract(settings, date.fromisoformat(AFTER_ON))
    plan(settings, PlanRequest("follow_up", run_on, run_on=run_on))
    publishing.publish(settings, run_on)
    return settings
