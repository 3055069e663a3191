"""The store as the engine holds it: one database and its groups of tables."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from core.clock import Clock
from core.store.attempts import Attempts
from core.store.calls import Calls
from core.store.database import Database
from core.store.flow_states import FlowStates
from core.store.permits import Permits
from core.store.runs import Runs


@dataclass(frozen=True, slots=True)
class Store:
    """Each group's methods are transactions named after what they promise: `store.permits.permit_attempt(...)`."""

    db: Database
    runs: Runs
    calls: Calls
    permits: Permits
    attempts: Attempts
    flow_states: FlowStates

    @classmethod
    @asynccontextmanager
    async def open(
        cls, path: Path, clock: Clock, rng: random.Random, *, migrate: bool = True
    ) -> AsyncIterator["Store"]:
        """Open the database file for the time of the block. Raises StoreError."""
        async with Database.open(path, clock, migrate=migrate) as db:
            yield cls(
                db=db,
                runs=Runs(db, rng),
                calls=Calls(db),
                permits=Permits(db, rng),
                attempts=Attempts(db),
                flow_states=FlowStates(db),
            )
