"""The engine under load: `main.open_engine`, as it ships, with a thin tap on its two ways to Asterisk.

The tap notes when a request of a call leaves, when its answer is back, and when an event of a call was read; it changes
nothing. Every call goes the way a person's call goes: permitted on disk, then placed.
"""

import random
import re
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from prometheus_client import CollectorRegistry

import main
from config.settings import Settings
from core.ari_transport.http import VIA as OVER_HTTP
from core.ari_transport.seam import Request, Response, Transport
from core.ari_transport.switching import SwitchingTransport
from core.errors import LinekeeperError
from core.telemetry import Telemetry
from logic.outcomes import Outcome
from scripts.bench.marks import Marks
from sessions.engine import Engine

SCENARIO: Final = "hold"
SETTLE_S: Final = 5.0
TYPE: Final = re.compile(r'"type": ?"(StasisStart|Dial)"')
STAMP: Final = re.compile(r'"timestamp": ?"([^"]+)"')
ANSWER: Final = re.compile(r'"dialstatus": ?"ANSWER"')
CUSTOMER: Final = re.compile(r'"lk\.[^".]+\.cu\.([a-z0-9]{16})"')

Frames = AsyncIterator[str | bytes]
Events = Callable[[], AbstractAsyncContextManager[Frames]]


@dataclass(slots=True)
class Tap:
    """Notes what passes."""

    answers_by_entering: bool
    calls: dict[str, Marks] = field(default_factory=dict)
    over_http: int = 0

    def heard(self, frame: str | bytes) -> None:
        """An event frame was read."""
        at = time.monotonic()
        text = frame if isinstance(frame, str) else frame.decode()
        kind = TYPE.search(text)
        if kind is None:
            return
        found = CUSTOMER.search(text)
        marks = None if found is None else self.calls.get(found[1])
        if marks is None:
            return
        if kind[1] == "StasisStart":
            marks.entered = at
            stamp = STAMP.search(text)
            marks.entered_by_asterisk = None if stamp is None else datetime.fromisoformat(stamp[1])
            if self.answers_by_entering:
                marks.answered = at
        elif marks.answered is None and ANSWER.search(text):
            marks.answered = at


@dataclass(frozen=True, slots=True)
class TappedTransport:
    """A transport that notes the requests of calls."""

    inner: Transport
    tap: Tap

    async def send(self, request: Request, *, timeout_s: float) -> Response:
        """Send one request. See `Transport.send`."""
        marks = self.tap.calls.get(request.affinity)
        if marks is None:
            return await self.inner.send(request, timeout_s=timeout_s)
        marks.sent(request.method, request.path, time.monotonic())
        response = await self.inner.send(request, timeout_s=timeout_s)
        marks.got(request.method, request.path, response.status, time.monotonic())
        self.tap.over_http += response.via == OVER_HTTP
        return response

    async def download(self, request: Request, *, timeout_s: float) -> bytes:
        """Fetch a binary body. See `Transport.download`."""
        return await self.inner.download(request, timeout_s=timeout_s)


def tapped(events: Events, tap: Tap) -> Events:
    """The same events, noted."""

    async def noted(frames: Frames) -> Frames:
        async for frame in frames:
            tap.heard(frame)
            yield frame

    @asynccontextmanager
    async def connect() -> AsyncIterator[Frames]:
        async with events() as frames:
            yield noted(frames)

    return connect


@dataclass(slots=True)
class EngineClient:
    """The engine, as a client of the bench."""

    engine: Engine
    tap: Tap
    telemetry: Telemetry
    line: str
    placed: int = 0

    async def call(self, marks: Marks, number: str) -> None:
        """Permit and place one call, and wait until nothing of it is left."""
        try:
            call = await self.engine.call(
                number=number, scenario=SCENARIO, line=self.line, granted_by="scripts.bench.calls"
            )
        except LinekeeperError as error:
            marks.came_to = type(error).__name__
            return
        self.placed += 1
        self.tap.calls[call.call_id] = marks  # before the call's own task has run for the first time
        await call.finished.wait()
        report = call.report
        if report is None:
            marks.came_to = "crashed"
            return
        marks.came_to = (
            report.outcome.value
            if report.outcome is Outcome.COMPLETED
            else f"{report.outcome.value} ({report.reason})"
        )
        marks.completed = report.outcome is Outcome.COMPLETED and marks.bridged is not None

    def counts(self) -> dict[str, float]:
        """What the engine itself counted."""
        value = self.telemetry.value
        stats = self.engine.store.db.stats
        return {
            "placed": self.placed,
            "over_http": self.tap.over_http,
            "ended": value("calls_total", direction="outbound", outcome="completed"),
            "still_active": value("active_calls"),
            "mailbox_full": value("mailbox_full_total"),
            "journal_errors": value("journal_errors_total"),
            "orphans": value("orphan_channels_total"),
            "event_reconnects": value("ari_reconnects_total"),
            "store_batches": stats.batches,
            "store_units": stats.units,
            "store_peak": stats.peak,
            "store_failed": stats.failed + stats.dropped,
        }


@asynccontextmanager
async def engine_client(settings: Settings, *, method: str, line: str) -> AsyncIterator[EngineClient]:
    """An engine that is in step with Asterisk and has all its REST websockets; leaving drains it."""
    tap = Tap(answers_by_entering=method == "originate")
    telemetry = Telemetry(CollectorRegistry())
    rng = random.Random()
    async with main.real_ways(settings.ari, rng) as ways:
        if isinstance(ways.transport, SwitchingTransport) and ways.transport.pool is not None:
            await ways.transport.pool.settle(SETTLE_S)
        own = main.Ways(TappedTransport(ways.transport, tap), tapped(ways.events, tap), ways.reset)
        async with main.open_engine(settings, ways=own, telemetry=telemetry, rng=rng) as engine:
            async with engine.working():
                await engine.ready()
                yield EngineClient(engine, tap, telemetry, line)
