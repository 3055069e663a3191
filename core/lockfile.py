"""One engine per data folder: a file that the living one keeps locked.

The lock is the kernel's (`flock`), so it is gone the moment its holder is, however that came about. What stands in the
file tells who holds it, or how the last holder left: it says goodbye by writing so; where that is missing, it died.
"""

import fcntl
import json
import os
import time
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Final, Self

from core.errors import LockHeld

FILE_NAME: Final = "engine.lock"

_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
# Whoever asks after a holder that died touches the lock for an instant; an engine that starts just then looks again.
_TRIES: Final = 5
_PAUSE_S: Final = 0.02


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds or held the folder. `left` is true once it said goodbye; `boot_id` tells one boot from the next."""

    pid: int
    app: str
    started_at: str
    boot_id: str
    left: bool = False


class EngineLock:
    """The lock on a data folder, held until `release` or the end of the process. Made by `acquire`."""

    def __init__(self, path: Path, fd: int, holder: Holder, previous: Holder | None) -> None:
        self.path = path
        self.holder = holder
        self.previous = previous
        self.owes = False
        """Something of ours may be left in Asterisk: leaving like this counts as dying, so that the next one looks."""
        self._fd: int | None = fd

    @classmethod
    def acquire(cls, folder: Path, *, app: str, at: datetime) -> Self:
        """Take the folder, creating it when it is missing. Raises LockHeld when a living process has it."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = folder / FILE_NAME
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if not _lock(fd, fcntl.LOCK_EX):
                holder = _parse(_content(fd))
                pid = holder.pid if holder else 0
                whose = (
                    f"engine {holder.app!r}, pid {pid}, since {holder.started_at}" if holder else "an engine"
                )
                raise LockHeld(f"{path}: {whose} holds this data folder", pid=pid)
            previous = _parse(_content(fd))
            holder = Holder(os.getpid(), app, at.isoformat(), boot_id())
            _put(fd, holder)
        except BaseException:
            os.close(fd)
            raise
        return cls(path, fd, holder, previous)

    @property
    def previous_died(self) -> bool:
        """Whether the last holder went without a goodbye: what it had in Asterisk may still be there."""
        return self.previous is not None and not self.previous.left

    def release(self) -> None:
        """Let go, and say goodbye unless `owes` says not to. May be called twice. The file stays, as a note for the next."""
        fd, self._fd = self._fd, None
        if fd is None:
            return
        try:
            if not self.owes:
                _put(fd, replace(self.holder, left=True))
        finally:
            os.close(fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


@dataclass(frozen=True, slots=True)
class HolderNow:
    """The holder a lock file names, and whether it is alive at this moment."""

    holder: Holder | None
    alive: bool


def read_holder(path: Path) -> HolderNow | None:
    """Who holds the lock file, or held it last; None when there never was one. `holder` is None if it is unreadable."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        holder = _parse(_content(fd))
        if holder is not None and holder.left:
            return HolderNow(
                holder, alive=False
            )  # without touching the lock: an engine may be about to take it
        return HolderNow(holder, alive=not _lock(fd, fcntl.LOCK_SH, tries=1))
    finally:
        os.close(fd)


def boot_id() -> str:
    """The id of this boot of the machine, or nothing where the kernel does not tell."""
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _lock(fd: int, mode: int, tries: int = _TRIES) -> bool:
    for left in reversed(range(tries)):
        try:
            fcntl.flock(fd, mode | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if left:
                time.sleep(_PAUSE_S)
    return False


def _content(fd: int) -> bytes:
    return os.pread(fd, 4096, 0)


def _put(fd: int, holder: Holder) -> None:
    line = json.dumps(asdict(holder)).encode() + b"\n"
    os.pwrite(fd, line, 0)  # first over the old line, then cut: at no moment is the file empty
    os.ftruncate(fd, len(line))


def _parse(content: bytes) -> Holder | None:
    try:
        # A line longer than its successor may leave a tail when its writer dies between writing and cutting.
        fields = json.loads(content.split(b"\n", 1)[0])
    except ValueError:
        return None
    match fields:
        case {
            "pid": int(pid),
            "app": str(app),
            "started_at": str(started_at),
            "boot_id": str(boot),
            "left": bool(left),
        }:
            return Holder(pid, app, started_at, boot, left)
        case _:
            return None
