"""PDF proofs of real pieces of a lot, made from the bytes of the lot file: what is looked at is what is sent.

A proof shows a sample, the first and last piece, the fullest one and a 追送 one where the lot has them, each with all
of its sheets. 2D codes (QR) on mount, cover letter and certificate carry control number or certificate_id.
"""

from __future__ import annotations

import io
import json
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import duckdb
import noto_cjk_sans_jp_regular
import segno
import typst

from kakuninsho.facts.store import sha256_of
from kakuninsho.printer.layout import contract, parse_counts
from kakuninsho.printer.lot_file import read_back
from kakuninsho.warehouse.connection import memory

TEMPLATE = Path(__file__).with_name("proof.typ")
FONTS = Path(noto_cjk_sans_jp_regular.__file__).parent
PROOF_SUFFIX = ".proof.pdf"
MAX_LIST_LINES = 60  # of one employer's list or bundle in a proof
SEX = {"male": "男", "female": "女"}
RELATIONSHIP = {"insured": "本人", "dependent": "家族"}
Row = dict[str, Any]


@dataclass(frozen=True)
class Proof:
    """A proof and what it was made from."""

    path: Path
    lot_file_name: str
    sha256_clear: str  # of the lot file whose bytes it shows
    control_numbers: tuple[str, ...]


def qr_svg(content: str) -> str:
    """A QR code, error correction M, with its quiet zone."""
    out = io.BytesIO()
    segno.make(content, error="m", micro=False).save(out, kind="svg", border=4, scale=4, xmldecl=False)
    return out.getvalue().decode("utf-8")


def make_proof(clear: Path, out_dir: Path) -> Proof:
    """Write the proof of a lot file as PDF; the same bytes give the same pages.

    Raises:
        LotFileError: the file is not a lot file of the contract.
    """
    data = proof_data(clear)
    out_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = out_dir / f"{clear.stem}{PROOF_SUFFIX}"
    path.write_bytes(_pdf(data))
    path.chmod(0o600)
    return Proof(path, clear.name, sha256_of(clear), tuple(piece["control_number"] for piece in data["pieces"]))


def proof_pdf(clear: Path) -> bytes:
    """The proof of a lot file, to be shown and not kept.

    Raises:
        LotFileError: the file is not a lot file of the contract.
    """
    return _pdf(proof_data(clear))


def _pdf(data: Row) -> bytes:
    pdf = render(data, "pdf")
    return pdf if isinstance(pdf, bytes) else b"".join(pdf)


def render(data: Row, form: Literal["pdf", "png"], ppi: float | None = None) -> bytes | list[bytes]:
    """Pages of proof data: one PDF, or a PNG for each page; no clock and no font of the machine goes in."""
    return typst.compile(
        str(TEMPLATE),
        format=form,
        ppi=ppi,
        font_paths=[str(FONTS)],
        ignore_system_fonts=True,
        sys_inputs={"data": json.dumps(data, ensure_ascii=False)},
        timestamp=datetime(2025, 4, 1, tzinfo=UTC),
    )


def proof_data(clear: Path) -> Row:
    """What a proof shows, from the bytes of a lot file."""
    with tempfile.TemporaryDirectory() as scratch, memory(limit="1GB") as connection:
        tables = read_back(clear, Path(scratch))
        for kind, path in tables.items():
            connection.execute(f"create view {kind} as select * from read_parquet('{path}')")
        header = _rows(connection, "select * from H")[0]
        kind = {"employer": "B", "employer_list": "L"}.get(header["lot_kind"], "E")
        pieces = [_piece(connection, number, record) for number, record in _chosen(connection, kind)]
    return {
        "lot_id": header["lot_id"],
        "file_name": clear.name,
        "pieces": pieces,
        "has_leaflet": any(piece["kind"] != "L" for piece in pieces),
    }


def _rows(connection: duckdb.DuckDBPyConnection, query: str) -> list[Row]:
    result = connection.execute(query)
    names = [column[0] for column in result.description or []]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def _chosen(connection: duckdb.DuckDBPyConnection, kind: str) -> list[tuple[str, str]]:
    """Control numbers and record types of the pieces to show, in the order of the file."""
    alone = "bundle_control_number = ''"
    fullest = {"E": "certificate_count", "B": "certificate_count", "L": "line_count"}[kind]
    additional = f"select control_number from E where {alone} and is_additional = '1' limit 1" if kind == "E" else ""
    real = {"E": f"E where {alone} and is_sample = '0'", "B": "B", "L": "L where is_sample = '0'"}[kind]
    samples = "L" if kind == "L" else "E"
    picks = [
        f"""select '{samples}' as record, control_number from {samples} where is_sample = '1'
            order by file_line limit 1""",
        f"select '{kind}', control_number from {real} order by file_line limit 1",
        f"select '{kind}', control_number from {real} order by file_line desc limit 1",
        f"select '{kind}', control_number from {real} order by {fullest}::bigint desc, file_line limit 1",
    ]
    if additional:
        picks.append(f"select 'E', control_number from ({additional})")
    rows = connection.execute(
        f"select distinct record, control_number from ({' union all '.join(f'({pick})' for pick in picks)})"
    ).fetchall()
    return sorted(((number, record) for record, number in rows))


def _piece(connection: duckdb.DuckDBPyConnection, number: str, kind: str) -> Row:
    record = _rows(connection, f"select * from {kind} where control_number = '{number}' limit 1")[0]
    if kind == "E":
        return _envelope(connection, record)
    piece: Row = {
        "kind": kind,
        "control_number": number,
        "code": qr_svg(number),
        "is_sample": record.get("is_sample") == "1",
        "place": _place(record, record["employer_name"], "御中"),
        "enclosures": _enclosures(record["enclosures"]),
    }
    if kind == "B":
        packets = _rows(
            connection,
            f"select * from E where bundle_control_number = '{number}' order by file_line limit {MAX_LIST_LINES}",
        )
        printed = [_envelope(connection, packet) for packet in packets]
        piece["certificate_count"] = record["certificate_count"]
        piece["notice"] = record["notice"]
        leaving = set(record["old_card_packets"].split())
        piece["packets"] = [
            {**packet, "has_old_card_to_return": packet["control_number"] in leaving} for packet in printed
        ]
        return piece
    lines = _rows(
        connection, f"select * from N where control_number = '{number}' order by file_line limit {MAX_LIST_LINES}"
    )
    wanted = ("line_number", "number", "suffix", "name")
    return piece | {
        "symbol": record["symbol"],
        "line_count": record["line_count"],
        "lines": [{name: str(line[name]) for name in wanted} for line in lines],
    }


def _envelope(connection: duckdb.DuckDBPyConnection, record: Row) -> Row:
    number = record["control_number"]
    certificates = _rows(connection, f"select * from C where control_number = '{number}' order by slot::int")
    return {
        "kind": "E",
        "control_number": number,
        "code": qr_svg(number),
        "is_sample": record["is_sample"] == "1",
        "is_additional": record["is_additional"] == "1",
        "position": record["position"],
        "envelopes_in_household": record["envelopes_in_household"],
        "place": _place(record, record["addressee_name"]),
        "enclosures": _enclosures(record["enclosures"]),
        "certificates": [
            row
            | {
                "code": qr_svg(row["certificate_id"]),
                "is_sample": row["is_sample"] == "1",
                "sex": SEX[row["sex"]],
                "relationship": RELATIONSHIP[row["relationship"]],
            }
            for row in certificates
        ],
    }


def _place(record: Row, name: str, honorific: str = "様") -> Row:
    return {"name": name, "honorific": honorific} | {
        column: record[column] for column in ("postal_code", "address", "building")
    }


def _enclosures(text: str) -> str:
    names = contract()["enclosures"]
    return "、".join(f"{names[code]['ja']} {count}" for code, count in parse_counts(text).items())
