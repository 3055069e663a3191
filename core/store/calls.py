"""Calls: one row each, from the first dial or ring to the outcome, which is set once."""

import json
import sqlite3
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Final

from core.ids import CallId
from core.store.attempts import AttemptId
from core.store.database import Database, Value, from_micros, maybe_micros, maybe_moment, to_micros

ENDED: Final = "ended"  # the state of every call that has an outcome; the other states are the sessions' own

# The highest character an id can hold is "z"; "{" follows it.
_AFTER_ANY_ID_CHARACTER: Final = "{"


class Direction(Enum):
    INBOUND = "inbound"
    OUTBOUND = "outbound"


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRow:
    """A call as stored. `journal` is the path of its journal; `recordings` are names in Asterisk."""

    call_id: CallId
    engine: str
    app: str
    engine_run: str
    direction: Direction
    state: str
    started_at: datetime
    scenario: str = ""
    flow_hash: str = ""
    number: str = ""
    line: str = ""
    outcome: str | None = None
    answered_at: datetime | None = None
    ended_at: datetime | None = None
    hangup_cause: int | None = None
    dial_status: str | None = None
    bridge_id: str | None = None
    customer_channel: str | None = None
    permit_id: str | None = None
    attempt_id: AttemptId | None = None
    error: str | None = None
    recordings: tuple[str, ...] = ()
    journal: str | None = None


class Calls:
    """The table of calls."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def open_call(self, row: CallRow) -> bool:
        """Queue a new row: for inbound calls. Outbound ones are opened by `Permits.begin_dial`, in its transaction.

        False when too many writes wait already.
        """
        return self._db.relaxed("open_call", insert_call(row))

    def mark_answered(self, call_id: CallId, *, at: datetime) -> bool:
        """Queue the moment of the answer; the first one stays. False when too many writes wait already."""

        def unit(conn: sqlite3.Connection) -> None:
            conn.execute(
                "UPDATE calls SET answered_at = coalesce(answered_at, ?) WHERE call_id = ? AND outcome IS NULL",
                (to_micros(at), call_id),
            )

        return self._db.relaxed("mark_answered", unit)

    def note_call(
        self,
        call_id: CallId,
        *,
        state: str | None = None,
        scenario: str | None = None,
        flow_hash: str | None = None,
        dial_status: str | None = None,
        bridge_id: str | None = None,
        customer_channel: str | None = None,
        journal: str | None = None,
    ) -> bool:
        """Queue what became known of a call; what is None stays. Does nothing once the call has an outcome.

        False when too many writes wait already.
        """
        values = (state, scenario, flow_hash, dial_status, bridge_id, customer_channel, journal, call_id)

        def unit(conn: sqlite3.Connection) -> None:
            conn.execute(
                "UPDATE calls SET state = coalesce(?, state), scenario = coalesce(?, scenario),"
                " flow_hash = coalesce(?, flow_hash), dial_status = coalesce(?, dial_status),"
                " bridge_id = coalesce(?, bridge_id), customer_channel = coalesce(?, customer_channel),"
                " journal = coalesce(?, journal) WHERE call_id = ? AND outcome IS NULL",
                values,
            )

        return self._db.relaxed("note_call", unit)

    async def finish_call(
        self,
        call_id: CallId,
        outcome: str,
        *,
        at: datetime,
        hangup_cause: int | None = None,
        dial_status: str | None = None,
        error: str | None = None,
        recordings: Sequence[str] = (),
        attempt_outcome: str | None = None,
    ) -> bool:
        """On disk: the outcome of a call, and the end of its attempts, in one transaction.

        The first outcome stays: later ones change nothing and return False, as does a call that is not there.
        Attempts of the call that are still open, an operator's too, end with `attempt_outcome`, or with the outcome.
        """
        known = _Ending(outcome, attempt_outcome or outcome, at, hangup_cause, dial_status, error, recordings)
        return await self._db.durable("finish_call", lambda conn: _finish(conn, call_id, known))

    async def end_lost_calls(
        self,
        engine: str,
        *,
        current_run: str,
        outcome: str,
        attempt_outcome: str,
        at: datetime,
        spare: Collection[CallId] = (),
    ) -> list[CallId]:
        """On disk: end what earlier runs of this engine left unfinished, except the calls that were adopted (`spare`).

        Their attempts may have been dialled, so they end with `attempt_outcome`. Returns the calls that were ended.
        """
        known = _Ending(outcome, attempt_outcome, at)
        spared = frozenset(spare)

        def unit(conn: sqlite3.Connection) -> list[CallId]:
            rows = conn.execute(
                "SELECT call_id FROM calls WHERE engine = ? AND outcome IS NULL AND engine_run <> ?"
                " ORDER BY call_id",
                (engine, current_run),
            ).fetchall()
            lost = [CallId(row["call_id"]) for row in rows if row["call_id"] not in spared]
            return [call_id for call_id in lost if _finish(conn, call_id, known)]

        return await self._db.durable("end_lost_calls", unit)

    async def get_call(self, call_id: CallId) -> CallRow | None:
        row = await self._db.fetch_one("SELECT * FROM calls WHERE call_id = ?", (call_id,))
        return None if row is None else _call(row)

    async def find_calls(self, prefix: str, *, limit: int = 10) -> list[CallRow]:
        """Calls whose id starts so, as a person types it: upper case is fine. Oldest first."""
        start = prefix.strip().lower()
        rows = await self._db.fetch_all(
            "SELECT * FROM calls WHERE call_id >= ? AND call_id < ? ORDER BY call_id LIMIT ?",
            (start, start + _AFTER_ANY_ID_CHARACTER, limit),
        )
        return [_call(row) for row in rows]

    async def list_calls(self, *, limit: int = 50, before: CallId | None = None) -> list[CallRow]:
        """The newest calls first; `before` is the last id of the page before."""
        rows = await self._db.fetch_all(
            "SELECT * FROM calls WHERE call_id < ? ORDER BY call_id DESC LIMIT ?",
            (before or _AFTER_ANY_ID_CHARACTER, limit),
        )
        return [_call(row) for row in rows]

    async def unfinished_calls(self, engine: str) -> list[CallRow]:
        """Calls of this engine without an outcome, oldest first."""
        rows = await self._db.fetch_all(
            "SELECT * FROM calls WHERE engine = ? AND outcome IS NULL ORDER BY call_id", (engine,)
        )
        return [_call(row) for row in rows]


def insert_call(row: CallRow) -> Callable[[sqlite3.Connection], None]:
    """The write that opens a row. Fails when the call is there already."""
    values = _values(row)

    def unit(conn: sqlite3.Connection) -> None:
        conn.execute(_INSERT, values)

    return unit


@dataclass(frozen=True, slots=True)
class _Ending:
    outcome: str
    attempt_outcome: str
    at: datetime
    hangup_cause: int | None = None
    dial_status: str | None = None
    error: str | None = None
    recordings: Sequence[str] = ()


def _finish(conn: sqlite3.Connection, call_id: CallId, known: _Ending) -> bool:
    at = to_micros(known.at)
    cursor = conn.execute(
        "UPDATE calls SET state = 'ended', outcome = ?, ended_at = ?, hangup_cause = coalesce(?, hangup_cause),"
        " dial_status = coalesce(?, dial_status), error = coalesce(?, error), recordings = coalesce(?, recordings)"
        " WHERE call_id = ? AND outcome IS NULL",
        (
            known.outcome,
            at,
            known.hangup_cause,
            known.dial_status,
            known.error,
            json.dumps(list(known.recordings)) if known.recordings else None,
            call_id,
        ),
    )
    if cursor.rowcount != 1:
        return False
    conn.execute(
        "UPDATE attempts SET state = 'ended', outcome = ?, ended_at = ? WHERE call_id = ? AND state <> 'ended'",
        (known.attempt_outcome, at, call_id),
    )
    return True


_INSERT: Final = (
    "INSERT INTO calls (call_id, engine, app, engine_run, direction, scenario, flow_hash, number, line, state,"
    " outcome, started_at, answered_at, ended_at, hangup_cause, dial_status, bridge_id, customer_channel,"
    " permit_id, attempt_id, error, recordings, journal)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


def _values(row: CallRow) -> tuple[Value, ...]:
    return (
        row.call_id,
        row.engine,
        row.app,
        row.engine_run,
        row.direction.value,
        row.scenario,
        row.flow_hash,
        row.number,
        row.line,
        row.state,
        row.outcome,
        to_micros(row.started_at),
        maybe_micros(row.answered_at),
        maybe_micros(row.ended_at),
        row.hangup_cause,
        row.dial_status,
        row.bridge_id,
        row.customer_channel,
        row.permit_id,
        row.attempt_id,
        row.error,
        json.dumps(list(row.recordings)),
        row.journal,
    )


def _call(row: sqlite3.Row) -> CallRow:
    return CallRow(
        call_id=CallId(row["call_id"]),
        engine=row["engine"],
        app=row["app"],
        engine_run=row["engine_run"],
        direction=Direction(row["direction"]),
        scenario=row["scenario"],
        flow_hash=row["flow_hash"],
        number=row["number"],
        line=row["line"],
        state=row["state"],
        outcome=row["outcome"],
        started_at=from_micros(row["started_at"]),
        answered_at=maybe_moment(row["answered_at"]),
        ended_at=maybe_moment(row["ended_at"]),
        hangup_cause=row["hangup_cause"],
        dial_status=row["dial_status"],
        bridge_id=row["bridge_id"],
        customer_channel=row["customer_channel"],
        permit_id=row["permit_id"],
        attempt_id=None if row["attempt_id"] is None else AttemptId(row["attempt_id"]),
        error=row["error"],
        recordings=tuple(json.loads(row["recordings"])),
        journal=row["journal"],
    )
