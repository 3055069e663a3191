"""The emulated Asterisk behind real sockets: ARI over HTTP and websocket on one port of the loopback.

Only carries: bytes to requests, answers to bytes, events to frames. `rest_over_websocket=False` is an older Asterisk,
which ignores what is sent to it on the event socket.
"""

import asyncio
import base64
import binascii
import hmac
import json
import socket
from collections.abc import Generator
from contextlib import contextmanager
from datetime import timedelta
from types import TracebackType
from typing import Final, Self
from urllib.parse import parse_qs, parse_qsl, unquote

import uvicorn
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from core.clock import Clock
from integrations.emulator import rest_frames
from integrations.emulator.core import Emulator, SocketId
from integrations.emulator.driver import Driver
from integrations.emulator.replies import Reply, refuse
from integrations.emulator.world import Event

ROOT: Final = "/ari/"
MOST_BODY: Final = 40_960  # Asterisk's MAX_CONTENT_LENGTH
FRAMES_KEPT: Final = 10_000
_GOING_AWAY: Final = 1001


class _Quiet(uvicorn.Server):
    """Signals belong to whoever started us."""

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


class EmulatorServer:
    """ARI on `base_url` and `ws_url`. Use it as `async with`; port 0 takes a free one."""

    def __init__(
        self,
        emulator: Emulator,
        clock: Clock,
        username: str,
        password: str,
        port: int = 0,
        *,
        host: str = "127.0.0.1",
        rest_over_websocket: bool = True,
    ) -> None:
        self.emulator = emulator
        self._clock = clock
        self._login = f"{username}:{password}"
        self._host, self._wanted_port = host, port
        self._rest_over_websocket = rest_over_websocket
        self._tasks = asyncio.TaskGroup()
        self._driving: asyncio.Task[None] | None = None
        self._queues: set[asyncio.Queue[Event | None]] = set()
        self._server: uvicorn.Server | None = None
        self._listener: socket.socket | None = None
        self.port = 0

    @property
    def base_url(self) -> str:
        """Where REST is, without a slash at the end."""
        return f"http://{self._host}:{self.port}/ari"

    @property
    def ws_url(self) -> str:
        """Where events are."""
        return f"ws://{self._host}:{self.port}/ari/events"

    async def __aenter__(self) -> Self:
        listener = self._listener = socket.create_server((self._host, self._wanted_port))
        self.port = listener.getsockname()[1]
        self.emulator.set_epoch(self._clock.wall() - timedelta(seconds=self._clock.now()))
        config = uvicorn.Config(
            self._serve,
            log_config=None,
            access_log=False,
            lifespan="off",
            interface="asgi3",
            proxy_headers=False,
            ws="websockets-sansio",
            ws_max_size=1 << 20,
            timeout_graceful_shutdown=2,
        )
        self._server = _Quiet(config)
        await self._tasks.__aenter__()
        self._tasks.create_task(self._server.serve(sockets=[listener]), name="emulator server")
        self._driving = self._tasks.create_task(
            Driver(self.emulator, self._clock).run(), name="emulated asterisk"
        )
        return self

    async def __aexit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        for queue in self._queues:
            _close(queue)
        if self._server is not None:
            self._server.should_exit = True
        if self._driving is not None:
            self._driving.cancel()
        await self._tasks.__aexit__(None, None, None)  # what the body raised goes on as it is, in no group
        if self._listener is not None:
            self._listener.close()

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self._events(WebSocket(scope, receive, send))
        else:
            await (await self._rest(Request(scope, receive)))(scope, receive, send)

    # ---- REST

    async def _rest(self, request: Request) -> Response:
        raw = request.scope["raw_path"].decode("ascii")
        if not raw.startswith(ROOT):
            return Response("Not Found", 404, media_type="text/plain")
        if not self._may(request):
            return _render(
                refuse(401, "Authentication required"),
                {"WWW-Authenticate": 'Basic realm="Asterisk REST Interface"'},
            )
        if not self.emulator.is_up:
            return _render(refuse(503, "Shutdown pending"))
        content = await request.body()
        if len(content) > MOST_BODY:
            return _render(refuse(413, "Request body too large"))
        query = dict(parse_qsl(request.url.query, keep_blank_values=True))
        query.pop("api_key", None)
        kind = request.headers.get("content-type", "").partition(";")[0].strip()
        body: object = None
        if kind == "application/x-www-form-urlencoded":
            query |= dict(parse_qsl(content.decode(errors="replace"), keep_blank_values=True))
        elif kind == "application/json" and content:
            try:
                body = json.loads(content)
            except ValueError:
                return _render(refuse(400, "Error parsing request body"))
        client = request.client
        connection = "" if client is None else f"http {client.host}:{client.port}"
        return _render(
            self.emulator.request(
                request.method, raw[len(ROOT) :], query, body, self._clock.now(), connection=connection
            )
        )

    def _may(self, request: HTTPConnection) -> bool:
        given = ""
        scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "basic":
            try:
                given = base64.b64decode(credentials, validate=True).decode()
            except (binascii.Error, UnicodeDecodeError):
                return False
        elif not scheme:
            given = unquote(parse_qs(request.url.query).get("api_key", [""])[0])
        return hmac.compare_digest(given.encode(), self._login.encode())

    # ---- events

    async def _events(self, websocket: WebSocket) -> None:
        apps = websocket.query_params.get("app", "")
        refusal = None
        if websocket.url.path != "/ari/events":
            refusal = refuse(404, "Resource not found")
        elif not self._may(websocket):
            refusal = refuse(401, "Authentication required")
        elif not self.emulator.is_up:
            refusal = refuse(503, "Shutdown pending")
        elif not apps:
            refusal = refuse(400, "HTTP request is missing param: [app]")
        if refusal is not None:
            await websocket.send_denial_response(_render(refusal))
            return
        await websocket.accept()
        queue: asyncio.Queue[Event | None] = asyncio.Queue(FRAMES_KEPT)

        def sink(event: Event | None) -> None:
            if event is None or queue.full():
                _close(queue)
            else:
                queue.put_nowait(event)

        everything = websocket.query_params.get("subscribeAll", "") == "true"
        socket_id = self.emulator.connect(apps, self._clock.now(), sink, subscribe_all=everything)
        self._queues.add(queue)
        try:
            async with asyncio.TaskGroup() as both:
                reading = both.create_task(self._read(websocket, socket_id), name="emulator socket reader")
                await _write(websocket, queue, reading)
        finally:
            self._queues.discard(queue)
            self.emulator.disconnect(socket_id, self._clock.now())

    async def _read(self, websocket: WebSocket, socket_id: SocketId) -> None:
        try:
            while True:
                text = await websocket.receive_text()
                if self._rest_over_websocket:
                    rest_frames.serve(self.emulator, socket_id, text, self._clock.now())
        except WebSocketDisconnect:
            pass


async def _write(
    websocket: WebSocket, queue: asyncio.Queue[Event | None], reading: asyncio.Task[None]
) -> None:
    """Events out, until the reader saw the end or the emulator closed the socket."""
    reading.add_done_callback(lambda _: _close(queue))
    while (event := await queue.get()) is not None:
        try:
            await websocket.send_text(json.dumps(event, separators=(",", ":")))
        except (WebSocketDisconnect, RuntimeError):
            break  # the client is gone
    if not reading.done():
        reading.cancel()
        try:
            await websocket.close(_GOING_AWAY)
        except (WebSocketDisconnect, RuntimeError):
            pass  # it was gone already


def _close(queue: asyncio.Queue[Event | None]) -> None:
    """The end of a socket's events. A full queue loses its oldest event to make room for the news."""
    if queue.full():
        queue.get_nowait()
    queue.put_nowait(None)


def _render(reply: Reply, headers: dict[str, str] | None = None) -> Response:
    if reply.data is not None:
        return Response(reply.data, reply.status, headers, "audio/wav")
    if reply.body is None:
        return Response(status_code=reply.status, headers=headers)
    return Response(json.dumps(reply.body, separators=(",", ":")), reply.status, headers, "application/json")
