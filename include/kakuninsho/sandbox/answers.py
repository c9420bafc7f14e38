"""Writing the printer's answers: acknowledgements, piece reports, return reports, each with its manifest.

What an answer holds is decided in the state, in one transaction; its file is made from the state afterwards, so
a process killed between the two writes the same answer when it starts again.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from kakuninsho.sandbox.calendar import next_worked
from kakuninsho.sandbox.errors import StateError
from kakuninsho.sandbox.layout import ANSWER_WORDS, CONTRACT, MANIFEST, PART, SEALED
from kakuninsho.sandbox.seal import seal
from kakuninsho.sandbox.workshop import Workshop

log = logging.getLogger("kakuninsho.sandbox")

MAX_ANSWERS_PER_DAY = 999  # three digits in the name
_FAULTS = ("wrong_signature", "unsigned_answer", "truncated_answer")
_SIGNERS = {"wrong_signature": "stranger", "unsigned_answer": "nobody"}

_CONTENT = {
    "acknowledgement": """
        select file_name, lot_id, result, reason_code, envelope_count, certificate_count, acknowledged_on
        from acknowledgements where answer = '{name}' order by acknowledgement_no
    """,
    "piece_report": """
        select lots.lot_id, control_number(events.sequence) as envelope_id, event_type, events.occurred_on,
            tracking_number, control_number(replacement) as replacement_id
        from batches
        join events on events.lot_no = batches.lot_no and events.occurred_on = batches.occurred_on
        join lots on lots.lot_no = batches.lot_no
        where answer = '{name}'
        order by events.sequence
    """,
    "return_report": """
        select control_number(returns.sequence) as envelope_id, tracking_number, returned_on, reason_code
        from batches
        join returns on returns.lot_no = batches.lot_no and returns.returned_on = batches.occurred_on
        where answer = '{name}'
        order by returns.sequence
    """,
}
# What `resend_changed_report` changes: the first row says another day or reason than before.
_CHANGES = {
    "piece_report": "update content set occurred_on = occurred_on + 1 where rowid = (select min(rowid) from content)",
    "return_report": "update content set reason_code = case reason_code when 'R09' then 'R01' else 'R09' end"
    " where rowid = (select min(rowid) from content)",
}


@dataclass(frozen=True)
class _Answer:
    """One file to the insurer: what its manifest says of it."""

    name: str
    stream: str
    campaign: str
    row_count: int


class Answers:
    """The printer's office that writes to the insurer."""

    def __init__(self, workshop: Workshop) -> None:
        self._root = workshop.root
        self._keys = workshop.keys
        self._state = workshop.state
        self._faults = workshop.faults

    def plan_acknowledgements(self, today: date) -> None:
        """Put every open acknowledgement into an answer of today; inside the caller's transaction."""
        for campaign, count in self._state.rows(
            "select campaign, count(*) from acknowledgements where answer is null group by all order by campaign"
        ):
            subjects = [
                text
                for row in self._state.rows(
                    "select file_name, coalesce(lot_id, '') from acknowledgements"
                    " where answer is null and campaign = ?",
                    campaign,
                )
                for text in row
            ]
            name = self._plan("acknowledgement", campaign, today, count, subjects)
            if name:
                self._state.run(
                    "update acknowledgements set answer = ? where answer is null and campaign = ?",
                    name,
                    campaign,
                )

    def plan_reports(self, today: date) -> None:
        """Put every batch that is due into a report of today; inside the caller's transaction."""
        for stream, campaign, count in self._state.rows(
            """
            select stream, campaign, sum(row_count)::bigint from batches
            where answer is null and due_on <= ? group by all order by all
            """,
            today,
        ):
            which = "answer is null and due_on <= ? and stream = ? and batches.campaign = ?"
            parameters = (today, stream, campaign)
            subjects = [
                row[0]
                for row in self._state.rows(
                    f"select lot_id from batches join lots using (lot_no) where {which}", *parameters
                )
            ]
            name = self._plan(stream, campaign, today, count, subjects)
            if name:
                self._state.run(f"update batches set answer = ? where {which}", name, *parameters)

    def _plan(self, stream: str, campaign: str, today: date, count: int, subjects: list[str]) -> str | None:
        number = 1 + self._state.value(
            "select count(*) from answers where stream = ? and campaign = ? and written_on = ?",
            stream,
            campaign,
            today,
        )
        if number > MAX_ANSWERS_PER_DAY:
            return None  # the names of the day are used up: tomorrow
        name = f"pv1_{campaign}_{ANSWER_WORDS[stream]}_{today:%Y%m%d}_{number:03d}_{count}.csv"
        fault = next((item for item in _FAULTS if self._faults.strikes(item, name, *subjects)), None)
        change_on = None
        if stream in _CHANGES and self._faults.strikes("resend_changed_report", name, *subjects):
            change_on = next_worked(today)
        self._state.run(
            "insert into answers values (?, ?, ?, ?, ?, ?, false, ?)",
            name,
            stream,
            campaign,
            today,
            count,
            fault,
            change_on,
        )
        return name

    def deliver(self, today: date) -> list[str]:
        """Write every answer that is planned and not yet delivered; returns their names."""
        delivered = []
        for name, stream, campaign, count, fault in self._state.rows(
            "select name, stream, campaign, row_count, fault from answers where not is_delivered"
            " order by written_on, name"
        ):
            # There already: written before a kill. Its manifest came last, so it is whole; it stays as it is.
            if not (self._root.outbox / f"{name}{MANIFEST}{SEALED}").exists():
                self._write(_Answer(name, stream, campaign, count), _CONTENT[stream].format(name=name), fault)
            self._state.run("update answers set is_delivered = true where name = ?", name)
            delivered.append(name)
        for name, stream, campaign, count in self._state.rows(
            "select name, stream, campaign, row_count from answers where is_delivered and change_on <= ?", today
        ):
            self._state.run(f"create or replace temp table content as {_CONTENT[stream].format(name=name)}")
            self._state.run(_CHANGES[stream])
            self._write(_Answer(name, stream, campaign, count), "select * from content order by rowid", None)
            self._state.run("drop table content")
            self._state.run("update answers set change_on = null where name = ?", name)
            delivered.append(name)
        return delivered

    def _write(self, answer: _Answer, query: str, fault: str | None) -> None:
        folder = self._state.temporary
        clear, sealed = folder / answer.name, folder / (answer.name + SEALED)
        written = self._state.value(
            f"copy ({query}) to '{str(clear).replace(chr(39), chr(39) * 2)}' (format csv, header true)"
        )
        if written != answer.row_count:
            raise StateError(
                f"{answer.name}: {written} rows instead of {answer.row_count}: the state contradicts itself"
            )
        signer = _SIGNERS.get(fault or "", "printer")
        seal(clear, sealed, self._keys, signed_by=signer)
        manifest = {
            "contract": CONTRACT,
            "campaign": answer.campaign,
            "file_kind": answer.stream,
            "file_name": answer.name,
            "row_count": answer.row_count,
            **_measures(clear, "clear"),
            **_measures(sealed, "sealed"),
        }
        if fault == "truncated_answer":
            os.truncate(sealed, sealed.stat().st_size // 2)
        self._place(sealed, answer.name + SEALED)
        clear.write_text(json.dumps(manifest, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        seal(clear, sealed, self._keys, signed_by=signer)
        self._place(sealed, answer.name + MANIFEST + SEALED)
        clear.unlink()
        log.info("wrote %s", answer.name)

    def _place(self, sealed: Path, name: str) -> None:
        part = self._root.outbox / (name + PART)
        sealed.chmod(0o600)
        sealed.replace(part)
        part.replace(self._root.outbox / name)


def _measures(path: Path, which: str) -> dict[str, int | str]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {f"byte_count_{which}": path.stat().st_size, f"sha256_{which}": digest}
