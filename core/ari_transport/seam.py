"""The one seam between the client and the ways to Asterisk: a request in, a response out.

A transport knows nothing of channels or bridges. It raises the `AriError`s of the way (unreachable, no answer,
nonsense); a refusal is a response with its status, which `core.ari_client` turns into an error.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Protocol

NO_QUERY: Final[Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Request:
    """One ARI request. `path` is relative to the ARI root and already quoted ("channels/lk.x/dial").

    `affinity` keeps order: requests with the same affinity (a call id) are served one after another.
    `conflict_sticks` marks requests after whose 409 Asterisk may answer 409 to any later one of that connection (see
    docs/asterisk-facts-lab.md, E2): a transport gives such a connection up, so that a 409 means what it says.
    """

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, object] | None = None
    affinity: str = ""
    conflict_sticks: bool = False

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@dataclass(frozen=True, slots=True)
class Response:
    """Asterisk's answer: an HTTP status and decoded JSON (None when there was no body). `via` says which way it came."""

    status: int
    body: object = None
    via: str = ""


class Transport(Protocol):
    """A way to Asterisk."""

    async def send(self, request: Request, *, timeout_s: float) -> Response:
        """Send one request and return the answer, whatever its status.

        Raises AriUnreachable (nothing was sent), AriNoAnswer (it may have happened) or AriNonsense.
        """
        ...

    async def download(self, request: Request, *, timeout_s: float) -> bytes:
        """Fetch a binary body (a stored recording). Raises as `send`, and AriRefused."""
        ...
