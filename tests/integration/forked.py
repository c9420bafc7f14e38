"""Runs work in forked children, so that a test can kill one without paying for imports each time."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable


def serve(work: Callable[..., None]) -> None:
    """Do the work in a child for each JSON object on a line of standard input; print its process id and exit code."""
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            try:
                work(**json.loads(line))
                os._exit(0)
            except BaseException as error:
                print(type(error).__name__, error, file=sys.stderr, flush=True)
                os._exit(1)
        print(child, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
