"""Flow states: where the conversation of a call stands, so that a call found after a crash can be taken up or ended well.

Only the newest state of a call is kept; how it came there is in its journal.
"""

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from core.ids import CallId
from core.store.database import Database, from_micros, to_micros


@dataclass(frozen=True, slots=True)
class FlowStateRow:
    """A state as stored. `seq` grows with every step of the conversation."""

    call_id: CallId
    seq: int
    state: Mapping[str, object]
    at: datetime


class FlowStates:
    """The table of flow states."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def save_flow_state(self, call_id: CallId, seq: int, state: str, *, at: datetime) -> bool:
        """Queue the newest state, a JSON text; an older one never replaces it. False when too many writes wait already."""
        values = (call_id, seq, state, to_micros(at))

        def unit(conn: sqlite3.Connection) -> None:
            conn.execute(
                "INSERT INTO flow_states (call_id, seq, state, at) VALUES (?, ?, ?, ?)"
                " ON CONFLICT (call_id) DO UPDATE SET seq = excluded.seq, state = excluded.state, at = excluded.at"
                " WHERE excluded.seq > flow_states.seq",
                values,
            )

        return self._db.relaxed("save_flow_state", unit)

    async def latest_flow_state(self, call_id: CallId) -> FlowStateRow | None:
        row = await self._db.fetch_one("SELECT * FROM flow_states WHERE call_id = ?", (call_id,))
        if row is None:
            return None
        return FlowStateRow(call_id, row["seq"], json.loads(row["state"]), from_micros(row["at"]))
