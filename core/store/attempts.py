"""Attempts: each is one dial of one number. They are made together with their permit, in `permits`."""

import sqlite3
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import NewType

from core.ids import CallId
from core.store.database import Database, from_micros, maybe_moment, to_micros

AttemptId = NewType("AttemptId", str)


class AttemptState(Enum):
    """How far an attempt went. It only moves down this list."""

    PERMITTED = "permitted"  # the decision is on disk, nothing has left
    DIALLING = (
        "dialling"  # the dial may have left: it is adopted, or ends as unknown, but is never dialled again
    )
    ENDED = "ended"  # it has an outcome, for good


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptRow:
    """An attempt as stored."""

    attempt_id: AttemptId
    call_id: CallId
    number: str
    line: str
    scenario: str
    state: AttemptState
    outcome: str | None
    permitted_at: datetime
    dialled_at: datetime | None
    ended_at: datetime | None


class Attempts:
    """The table of attempts."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def get_attempt(self, attempt_id: AttemptId) -> AttemptRow | None:
        row = await self._db.fetch_one("SELECT * FROM attempts WHERE attempt_id = ?", (attempt_id,))
        return None if row is None else _attempt(row)

    async def attempts_of_call(self, call_id: CallId) -> list[AttemptRow]:
        """The customer's attempt and those of operators the call was offered to, oldest first."""
        rows = await self._db.fetch_all(
            "SELECT * FROM attempts WHERE call_id = ? ORDER BY permitted_at, attempt_id", (call_id,)
        )
        return [_attempt(row) for row in rows]

    async def open_attempts(self, state: AttemptState) -> list[AttemptRow]:
        """All attempts in this state, oldest first. Ended ones are history, not open: ask by call."""
        rows = await self._db.fetch_all(
            "SELECT * FROM attempts WHERE state = ? AND state <> 'ended' ORDER BY permitted_at, attempt_id",
            (state.value,),
        )
        return [_attempt(row) for row in rows]

    async def end_attempt(self, attempt_id: AttemptId, outcome: str, *, at: datetime) -> bool:
        """On disk: how an attempt ended that has no call row of its own. False when it had ended before."""

        def unit(conn: sqlite3.Connection) -> bool:
            cursor = conn.execute(
                "UPDATE attempts SET state = 'ended', outcome = ?, ended_at = ?"
                " WHERE attempt_id = ? AND state <> 'ended'",
                (outcome, to_micros(at), attempt_id),
            )
            return cursor.rowcount == 1

        return await self._db.durable("end_attempt", unit)

    async def end_undialled(self, outcome: str, *, before: datetime, at: datetime) -> list[AttemptId]:
        """On disk: end what was permitted before this moment and never dialled; for recovery after a crash.

        Nothing left for these numbers, so they may be tried again under a new attempt.
        """

        def unit(conn: sqlite3.Connection) -> list[AttemptId]:
            rows = conn.execute(
                "UPDATE attempts SET state = 'ended', outcome = ?, ended_at = ?"
                " WHERE state = 'permitted' AND permitted_at < ? RETURNING attempt_id",
                (outcome, to_micros(at), to_micros(before)),
            ).fetchall()
            return sorted(AttemptId(row["attempt_id"]) for row in rows)

        return await self._db.durable("end_undialled", unit)


def _attempt(row: sqlite3.Row) -> AttemptRow:
    return AttemptRow(
        attempt_id=AttemptId(row["attempt_id"]),
        call_id=CallId(row["call_id"]),
        number=row["number"],
        line=row["line"],
        scenario=row["scenario"],
        state=AttemptState(row["state"]),
        outcome=row["outcome"],
        permitted_at=from_micros(row["permitted_at"]),
        dialled_at=maybe_moment(row["dialled_at"]),
        ended_at=maybe_moment(row["ended_at"]),
    )
