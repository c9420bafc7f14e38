"""What comes back: acknowledgements, piece reports and returns of the printer, and the core system's other feeds."""

from __future__ import annotations

import hashlib
import logging
import shutil
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from kakuninsho.facts.schemas import FEEDS, REFUSALS
from kakuninsho.facts.store import ARROW_TYPES, FactStore, sha256_of
from kakuninsho.feeds import StagedFeed, land_feed, stage_feed
from kakuninsho.gates import require, run_gate
from kakuninsho.printer.sealing import load_keys
from kakuninsho.printer.transfer import Refusal, SftpTarget, fetch_answers
from kakuninsho.runs import recorded
from kakuninsho.settings import Settings

log = logging.getLogger(__name__)

CORE_FEEDS = ("issue_requests", "certificate_returns", "decisions", "usage_counts")
PRINTER_FEEDS = ("acknowledgements", "piece_reports", "return_reports")


class AnswersRefusedError(RuntimeError):
    """Answers of the printer were not taken in. Says which files and why; the others were taken in."""


def check_refusals(settings: Settings, as_of: date) -> None:
    """Say which answers were refused on a day and have not been put right since.

    Raises:
        AnswersRefusedError: at least one was.
    """
    landed = {str(fact.meta["source"]) for feed in PRINTER_FEEDS for fact in settings.store.all(f"feeds/{feed}")}
    rows = [
        row
        for fact in settings.store.all("refusals")
        if fact.meta["received_on"] == as_of.isoformat()
        for row in pq.read_table(fact.table("refusals")).to_pylist()
        # The same name that had landed before is refused for good: only a new name puts it right.
        if row["file_name"] not in landed or "name_conflict" in row["reason"]
    ]
    if rows:
        raise AnswersRefusedError(
            f"{len(rows)} answers of the printer were not taken in (docs/runbooks/answer_refused.md): "
            + "; ".join(sorted(str(row["reason"]) for row in rows))
        )


def fetch(settings: Settings, target: SftpTarget, as_of: date, *, dry_run: bool = False) -> list[tuple[str, str]]:
    """Bring the printer's new answers in, opened and verified. Returns (feed, file name), in order of name.

    An answer that is refused becomes a fact, except in a dry run.
    """
    store = settings.store
    store.initialise()
    known = {
        str(fact.meta["source"]): str(fact.meta["source_sha256"])
        for feed in PRINTER_FEEDS
        for fact in store.all(f"feeds/{feed}")
    }
    inbox = settings.data / "inbox"
    shutil.rmtree(inbox, ignore_errors=True)
    with recorded(settings.data, "fetch-answers", as_of) as record:
        fetched = fetch_answers(known, target, load_keys(settings.keys), inbox)
        for refusal in fetched.refusals:
            log.error("%s was not taken in: %s", refusal.name, refusal.reason)
            if not dry_run:
                _land_refusal(store, refusal, as_of)
        record.update(files=len(fetched.answers), refused=len(fetched.refusals))
    return sorted((answer.feed, answer.name) for answer in fetched.answers)


def _land_refusal(store: FactStore, refusal: Refusal, as_of: date) -> None:
    """Make a refusal a fact, once for each file and reason: it is an alert until the file is taken in."""
    digest = hashlib.sha256(f"{refusal.name} {refusal.reason}".encode()).hexdigest()
    if store.find("refusals", digest[:16]) is not None:
        return
    row = {"file_name": refusal.name, "reason": refusal.reason, "received_on": as_of}
    schema = pa.schema([(name, ARROW_TYPES[kind]) for name, kind in REFUSALS["refusals"].items()])
    with store.land("refusals", digest[:16], received_on=as_of, source=refusal.name) as draft:
        pq.write_table(pa.Table.from_pylist([row], schema=schema), draft.table("refusals"))


def find_core_feeds(settings: Settings, feeds: tuple[str, ...] = CORE_FEEDS) -> list[tuple[str, str]]:
    """Files of the core system's feeds that have not landed: (feed, file name).

    A file belongs to the feed that its name begins with. The same name with other content is found again, so that
    landing can say so.
    """
    settings.store.initialise()
    landed = {
        (feed, str(fact.meta["source"])): fact.meta["source_sha256"]
        for feed in feeds
        for fact in settings.store.all(f"feeds/{feed}")
    }
    found = []
    for path in sorted(settings.feeds.glob("*.csv")) if settings.feeds.is_dir() else []:
        feed = next((name for name in feeds if path.name.startswith(name)), None)
        complete = path.with_name(path.name + ".manifest.json").is_file()
        if feed and complete and landed.get((feed, path.name)) != sha256_of(path):
            found.append((feed, path.name))
    return found


def judge_and_stage(settings: Settings, files: list[tuple[str, str]], folder: Path, as_of: date) -> list[str]:
    """Read files into accepted and rejected rows, aside, and let each feed's gate judge them. Returns warnings.

    Raises:
        FeedError: a file that cannot be read at all.
        GateFailedError: a critical expectation fails; nothing is landed.
    """
    warnings: list[str] = []
    work = settings.data / "staging" / "feeds"
    shutil.rmtree(work, ignore_errors=True)
    for feed in sorted({feed for feed, _ in files}):
        with recorded(settings.data, f"feed-{feed}", as_of) as record:
            staged = [
                stage_feed(settings.store, feed, folder / name, work / feed / name, received_on=as_of)
                for of, name in files
                if of == feed
            ]
            result = run_gate(
                f"inbound/feed_{feed}",
                {table: work / feed / "*" / f"{table}.parquet" for table in FEEDS[feed]},
                settings.data / "published" / "validations" / f"feeds-{as_of}",
                {"declared_rows": sum(item.declared_rows for item in staged)},
                campaign=settings.campaign,
            )
            require(result)
            warnings += [f"{feed} {finding}" for finding in result.warnings]
            record.update(files=len(staged), rows=sum(item.declared_rows for item in staged))
    return warnings


def land(settings: Settings, files: list[tuple[str, str]], as_of: date) -> list[str]:
    """Make staged files facts; a file that has landed already is left as it is."""
    work = settings.data / "staging" / "feeds"
    landed = [
        land_feed(settings.store, StagedFeed.read(work / feed / name), received_on=as_of).name for feed, name in files
    ]
    shutil.rmtree(work, ignore_errors=True)
    return landed
