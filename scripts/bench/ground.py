"""What a bench of calls stands on: the lab's Asterisk, a far end that answers, one second of sound, and the books.

Everything here blocks. It removes only what carries the bench's own application name.
"""

import http.client
import json
import sqlite3
import time
import wave
from base64 import b64encode
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from core.errors import JournalError
from core.journal import read_journal
from scripts.lab import Lab
from scripts.lab.progress import on_stderr

SOUND_PREFIX: Final = "linekeeper-bench"
PROMPT: Final = "hello"
"""The prompt that scenarios/hold.yaml says; here one second of a tone."""
PROMPT_S: Final = 1.0
EMPTY_WITHIN_S: Final = 10.0
FAR_END_S: Final = 3 * 3600.0


@dataclass(frozen=True, slots=True)
class Ground:
    """A running lab with a far end."""

    lab: Lab
    far_end_pid: int

    @property
    def media(self) -> str:
        return f"sound:{SOUND_PREFIX}/{PROMPT}"

    @property
    def asterisk_pid(self) -> int:
        return self.lab.state.pid or 0

    def left_of(self, app: str, within_s: float = EMPTY_WITHIN_S) -> dict[str, list[str]]:
        """Channels and bridges of this application that are still there; asked until there are none or time is up."""
        deadline = time.monotonic() + within_s
        while True:
            left = {kind: self._ours(kind, app) for kind in ("channels", "bridges")}
            if not any(left.values()) or time.monotonic() > deadline:
                return left
            time.sleep(0.2)

    def remove(self, left: dict[str, list[str]]) -> None:
        """Take away what a step left behind, so that the next one begins with nothing."""
        for kind, names in left.items():
            for name in names:
                self._ask("DELETE", f"{kind}/{name}")

    def _ours(self, kind: str, app: str) -> list[str]:
        found = self._ask("GET", kind)
        assert isinstance(found, list)
        return [entry["id"] for entry in found if str(entry["id"]).startswith(f"lk.{app}.")]

    def _ask(self, method: str, path: str) -> object:
        token = b64encode(f"{self.lab.username}:{self.lab.password}".encode()).decode()
        with closing(http.client.HTTPConnection("127.0.0.1", self.lab.http_port, timeout=20)) as connection:
            connection.request(method, f"/ari/{path}", headers={"Authorization": f"Basic {token}"})
            answer = connection.getresponse().read()
        return json.loads(answer) if answer else None


@contextmanager
def ground() -> Iterator[Ground]:
    """The lab as it runs; one that does not run is started, and stopped at the end. Raises LabError."""
    lab = Lab.at()
    started = not lab.is_running
    if started:
        lab.start(progress=on_stderr())
    try:
        install_prompt(lab)
        with lab.sipp_uas("answer", timeout_s=FAR_END_S, ring_ms=100) as far_end:
            yield Ground(lab, _sipp_pid(far_end.process.pid))
    finally:
        if started:
            lab.stop()


def install_prompt(lab: Lab) -> None:
    """One second of a tone, in a sound folder that nobody else uses."""
    folder = lab.sound_dir.parent / SOUND_PREFIX
    folder.mkdir(exist_ok=True)
    with wave.open(str(folder / f"{PROMPT}.wav"), "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        samples = (12000 if n // 10 % 2 else -12000 for n in range(int(8000 * PROMPT_S)))
        sound.writeframes(b"".join(sample.to_bytes(2, "little", signed=True) for sample in samples))


def _sipp_pid(pid: int) -> int:
    """SIPp itself, if a shell stands before it."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    return int(children[0]) if children else pid


def books_problems(data: Path, placed: int) -> list[str]:
    """What is wrong with the store and the journals of an engine that placed so many calls and has left."""
    try:
        return [
            *_store_problems(data / "linekeeper.db", placed),
            *_journal_problems(data / "journal", placed),
        ]
    except (sqlite3.Error, JournalError, OSError) as error:
        return [f"the books cannot be read: {error}"]


def _store_problems(path: Path, placed: int) -> list[str]:
    questions = {
        "rows of calls": "SELECT count(*) FROM calls",
        "calls that have ended with an outcome": (
            "SELECT count(*) FROM calls WHERE state = 'ended' AND outcome IS NOT NULL AND ended_at IS NOT NULL"
        ),
        "used permits": "SELECT count(*) FROM permits WHERE used_at IS NOT NULL",
        "ended attempts": "SELECT count(*) FROM attempts WHERE state = 'ended'",
    }
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as conn:
        found = {what: conn.execute(sql).fetchone()[0] for what, sql in questions.items()}
    return [f"{count} {what}, {placed} calls placed" for what, count in found.items() if count != placed]


def _journal_problems(folder: Path, placed: int) -> list[str]:
    paths = sorted(folder.glob("*/*.jsonl"))
    problems = [] if len(paths) == placed else [f"{len(paths)} journals, {placed} calls placed"]
    cut, unclosed, strangers = 0, 0, 0
    for path in paths:
        record = read_journal(path)
        cut += not record.complete
        strangers += record.header.get("call_id") != path.stem
        # The closing routine writes this line last, once per call.
        unclosed += sum(line.kind == "end" for line in record.lines) != 1
    for count, what in (
        (cut, "incomplete"),
        (unclosed, "without one closing routine"),
        (strangers, "misnamed"),
    ):
        if count:
            problems.append(f"{count} journals {what}")
    return problems
