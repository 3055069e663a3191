"""The life of one engine: it connects, sets things right, works, drains, and leaves.

States: STARTING until the first connection is set right; READY; BLIND while the event stream is down (calls go on, none
are placed); DRAINING after a stop was asked for; REPLACED when another engine took the application: then nothing is
dialled any more and the engine leaves, because it hears nothing.
"""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import Enum
from typing import Final

from core.ari_client import AriClient
from core.ari_fields import UnknownEvent
from core.ari_models import Event
from core.ari_ws import EventStream
from core.backoff import backoff
from core.clock import Clock
from core.errors import ApplicationTaken, AriError, AriNoAnswer, AriNonsense, AriServerError, AriUnreachable
from core.ids import CallId
from core.logs import log_event
from core.store import DialPermit, PermitKind, RunStart, Store
from core.telemetry import Telemetry
from sessions.call import Call
from sessions.chores import Chores
from sessions.errors import NotDialling
from sessions.manager import SessionManager
from sessions.ownership import claim
from sessions.recovery import Recovery
from sessions.routing import WANTED_EVENTS

_log = logging.getLogger(__name__)

RESYNC_RETRY_S: Final = 1.0
CLAIM_RETRY_MAX_S: Final = 2.5
SWEEP_DELAY_S: Final = 5.0
"""How long after a doubtful ending Asterisk is compared again: what was under way has appeared by then."""
LAG_EVERY_S: Final = 0.5
SWEEP_EVERY_S: Final = 60.0
LAST_CALLS_S: Final = 15.0
"""How long calls that are hung up at the end of the grace may take for their closing routine."""


class EngineState(Enum):
    """What the engine is doing."""

    STARTING = "starting"
    READY = "ready"
    BLIND = "blind"
    DRAINING = "draining"
    REPLACED = "replaced"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class EngineParts:
    """What an engine is made of; `main` makes them, once."""

    manager: SessionManager
    stream: EventStream
    client: AriClient
    reset_transport: Callable[[], None]
    """Lets the transport try its better way again."""
    settle_transport: Callable[[], Awaitable[object]]
    """Waits until the better way is open, or known to be closed."""
    recovery: Recovery
    chores: Chores
    store: Store
    clock: Clock
    telemetry: Telemetry
    rng: random.Random
    run: RunStart
    drain_grace_s: float = 30.0
    holder_died: bool = False
    """The lock file says that the last engine of this application died here."""
    take_over: bool = False


class Engine:
    """One engine. `async with engine.working():` runs it for the time of the block."""

    def __init__(self, parts: EngineParts) -> None:
        self._parts = parts
        self.manager = parts.manager
        self.store = parts.store
        self.run = parts.run
        self.state = EngineState.STARTING
        self._generation = 0
        self._bad_frames = 0
        self._connected = asyncio.Event()
        self._news = asyncio.Event()
        self._ready = asyncio.Event()
        self._leave = asyncio.Event()
        self.why = "stopped"
        """Why it leaves, or left."""
        self.may_have_left_something = False
        """Known after draining: channels or bridges of ours may be left in Asterisk."""

    # -------------------------------------------------------------------------------------------- the listener

    def connected(self, generation: int) -> None:
        """The event stream is up: what was missed must be asked for."""
        self._generation = generation
        if generation > 1:
            self._parts.telemetry.ari_reconnects_total.inc()
            self._parts.reset_transport()
        self._connected.set()
        self._news.set()

    def event(self, generation: int, event: Event | UnknownEvent) -> None:
        """One event, given to whom it concerns."""
        if generation == self._generation:
            self._parts.telemetry.ari_events_total.inc(event.type)
            self.manager.event(event)

    def disconnected(self, generation: int, reason: str) -> None:
        """The event stream is down: calls go on, unseen."""
        if generation != self._generation:
            return
        self._connected.clear()
        self._ready.clear()
        self._count_bad_frames()
        if self.state is EngineState.READY:
            self.state = EngineState.BLIND
        log_event(_log, logging.WARNING, "events_lost", reason=reason, calls=len(self.manager.calls))

    def _count_bad_frames(self) -> None:
        counts = self._parts.stream.counts
        bad = counts.not_json + counts.not_object + counts.misfits
        self._parts.telemetry.ari_bad_frames_total.inc(bad - self._bad_frames)
        self._bad_frames = bad

    # -------------------------------------------------------------------------------------------- working

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """Run for the time of the block; leaving it drains. Raises ApplicationTaken, AriUnauthorized."""
        parts = self._parts
        try:
            async with asyncio.TaskGroup() as tasks:
                async with parts.manager:
                    helpers = [
                        tasks.create_task(self._listen(), name="event stream"),
                        tasks.create_task(self._keep_in_step(), name="recovery"),
                        tasks.create_task(self._sweep(), name="sweep"),
                        tasks.create_task(self._watch_lag(), name="lag"),
                        tasks.create_task(parts.chores.run(), name="chores"),
                    ]
                    try:
                        yield
                    finally:
                        await self._drain()
                for helper in helpers:
                    helper.cancel()
        finally:
            self.state = EngineState.STOPPED

    async def ready(self) -> None:
        """Wait until the engine is connected and has set things right."""
        await self._ready.wait()

    def leave(self, why: str) -> None:
        """Ask the engine to drain and leave. May be called from a signal handler; the first reason stays."""
        if not self._leave.is_set():
            self.why = why
            self._leave.set()

    async def left(self) -> str:
        """Wait until somebody asked it to leave; returns why."""
        await self._leave.wait()
        return self.why

    async def call(
        self,
        *,
        number: str,
        scenario: str,
        line: str,
        granted_by: str,
        endpoint: str | None = None,
    ) -> Call:
        """Permit one call by hand, on disk, and place it. Raises CallRefused, StoreError."""
        if self.state is not EngineState.READY:
            raise NotDialling(f"the engine is {self.state.value} and places no calls")
        call_id = self.manager.new_call_id()
        self.manager.check_scenario(scenario)
        self.manager.check_endpoint(endpoint)
        permit = await self._permit(call_id, number, scenario, line, granted_by)
        return self.manager.place(permit, endpoint=endpoint)

    async def _permit(
        self, call_id: CallId, number: str, scenario: str, line: str, granted_by: str
    ) -> DialPermit:
        parts = self._parts
        return await parts.store.permits.permit_attempt(
            call_id=call_id,
            number=number,
            line=line,
            scenario=scenario,
            kind=PermitKind.MANUAL,
            granted_by=granted_by,
            decision={"kind": "manual", "by": granted_by},
            at=parts.clock.wall(),
        )

    async def compare(self) -> int:
        """Compare with Asterisk now; returns how many things were done about differences. Raises AriError."""
        return len(await self._parts.recovery.compare())

    # -------------------------------------------------------------------------------------------- its tasks

    async def _listen(self) -> None:
        try:
            await self._claim()
            await self._parts.recovery.end_what_died()
            await self._parts.stream.run(self)
        except ApplicationTaken as error:
            if self.state is EngineState.STARTING:
                self.why = "application_taken"
                raise
            self.state = EngineState.REPLACED
            log_event(_log, logging.CRITICAL, "application_replaced", error=str(error))
            self.manager.is_draining = True
            self.manager.stop_all("replaced")
            self.leave("replaced")

    async def _claim(self) -> None:
        """Make sure that the application is ours to take, as soon as Asterisk can be asked."""
        parts = self._parts
        delays = backoff(0.25, CLAIM_RETRY_MAX_S, parts.rng)
        said = ""
        while True:
            try:
                return await claim(
                    parts.client,
                    parts.manager.rules.app,
                    holder_died=parts.holder_died,
                    take_over=parts.take_over,
                )
            except (AriUnreachable, AriNoAnswer, AriNonsense, AriServerError) as error:
                if str(error) != said:
                    said = str(error)
                    log_event(_log, logging.WARNING, "asterisk_not_there_yet", error=said)
            await asyncio.sleep(next(delays))

    async def _keep_in_step(self) -> None:
        """After every connect: filter, compare, mend; again until it worked."""
        while True:
            await self._connected.wait()
            self._news.clear()
            generation = self._generation
            if await self._set_right():
                if generation == self._generation and self._connected.is_set():
                    self._is_right()
                await self._news.wait()
            else:
                await asyncio.sleep(RESYNC_RETRY_S)

    def _is_right(self) -> None:
        if self.state in {EngineState.STARTING, EngineState.BLIND}:
            self.state = EngineState.READY
        self._ready.set()
        log_event(_log, logging.INFO, "in_step_with_asterisk", calls=len(self.manager.calls))

    async def _set_right(self) -> bool:
        parts = self._parts
        await parts.settle_transport()
        try:
            filtered = await parts.client.applications.ensure_event_filter(
                parts.manager.rules.app, allowed_types=WANTED_EVENTS
            )
            actions = await parts.recovery.compare()
        except AriError as error:
            log_event(_log, logging.WARNING, "not_in_step_yet", error=str(error))
            return False
        log_event(_log, logging.DEBUG, "compared", filtered=filtered, actions=len(actions))
        return True

    async def _sweep(self) -> None:
        """Compare again some seconds after a doubtful ending, and every minute."""
        manager = self.manager
        while True:
            try:
                async with asyncio.timeout(SWEEP_EVERY_S):
                    await manager.wants_sweep.wait()
                manager.wants_sweep.clear()
                await asyncio.sleep(SWEEP_DELAY_S)
            except TimeoutError:
                pass
            self._count_bad_frames()
            if self._ready.is_set():
                try:
                    await self._parts.recovery.compare()
                except AriError as error:
                    log_event(_log, logging.WARNING, "sweep_failed", error=str(error))

    async def _watch_lag(self) -> None:
        """Measure how late the loop runs a timer: the one number that tells of work that blocks."""
        clock, lag = self._parts.clock, self._parts.telemetry.loop_lag_seconds
        while True:
            due = clock.now() + LAG_EVERY_S
            await asyncio.sleep(LAG_EVERY_S)
            lag.observe(max(0.0, clock.now() - due))

    # -------------------------------------------------------------------------------------------- leaving

    async def _drain(self) -> None:
        """No new calls; running calls get their grace, then are hung up politely; then the last chores."""
        manager, parts = self.manager, self._parts
        failed_before = parts.chores.failed
        manager.is_draining = True
        if self.state is not EngineState.REPLACED:
            self.state = EngineState.DRAINING
        if manager.calls:
            log_event(_log, logging.INFO, "draining", calls=len(manager.calls), grace_s=parts.drain_grace_s)
        if not await _within(manager.none_left(), parts.drain_grace_s):
            manager.stop_all("shutdown")
            await _within(manager.none_left(), LAST_CALLS_S)
        if manager.wants_sweep.is_set():
            await self._last_sweep()
        await _within(parts.chores.settle(), LAST_CALLS_S)
        died_unseen = parts.holder_died and not parts.recovery.has_compared
        self.may_have_left_something |= parts.chores.failed > failed_before or died_unseen

    async def _last_sweep(self) -> None:
        """Something of ours may still be in Asterisk: one more look before we go, with nobody to look after us."""
        try:
            await self._parts.recovery.compare()
        except AriError as error:
            self.may_have_left_something = True
            log_event(_log, logging.WARNING, "left_without_a_last_look", error=str(error))


async def _within(waiting: Awaitable[object], timeout_s: float) -> bool:
    try:
        async with asyncio.timeout(timeout_s):
            await waiting
    except TimeoutError:
        return False
    return True
