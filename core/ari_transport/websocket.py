"""ARI requests over one websocket: Asterisk answers REST on it since 20.14, 21.9 and 22.4.

A `RestSocket` has an application name of its own, because an event filter on the engine's application would swallow
the answers too. Asterisk serves the requests of one socket one after another. What was measured on 22.10.1:

- parameters travel unescaped in `query_strings`; a repeated name keeps only its last value, so lists are joined by commas;
- `message_body` is a JSON text, and an object in its place is ignored without a word;
- when both are given both count, and the body wins where they name the same parameter. We never name one in both;
- a frame of more than 65,535 bytes closes the socket with 1009;
- binary answers (recordings) are refused with 406.
"""

import asyncio
import json
import logging
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Final

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed
from websockets.protocol import State

from core.ari_transport.http import MAX_BODY_BYTES
from core.ari_transport.seam import Request, Response
from core.ari_transport.sockets import closing_words
from core.errors import AriNoAnswer, AriNonsense, AriUnreachable
from core.logs import log_event

log = logging.getLogger(__name__)

VIA: Final = "websocket"
PROBE_S: Final = 2.0
RETIRE_S: Final = 15.0
MAX_WS_FRAME_BYTES: Final = 65_535

OpenSocket = Callable[[str], AbstractAsyncContextManager[ClientConnection]]
"""Opens a websocket under an application name. Raises AriUnreachable or AriRefused."""

_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
_PROBE: Final = Request("GET", "asterisk/ping")


@dataclass(slots=True)
class RestCounts:
    """What passed over the sockets of one pool."""

    connections: int = 0
    sent: int = 0
    answered: int = 0
    late: int = 0
    """Answers to requests whose deadline had passed, or that nobody asked."""
    lost: int = 0
    """Requests that were under way when their socket broke."""
    odd: int = 0
    """Frames that are not JSON or not objects."""


_Found = Response | AriNonsense | AriNoAnswer
"""What comes of a request. Errors are handed over as values: a future nobody awaits any more must not complain."""


class NoRest(Exception):
    """The first request of a socket was not answered: this Asterisk does not speak REST on websockets."""


class RestSocket:
    """One websocket for requests. `live()` holds one connection; whoever calls it again reconnects."""

    def __init__(self, app: str, open_socket: OpenSocket, *, max_in_flight: int, counts: RestCounts) -> None:
        self.app = app
        self._open_socket = open_socket
        self._max_in_flight = max_in_flight
        self._counts = counts
        self._socket: ClientConnection | None = None
        self._is_up = False
        self._is_retiring = False
        self.served = 0
        """Requests answered on this connection, or on the last one; the first ping does not count."""
        self._last_id = 0  # never starts again, so that no answer of an earlier connection finds a new asker
        self._waiting: dict[str, asyncio.Future[_Found]] = {}
        self._sticking: set[str] = set()

    @property
    def is_up(self) -> bool:
        """Whether it takes new work."""
        return self.is_open and not self._is_retiring

    @property
    def is_open(self) -> bool:
        """Whether it still serves those who have work under way on it. After a goodbye nothing more is answered."""
        return self._is_up and self._socket is not None and self._socket.state is State.OPEN

    @property
    def in_flight(self) -> int:
        """How many requests are unanswered."""
        return len(self._waiting)

    async def live(self, came_up: Callable[[], None]) -> str:
        """Open, find out whether Asterisk answers, serve until the connection ends, and say why it ended.

        Nothing is said when the socket was given up by us because of a 409 that sticks: it may be opened again at once.
        Raises AriUnreachable or AriRefused when it does not open, and NoRest when the first request finds no answer.
        """
        self.served = 0
        async with self._open_socket(self.app) as socket:
            self._counts.connections += 1
            self._socket = socket
            reason = ""
            try:
                await self._prove(socket)
                self._is_up = True
                came_up()
                await self._serve(socket)
            except ConnectionClosed as problem:
                reason = closing_words(problem)
            finally:
                self._is_up = False
                self._is_retiring = False
                self._socket = None
                self._lose_waiting(reason or "given up with requests under way")
        return reason

    async def send(self, request: Request, *, timeout_s: float) -> Response:
        """Send one request. See `Transport.send`; what Asterisk would hang up on is refused here, as 413 or 400."""
        socket = self._socket
        if socket is None or not self.is_open:
            raise AriUnreachable(f"websocket {self.app} is down", request=str(request))
        if len(self._waiting) >= self._max_in_flight:
            raise AriUnreachable(
                f"{len(self._waiting)} requests wait on websocket {self.app}: Asterisk is too slow for this load",
                request=str(request),
            )
        self._last_id += 1
        request_id = str(self._last_id)
        frame = encoded(request, request_id)
        if isinstance(frame, Response):
            return frame
        answer = self._expect(request_id)
        if request.conflict_sticks:
            self._sticking.add(request_id)
        self._counts.sent += 1
        try:
            async with asyncio.timeout(timeout_s):
                await socket.send(frame, text=True)
                found = await answer
        except TimeoutError as late:
            raise AriNoAnswer(f"no answer within {timeout_s:g} s", request=str(request)) from late
        except ConnectionClosed as problem:  # it was open when we began: some of it may have left
            raise AriNoAnswer(closing_words(problem), request=str(request)) from problem
        finally:
            self._waiting.pop(request_id, None)
            self._sticking.discard(request_id)
        if isinstance(found, Response):
            return found
        raise type(found)(str(found), request=str(request))

    def _expect(self, request_id: str) -> asyncio.Future[_Found]:
        answer: asyncio.Future[_Found] = asyncio.get_running_loop().create_future()
        self._waiting[request_id] = answer
        return answer

    async def _prove(self, socket: ClientConnection) -> None:
        """Ask for a ping and read until it is answered."""
        self._last_id += 1
        request_id = str(self._last_id)
        frame = encoded(_PROBE, request_id)
        assert isinstance(frame, bytes), "a ping fits into any frame"
        answer = self._expect(request_id)
        try:
            async with asyncio.timeout(PROBE_S):
                await socket.send(frame, text=True)
                while not answer.done():
                    self._receive(await socket.recv())
        except TimeoutError as silence:
            raise NoRest(f"no answer to {_PROBE} on a websocket within {PROBE_S:g} s") from silence

    async def _serve(self, socket: ClientConnection) -> None:
        """Hand out answers until the connection breaks, or until it has been given up and nobody waits on it."""
        while not self._is_retiring:
            self._receive(await socket.recv())
        try:
            async with asyncio.timeout(RETIRE_S):
                while self._waiting:
                    self._receive(await socket.recv())
        except TimeoutError:
            log_event(
                log, logging.WARNING, "ari_rest_socket_retired", app=self.app, unanswered=self.in_flight
            )

    def _receive(self, frame: str | bytes) -> None:
        """One frame: an answer goes to who asked, events of the socket's own application to nobody."""
        try:
            data = json.loads(frame)
        except (ValueError, RecursionError):
            self._counts.odd += 1
            return
        if not isinstance(data, dict):
            self._counts.odd += 1
            return
        if data.get("type") != "RESTResponse":
            return
        request_id = data.get("request_id")
        answer = self._waiting.pop(request_id, None) if isinstance(request_id, str) else None
        if answer is None or answer.done():
            self._counts.late += 1
            return
        self._counts.answered += 1
        self.served += self._is_up
        found = _decoded(data)
        answer.set_result(found)
        if request_id in self._sticking and isinstance(found, Response) and found.status == 409:
            self._is_retiring = True

    def _lose_waiting(self, reason: str) -> None:
        waiting = list(self._waiting.values())
        self._waiting.clear()
        for answer in waiting:
            if not answer.done():
                self._counts.lost += 1
                answer.set_result(AriNoAnswer(reason))


def encoded(request: Request, request_id: str) -> bytes | Response:
    """The frame for a request, or the answer Asterisk would have for one it cannot take."""
    frame: dict[str, object] = {
        "type": "RESTRequest",
        "transaction_id": request.affinity,
        "request_id": request_id,
        "method": request.method,
        "uri": request.path,
    }
    if request.query:
        frame["query_strings"] = [{"name": name, "value": value} for name, value in request.query.items()]
    if request.body is not None:
        body = _ENCODER.encode(request.body)
        size = len(body.encode("utf-8", "replace"))
        if size > MAX_BODY_BYTES:  # over HTTP Asterisk would refuse it: the same limit whichever way it goes
            return Response(413, {"message": f"body of {size} bytes: Asterisk takes {MAX_BODY_BYTES}"})
        frame["content_type"] = "application/json"
        frame["message_body"] = body
    text = _ENCODER.encode(frame)
    if "\\u0000" in text:
        # Asterisk cannot parse such a frame, and its 400 then names no request: the asker would wait in vain.
        return Response(400, {"message": "a NUL character cannot be sent to Asterisk"})
    data = text.encode("utf-8", "replace")
    if len(data) > MAX_WS_FRAME_BYTES:
        return Response(
            413,
            {"message": f"frame of {len(data)} bytes: Asterisk takes {MAX_WS_FRAME_BYTES} on a websocket"},
        )
    return data


def _decoded(data: dict[str, object]) -> Response | AriNonsense:
    status = data.get("status_code")
    if type(status) is not int:
        return AriNonsense("an answer without a status")
    body = data.get("message_body")
    if body is None or body == "":
        return Response(status, None, VIA)
    if not isinstance(body, str):
        return AriNonsense(f"status {status} with a body that is {type(body).__name__} instead of text")
    try:
        return Response(status, json.loads(body), VIA)
    except (ValueError, RecursionError):
        return AriNonsense(f"status {status} with a body that is not JSON")
