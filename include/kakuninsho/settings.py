"""Where one installation works: its data folder, the insurer's register, the campaign, the printer's address.

Everything comes from the environment, so that the page, the scheduler, a replay and the command line see the
same installation.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from kakuninsho.campaign import DEFAULT_CAMPAIGN, Campaign, campaigns_folder, load_campaign
from kakuninsho.facts.store import FactStore
from kakuninsho.paths import PROJECT_ROOT
from kakuninsho.server.people import APPROVERS


@dataclass(frozen=True)
class Settings:
    """One installation."""

    data: Path
    register: Path  # folder of register/v1 drops, read only
    feeds: Path  # folder of the core system's other feeds, read only
    keys: Path  # ours and the printer's public keys
    campaign_name: str
    approvers: tuple[str, ...] = APPROVERS  # user names of the page whose answers to an approval count

    @cached_property
    def campaign(self) -> Campaign:
        """The campaign in force."""
        return load_campaign(self.campaign_name, campaigns_folder())

    @cached_property
    def store(self) -> FactStore:
        """Facts of this installation."""
        return FactStore(self.data, self.keys)

    @classmethod
    def from_environment(cls) -> Settings:
        """Read KAKUNINSHO_DATA, _REGISTER, _FEEDS, _KEYS, _CAMPAIGN and _APPROVERS.

        Paths are relative to the project.
        """
        data = _path("KAKUNINSHO_DATA", "var/season")
        return cls(
            data=data,
            register=_path("KAKUNINSHO_REGISTER", str(data / "outside" / "core" / "register")),
            feeds=_path("KAKUNINSHO_FEEDS", str(data / "outside" / "core" / "feeds")),
            keys=_path("KAKUNINSHO_KEYS", str(data / "keys")),
            campaign_name=os.environ.get("KAKUNINSHO_CAMPAIGN", DEFAULT_CAMPAIGN),
            approvers=tuple(os.environ.get("KAKUNINSHO_APPROVERS", ",".join(APPROVERS)).replace(",", " ").split()),
        )

    def environment(self) -> dict[str, str]:
        """The variables that make another process see this installation."""
        return {
            "KAKUNINSHO_DATA": str(self.data),
            "KAKUNINSHO_REGISTER": str(self.register),
            "KAKUNINSHO_FEEDS": str(self.feeds),
            "KAKUNINSHO_KEYS": str(self.keys),
            "KAKUNINSHO_CAMPAIGN": self.campaign_name,
            "KAKUNINSHO_APPROVERS": ",".join(self.approvers),
        }


def _path(variable: str, default: str) -> Path:
    return (PROJECT_ROOT / os.environ.get(variable, default)).resolve()
