"""Permits: the stored decision that allows one dial, and the value that proves it.

`DialPermit` is made here and nowhere else, after the decision is on disk: what has one may dial once. A test reads the
source tree to hold that. The limits, hours and lists behind the decision are not this module's: it stores what was
decided and why.
"""

import json
import random
import sqlite3
from collections.abc import Mapping
from dataclasses import InitVar, dataclass, replace
from datetime import datetime
from enum import Enum
from typing import Final, NewType

from core.clock import unix_ms
from core.errors import StoreError
from core.ids import CallId, new_call_id
from core.store.attempts import AttemptId
from core.store.calls import CallRow, insert_call
from core.store.database import Database, from_micros, maybe_moment, to_micros

PermitId = NewType("PermitId", str)

_SEAL: Final = object()


class PermitKind(Enum):
    """On whose account a number is dialled."""

    MANUAL = "manual"  # a person typed it
    CAMPAIGN = "campaign"
    CALLBACK = "callback"
    RETELL = "retell"
    OPERATOR = "operator"  # someone of ours, for a call that is going on


class PermitUsed(StoreError):
    """This permit has dialled already, or its attempt has ended: it dials no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DialPermit:
    """The proof that this number may be dialled once, from this line, for this call. Handed out by `Permits` only."""

    permit_id: PermitId
    attempt_id: AttemptId
    call_id: CallId
    number: str
    line: str
    scenario: str
    kind: PermitKind
    granted_by: str
    granted_at: datetime
    seal: InitVar[object]

    def __post_init__(self, seal: object) -> None:
        if seal is not _SEAL:
            raise TypeError("a DialPermit comes from Permits.permit_attempt, nowhere else")


@dataclass(frozen=True, slots=True, kw_only=True)
class PermitRow:
    """A permit as stored, for people to read. It proves nothing."""

    permit_id: PermitId
    attempt_id: AttemptId
    call_id: CallId
    kind: PermitKind
    granted_by: str
    number: str
    line: str
    scenario: str
    decision: Mapping[str, object]
    granted_at: datetime
    used_at: datetime | None


class Permits:
    """The table of permits."""

    def __init__(self, db: Database, rng: random.Random) -> None:
        self._db = db
        self._rng = rng

    async def permit_attempt(
        self,
        *,
        call_id: CallId,
        number: str,
        line: str,
        scenario: str,
        kind: PermitKind,
        granted_by: str,
        decision: Mapping[str, object],
        at: datetime,
        attempt_id: AttemptId | None = None,
    ) -> DialPermit:
        """On disk: an attempt and the decision that allows it. `granted_by` names who: "the person typing".

        `call_id` is the call the dial is for: chosen already for a new one, the live one for an operator's leg.
        Raises StoreError, and then there is no permit.
        """
        permit = DialPermit(
            permit_id=PermitId(new_call_id(unix_ms(at), self._rng)),
            attempt_id=attempt_id or AttemptId(new_call_id(unix_ms(at), self._rng)),
            call_id=call_id,
            number=number,
            line=line,
            scenario=scenario,
            kind=kind,
            granted_by=granted_by,
            granted_at=at,
            seal=_SEAL,
        )
        reasons = json.dumps(dict(decision), ensure_ascii=False, default=str)
        await self._db.durable("permit_attempt", lambda conn: _insert(conn, permit, reasons))
        return permit

    async def begin_dial(self, permit: DialPermit, *, at: datetime, call: CallRow | None = None) -> None:
        """On disk: the permit is used, and from here on the dial may have left. Dial only after this returned.

        `call` opens the row of a new call in the same transaction. Raises PermitUsed the second time, and when the
        attempt has ended meanwhile; any StoreError means: do not dial.
        """
        opening = None
        if call is not None:
            if call.call_id != permit.call_id:
                raise ValueError(f"the permit is for call {permit.call_id}, not {call.call_id}")
            opening = insert_call(replace(call, permit_id=permit.permit_id, attempt_id=permit.attempt_id))
        moment = to_micros(at)

        def unit(conn: sqlite3.Connection) -> None:
            used = conn.execute(
                "UPDATE permits SET used_at = ? WHERE permit_id = ? AND used_at IS NULL"
                " AND attempt_id = ? AND call_id = ? AND number = ? AND line = ?",
                (moment, permit.permit_id, permit.attempt_id, permit.call_id, permit.number, permit.line),
            ).rowcount
            begun = conn.execute(
                "UPDATE attempts SET state = 'dialling', dialled_at = ?"
                " WHERE attempt_id = ? AND state = 'permitted'",
                (moment, permit.attempt_id),
            ).rowcount
            if used != 1 or begun != 1:
                raise PermitUsed(f"permit {permit.permit_id} has been used, or its attempt has ended")
            if opening is not None:
                opening(conn)

        await self._db.durable("begin_dial", unit)

    async def permits_of_call(self, call_id: CallId) -> list[PermitRow]:
        """What was allowed for this call and why, oldest first."""
        rows = await self._db.fetch_all(
            "SELECT * FROM permits WHERE call_id = ? ORDER BY granted_at, permit_id", (call_id,)
        )
        return [_permit(row) for row in rows]


def _insert(conn: sqlite3.Connection, permit: DialPermit, reasons: str) -> None:
    at = to_micros(permit.granted_at)
    conn.execute(
        "INSERT INTO attempts (attempt_id, call_id, number, line, scenario, state, permitted_at)"
        " VALUES (?, ?, ?, ?, ?, 'permitted', ?)",
        (permit.attempt_id, permit.call_id, permit.number, permit.line, permit.scenario, at),
    )
    conn.execute(
        "INSERT INTO permits (permit_id, attempt_id, call_id, kind, granted_by, number, line, scenario, decision,"
        " granted_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            permit.permit_id,
            permit.attempt_id,
            permit.call_id,
            permit.kind.value,
            permit.granted_by,
            permit.number,
            permit.line,
            permit.scenario,
            reasons,
            at,
        ),
    )


def _permit(row: sqlite3.Row) -> PermitRow:
    return PermitRow(
        permit_id=PermitId(row["permit_id"]),
        attempt_id=AttemptId(row["attempt_id"]),
        call_id=CallId(row["call_id"]),
        kind=PermitKind(row["kind"]),
        granted_by=row["granted_by"],
        number=row["number"],
        line=row["line"],
        scenario=row["scenario"],
        decision=json.loads(row["decision"]),
        granted_at=from_micros(row["granted_at"]),
        used_at=maybe_moment(row["used_at"]),
    )
