"""Progress lines on standard error, so that standard output stays clean for `--json`."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

Progress = Callable[[str], None]


def quiet(_line: str) -> None:
    """For callers who want no lines."""


def on_stderr() -> Progress:
    """Lines with the seconds since this was called."""
    began = time.monotonic()

    def say(line: str) -> None:
        print(f"[{time.monotonic() - began:6.1f} s] {line}", file=sys.stderr, flush=True)

    return say
