"""Proofs come from the bytes of the lot file; their 2D codes give the control numbers back."""

import struct
import zlib

import numpy as np
import pytest
import zxingcpp

from kakuninsho.documents.proofs import make_proof, proof_data, render
from kakuninsho.facts.store import sha256_of
from kakuninsho.printer.layout import SAMPLES, contract
from kakuninsho.printer.lot_file import LotFileError

NAMES = contract()["samples"]
PPI = 110


def grey(png: bytes) -> np.ndarray:
    """The pixels of an 8-bit PNG as grey values (no image library is installed)."""
    width, height, depth, colour = struct.unpack(">IIBB", png[16:26])
    assert depth == 8
    channels = {0: 1, 2: 3, 4: 2, 6: 4}[colour]
    packed, at = b"", 8
    while at < len(png):
        (size,) = struct.unpack(">I", png[at : at + 4])
        if png[at + 4 : at + 8] == b"IDAT":
            packed += png[at + 8 : at + 8 + size]
        at += size + 12
    # Filters work on each channel alone, and the first one is enough for black on white.
    rows = np.frombuffer(zlib.decompress(packed), np.uint8).reshape(height, 1 + width * channels)
    kinds, lines = rows[:, 0], rows[:, 1::channels].astype(np.int64)
    image = np.zeros((height + 1, width), np.int64)
    for y in range(height):
        if kinds[y] == 0:
            image[y + 1] = lines[y]
        elif kinds[y] == 1:
            image[y + 1] = np.cumsum(lines[y]) % 256
        elif kinds[y] == 2:
            image[y + 1] = (lines[y] + image[y]) % 256
        else:
            image[y + 1] = unfiltered(lines[y].tolist(), image[y].tolist(), is_average=kinds[y] == 3)
    return np.ascontiguousarray(image[1:].astype(np.uint8))


def unfiltered(line: list[int], above: list[int], *, is_average: bool) -> list[int]:
    """A line of the PNG filters Average and Paeth."""
    left = corner = 0
    out = []
    for value, up in zip(line, above, strict=True):
        if is_average:
            guess = (left + up) // 2
        else:
            to_left, to_up, to_corner = abs(up - corner), abs(left - corner), abs(left + up - 2 * corner)
            guess = left if to_left <= to_up and to_left <= to_corner else up if to_up <= to_corner else corner
        left, corner = (value + guess) % 256, up
        out.append(left)
    return out


def codes(clear):
    pages = render(proof_data(clear), "png", PPI)
    pages = pages if isinstance(pages, list) else [pages]
    return {found.text for page in pages for found in zxingcpp.read_barcodes(grey(page))}


@pytest.mark.parametrize(
    "sample, expected",
    [
        (
            "lot",
            {"00000000195", "00000000195-1", "00000000389", "00000000389-1", "00000000389-2"}
            | {"00000000486", "00000000486-1"},
        ),
        ("employer_list", {"00000005045", "00000005239"}),
        (
            "employer",
            {"00000002523", "00000002523-1", "00000002717", "00000000389", "00000000389-1", "00000000389-2"}
            | {"00000000486", "00000000486-1"},
        ),
    ],
)
def test_2d_codes_of_mount_letter_list_and_certificates_are_read_back(sample, expected):
    assert codes(SAMPLES / NAMES[sample]) == expected


def test_proof_is_a_pdf_bound_to_the_bytes_of_the_lot_file(tmp_path):
    clear = SAMPLES / NAMES["lot"]
    proof = make_proof(clear, tmp_path)
    assert proof.path.read_bytes().startswith(b"%PDF")
    assert proof.sha256_clear == sha256_of(clear)
    assert proof.control_numbers == ("00000000195", "00000000389", "00000000486")


def test_same_bytes_give_the_same_proof(tmp_path):
    clear = SAMPLES / NAMES["lot"]
    first, again = make_proof(clear, tmp_path / "1"), make_proof(clear, tmp_path / "2")
    assert first.path.read_bytes() == again.path.read_bytes()


def test_what_is_shown_is_what_the_file_says():
    pieces = proof_data(SAMPLES / NAMES["lot"])["pieces"]
    assert [piece["is_sample"] for piece in pieces] == [True, False, False]
    assert pieces[1]["place"]["name"] == "髙橋 一郎"
    assert [card["valid_until_japanese"] for card in pieces[1]["certificates"]] == ["令和11年11月30日"] * 2
    assert pieces[0]["certificates"][0]["is_sample"]


def test_bundle_shows_its_packets_and_a_list_its_lines_without_more_than_the_name():
    sample, bundle = proof_data(SAMPLES / NAMES["employer"])["pieces"]
    assert sample["is_sample"]
    assert [packet["control_number"] for packet in bundle["packets"]] == ["00000000389", "00000000486"]
    assert bundle["notice"].startswith("令和7年12月1日までに")
    assert [packet["has_old_card_to_return"] for packet in bundle["packets"]] == [False, True]
    _, employer_list = proof_data(SAMPLES / NAMES["employer_list"])["pieces"]
    assert [line["line_number"] for line in employer_list["lines"]] == ["1", "2", "3"]
    assert set(employer_list["lines"][0]) == {"line_number", "number", "suffix", "name"}


def test_damaged_lot_file_has_no_proof(tmp_path):
    damaged = tmp_path / NAMES["lot"]
    damaged.write_bytes((SAMPLES / NAMES["lot"]).read_bytes()[:500])
    with pytest.raises(LotFileError):
        make_proof(damaged, tmp_path / "out")
