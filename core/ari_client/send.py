"""The one place a request of the client passes: it adds affinity and deadline, counts, and turns refusals into errors."""

from collections.abc import Callable, Mapping
from typing import Final, TypeVar
from urllib.parse import quote

from core.ari_fields import ModelError
from core.ari_transport.http import reason_in
from core.ari_transport.seam import NO_QUERY, Request, Transport
from core.errors import AriError, AriNoAnswer, AriNonsense, AriUnreachable, refusal

T = TypeVar("T")

Count = Callable[[str, str], None]
"""Counts one request: the way it took ("websocket", "http", "none" when no answer came) and what came of it."""

_OUTCOMES: Final = {AriUnreachable: "unreachable", AriNoAnswer: "no_answer", AriNonsense: "nonsense"}


def count_nothing(transport: str, outcome: str) -> None:
    """For those who do not count."""


class Sender:
    """Sends the requests of one client, or of one call."""

    __slots__ = ("_affinity", "_count", "_timeout_s", "_transport")

    def __init__(self, transport: Transport, timeout_s: float, count: Count, affinity: str = "") -> None:
        self._transport = transport
        self._timeout_s = timeout_s
        self._count = count
        self._affinity = affinity

    def for_call(self, call_id: str) -> "Sender":
        """The same, for requests that belong to one call."""
        return Sender(self._transport, self._timeout_s, self._count, call_id)

    async def send(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] = NO_QUERY,
        body: Mapping[str, object] | None = None,
        *,
        conflict_sticks: bool = False,
    ) -> object:
        """Send one request and return the decoded body of the answer.

        Raises the AriRefused of a status of 400 or more, and what the transport raises.
        """
        request = Request(method, path, query, body, self._affinity, conflict_sticks)
        try:
            response = await self._transport.send(request, timeout_s=self._timeout_s)
        except AriError as problem:
            self._count("none", _OUTCOMES.get(type(problem), "refused"))
            raise
        if response.status >= 400:
            self._count(response.via, "refused")
            raise refusal(response.status, reason_in(response.body), request=str(request))
        self._count(response.via, "answered")
        return response.body

    async def download(self, path: str, *, timeout_s: float) -> bytes:
        """Fetch a binary body. Raises as `send`."""
        try:
            content = await self._transport.download(
                Request("GET", path, affinity=self._affinity), timeout_s=timeout_s
            )
        except AriError as problem:
            self._count("none", _OUTCOMES.get(type(problem), "refused"))
            raise
        self._count("http", "answered")
        return content


def quoted(part: str) -> str:
    """One part of a path. ValueError for what would name another path: nothing, and the dots."""
    if part in {"", ".", ".."}:
        raise ValueError(f"{part!r} is no id")
    return quote(part, safe=";")


def one(parse: Callable[[Mapping[str, object]], T], body: object, request: str) -> T:
    """The resource in an answer; AriNonsense when it is not there."""
    if not isinstance(body, dict):
        raise AriNonsense(f"expected an object, got {type(body).__name__}", request=request)
    try:
        return parse(body)
    except ModelError as problem:
        raise AriNonsense(str(problem), request=request) from problem


def many(parse: Callable[[Mapping[str, object]], T], body: object, request: str) -> tuple[T, ...]:
    """The list of resources in an answer; AriNonsense when it is not there."""
    if not isinstance(body, list):
        raise AriNonsense(f"expected a list, got {type(body).__name__}", request=request)
    return tuple([one(parse, item, request) for item in body])


def value_in(body: object, request: str) -> str:
    """The value in the answer to a question for a variable."""
    value = body.get("value") if isinstance(body, dict) else None
    if not isinstance(value, str):
        raise AriNonsense("expected a value", request=request)
    return value
