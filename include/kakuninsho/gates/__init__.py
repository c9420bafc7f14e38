"""Gates: Great Expectations suites over candidate files, before a file becomes a fact or leaves the house."""

from kakuninsho.gates.runner import Finding, GateFailedError, GateResult, require, run_gate
from kakuninsho.gates.suite import GateError, load_suite, suite_names

__all__ = [
    "Finding",
    "GateError",
    "GateFailedError",
    "GateResult",
    "load_suite",
    "require",
    "run_gate",
    "suite_names",
]
