"""The journal of one call: everything that came in and everything that was decided, in order, enough to run it again.

One file per call, `<folder>/YYYY-MM-DD/<call id>.jsonl`, readable by its owner only. The first line is a header with
the version of the format; every other line is `{"n":…,"at":…,"kind":…,"data":{…}}`, where `n` counts from 1 and `at` is
the monotonic time the decider was given. The last line of a journal that was closed is of kind "closed".

A line is handed to the operating system, whole and in one call, before `write` returns: who handles the next event
only afterwards loses nothing when the process is killed. It is not synced: a power cut may take the last seconds.
`scripts/bench/store.py` measures a line: 11 µs for a channel event of 380 bytes, of which the system call takes 1.5.
"""

import base64
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, is_dataclass
from datetime import UTC, date, datetime
from enum import Enum
from pathlib import Path, PurePath
from typing import Final

from pydantic_core import PydanticSerializationError, to_json

from core.errors import JournalError
from core.ids import is_call_id

VERSION: Final = 1
DEFAULT_MAX_BYTES: Final = 16 * 1024 * 1024

CLOSED: Final = "closed"
TRUNCATED: Final = "truncated"
REOPENED: Final = "reopened"

_LAST_LINE_BYTES: Final = 200  # room kept for "truncated" and "closed"
_OPEN_FLAGS: Final = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC


class Journal:
    """An open journal. Writes are synchronous and belong to the one task that decides for the call."""

    def __init__(self, path: Path, fd: int, *, size: int, n: int, max_bytes: int) -> None:
        self.path = path
        self.lost = 0  # lines that did not reach the file, after an error or beyond max_bytes
        self._fd: int | None = fd
        self._size = size
        self._n = n
        self._max_bytes = max_bytes
        self._last_at = 0.0
        self._complained = False
        self._torn = False

    @classmethod
    def open(
        cls,
        folder: Path,
        header: Mapping[str, object],
        *,
        at: datetime,
        max_bytes: int = DEFAULT_MAX_BYTES,
    ) -> "Journal":
        """Create the journal of the call named by `header["call_id"]`. Raises JournalError, also when it exists."""
        path = journal_path(folder, header.get("call_id"), at)
        line = _encoded({"journal": VERSION, **header, "opened_at": at.isoformat()})
        try:
            try:
                fd = os.open(path, _OPEN_FLAGS, 0o600)
            except FileNotFoundError:
                _make_folders(folder, path.parent)
                fd = os.open(path, _OPEN_FLAGS, 0o600)
        except OSError as error:
            raise JournalError(f"{path}: {error.strerror}") from error
        journal = cls(path, fd, size=0, n=1, max_bytes=max_bytes)
        try:
            journal._put(line)
        except JournalError:
            journal._leave()
            raise
        return journal

    @classmethod
    def reopen(cls, path: Path, *, at: float, max_bytes: int = DEFAULT_MAX_BYTES) -> "Journal":
        """Go on with the journal of a call that outlived its engine. A line cut by the crash is removed first.

        Raises JournalError. Reads the whole file: for recovery, not for a live call.
        """
        record = read_journal(path)
        n = record.lines[-1].n + 1 if record.lines else 1
        try:
            fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
            size = os.fstat(fd).st_size - record.cut_bytes
            os.ftruncate(fd, size)
        except OSError as error:
            raise JournalError(f"{path}: {error.strerror}") from error
        journal = cls(path, fd, size=size, n=n, max_bytes=max_bytes)
        journal.write(REOPENED, at, {"cut_bytes": record.cut_bytes})
        return journal

    @property
    def is_open(self) -> bool:
        """False once it was closed or has reached its size."""
        return self._fd is not None

    def write(self, kind: str, at: float, data: Mapping[str, object]) -> None:
        """Append one line; it is with the operating system when this returns.

        Raises JournalError at the first line that fails; what fails after it is counted in `lost`, and so is what
        comes after the journal has reached its size or was closed. A failed line never stands in the file by half.
        """
        if self._fd is None:
            self.lost += 1
            return
        n = self._n
        self._n = n + 1
        self._last_at = at
        try:
            line = _encoded({"n": n, "at": at, "kind": kind, "data": data})
            if self._size + len(line) + _LAST_LINE_BYTES > self._max_bytes:
                self._truncate(n, at)
                return
            self._put(line)
        except JournalError:
            self.lost += 1
            if not self._complained:
                self._complained = True
                raise

    def close(self) -> None:
        """Write the closing line and close the file. May be called twice; never raises."""
        if self._fd is None:
            return
        try:
            self._put(
                _encoded({"n": self._n, "at": self._last_at, "kind": CLOSED, "data": {"lost": self.lost}})
            )
        except JournalError:
            pass  # the missing line says it: the journal is not complete
        self._leave()

    def _truncate(self, n: int, at: float) -> None:
        self.lost += 1
        line = _encoded({"n": n, "at": at, "kind": TRUNCATED, "data": {"max_bytes": self._max_bytes}})
        try:
            self._put(line)
        finally:
            self._leave()

    def _put(self, line: bytes) -> None:
        fd = self._fd
        assert fd is not None
        if self._torn:
            line = b"\n" + line
        try:
            written = os.write(fd, line)
        except OSError as error:
            raise JournalError(f"{self.path}: {error.strerror}") from error
        if written != len(line):
            self._take_back(fd, written)
            raise JournalError(f"{self.path}: only {written} of {len(line)} bytes fitted")
        self._size += written
        self._torn = False

    def _take_back(self, fd: int, written: int) -> None:
        """Remove half a line, or remember to put a line break behind it: it must not spoil the next one."""
        try:
            os.ftruncate(fd, self._size)
        except OSError:
            self._size += written
            self._torn = True

    def _leave(self) -> None:
        fd, self._fd = self._fd, None
        if fd is not None:
            os.close(fd)


def journal_path(folder: Path, call_id: object, at: datetime) -> Path:
    """Where the journal of a call begun at this moment lies. Raises JournalError for what is no call id."""
    if not isinstance(call_id, str) or not is_call_id(call_id):
        raise JournalError(f"a journal is named after its call; not a call id: {call_id!r}")
    return folder / at.astimezone(UTC).date().isoformat() / f"{call_id}.jsonl"


def _make_folders(folder: Path, day: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    day.mkdir(mode=0o700, exist_ok=True)


# ---------------------------------------------------------------------------------------------------------- encoding


def _plain(value: object) -> object:
    """What JSON does not know by itself."""
    match value:
        case datetime() | date():
            return value.isoformat()
        case Enum():
            return value.value
        case bytes():
            return base64.b64encode(value).decode("ascii")
        case Mapping():
            return dict(value)
        case set() | frozenset():
            return sorted(value, key=str)
        case PurePath():
            return str(value)
        case _ if is_dataclass(value) and not isinstance(value, type):
            return {"type": type(value).__name__, **asdict(value)}
        case _:
            raise TypeError(f"a journal cannot hold a {type(value).__name__}")


_encode: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=_plain).encode
_encode_ascii: Final = json.JSONEncoder(ensure_ascii=True, separators=(",", ":"), default=_plain).encode


def _encoded(line: Mapping[str, object]) -> bytes:
    try:
        try:
            return to_json(line) + b"\n"
        except (PydanticSerializationError, UnicodeEncodeError, ValueError):
            pass  # a third of the time for what is plain; the other encoder knows the rest
        try:
            return (_encode(line) + "\n").encode()
        except UnicodeEncodeError:  # half a surrogate pair, as escaped JSON may carry
            return (_encode_ascii(line) + "\n").encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise JournalError(f"this cannot be written as a line: {error}") from error


# ----------------------------------------------------------------------------------------------------------- reading


@dataclass(frozen=True, slots=True)
class JournalLine:
    """One line."""

    n: int
    at: float
    kind: str
    data: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class JournalRecord:
    """A journal as read. `complete` is False when it was cut, never closed, reached its size, or misses lines."""

    header: Mapping[str, object]
    lines: tuple[JournalLine, ...]
    complete: bool
    cut_bytes: int = 0  # what stands behind the last whole line
    unreadable: int = 0  # whole lines in the middle that are none of ours


def read_journal(path: Path) -> JournalRecord:
    """Read a journal as far as it goes. A last line cut in the middle is left out and reported.

    Raises JournalError when there is no file, or no header of a version this code knows.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise JournalError(f"{path}: {error.strerror}") from error
    *whole, rest = content.split(b"\n")
    header = _decoded(whole[0]) if whole else None
    if header is None or "journal" not in header:
        raise JournalError(f"{path}: no header; the journal was cut in its first line, or is none")
    if header["journal"] != VERSION:
        raise JournalError(f"{path}: journal version {header['journal']!r}; this code reads {VERSION}")
    lines: list[JournalLine] = []
    unreadable = 0
    for text in whole[1:]:
        line = _line(_decoded(text))
        if line is None:
            unreadable += 1
        else:
            lines.append(line)
    in_order = all(line.n == place for place, line in enumerate(lines, start=1))
    closed = bool(lines) and lines[-1].kind == CLOSED and lines[-1].data.get("lost") == 0
    complete = not rest and not unreadable and in_order and closed
    return JournalRecord(header, tuple(lines), complete, len(rest), unreadable)


def _decoded(text: bytes) -> Mapping[str, object] | None:
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _line(fields: Mapping[str, object] | None) -> JournalLine | None:
    match fields:
        case {"n": int(n), "at": int() | float() as at, "kind": str(kind), "data": dict(data)}:
            return JournalLine(n, float(at), kind, data)
        case _:
            return None
