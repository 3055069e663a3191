"""ARI requests over plain HTTP: works with every Asterisk, and carries what is binary.

Requests with one affinity wait for each other here, because connections of the pool would overtake one another.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final
from urllib.parse import urlencode

from core.ari_transport.seam import Request, Response
from core.errors import AriError, AriNoAnswer, AriNonsense, AriUnreachable, refusal
from core.http import HttpClient, HttpNoAnswer, HttpReply, HttpUnreachable

VIA: Final = "http"

MAX_BODY_BYTES: Final = 40_960
"""Asterisk's MAX_CONTENT_LENGTH: a longer body is answered with 413."""

MAX_LINE_BYTES: Final = 4_000
"""Asterisk reads request lines of up to 4,096 bytes, its prefix and our method included."""

_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
_TRUSTED_WITHOUT_JSON: Final = frozenset({401, 403, 413})


class HttpTransport:
    """The transport over HTTP. The client's base URL is the ARI root; whoever made the client closes it."""

    def __init__(self, client: HttpClient) -> None:
        self._client = client
        self._turns = _Turns()

    async def send(self, request: Request, *, timeout_s: float) -> Response:
        """Send one request. See `Transport.send`; what Asterisk would refuse for its size is refused here, as 413."""
        content = None
        if request.body is not None:
            content = _ENCODER.encode(request.body).encode("utf-8", "replace")
        too_large = _too_large(request, content)
        if too_large:
            return Response(413, {"message": too_large})
        reply = await self._request(request, content, timeout_s)
        return Response(reply.status, _decoded(reply, request), VIA)

    async def download(self, request: Request, *, timeout_s: float) -> bytes:
        """Fetch a binary body. See `Transport.download`."""
        reply = await self._request(request, None, timeout_s)
        if reply.status >= 400:
            body = _decoded(reply, request)
            raise refusal(reply.status, reason_in(body), request=str(request))
        return reply.content

    async def _request(self, request: Request, content: bytes | None, timeout_s: float) -> HttpReply:
        headers = {} if content is None else {"Content-Type": "application/json"}
        if request.conflict_sticks:
            headers["Connection"] = "close"
        deadline = asyncio.get_running_loop().time() + timeout_s
        try:
            async with self._turns.take(request.affinity, timeout_s):
                return await self._client.request(
                    request.method,
                    request.path,
                    params=request.query or None,
                    content=content,
                    headers=headers,
                    timeout_s=max(0.0, deadline - asyncio.get_running_loop().time()),
                )
        except HttpUnreachable as problem:
            raise AriUnreachable(_without_request(problem), request=str(request)) from problem
        except HttpNoAnswer as problem:
            raise AriNoAnswer(_without_request(problem), request=str(request)) from problem
        except _TurnNeverCame as problem:
            raise AriUnreachable(
                f"earlier requests of the same call are unanswered after {timeout_s:g} s",
                request=str(request),
            ) from problem


def reason_in(body: object) -> str:
    """Asterisk's own words in the body of a refusal: `message` in most answers, `error` in some."""
    if isinstance(body, dict):
        for key in ("message", "error"):
            text = body.get(key)
            if isinstance(text, str) and text:
                return text
    return ""


def _without_request(problem: Exception) -> str:
    return str(problem.__cause__ or problem) or type(problem.__cause__).__name__


def _too_large(request: Request, content: bytes | None) -> str:
    if content is not None and len(content) > MAX_BODY_BYTES:
        return f"body of {len(content)} bytes: Asterisk takes {MAX_BODY_BYTES}"
    if request.query:
        line = len(request.path) + len(urlencode(request.query))
        if line > MAX_LINE_BYTES:
            return f"path and parameters of {line} bytes: Asterisk takes {MAX_LINE_BYTES} over HTTP"
    return ""


def _decoded(reply: HttpReply, request: Request) -> object:
    """The JSON of an answer. A page of a proxy, or of an Asterisk without ARI, is no answer of ARI's."""
    if not reply.content:
        return None
    try:
        return reply.json()
    except ValueError as problem:
        if reply.status in _TRUSTED_WITHOUT_JSON:
            return None
        kind = reply.headers.get("content-type", "nothing said")
        raise AriNonsense(
            f"status {reply.status} with {len(reply.content)} bytes that are not JSON ({kind}): is the ARI address right?",
            request=str(request),
        ) from problem


class _TurnNeverCame(AriError):
    """The deadline passed while earlier requests of the same affinity were under way."""


class _Turn:
    """The queue of one affinity. asyncio's lock wakes its waiters in the order they came."""

    __slots__ = ("lock", "waiting")

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.waiting = 0


class _Turns:
    """One request at a time per affinity; forgets an affinity as soon as nobody waits."""

    def __init__(self) -> None:
        self._turns: dict[str, _Turn] = {}

    @asynccontextmanager
    async def take(self, affinity: str, timeout_s: float) -> AsyncIterator[None]:
        if not affinity:
            yield
            return
        turn = self._turns.setdefault(affinity, _Turn())
        turn.waiting += 1
        try:
            try:
                async with asyncio.timeout(timeout_s):
                    await turn.lock.acquire()
            except TimeoutError as late:
                raise _TurnNeverCame("no turn") from late
            try:
                yield
            finally:
                turn.lock.release()
        finally:
            turn.waiting -= 1
            if turn.waiting == 0:
                del self._turns[affinity]
