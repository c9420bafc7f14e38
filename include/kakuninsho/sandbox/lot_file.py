"""Reading a lot file as a printer does: line by line, checking every record, keeping numbers only.

No name or address outlives the line it stands on. Memory holds one number and one flag per piece, and, only where
people are to send certificates back, the numbers of certificates and of who holds them.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import NoReturn

from kakuninsho.sandbox.layout import LOT_KINDS, ORDERS, RECORDS, Record, fields_of


class RefusedError(Exception):
    """The file is refused. `reason` is a reject reason of the contract, `where` says what, without values."""

    def __init__(self, reason: str, where: str) -> None:
        super().__init__(f"{reason}: {where}")
        self.reason = reason
        self.where = where


def _all(record_type: str) -> tuple[str, ...]:
    return tuple(item.name for item in fields_of(RECORDS[record_type]))


_H = Record(RECORDS["H"], _all("H"))
_T = Record(RECORDS["T"], _all("T"))
_E = Record(
    RECORDS["E"],
    (
        "control_number",
        "bundle_control_number",
        "position_in_lot",
        "is_sample",
        "certificate_count",
        "enclosures",
        "weight_g",
        "postage_yen",
    ),
)
_C = Record(
    RECORDS["C"],
    ("certificate_id", "control_number", "slot", "is_sample", "symbol", "number", "suffix", "insurer_number"),
)
_B = Record(
    RECORDS["B"],
    (
        "control_number",
        "position_in_lot",
        "packet_count",
        "certificate_count",
        "enclosures",
        "weight_g",
        "postage_yen",
    ),
)
_L = Record(
    RECORDS["L"],
    (
        "control_number",
        "position_in_lot",
        "is_sample",
        "line_count",
        "enclosures",
        "weight_g",
        "postage_yen",
    ),
)
_N = Record(RECORDS["N"], ("control_number", "line_number"))


class Holders:
    """Who will hold which certificate, and the piece that brings it: numbers of people and of pieces, no names."""

    def __init__(self) -> None:
        self.certificates: list[str] = []
        self.pieces = array("q")
        self.people: list[str] = []  # insurer number, symbol, number and suffix, in one


@dataclass
class Lot:
    """What is kept of a lot file: its header and totals, and a number and a sample mark per piece."""

    header: dict[str, str]
    holders: Holders | None = None  # told of each certificate, where somebody has to know
    sequences: array[int] = field(default_factory=lambda: array("q"))
    samples: array[int] = field(default_factory=lambda: array("b"))
    record_count: int = 0
    packet_count: int = 0
    certificate_count: int = 0
    list_line_count: int = 0
    enclosures: Counter[str] = field(default_factory=Counter)
    weight_tenths: int = 0
    postage_yen: int = 0

    @property
    def lot_id(self) -> str:
        return self.header["lot_id"]

    @property
    def envelope_count(self) -> int:
        return len(self.sequences)

    @property
    def sample_count(self) -> int:
        return sum(self.samples)

    @property
    def replacements(self) -> tuple[int, int] | None:
        """First and last sequence number kept for pieces printed again."""
        if not self.header["replacement_first"]:
            return None
        return int(self.header["replacement_first"]) // 100, int(self.header["replacement_last"]) // 100

    def totals(self) -> dict[str, str]:
        """The totals as they stand in trailer and manifest."""
        return {
            "envelope_count": str(self.envelope_count),
            "sample_count": str(self.sample_count),
            "packet_count": str(self.packet_count),
            "certificate_count": str(self.certificate_count),
            "list_line_count": str(self.list_line_count),
            "enclosures": " ".join(f"{code}:{count}" for code, count in sorted(self.enclosures.items())),
            "weight_g": f"{self.weight_tenths // 10}.{self.weight_tenths % 10}",
            "postage_yen": str(self.postage_yen),
        }


@lru_cache(maxsize=10_000)
def _counts(text: str) -> tuple[tuple[str, int], ...]:
    return tuple((code, int(count)) for code, _, count in (item.partition(":") for item in text.split()))


def _uses_nec_row(raw: bytes) -> bool:
    """Whether a character of the line is written with a lead byte of the NEC rows (ED, EE)."""
    place = 0
    while place < len(raw):
        byte = raw[place]
        if byte in (0xED, 0xEE):
            return True
        place += 2 if 0x81 <= byte <= 0x9F or 0xE0 <= byte <= 0xFC else 1
    return False


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of a lot file, decoded; a line break never stands inside a field."""
    with path.open("rb") as file:
        for number, raw in enumerate(file, 1):
            if not raw.endswith(b"\r\n"):
                raise RefusedError("layout_invalid", f"line {number}: does not end with CR LF")
            try:
                line = raw[:-2].decode("cp932")
            except UnicodeDecodeError:
                raise RefusedError("layout_invalid", f"line {number}: not CP932") from None
            if (b"\xed" in raw or b"\xee" in raw) and _uses_nec_row(raw):
                raise RefusedError("layout_invalid", f"line {number}: a character in the NEC byte form")
            yield number, line


def _sequence(text: str, number: int) -> int:
    value = int(text)
    if value % 97 != 1:
        raise RefusedError("control_number_invalid", f"line {number}: wrong check digits")
    return value // 100


class _Reader:
    """The state between lines: which piece is open, and what it still owes."""

    def __init__(self) -> None:
        self.lot: Lot | None = None
        self.number = 0
        self.control = ""  # of the open E, B or L
        self.bundle = ""  # of the open B
        self.owed_parts = 0  # C of the open E, or N of the open L
        self.part = 0  # slot or line number of the last one
        self.owed_packets = 0
        self.owed_bundle_certificates = 0
        self.is_sample = "0"
        self.trailer: dict[str, str] | None = None

    def refuse(self, reason: str, what: str) -> NoReturn:
        raise RefusedError(reason, f"line {self.number}: {what}")

    def _begun(self) -> Lot:
        """The lot of the header; no other record is read before one."""
        assert self.lot is not None  # noqa: S101 (the first record must be a header)
        return self.lot

    def _add(self, enclosures: str, weight: str, postage: str) -> None:
        lot = self._begun()
        for code, count in _counts(enclosures):
            lot.enclosures[code] += count
        lot.weight_tenths += int(weight[:-2]) * 10 + int(weight[-1])
        lot.postage_yen += int(postage)

    def _open_piece(self, control: str, position: str, is_sample: str) -> None:
        lot = self._begun()
        lot.sequences.append(_sequence(control, self.number))
        lot.samples.append(1 if is_sample == "1" else 0)
        if int(position) != len(lot.sequences):
            self.refuse("totals_differ", "position_in_lot does not run 1, 2, 3")

    def _close_parts(self) -> None:
        if self.owed_parts:
            self.refuse("totals_differ", "the piece before has fewer certificates or lines than it says")

    def _close_bundle(self) -> None:
        if self.owed_packets or self.owed_bundle_certificates:
            self.refuse("totals_differ", "the bundle before has other packets or certificates than it says")
        self.bundle = ""

    def envelope(self, values: tuple[str, ...]) -> None:
        control, bundle, position, is_sample, certificates, enclosures, weight, postage = values
        self._close_parts()
        lot = self._begun()
        if bundle:
            if bundle != self.bundle or int(position) != len(lot.sequences):
                self.refuse("layout_invalid", "a packet that does not stand after its bundle")
            _sequence(control, self.number)
            self.owed_packets -= 1
            self.owed_bundle_certificates -= int(certificates)
            lot.packet_count += 1
        else:
            self._close_bundle()
            self._open_piece(control, position, is_sample)
        self._add(enclosures, weight, postage)
        self.control, self.is_sample = control, is_sample
        self.owed_parts, self.part = int(certificates), 0

    def certificate(self, values: tuple[str, ...]) -> None:
        certificate_id, control, slot, is_sample, *person = values
        self.part += 1
        self.owed_parts -= 1
        lot = self._begun()
        lot.certificate_count += 1
        if control != self.control or self.owed_parts < 0:
            self.refuse("totals_differ", "more certificates than the envelope says, or of another envelope")
        if slot != str(self.part) or certificate_id != f"{control}-{slot}" or is_sample != self.is_sample:
            self.refuse("layout_invalid", "certificate_id, slot or is_sample does not fit the envelope")
        if lot.holders is not None and is_sample == "0":
            lot.holders.certificates.append(certificate_id)
            lot.holders.pieces.append(lot.sequences[-1])
            lot.holders.people.append("|".join(person))

    def bundle_of_packets(self, values: tuple[str, ...]) -> None:
        control, position, packets, certificates, enclosures, weight, postage = values
        self._close_parts()
        self._close_bundle()
        self._open_piece(control, position, "0")
        self._add(enclosures, weight, postage)
        self.bundle, self.control = control, ""
        self.owed_packets, self.owed_bundle_certificates = int(packets), int(certificates)

    def employer_list(self, values: tuple[str, ...]) -> None:
        control, position, is_sample, lines, enclosures, weight, postage = values
        self._close_parts()
        self._close_bundle()
        self._open_piece(control, position, is_sample)
        self._add(enclosures, weight, postage)
        self.control, self.is_sample = control, is_sample
        self.owed_parts, self.part = int(lines), 0

    def list_line(self, values: tuple[str, ...]) -> None:
        control, line_number = values
        self.part += 1
        self.owed_parts -= 1
        lot = self._begun()
        lot.list_line_count += 1
        if control != self.control or self.owed_parts < 0 or line_number != str(self.part):
            self.refuse("totals_differ", "lines do not fit the employer list they stand under")


_READERS = {
    "E": (_E, _Reader.envelope),
    "C": (_C, _Reader.certificate),
    "B": (_B, _Reader.bundle_of_packets),
    "L": (_L, _Reader.employer_list),
    "N": (_N, _Reader.list_line),
}
_ALLOWED = {"home": "EC", "supplementary": "EC", "employer": "ECB", "employer_list": "LN"}


@lru_cache(maxsize=50_000)
def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def read_lot(path: Path, *, with_holders: bool = False) -> Lot:
    """Read and check a lot file whole. `with_holders` keeps who will hold which certificate.

    Raises:
        RefusedError: layout_invalid, totals_differ or control_number_invalid; the first thing found.
    """
    reader = _Reader()
    allowed = ""
    for number, line in _lines(path):
        reader.number = number
        if reader.trailer is not None:
            reader.refuse("layout_invalid", "a record after the trailer")
        kind = line[1:2]
        if number == 1:
            values = _H.read(line)
            if values is None:
                reader.refuse("layout_invalid", "the header is not as agreed")
            header = dict(zip(_H.wanted, values, strict=True))
            reader.lot = Lot(header, Holders() if with_holders else None)
            allowed = _ALLOWED[reader.lot.header["lot_kind"]]
        elif kind == "T":
            values = _T.read(line)
            if values is None:
                reader.refuse("layout_invalid", "the trailer is not as agreed")
            reader.trailer = dict(zip(_T.wanted, values, strict=True))
        elif kind in allowed and kind in _READERS:
            record, handle = _READERS[kind]
            values = record.read(line)
            if values is None:
                reader.refuse("layout_invalid", f"a record {kind} is not as agreed")
            handle(reader, values)
        else:
            reader.refuse("layout_invalid", "a record of a kind that does not belong there")
    lot = reader.lot
    if lot is None or reader.trailer is None:
        raise RefusedError("layout_invalid", "header or trailer is missing")
    lot.record_count = reader.number
    reader._close_parts()
    reader._close_bundle()
    _check_totals(lot, reader.trailer)
    return lot


def _check_totals(lot: Lot, trailer: dict[str, str]) -> None:
    counted = {**lot.totals(), "record_count": str(lot.record_count), "lot_id": lot.lot_id}
    for name, value in trailer.items():
        if name != "record_type" and counted[name] != value:
            raise RefusedError("totals_differ", f"trailer: {name} is not what was counted")
    for name in ("envelope_count", "certificate_count", "sample_count"):
        if lot.header[name] != counted[name]:
            raise RefusedError("totals_differ", f"header: {name} is not what was counted")
    header = lot.header
    kind = lot.lot_id.removeprefix(f"{header['campaign']}-")[:1]
    compact = header["posting_date"].replace("-", "")
    if not _is_date(header["posting_date"]) or LOT_KINDS.get(kind) != header["lot_kind"]:
        raise RefusedError("layout_invalid", "header: posting_date or lot_kind does not fit the lot_id")
    if f"-{compact}-" not in lot.lot_id or header["insurer_number"][2:4] != lot.lot_id.split("-")[2]:
        raise RefusedError("layout_invalid", "header: posting_date or insurer_number does not fit the lot_id")
    if bool(header["replacement_first"]) != bool(header["replacement_last"]):
        raise RefusedError("layout_invalid", "header: half a range of replacement numbers")
    kept = lot.replacements
    if kept is not None:
        first, last = _sequence(header["replacement_first"], 1), _sequence(header["replacement_last"], 1)
        if first > last:
            raise RefusedError("control_number_invalid", "header: the replacement range is upside down")
    if len(set(lot.sequences)) != len(lot.sequences):
        raise RefusedError("control_number_invalid", "a control number stands on two pieces")


_ORDERS = {kind: Record(text, tuple(item.name for item in fields_of(text))) for kind, text in ORDERS.items()}


def read_order(path: Path, kind: str) -> list[tuple[str, ...]]:
    """The rows of a pull list, urgent pull list, release order or stop order.

    Raises:
        RefusedError: layout_invalid.
    """
    record = _ORDERS[kind]
    rows: list[tuple[str, ...]] = []
    with path.open("rb") as file:
        for number, raw in enumerate(file, 1):
            try:
                line = raw.decode("utf-8")
            except UnicodeDecodeError:
                raise RefusedError("layout_invalid", f"line {number}: not UTF-8") from None
            if not line.endswith("\r\n"):
                raise RefusedError("layout_invalid", f"line {number}: does not end with CR LF")
            line = line.removesuffix("\r\n")
            if number == 1:
                if line != ",".join(f'"{name}"' for name in record.wanted):
                    raise RefusedError("layout_invalid", "header line is not as agreed")
                continue
            values = record.read(line)
            if values is None or (kind == "release_order" and not _is_date(values[1])):
                raise RefusedError("layout_invalid", f"line {number}: not as agreed")
            if kind in {"pull_list", "urgent_pull_list"}:
                _sequence(values[1], number)
            rows.append(values)
    return rows
