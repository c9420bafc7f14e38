"""The manifest of a file (contract printer/v1, manifest): made for what we send, checked for what we get."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from kakuninsho.facts.chain import Head
from kakuninsho.facts.store import sha256_of
from kakuninsho.printer.layout import ContractError, contract, counts_text, parse_file_name
from kakuninsho.printer.lot_file import ClearFile

_LOT_FIELDS = (
    "lot_id", "posting_date", "envelope_count", "sample_count", "packet_count", "certificate_count",
    "list_line_count", "enclosures", "weight_g", "postage_yen",
)  # fmt: skip


def make_manifest(
    clear: ClearFile, sealed: Path, sealed_sha256: str | None = None, facts_head: Head | None = None
) -> bytes:
    """The manifest of a file to the printer, as UTF-8 JSON; the same file and sealed bytes give the same manifest.

    Args:
        clear: the clear file.
        sealed: what travels.
        sealed_sha256: spares a second reading of a large sealed file whose hash is known.
        facts_head: the end of our chain of facts, which leaves the house so that nobody can shorten it later.
    """
    content: dict[str, Any] = {
        "contract": contract()["contract"],
        "campaign": clear.campaign,
        "file_kind": clear.file_kind,
        "file_name": clear.name,
        "row_count": clear.row_count,
        "byte_count_clear": clear.byte_count,
        "sha256_clear": clear.sha256,
        "byte_count_sealed": sealed.stat().st_size,
        "sha256_sealed": sealed_sha256 or sha256_of(sealed),
    }
    if facts_head is not None:
        content["facts_head"] = f"{facts_head.count} {facts_head.sha256}"
    if clear.file_kind == "lot":
        totals = {name: getattr(clear, name) for name in _LOT_FIELDS}
        totals["enclosures"] = counts_text(clear.enclosures)
        content |= totals
    if clear.posting_date is not None:
        content["posting_date"] = clear.posting_date.isoformat()
    if clear.file_kind == "release_order":
        content["related_files"] = list(clear.related_files)
    return (json.dumps(content, ensure_ascii=False, indent=1) + "\n").encode("utf-8")


def read_manifest(path: Path, file_name: str) -> dict[str, Any]:
    """The opened manifest of an answer, after the checks that need no file.

    Raises:
        ContractError: not JSON, a field is missing or of the wrong type, or it speaks of another file.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, UnicodeDecodeError):
        raise ContractError(f"the manifest of {file_name} is not UTF-8 JSON") from None
    if not isinstance(content, dict):
        raise ContractError(f"the manifest of {file_name} is not one object")
    for field in contract()["manifest"]["fields"]:
        if field["for"] != "all":
            continue
        value = content.get(field["name"])
        wanted: type = int if field["type"] == "integer" else str
        if not isinstance(value, wanted) or isinstance(value, bool):
            raise ContractError(f"the manifest of {file_name} lacks {field['name']} or has it in another form")
    parts = parse_file_name(file_name)
    expected = {
        "contract": contract()["contract"],
        "file_name": file_name,
        "file_kind": parts.kind,
        "campaign": parts.campaign,
        "row_count": parts.count,
    }
    for name, value in expected.items():
        if content[name] != value:
            raise ContractError(f"the manifest of {file_name} has another {name} than the name of the file says")
    return content
