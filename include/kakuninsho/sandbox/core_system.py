"""The insurer's core system: what lies backstage under a day comes on stage when the date reaches that day.

One feed cannot be written beforehand: who sends a certificate back knows its number only once it has come. Backstage
says which people do and from which day on; their certificates are read from the lots that the printer takes in, and
the feed `certificate_returns` names those that have reached them.
"""

from __future__ import annotations

import hashlib
import json
import os
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa

from kakuninsho.sandbox.errors import StateError
from kakuninsho.sandbox.lot_file import Holders
from kakuninsho.sandbox.root import Root
from kakuninsho.sandbox.state import State

GIVEN_BACK = "certificates_given_back.csv"
HELD_AT_LEAST = timedelta(days=5)  # nobody sends back what was posted yesterday


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def first_drop(root: Root) -> date | None:
    """The day of the first register drop that lies backstage or on stage; None without any."""
    folders = (root.core / place for place in ("backstage", "register"))
    days = [_day(path.name.removeprefix("as_of=")) for folder in folders for path in folder.glob("as_of=*")]
    return min((day for day in days if day is not None), default=None)


def _move(source: Path, target: Path) -> bool:
    if target.exists():
        # Never over something that was delivered: a drop or feed is delivered once.
        return False
    os.rename(source, target)  # noqa: PTH104 (within one file system: whole or not at all)
    return True


def publish(root: Root, today: date) -> list[str]:
    """Move register drops and feeds that are due by today; return what came, in order.

    `backstage/as_of=D/` becomes `register/as_of=D/` in one rename, so the manifest in it is never ahead of
    its files. `backstage/feeds/D/*` become `feeds/*`, manifests last.
    """
    came = []
    backstage = root.core / "backstage"
    for folder in sorted(backstage.glob("as_of=*")):
        day = _day(folder.name.removeprefix("as_of="))
        if day is not None and day <= today and _move(folder, root.core / "register" / folder.name):
            came.append(f"register/{folder.name}")
    feeds = backstage / "feeds"
    for folder in sorted(feeds.iterdir()) if feeds.is_dir() else []:
        day = _day(folder.name)
        if day is None or day > today or not folder.is_dir():
            continue
        files = sorted(folder.iterdir(), key=lambda path: (path.name.endswith(".manifest.json"), path.name))
        for file in files:
            if _move(file, root.core / "feeds" / file.name):
                came.append(f"feeds/{file.name}")
        if not any(folder.iterdir()):
            folder.rmdir()
    return came


class ReplyEnvelopes:
    """People who send their certificate back in the reply envelope, and the feed that says which."""

    def __init__(self, root: Root, state: State) -> None:
        self._root = root
        self._state = state
        self._path = root.core / "backstage" / GIVEN_BACK
        state.run("delete from givers")
        self._are_read = False

    @property
    def are_known(self) -> bool:
        """Whether anybody sends a certificate back; read once, when the list is there."""
        if not self._are_read and self._path.is_file():
            try:
                self._state.run(
                    """
                    insert into givers
                    select concat_ws('|', symbol, number, suffix, insurer_number), gives_back_on::date, until::date
                    from read_csv(?, header = true, all_varchar = true, quote = '"')
                    """,
                    str(self._path),
                )
            except duckdb.Error as error:
                raise StateError(f"core/backstage/{GIVEN_BACK} cannot be read ({type(error).__name__})") from error
            self._are_read = True
        return self._are_read

    def note(self, lot_no: int, holders: Holders) -> None:
        """Remember the certificates of a lot that are to come back; inside the caller's transaction."""
        arriving = pa.table(
            {
                "certificate_id": pa.array(holders.certificates, pa.string()),
                "sequence": pa.array(holders.pieces, pa.int64()),
                "person": pa.array(holders.people, pa.string()),
            }
        )
        self._state.connection.register("arriving", arriving)
        self._state.run(
            """
            insert into held
            select ?, sequence, certificate_id, gives_back_on, until from arriving join givers using (person)
            """,
            lot_no,
        )
        self._state.connection.unregister("arriving")

    def receive(self, day: date) -> None:
        """What reaches the insurer on a worked day; inside the caller's transaction."""
        self._state.run(
            "update given_back set received_on = ? where received_on is null and earliest_on <= ? and until >= ?",
            day,
            day,
            day,
        )

    def next_day(self) -> date | None:
        """The first day on which something can come back; None when nothing can."""
        day: date | None = self._state.value(
            "select min(earliest_on) from given_back where received_on is null and until >= ("
            "select max(value)::date from settings where name = 'date')"
        )
        return day

    def deliver(self) -> list[str]:
        """Write the feed of each day that has none yet, its manifest last; returns the files' names."""
        came = []
        for (day,) in self._state.rows(
            "select distinct received_on from given_back where received_on is not null and not is_told order by all"
        ):
            name = f"certificate_returns_{day:%Y%m%d}.csv"
            numbers = self._state.rows(
                "select certificate_id from given_back where received_on = ? order by certificate_id", day
            )
            lines = ["certificate_id,received_on", *(f"{number},{day}" for (number,) in numbers), ""]
            content = "\n".join(lines).encode("ascii")
            manifest = {"rows": len(numbers), "sha256": hashlib.sha256(content).hexdigest()}
            self._place(name, content)
            self._place(f"{name}.manifest.json", json.dumps(manifest).encode("ascii"))
            self._state.run("update given_back set is_told = true where received_on = ?", day)
            came.append(f"feeds/{name}")
        return came

    def _place(self, name: str, content: bytes) -> None:
        """Put a file on stage whole; one that was put there before a kill stays."""
        part = self._root.core / "backstage" / name
        part.write_bytes(content)
        if not _move(part, self._root.core / "feeds" / name):
            part.unlink()
