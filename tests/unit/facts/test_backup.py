"""Facts go to a store and come back the same; the store is a real S3-compatible server (rules: evidence)."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import boto3
import pytest
from botocore.exceptions import ClientError
from moto.server import ThreadedMotoServer

from kakuninsho.facts import backup as backing_up
from kakuninsho.facts.backup import BackupError, backup, restore
from kakuninsho.facts.chain import CorruptFactError
from kakuninsho.facts.schemas import KINDS
from kakuninsho.facts.store import FactStore, write_empty
from kakuninsho.facts.verify import verify_facts

DAY = date(2025, 5, 15)


def land(store: FactStore, name: str) -> None:
    with store.land("transfers", name, received_on=DAY, source="test") as draft:
        write_empty(draft.table("transfers"), KINDS["transfers"]["transfers"])
        (draft.path / f"{name}.csv").write_text("名前\n" * 100, encoding="utf-8")


@pytest.fixture
def store(tmp_path: Path) -> FactStore:
    facts = FactStore(tmp_path / "data", tmp_path / "keys")
    facts.initialise()
    for number in range(1, 5):
        land(facts, f"file-{number}")
    return facts


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            ("AWS_DEFAULT_REGION", "ap-northeast-1"),
            ("AWS_ENDPOINT_URL", f"http://{host}:{port}"),
        ):
            patch.setenv(name, value)
        yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(s3: str, request: pytest.FixtureRequest) -> str:
    name = request.node.name.replace("_", "-").replace("[", "-").replace("]", "")[:40].lower()
    place = {"LocationConstraint": "ap-northeast-1"}
    boto3.client("s3").create_bucket(Bucket=name, ObjectLockEnabledForBucket=True, CreateBucketConfiguration=place)
    return name


def test_backup_to_a_folder_and_back(store: FactStore, tmp_path: Path) -> None:
    copied = backup(store, str(tmp_path / "backup"))
    assert (copied.facts, copied.known) == (4, 0)
    shutil.rmtree(store.data)
    again = restore(store, str(tmp_path / "backup"))
    assert (again.facts, again.head) == (4, copied.head)
    assert verify_facts(store).findings == []


def test_backup_to_s3_and_back_with_the_same_hashes(store: FactStore, bucket: str) -> None:
    copied = backup(store, f"s3://{bucket}/kakuninsho")
    before = verify_facts(store)
    shutil.rmtree(store.data)
    restore(store, f"s3://{bucket}/kakuninsho")
    after = verify_facts(store)
    assert (after.head, after.facts, after.findings) == (before.head, before.facts, [])
    land(store, "file-5")
    assert copied.head.startswith("4:")


def test_only_what_is_new_is_copied(store: FactStore, tmp_path: Path) -> None:
    backup(store, str(tmp_path / "backup"))
    land(store, "file-5")
    copied = backup(store, str(tmp_path / "backup"))
    assert (copied.facts, copied.known, copied.files) == (1, 4, 4)


def test_an_interrupted_backup_goes_on(store: FactStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put, calls = backing_up.Remote.put, 0

    def cut_off(remote: backing_up.Remote, local: Path, name: str, sha256: str) -> int:
        nonlocal calls
        calls += 1
        if calls > 6:
            raise OSError("connection lost")
        return put(remote, local, name, sha256)

    with monkeypatch.context() as patch, pytest.raises(OSError, match="lost"):
        patch.setattr(backing_up.Remote, "put", cut_off)
        backup(store, str(tmp_path / "backup"))
    with pytest.raises(BackupError, match="no whole backup"):
        restore(FactStore(tmp_path / "other", tmp_path / "other-keys"), str(tmp_path / "backup"))
    copied = backup(store, str(tmp_path / "backup"))
    assert (copied.facts, copied.known) == (3, 1)
    restore(FactStore(tmp_path / "other", tmp_path / "other-keys"), str(tmp_path / "backup"))


def test_a_locked_object_cannot_be_removed(store: FactStore, bucket: str) -> None:
    backup(store, f"s3://{bucket}", lock_days=400)
    client = boto3.client("s3")
    versions = client.list_object_versions(Bucket=bucket, Prefix="facts/transfers/file-1/")["Versions"]
    assert len(versions) == 4
    for version in versions:
        with pytest.raises(ClientError, match="AccessDenied"):
            client.delete_object(Bucket=bucket, Key=version["Key"], VersionId=version["VersionId"])


def test_a_damaged_fact_is_named_and_not_copied(store: FactStore, tmp_path: Path) -> None:
    (store.root / "transfers" / "file-2" / "file-2.csv").write_text("others\n", encoding="utf-8")
    with pytest.raises(CorruptFactError, match=r"transfers/file-2/file-2\.csv"):
        backup(store, str(tmp_path / "backup"))


def test_bytes_that_changed_in_the_store_are_found_and_not_used(store: FactStore, tmp_path: Path) -> None:
    backup(store, str(tmp_path / "backup"))
    path = tmp_path / "backup" / "facts" / "transfers" / "file-2" / "file-2.csv"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    other = FactStore(tmp_path / "other", tmp_path / "other-keys")
    with pytest.raises(BackupError, match=r"file-2\.csv"):
        restore(other, str(tmp_path / "backup"))
    assert not other.all("transfers")


def test_restore_never_writes_over_facts(store: FactStore, tmp_path: Path) -> None:
    backup(store, str(tmp_path / "backup"))
    with pytest.raises(BackupError, match="has facts already"):
        restore(store, str(tmp_path / "backup"))


def test_a_folder_cannot_lock(store: FactStore, tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="lock"):
        backup(store, str(tmp_path / "backup"), lock_days=1)
