"""The journal: what is written can be read, up to the byte where it was cut."""

import errno
import json
import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import JournalError
from core.ids import CallId
from core.journal import Journal, journal_path, read_journal

CALL = CallId("01kdq0000abcdefg")
AT = datetime(2026, 1, 5, 23, 30, tzinfo=UTC)
HEADER: Mapping[str, object] = {"call_id": CALL, "scenario": "survey", "flow_hash": "abc"}


def opened(folder: Path, max_bytes: int = 1_000_000) -> Journal:
    return Journal.open(folder, HEADER, at=AT, max_bytes=max_bytes)


def test_a_journal_is_read_as_it_was_written(tmp_path: Path) -> None:
    """Header and lines in order, and complete once closed."""
    journal = opened(tmp_path)
    journal.write("event", 1.25, {"type": "StasisStart", "text": "سلام\n"})
    journal.write("effect", 1.5, {"say": ["a", 1, None, True]})
    journal.close()
    journal.close()
    record = read_journal(journal.path)
    assert journal.path == tmp_path / "2026-01-05" / f"{CALL}.jsonl"
    assert record.header == {"journal": 1, **HEADER, "opened_at": "2026-01-05T23:30:00+00:00"}
    assert [(line.n, line.at, line.kind, line.data) for line in record.lines] == [
        (1, 1.25, "event", {"type": "StasisStart", "text": "سلام\n"}),
        (2, 1.5, "effect", {"say": ["a", 1, None, True]}),
        (3, 1.5, "closed", {"lost": 0}),
    ]
    assert (record.complete, record.cut_bytes, record.unreadable) == (True, 0, 0)


def test_a_line_is_there_before_write_returns(tmp_path: Path) -> None:
    """Nothing is buffered: another process reads each line at once, and a killed writer has lost none."""
    journal = opened(tmp_path)
    for n in range(3):
        journal.write("event", float(n), {})
        assert len(read_journal(journal.path).lines) == n + 1
    assert not read_journal(journal.path).complete
    journal.close()


def test_a_killed_process_loses_no_line(tmp_path: Path) -> None:
    """SIGKILL right after `write` returned: the line is in the file."""
    script = (
        "import os, signal, sys, pathlib, datetime\n"
        "from core.journal import Journal\n"
        f"journal = Journal.open(pathlib.Path(sys.argv[1]), {dict(HEADER)!r}, at=datetime.datetime.now(datetime.UTC))\n"
        "for n in range(50): journal.write('event', float(n), {'n': n})\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], check=False, cwd=Path(__file__).parents[2], timeout=30
    )
    [path] = tmp_path.rglob("*.jsonl")
    record = read_journal(path)
    assert (done.returncode, len(record.lines), record.complete, record.cut_bytes) == (-9, 50, False, 0)


def test_it_is_for_its_owner_only(tmp_path: Path) -> None:
    """Files 0600, folders 0700: they hold numbers and what people said."""
    journal = opened(tmp_path / "journal")
    journal.close()
    modes = [
        stat.S_IMODE(path.stat().st_mode)
        for path in (tmp_path / "journal", journal.path.parent, journal.path)
    ]
    assert modes == [0o700, 0o700, 0o600]


def test_a_journal_is_never_written_over(tmp_path: Path) -> None:
    """Opening the same call again is an error, and a name that is no call id never becomes a path."""
    opened(tmp_path).close()
    with pytest.raises(JournalError, match="exists"):
        opened(tmp_path)
    for name in ("../../etc/passwd", "", "x" * 16 + "/", None, 7):
        with pytest.raises(JournalError, match="not a call id"):
            Journal.open(tmp_path, {"call_id": name}, at=AT)


def test_beyond_its_size_it_is_closed_and_says_so(tmp_path: Path) -> None:
    """It ends with a line "truncated", stays within its bytes, and what comes later is counted, not raised."""
    journal = opened(tmp_path, max_bytes=2_000)
    for n in range(100):
        journal.write("event", float(n), {"n": n})
    journal.close()
    record = read_journal(journal.path)
    assert journal.path.stat().st_size <= 2_000
    assert (record.lines[-1].kind, record.complete, journal.is_open) == ("truncated", False, False)
    assert journal.lost == 100 - (len(record.lines) - 1)


def test_what_json_does_not_know_is_written_sensibly(tmp_path: Path) -> None:
    """Times, enums, bytes, sets and half surrogates are written; what cannot be raises, and the file goes on."""

    class Colour(Enum):
        RED = "red"

    journal = opened(tmp_path)
    journal.write(
        "event", 0.0, {"at": AT, "colour": Colour.RED, "raw": b"\x00", "set": {"b", "a"}, "bad": "\ud800"}
    )
    with pytest.raises(JournalError, match="cannot hold a object"):
        journal.write("event", 0.0, {"thing": object()})
    journal.write("event", 0.0, {"after": 1})
    journal.close()
    record = read_journal(journal.path)
    assert record.lines[0].data == {
        "at": AT.isoformat(),
        "colour": "red",
        "raw": "AA==",
        "set": ["a", "b"],
        "bad": "\ud800",
    }
    assert [line.n for line in record.lines] == [1, 3, 4]
    assert not record.complete  # a line is missing, and the reader knows


class FailingDisk:
    """`os.write` that fails while `full` is set: at once, or after half of the line."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.full = ""
        self._write: Callable[[int, bytes], int] = os.write
        monkeypatch.setattr("core.journal.os.write", self)

    def __call__(self, fd: int, line: bytes) -> int:
        match self.full:
            case "now":
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            case "half":
                return self._write(fd, line[: len(line) // 2])
            case _:
                return self._write(fd, line)


@pytest.mark.parametrize("how", ["now", "half"])
def test_a_full_disk_is_said_once_and_leaves_no_half_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """The first failure raises, later ones are counted; when there is room again the journal goes on, whole."""
    disk = FailingDisk(monkeypatch)
    journal = opened(tmp_path)
    journal.write("event", 0.0, {"n": 1})
    disk.full = how
    with pytest.raises(JournalError, match=r"No space left|bytes fitted"):
        journal.write("event", 0.0, {"n": 2})
    journal.write("event", 0.0, {"n": 3})
    disk.full = ""
    journal.write("event", 0.0, {"n": 4})
    journal.close()
    record = read_journal(journal.path)
    assert [line.data for line in record.lines] == [{"n": 1}, {"n": 4}, {"lost": 2}]
    assert (record.unreadable, record.complete, journal.lost) == (0, False, 2)


def test_half_a_line_that_cannot_be_taken_back_spoils_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where even cutting fails, the next line starts on its own."""
    disk = FailingDisk(monkeypatch)
    journal = opened(tmp_path)
    disk.full = "half"

    def refuse(fd: int, size: int) -> None:
        raise OSError(errno.EIO, "no")

    with monkeypatch.context() as patch:
        patch.setattr("core.journal.os.ftruncate", refuse)
        with pytest.raises(JournalError):
            journal.write("event", 0.0, {"n": 1})
    disk.full = ""
    journal.write("event", 0.0, {"n": 2})
    journal.close()
    record = read_journal(journal.path)
    assert ([line.data for line in record.lines], record.unreadable) == ([{"n": 2}, {"lost": 1}], 1)


def test_closing_on_a_full_disk_does_not_raise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The closing routine goes on; the missing last line tells the reader."""
    disk = FailingDisk(monkeypatch)
    journal = opened(tmp_path)
    disk.full = "half"
    journal.close()
    record = read_journal(journal.path)
    assert (record.lines, record.complete, record.cut_bytes) == ((), False, 0)
    disk.full = "now"
    with pytest.raises(JournalError):
        Journal.open(tmp_path, {"call_id": "01kdq0000abcdefh"}, at=AT)


def test_a_call_that_outlived_its_engine_goes_on_in_its_journal(tmp_path: Path) -> None:
    """`reopen` removes the cut line, says so, and goes on counting."""
    journal = opened(tmp_path)
    journal.write("event", 1.0, {"n": 1})
    with journal.path.open("ab") as file:
        file.write(b'{"n":2,"at":')
    journal._leave()
    again = Journal.reopen(journal.path, at=2.0)
    again.write("event", 3.0, {"n": 2})
    again.close()
    record = read_journal(journal.path)
    assert [(line.n, line.kind) for line in record.lines] == [
        (1, "event"),
        (2, "reopened"),
        (3, "event"),
        (4, "closed"),
    ]
    assert (record.complete, record.lines[1].data) == (True, {"cut_bytes": 12})


def test_what_is_no_journal_is_refused(tmp_path: Path) -> None:
    """A missing file, an empty one, a header cut short and a version from the future raise JournalError."""
    path = tmp_path / "x.jsonl"
    with pytest.raises(JournalError, match="No such file"):
        read_journal(path)
    for content, problem in [
        ("", "no header"),
        ('{"journal":1', "no header"),
        ("[1]\n", "no header"),
        ('{"journal":99}\n', "version 99"),
    ]:
        path.write_text(content)
        with pytest.raises(JournalError, match=problem):
            read_journal(path)


def test_the_day_is_that_of_utc(tmp_path: Path) -> None:
    """Where the engine stands does not decide where the file lies."""
    tehran = datetime.fromisoformat("2026-01-06T01:00:00+03:30")
    assert journal_path(tmp_path, CALL, tehran).parent.name == "2026-01-05"


DATA = st.dictionaries(
    st.text(max_size=8), st.none() | st.booleans() | st.integers() | st.text(max_size=20), max_size=4
)
LINES = st.lists(
    st.tuples(st.sampled_from(["event", "effect", "timer"]), st.floats(0, 1e6), DATA), min_size=1, max_size=20
)


@settings(max_examples=60, deadline=None)
@given(lines=LINES, data=st.data())
def test_a_journal_cut_anywhere_is_readable_up_to_the_cut(
    lines: list[tuple[str, float, dict[str, object]]], data: st.DataObject
) -> None:
    """At whatever byte the machine stopped: all whole lines before it are read, equal, and the cut is reported."""
    with tempfile.TemporaryDirectory() as folder:
        journal = opened(Path(folder))
        for line in lines:
            journal.write(*line)
        journal.close()
        content = journal.path.read_bytes()
        header_end = content.index(b"\n") + 1
        cut = data.draw(st.integers(header_end, len(content)))
        journal.path.write_bytes(content[:cut])
        record = read_journal(journal.path)
        whole = content[:cut].count(b"\n") - 1
        assert [(line.kind, line.at, line.data) for line in record.lines][: len(lines)] == lines[:whole]
        assert len(record.lines) == whole
        assert record.cut_bytes == cut - (content[:cut].rindex(b"\n") + 1)
        assert record.complete == (cut == len(content))
        assert all(json.loads(line) for line in content.splitlines())
