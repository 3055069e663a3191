"""An emulated Asterisk without sockets: a `Transport` and streams of text frames, for tests on virtual time.

`MemoryLink` owns the task that gives the emulator its time. Requests take effect after half their latency and are
answered after the other half; requests of one affinity are served in order. A reader who lets frames pile up is cut
off, as a real Asterisk's write timeout would.
"""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Final, Self
from weakref import WeakValueDictionary

from core.ari_transport.seam import Request, Response
from core.clock import Clock
from core.errors import AriNoAnswer, AriUnreachable, refusal
from integrations.emulator.core import Emulator, SocketId
from integrations.emulator.driver import Driver
from integrations.emulator.faults import Faults, RequestFault, RequestTrouble
from integrations.emulator.replies import Reply
from integrations.emulator.world import Event

FRAMES_KEPT: Final = 10_000


class EventStreamClosed(ConnectionError):
    """The event stream is over: Asterisk closed it, died, or cut a slow reader off."""


class EventFrames:
    """The text frames of one event socket, in the order they arrive."""

    def __init__(self, faults: Faults | None) -> None:
        self._faults = faults
        self._frames: asyncio.Queue[str | None] = asyncio.Queue(maxsize=FRAMES_KEPT)
        self._loop = asyncio.get_running_loop()
        self._closed = False
        self.cut_off: Callable[[], None] | None = None  # tells Asterisk's side when the reader was too slow

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str:
        frame = await self._frames.get() if not (self._closed and self._frames.empty()) else None
        if frame is None:
            raise EventStreamClosed("the event stream is closed")
        return frame

    def arrives(self, event: Event | None) -> None:
        """The emulator's sink: an event was sent, or None: the socket is closed."""
        if event is None:
            self.close()
            return
        delays = [0.0] if self._faults is None else self._faults.frame(str(event["type"]))
        if not delays:
            return
        text = json.dumps(event, separators=(",", ":"))
        for delay_s in delays:
            if delay_s > 0:
                self._loop.call_later(delay_s, self._put, text)
            else:
                self._put(text)

    def close(self) -> None:
        """No more frames; those that arrived can still be read."""
        if not self._closed:
            self._closed = True
            if not self._frames.full():
                self._frames.put_nowait(None)

    def _put(self, text: str) -> None:
        if self._closed:
            return
        if self._frames.full():
            self.close()
            if self.cut_off is not None:
                self._loop.call_soon(self.cut_off)  # not now: the emulator may be in the middle of something
        else:
            self._frames.put_nowait(text)


class MemoryTransport:
    """A way to the emulator for requests. Satisfies `core.ari_transport.seam.Transport`."""

    def __init__(
        self,
        emulator: Emulator,
        clock: Clock,
        *,
        latency_s: tuple[float, float] = (0.0, 0.0),
        rng: random.Random | None = None,
        faults: Faults | None = None,
    ) -> None:
        self._emulator = emulator
        self._clock = clock
        self._latency_s = latency_s
        self._rng = rng or random.Random(0)
        self._faults = faults
        self._in_order: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def send(self, request: Request, *, timeout_s: float) -> Response:
        """Send one request and return the answer, whatever its status."""
        reply = await self._serve(request, timeout_s)
        return Response(reply.status, reply.body)

    async def download(self, request: Request, *, timeout_s: float) -> bytes:
        """Fetch a binary body."""
        reply = await self._serve(request, timeout_s)
        if reply.status >= 400 or reply.data is None:
            raise refusal(reply.status, _reason(reply), request=str(request))
        return reply.data

    async def _serve(self, request: Request, timeout_s: float) -> Reply:
        fault = None if self._faults is None else self._faults.request(request)
        if not self._emulator.is_up or (fault is not None and fault.trouble is RequestTrouble.UNREACHABLE):
            raise AriUnreachable("no emulated Asterisk there", request=str(request))
        try:
            async with asyncio.timeout(timeout_s):
                if not request.affinity:
                    return await self._carry(request, fault)
                lock = self._in_order.setdefault(request.affinity, asyncio.Lock())
                async with lock:
                    return await self._carry(request, fault)
        except TimeoutError as error:
            raise AriNoAnswer(f"no answer within {timeout_s:g} s", request=str(request)) from error

    async def _carry(self, request: Request, fault: RequestFault | None) -> Reply:
        await self._travel()
        trouble = None if fault is None else fault.trouble
        if fault is not None and trouble is RequestTrouble.REFUSED:
            return Reply(fault.status, {"message": "refused by a fault"})
        if trouble is RequestTrouble.LOST:
            await asyncio.Event().wait()
        if not self._emulator.is_up:
            raise AriNoAnswer("Asterisk died meanwhile", request=str(request))
        reply = self._emulator.request(
            request.method, request.path, request.query, request.body, self._clock.now()
        )
        if trouble is RequestTrouble.HANGS:
            await asyncio.Event().wait()
        if trouble is RequestTrouble.BREAKS:
            raise AriNoAnswer("the connection broke", request=str(request))
        await self._travel()
        return reply

    async def _travel(self) -> None:
        least, most = self._latency_s
        if most > 0:
            await asyncio.sleep(self._rng.uniform(least, most) / 2)


class MemoryLink:
    """Everything between an engine and an emulator, in one process. Use it as `async with`."""

    def __init__(
        self,
        emulator: Emulator,
        clock: Clock,
        *,
        latency_s: tuple[float, float] = (0.0, 0.0),
        rng: random.Random | None = None,
        faults: Faults | None = None,
    ) -> None:
        self.emulator = emulator
        self.clock = clock
        self.faults = faults
        self.transport = MemoryTransport(emulator, clock, latency_s=latency_s, rng=rng, faults=faults)
        self._tasks = asyncio.TaskGroup()
        self._driving: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        self._driving = self._tasks.create_task(
            Driver(self.emulator, self.clock).run(), name="emulated asterisk"
        )
        return self

    async def __aexit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        if self._driving is not None:
            self._driving.cancel()
        await self._tasks.__aexit__(None, None, None)  # what the body raised goes on as it is, in no group

    @asynccontextmanager
    async def open_events(self, app: str, *, subscribe_all: bool = False) -> AsyncIterator[EventFrames]:
        """An event socket for an application: text frames, until EventStreamClosed.

        Raises AriUnreachable while Asterisk is down.
        """
        if not self.emulator.is_up:
            raise AriUnreachable("no emulated Asterisk there", request="GET events")
        frames = EventFrames(self.faults)
        socket_id = self.connect(app, frames, subscribe_all=subscribe_all)
        try:
            yield frames
        finally:
            frames.close()
            self.emulator.disconnect(socket_id, self.clock.now())

    def connect(self, app: str, frames: EventFrames, *, subscribe_all: bool = False) -> SocketId:
        """Let an application's events arrive at these frames."""
        socket_id = self.emulator.connect(app, self.clock.now(), frames.arrives, subscribe_all=subscribe_all)
        frames.cut_off = lambda: self.emulator.close_socket(socket_id, self.clock.now())
        return socket_id


def _reason(reply: Reply) -> str:
    if isinstance(reply.body, dict):
        return str(reply.body.get("message") or reply.body.get("error") or "")
    return ""
