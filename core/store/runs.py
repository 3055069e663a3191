"""Runs of the engine: when it started, and whether it left by itself."""

import random
import sqlite3
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Final, NewType

from core.clock import unix_ms
from core.ids import new_call_id
from core.store.database import Database, from_micros, maybe_moment, to_micros

RunId = NewType("RunId", str)

RUNNING: Final = "running"
KILLED: Final = "killed"


class PreviousEnd(Enum):
    """How the run before this one ended."""

    FIRST = "first"  # there was none
    CLEAN = "clean"  # it said goodbye
    KILLED = "killed"  # it did not: a crash, a kill or a power cut


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRow:
    """A run as stored. `how` is "running", "killed" or the reason it gave; a killed run has no `ended_at`."""

    run_id: RunId
    app: str
    build: str
    pid: int
    started_at: datetime
    ended_at: datetime | None
    how: str


@dataclass(frozen=True, slots=True)
class RunStart:
    """A run that has begun, and what came before it."""

    run_id: RunId
    previous: PreviousEnd
    previous_run: RunRow | None


class Runs:
    """The table of runs."""

    def __init__(self, db: Database, rng: random.Random) -> None:
        self._db = db
        self._rng = rng

    async def begin_run(self, *, build: str, pid: int, app: str, at: datetime) -> RunStart:
        """On disk: a new run. Runs of this application that never ended are marked as killed: the lock says none lives."""
        run_id = RunId(new_call_id(unix_ms(at), self._rng))

        def unit(conn: sqlite3.Connection) -> RunRow | None:
            conn.execute("UPDATE engine_runs SET how = 'killed' WHERE how = 'running' AND app = ?", (app,))
            previous = conn.execute(
                "SELECT * FROM engine_runs WHERE app = ? ORDER BY started_at DESC, rowid DESC LIMIT 1", (app,)
            ).fetchone()
            conn.execute(
                "INSERT INTO engine_runs (run_id, app, build, pid, started_at) VALUES (?, ?, ?, ?, ?)",
                (run_id, app, build, pid, to_micros(at)),
            )
            return None if previous is None else _run(previous)

        previous = await self._db.durable("begin_run", unit)
        if previous is None:
            return RunStart(run_id, PreviousEnd.FIRST, None)
        end = PreviousEnd.KILLED if previous.how == KILLED else PreviousEnd.CLEAN
        return RunStart(run_id, end, previous)

    async def end_run(self, run_id: RunId, reason: str, *, at: datetime) -> bool:
        """On disk: this run left by itself, and why ("stopped", "drained"). False when it had ended before.

        Raises ValueError for a reason that would say it did not.
        """
        if not reason or reason in {RUNNING, KILLED}:
            raise ValueError(f"not a reason to leave: {reason!r}")

        def unit(conn: sqlite3.Connection) -> bool:
            cursor = conn.execute(
                "UPDATE engine_runs SET how = ?, ended_at = ? WHERE run_id = ? AND how = 'running'",
                (reason, to_micros(at), run_id),
            )
            return cursor.rowcount == 1

        return await self._db.durable("end_run", unit)

    async def list_runs(self, *, limit: int = 20) -> list[RunRow]:
        """The newest runs first."""
        rows = await self._db.fetch_all(
            "SELECT * FROM engine_runs ORDER BY started_at DESC, rowid DESC LIMIT ?", (limit,)
        )
        return [_run(row) for row in rows]


def _run(row: sqlite3.Row) -> RunRow:
    return RunRow(
        run_id=RunId(row["run_id"]),
        app=row["app"],
        build=row["build"],
        pid=row["pid"],
        started_at=from_micros(row["started_at"]),
        ended_at=maybe_moment(row["ended_at"]),
        how=row["how"],
    )
