"""Servers of a few lines, for the ways to Asterisk: they answer, refuse, stall, drop and talk nonsense as told."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request as Upgrade
from websockets.http11 import Response as UpgradeResponse

from config.groups import AriSettings, Secret

PONG = {"ping": "pong", "timestamp": "2026-01-01T00:00:00.000+0000", "asterisk_id": "test"}


def ari_settings(**changes: Any) -> AriSettings:
    """Settings for a test; nothing listens where they point."""
    plain: dict[str, Any] = {
        "app_name": "tr",
        "engine_name": "tr",
        "username": "lk",
        "password": Secret("lkpass"),
        "base_url": "http://127.0.0.1:9/ari",
        "ws_url": "ws://127.0.0.1:9/ari/events",
    }
    return AriSettings(**(plain | changes))


async def until(condition: Callable[[], object], timeout_s: float = 5.0) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.005)


@dataclass(frozen=True)
class Asked:
    """A request as it came over a websocket."""

    app: str
    frame: dict[str, Any]

    @property
    def path(self) -> str:
        return str(self.frame["uri"])

    @property
    def call(self) -> str:
        return str(self.frame["transaction_id"])


@dataclass
class WsAsterisk:
    """REST over websockets, one request after another on each. Set the fields to make it behave otherwise."""

    port: int = 0
    speaks_rest: bool = True
    refuses_upgrade: int = 0
    replies: dict[str, tuple[int, object]] = field(default_factory=dict)
    silent_on: set[str] = field(default_factory=set)
    drops_on: set[str] = field(default_factory=set)
    delay_s: dict[str, float] = field(default_factory=dict)
    closes_at_once: bool = False
    asked: list[Asked] = field(default_factory=list)
    connections: list[ServerConnection] = field(default_factory=list)
    apps: list[str] = field(default_factory=list)
    upgrades: list[Upgrade] = field(default_factory=list)

    @property
    def settings(self) -> AriSettings:
        return ari_settings(ws_url=f"ws://127.0.0.1:{self.port}/ari/events")

    @property
    def open_now(self) -> int:
        return len(self.connections)

    def asked_paths(self) -> list[str]:
        """What came besides the first pings."""
        return [asked.path for asked in self.asked if asked.path != "asterisk/ping"]

    async def say(self, connection: ServerConnection, request_id: str, status: int, body: object) -> None:
        """Send one answer."""
        frame: dict[str, object] = {"type": "RESTResponse", "request_id": request_id, "status_code": status}
        if body is not None:
            frame["message_body"] = body if isinstance(body, str) else json.dumps(body)
        await connection.send(json.dumps(frame))

    async def talk(self, connection: ServerConnection) -> None:
        """Serve one socket."""
        assert connection.request is not None
        self.upgrades.append(connection.request)
        app = parse_qs(urlsplit(connection.request.path).query)["app"][0]
        self.apps.append(app)
        self.connections.append(connection)
        try:
            if self.closes_at_once:
                return
            async for text in connection:
                frame = json.loads(text)
                asked = Asked(app, frame)
                self.asked.append(asked)
                if asked.path in self.drops_on:
                    connection.transport.abort()
                    return
                if not self.speaks_rest or asked.path in self.silent_on:
                    continue
                await asyncio.sleep(self.delay_s.get(asked.path, 0))
                status, body = self.replies.get(asked.path, (200, PONG))
                await self.say(connection, frame["request_id"], status, body)
        except ConnectionClosed:
            pass
        finally:
            self.connections.remove(connection)

    def begin_closing(self, app: str) -> None:
        """Say goodbye to one socket, and leave the connection open: nothing more is read from it."""
        connection = self.connections[self.apps.index(app)]
        connection.transport.pause_reading()
        connection.transport.write(b"\x88\x02\x03\xe9")  # a close frame, 1001

    def refuse(self, connection: ServerConnection, _request: Upgrade) -> UpgradeResponse | None:
        """Answer the upgrade with a status, when told to."""
        if self.refuses_upgrade:
            return connection.respond(self.refuses_upgrade, "no\n")
        return None


@asynccontextmanager
async def serving(asterisk: WsAsterisk) -> AsyncIterator[WsAsterisk]:
    """Let it listen, on its port or on a free one."""
    async with serve(
        asterisk.talk,
        "127.0.0.1",
        asterisk.port,
        process_request=asterisk.refuse,
        close_timeout=0.2,
        ping_interval=None,
    ) as server:
        asterisk.port = next(iter(server.sockets)).getsockname()[1]
        yield asterisk


def ws_asterisk(**behaviour: Any) -> AbstractAsyncContextManager[WsAsterisk]:
    """A running one."""
    return serving(WsAsterisk(**behaviour))


@dataclass(frozen=True)
class Heard:
    """An HTTP request."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


HttpHandler = Callable[[Heard, asyncio.StreamWriter], Awaitable[None]]


def http_answer(
    status: int, content: bytes = b"", content_type: str = "application/json", extra: str = ""
) -> bytes:
    """The bytes of an answer."""
    head = f"HTTP/1.1 {status} Whatever\r\nContent-Length: {len(content)}\r\nContent-Type: {content_type}\r\n{extra}\r\n"
    return head.encode() + content


def json_answer(status: int, body: object) -> bytes:
    """The bytes of a JSON answer."""
    return http_answer(status, json.dumps(body).encode())


class HttpServer:
    """A raw HTTP responder; the handler writes what it likes, and closes the writer to break the connection."""

    def __init__(self, handler: HttpHandler) -> None:
        self.handler = handler
        self.port = 0
        self.heard: list[Heard] = []
        self.connections = 0
        self.open_now = 0
        self.open_at_most = 0
        self._group = asyncio.TaskGroup()
        self._tasks: list[asyncio.Task[None]] = []
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await self._group.__aexit__(None, None, None)  # what the test raised leaves as it is

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._tasks.append(self._group.create_task(self._serve(reader, writer)))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open_now += 1
        self.open_at_most = max(self.open_at_most, self.open_now)
        try:
            while not writer.is_closing():
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                method, target, _ = head.split("\r\n")[0].split(" ")
                headers = {k.lower(): v for k, v in re.findall(r"^([\w-]+): *(.*?)\r$", head, re.MULTILINE)}
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                heard = Heard(method, target, headers, body)
                self.heard.append(heard)
                await self.handler(heard, writer)
                await writer.drain()
                if headers.get("connection") == "close":
                    return
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            self.open_now -= 1
            writer.close()


def always(answer: bytes) -> HttpHandler:
    """The same answer to everything."""

    async def handler(_heard: Heard, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)

    return handler
