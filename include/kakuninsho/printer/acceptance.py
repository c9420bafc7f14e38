"""Acceptance pack: a fixed play of lots and orders against a printer's endpoint, and checks of what it answers.

The people are those of the golden sample, so nothing personal leaves. Every run has a number of its own (`series`):
it gives a campaign name, lot ids and control numbers that no other run and no real mailing uses, because a printer
takes a lot once. What the endpoint has to be told to do (spoil pieces, return them) is judged when it was told, and
otherwise reported as not seen, never as passed.
"""

from __future__ import annotations

import asyncio
import csv
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Protocol

from pysequoia import Tsk

from kakuninsho.campaign.calendar import add_business_days
from kakuninsho.facts.store import Fact, FactStore, sha256_of
from kakuninsho.plans.control_numbers import control_number
from kakuninsho.printer.layout import contract
from kakuninsho.printer.lot_file import ClearFile, write_lot, write_pull_list, write_release_order, write_stop_order
from kakuninsho.printer.manifest import make_manifest
from kakuninsho.printer.samples import (
    EMPLOYER,
    EMPLOYER_PLACE,
    FUKUI,
    PEOPLE,
    land_plan,
    lot_row,
    piece_row,
    seed_rows,
)
from kakuninsho.printer.sealing import Keys, seal
from kakuninsho.printer.transfer import (
    BLOCK,
    MANIFEST_SUFFIX,
    PART_SUFFIX,
    SEALED_SUFFIX,
    HostKeyError,
    SftpTarget,
    TransferError,
    fetch_answers,
    sftp_session,
)

PASSED, FAILED, NOT_SEEN = "passed", "failed", "not_seen"
SPOILS, RETURNS = "spoils", "returns"
MAX_SERIES = 98  # from 999,000,000 on nothing is used
FIRST_SEQUENCE = 900_000_000  # far above what a mailing reaches; a series has 1,000 numbers
PIECES = 60  # of the lot that is posted: enough for each return reason to come up
GRAMS, YEN = 28.2, 320  # of an envelope with one certificate
POSTING_AFTER = 10  # business days from the first day: every step before it has its own day
REPORTED_WITHIN = timedelta(days=75)  # posting, returns and the slowest report that is still in time
Row = dict[str, Any]
Enough = Callable[[], bool]


class AcceptanceError(RuntimeError):
    """The play cannot be begun or went no further. Says why and what to do."""


class Pace(Protocol):
    """How days pass for the endpoint."""

    def pass_until(self, day: date, enough: Enough) -> None:
        """Return when it is `day` out there, or when `enough` (asks the endpoint) says that all has come."""


@dataclass(frozen=True)
class Waiting:
    """Nobody moves the endpoint's days: look again until all has come or the patience (seconds) is out."""

    patience: float
    interval: float = 1.0

    def pass_until(self, day: date, enough: Enough) -> None:
        """Wait; the day does not matter."""
        until = time.monotonic() + self.patience
        while not enough() and time.monotonic() < until:
            time.sleep(self.interval)


@dataclass
class Driven:
    """A command moves the endpoint's days: the sandbox's `advance`, or what a printer's test system has."""

    move: Callable[[date], None]
    stride: timedelta = timedelta(days=7)  # between looks: what is replaced in the meantime is not noticed
    now: date | None = None

    def pass_until(self, day: date, enough: Enough) -> None:
        """Move the days, looking once a week and at the end."""
        while self.now is not None and self.now + self.stride < day:
            self._live(self.now + self.stride, enough)
        self._live(day, enough)

    def _live(self, day: date, enough: Enough) -> None:
        self.move(day)
        self.now = day
        enough()


@dataclass(frozen=True)
class Check:
    """One line of the result. `seen` holds counts and codes, nothing of a row."""

    name: str
    ja: str
    expected: str
    seen: str
    verdict: str


@dataclass
class Evidence:
    """What the endpoint answered, by the step of the play in which it came."""

    known: dict[str, str] = field(default_factory=dict)
    acknowledgements: dict[str, list[Row]] = field(default_factory=dict)
    pieces: list[Row] = field(default_factory=list)
    returns: list[Row] = field(default_factory=list)
    refusals: dict[str, str] = field(default_factory=dict)

    def answers_to(self, step: str, file: ClearFile) -> list[Row]:
        """Acknowledgements of a file that came in a step."""
        return [row for row in self.acknowledgements.get(step, []) if row["file_name"] == file.name]


@dataclass
class Endpoint:
    """The printer under test."""

    target: SftpTarget
    keys: Keys
    campaign: str
    work: Path
    evidence: Evidence = field(default_factory=Evidence)

    def send(self, clear: ClearFile, *, signer: Keys | None = None, cut: bool = False) -> None:
        """Seal and upload a file, whatever lies there under its name.

        Args:
            clear: the file; its manifest is made from what it says of itself.
            signer: other keys than ours, for a wrong signature.
            cut: leave the second half of the sealed file out.
        """
        keys = signer or self.keys
        folder = self.work / "sealed"
        folder.mkdir(exist_ok=True)
        sealed = seal(clear.path, folder / f"{clear.name}{SEALED_SUFFIX}", keys)
        manifest = folder / f"{clear.name}{MANIFEST_SUFFIX}"
        manifest.write_bytes(make_manifest(clear, sealed))
        announced = seal(manifest, folder / f"{manifest.name}{SEALED_SUFFIX}", keys)
        if cut:
            with sealed.open("r+b") as file:
                file.truncate(sealed.stat().st_size // 2)
        asyncio.run(self._upload([sealed, announced]))

    async def _upload(self, files: Sequence[Path]) -> None:
        remotes = {file: f"{self.target.to_printer}/{file.name}" for file in files}
        async with sftp_session(self.target) as client:
            # What lay there before goes manifest first: a printer that looks meanwhile must not find the new file
            # beside the old manifest.
            for remote in reversed(remotes.values()):
                if await client.exists(remote):
                    await client.remove(remote)
            for file, remote in remotes.items():
                async with client.open(remote + PART_SUFFIX, "wb") as out:
                    with file.open("rb") as source:
                        while block := source.read(BLOCK):
                            await out.write(block)
                await client.rename(remote + PART_SUFFIX, remote)

    def look(self, step: str) -> None:
        """Fetch what is new and keep it under a step. Answers of other campaigns are left alone."""
        inbox = self.work / "inbox"
        shutil.rmtree(inbox, ignore_errors=True)
        fetched = fetch_answers(self.evidence.known, self.target, self.keys, inbox)
        mine = f"pv1_{self.campaign}_"
        for answer in (item for item in fetched.answers if item.name.startswith(mine)):
            self.evidence.known[answer.name] = answer.sha256
            with answer.path.open(encoding="utf-8", newline="") as file:
                rows = list(csv.DictReader(file))
            if answer.kind == "acknowledgement":
                self.evidence.acknowledgements.setdefault(step, []).extend(rows)
            else:
                (self.evidence.pieces if answer.kind == "piece_report" else self.evidence.returns).extend(rows)
        for refusal in (item for item in fetched.refusals if item.name.startswith(mine)):
            self.evidence.refusals[refusal.name] = refusal.reason


# --- what is sent ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Script:
    """Every file of the play. `posted` is released and posted, `kept` is never released."""

    campaign: str
    posting_date: date
    posted: ClearFile
    kept: ClearFile
    bundles: ClearFile
    lists: ClearFile
    cut: ClearFile
    broken_record: ClearFile
    wrong_totals: ClearFile
    stranger: ClearFile
    same_name: ClearFile
    same_lot: ClearFile
    pull: ClearFile
    pull_unknown: ClearFile
    wrong_hash: ClearFile
    release: ClearFile
    pull_late: ClearFile
    destroy: ClearFile
    first_sequence: dict[str, int]  # of each good lot

    @property
    def good_lots(self) -> tuple[ClearFile, ...]:
        """Lots that a printer must take."""
        return (self.posted, self.kept, self.bundles, self.lists)

    def originals(self, lot: ClearFile) -> set[str]:
        """Control numbers of a lot's pieces, samples included."""
        first = self.first_sequence[str(lot.lot_id)]
        return {control_number(first + index) for index in range(lot.envelope_count or 0)}

    def spares(self, lot: ClearFile) -> set[str]:
        """Control numbers that a lot keeps for pieces printed again."""
        after = self.first_sequence[str(lot.lot_id)] + (lot.envelope_count or 0)
        return {control_number(after + index) for index in range(20)}

    @property
    def pulled(self) -> str:
        """The piece that is pulled before printing."""
        return control_number(self.first_sequence[str(self.posted.lot_id)] + 2)

    @property
    def pulled_late(self) -> str:
        """The piece on the pull list that comes after posting."""
        return control_number(self.first_sequence[str(self.posted.lot_id)] + 3)


class _Writer:
    """Writes the files of one series from small frozen plans."""

    def __init__(self, series: int, posting_date: date, work: Path) -> None:
        self.campaign = f"accept{series:02d}"
        self.posting_date = posting_date
        self.next = FIRST_SEQUENCE + series * 1_000
        self.out = work / "clear"
        self.out.mkdir(parents=True)
        self.store = FactStore(work / "plans")
        self.store.initialise()
        self.first: dict[str, int] = {}

    def lot_id(self, kind: str, number: int) -> str:
        return f"{self.campaign}-{kind}-{FUKUI:02d}-{self.posting_date:%Y%m%d}-{number:02d}"

    def _numbers(self, lot_id: str, pieces: int) -> int:
        """First sequence of a lot: two samples, its pieces, twenty to spare."""
        first = self.next
        self.next += pieces + 22
        self.first.setdefault(lot_id, first)
        return first

    def _land(self, plan_id: str, kind: str, tables: dict[str, list[Row]]) -> Fact:
        return land_plan(self.store, plan_id, self.posting_date, {"plan": [{"plan_kind": kind}], **tables})

    def home(self, number: int, pieces: int, *, folder: str = "", plan: str = "") -> ClearFile:
        """A home lot of envelopes with one certificate each."""
        lot_id = self.lot_id("H", number)
        first = self._numbers(lot_id, pieces)
        envelopes, certificates = [], []
        for index in range(pieces):
            _, name, kana, sex, born, qualified = PEOPLE[index % len(PEOPLE)]
            household = EMPLOYER * 10_000_000 + index + 1
            sequence = first + 2 + index
            single = {"position": 1, "envelopes_in_household": 1, "certificate_count": 1}
            envelopes.append(
                piece_row(lot_id, "home", sequence, index + 3, household_key=household, **single)
                | {"weight_g": GRAMS, "postage_yen": YEN, "addressee_name": name, "postal_code": "9100001"}
                | {"address": "福井県福井市大手1丁目2-3", "building": "大手ハイツ101"}
            )
            certificates.append(
                {"certificate_id": f"{control_number(sequence)}-1", "envelope_id": control_number(sequence), "slot": 1}
                | {"member_key": household * 100, "household_key": household, "name": name, "name_kana": kana}
                | {"sex": sex, "birth_date": born, "qualified_on": qualified, "issued_on": self.posting_date}
                | {"valid_until": date(2029, 11, 30), "route": "home", "need": "no_card", "enrolment": "employee"}
            )
        totals: Row = {"envelope_count": pieces, "certificate_count": pieces, "postage_yen": YEN * (pieces + 2)}
        totals["weight_g"] = round(GRAMS * (pieces + 2), 1)
        tables = {
            "lots": [lot_row(lot_id, "home", self.posting_date, first, totals)],
            "envelopes": envelopes,
            "certificates": certificates,
            "seed_pieces": seed_rows(lot_id, first),
        }
        fact = self._land(plan or f"home-{number}", "home", tables)
        return write_lot(fact, lot_id, self.campaign, self.out / folder)

    def bundles(self, packets: list[int]) -> ClearFile:
        """An employer lot of one bundle; its packets are envelopes of the posted lot."""
        lot_id = self.lot_id("E", 1)
        first = self._numbers(lot_id, 1)
        bundle = piece_row(lot_id, "employer", first + 2, 3, certificate_count=len(packets))
        follow_ups = [
            {"envelope_id": control_number(sequence), "certificate_id": f"{control_number(sequence)}-1"}
            | {"envelope_outcome": "employer_bundle", "outcome": "employer_bundle"}
            | {"bundle_id": control_number(first + 2)}
            for sequence in packets
        ]
        totals = {"envelope_count": 1, "certificate_count": len(packets), "weight_g": 65.6 + 2 * GRAMS}
        tables = {
            "lots": [lot_row(lot_id, "employer", self.posting_date, first, totals | {"postage_yen": 390 + 2 * YEN})],
            "envelopes": [bundle | EMPLOYER_PLACE | {"weight_g": 65.6, "postage_yen": 390}],
            "seed_pieces": seed_rows(lot_id, first),
            "follow_ups": follow_ups,
        }
        return write_lot(self._land("follow-up", "follow_up", tables), lot_id, self.campaign, self.out)

    def lists(self) -> ClearFile:
        """An employer list."""
        lot_id = self.lot_id("L", 1)
        first = self._numbers(lot_id, 1)
        piece = piece_row(lot_id, "employer_list", first + 2, 3, certificate_count=0, weight_g=16.0, postage_yen=YEN)
        lines = [
            {"list_id": control_number(first + 2), "lot_id": lot_id, "employer_key": EMPLOYER}
            | {"member_key": key, "name": name}
            for key, name, *_ in PEOPLE
        ]
        totals = {"envelope_count": 1, "certificate_count": 0, "weight_g": 48.0, "postage_yen": 3 * YEN}
        tables = {
            "lots": [lot_row(lot_id, "employer_list", self.posting_date, first, totals)],
            "envelopes": [piece | EMPLOYER_PLACE],
            "seed_pieces": seed_rows(lot_id, first),
            "list_lines": lines,
        }
        return write_lot(self._land("list", "employer_list", tables), lot_id, self.campaign, self.out)

    def changed(self, clear: ClearFile, folder: str, change: Callable[[bytes], bytes]) -> ClearFile:
        """The same file with other bytes; its manifest will agree with them, so only the content is wrong."""
        path = self.out / folder / clear.name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(change(clear.path.read_bytes()))
        return replace(clear, path=path, byte_count=path.stat().st_size, sha256=sha256_of(path))

    def pull(self, ordinal: int, lot: ClearFile, envelope_id: str) -> ClearFile:
        """A pull list of one piece."""
        row = {"lot_id": lot.lot_id, "envelope_id": envelope_id, "posting_date": self.posting_date}
        row |= {"certificate_id": f"{envelope_id}-1", "reason_code": "membership_lost", "outcome": "closed"}
        fact = self._land(f"pull-{ordinal}", "release", {"pulls": [row]})
        return write_pull_list(fact, self.posting_date, self.campaign, self.out, ordinal)


def _without_a_field(content: bytes) -> bytes:
    """The second record loses its last field."""
    lines = content.split(b"\r\n")
    lines[1] = lines[1].rpartition(b",")[0]
    return b"\r\n".join(lines)


def _with_another_total(content: bytes) -> bytes:
    """The trailer's postage is one yen more."""
    head, _, trailer = content.removesuffix(b"\r\n").rpartition(b"\r\n")
    fields = trailer.split(b'","')
    fields[-1] = b'%d"' % (int(fields[-1].strip(b'"')) + 1)
    return head + b"\r\n" + b'","'.join(fields) + b"\r\n"


def write_script(series: int, begin: date, work: Path) -> Script:
    """Write every file of a run into a folder.

    Raises:
        AcceptanceError: the series is not one of 1 to 98.
    """
    if not 1 <= series <= MAX_SERIES:
        raise AcceptanceError(f"series must be 1 to {MAX_SERIES}: a printer takes the lots of a series once")
    writer = _Writer(series, add_business_days(begin, POSTING_AFTER), work)
    posted = writer.home(1, PIECES)
    first = writer.first[str(posted.lot_id)]
    kept = writer.home(2, 3)
    bundles = writer.bundles([first + 2, first + 3, first + 4])
    lists = writer.lists()
    pull = writer.pull(1, posted, control_number(first + 2))
    never_given = control_number(FIRST_SEQUENCE + series * 1_000 + 999)
    day = writer.posting_date
    return Script(
        campaign=writer.campaign,
        posting_date=day,
        posted=posted,
        kept=kept,
        bundles=bundles,
        lists=lists,
        cut=writer.home(3, 1),
        broken_record=writer.changed(writer.home(4, 1), "broken", _without_a_field),
        wrong_totals=writer.changed(writer.home(5, 1), "totals", _with_another_total),
        stranger=writer.home(6, 1),
        same_name=writer.changed(posted, "same-name", lambda content: content.replace(b'"9100001"', b'"9100002"')),
        same_lot=writer.home(1, 2, folder="same-lot", plan="home-again"),
        pull=pull,
        pull_unknown=writer.pull(2, posted, never_given),
        wrong_hash=write_release_order(day, {str(kept.lot_id): "0" * 64}, writer.campaign, writer.out, ordinal=1),
        release=write_release_order(
            day, {str(posted.lot_id): posted.sha256}, writer.campaign, writer.out, ordinal=2, pull_lists=(pull,)
        ),
        pull_late=writer.pull(3, posted, control_number(first + 3)),
        destroy=write_stop_order(day, {str(kept.lot_id): "destroy"}, writer.campaign, writer.out),
        first_sequence=writer.first,
    )


# --- the play --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Result:
    """The checks of one run."""

    series: int
    checks: list[Check]

    @property
    def passed(self) -> bool:
        """Whether no check failed; checks that were not seen are no failures and no passes."""
        return all(check.verdict != FAILED for check in self.checks)


def play(
    target: SftpTarget,
    keys: Keys,
    work: Path,
    pace: Pace,
    *,
    begin: date,
    series: int = 1,
    told: frozenset[str] = frozenset(),
    tell: Callable[[str], None] = lambda _: None,
) -> Result:
    """Play the whole pack and judge the answers. A run takes six exchanges with the endpoint.

    Args:
        target: the endpoint; its host key is pinned.
        keys: our secret key and the printer's public key.
        work: an empty folder for the files.
        pace: how days pass.
        begin: the endpoint's day at the start; the lots are posted ten business days later.
        series: number of this run.
        told: what the endpoint was told to do (spoils, returns): then not seeing it is a failure.
        tell: is called with each step's name.

    Raises:
        AcceptanceError: the endpoint cannot be reached.
        SealError: our own keys do not work.
    """
    script = write_script(series, begin, work)
    endpoint = Endpoint(target, keys, script.campaign, work)
    try:
        _play(script, endpoint, pace, begin, told, tell)
    except HostKeyError as error:
        return Result(series, [Check("host_key", "ホスト鍵", "the pinned key", str(error), FAILED)])
    except TransferError as error:
        raise AcceptanceError(str(error)) from error
    seen_key = Check("host_key", "ホスト鍵", "the pinned key", "the pinned key", PASSED)
    return Result(series, [seen_key, *judge(script, endpoint.evidence, told)])


def _play(
    script: Script, endpoint: Endpoint, pace: Pace, begin: date, told: frozenset[str], tell: Callable[[str], None]
) -> None:
    evidence = endpoint.evidence
    stranger = Keys(Tsk.generate("Stranger <stranger@example.invalid>"), endpoint.keys.other)

    def step(name: str, day: date, files: Sequence[ClearFile], enough: Enough | None = None) -> None:
        tell(name)
        for file in files:
            endpoint.send(file, signer=stranger if file is script.stranger else None, cut=file is script.cut)

        def look() -> bool:
            endpoint.look(name)
            return all(evidence.answers_to(name, file) for file in files) and (enough is None or enough())

        pace.pass_until(day, look)

    def everything_reported() -> bool:
        due = _reconcile(script, evidence) + ([*_returns(evidence, told)] if RETURNS in told else [])
        again = _spoiled(script, evidence, told).verdict != FAILED
        return again and all(check.verdict == PASSED for check in due)

    first = [script.posted, script.kept, script.bundles, script.lists]
    refused = [script.cut, script.broken_record, script.wrong_totals, script.stranger]
    step("lots", add_business_days(begin, 1), [*first, *refused])
    step("again", add_business_days(begin, 2), [script.posted])
    step("conflict", add_business_days(begin, 3), [script.same_name, script.same_lot])
    step("orders", add_business_days(begin, 4), [script.pull, script.pull_unknown, script.wrong_hash])
    step("release", script.posting_date + REPORTED_WITHIN, [script.release], everything_reported)
    late = script.posting_date + REPORTED_WITHIN + timedelta(days=30)
    step("late", late, [script.pull_late, script.destroy], lambda: _destroyed(script, evidence).verdict == PASSED)


# --- the checks ------------------------------------------------------------------------------------


def judge(script: Script, evidence: Evidence, told: frozenset[str] = frozenset()) -> list[Check]:
    """Hold what was answered against the contract."""
    return list(_judge(script, evidence, told))


def _judge(script: Script, evidence: Evidence, told: frozenset[str]) -> Iterator[Check]:
    taken = {
        "home_lot_taken": ("個人宛ロットの受領", script.posted),
        "unreleased_lot_taken": ("差出指示しないロットの受領", script.kept),
        "bundle_lot_taken": ("事業所あてロットの受領", script.bundles),
        "list_lot_taken": ("一覧表ロットの受領", script.lists),
    }
    for name, (ja, file) in taken.items():
        yield _answered(name, ja, evidence, "lots", file, "accepted")
    yield _counts(script, evidence)
    refused = {
        "cut_file_refused": ("途中で切れたファイルの拒否", "lots", script.cut, "manifest_differs"),
        "broken_record_refused": ("項目の欠けたレコードの拒否", "lots", script.broken_record, "layout_invalid"),
        "wrong_totals_refused": ("合計の合わないロットの拒否", "lots", script.wrong_totals, "totals_differ"),
        "wrong_signature_refused": ("他人の署名の拒否", "lots", script.stranger, "signature_invalid"),
        "other_content_refused": ("同名・別内容の拒否", "conflict", script.same_name, "name_conflict"),
        "same_lot_refused": ("受領済みロットIDの拒否", "conflict", script.same_lot, "duplicate_lot"),
        "unknown_pull_refused": ("ロットにない引抜きの拒否", "orders", script.pull_unknown, "unknown_envelope"),
        "wrong_hash_refused": ("別ハッシュの差出指示の拒否", "orders", script.wrong_hash, "hash_differs"),
        "late_pull_refused": ("差出後の引抜きの回答", "late", script.pull_late, "too_late"),
    }
    yield _answered("same_file_again", "同じファイルの再送", evidence, "again", script.posted, "accepted")
    for name, (ja, step, file, reason) in refused.items():
        yield _answered(name, ja, evidence, step, file, reason)
    yield _answered("pull_list_taken", "引抜き指示の受領", evidence, "orders", script.pull, "accepted")
    yield _answered("release_taken", "差出指示の受領", evidence, "release", script.release, "accepted")
    yield _pulled(script, evidence)
    yield _pulled_late(script, evidence)
    yield _spoiled(script, evidence, told)
    yield _unreleased(script, evidence)
    yield _answered("stop_taken", "中止指示の受領", evidence, "late", script.destroy, "accepted")
    yield _destroyed(script, evidence)
    yield from _reconcile(script, evidence)
    yield _unknown(script, evidence)
    yield from _returns(evidence, told)
    yield _returned(evidence)
    yield _refusals(evidence)


def _answered(name: str, ja: str, evidence: Evidence, step: str, file: ClearFile, expected: str) -> Check:
    """The acknowledgement of a file in a step: accepted, or rejected with exactly this reason."""
    rows = evidence.answers_to(step, file)
    answers = sorted({row["reason_code"] or row["result"] for row in rows})
    right = answers == [expected] and all((row["result"] == "accepted") == (expected == "accepted") for row in rows)
    return Check(name, ja, expected, ", ".join(answers) or "no answer", PASSED if right else FAILED)


def _verdict(good: bool) -> str:
    return PASSED if good else FAILED


def _counts(script: Script, evidence: Evidence) -> Check:
    differing = [
        file
        for file in script.good_lots
        for row in evidence.answers_to("lots", file)
        if row["result"] == "accepted"
        and (row["envelope_count"], row["certificate_count"]) != (str(file.envelope_count), str(file.certificate_count))
    ]
    seen = f"{len(differing)} lots differ"
    return Check("counted_as_sent", "受領件数の一致", "0 lots differ", seen, _verdict(not differing))


def _events(evidence: Evidence, number: str) -> set[str]:
    return {row["event_type"] for row in evidence.pieces if row["envelope_id"] == number}


def _pulled(script: Script, evidence: Evidence) -> Check:
    seen = sorted(_events(evidence, script.pulled))
    return Check(
        "pull_before_printing", "印刷前の引抜き", "pulled", ", ".join(seen) or "no report", _verdict(seen == ["pulled"])
    )


def _pulled_late(script: Script, evidence: Evidence) -> Check:
    """What is posted already is reported posted and never pulled; a spoiled one is not posted, so it may be pulled."""
    seen = sorted(_events(evidence, script.pulled_late))
    good = seen in (["posted"], ["spoiled"])
    return Check("pull_after_posting", "差出後の引抜き", "posted", ", ".join(seen) or "no report", _verdict(good))


def _spoiled(script: Script, evidence: Evidence, told: frozenset[str]) -> Check:
    spoiled = [row for row in evidence.pieces if row["event_type"] == "spoiled"]
    spare = {number for lot in script.good_lots for number in script.spares(lot)}
    wrong = [row for row in spoiled if row["replacement_id"] not in spare]
    unreported = [row for row in spoiled if not _events(evidence, row["replacement_id"]) & {"posted", "spoiled"}]
    seen = f"{len(spoiled)} spoiled, {len(wrong)} without a number of the range, {len(unreported)} not printed again"
    verdict = _verdict(not wrong and not unreported) if spoiled else (FAILED if SPOILS in told else NOT_SEEN)
    return Check("spoiled_is_replaced", "刷損の刷り直し", "each has one replacement of its range", seen, verdict)


def _unreleased(script: Script, evidence: Evidence) -> Check:
    count = sum(
        1
        for row in evidence.pieces
        if row["lot_id"] == script.kept.lot_id and row["event_type"] in {"posted", "spoiled"}
    )
    return Check("not_posted_unreleased", "差出指示なしでは差し出さない", "0", str(count), _verdict(count == 0))


def _destroyed(script: Script, evidence: Evidence) -> Check:
    expected = script.originals(script.kept)
    pulled = {
        row["envelope_id"]
        for row in evidence.pieces
        if row["lot_id"] == script.kept.lot_id and row["event_type"] == "pulled"
    }
    seen = f"{len(pulled & expected)} pulled"
    return Check("stop_destroys", "廃棄の報告", f"{len(expected)} pulled", seen, _verdict(pulled == expected))


def _reconcile(script: Script, evidence: Evidence) -> list[Check]:
    """Per posted lot, by original number: pieces = posted + pulled + spoiled, each in exactly one way."""
    checks = []
    for name, lot in (("home", script.posted), ("bundle", script.bundles), ("list", script.lists)):
        originals = script.originals(lot)
        kinds = Counter(
            "+".join(sorted(events)) if (events := _events(evidence, number)) else "unreported" for number in originals
        )
        seen = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
        good = set(kinds) <= {"posted", "pulled", "spoiled"}
        expected = f"{len(originals)} = posted + pulled + spoiled"
        checks.append(Check(f"{name}_totals_reconcile", f"件数の照合({name})", expected, seen, _verdict(good)))
    return checks


def _unknown(script: Script, evidence: Evidence) -> Check:
    """No piece is reported that was not ordered, and no number of the range that no spoiled piece names."""
    ordered = {number for lot in script.good_lots for number in script.originals(lot)}
    ordered |= {row["replacement_id"] for row in evidence.pieces if row["event_type"] == "spoiled"}
    count = sum(1 for row in evidence.pieces if row["envelope_id"] not in ordered)
    return Check("no_unknown_piece", "覚えのない管理番号なし", "0", str(count), _verdict(count == 0))


def _returns(evidence: Evidence, told: frozenset[str]) -> list[Check]:
    counts = Counter(row["reason_code"] for row in evidence.returns)
    return [
        Check(
            f"returned_{code}",
            item["ja"],
            "at least 1" if RETURNS in told else "where it can be told to",
            str(counts[code]),
            PASSED if counts[code] else (FAILED if RETURNS in told else NOT_SEEN),
        )
        for code, item in contract()["return_reasons"].items()
    ]


def _returned(evidence: Evidence) -> Check:
    """Each return names a posted piece and a reason of the contract."""
    posted = {row["envelope_id"] for row in evidence.pieces if row["event_type"] == "posted"}
    reasons = contract()["return_reasons"]
    unposted = sum(1 for row in evidence.returns if row["envelope_id"] not in posted)
    unnamed = sum(1 for row in evidence.returns if row["reason_code"] not in reasons)
    seen = f"{len(evidence.returns)} returns, {unposted} not posted, {unnamed} with another reason"
    verdict = _verdict(not unposted and not unnamed) if evidence.returns else NOT_SEEN
    return Check("returns_fit", "不着報告の整合", "each posted, with a reason of the contract", seen, verdict)


def _refusals(evidence: Evidence) -> Check:
    reasons = "; ".join(f"{name}: {reason}" for name, reason in sorted(evidence.refusals.items()))
    return Check("answers_valid", "報告ファイルの署名・目録・内容", "all", reasons or "all", _verdict(not reasons))
