"""One engine per data folder, whatever becomes of the one before."""

import os
import signal
import stat
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from core.errors import LockHeld
from core.lockfile import FILE_NAME, EngineLock, boot_id, read_holder

ROOT = Path(__file__).parents[2]
AT = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)

HOLD = """
import datetime, pathlib, sys
from core.lockfile import EngineLock
lock = EngineLock.acquire(pathlib.Path(sys.argv[1]), app="elsewhere", at=datetime.datetime.now(datetime.UTC))
print("held", flush=True)
sys.stdin.readline()
lock.release()
"""

LOOK = """
import pathlib, sys
from core.lockfile import read_holder
print("go", flush=True)
for _ in range(20_000):
    read_holder(pathlib.Path(sys.argv[1]))
"""


def holder_process(folder: Path) -> "subprocess.Popen[bytes]":
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"held\n"
    return process


def end(process: "subprocess.Popen[bytes]", how: int | None) -> None:
    if how is not None:
        process.send_signal(how)
    process.communicate(b"\n" if how is None else None, timeout=30)


def test_the_first_holder_has_none_before_it(tmp_path: Path) -> None:
    """It writes who it is, for its owner only, and creates the folder."""
    folder = tmp_path / "var"
    with EngineLock.acquire(folder, app="linekeeper", at=AT) as lock:
        assert (lock.previous, lock.previous_died) == (None, False)
        now = read_holder(folder / FILE_NAME)
        assert now is not None
        assert now.alive
        assert now.holder == lock.holder
        assert (lock.holder.pid, lock.holder.app, lock.holder.boot_id) == (
            os.getpid(),
            "linekeeper",
            boot_id(),
        )
        assert stat.S_IMODE((folder / FILE_NAME).stat().st_mode) == 0o600


def test_a_living_holder_keeps_others_out(tmp_path: Path) -> None:
    """The second engine is told the process id of the first; so is a second one in the same process."""
    process = holder_process(tmp_path)
    try:
        with pytest.raises(LockHeld, match="'elsewhere', pid") as caught:
            EngineLock.acquire(tmp_path, app="linekeeper", at=AT)
        assert caught.value.pid == process.pid
    finally:
        end(process, None)
    with EngineLock.acquire(tmp_path, app="linekeeper", at=AT):
        with pytest.raises(LockHeld) as caught:
            EngineLock.acquire(tmp_path, app="linekeeper", at=AT)
        assert caught.value.pid == os.getpid()


@pytest.mark.parametrize(("how", "died"), [(None, False), (signal.SIGKILL, True)])
def test_the_next_one_learns_how_the_last_one_went(tmp_path: Path, how: int | None, died: bool) -> None:
    """A goodbye or a SIGKILL: the lock is free at once either way, and the file tells which it was."""
    process = holder_process(tmp_path)
    end(process, how)
    now = read_holder(tmp_path / FILE_NAME)
    assert now is not None
    assert now.holder is not None
    assert (now.alive, now.holder.pid, now.holder.left) == (False, process.pid, not died)
    with EngineLock.acquire(tmp_path, app="linekeeper", at=AT) as lock:
        assert lock.previous is not None
        assert (lock.previous.pid, lock.previous.app, lock.previous_died) == (process.pid, "elsewhere", died)


def test_release_may_happen_twice(tmp_path: Path) -> None:
    """The closing routine may run twice; the second time it takes nothing from the next holder."""
    first = EngineLock.acquire(tmp_path, app="a", at=AT)
    first.release()
    second = EngineLock.acquire(tmp_path, app="b", at=AT)
    first.release()
    now = read_holder(tmp_path / FILE_NAME)
    second.release()
    assert now is not None
    assert now.alive
    assert now.holder is not None
    assert now.holder.app == "b"


def test_looking_does_not_keep_an_engine_out(tmp_path: Path) -> None:
    """Reading the holder a hundred times beside a starting engine never makes it refuse."""
    EngineLock.acquire(tmp_path, app="a", at=AT).release()
    looker = subprocess.Popen(
        [
            sys.executable,
            "-c",
            LOOK,
            str(tmp_path / FILE_NAME),
        ],
        cwd=ROOT,
        stdout=subprocess.PIPE,
    )
    try:
        assert looker.stdout is not None
        looker.stdout.readline()
        for _ in range(100):
            EngineLock.acquire(tmp_path, app="a", at=AT).release()
    finally:
        looker.kill()
        looker.communicate(timeout=30)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"pid": "x"}', "\x00" * 50])
def test_a_file_that_says_nothing_is_no_obstacle(tmp_path: Path, content: str) -> None:
    """Whatever stands in it, the kernel's lock decides; and nobody is accused."""
    (tmp_path / FILE_NAME).write_text(content)
    now = read_holder(tmp_path / FILE_NAME)
    assert now is not None
    assert (now.holder, now.alive) == (None, False)
    with EngineLock.acquire(tmp_path, app="a", at=AT) as lock:
        assert lock.previous is None
    assert read_holder(tmp_path / "elsewhere.lock") is None
