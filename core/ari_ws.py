"""The event stream: one websocket under the engine's application name, reconnected for ever.

`EventStream.run` reads frames, makes events of them and hands them to a `Listener`, which must never block. Every
connection has a generation number, so that nothing of an old connection is taken for news of the new one. What was
missed between two connections is the listener's to find out. Only another engine under the same name ends the stream:
it is never fought for.
"""

import asyncio
import json
import logging
import random
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Final, Never, Protocol

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from config.groups import AriSettings
from core.ari_fields import ModelError, UnknownEvent
from core.ari_models import ApplicationReplaced, Event, parse_event
from core.ari_transport.sockets import closing_words, open_ari_socket
from core.backoff import backoff
from core.clock import Clock
from core.errors import ApplicationTaken, AriError, AriRefused, AriUnreachable
from core.logs import log_event

log = logging.getLogger(__name__)

Connect = Callable[[], AbstractAsyncContextManager[AsyncIterator[str | bytes]]]
"""Opens one connection and yields its frames. Raises AriError or OSError; the frames end, or raise the same."""

FIRST_DELAY_S: Final = 0.25
STABLE_S: Final = 10.0
"""A connection that lived this long, or brought an event, was a good one: the next delays start small again."""

FRAMES_BEFORE_YIELD: Final = 64
SAMPLE_CHARS: Final = 200


class Listener(Protocol):
    """Who hears the events. The three methods return at once; what they raise ends the stream."""

    def connected(self, generation: int) -> None:
        """A connection is open; events of this generation follow."""
        ...

    def event(self, generation: int, event: Event | UnknownEvent) -> None:
        """One event."""
        ...

    def disconnected(self, generation: int, reason: str) -> None:
        """The connection is gone. From here on time is unknown, not quiet."""
        ...


@dataclass(slots=True)
class StreamCounts:
    """What passed, since the start."""

    connections: int = 0
    failed_connections: int = 0
    events: int = 0
    not_json: int = 0
    not_object: int = 0
    misfits: int = 0
    """Objects of a known type that do not fit its model."""
    samples: dict[str, str] = field(default_factory=dict)
    """The first frame of each kind that was not understood, cut short. May hold a telephone number."""


@dataclass(frozen=True, slots=True)
class Retry:
    """Worth another try. `slow` asks for the longest wait: a person has to mend something first."""

    slow: bool = False


@dataclass(frozen=True, slots=True)
class GiveUp:
    """No use in trying again by itself."""


def classify_failure(problem: Exception, *, has_connected: bool) -> Retry | GiveUp:
    """Say what to do about a connection that could not be opened.

    A refusal of the kind 4xx is somebody's mistake, and before the first connection it is told at once. Afterwards it
    worked once already, so the mistake may be mended while we wait. Everything else is the network's weather, and so is
    a 404: an Asterisk that is still loading has a server before it has ARI.
    """
    if not isinstance(problem, AriRefused) or problem.status == 404:
        return Retry()
    if problem.status < 500 and not has_connected:
        return GiveUp()
    return Retry(slow=True)


class EventStream:
    """Events of one application, for ever."""

    def __init__(
        self,
        connect: Connect,
        *,
        clock: Clock,
        rng: random.Random,
        reconnect_max_s: float = 2.5,
        counts: StreamCounts | None = None,
    ) -> None:
        self.counts = counts or StreamCounts()
        self._connect = connect
        self._clock = clock
        self._rng = rng
        self._cap_s = max(reconnect_max_s, FIRST_DELAY_S)

    async def run(self, listener: Listener) -> Never:
        """Connect, listen, reconnect, until cancelled.

        Raises ApplicationTaken when another engine took the application, AriRefused when the first connection is refused
        with a status below 500 (AriUnauthorized for 401 and 403), and whatever the listener raises.
        """
        generation = 0
        delays = self._delays()
        said = ""
        while True:
            slow = False
            async with AsyncExitStack() as connection:
                try:
                    frames = await connection.enter_async_context(self._connect())
                except (AriError, OSError) as problem:
                    self.counts.failed_connections += 1
                    verdict = classify_failure(problem, has_connected=generation > 0)
                    if isinstance(verdict, GiveUp):
                        raise
                    slow = verdict.slow
                    if str(problem) != said:
                        said = str(problem)
                        log_event(log, logging.WARNING, "ari_events_unreachable", reason=said)
                else:
                    generation += 1
                    self.counts.connections += 1
                    began, heard = self._clock.now(), self.counts.events
                    log_event(log, logging.INFO, "ari_events_connected", generation=generation)
                    listener.connected(generation)
                    reason = await self._listen(frames, generation, listener)
                    listener.disconnected(generation, reason)
                    log_event(log, logging.WARNING, "ari_events_lost", generation=generation, reason=reason)
                    said = ""
                    if self._clock.now() - began >= STABLE_S or self.counts.events > heard:
                        delays = self._delays()
            delay_s = next(delays)
            await asyncio.sleep(max(delay_s, self._cap_s / 2) if slow else delay_s)

    async def _listen(self, frames: AsyncIterator[str | bytes], generation: int, listener: Listener) -> str:
        """Hand over events until the connection ends, and say why it ended."""
        since_yield = 0
        while True:
            try:
                frame = await anext(frames)
            except StopAsyncIteration:
                return "closed"
            except (AriError, OSError) as problem:
                return str(problem) or type(problem).__name__
            event = self._understood(frame)
            if isinstance(event, ApplicationReplaced):
                reason = f"another engine took over the application {event.application!r}"
                listener.disconnected(generation, reason)
                raise ApplicationTaken(reason)
            if event is not None:
                self.counts.events += 1
                listener.event(generation, event)
            since_yield += 1
            if since_yield == FRAMES_BEFORE_YIELD:  # a full buffer never pauses by itself
                since_yield = 0
                await asyncio.sleep(0)

    def _understood(self, frame: str | bytes) -> Event | UnknownEvent | None:
        """The event in a frame; None, counted, when there is none."""
        try:
            data = json.loads(frame)
        except (ValueError, RecursionError):
            self.counts.not_json += 1
            self._keep_sample("not_json", frame)
            return None
        if not isinstance(data, dict):
            self.counts.not_object += 1
            self._keep_sample("not_object", frame)
            return None
        try:
            return parse_event(data)
        except ModelError as problem:
            self.counts.misfits += 1
            self._keep_sample(f"{problem.model}.{problem.field}", frame)
            return None

    def _keep_sample(self, kind: str, frame: str | bytes) -> None:
        if kind in self.counts.samples:
            return
        text = frame if isinstance(frame, str) else frame[: 4 * SAMPLE_CHARS].decode("utf-8", "replace")
        sample = self.counts.samples[kind] = text[:SAMPLE_CHARS]
        log_event(log, logging.WARNING, "ari_frame_not_understood", kind=kind, pii_sample=sample)

    def _delays(self) -> Iterator[float]:
        return backoff(FIRST_DELAY_S, self._cap_s, self._rng)


def websocket_connector(settings: AriSettings) -> Connect:
    """Connections to the Asterisk of these settings, under its application name."""

    @asynccontextmanager
    async def connect() -> AsyncIterator[AsyncIterator[str | bytes]]:
        async with open_ari_socket(settings, settings.app_name) as socket:
            yield _Frames(socket)

    return connect


class _Frames:
    """The frames of a websocket; ends with AriUnreachable and the reason."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket

    def __aiter__(self) -> "_Frames":
        return self

    async def __anext__(self) -> str | bytes:
        try:
            return await self._socket.recv()
        except ConnectionClosed as problem:
            raise AriUnreachable(closing_words(problem)) from problem
