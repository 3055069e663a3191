"""HTTP for the whole engine: one client, and the only module that knows httpx.

A `HttpClient` talks to one server. Every request has a deadline, every foreign exception becomes one of two: either
nothing was sent (`HttpUnreachable`), or it may have happened (`HttpNoAnswer`). Statuses are not judged here, redirects
are not followed, nothing is repeated, and proxies of the environment are not used.
"""

import asyncio
import base64
import json as json_lib
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType, TracebackType
from typing import Final, Self

import httpx

from core.errors import Fault, LinekeeperError

KEEPALIVE_S: Final = 5.0
"""Idle connections are dropped after this time: sooner than Asterisk (15 s) or any usual proxy drops them."""


class HttpError(LinekeeperError):
    """A request that got no answer. `request` is "METHOD path", without credentials and without parameters."""

    fault = Fault.NETWORK
    may_have_happened = False

    def __init__(self, message: str, *, request: str = "") -> None:
        super().__init__(f"{request}: {message}" if request else message)
        self.request = request


class HttpUnreachable(HttpError):
    """No connection, or a request that could not be written: nothing was sent, so nothing happened."""

    retryable = True


class HttpNoAnswer(HttpError):
    """Sent at least in part, and no whole answer came: it may have happened."""

    may_have_happened = True


FOREIGN: Final[Mapping[type[Exception], type[HttpError]]] = MappingProxyType(
    {
        httpx.ConnectError: HttpUnreachable,
        httpx.ConnectTimeout: HttpUnreachable,
        httpx.PoolTimeout: HttpUnreachable,
        httpx.ProxyError: HttpUnreachable,
        httpx.UnsupportedProtocol: HttpUnreachable,
        httpx.LocalProtocolError: HttpUnreachable,
        httpx.InvalidURL: HttpUnreachable,
        httpx.ReadError: HttpNoAnswer,
        httpx.ReadTimeout: HttpNoAnswer,
        httpx.WriteError: HttpNoAnswer,
        httpx.WriteTimeout: HttpNoAnswer,
        httpx.CloseError: HttpNoAnswer,
        httpx.RemoteProtocolError: HttpNoAnswer,
        httpx.DecodingError: HttpNoAnswer,
        httpx.TooManyRedirects: HttpNoAnswer,
        # What our way of using httpx never meets; a surprise counts as "may have happened".
        httpx.HTTPStatusError: HttpNoAnswer,
        httpx.CookieConflict: HttpNoAnswer,
        httpx.StreamConsumed: HttpNoAnswer,
        httpx.StreamClosed: HttpNoAnswer,
        httpx.ResponseNotRead: HttpNoAnswer,
        httpx.RequestNotRead: HttpNoAnswer,
        # The branches, for leaves that a later httpx may grow.
        httpx.TimeoutException: HttpNoAnswer,
        httpx.NetworkError: HttpNoAnswer,
        httpx.ProtocolError: HttpNoAnswer,
        httpx.TransportError: HttpNoAnswer,
        httpx.RequestError: HttpNoAnswer,
        httpx.HTTPError: HttpNoAnswer,
        httpx.StreamError: HttpNoAnswer,
    }
)
"""What each exception of httpx means to us. A test fails when httpx grows one that is not here."""

_ROOTS: Final = (httpx.HTTPError, httpx.InvalidURL, httpx.CookieConflict, httpx.StreamError)


def translate(foreign: Exception, request: str) -> HttpError:
    """Our error for an exception of httpx."""
    for kind in type(foreign).__mro__:
        ours = FOREIGN.get(kind)
        if ours is not None:
            return ours(str(foreign) or type(foreign).__name__, request=request)
    raise AssertionError(f"{type(foreign).__name__} is not one of httpx's") from foreign


@dataclass(frozen=True, slots=True)
class HttpTimeout:
    """How long each part may take, in seconds. The whole is bounded by the request's own `timeout_s`."""

    connect_s: float = 3.0
    pool_s: float = 5.0
    write_s: float = 10.0
    read_s: float = 10.0


@dataclass(frozen=True, slots=True)
class HttpReply:
    """An answer, whatever its status. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    def json(self) -> object:
        """The content as JSON; ValueError when it is none, whatever is wrong with it."""
        try:
            return json_lib.loads(self.content)
        except RecursionError as problem:
            raise ValueError("JSON nested too deeply") from problem


def basic_authorization(username: str, password: str) -> str:
    """The value of an Authorization header."""
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode("ascii")


class HttpClient:
    """A client of one server. Use it as `async with HttpClient(...) as client`.

    Each connection is an httpx client of its own. httpx's pool looks at every connection for every request, several
    times: with 20 connections that is 3 ms a request, with one it is 1 ms.
    """

    def __init__(
        self,
        base_url: str,
        *,
        username: str = "",
        password: str = "",
        headers: Mapping[str, str] | None = None,
        max_connections: int = 20,
        timeout: HttpTimeout = HttpTimeout(),
        verify_tls: bool = True,
    ) -> None:
        self._base_url = base_url
        self._headers = dict(headers or {})
        if username or password:
            self._headers["Authorization"] = basic_authorization(username, password)
        self._timeout = timeout
        # Reading the list of certificate authorities takes 20 ms of the loop; plain HTTP does not need it.
        self._tls = httpx.create_ssl_context(
            verify=verify_tls and not base_url.startswith("http:"), trust_env=False
        )
        self._max_connections = max_connections
        self._permits = asyncio.Semaphore(max_connections)
        self._idle: list[httpx.AsyncClient] = []  # the last one used is taken first, so that few stay warm
        self._every: list[httpx.AsyncClient] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._idle.clear()
        while self._every:
            await self._every.pop().aclose()

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        json: object = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
        files: Mapping[str, tuple[str, bytes, str]] | None = None,
        timeout_s: float | None = None,
    ) -> HttpReply:
        """Send one request and read the whole answer. `path` is appended to the base URL and already quoted.

        `files` maps a field to (file name, content, content type), and `form` goes with it. `timeout_s` is the deadline
        of the whole, answer included; without it the parts add up to it. Raises HttpUnreachable or HttpNoAnswer.
        """
        said = f"{method} {path}"
        parts = self._timeout
        whole_s = (
            parts.pool_s + parts.connect_s + parts.write_s + parts.read_s if timeout_s is None else timeout_s
        )
        deadline = asyncio.get_running_loop().time() + whole_s
        try:
            async with asyncio.timeout(min(parts.pool_s, whole_s)):
                await self._permits.acquire()
        except TimeoutError as late:
            raise HttpUnreachable(f"all {self._max_connections} connections are busy", request=said) from late
        client = self._idle.pop() if self._idle else self._opened()
        try:
            async with asyncio.timeout_at(deadline):
                reply = await client.request(
                    method,
                    path,
                    params=params,
                    json=json,
                    content=content,
                    headers=headers,
                    data=form,
                    files=files,
                    timeout=httpx.Timeout(
                        connect=min(parts.connect_s, whole_s),
                        pool=whole_s,
                        write=min(parts.write_s, whole_s),
                        read=parts.read_s if timeout_s is None else whole_s,
                    ),
                )
        except _ROOTS as foreign:
            raise translate(foreign, said) from foreign
        except TimeoutError as late:
            raise HttpNoAnswer(f"no answer within {whole_s:g} s", request=said) from late
        finally:
            self._idle.append(client)
            self._permits.release()
        return HttpReply(reply.status_code, reply.headers, reply.content)

    def _opened(self) -> httpx.AsyncClient:
        """One more connection's client. It connects with its first request."""
        client = httpx.AsyncClient(
            base_url=self._base_url,
            headers=self._headers,
            limits=httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=KEEPALIVE_S),
            verify=self._tls,
            trust_env=False,
            follow_redirects=False,
        )
        self._every.append(client)
        return client
