"""What the three peers share: arguments, the small inputs, and what they tell the benchmark. No code of the project.

The job: from the accepted rows of the register to a CSV per lot, in the order in which the printer prints. Columns:
control_number, slot, member_key, valid_until, name, name_kana, sex, birth_date, qualified_on, addressee_name,
postal_code, address, building, position, envelopes. The files count when their first four columns are the floor's.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

COLUMNS = [
    "control_number", "slot", "member_key", "valid_until", "name", "name_kana", "sex", "birth_date", "qualified_on",
    "addressee_name", "postal_code", "address", "building", "position", "envelopes",
]  # fmt: skip


def run(core: Callable[[Path, dict[str, Any], Path, int], int]) -> None:
    """Run `core(register, inputs, out, bytes of memory)`, which returns the number of certificates."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--register", type=Path, required=True)
    parser.add_argument("--inputs", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--memory", type=int, required=True)
    parser.add_argument("--events", type=int, required=True)
    given = parser.parse_args()
    inputs = json.loads(given.inputs.read_text(encoding="utf-8"))
    shutil.rmtree(given.out, ignore_errors=True)
    given.out.mkdir(parents=True)
    with os.fdopen(given.events, "w") as events:

        def tell(**event: Any) -> None:
            events.write(json.dumps(event) + "\n")
            events.flush()

        tell(event="begin", phase="core")
        started, cpu = time.monotonic(), time.process_time()
        try:
            certificates = core(given.register, inputs, given.out, given.memory)
        except MemoryError:
            tell(event="failed", error="out of memory")
            raise
        except Exception as error:
            tell(event="failed", error=f"{type(error).__name__}: {str(error).splitlines()[0][:150]}")
            raise
        seconds = round(time.monotonic() - started, 2)
        used = round(time.process_time() - cpu, 2)
        tell(event="end", phase="core", seconds=seconds, cpu_seconds=used, counts={"rows": certificates})
        tell(event="result", result={"certificates": certificates})
