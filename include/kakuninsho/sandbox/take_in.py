"""Taking in what the insurer sent: open, check, decide, and note an acknowledgement for each complete file."""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa

from kakuninsho.sandbox.batches import Batch, add_batch
from kakuninsho.sandbox.calendar import next_worked, on_or_after
from kakuninsho.sandbox.layout import CONTRACT, MANIFEST, NAME_PATTERNS, PART, SEALED
from kakuninsho.sandbox.lot_file import Lot, RefusedError, read_lot, read_order
from kakuninsho.sandbox.seal import SealError, SignatureError, open_sealed
from kakuninsho.sandbox.workshop import Workshop

log = logging.getLogger("kakuninsho.sandbox")

_CAMPAIGN = re.compile(r"pv1_([a-z0-9]+)_")
# Reasons that say nothing about the content: the same content under the same name is judged afresh.
_NOT_OF_CONTENT = ("manifest_differs", "signature_invalid", "cannot_decrypt", "name_conflict")
MAX_MANIFEST_BYTES = 1_000_000
_WITHOUT_RELEASE = ("E", "L")


class _NotYetError(Exception):
    """Something that must come first has not arrived; the file is looked at again later."""


@dataclass(frozen=True)
class _Name:
    """What a file's own name says."""

    kind: str
    campaign: str
    count: int
    lot_id: str | None
    lot_kind: str | None
    prefecture: int | None


@dataclass(frozen=True)
class _Held:
    """A lot that was accepted."""

    lot_id: str
    lot_no: int
    sha256_clear: str
    state: str
    kind: str
    posting_date: date


@dataclass(frozen=True)
class _Verdict:
    """The row of an acknowledgement, without the file's name and the day."""

    result: str
    reason: str | None = None
    lot_id: str | None = None
    envelopes: int | None = None
    certificates: int | None = None
    sha256_clear: str | None = None


def _read_name(file_name: str) -> _Name | None:
    for kind, pattern in NAME_PATTERNS.items():
        match = pattern.fullmatch(file_name)
        if match:
            parts = match.groupdict()
            prefecture = parts.get("prefecture")
            return _Name(
                kind,
                parts["campaign"],
                int(parts["count"]),
                parts.get("lot_id"),
                parts.get("kind"),
                int(prefecture) if prefecture else None,
            )
    return None


def newest_day_in_names(names: Iterable[str]) -> date | None:
    """The newest date in names of orders and of lots that need no release (`--clock follow`).

    Home lots are handed over months ahead, so their posting date says nothing about today.
    """
    days = []
    for name in names:
        clear = name.removesuffix(SEALED).removesuffix(MANIFEST)
        for kind, pattern in NAME_PATTERNS.items():
            match = pattern.fullmatch(clear)
            if match and not (kind == "lot" and match["kind"] in "HS"):
                try:
                    days.append(date.fromisoformat(match["day"]))
                except ValueError:
                    continue
    return max(days, default=None)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class TakeIn:
    """The printer's goods-in."""

    def __init__(self, workshop: Workshop) -> None:
        self._workshop = workshop
        self._root = workshop.root
        self._keys = workshop.keys
        self._state = workshop.state
        self._faults = workshop.faults
        self._with_holders = False

    def waiting(self) -> list[str]:
        """Names of manifests that arrived, or arrived again, since the last look; lots first, releases last."""
        known = dict(self._state.rows("select manifest, mark from seen"))
        rank = {"_lot_": 0, "_pull_": 1, "_urgent_": 1, "_stop_": 2, "_release_": 3}
        found = []
        for path in self._root.inbox.iterdir():
            if path.name.endswith(MANIFEST + SEALED) and known.get(path.name) != self._mark(path):
                order = min((place for word, place in rank.items() if word in path.name), default=4)
                found.append((order, path.name))
        return [name for _, name in sorted(found)]

    def is_complete(self, name: str) -> bool:
        """Whether a name that was just renamed into place ends an upload."""
        return name.endswith(MANIFEST + SEALED) and not name.endswith(PART)

    def _mark(self, manifest: Path) -> str:
        data = manifest.with_name(manifest.name.removesuffix(MANIFEST + SEALED) + SEALED)
        marks = []
        for path in (data, manifest):
            try:
                status = path.stat()
            except FileNotFoundError:
                marks.append("none")
            else:
                marks.append(f"{status.st_ino}/{status.st_size}/{status.st_mtime_ns}")
        return " ".join(marks)

    def take(self, manifest_name: str, today: date) -> bool:
        """Judge one complete file, in one transaction. False when it has to wait for another file."""
        file_name = manifest_name.removesuffix(MANIFEST + SEALED)
        manifest_path = self._root.inbox / manifest_name
        mark = self._mark(manifest_path)
        clear = self._state.temporary / "clear"
        self._with_holders = self._workshop.replies.are_known  # read outside of the transaction
        try:
            with self._state.transaction():
                verdict = self._judge(file_name, manifest_path, clear, today)
                self._acknowledge(file_name, verdict, today)
                self._state.run("insert or replace into seen values (?, ?)", manifest_name, mark)
                self._state.run("delete from settings where name = ?", f"waits|{file_name}")
        except _NotYetError:
            return False
        finally:
            clear.unlink(missing_ok=True)
        return True

    def _judge(self, file_name: str, manifest_path: Path, clear: Path, today: date) -> _Verdict:
        sealed = manifest_path.with_name(file_name + SEALED)
        sha256: str | None = None
        lot_id: str | None = None
        try:
            manifest = self._open_manifest(manifest_path)
            name = _read_name(file_name)
            if name is not None:
                lot_id = name.lot_id
            self._open(sealed, clear, manifest)
            sha256 = _sha256(clear)
            if clear.stat().st_size != manifest.get("byte_count_clear") or sha256 != manifest.get("sha256_clear"):
                raise RefusedError("manifest_differs", "size or hash of the clear file")
            before = self._answered_before(file_name, sha256)
            if before is not None:
                return before
            if name is None or manifest.get("file_kind") != name.kind:
                raise RefusedError("layout_invalid", "the name is not that of a file of this kind")
            if (
                manifest.get("contract") != CONTRACT
                or manifest.get("campaign") != name.campaign
                or manifest.get("file_name") != file_name
            ):
                raise RefusedError("manifest_differs", "contract, campaign or file_name")
            if name.kind == "lot":
                return self._take_lot(name, clear, manifest, sha256, today)
            self._take_order(name, clear, manifest, today)
            return _Verdict("accepted", sha256_clear=sha256)
        except SealError:
            refusal = RefusedError("cannot_decrypt", "file or manifest")
        except SignatureError:
            refusal = RefusedError("signature_invalid", "file or manifest")
        except RefusedError as error:
            refusal = error
        log.info("refused %s: %s", file_name, refusal)
        if self._faults.strikes("accept_anything", file_name):
            return _Verdict("accepted", lot_id=lot_id)
        return _Verdict("rejected", refusal.reason, lot_id, sha256_clear=sha256)

    def _open_manifest(self, path: Path) -> dict[str, Any]:
        clear = self._state.temporary / "manifest"
        try:
            open_sealed(path, clear, self._keys)
            if clear.stat().st_size > MAX_MANIFEST_BYTES:
                raise RefusedError("manifest_differs", "the manifest is far too long")
            manifest = json.loads(clear.read_text(encoding="utf-8"))
        except ValueError:
            raise RefusedError("layout_invalid", "the manifest is not JSON in UTF-8") from None
        finally:
            clear.unlink(missing_ok=True)
        if not isinstance(manifest, dict):
            raise RefusedError("layout_invalid", "the manifest is not one JSON object")
        return manifest

    def _open(self, sealed: Path, clear: Path, manifest: dict[str, Any]) -> None:
        if not sealed.is_file():
            raise RefusedError("manifest_differs", "there is no file of this name")
        if sealed.stat().st_size != manifest.get("byte_count_sealed") or _sha256(sealed) != manifest.get(
            "sha256_sealed"
        ):
            raise RefusedError("manifest_differs", "size or hash of the sealed file")
        open_sealed(sealed, clear, self._keys)

    def _answered_before(self, file_name: str, sha256: str) -> _Verdict | None:
        rows = self._state.rows(
            "select sha256_clear, result, reason_code, lot_id, envelope_count, certificate_count"
            " from received where file_name = ?",
            file_name,
        )
        if not rows:
            return None
        known, result, reason, lot_id, envelopes, certificates = rows[0]
        if known != sha256:
            raise RefusedError("name_conflict", "the name came before with other content")
        return _Verdict(result, reason, lot_id, envelopes, certificates, sha256)

    # --- lots ---------------------------------------------------------------------------------------------

    def _take_lot(self, name: _Name, clear: Path, manifest: dict[str, Any], sha256: str, today: date) -> _Verdict:
        lot = read_lot(clear, with_holders=self._with_holders)
        if lot.lot_id != name.lot_id or lot.header["campaign"] != name.campaign:
            raise RefusedError("manifest_differs", "lot_id or campaign of the name")
        if lot.envelope_count != name.count:
            raise RefusedError("manifest_differs", "count of the name")
        expected = {
            **lot.totals(),
            "row_count": str(lot.record_count),
            "lot_id": lot.lot_id,
            "posting_date": lot.header["posting_date"],
        }
        for field, value in expected.items():
            if str(manifest.get(field)) != value:
                raise RefusedError("manifest_differs", f"{field} of the manifest")
        if self._state.value("select count(*) from lots where lot_id = ?", lot.lot_id):
            raise RefusedError("duplicate_lot", "the lot came before under another name")
        self._check_numbers_are_new(lot)
        if self._faults.strikes("reject_lot", lot.lot_id):
            raise RefusedError("layout_invalid", "told to refuse it")
        self._accept(lot, name, sha256, today)
        log.info("accepted lot %s: %d pieces", lot.lot_id, lot.envelope_count)
        return _Verdict("accepted", None, lot.lot_id, lot.envelope_count, lot.certificate_count, sha256)

    def _check_numbers_are_new(self, lot: Lot) -> None:
        arriving = pa.table({"sequence": pa.array(lot.sequences, pa.int64())})
        self._state.connection.register("arriving", arriving)
        known = self._state.value(
            """
            select
                (select count(*) from arriving semi join pieces using (sequence))
                + (select count(*) from arriving join lots
                    on arriving.sequence between lots.replacement_next and lots.replacement_last)
                + (select count(*) from arriving semi join
                    (select replacement as sequence from events where replacement is not null) using (sequence))
            """
        )
        self._state.connection.unregister("arriving")
        if known:
            raise RefusedError("control_number_invalid", "numbers that came before")
        kept = lot.replacements
        if kept and any(kept[0] <= sequence <= kept[1] for sequence in lot.sequences):
            raise RefusedError("control_number_invalid", "a replacement number stands on a piece")

    def _accept(self, lot: Lot, name: _Name, sha256: str, today: date) -> None:
        first, last = lot.replacements or (None, None)
        posting_date = date.fromisoformat(lot.header["posting_date"])
        lot_no = self._state.value(
            """
            insert into lots (campaign, lot_id, kind, prefecture, posting_date, sha256_clear, accepted_on,
                envelope_count, replacement_next, replacement_last)
            values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) returning lot_no
            """,
            name.campaign,
            lot.lot_id,
            name.lot_kind,
            name.prefecture,
            posting_date,
            sha256,
            today,
            lot.envelope_count,
            first,
            last,
        )
        # Lots for employers need no release: posted the next worked day, not before their date.
        due = None
        if name.lot_kind in _WITHOUT_RELEASE or self._faults.strikes("post_unreleased", lot.lot_id):
            due = on_or_after(max(next_worked(today), posting_date))
        self._state.run("insert into jobs values (?, 'waiting', false, null, ?)", lot_no, due)
        arriving = pa.table(
            {
                "sequence": pa.array(lot.sequences, pa.int64()),
                "is_sample": pa.array(lot.samples, pa.int8()),
            }
        )
        self._state.connection.register("arriving", arriving)
        self._state.run("insert into pieces select ?, sequence, is_sample = 1 from arriving", lot_no)
        self._state.connection.unregister("arriving")
        if lot.holders is not None:
            self._workshop.replies.note(lot_no, lot.holders)

    # --- orders -------------------------------------------------------------------------------------------

    def _take_order(self, name: _Name, clear: Path, manifest: dict[str, Any], today: date) -> None:
        rows = read_order(clear, name.kind)
        if len(rows) != name.count or manifest.get("row_count") != name.count:
            raise RefusedError("manifest_differs", "count of the name or row_count of the manifest")
        lots = {
            row[0]: _Held(*row)
            for row in self._state.rows(
                "select lot_id, lot_no, sha256_clear, state, kind, posting_date from lots join jobs using (lot_no)"
            )
        }
        if any(row[0] not in lots for row in rows):
            raise RefusedError("unknown_lot", "a lot that was not accepted")
        if name.kind == "release_order":
            self._check_related(manifest, today)
            if any(lots[lot_id].sha256_clear != sha256 for lot_id, _, sha256 in rows):
                raise RefusedError("hash_differs", "another hash than that of the lot held")
        if name.kind in {"pull_list", "urgent_pull_list"}:
            if name.kind == "urgent_pull_list" and not rows:
                raise RefusedError("layout_invalid", "an urgent pull list without a row")
            self._pull([(lots[lot_id].lot_no, int(envelope) // 100) for lot_id, envelope in rows])
            return
        if rows and all(lots[row[0]].state != "waiting" for row in rows):
            raise RefusedError("too_late", "every lot of the order is posted or destroyed")
        for row in rows:
            lot = lots[row[0]]
            if lot.state != "waiting":
                continue
            if name.kind == "release_order":
                self._release(lot.lot_no, max(lot.posting_date, date.fromisoformat(row[1])), today)
            else:
                self._stop(lot, row[1], today)

    def _check_related(self, manifest: dict[str, Any], today: date) -> None:
        """Pull lists that a release order names must have been carried out; missing ones are waited for a day."""
        related = manifest.get("related_files")
        if not isinstance(related, list) or not all(isinstance(item, dict) for item in related):
            raise RefusedError("layout_invalid", "related_files of the manifest is not a list of objects")
        for item in related:
            rows = self._state.rows(
                "select sha256_clear, result from received where file_name = ?", item.get("file_name")
            )
            if not rows:
                first_seen = self._state.setting(f"waits|{manifest.get('file_name')}")
                if first_seen is None:
                    # Noted outside the caller's transaction, which is rolled back.
                    raise _NotYetError
                if today <= date.fromisoformat(first_seen):
                    raise _NotYetError
                raise RefusedError("manifest_differs", "a pull list of related_files never came")
            if rows[0][0] != item.get("sha256_clear") or rows[0][1] != "accepted":
                raise RefusedError("hash_differs", "a pull list of related_files is another one, or was refused")

    def note_waiting(self, manifest_name: str, today: date) -> None:
        """Remember since when a release order waits for its pull list."""
        key = f"waits|{manifest_name.removesuffix(MANIFEST + SEALED)}"
        if self._state.setting(key) is None:
            self._state.remember(key, today.isoformat())

    def _pull(self, pulls: list[tuple[int, int]]) -> None:
        listed = pa.table(
            {
                "lot_no": pa.array([lot_no for lot_no, _ in pulls], pa.int32()),
                "sequence": pa.array([sequence for _, sequence in pulls], pa.int64()),
            }
        )
        self._state.connection.register("listed", listed)
        try:
            unknown = self._state.value(
                """
                select count(*) from listed
                where not exists (select 1 from pieces
                        where pieces.lot_no = listed.lot_no and pieces.sequence = listed.sequence)
                    and not exists (select 1 from events
                        where events.lot_no = listed.lot_no and events.replacement = listed.sequence)
                """
            )
            if unknown:
                raise RefusedError("unknown_envelope", "an envelope that is not in its lot")
            in_time = self._state.value(
                """
                select count(*) from listed join jobs using (lot_no)
                where jobs.state = 'waiting' or exists (select 1 from reprints
                    where reprints.lot_no = listed.lot_no
                        and listed.sequence in (reprints.sequence, reprints.parent, reprints.root))
                """
            )
            if pulls and not in_time:
                raise RefusedError("too_late", "every envelope of the list is posted or destroyed")
            self._state.run("insert into pulls select lot_no, sequence from listed")
        finally:
            self._state.connection.unregister("listed")

    def _release(self, lot_no: int, posting_date: date, today: date) -> None:
        # Today's post has left when the order is read, so an order that comes late means the next worked day.
        due = on_or_after(max(posting_date, next_worked(today)))
        self._state.run(
            "update jobs set released_on = ?, due_on = ? where lot_no = ? and released_on is null",
            today,
            due,
            lot_no,
        )

    def _stop(self, lot: _Held, effect: str, today: date) -> None:
        run = self._state.run
        if effect == "hold":
            # A release given before the hold ends with it.
            run("update jobs set is_held = true, released_on = null, due_on = null where lot_no = ?", lot.lot_no)
        elif effect == "resume":
            run("update jobs set is_held = false where lot_no = ?", lot.lot_no)
            if lot.kind in _WITHOUT_RELEASE:
                due = on_or_after(max(next_worked(today), lot.posting_date))
                run("update jobs set due_on = coalesce(due_on, ?) where lot_no = ?", due, lot.lot_no)
        else:
            run("update jobs set state = 'destroyed' where lot_no = ?", lot.lot_no)
            run(
                "insert into events select lot_no, sequence, 'pulled', ?, null, null from pieces where lot_no = ?",
                today,
                lot.lot_no,
            )
            count = self._state.value("select envelope_count from lots where lot_no = ?", lot.lot_no)
            add_batch(self._workshop, Batch("piece_report", lot.lot_no, lot.lot_id, today, count))

    # --- answers ------------------------------------------------------------------------------------------

    def _acknowledge(self, file_name: str, verdict: _Verdict, today: date) -> None:
        acknowledged_on = today
        known = self._state.value("select acknowledged_on from received where file_name = ?", file_name)
        if known is not None and verdict.reason != "name_conflict":
            acknowledged_on = known  # answered again as before
        elif verdict.sha256_clear is not None and verdict.reason not in _NOT_OF_CONTENT:
            self._state.run(
                "insert into received values (?, ?, ?, ?, ?, ?, ?, ?)",
                file_name,
                verdict.sha256_clear,
                verdict.lot_id,
                verdict.result,
                verdict.reason,
                verdict.envelopes,
                verdict.certificates,
                today,
            )
        subjects = (file_name, verdict.lot_id or "")
        if self._faults.strikes("silent_ack", *subjects):
            return
        envelopes, certificates = verdict.envelopes, verdict.certificates
        if envelopes is not None and self._faults.strikes("wrong_ack_counts", *subjects):
            envelopes, certificates = envelopes + 1, (certificates or 0) + 1
        campaign = _CAMPAIGN.match(file_name)
        self._state.run(
            """
            insert into acknowledgements (campaign, file_name, lot_id, result, reason_code, envelope_count,
                certificate_count, acknowledged_on)
            values (?, ?, ?, ?, ?, ?, ?, ?)
            """,
            campaign[1] if campaign else "unknown",
            file_name,
            verdict.lot_id,
            verdict.result,
            verdict.reason,
            envelopes,
            certificates,
            acknowledged_on,
        )
