"""Sending files to the printer and fetching its answers over SFTP (contract printer/v1, transport).

A file is sent in three steps, each a fact before the next begins: sealed (the bytes that will travel are kept),
uploaded (they lie at the printer under their name), announced (their manifest lies there too). A step that was cut
off anywhere is run again: it first compares what lies at the printer with the kept bytes, so nothing is sent twice
and nothing is left out.
"""

from __future__ import annotations

import asyncio
import contextlib
import csv
import hashlib
import json
import posixpath
from collections.abc import AsyncIterator, Collection, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

import asyncssh
import pyarrow as pa
import pyarrow.parquet as pq

from kakuninsho.facts.schemas import TRANSFERS
from kakuninsho.facts.store import ARROW_TYPES, Fact, FactConflictError, FactStore, link_or_copy, sha256_of
from kakuninsho.printer.layout import ANSWER_KINDS, ContractError, contract, parse_file_name, table_fields
from kakuninsho.printer.lot_file import ClearFile
from kakuninsho.printer.manifest import make_manifest, read_manifest
from kakuninsho.printer.sealing import Keys, SealError, open_sealed, seal

STEPS = ("sealed", "uploaded", "announced")
SEALED_SUFFIX = ".pgp"
MANIFEST_SUFFIX = ".manifest.json"
PART_SUFFIX = ".part"
BLOCK = 256 * 1024
# What an answer may have at most, sealed and clear (assumed): a report of 12 million pieces has under 1 GB.
MANIFEST_BYTES, ANSWER_BYTES = 64 * 1024, 4 * 1024**3
KEEP_ALIVE_SECONDS, KEEP_ALIVE_TRIES = 15, 4  # a server that falls silent is given up after a minute
# The feed that takes in each kind of answer.
FEED_OF_ANSWER = {
    "acknowledgement": "acknowledgements",
    "piece_report": "piece_reports",
    "return_report": "return_reports",
}
_T = TypeVar("_T")


class TransferError(RuntimeError):
    """Nothing more was sent or fetched. Says which file or host and what to do."""


class TransferConflictError(TransferError):
    """The same name with other bytes, here or at the printer. Nothing is overwritten; a person decides."""


class HostKeyError(TransferError):
    """The host does not show the pinned key. Nothing was sent to it."""


@dataclass(frozen=True)
class SftpTarget:
    """Where the printer's SFTP server is, and the only host key that is believed.

    `host_key` is one line of OpenSSH public key (`ssh-ed25519 AAAA… comment`); several lines while a key changes.
    """

    host: str
    port: int
    username: str
    client_key: Path
    host_key: str
    to_printer: str = "to_printer"
    from_printer: str = "from_printer"
    timeout_seconds: float = 30


@contextlib.asynccontextmanager
async def sftp_session(target: SftpTarget) -> AsyncIterator[asyncssh.SFTPClient]:
    """An SFTP session with a host that has shown the pinned key.

    Raises:
        HostKeyError: no key is pinned, or the host shows another.
        TransferError: the host cannot be reached or refuses us.
    """
    where = f"{target.host}:{target.port}"
    lines = [line for line in target.host_key.splitlines() if line.strip()]
    if not lines:
        raise HostKeyError(f"no host key is pinned for {where}: get it from the printer by another way and set it up")
    try:
        pinned = [asyncssh.import_public_key(line) for line in lines]
    except asyncssh.KeyImportError:
        raise HostKeyError(f"the pinned host key of {where} is not an OpenSSH public key") from None
    try:
        connection = await asyncssh.connect(
            target.host,
            target.port,
            username=target.username,
            client_keys=[str(target.client_key)],
            known_hosts=(pinned, [], []),
            config=None,
            agent_path=None,
            password=None,
            connect_timeout=target.timeout_seconds,
            login_timeout=target.timeout_seconds,
            keepalive_interval=KEEP_ALIVE_SECONDS,
            keepalive_count_max=KEEP_ALIVE_TRIES,
        )
    except asyncssh.HostKeyNotVerifiable:
        fingerprints = ", ".join(key.get_fingerprint() for key in pinned)
        raise HostKeyError(
            f"{where} does not show the pinned host key ({fingerprints}): nothing was sent. Ask the printer by "
            "telephone whether its key has changed; pin the new one only with its word"
        ) from None
    except asyncssh.PermissionDenied:
        raise TransferError(f"{where} refuses our client key: ask the printer to enter the public key again") from None
    except (OSError, asyncssh.Error) as error:
        raise TransferError(f"{where} cannot be reached ({type(error).__name__}): run the task again later") from error
    async with connection, connection.start_sftp_client() as client:
        yield client


def _run(coroutine: Coroutine[Any, Any, _T]) -> _T:
    """Run to the end; errors of the connection become TransferError."""
    try:
        return asyncio.run(coroutine)
    except (asyncssh.Error, ConnectionError, TimeoutError) as error:
        raise TransferError(
            f"the connection to the printer broke off ({type(error).__name__}): "
            "run the task again, it goes on where it was"
        ) from error


# --- sending ---------------------------------------------------------------------------------------


def send(
    store: FactStore, file: ClearFile, target: SftpTarget, keys: Keys, *, received_on: date, plan_id: str | None
) -> list[Fact]:
    """Send one file in its three steps; steps that were done are not done again.

    Returns:
        The facts of the three steps.

    Raises:
        TransferConflictError: this name was sealed from other bytes before, or other bytes lie at the printer.
        HostKeyError, TransferError: see their words; running it again is safe.
        SealError: the keys do not work.
    """
    return send_all(store, [file], target, keys, received_on=received_on, plan_id=plan_id)


def send_all(
    store: FactStore,
    files: Sequence[ClearFile],
    target: SftpTarget,
    keys: Keys,
    *,
    received_on: date,
    plan_id: str | None,
) -> list[Fact]:
    """Send files one after the other over one connection: as `send`."""
    seal_all(store, files, keys, received_on=received_on, plan_id=plan_id)
    return deliver_all(store, files, target, received_on=received_on)


def seal_all(
    store: FactStore, files: Sequence[ClearFile], keys: Keys, *, received_on: date, plan_id: str | None
) -> list[Fact]:
    """Seal files, two at a time (encrypting and hashing leave Python's lock): as `seal_step`, for each."""
    with ThreadPoolExecutor(2) as pool:
        tasks = [pool.submit(seal_step, store, file, keys, received_on=received_on, plan_id=plan_id) for file in files]
        try:
            return [task.result() for task in tasks]
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def deliver_all(store: FactStore, files: Sequence[ClearFile], target: SftpTarget, *, received_on: date) -> list[Fact]:
    """Bring sealed files to the printer over one connection; what is announced is not sent again."""
    if any(store.find("transfers", f"{file.name}--announced") is None for file in files):
        _run(_deliver_all(store, [file.name for file in files], target, received_on))
    return [store.get("transfers", f"{file.name}--{step}") for file in files for step in STEPS]


def seal_step(store: FactStore, file: ClearFile, keys: Keys, *, received_on: date, plan_id: str | None) -> Fact:
    """Seal a file and its manifest and keep the bytes as a fact: what is sent later is exactly this.

    Raises:
        TransferConflictError: this name was sealed from other clear bytes before.
        TransferError: the clear file is not what was written.
    """
    name = f"{file.name}--sealed"
    existing = store.find("transfers", name)
    if existing is None:
        if not file.path.is_file() or sha256_of(file.path) != file.sha256:
            raise TransferError(f"{file.name} is not the file that was written: make it again from the frozen plan")
        try:
            with store.land(
                "transfers", name, received_on=received_on, source=file.name, source_sha256=file.sha256
            ) as draft:
                sealed = seal(file.path, draft.path / f"{file.name}{SEALED_SUFFIX}", keys)
                sealed_hash = sha256_of(sealed)
                link_or_copy(file.path, draft.path / file.name)
                manifest = draft.path / f"{file.name}{MANIFEST_SUFFIX}"
                manifest.write_bytes(make_manifest(file, sealed, sealed_hash, store.head()))
                seal(manifest, draft.path / f"{file.name}{MANIFEST_SUFFIX}{SEALED_SUFFIX}", keys)
                _write_row(
                    draft.table("transfers"),
                    plan_id=plan_id,
                    lot_id=file.lot_id,
                    file_kind=file.file_kind,
                    file_name=file.name,
                    step="sealed",
                    row_count=file.row_count,
                    envelope_count=file.envelope_count,
                    certificate_count=file.certificate_count,
                    byte_count=file.byte_count,
                    sha256_clear=file.sha256,
                    sha256_sealed=sealed_hash,
                    received_on=received_on,
                )
                draft.totals.update({"sha256_clear": file.sha256, "sha256_sealed": sealed_hash})
        except FactConflictError:
            existing = store.find("transfers", name)  # another run sealed it meanwhile: its bytes count
            if existing is None:
                raise
    fact = existing or store.get("transfers", name)
    if fact.meta["source_sha256"] != file.sha256:
        raise TransferConflictError(
            f"{file.name} was sealed before from other bytes: a name is never used for two contents. "
            "Compare with the rebuild command; a changed lot needs a new plan"
        )
    return fact


def land_stopped(store: FactStore, file: ClearFile, lot_ids: Sequence[str], plan_id: str, received_on: date) -> Fact:
    """Record the fourth step of a stop order, after it was announced: a row for each lot that it is about."""
    name = f"{file.name}--stopped"
    order: dict[str, Any] = {"plan_id": plan_id, "file_kind": file.file_kind, "file_name": file.name, "step": "stopped"}
    order |= {"sha256_clear": file.sha256, "received_on": received_on}
    with (
        contextlib.suppress(FactConflictError),  # an earlier run got as far
        store.land("transfers", name, received_on=received_on, source=file.name, source_sha256=file.sha256) as draft,
    ):
        _write_rows(draft.table("transfers"), [order | {"lot_id": lot_id} for lot_id in lot_ids])
    return store.get("transfers", name)


def _write_row(path: Path, **values: Any) -> None:
    _write_rows(path, [values])


def _write_rows(path: Path, rows: list[dict[str, Any]]) -> None:
    schema = pa.schema([(name, ARROW_TYPES[kind]) for name, kind in TRANSFERS["transfers"].items()])
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), path)


async def _deliver_all(store: FactStore, names: Sequence[str], target: SftpTarget, received_on: date) -> None:
    async with sftp_session(target) as client:
        for name in names:
            sealed = store.get("transfers", f"{name}--sealed")
            # The manifest last: until it is there the file does not exist for the printer.
            for step, suffix in (("uploaded", SEALED_SUFFIX), ("announced", MANIFEST_SUFFIX + SEALED_SUFFIX)):
                if store.find("transfers", f"{name}--{step}") is not None:
                    continue
                local = sealed.path / f"{name}{suffix}"
                if sha256_of(local) != sealed.meta["sha256"][local.name]:
                    raise TransferConflictError(f"the kept bytes of {local.name} have changed since they were sealed")
                await _put(client, local, posixpath.join(target.to_printer, local.name))
                _land_step(store, sealed, step, received_on)


def _land_step(store: FactStore, sealed: Fact, step: str, received_on: date) -> None:
    row = pq.read_table(sealed.table("transfers")).to_pylist()[0]
    name = row["file_name"]
    # Another run may have landed the same step meanwhile: the bytes are the same ones.
    with (
        contextlib.suppress(FactConflictError),
        store.land(
            "transfers",
            f"{name}--{step}",
            received_on=received_on,
            source=name,
            source_sha256=sealed.meta["source_sha256"],
        ) as draft,
    ):
        _write_row(draft.table("transfers"), **(row | {"step": step, "received_on": received_on}))


async def _put(client: asyncssh.SFTPClient, local: Path, remote: str) -> None:
    """Bring a file to the printer under a temporary name and rename it, unless exactly it lies there already."""
    if await client.exists(remote):
        await _compare(client, local, remote)
        return
    temporary = remote + PART_SUFFIX
    async with client.open(temporary, "wb") as out:
        with local.open("rb") as source:
            while block := source.read(BLOCK):
                await out.write(block)
    if (await client.stat(temporary)).size != local.stat().st_size:
        raise TransferError(f"{local.name} did not arrive whole: run the task again")
    try:
        await client.rename(temporary, remote)
    except asyncssh.SFTPError:
        if not await client.exists(remote):
            raise
        await _compare(client, local, remote)  # another run was faster


async def _compare(client: asyncssh.SFTPClient, local: Path, remote: str) -> None:
    """Hold what lies at the printer against our kept bytes: size first, then hash.

    Raises:
        TransferConflictError: they differ.
    """
    same = (await client.stat(remote)).size == local.stat().st_size
    if same:
        digest = hashlib.sha256()
        async with client.open(remote, "rb") as lying:
            while block := _bytes(await lying.read(BLOCK)):
                digest.update(block)
        same = digest.hexdigest() == sha256_of(local)
    if not same:
        raise TransferConflictError(
            f"another file named {local.name} lies at the printer: nothing was overwritten. "
            "Ask the printer what it holds before anything else is sent"
        )


# --- fetching --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Answer:
    """A verified answer of the printer: the clear CSV with, beside it, a feed's manifest of rows and SHA-256."""

    kind: str  # acknowledgement, piece_report, return_report
    name: str
    path: Path
    sha256: str
    row_count: int

    @property
    def feed(self) -> str:
        """The feed that lands it."""
        return FEED_OF_ANSWER[self.kind]


@dataclass(frozen=True)
class Refusal:
    """A file of the printer that is not taken, and why. No value of a row."""

    name: str
    reason: str


@dataclass
class Fetched:
    """What one look into from_printer brought."""

    answers: list[Answer] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)


def fetch_answers(
    known: Mapping[str, str] | Collection[str], target: SftpTarget, keys: Keys, work_dir: Path
) -> Fetched:
    """Fetch, open and verify the answers that are not known yet, in order of name.

    A file without manifest does not exist yet and is passed over in silence. A file that fails a check is a refusal
    with its reason; the others are fetched all the same.

    Args:
        known: names of answers landed before; a mapping to their SHA-256 also finds a name that came with other
            content.
        target: the printer's server.
        keys: our secret key, the printer's public key.
        work_dir: folder for the opened files; the caller removes it after landing.
    """
    work_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    return _run(_fetch(known, target, keys, work_dir))


@dataclass(frozen=True)
class _Inbox:
    """An open look into the folder of answers."""

    client: asyncssh.SFTPClient
    folder: str
    keys: Keys
    work_dir: Path

    async def get(self, name: str, *, limit: int) -> Path:
        """Bring a sealed file here, streamed; not one that is larger than the limit.

        Raises:
            ContractError: it is larger.
        """
        local = self.work_dir / f".{name}"
        size = (await self.client.stat(posixpath.join(self.folder, name))).size
        if size is None or size > limit:
            raise ContractError(f"{name} has {size} bytes, more than the {limit} that it may have: it was not fetched")
        async with self.client.open(posixpath.join(self.folder, name), "rb") as source:
            with local.open("wb") as out:
                local.chmod(0o600)
                while block := _bytes(await source.read(BLOCK)):
                    out.write(block)
        return local


def _bytes(block: str | bytes) -> bytes:
    """What a file opened as binary gives; the library's types allow text too."""
    return block if isinstance(block, bytes) else block.encode()


async def _fetch(known: Mapping[str, str] | Collection[str], target: SftpTarget, keys: Keys, work_dir: Path) -> Fetched:
    fetched = Fetched()
    ending = MANIFEST_SUFFIX + SEALED_SUFFIX
    async with sftp_session(target) as client:
        inbox = _Inbox(client, target.from_printer, keys, work_dir)
        listing = {str(name) for name in await client.listdir(target.from_printer)}
        for manifest_name in sorted(name for name in listing if name.endswith(ending)):
            name = manifest_name.removesuffix(ending)
            if name in known and not isinstance(known, Mapping):
                continue
            try:
                answer = await _fetch_one(inbox, name, known)
            except (ContractError, SealError) as error:
                fetched.refusals.append(Refusal(name, str(error)))
                continue
            if answer is not None:
                fetched.answers.append(answer)
    return fetched


async def _fetch_one(inbox: _Inbox, name: str, known: Mapping[str, str] | Collection[str]) -> Answer | None:
    keys, work_dir = inbox.keys, inbox.work_dir
    if parse_file_name(name).kind not in ANSWER_KINDS:
        raise ContractError(f"{name} is not a kind of file that the printer sends")
    sealed_manifest = await inbox.get(name + MANIFEST_SUFFIX + SEALED_SUFFIX, limit=MANIFEST_BYTES)
    manifest_path = open_sealed(
        sealed_manifest, work_dir / f".{name}.printer{MANIFEST_SUFFIX}", keys, limit=MANIFEST_BYTES
    )
    manifest = read_manifest(manifest_path, name)
    sealed_manifest.unlink()
    manifest_path.unlink()
    if isinstance(known, Mapping) and name in known:
        if manifest["sha256_clear"] != known[name]:
            raise ContractError(
                f"{name} was landed before with other content (name_conflict): ask the printer which is right"
            )
        return None
    if not await inbox.client.exists(posixpath.join(inbox.folder, name + SEALED_SUFFIX)):
        raise ContractError(f"{name} has a manifest but is not there: ask the printer to send it")
    most = min(manifest["byte_count_clear"], ANSWER_BYTES)
    sealed = await inbox.get(name + SEALED_SUFFIX, limit=ANSWER_BYTES)
    if sealed.stat().st_size != manifest["byte_count_sealed"] or sha256_of(sealed) != manifest["sha256_sealed"]:
        raise ContractError(f"{name} is not the sealed file of its manifest (size or SHA-256): ask for it again")
    clear = open_sealed(sealed, work_dir / name, keys, limit=most)
    sealed.unlink()
    try:
        _check_answer(clear, manifest)
    except ContractError:
        clear.unlink()
        raise
    answer = Answer(manifest["file_kind"], name, clear, manifest["sha256_clear"], manifest["row_count"])
    beside = {"rows": answer.row_count, "sha256": answer.sha256}
    (work_dir / f"{name}{MANIFEST_SUFFIX}").write_text(json.dumps(beside) + "\n", encoding="utf-8")
    return answer


def _check_answer(clear: Path, manifest: dict[str, Any]) -> None:
    """Hold an opened answer against its manifest and its layout; single rows are judged by the feed's door.

    Raises:
        ContractError: size, hash, number of rows or header line differ.
    """
    name = manifest["file_name"]
    if clear.stat().st_size != manifest["byte_count_clear"] or sha256_of(clear) != manifest["sha256_clear"]:
        raise ContractError(f"{name} is not the file of its manifest (size or SHA-256): ask for it again")
    form = contract()["answer_files"]["form"]["character_set"]
    try:
        with clear.open(encoding=form, newline="") as file:
            reader = csv.reader(file, strict=True)
            header = next(reader, None)
            rows = sum(1 for row in reader if row)
    except (UnicodeDecodeError, csv.Error):
        raise ContractError(f"{name} is not CSV in {form}: nothing of it counts; ask for it again") from None
    if header != [item["name"] for item in table_fields(manifest["file_kind"])]:
        raise ContractError(f"{name} has another header line than the contract: nothing of it counts")
    if rows != manifest["row_count"]:
        raise ContractError(f"{name} holds {rows} rows, name and manifest promise {manifest['row_count']}")
