"""What comes back: acknowledgements, piece reports and returns of the printer, and the core system's other feeds."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import shutil
import time
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from kakuninsho.facts.schemas import FEEDS, REFUSALS
from kakuninsho.facts.store import ARROW_TYPES, FactConflictError, FactStore, sha256_of
from kakuninsho.feeds import FeedError, StagedFeed, land_feed, stage_feed
from kakuninsho.gates import GateFailedError, require, run_gate
from kakuninsho.printer.sealing import load_keys
from kakuninsho.printer.transfer import Refusal, SftpTarget, fetch_answers
from kakuninsho.runs import recorded
from kakuninsho.settings import Settings

log = logging.getLogger(__name__)

CORE_FEEDS = ("issue_requests", "certificate_returns", "decisions", "usage_counts")
# Refusals of what the printer did not send: files of the core system, drops of the register.
OTHERS = ("inbox/", "register/")
REFUSED = "refused.txt"
_LEFT_OVER_AFTER_SECONDS = 2 * 24 * 3600
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
        if fact.meta["received_on"] == as_of.isoformat() and not str(fact.meta["source"]).startswith(OTHERS)
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


def _land_refusal(store: FactStore, refusal: Refusal, as_of: date, *, folder: str = "") -> None:
    """Make a refusal a fact, once for each file and reason: it is an alert until the file is taken in."""
    digest = hashlib.sha256(f"{refusal.name} {refusal.reason}".encode()).hexdigest()
    if store.find("refusals", digest[:16]) is not None:
        return
    row = {"file_name": refusal.name, "reason": refusal.reason, "received_on": as_of}
    schema = pa.schema([(name, ARROW_TYPES[kind]) for name, kind in REFUSALS["refusals"].items()])
    try:
        with store.land("refusals", digest[:16], received_on=as_of, source=f"{folder}{refusal.name}") as draft:
            pq.write_table(pa.Table.from_pylist([row], schema=schema), draft.table("refusals"))
    except FactConflictError:
        return  # another run said so meanwhile


def _feed_of(path: Path, feeds: tuple[str, ...] = CORE_FEEDS) -> str | None:
    """The feed whose name a file's name begins with, as the contract writes it; the suffix may be .CSV."""
    if path.suffix.lower() != ".csv" or not path.is_file():
        return None
    return next((name for name in feeds if path.name.startswith(name)), None)


def _manifest_of(path: Path) -> Path:
    return path.with_name(path.name + ".manifest.json")


def watch_inbox(settings: Settings, as_of: date, *, dry_run: bool = False) -> list[str]:
    """Say which files of the core system's folder no feed takes, or wait for their manifest, a day after first sight.

    A name that only resembles a feed's (another case, another prefix or suffix) is read by nobody. Each becomes a
    refusal, which is an alert until a file of the name is taken in; not in a dry run. Returns their names.

    The day of first sight is kept beside the facts: a file's own time says nothing in a season that is played again.
    """
    if not settings.feeds.is_dir():
        return []
    waiting = {path.name: reason for path in sorted(settings.feeds.iterdir()) if (reason := _why_untaken(path))}
    path = settings.data / "inbox_seen.json"
    known: dict[str, str] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    seen = {name: min(known.get(name, as_of.isoformat()), as_of.isoformat()) for name in waiting}
    late = [name for name, day in seen.items() if date.fromisoformat(day) < as_of]
    for name in late:
        log.warning("%s lies in the inbox since %s: %s", name, seen[name], waiting[name])
    if dry_run:
        return late
    if seen != known:
        settings.data.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(f".{os.getpid()}")
        draft.write_text(json.dumps(seen, ensure_ascii=False, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        draft.replace(path)
    settings.store.initialise()
    for name in late:
        reason = f"files in the inbox that no feed takes: {name}, there since {seen[name]}: {waiting[name]}"
        _land_refusal(settings.store, Refusal(name, reason), as_of, folder="inbox/")
    return late


def _why_untaken(path: Path) -> str | None:
    """Why nobody reads a file of the inbox; None where it is read, belongs to one that is, or is nobody's file."""
    if not path.is_file() or path.name.startswith("."):
        return None
    if path.name.lower().endswith(".manifest.json"):
        file = path.with_name(path.name[: -len(".manifest.json")])
        return None if file.is_file() else "a manifest without its file"
    if _feed_of(path) is None:
        return f"the name is none of a feed ({', '.join(CORE_FEEDS)}) with the suffix .csv"
    return None if _manifest_of(path).is_file() else "its manifest has not come"


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
    for path in sorted(settings.feeds.iterdir()) if settings.feeds.is_dir() else []:
        feed = _feed_of(path, feeds)
        if feed and _manifest_of(path).is_file() and landed.get((feed, path.name)) != sha256_of(path):
            found.append((feed, path.name))
    return found


def staging_folder(settings: Settings, files: list[tuple[str, str]], run: str = "") -> Path:
    """The folder in which a run's files lie aside: its own, so that no other run clears it away."""
    key = hashlib.sha256(repr((run, sorted((feed, name) for feed, name in files))).encode()).hexdigest()[:16]
    return settings.data / "staging" / "feeds" / key


def judge_and_stage(
    settings: Settings, files: list[tuple[str, str]], folder: Path, as_of: date, run: str = ""
) -> list[str]:
    """Read files into accepted and rejected rows, aside, and let each feed's gate judge them. Returns warnings.

    A file that cannot be read, or that the gate refuses, is set aside with its reason; the others go on. `land` makes
    the refusal a fact.
    """
    warnings: list[str] = []
    work = staging_folder(settings, files, run)
    _clear_old(work.parent)
    shutil.rmtree(work, ignore_errors=True)
    for feed in sorted({feed for feed, _ in files}):
        with recorded(settings.data, f"feed-{feed}", as_of) as record:
            names = [name for of, name in files if of == feed]
            staged = [
                item for name in names if (item := _staged(settings, feed, folder / name, work / feed / name, as_of))
            ]
            try:
                warnings += _judged(settings, feed, work / feed / "*", staged, as_of)
            except GateFailedError:
                staged = [item for item in staged if _passes_alone(settings, feed, item, as_of)]
            record.update(files=len(staged), rows=sum(item.declared_rows for item in staged))
    return warnings


def _staged(settings: Settings, feed: str, path: Path, work: Path, as_of: date) -> StagedFeed | None:
    reason = ""
    try:
        return stage_feed(settings.store, feed, path, work, received_on=as_of)
    except FeedError as error:
        reason = str(error)
    _set_aside(work, reason)
    return None


def _set_aside(work: Path, reason: str) -> None:
    log.error("%s was set aside: %s", work.name, reason)
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True, mode=0o700)
    (work / REFUSED).write_text(reason, encoding="utf-8")


def set_aside(settings: Settings, files: list[tuple[str, str]], run: str = "") -> dict[str, str]:
    """Why a run's files were set aside, by file name."""
    work = staging_folder(settings, files, run)
    return {
        name: (work / feed / name / REFUSED).read_text(encoding="utf-8")
        for feed, name in files
        if (work / feed / name / REFUSED).is_file()
    }


def _passes_alone(settings: Settings, feed: str, item: StagedFeed, as_of: date) -> bool:
    reason = ""
    try:
        _judged(settings, feed, item.path, [item], as_of)
    except GateFailedError as error:
        reason = f"{item.source}: {error}"
    if reason:
        _set_aside(item.path, reason)
    return not reason


def _judged(settings: Settings, feed: str, folder: Path, staged: list[StagedFeed], as_of: date) -> list[str]:
    """The gate's warnings of files that lie in folders that match."""
    if not staged:
        return []
    result = run_gate(
        f"inbound/feed_{feed}",
        {table: folder / f"{table}.parquet" for table in FEEDS[feed]},
        settings.data / "published" / "validations" / f"feeds-{as_of}",
        {"declared_rows": sum(item.declared_rows for item in staged)},
        campaign=settings.campaign,
    )
    require(result)
    return [f"{feed} {finding}" for finding in result.warnings]


def _clear_old(folder: Path) -> None:
    """Remove what runs left that never came to their end: it holds rows of people."""
    for path in folder.iterdir() if folder.is_dir() else ():
        with contextlib.suppress(FileNotFoundError):
            if time.time() - path.stat().st_mtime > _LEFT_OVER_AFTER_SECONDS:
                shutil.rmtree(path, ignore_errors=True)


def land(settings: Settings, files: list[tuple[str, str]], as_of: date, run: str = "") -> list[str]:
    """Make staged files facts; a file that has landed already is left as it is, one that was set aside is a refusal."""
    work = staging_folder(settings, files, run)
    refused = set_aside(settings, files, run)
    landed = [
        land_feed(settings.store, StagedFeed.read(work / feed / name), received_on=as_of).name
        for feed, name in files
        if name not in refused
    ]
    for feed, name in files:
        if name in refused:
            is_core = feed in CORE_FEEDS
            _land_refusal(settings.store, Refusal(name, refused[name]), as_of, folder="inbox/" if is_core else "")
    shutil.rmtree(work, ignore_errors=True)
    return landed
