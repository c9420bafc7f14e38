"""What the sandbox remembers: one DuckDB file below its root, changed in transactions only.

A process killed at any moment starts again from the last transaction; what that transaction decided to send and
did not is sent then. One number and one flag per piece, so ten million pieces take little room.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from kakuninsho.sandbox.errors import SetUpError
from kakuninsho.sandbox.misbehave import Misbehaviour

_SCHEMA = """
create table if not exists settings (name varchar primary key, value varchar not null);
create table if not exists misused (name varchar primary key, used bigint not null);
-- A manifest that was looked at, by what the file system says of it: another upload under the name shows.
create table if not exists seen (manifest varchar primary key, mark varchar not null);
-- A file that was opened and judged by its content; its answer is given again when it comes again.
create table if not exists received (
    file_name varchar primary key, sha256_clear varchar not null, lot_id varchar, result varchar not null,
    reason_code varchar, envelope_count bigint, certificate_count bigint, acknowledged_on date not null
);
create sequence if not exists acknowledgement_numbers;
create table if not exists acknowledgements (
    acknowledgement_no bigint default nextval('acknowledgement_numbers'), campaign varchar not null,
    file_name varchar not null, lot_id varchar, result varchar not null, reason_code varchar,
    envelope_count bigint, certificate_count bigint, acknowledged_on date not null, answer varchar
);
create sequence if not exists lot_numbers;
create table if not exists lots (
    lot_no integer primary key default nextval('lot_numbers'), campaign varchar not null,
    lot_id varchar not null unique, kind varchar not null, prefecture integer not null,
    posting_date date not null, sha256_clear varchar not null, accepted_on date not null,
    envelope_count bigint not null, replacement_next bigint, replacement_last bigint
);
-- Apart from lots, because it changes often. state: waiting, posted, destroyed. due_on: the day it is posted.
create table if not exists jobs (
    lot_no integer not null, state varchar not null, is_held boolean not null, released_on date, due_on date
);
create table if not exists pieces (lot_no integer not null, sequence bigint not null, is_sample boolean not null);
create table if not exists pulls (lot_no integer not null, sequence bigint not null);
-- Pieces to be printed again: the number they take, that of the piece they replace, and the first of the chain.
create table if not exists reprints (
    lot_no integer not null, sequence bigint not null, parent bigint not null, root bigint not null,
    due_on date not null
);
create table if not exists events (
    lot_no integer not null, sequence bigint not null, event_type varchar not null, occurred_on date not null,
    tracking_number bigint, replacement bigint
);
create table if not exists returns (
    lot_no integer not null, sequence bigint not null, tracking_number bigint not null,
    returned_on date not null, reason_code varchar not null
);
create sequence if not exists batch_numbers;
-- The events (piece_report) or returns (return_report) of one lot and day, and the day they are reported.
create table if not exists batches (
    batch_no bigint default nextval('batch_numbers'), stream varchar not null, campaign varchar not null,
    lot_no integer not null, occurred_on date not null, due_on date not null, row_count bigint not null,
    answer varchar
);
create table if not exists answers (
    name varchar primary key, stream varchar not null, campaign varchar not null, written_on date not null,
    row_count bigint not null, fault varchar, is_delivered boolean not null, change_on date
);
-- People who will send their certificate back; the certificates of theirs that a lot holds, by the piece that brings
-- them; and those that have reached them. received_on: the day it came back; is_told: the feed of that day is written.
create table if not exists givers (person varchar not null, gives_back_on date not null, until date not null);
create table if not exists held (
    lot_no integer not null, sequence bigint not null, certificate_id varchar not null, gives_back_on date not null,
    until date not null
);
create table if not exists given_back (
    certificate_id varchar primary key, earliest_on date not null, until date not null, received_on date,
    is_told boolean not null
);
-- Control number (11 digits) of a sequence: ISO 7064 MOD 97-10.
create or replace macro control_number(sequence) as
    printf('%09d%02d', sequence, 98 - (sequence * 100) % 97);
"""


class State:
    """The DuckDB file. Used by one thread only."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.temporary = folder / "tmp"
        self.temporary.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            self.connection = duckdb.connect(str(folder / "sandbox.duckdb"))
        except duckdb.IOException as error:
            raise SetUpError("state/sandbox.duckdb is in use or damaged: is another sandbox running?") from error
        self.connection.execute("set memory_limit = '2GB'")
        self.connection.execute(f"set temp_directory = '{str(self.temporary).replace(chr(39), chr(39) * 2)}'")
        self.connection.execute(_SCHEMA)

    def close(self) -> None:
        self.connection.close()

    def run(self, sql: str, *parameters: Any) -> duckdb.DuckDBPyConnection:
        """Execute one statement."""
        return self.connection.execute(sql, list(parameters))

    def rows(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """All rows of a query; only for queries over lots, batches and answers."""
        return self.run(sql, *parameters).fetchall()

    def value(self, sql: str, *parameters: Any) -> Any:
        """First column of the first row, or None."""
        row = self.run(sql, *parameters).fetchone()
        return None if row is None else row[0]

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing."""
        self.run("begin")
        try:
            yield
        except BaseException:
            self.run("rollback")
            raise
        self.run("commit")

    def setting(self, name: str) -> str | None:
        """A remembered setting."""
        value: str | None = self.value("select value from settings where name = ?", name)
        return value

    def remember(self, name: str, value: str) -> None:
        """Set a setting."""
        self.run("insert or replace into settings values (?, ?)", name, value)

    @property
    def today(self) -> date | None:
        """The sandbox's date."""
        text = self.setting("date")
        return date.fromisoformat(text) if text else None


class Faults:
    """The misbehaviours a run was told to show, and how often each has been used up."""

    def __init__(self, state: State, told: list[Misbehaviour]) -> None:
        self._state = state
        self._told = told

    def told(self, name: str) -> bool:
        """Whether this one was named at all."""
        return any(item.name == name for item in self._told)

    def left(self, name: str) -> list[tuple[Misbehaviour, int]]:
        """Those of this name that may still happen, with how often."""
        found = []
        for item in self._told:
            if item.name == name:
                used = self._state.value("select used from misused where name = ?", item.key) or 0
                if used < item.count:
                    found.append((item, item.count - used))
        return found

    def use(self, item: Misbehaviour, times: int = 1) -> None:
        """Record that it has happened; inside the caller's transaction."""
        self._state.run(
            "insert into misused values (?, ?) on conflict (name) do update set used = used + excluded.used",
            item.key,
            times,
        )

    def strikes(self, name: str, *subjects: str) -> bool:
        """Whether it happens now to one of these lot ids or file names; if so it is used up once."""
        for item, _ in self.left(name):
            if not item.lot or any(item.lot in subject for subject in subjects):
                self.use(item)
                return True
        return False
