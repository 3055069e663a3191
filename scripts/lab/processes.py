"""Knowing a process for certain, and ending exactly that one.

A process id alone proves nothing: ids are used again. A process is ours when it has the id and the start time we
noted, and lives inside our root. Nothing here ever looks a process up by name.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path


def started_ticks(pid: int) -> int | None:
    """When the process started, in the kernel's own units; None when it is gone or only waits to be reaped."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    after_name = stat.rpartition(")")[2].split()
    if after_name[0] in ("Z", "X"):
        _reap(pid)
        return None
    return int(after_name[19])


def lives_in(pid: int, root: Path) -> bool:
    """Is the process's own root folder this one?"""
    try:
        return os.path.samefile(f"/proc/{pid}/root", root)
    except OSError:
        return False


def is_ours(pid: int | None, ticks: int | None, root: Path) -> bool:
    return pid is not None and ticks is not None and started_ticks(pid) == ticks and lives_in(pid, root)


def end(pid: int, ticks: int, *, patience_s: float) -> None:
    """Ask the process to end, and make it when it has not within `patience_s`."""
    send(pid, ticks, signal.SIGTERM)
    if not wait_gone(pid, ticks, patience_s):
        send(pid, ticks, signal.SIGKILL)
        wait_gone(pid, ticks, 5.0)


def send(pid: int, ticks: int, number: signal.Signals) -> None:
    """Signal the process, unless it is gone or its id now belongs to another."""
    if started_ticks(pid) != ticks:
        return
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def wait_gone(pid: int, ticks: int, patience_s: float) -> bool:
    deadline = time.monotonic() + patience_s
    while started_ticks(pid) == ticks:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _reap(pid: int) -> None:
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return
