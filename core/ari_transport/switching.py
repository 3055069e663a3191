"""The transport the engine uses: websockets first, HTTP where they are missing.

A request goes over the pool while any of its sockets is up, otherwise over HTTP. What was sent is never sent again by
another way: AriNoAnswer goes to the caller, who asks before repeating. A full socket is no reason for HTTP either.
"""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from config.groups import AriSettings, AriTransport
from core.ari_transport.http import HttpTransport
from core.ari_transport.pool import WebSocketPool
from core.ari_transport.seam import Request, Response, Transport
from core.errors import AriUnreachable
from core.http import HttpClient, HttpTimeout

MAX_HTTP_CONNECTIONS: Final = 20
"""Asterisk's `sessionlimit` is 100 by default, and websockets count too."""


class SwitchingTransport:
    """Chooses the way for each request by the operator's policy and by what is up."""

    def __init__(self, http: Transport, pool: WebSocketPool | None, policy: AriTransport = "auto") -> None:
        if pool is None and policy == "websocket":
            raise ValueError("policy websocket needs a pool")
        self.pool = pool
        self._http = http
        self._policy = policy
        self._over_http: dict[str, int] = {}

    async def send(self, request: Request, *, timeout_s: float) -> Response:
        """Send one request. See `Transport.send`."""
        pool = self.pool
        if pool is None or self._policy == "http":
            return await self._http.send(request, timeout_s=timeout_s)
        if self._policy == "websocket":
            return await pool.send(request, timeout_s=timeout_s)
        if not (self._over_http and request.affinity in self._over_http):
            socket = pool.pick(request.affinity)
            if socket is not None:
                try:
                    return await pool.send_over(socket, request, timeout_s=timeout_s)
                except AriUnreachable:
                    if socket.is_up:
                        raise  # it is full, which another way to the same Asterisk does not mend
        return await self._send_over_http(request, timeout_s)

    async def download(self, request: Request, *, timeout_s: float) -> bytes:
        """Fetch a binary body, over HTTP whatever the policy: websockets carry none."""
        return await self._http.download(request, timeout_s=timeout_s)

    def reset(self) -> None:
        """After the event stream reconnected: what this Asterisk can do may have changed."""
        if self.pool is not None:
            self.pool.reset()

    async def _send_over_http(self, request: Request, timeout_s: float) -> Response:
        """Send over HTTP, and remember the affinity meanwhile: a pool that comes up must not overtake."""
        affinity = request.affinity
        if not affinity:
            return await self._http.send(request, timeout_s=timeout_s)
        self._over_http[affinity] = self._over_http.get(affinity, 0) + 1
        try:
            return await self._http.send(request, timeout_s=timeout_s)
        finally:
            self._over_http[affinity] -= 1
            if self._over_http[affinity] == 0:
                del self._over_http[affinity]


@asynccontextmanager
async def open_transport(settings: AriSettings, *, rng: random.Random) -> AsyncIterator[SwitchingTransport]:
    """The transport for these settings, opened; its pool, if any, is connecting. `pool.settle` waits for it."""
    timeout = HttpTimeout(connect_s=min(3.0, settings.timeout_s), pool_s=settings.timeout_s)
    async with HttpClient(
        settings.base_url,
        username=settings.username,
        password=settings.password.reveal(),
        max_connections=MAX_HTTP_CONNECTIONS,
        timeout=timeout,
    ) as client:
        http = HttpTransport(client)
        if settings.transport == "http":
            yield SwitchingTransport(http, None, "http")
            return
        async with WebSocketPool(settings, rng=rng) as pool:
            yield SwitchingTransport(http, pool, settings.transport)
