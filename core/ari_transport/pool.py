"""A small pool of REST websockets, each under an application name of its own (`{app}-rest0`, `{app}-rest1`, ...).

One socket is served one request after another, so several carry more than one. Requests with the same affinity stay on
one socket while it lives, and so stay in order. The pool owns the tasks that hold the sockets and reconnect them.

It finds out by trying whether Asterisk answers on websockets. When not, it says so once and rests: one socket tries
again every minute, and at `reset()`. Where the settings allow no other way it never rests, and tries without hurry.
"""

import asyncio
import logging
import random
import zlib
from collections.abc import Iterator
from functools import partial
from types import TracebackType
from typing import Final, Self

from config.groups import AriSettings
from core.ari_transport.seam import Request, Response
from core.ari_transport.sockets import open_ari_socket
from core.ari_transport.websocket import NoRest, OpenSocket, RestCounts, RestSocket
from core.backoff import backoff
from core.errors import AriError, AriUnreachable
from core.logs import log_event

log = logging.getLogger(__name__)

MAX_IN_FLIGHT: Final = 1000
FIRST_DELAY_S: Final = 0.2
TRY_AGAIN_S: Final = 60.0
"""How long a resting pool waits for its next try: a single ping may be late, and an Asterisk may be upgraded."""
STABLE_S: Final = 10.0
"""A connection that lived this long, or answered somebody, was a good one: the next delays start small again."""


class _Home:
    """The socket on which an affinity has requests under way, and how many."""

    __slots__ = ("requests", "socket")

    def __init__(self, socket: RestSocket) -> None:
        self.socket = socket
        self.requests = 0


class WebSocketPool:
    """REST over websockets. Use it as `async with WebSocketPool(settings, rng=rng) as pool`."""

    def __init__(
        self,
        settings: AriSettings,
        *,
        rng: random.Random,
        open_socket: OpenSocket | None = None,
        max_in_flight: int = MAX_IN_FLIGHT,
    ) -> None:
        self.counts = RestCounts()
        self._app = settings.app_name
        self._size = settings.rest_sockets
        self._may_rest = settings.transport != "websocket"
        self._cap_s = settings.reconnect_max_s
        self._open_socket = open_socket or partial(open_ari_socket, settings)
        self._max_in_flight = max_in_flight
        self._rng = rng
        self._group = asyncio.TaskGroup()
        self._keepers: dict[int, asyncio.Task[None]] = {}
        self._sockets: dict[int, RestSocket] = {}
        self._homes: dict[str, _Home] = {}
        self._changed = asyncio.Event()
        self._woken = asyncio.Event()
        self._is_proven = False
        self._why_silent = ""

    @property
    def is_up(self) -> bool:
        """Whether any socket takes work."""
        return any(socket.is_up for socket in self._sockets.values())

    @property
    def is_resting(self) -> bool:
        """Whether this Asterisk seems not to speak REST on websockets, and is asked only now and then."""
        return self._may_rest and bool(self._why_silent)

    @property
    def sockets_up(self) -> int:
        """How many sockets take work."""
        return sum(socket.is_up for socket in self._sockets.values())

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        self._start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for keeper in self._keepers.values():
            keeper.cancel()
        if isinstance(problem, asyncio.CancelledError):
            await self._group.__aexit__(kind, problem, trace)
        else:  # what the body raised leaves as it is, not wrapped into a group
            await self._group.__aexit__(None, None, None)

    async def settle(self, timeout_s: float) -> bool:
        """Wait until all sockets are up, or the pool rests, or time is up: is any socket up?"""
        try:
            async with asyncio.timeout(timeout_s):
                while self.sockets_up < self._size and not self.is_resting:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            pass  # the answer below says what came of it
        return self.is_up

    def reset(self) -> None:
        """Another Asterisk may answer now: try again at once, and believe a socket that stays silent."""
        self._is_proven = self.is_up
        if self._why_silent:
            self._why_silent = ""
            self._woken.set()
            self._woken = asyncio.Event()
            self._start()

    def pick(self, affinity: str) -> RestSocket | None:
        """The socket that will carry the next request of this affinity; None when all are down."""
        if affinity:
            home = self._homes.get(affinity)
            if home is not None and home.socket.is_open:
                return home.socket
            first = zlib.crc32(affinity.encode("utf-8", "replace"))
            size = len(self._sockets)
            for n in range(first, first + size):
                socket = self._sockets[n % size]
                if socket.is_up:
                    return socket
            return None
        ready = [socket for socket in self._sockets.values() if socket.is_up]
        return min(ready, key=lambda socket: socket.in_flight, default=None)

    async def send(self, request: Request, *, timeout_s: float) -> Response:
        """Send one request. See `Transport.send`."""
        socket = self.pick(request.affinity)
        if socket is None:
            raise AriUnreachable(self.why_down(), request=str(request))
        return await self.send_over(socket, request, timeout_s=timeout_s)

    async def send_over(self, socket: RestSocket, request: Request, *, timeout_s: float) -> Response:
        """Send one request over the socket that `pick` named, and keep the affinity there meanwhile."""
        affinity = request.affinity
        if not affinity:
            return await socket.send(request, timeout_s=timeout_s)
        home = self._homes.get(affinity)
        if home is None or home.socket is not socket:
            home = self._homes[affinity] = _Home(socket)
        home.requests += 1
        try:
            return await socket.send(request, timeout_s=timeout_s)
        finally:
            home.requests -= 1
            if home.requests == 0 and self._homes.get(affinity) is home:
                del self._homes[affinity]

    def why_down(self) -> str:
        """A sentence for the operator when no socket is up."""
        return self._why_silent or f"none of {self._size} REST websockets to Asterisk is up"

    def _start(self) -> None:
        """Hold every socket that nobody holds."""
        for n in range(self._size):
            if n in self._keepers:
                continue
            socket = self._sockets[n] = RestSocket(
                f"{self._app}-rest{n}",
                self._open_socket,
                max_in_flight=self._max_in_flight,
                counts=self.counts,
            )
            self._keepers[n] = self._group.create_task(self._keep(n, socket), name=f"keep-{socket.app}")

    async def _keep(self, n: int, socket: RestSocket) -> None:
        """Hold one socket for ever: connect, serve, wait, connect again."""
        loop = asyncio.get_running_loop()
        delays = self._delays()
        slow = self._delays(slow=True)
        said = ""
        while True:
            began = loop.time()
            try:
                reason = await socket.live(self._came_up)
            except NoRest as problem:
                reason = str(problem)
                if not self._is_proven:
                    self._found_silent(reason)
                    if self._may_rest:
                        self._leave_alone(n)
                    delays = slow
                    said = reason  # for all sockets at once
            except AriError as problem:
                reason = str(problem)
            if not reason and socket.served:
                continue
            if self.is_resting:
                await self._pause(TRY_AGAIN_S)
                continue
            if reason != said:
                log_event(log, logging.WARNING, "ari_rest_socket_down", app=socket.app, reason=reason)
                said = reason
            if loop.time() - began >= STABLE_S or socket.served:
                delays = self._delays()
                said = ""
            await self._pause(next(delays))

    def _came_up(self) -> None:
        self._is_proven = True
        self._why_silent = ""
        self._start()
        self._changed.set()

    def _found_silent(self, reason: str) -> None:
        """Remember why, and say it once."""
        if not self._why_silent:
            log_event(log, logging.WARNING, "ari_rest_over_websocket_unsupported", reason=reason)
        self._why_silent = f"this Asterisk does not answer REST on websockets ({reason})"

    def _leave_alone(self, n: int) -> None:
        """Begin to rest: this one socket is enough to try with."""
        for other in [other for other in self._keepers if other != n]:
            self._keepers.pop(other).cancel()
        self._changed.set()

    async def _pause(self, seconds: float) -> None:
        """Wait, unless `reset` wakes us."""
        woken = self._woken
        try:
            async with asyncio.timeout(seconds):
                await woken.wait()
        except TimeoutError:
            pass

    def _delays(self, *, slow: bool = False) -> Iterator[float]:
        cap_s = max(self._cap_s, FIRST_DELAY_S)
        return backoff(cap_s if slow else FIRST_DELAY_S, cap_s, self._rng)
