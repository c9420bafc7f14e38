"""A run never goes on over a corrupt fact: a quick look before anything is decided on facts.

Every fact.json is read and its place in the chain checked; a payload is hashed when it is new to this data folder or
has another size or time than when it was last hashed. `verify` reads every byte; this is what each run can afford.
"""

from __future__ import annotations

import json
from pathlib import Path

from kakuninsho.facts.chain import FACT, FIRST, CorruptFactError, digest, locked, write_flushed
from kakuninsho.facts.schemas import KINDS
from kakuninsho.facts.store import Fact, FactStore, sha256_of

SEEN = "seen.json"  # what was hashed before, by path; derived, made anew when it is missing or broken
WHAT_TO_DO = "Nothing was decided or sent. Run `kakuninsho verify`, and restore the fact from the backup"


def require_sound(store: FactStore) -> int:
    """Look at every fact; returns how many there are.

    Raises:
        CorruptFactError: a fact is damaged, missing, added or out of its place. Names it.
    """
    store.initialise()
    with locked(store.root):  # nobody lands between reading the facts and the head
        facts = [fact for kind in KINDS for fact in store.all(kind)]
        _check_links(facts, store)
    seen = _read(store.data / SEEN)
    now: dict[str, list[int]] = {}
    deleted = {(fact.kind, fact.name) for fact in facts if _is_deleted(store, fact)}
    for fact in facts:
        for file, sha256 in fact.meta["sha256"].items():
            _check_file(fact, file, sha256, seen, now, deleted=(fact.kind, fact.name) in deleted)
    if now != seen:
        write_flushed(store.data / SEEN, (json.dumps(now) + "\n").encode())
    return len(facts)


def _check_links(facts: list[Fact], store: FactStore) -> None:
    links = sorted((fact for fact in facts if "chain" in fact.meta), key=lambda fact: int(fact.meta["chain"]["number"]))
    previous = FIRST
    for expected, fact in enumerate(links, start=1):
        if fact.meta["chain"]["number"] != expected or fact.meta["chain"]["previous"] != previous:
            raise CorruptFactError(
                f"the chain of facts is broken at {fact.kind}/{fact.name}: a fact before it was removed, added or "
                f"changed. {WHAT_TO_DO}"
            )
        previous = digest((fact.path / FACT).read_bytes())
    head = store.head()  # refuses a head whose fact was removed
    if (head.count, head.sha256) != (len(links), previous):
        raise CorruptFactError(
            f"the chain of facts ends at {len(links)} and facts/head.json says {head.count}. {WHAT_TO_DO}"
        )


def _check_file(
    fact: Fact, file: str, sha256: str, seen: dict[str, list[int]], now: dict[str, list[int]], *, deleted: bool
) -> None:
    path = fact.path / file
    try:
        stat = path.stat()
    except FileNotFoundError:
        if deleted:
            return
        raise CorruptFactError(f"{fact.kind}/{fact.name}/{file} is missing. {WHAT_TO_DO}") from None
    key, mark = f"{fact.kind}/{fact.name}/{file}", [stat.st_size, stat.st_mtime_ns]
    if seen.get(key) != mark and sha256_of(path) != sha256:
        raise CorruptFactError(
            f"{key} is damaged: its bytes are not those that landed on {fact.meta['received_on']}. {WHAT_TO_DO}"
        )
    now[key] = mark


def _is_deleted(store: FactStore, fact: Fact) -> bool:
    gone = [file for file in fact.meta["sha256"] if not (fact.path / file).exists()]
    return bool(gone) and store.deleted_on(fact) is not None


def _read(path: Path) -> dict[str, list[int]]:
    try:
        found = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
