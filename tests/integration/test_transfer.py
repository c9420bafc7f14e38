"""Files reach the printer once, whole and last-named, whatever breaks; answers are taken only when all agrees."""

import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import asdict, replace
from datetime import date
from hashlib import sha256
from pathlib import Path

import asyncssh
import pyarrow.parquet as pq
import pytest
from transfer_server import clear_file, running_printer
from transfer_worker import LOTS, SIZE

from kakuninsho.facts.store import FactStore, sha256_of
from kakuninsho.printer import transfer
from kakuninsho.printer.layout import SAMPLES
from kakuninsho.printer.sealing import Keys, SealError, SignatureError, open_sealed, seal
from kakuninsho.printer.transfer import (
    STEPS,
    HostKeyError,
    TransferConflictError,
    TransferError,
    fetch_answers,
    send,
    send_all,
)

DAY = date(2025, 5, 15)
PLENTY = 1_000_000_000


@pytest.fixture
def printer(tmp_path):
    with running_printer(tmp_path / "printer") as running:
        yield running


@pytest.fixture
def store(tmp_path):
    facts = FactStore(tmp_path / "data")
    facts.initialise()
    return facts


def deliver(store, printer, *files):
    return send_all(store, files, printer.target, printer.insurer, received_on=DAY, plan_id="home-2025-04-30")


def assert_delivered_once(store, printer, files):
    """Each file lies there once, as kept, opens to its clear bytes, and its manifest tells its totals."""
    expected = {f"{file.name}{suffix}" for file in files for suffix in (".pgp", ".manifest.json.pgp")}
    assert {path.name for path in printer.inbox.iterdir()} == expected
    assert sorted(printer.renames) == sorted(expected)
    for file in files:
        kept = store.get("transfers", f"{file.name}--sealed").path
        for suffix in (".pgp", ".manifest.json.pgp"):
            assert sha256_of(printer.inbox / f"{file.name}{suffix}") == sha256_of(kept / f"{file.name}{suffix}")
        opened = open_sealed(printer.inbox / f"{file.name}.pgp", printer.root / file.name, printer.own, limit=PLENTY)
        assert sha256_of(opened) == file.sha256
        manifest = open_sealed(
            printer.inbox / f"{file.name}.manifest.json.pgp", printer.root / "m", printer.own, limit=PLENTY
        )
        content = json.loads(manifest.read_text(encoding="utf-8"))
        assert content["sha256_clear"] == file.sha256
        assert content["sha256_sealed"] == sha256_of(printer.inbox / f"{file.name}.pgp")
        assert content["envelope_count"] == file.envelope_count


def test_file_then_manifest_each_under_a_temporary_name_first(store, printer, tmp_path):
    file = clear_file(tmp_path / "out")
    facts = deliver(store, printer, file)
    assert printer.renames == [f"{file.name}.pgp", f"{file.name}.manifest.json.pgp"]
    assert_delivered_once(store, printer, [file])
    rows = [pq.read_table(fact.table("transfers")).to_pylist()[0] for fact in facts]
    assert [row["step"] for row in rows] == list(STEPS)
    assert {row["sha256_clear"] for row in rows} == {file.sha256}
    assert {row["plan_id"] for row in rows} == {"home-2025-04-30"}
    assert {row["certificate_count"] for row in rows} == {5}


def test_sending_again_changes_nothing_and_does_not_even_connect(store, printer, tmp_path):
    file = clear_file(tmp_path / "out")
    before = deliver(store, printer, file)
    elsewhere = replace(printer.target, port=1)
    after = send(store, file, elsewhere, printer.insurer, received_on=date(2025, 5, 16), plan_id="home-2025-04-30")
    assert before == after
    assert_delivered_once(store, printer, [file])


@pytest.mark.parametrize("step", STEPS)
def test_stopped_before_the_fact_of_a_step_the_next_try_neither_doubles_nor_skips(
    store, printer, tmp_path, monkeypatch, step
):
    file = clear_file(tmp_path / "out")
    land = FactStore.land

    def stop_at(self, kind, name, **values):
        if name == f"{file.name}--{step}":
            raise KeyboardInterrupt
        return land(self, kind, name, **values)

    with monkeypatch.context() as patch:
        patch.setattr(FactStore, "land", stop_at)
        with pytest.raises(KeyboardInterrupt):
            deliver(store, printer, file)
    deliver(store, printer, file)
    assert_delivered_once(store, printer, [file])


@pytest.mark.parametrize("byte", [0, 1, 4_000, 150_000, 299_999, 300_500, 300_800])
def test_connection_broken_at_a_byte_then_resumed(store, printer, tmp_path, byte):
    file = clear_file(tmp_path / "out")
    printer.bytes_until_break = byte
    with pytest.raises(TransferError):
        deliver(store, printer, file)
    printer.bytes_until_break = None
    deliver(store, printer, file)
    assert_delivered_once(store, printer, [file])


def test_what_was_sealed_is_sent_again_as_kept(store, printer, tmp_path):
    file = clear_file(tmp_path / "out")
    printer.bytes_until_break = 1000
    with pytest.raises(TransferError):
        deliver(store, printer, file)
    kept = sha256_of(store.get("transfers", f"{file.name}--sealed").path / f"{file.name}.pgp")
    printer.bytes_until_break = None
    deliver(store, printer, file)
    assert sha256_of(printer.inbox / f"{file.name}.pgp") == kept


def test_file_without_manifest_was_never_announced(store, printer, tmp_path):
    file = clear_file(tmp_path / "out")
    printer.bytes_until_break = 300_600  # the sealed file arrives, its manifest does not
    with pytest.raises(TransferError):
        deliver(store, printer, file)
    assert not [path for path in printer.inbox.iterdir() if path.name.endswith(".manifest.json.pgp")]
    assert store.find("transfers", f"{file.name}--announced") is None


def test_other_bytes_under_our_name_at_the_printer_are_not_overwritten(store, printer, tmp_path):
    file = clear_file(tmp_path / "out")
    lying = printer.inbox / f"{file.name}.pgp"
    lying.write_bytes(b"something else")
    with pytest.raises(TransferConflictError, match="nothing was overwritten"):
        deliver(store, printer, file)
    assert lying.read_bytes() == b"something else"
    assert store.find("transfers", f"{file.name}--uploaded") is None


def test_same_size_other_bytes_is_a_conflict_too(store, printer, tmp_path):
    file = clear_file(tmp_path / "out")
    transfer.seal_step(store, file, printer.insurer, received_on=DAY, plan_id=None)
    size = (store.get("transfers", f"{file.name}--sealed").path / f"{file.name}.pgp").stat().st_size
    (printer.inbox / f"{file.name}.pgp").write_bytes(b"x" * size)
    with pytest.raises(TransferConflictError):
        deliver(store, printer, file)


def test_one_name_is_never_sealed_from_two_contents(store, printer, tmp_path):
    file = clear_file(tmp_path / "out")
    deliver(store, printer, file)
    file.path.write_bytes(b"changed")
    with pytest.raises(TransferConflictError, match="other bytes"):
        deliver(store, printer, replace(file, sha256=sha256_of(file.path), byte_count=7))


def test_clear_file_changed_after_it_was_written_is_refused(store, printer, tmp_path):
    file = clear_file(tmp_path / "out")
    file.path.write_bytes(b"changed")
    with pytest.raises(TransferError, match="not the file that was written"):
        deliver(store, printer, file)
    assert list(printer.inbox.iterdir()) == []


def test_kept_bytes_that_changed_are_not_sent(store, printer, tmp_path):
    file = clear_file(tmp_path / "out")
    fact = transfer.seal_step(store, file, printer.insurer, received_on=DAY, plan_id=None)
    (fact.path / f"{file.name}.pgp").write_bytes(b"rotten")
    with pytest.raises(TransferConflictError, match="kept bytes"):
        deliver(store, printer, file)


@pytest.mark.parametrize("pinned", ["other", "", "not a key"])
def test_unknown_changed_or_missing_host_key_is_refused_before_anything_is_sent(store, printer, tmp_path, pinned):
    other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
    target = replace(printer.target, host_key=other if pinned == "other" else pinned)
    with pytest.raises(HostKeyError, match="host key"):
        send(store, clear_file(tmp_path / "out"), target, printer.insurer, received_on=DAY, plan_id=None)
    assert list(printer.inbox.iterdir()) == []


def test_unknown_client_key_is_told_in_words(store, printer, tmp_path):
    key = asyncssh.generate_private_key("ssh-ed25519")
    key.write_private_key(str(tmp_path / "stranger"))
    target = replace(printer.target, client_key=tmp_path / "stranger")
    with pytest.raises(TransferError, match="client key"):
        send(store, clear_file(tmp_path / "out"), target, printer.insurer, received_on=DAY, plan_id=None)


def test_printer_that_cannot_be_reached_is_told_in_words(store, printer, tmp_path):
    target = replace(printer.target, port=1)
    with pytest.raises(TransferError, match="cannot be reached"):
        send(store, clear_file(tmp_path / "out"), target, printer.insurer, received_on=DAY, plan_id=None)


# --- kill -9 ---------------------------------------------------------------------------------------


def test_killed_at_twenty_random_points_ten_lots_arrive_once(tmp_path):
    points = random.Random(20250515)
    worker = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("transfer_worker.py"))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )

    def written(folder):
        """Bytes that a hand-off has written so far, kept here and at the printer."""
        size = 0
        for part in ("data", "printer"):
            for place, _, names in os.walk(folder / part):  # passes over what is renamed meanwhile
                for name in names:
                    with contextlib.suppress(FileNotFoundError):
                        size += Path(place, name).stat().st_size
        return size

    def hand_off(folder, printer, kill_at=None):
        """Run a hand-off of ten lots, killed when so many bytes are written; gives the exit code."""
        target = asdict(printer.target) | {"client_key": str(printer.target.client_key)}
        order = {"data": str(folder / "data"), "folder": str(folder / "out"), "printer": str(folder / "printer")}
        worker.stdin.write(json.dumps(order | {"target": target}) + "\n")
        worker.stdin.flush()
        child = int(worker.stdout.readline())
        if kill_at is not None:
            give_up = time.monotonic() + 60
            while written(folder) < kill_at and time.monotonic() < give_up:
                time.sleep(0.0005)
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        return int(worker.stdout.readline())

    killed, total = 0, 0
    try:
        for attempt in range(21):
            folder = tmp_path / f"{attempt}"
            with running_printer(folder / "printer") as printer:
                store = FactStore(folder / "data")
                store.initialise()
                begin = written(folder)
                if attempt == 0:  # the first run measures how much an undisturbed hand-off writes
                    assert hand_off(folder, printer) == 0
                    total = written(folder) - begin
                else:
                    code = hand_off(folder, printer, begin + points.uniform(0, total))
                    killed += code == -signal.SIGKILL
                    assert hand_off(folder, printer) == 0
                files = [clear_file(folder / "out", number, SIZE) for number in range(1, LOTS + 1)]
                assert_delivered_once(store, printer, files)
    finally:
        worker.stdin.close()
        worker.wait(30)
    assert killed >= 15


# --- answers ---------------------------------------------------------------------------------------


def put_answer(printer, name, content, *, keys=None, manifest=None, announce=True):
    clear = printer.root / "clear.csv"
    clear.write_bytes(content)
    sealed = seal(clear, printer.outbox / f"{name}.pgp", keys or printer.own)
    kinds = {"ack": "acknowledgement", "piece": "piece_report", "return": "return_report"}
    values = {
        "contract": "printer/v1",
        "campaign": "fy2025",
        "file_kind": kinds.get(name.split("_")[2], "unknown"),
        "file_name": name,
        "row_count": content.count(b"\r\n") - 1,
        "byte_count_clear": len(content),
        "sha256_clear": sha256(content).hexdigest(),
        "byte_count_sealed": sealed.stat().st_size,
        "sha256_sealed": sha256_of(sealed),
        **(manifest or {}),
    }
    if announce:
        clear.write_text(json.dumps(values), encoding="utf-8")
        seal(clear, printer.outbox / f"{name}.manifest.json.pgp", keys or printer.own)
    return values["sha256_clear"]


def fetch(printer, tmp_path, known=()):
    return fetch_answers(known, printer.target, printer.insurer, tmp_path / "work")


ACK = "pv1_fy2025_ack_20250516_001_2.csv"
PIECE = "pv1_fy2025_piece_20251006_001_5.csv"
RETURN = "pv1_fy2025_return_20251013_001_1.csv"


def test_the_three_kinds_of_answer_are_fetched_verified_and_ready_to_land(printer, tmp_path):
    for name in (RETURN, PIECE, ACK):
        put_answer(printer, name, (SAMPLES / name).read_bytes())
    fetched = fetch(printer, tmp_path)
    assert fetched.refusals == []
    assert [answer.name for answer in fetched.answers] == [ACK, PIECE, RETURN]
    assert [answer.feed for answer in fetched.answers] == ["acknowledgements", "piece_reports", "return_reports"]
    for answer in fetched.answers:
        assert answer.path.read_bytes() == (SAMPLES / answer.name).read_bytes()
        beside = json.loads((tmp_path / "work" / f"{answer.name}.manifest.json").read_text(encoding="utf-8"))
        assert beside == {"rows": answer.row_count, "sha256": answer.sha256}
    assert sorted(path.name for path in (tmp_path / "work").iterdir()) == sorted(
        name for answer in fetched.answers for name in (answer.name, f"{answer.name}.manifest.json")
    )


def test_known_answers_are_not_fetched_again(printer, tmp_path):
    digest = put_answer(printer, ACK, (SAMPLES / ACK).read_bytes())
    for known in ({ACK}, {ACK: digest}):
        fetched = fetch(printer, tmp_path, known)
        assert (fetched.answers, fetched.refusals) == ([], [])


def test_known_name_with_other_content_is_a_conflict(printer, tmp_path):
    put_answer(printer, ACK, (SAMPLES / ACK).read_bytes())
    fetched = fetch(printer, tmp_path, {ACK: "0" * 64})
    assert fetched.answers == []
    assert "name_conflict" in fetched.refusals[0].reason


def test_answer_without_manifest_does_not_exist_yet(printer, tmp_path):
    put_answer(printer, ACK, (SAMPLES / ACK).read_bytes(), announce=False)
    fetched = fetch(printer, tmp_path)
    assert (fetched.answers, fetched.refusals) == ([], [])


def test_manifest_without_file_is_refused(printer, tmp_path):
    put_answer(printer, ACK, (SAMPLES / ACK).read_bytes())
    (printer.outbox / f"{ACK}.pgp").unlink()
    assert "is not there" in fetch(printer, tmp_path).refusals[0].reason


@pytest.mark.parametrize(
    "manifest, reason",
    [
        ({"sha256_sealed": "0" * 64}, "sealed file"),
        ({"byte_count_sealed": 1}, "sealed file"),
        ({"sha256_clear": "0" * 64}, "size or SHA-256"),
        ({"byte_count_clear": 1}, "more than 1 bytes"),
        ({"row_count": 3}, "row_count"),
        ({"file_name": PIECE}, "file_name"),
        ({"file_kind": "piece_report"}, "file_kind"),
        ({"contract": "printer/v2"}, "contract"),
        ({"row_count": None}, "lacks row_count"),
    ],
)
def test_answer_that_disagrees_with_its_manifest_is_refused_and_the_others_are_taken(
    printer, tmp_path, manifest, reason
):
    put_answer(printer, ACK, (SAMPLES / ACK).read_bytes(), manifest=manifest)
    put_answer(printer, RETURN, (SAMPLES / RETURN).read_bytes())
    fetched = fetch(printer, tmp_path)
    assert [answer.name for answer in fetched.answers] == [RETURN]
    assert [refusal.name for refusal in fetched.refusals] == [ACK]
    assert reason in fetched.refusals[0].reason
    assert not (tmp_path / "work" / ACK).exists()


@pytest.mark.parametrize(
    "content, reason",
    [
        (b"file_name,lot_id\r\na,b\r\nc,d\r\n", "header line"),
        ((SAMPLES / ACK).read_bytes() + b"\r\n\xff\xfe\r\n", "not CSV"),
        ((SAMPLES / ACK).read_bytes().rsplit(b"\r\n", 2)[0] + b"\r\n", "holds 1 rows"),
    ],
)
def test_answer_that_is_not_as_in_the_contract_is_refused(printer, tmp_path, content, reason):
    put_answer(printer, ACK, content, manifest={"row_count": 2})
    assert reason in fetch(printer, tmp_path).refusals[0].reason


def test_answer_signed_by_a_stranger_is_refused(printer, tmp_path):
    from pysequoia import Tsk

    stranger = Keys(Tsk.generate("Stranger <stranger@test.invalid>"), printer.own.other)
    put_answer(printer, ACK, (SAMPLES / ACK).read_bytes(), keys=stranger)
    fetched = fetch(printer, tmp_path)
    assert fetched.answers == []
    assert "signature" in fetched.refusals[0].reason


def test_foreign_names_are_refused(printer, tmp_path):
    put_answer(printer, "pv1_fy2025_stop_20251001_01_1.csv", b"lot_id,effect\r\na,hold\r\n")
    assert "printer sends" in fetch(printer, tmp_path).refusals[0].reason


# --- sealing ---------------------------------------------------------------------------------------


def test_damaged_and_foreign_files_do_not_open_and_leave_nothing_behind(printer, tmp_path):
    clear = tmp_path / "clear"
    clear.write_bytes(b"x" * 1000)
    sealed = seal(clear, tmp_path / "sealed", printer.own)
    raw = bytearray(sealed.read_bytes())
    raw[-100] ^= 1
    sealed.write_bytes(raw)
    with pytest.raises(SealError):
        open_sealed(sealed, tmp_path / "opened", printer.insurer, limit=PLENTY)
    to_other = seal(clear, tmp_path / "to_other", printer.insurer)
    with pytest.raises(SealError):
        open_sealed(to_other, tmp_path / "opened", printer.insurer, limit=PLENTY)
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == ["clear", "sealed", "to_other"]


def test_encrypted_but_unsigned_is_refused(printer, tmp_path):
    from pysequoia import encrypt

    raw = encrypt(recipients=[printer.own.other], bytes=b"hello")
    (tmp_path / "unsigned").write_bytes(raw)
    with pytest.raises(SignatureError):
        open_sealed(tmp_path / "unsigned", tmp_path / "opened", printer.insurer, limit=PLENTY)
    assert not (tmp_path / "opened").exists()


def test_a_small_message_that_holds_a_large_file_is_given_up_at_its_limit(printer, tmp_path):
    clear = tmp_path / "clear"
    clear.write_bytes(bytes(50_000_000))
    sealed = seal(clear, tmp_path / "sealed", printer.own)
    with pytest.raises(SealError, match="more than 1000 bytes"):
        open_sealed(sealed, tmp_path / "opened", printer.insurer, limit=1000)
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == ["clear", "sealed"]
    assert open_sealed(sealed, tmp_path / "opened", printer.insurer, limit=50_000_000).stat().st_size == 50_000_000


def test_an_unsigned_bomb_among_the_answers_is_refused_before_it_is_written(printer, tmp_path):
    from pysequoia import encrypt

    name = "pv1_fy2025_ack_20250516_009_2.csv"
    bomb = encrypt(recipients=[printer.own.other], bytes=bytes(30_000_000))
    for suffix in (".pgp", ".manifest.json.pgp"):
        (printer.outbox / f"{name}{suffix}").write_bytes(bomb)
    refusals = fetch(printer, tmp_path).refusals
    assert [refusal.name for refusal in refusals] == [name]
    left = [path for path in (tmp_path / "inbox").rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in left) < 1_000_000


def test_a_server_that_falls_silent_after_the_login_is_given_up(printer, store, tmp_path, monkeypatch):
    """Half open: the connection stands, and nothing comes any more. The task ends and is tried again later."""
    monkeypatch.setattr(transfer, "KEEP_ALIVE_SECONDS", 1)
    monkeypatch.setattr(transfer, "KEEP_ALIVE_TRIES", 2)
    with silent_after(printer.target.port, client_bytes=50_000) as port:
        started = time.monotonic()
        with pytest.raises(TransferError):
            send_all(
                store, [clear_file(tmp_path / "clear")], replace(printer.target, port=port), printer.insurer,
                received_on=DAY, plan_id="home-2025-04-30",
            )  # fmt: skip
        assert time.monotonic() - started < 60
    deliver(store, printer, clear_file(tmp_path / "clear"))


@contextlib.contextmanager
def silent_after(port, *, client_bytes):
    """A proxy that takes so many bytes of the client, keeps the connection open and then passes nothing on."""
    listener = socket.create_server(("127.0.0.1", 0))
    silent = threading.Event()
    sockets = []

    def pump(source, target, *, counts):
        passed = 0
        with contextlib.suppress(OSError):
            while block := source.recv(4096):
                passed += len(block)
                if counts and passed > client_bytes:
                    silent.set()
                if not silent.is_set():
                    target.sendall(block)

    def serve():
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                server = socket.create_connection(("127.0.0.1", port))
                sockets.extend((client, server))
                threading.Thread(target=pump, args=(client, server), kwargs={"counts": True}, daemon=True).start()
                threading.Thread(target=pump, args=(server, client), kwargs={"counts": False}, daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        for one in (listener, *sockets):
            one.close()
