"""One command at a time in a lab folder. The lock goes with the process that holds it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from scripts.lab.layout import Layout
from scripts.lab.progress import Progress


@contextmanager
def alone(lab: Layout, progress: Progress) -> Iterator[None]:
    """Wait until no other command works in this folder, then keep others waiting."""
    with _locked(lab, progress):
        yield


def _locked(lab: Layout, progress: Progress) -> TextIO:
    """The lock file, held. One that `clean` removed while we waited locks nothing: begin again with a new one."""
    while True:
        lab.directory.mkdir(parents=True, exist_ok=True)
        file = lab.lock_file.open("w")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress(f"waiting for another lab command in {lab.directory}")
            fcntl.flock(file, fcntl.LOCK_EX)
        if lab.lock_file.exists() and os.path.samestat(os.fstat(file.fileno()), lab.lock_file.stat()):
            return file
        file.close()
