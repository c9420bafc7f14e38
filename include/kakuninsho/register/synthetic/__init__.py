"""Synthetic register: drops of the contract `register/v1` with a population like the insurer's and planted cases.

Nothing in it is a real person. `generate` is deterministic: the same arguments give the same bytes.
"""

from kakuninsho.register.synthetic.errors import SyntheticRegisterError
from kakuninsho.register.synthetic.generation import GenerationReport, generate

__all__ = ["GenerationReport", "SyntheticRegisterError", "generate"]
