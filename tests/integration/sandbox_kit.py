"""A tiny insurer for the sandbox's tests: writes contract files its own way, seals, sends, and reads answers."""

from __future__ import annotations

import asyncio
import csv
import hashlib
import io
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

import asyncssh
from pysequoia import Cert, Tsk, decrypt, encrypt

from kakuninsho.sandbox import control
from kakuninsho.sandbox.root import Root, initialise
from kakuninsho.sandbox.world import Options, World

CAMPAIGN = "fy2025"
KINDS = {"H": "home", "S": "supplementary", "E": "employer", "L": "employer_list"}


def number(sequence: int) -> str:
    return f"{sequence:09d}{98 - sequence * 100 % 97:02d}"


def lot_id(kind: str = "H", posting: date = date(2025, 7, 7), branch: int = 18, nth: int = 1) -> str:
    return f"{CAMPAIGN}-{kind}-{branch:02d}-{posting:%Y%m%d}-{nth:02d}"


def lot(
    identity: str, first: int, pieces: int, *, samples: int = 2, name: str = "髙橋 一郎", kept: int = 20
) -> tuple[str, bytes, dict[str, Any]]:
    """Name, clear bytes and manifest members of a lot: samples, then pieces with one or two certificates."""
    _, kind, branch, day, _ = identity.split("-")
    posting = f"{day[:4]}-{day[4:6]}-{day[6:]}"
    insurer = f"01{branch}0017"
    records: list[list[str]] = []
    enclosed: Counter[str] = Counter()
    certificates = lines = packets = weight = postage = 0

    def counts(given: dict[str, int]) -> str:
        enclosed.update(given)
        return " ".join(f"{code}:{count}" for code, count in sorted(given.items()))

    def envelope(sequence: int, bundle: str, place: int, sample: str, cards: int, *, grams: int) -> None:
        nonlocal certificates
        yen = 320 if grams else 0
        enclosures = counts({"10": 1, "20": cards, "30": 1, "40": cards, "50": 1})
        records.append(
            [
                "E",
                number(sequence),
                bundle,
                str(place),
                sample,
                "1",
                "1",
                "0",
                name,
                "9100001",
                "福井県福井市大手1-1",
                "",
                str(cards),
                enclosures,
                f"{grams // 10}.{grams % 10}",
                str(yen),
            ]
        )
        for slot in range(1, cards + 1):
            certificates += 1
            records.append(
                [
                    "C",
                    f"{number(sequence)}-{slot}",
                    number(sequence),
                    str(slot),
                    sample,
                    "12345678",
                    "123",
                    "00",
                    name,
                    "タカハシ イチロウ",
                    "male",
                    "1980-02-29",
                    "2010-04-01",
                    posting,
                    "2029-11-30",
                    "令和11年11月30日",
                    insurer,
                    "全国健康保険協会 福井支部",
                    "insured",
                ]
            )

    for place in range(1, samples + pieces + 1):
        sequence, sample = first + place - 1, "1" if place <= samples else "0"
        cards = 1 + sequence % 2
        if kind in "HS" or (kind == "E" and sample == "1"):
            envelope(sequence, "", place, sample, cards, grams=282)
            weight, postage = weight + 282, postage + 320
        elif kind == "E":
            at = len(records)
            envelope(900_000 + sequence, number(sequence), place, "0", cards, grams=0)
            packets += 1
            records.insert(
                at,
                [
                    "B",
                    number(sequence),
                    str(place),
                    "株式会社みほん",
                    "9100005",
                    "福井県福井市大手3-1",
                    "",
                    "1",
                    str(cards),
                    counts({"60": 1, "61": 1}),
                    "65.6",
                    "390",
                    "",
                    "",
                ],
            )
            weight, postage = weight + 656, postage + 390
        else:
            records.append(
                [
                    "L",
                    number(sequence),
                    str(place),
                    sample,
                    "12345678",
                    "株式会社みほん",
                    "9100005",
                    "福井県福井市大手3-1",
                    "",
                    "1",
                    counts({"70": 1}),
                    "16.0",
                    "320",
                ]
            )
            records.append(["N", number(sequence), "1", "123", "00", name])
            lines, weight, postage = lines + 1, weight + 160, postage + 320
    envelopes = samples + pieces
    end = first + envelopes
    header = ["H", "printer/v1", CAMPAIGN, identity, KINDS[kind], insurer, "福井支部", posting]
    header += [str(envelopes), str(certificates), str(samples)]
    header += [number(end), number(end + kept - 1)] if kept else ["", ""]
    totals = {
        "envelope_count": envelopes,
        "sample_count": samples,
        "packet_count": packets,
        "certificate_count": certificates,
        "list_line_count": lines,
        "enclosures": " ".join(f"{code}:{count}" for code, count in sorted(enclosed.items())),
        "weight_g": f"{weight // 10}.{weight % 10}",
        "postage_yen": postage,
    }
    rows = len(records) + 2
    records = [header, *records, ["T", identity, str(rows), *map(str, totals.values())]]
    text = "".join(",".join('"' + value.replace('"', '""') + '"' for value in record) + "\r\n" for record in records)
    clear = text.encode("cp932").replace(b"\xee\xe0", b"\xfb\xfc")  # 髙 in the IBM byte form
    manifest = {"file_kind": "lot", "row_count": rows, "lot_id": identity, "posting_date": posting, **totals}
    return f"pv1_{CAMPAIGN}_lot_{identity}_{envelopes}.csv", clear, manifest


def order(
    kind: str, day: date, rows: list[list[str]], nth: int = 1, **members: Any
) -> tuple[str, bytes, dict[str, Any]]:
    """Name, clear bytes and manifest members of an order to the printer."""
    word, columns = {
        "pull_list": ("pull", ["lot_id", "envelope_id"]),
        "urgent_pull_list": ("urgent", ["lot_id", "envelope_id"]),
        "release_order": ("release", ["lot_id", "posting_date", "sha256_clear"]),
        "stop_order": ("stop", ["lot_id", "effect"]),
    }[kind]
    clear = "".join(",".join(f'"{value}"' for value in row) + "\r\n" for row in [columns, *rows]).encode()
    manifest = {"file_kind": kind, "row_count": len(rows), "posting_date": day.isoformat(), **members}
    if kind == "release_order":
        manifest.setdefault("related_files", [])
    return f"pv1_{CAMPAIGN}_{word}_{day:%Y%m%d}_{nth:02d}_{len(rows)}.csv", clear, manifest


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


class Insurer:
    """Keys of an insurer, and a root that knows them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = Root(folder / "outside")
        initialise(self.root)
        self.secret = Tsk.generate("Insurer <insurer@example.invalid>")
        (self.root.keys / "insurer.pgp.asc").write_text(str(self.secret.extract_certificate()))
        self.ssh = asyncssh.generate_private_key("ssh-ed25519")
        (self.root.keys / "insurer_ssh.pub").write_bytes(self.ssh.export_public_key())
        self.printer = Cert.from_file(str(self.root.keys / "printer.pgp.asc"))

    def sealed(
        self,
        name: str,
        clear: bytes,
        members: dict[str, Any],
        *,
        signer: Tsk | None = None,
        cut: int = 0,
        **changes: Any,
    ) -> list[tuple[str, bytes]]:
        """The files to upload, in order. `cut` bytes are missing from the sealed file; `changes` of the manifest."""

        def seal(content: bytes) -> bytes:
            return encrypt(
                signer=(signer or self.secret).signer(), recipients=[self.printer], bytes=content, armor=False
            )

        sealed = seal(clear)
        sealed = sealed[: len(sealed) - cut]
        manifest = {
            "contract": "printer/v1",
            "campaign": CAMPAIGN,
            "file_name": name,
            **members,
            "byte_count_clear": len(clear),
            "sha256_clear": sha256(clear),
            "byte_count_sealed": len(sealed),
            "sha256_sealed": sha256(sealed),
            **changes,
        }
        return [
            (f"{name}.pgp", sealed),
            (f"{name}.manifest.json.pgp", seal(json.dumps(manifest, ensure_ascii=False).encode())),
        ]

    def put(self, name: str, clear: bytes, members: dict[str, Any], **options: Any) -> None:
        """Lay a file into the inbox without SFTP."""
        for file, content in self.sealed(name, clear, members, **options):
            part = self.root.inbox / f"{file}.part"
            part.write_bytes(content)
            part.replace(self.root.inbox / file)

    def answer_files(self) -> list[str]:
        names = (path.name for path in self.root.outbox.glob("*.manifest.json.pgp"))
        return sorted(name.removesuffix(".manifest.json.pgp") for name in names)

    def open(self, path: Path) -> bytes:
        opened = decrypt(
            path.read_bytes(),
            decryptor=self.secret.decryptor(),
            store=lambda _: [self.printer],
        )
        assert opened.valid_sigs and opened.bytes is not None
        return opened.bytes

    def rows(self, word: str) -> list[dict[str, str]]:
        """Rows of every answer of a kind (ack, piece, return), each with its file; manifests are checked."""
        found = []
        for name in self.answer_files():
            if f"_{word}_" not in name:
                continue
            clear = self.open(self.root.outbox / f"{name}.pgp")
            manifest = json.loads(self.open(self.root.outbox / f"{name}.manifest.json.pgp"))
            assert manifest["sha256_clear"] == sha256(clear)
            assert manifest["sha256_sealed"] == sha256((self.root.outbox / f"{name}.pgp").read_bytes())
            rows = list(csv.DictReader(io.StringIO(clear.decode())))
            assert manifest["row_count"] == len(rows) == int(name.removesuffix(".csv").rsplit("_", 1)[1])
            found += [{**row, "file": name} for row in rows]
        return found

    def acks(self) -> dict[str, tuple[str, str]]:
        return {row["file_name"]: (row["result"], row["reason_code"]) for row in self.rows("ack")}

    def facts(self) -> list[tuple[str, ...]]:
        """Every row of every answer without the file's name: what two runs are compared by."""
        return sorted(
            (word, *(value for key, value in row.items() if key != "file"))
            for word in ("ack", "piece", "return")
            for row in self.rows(word)
        )

    # --- a season of one lot ------------------------------------------------------------------------------

    def hand_over(self, world: World, identity: str, first: int, pieces: int, **options: Any) -> bytes:
        name, clear, members = lot(identity, first, pieces, **options)
        self.put(name, clear, members)
        world.look()
        return clear

    def release(self, world: World, posting: date, lots: dict[str, bytes], *, nth: int = 1, **members: Any) -> str:
        rows = [[identity, posting.isoformat(), sha256(clear)] for identity, clear in lots.items()]
        name, content, manifest = order("release_order", posting, rows, nth, **members)
        self.put(name, content, manifest)
        world.look()
        return name


def world(insurer: Insurer, *, seed: int = 7, start: date = date(2025, 7, 1), **options: Any) -> World:
    return World(insurer.root, Options(seed=seed, start=start, **options))


class Process:
    """A sandbox as its own process, spoken to over SFTP and its control channel only."""

    def __init__(self, insurer: Insurer, *arguments: str, command: tuple[str, ...] = (), seed: int = 7) -> None:
        self.insurer = insurer
        port_file = insurer.root.path / "port"
        port_file.unlink(missing_ok=True)
        handle, log = tempfile.mkstemp(dir=insurer.folder, suffix=".log")
        self.log = Path(log)
        self.process = subprocess.Popen(
            [
                *command,
                sys.executable,
                "-m",
                "kakuninsho.sandbox",
                "serve",
                "--root",
                str(insurer.root.path),
                "--port",
                "0",
                "--seed",
                str(seed),
                "--start",
                "2025-07-01",
                "--port-file",
                str(port_file),
                *arguments,
            ],
            stdout=handle,
            stderr=handle,
            cwd=insurer.root.path,
            env={"PATH": os.environ["PATH"], "HOME": str(insurer.root.path)},
        )
        os.close(handle)
        try:
            control.wait_until_ready(insurer.root.path)
        except control.ControlError:
            self.process.kill()
            raise AssertionError(self.log.read_text()) from None
        self.port = int(port_file.read_text())

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            control.stop(self.insurer.root.path)
            self.process.wait(20)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(20)

    def connect(self, *, key: asyncssh.SSHKey | None = None, host_key: str = "host_key.pub") -> Any:
        known = asyncssh.import_known_hosts(
            f"[127.0.0.1]:{self.port} {(self.insurer.root.keys / host_key).read_text()}"
        )
        return asyncssh.connect(
            "127.0.0.1",
            self.port,
            username="insurer",
            client_keys=[key or self.insurer.ssh],
            known_hosts=known,
            agent_path=None,
            config=None,
        )

    def send(self, name: str, clear: bytes, members: dict[str, Any], **options: Any) -> None:
        async def upload() -> None:
            async with self.connect() as connection, connection.start_sftp_client() as sftp:
                for file, content in self.insurer.sealed(name, clear, members, **options):
                    async with sftp.open(f"to_printer/{file}.part", "wb") as part:
                        await part.write(content)
                    await sftp.rename(f"to_printer/{file}.part", f"to_printer/{file}")

        asyncio.run(upload())

    def advance(self, to: date) -> None:
        control.advance(self.insurer.root.path, to)
