"""The shape of a delivered CSV file, byte by byte, before anything reads its values.

A reader that guesses (a field more that is empty, a lost quotation mark, two kinds of line ends) shifts values from one
column to the next. Here each record is counted first: fields, quotation marks, line ends, encoding. Nothing of a value
is kept or told. Blocks are looked at with numpy, so that a national file costs seconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, NoReturn

import numpy as np
import numpy.typing as npt

from kakuninsho.register.errors import InboundError, Reason

SEND_AGAIN = "ask the sender to make the file again and to send it with its manifest"
IN_UTF8 = "ask the sender to write the file in UTF-8 and to send it again with its manifest"
# A record of a person takes some hundred bytes; one of a megabyte has lost a line end or a quotation mark.
MAX_RECORD_BYTES = 1_000_000
_BLOCK = 1 << 22
_BOM = b"\xef\xbb\xbf"
_QUOTE, _COMMA, _LF, _CR = b'",\n\r'


@dataclass(frozen=True)
class Misshapen:
    """A record with more or fewer fields than the header: its number (the first row is 1) and its bytes' place."""

    row_number: int
    start: int
    end: int


@dataclass
class CsvShape:
    """What a file holds: fields of its header, rows after it, line end, and the rows of another field count."""

    fields: int = 0
    rows: int = 0
    line_end: bytes = b"\n"
    misshapen: list[Misshapen] = field(default_factory=list)

    @property
    def misshapen_rows(self) -> tuple[int, ...]:
        """Numbers of the rows with more or fewer fields than the header."""
        return tuple(record.row_number for record in self.misshapen)


class _Scan:
    def __init__(self, path: Path, label: str, error: type[InboundError]) -> None:
        self.path, self.label, self.error = path, label, error
        self.shape = CsvShape()
        self.line = 1  # of the next byte
        self.place = 0  # of the next byte in the file
        self.first_ends_with_cr: bool | None = None
        self.has_header = False

    def refuse(self, rule: str, line: int, reason: Reason = Reason.UNREADABLE, action: str = SEND_AGAIN) -> NoReturn:
        raise self.error(reason, file=self.label, rule=f"{rule} from line {line} on", action=action)

    def run(self) -> CsvShape:
        for content, is_last in self._blocks():
            self._require_text(content)
            self._look_at(content, is_last=is_last)
        return self.shape

    def _blocks(self) -> Iterator[tuple[bytes, bool]]:
        """The file in blocks that end where a record ends."""
        with self.path.open("rb") as file:
            head = file.read(4)
            self._refuse_utf16(head)
            kept = head.removeprefix(_BOM)
            self.place = len(head) - len(kept)
            while block := file.read(_BLOCK):
                content = kept + block
                cut = _end_of_last_record(content)
                if len(content) - cut > MAX_RECORD_BYTES:
                    self._refuse_long(content, cut)
                yield content[:cut], False
                kept = content[cut:]
            yield kept, True

    def _refuse_utf16(self, head: bytes) -> None:
        if head[:2] in (b"\xff\xfe", b"\xfe\xff") or head[1:2] == b"\0" or head[:1] == b"\0":
            self.refuse("not UTF-8 but UTF-16,", 1, Reason.NOT_UTF8, IN_UTF8)

    def _refuse_long(self, content: bytes, cut: int) -> None:
        self._require_text(content[:cut])
        rest = content[cut:]
        self._require_text(rest, start=self.line + content[:cut].count(b"\n"), may_be_cut=True)
        line = self.line + content[:cut].count(b"\n")
        opened = _never_closed(rest)
        if opened is not None:
            self.refuse("a quotation mark opens and does not close again,", line + rest[:opened].count(b"\n"))
        self.refuse(f"a record of more than {MAX_RECORD_BYTES:,} bytes begins,", line)

    def _require_text(self, content: bytes, *, start: int | None = None, may_be_cut: bool = False) -> None:
        first = self.line if start is None else start
        place, rule = -1, ""
        try:
            content.decode("utf-8")
        except UnicodeDecodeError as caught:
            if not (may_be_cut and caught.end == len(content) and caught.reason == "unexpected end of data"):
                place, rule = caught.start, encoding_told(content[caught.start : caught.start + 2])
        if place >= 0:
            self.refuse(rule, first + content[:place].count(b"\n"), Reason.NOT_UTF8, IN_UTF8)
        nul = content.find(b"\0")
        if nul >= 0:
            self.refuse("the file holds a NUL character (U+0000)", first + content[:nul].count(b"\n"))

    def _look_at(self, content: bytes, *, is_last: bool) -> None:
        if not content:
            return
        length = len(content)
        closed = content if content.endswith(b"\n") or not is_last else content + self.shape.line_end
        bytes_ = np.frombuffer(closed, dtype=np.uint8)
        quotes = np.flatnonzero(bytes_ == _QUOTE)
        inside = np.zeros(len(bytes_), dtype=bool)
        if len(quotes):
            self._require_quotes(bytes_, quotes, closed, length)
            inside = (np.cumsum(bytes_ == _QUOTE, dtype=np.uint32) & 1).astype(bool)
        ends = np.flatnonzero((bytes_ == _LF) & ~inside)
        self._require_line_ends(bytes_, inside, ends, closed, length, is_last=is_last)
        commas = np.flatnonzero((bytes_ == _COMMA) & ~inside)
        starts = np.concatenate(([0], ends[:-1] + 1))
        with_cr = (bytes_[np.maximum(ends - 1, 0)] == _CR) & (ends > starts)
        lengths = ends - starts - with_cr
        longest = int(lengths.argmax())
        if lengths[longest] > MAX_RECORD_BYTES:
            self.refuse(
                f"a record of more than {MAX_RECORD_BYTES:,} bytes begins,",
                self.line + closed[: int(starts[longest])].count(b"\n"),
            )
        fields = np.diff(np.searchsorted(commas, ends), prepend=0) + 1
        holds = lengths > 0  # an empty line is no row
        self._count(fields[holds], starts[holds], np.minimum(ends[holds] + 1, length))
        self.line += content.count(b"\n")
        self.place += length

    def _count(self, fields: npt.NDArray[np.int64], starts: npt.NDArray[np.int64], ends: npt.NDArray[np.int64]) -> None:
        if not len(fields):
            return
        if not self.has_header:
            self.shape.fields, self.has_header = int(fields[0]), True
            fields, starts, ends = fields[1:], starts[1:], ends[1:]
        for n in np.flatnonzero(fields != self.shape.fields):
            self.shape.misshapen.append(
                Misshapen(self.shape.rows + int(n) + 1, self.place + int(starts[n]), self.place + int(ends[n]))
            )
        self.shape.rows += len(fields)

    def _require_quotes(
        self, bytes_: npt.NDArray[np.uint8], quotes: npt.NDArray[np.int64], closed: bytes, length: int
    ) -> None:
        """An opening mark begins a field, a closing one ends it; else one was lost before."""
        opening, closing = quotes[0::2], quotes[1::2]
        before = bytes_[np.maximum(opening - 1, 0)]
        wrong = (opening > 0) & ~np.isin(before, (_COMMA, _LF, _QUOTE))
        after = bytes_[np.minimum(closing + 1, len(bytes_) - 1)]
        shifted = (closing < len(bytes_) - 1) & ~np.isin(after, (_COMMA, _LF, _CR, _QUOTE))
        places = [int(opening[wrong][0])] if wrong.any() else []
        if shifted.any():
            places.append(int(opening[np.flatnonzero(shifted)[0]]))
        if len(opening) > len(closing):
            places.append(int(opening[-1]))
        if places:
            line = self.line + closed[: min(places)].count(b"\n")
            self.refuse("a quotation mark was lost or stands inside a field: the file is cut off or damaged", line)

    def _require_line_ends(
        self,
        bytes_: npt.NDArray[np.uint8],
        inside: npt.NDArray[np.bool_],
        ends: npt.NDArray[np.int64],
        closed: bytes,
        length: int,
        *,
        is_last: bool,
    ) -> None:
        alone = np.flatnonzero((bytes_[:-1] == _CR) & ~inside[:-1] & (bytes_[1:] != _LF))
        real = ends[ends < length]
        with_cr = (bytes_[np.maximum(real - 1, 0)] == _CR) & (real > 0)
        if self.first_ends_with_cr is None and len(real):
            self.first_ends_with_cr = bool(with_cr[0])
            self.shape.line_end = b"\r\n" if with_cr[0] else b"\n"
        differing = real[with_cr != self.first_ends_with_cr] if len(real) else real
        places = [int(found[0]) for found in (alone, differing) if len(found)]
        if places:
            names = "CR alone" if len(alone) and int(alone[0]) == min(places) else "CRLF and LF"
            line = self.line + closed[: min(places)].count(b"\n")
            self.refuse(f"line ends differ ({names})", line, action="ask the sender for the file with one line end")


def encoding_told(at: bytes) -> str:
    """What bytes that are no UTF-8 most likely are."""
    if at[:1] == b"\xed" and b"\xa0" <= at[1:2] <= b"\xbf":
        return "not UTF-8 but CESU-8, or a lone surrogate,"
    return "not UTF-8 (CP932 by mistake, or cut inside a character?)"


def _end_of_last_record(content: bytes) -> int:
    """Bytes up to the last line end that no quotation mark encloses."""
    cut = content.rfind(b"\n") + 1
    if b'"' not in content:
        return cut
    bytes_ = np.frombuffer(content, dtype=np.uint8)
    inside = np.cumsum(bytes_ == _QUOTE, dtype=np.uint32) & 1
    ends = np.flatnonzero((bytes_ == _LF) & (inside == 0))
    return int(ends[-1]) + 1 if len(ends) else 0


def _never_closed(content: bytes) -> int | None:
    """The place of the first quotation mark that opens and is not closed where a field ends."""
    quotes = [place for place, byte in enumerate(content[:MAX_RECORD_BYTES]) if byte == _QUOTE]
    return quotes[0] if quotes else None


def csv_shape(path: Path, *, label: str, error: type[InboundError]) -> CsvShape:
    """Count a file's records and fields.

    Raises:
        InboundError: not UTF-8 (CP932, UTF-16, CESU-8), a NUL, a quotation mark lost, line ends that differ, or a
            record of more than `MAX_RECORD_BYTES`; names the line.
    """
    return _Scan(path, label, error).run()


def write_without_misshapen(path: Path, shape: CsvShape, target: Path) -> None:
    """A copy of the file in which each misshapen record has empty fields alone, so that rows keep their numbers."""
    empty = b"," * (shape.fields - 1) + shape.line_end
    with path.open("rb") as source, target.open("wb") as copy:
        place = 0
        for record in shape.misshapen:
            _copy_bytes(source, copy, record.start - place)
            copy.write(empty)
            source.seek(record.end)
            place = record.end
        _copy_bytes(source, copy, None)


def _copy_bytes(source: BinaryIO, copy: BinaryIO, count: int | None) -> None:
    left = count
    while left is None or left > 0:
        block = source.read(_BLOCK if left is None else min(left, _BLOCK))
        if not block:
            return
        copy.write(block)
        left = None if left is None else left - len(block)
