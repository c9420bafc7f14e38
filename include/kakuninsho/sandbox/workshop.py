"""What every part of the sandbox works with: its folders, keys, memory, faults, rates and seed, and who sends back."""

from __future__ import annotations

from dataclasses import dataclass

from kakuninsho.sandbox.core_system import ReplyEnvelopes
from kakuninsho.sandbox.rates import Rates
from kakuninsho.sandbox.root import Keys, Root
from kakuninsho.sandbox.state import Faults, State


@dataclass(frozen=True)
class Workshop:
    """One sandbox's means."""

    root: Root
    keys: Keys
    state: State
    faults: Faults
    rates: Rates
    seed: int
    replies: ReplyEnvelopes
