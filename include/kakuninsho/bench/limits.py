"""The memory that a benchmark may use: parsed, enforced on each process by the kernel, and given to DuckDB in part."""

from __future__ import annotations

import os
import re
import resource

from kakuninsho.bench.errors import BenchError

_UNITS = {"MB": 10**6, "GB": 10**9, "MIB": 2**20, "GIB": 2**30}
# DuckDB's limit leaves room for what is not in its buffers: Arrow, Python, its own intermediate copies. A gate or the
# warehouse may be open beside nothing else, the writers of lot files have their own limits of 1 GB each.
DUCKDB_SHARE = 0.55
# A process that does nothing but one DuckDB script may give it nearly all.
DUCKDB_SHARE_ALONE = 0.8
RESERVED_PER_USED = 2


def parse_memory(text: str) -> int:
    """Bytes of a size such as 8GB or 6GiB.

    Raises:
        BenchError: it is no such size.
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMG]I?B)\s*", text.upper())
    if not found or found[2] not in _UNITS:
        raise BenchError(f"MEMORY is a size such as 8GB or 6GiB, not {text!r}")
    return int(float(found[1]) * _UNITS[found[2]])


def duckdb_limit(memory: str, share: float = DUCKDB_SHARE) -> str:
    """DuckDB's memory_limit within a limit of the whole, in its own words."""
    return f"{int(parse_memory(memory) * share / 2**20)}MiB"


def limit_process(memory: str) -> None:
    """Let the kernel refuse this process and each of its children far more private memory than the limit.

    The kernel counts what an allocator reserves, which is more than what it uses, so its limit is the backstop; the
    parent's guard watches what is used, of all processes together.
    """
    size = RESERVED_PER_USED * parse_memory(memory)
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if hard != resource.RLIM_INFINITY:
        size = min(size, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (size, size))
    os.environ["KAKUNINSHO_MEMORY_LIMIT"] = duckdb_limit(memory)
