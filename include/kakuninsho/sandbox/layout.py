"""The printer's own reading of contract printer/v1: file names, records, fields.

Written down a second time on purpose, not read from the insurer's file: two parties who share a parser share
its mistakes. A test compares this table with the contract's machine-readable file.

A field is `name:type`, with `=n` for the length of digits or the width of text, `=a/b` for codes, `=m-n` for
digits of variable length, and a final `?` where it may be empty.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

CONTRACT = "printer/v1"
SEALED = ".pgp"
PART = ".part"
MANIFEST = ".manifest.json"

RECORDS: dict[str, str] = {
    "H": "record_type:code=H contract:code=printer/v1 campaign:name=20 lot_id:name=40"
    " lot_kind:code=home|supplementary|employer|employer_list insurer_number:digits=8 branch_name:text=40"
    " posting_date:date envelope_count:integer certificate_count:integer sample_count:integer"
    " replacement_first:digits=11? replacement_last:digits=11?",
    "E": "record_type:code=E control_number:digits=11 bundle_control_number:digits=11? position_in_lot:integer"
    " is_sample:flag position:integer envelopes_in_household:integer is_additional:flag addressee_name:text=80"
    " postal_code:digits=7 address:text=120 building:text=80? certificate_count:integer enclosures:counts"
    " weight_g:decimal postage_yen:integer",
    "C": "record_type:code=C certificate_id:name=14 control_number:digits=11 slot:integer is_sample:flag"
    " symbol:digits=7-8 number:digits=1-7 suffix:digits=2 name:text=80 name_kana:text=80 sex:code=male|female"
    " birth_date:date qualified_on:date issued_on:date valid_until:date valid_until_japanese:text=20"
    " insurer_number:digits=8 insurer_name:text=60 relationship:code=insured|dependent",
    "B": "record_type:code=B control_number:digits=11 position_in_lot:integer employer_name:text=80"
    " postal_code:digits=7 address:text=120 building:text=80? packet_count:integer certificate_count:integer"
    " enclosures:counts weight_g:decimal postage_yen:integer notice:text=240? old_card_packets:numbers?",
    "L": "record_type:code=L control_number:digits=11 position_in_lot:integer is_sample:flag symbol:digits=7-8"
    " employer_name:text=80 postal_code:digits=7 address:text=120 building:text=80? line_count:integer"
    " enclosures:counts weight_g:decimal postage_yen:integer",
    "N": "record_type:code=N control_number:digits=11 line_number:integer number:digits=1-7 suffix:digits=2"
    " name:text=80",
    "T": "record_type:code=T lot_id:name=40 record_count:integer envelope_count:integer sample_count:integer"
    " packet_count:integer certificate_count:integer list_line_count:integer enclosures:counts"
    " weight_g:decimal postage_yen:integer",
}

ORDERS: dict[str, str] = {
    "pull_list": "lot_id:name=40 envelope_id:digits=11",
    "urgent_pull_list": "lot_id:name=40 envelope_id:digits=11",
    "release_order": "lot_id:name=40 posting_date:date sha256_clear:sha256",
    "stop_order": "lot_id:name=40 effect:code=hold|destroy|resume",
}

ANSWERS: dict[str, tuple[str, ...]] = {
    "acknowledgement": (
        "file_name",
        "lot_id",
        "result",
        "reason_code",
        "envelope_count",
        "certificate_count",
        "acknowledged_on",
    ),
    "piece_report": (
        "lot_id",
        "envelope_id",
        "event_type",
        "occurred_on",
        "tracking_number",
        "replacement_id",
    ),
    "return_report": ("envelope_id", "tracking_number", "returned_on", "reason_code"),
}
ANSWER_WORDS = {"acknowledgement": "ack", "piece_report": "piece", "return_report": "return"}

LOT_KINDS = {"H": "home", "S": "supplementary", "E": "employer", "L": "employer_list"}
_LOT_ID = r"(?P<lot_id>(?P=campaign)-(?P<kind>[HSEL])-(?P<prefecture>\d\d)-(?P<day>\d{8})-\d\d)"
_NAMES = {
    "lot": rf"pv1_(?P<campaign>[a-z0-9]+)_lot_{_LOT_ID}_(?P<count>0|[1-9]\d*)\.csv",
    **{
        kind: rf"pv1_(?P<campaign>[a-z0-9]+)_{word}_(?P<day>\d{{8}})_\d\d_(?P<count>0|[1-9]\d*)\.csv"
        for kind, word in (
            ("pull_list", "pull"),
            ("urgent_pull_list", "urgent"),
            ("release_order", "release"),
            ("stop_order", "stop"),
        )
    },
}
NAME_PATTERNS = {kind: re.compile(pattern, re.ASCII) for kind, pattern in _NAMES.items()}

# No control characters, no private use, and no geta mark (〓) in place of a lost character.
_PRINTED = '[^"\x00-\x1f\x7f-\x9f\ue000-\uf8ff〓]'
_PLAIN = {
    "integer": r"(?:0|[1-9][0-9]{0,11})",
    "decimal": r"(?:0|[1-9][0-9]{0,11})\.[0-9]",
    "date": r"(?:19|20)[0-9]{2}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])",
    "flag": r"[01]",
    "sha256": r"[0-9a-f]{64}",
    "numbers": r"[0-9]{11}(?: [0-9]{11})*",
    "counts": r"(?:[0-9]{2}:[1-9][0-9]{0,11}(?: [0-9]{2}:[1-9][0-9]{0,11})*)?",
}


@dataclass(frozen=True)
class Field:
    """One field of a record."""

    name: str
    type: str
    argument: str
    may_be_empty: bool

    def pattern(self, *, quick: bool) -> str:
        """Regular expression of the value between its quotes.

        `quick` text is at most half as long as it may be wide and has no quote in it: nothing more to check.
        """
        if self.type == "code":
            value = "(?:" + "|".join(map(re.escape, self.argument.split("|"))) + ")"
        elif self.type == "digits":
            low, _, high = self.argument.partition("-")
            value = f"[0-9]{{{low},{high or low}}}"
        elif self.type == "name":
            value = f"[!#-~]{{1,{self.argument}}}"
        elif self.type == "text":
            value = f"{_PRINTED}{{1,{int(self.argument) // 2}}}" if quick else f'(?:{_PRINTED}|"")+'
        else:
            value = _PLAIN[self.type]
        return f"(?:{value})?" if self.may_be_empty else value


def fields_of(text: str) -> list[Field]:
    """Read the notation of this module's tables."""
    fields = []
    for item in text.split():
        name, _, rest = item.partition(":")
        kind, _, argument = rest.removesuffix("?").partition("=")
        fields.append(Field(name, kind, argument, rest.endswith("?")))
    return fields


@lru_cache(maxsize=10_000)
def printed_width(text: str) -> int:
    """Columns that a text takes: East Asian Width W, F and A count 2, the others 1."""
    return sum(2 if unicodedata.east_asian_width(character) in "WFA" else 1 for character in text)


class Record:
    """Reads the lines of one record type: a compiled pattern, and the values that the caller asks for."""

    def __init__(self, text: str, wanted: tuple[str, ...]) -> None:
        self.fields = fields_of(text)
        self.wanted = wanted
        self._quick = self._compile(quick=True, captured=set(wanted))
        # The thorough pattern captures every field; wanted ones are picked by their place.
        self._thorough = self._compile(quick=False, captured={field.name for field in self.fields})
        places = {field.name: place for place, field in enumerate(self.fields)}
        self._places = [places[name] for name in wanted]

    def _compile(self, *, quick: bool, captured: set[str]) -> re.Pattern[str]:
        parts = []
        for field in self.fields:
            pattern = field.pattern(quick=quick)
            parts.append(f'"({pattern})"' if field.name in captured else f'"{pattern}"')
        return re.compile(",".join(parts), re.ASCII)

    def read(self, line: str) -> tuple[str, ...] | None:
        """The wanted values in the order of the record's fields, or None when the line is not as agreed."""
        match = self._quick.fullmatch(line)
        if match is not None:
            return match.groups()
        match = self._thorough.fullmatch(line)
        if match is None:
            return None
        values = match.groups()
        for field, value in zip(self.fields, values, strict=True):
            # Long in characters: then the columns count, which takes a look at each character.
            is_long = field.type == "text" and 2 * len(value) > int(field.argument)
            if is_long and printed_width(value.replace('""', '"')) > int(field.argument):
                return None
        return tuple(values[place] for place in sorted(self._places))


@lru_cache(maxsize=100_000)
def control_number(sequence: int) -> str:
    """A control number from its sequence: ISO 7064 MOD 97-10."""
    return f"{sequence:09d}{98 - sequence * 100 % 97:02d}"
