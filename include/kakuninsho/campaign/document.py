"""The campaign's parameters as a page, made from the campaign file: value, source, note.

`python -m kakuninsho.campaign.document` writes docs/campaign-parameters.md; a test holds it current.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kakuninsho.campaign.model import DEFAULT_CAMPAIGN, load_campaign
from kakuninsho.paths import PROJECT_ROOT

DOCUMENT = PROJECT_ROOT / "docs" / "campaign-parameters.md"
_SOURCES = {"seed": "the leaflet", "published": "published", "assumed": "assumed"}


def campaign_document() -> str:
    """The page as Markdown."""
    campaign = load_campaign(DEFAULT_CAMPAIGN)
    lines = [
        f"# Parameters of the campaign {campaign.name}",
        "",
        f"{campaign.title}. Made from `include/kakuninsho/campaign/{campaign.name}/campaign.yaml`;"
        " [the rules](rules.md) name them.",
        "",
        "| parameter | value | source | note |",
        "|---|---|---|---|",
    ]
    for name, item in campaign.sourced.items():
        lines.append(f"| `{name}` | {_text(item.value)} | {_SOURCES[item.source]} | {item.note.replace('|', '/')} |")
    return "\n".join(lines) + "\n"


def _text(value: Any) -> str:
    if isinstance(value, list):
        return "; ".join(_text(item) for item in value)
    if isinstance(value, dict):
        return ", ".join(f"{key} {_text(item)}" for key, item in value.items())
    return str(value).lower() if isinstance(value, bool) else str(value)


def write_document(path: Path = DOCUMENT) -> Path:
    """Write the page."""
    path.write_text(campaign_document(), encoding="utf-8")
    return path


if __name__ == "__main__":
    print(write_document())
