"""Applications: who is registered, what they are told of."""

from collections.abc import Iterable

from core.ari_client.send import Sender, many, one, quoted
from core.ari_models import Application
from core.errors import AriGone, AriNonsense, AriRefused


class Applications:
    """`/applications`."""

    __slots__ = ("_sender",)

    def __init__(self, sender: Sender) -> None:
        self._sender = sender

    async def list(self) -> tuple[Application, ...]:
        """All applications, also those of others."""
        return many(Application.from_json, await self._sender.send("GET", "applications"), "GET applications")

    async def get(self, app: str) -> Application:
        """One application; AriGone when nobody has registered it."""
        path = f"applications/{quoted(app)}"
        return one(Application.from_json, await self._sender.send("GET", path), f"GET {path}")

    async def subscribe(self, app: str, *, event_source: str) -> None:
        """Be told of `channel:ID`, `bridge:ID`, `endpoint:TECH/NAME` or `deviceState:NAME`, too."""
        path = f"applications/{quoted(app)}/subscription"
        await self._sender.send("POST", path, {"eventSource": event_source})

    async def set_event_filter(self, app: str, *, allowed_types: Iterable[str]) -> None:
        """Be told of these event types alone. No types: of all.

        The filter hides answers to REST requests on the application's own websocket, too: send those elsewhere.
        """
        await self._sender.send(
            "PUT", f"applications/{quoted(app)}/eventFilter", body={"allowed": _filters(allowed_types)}
        )

    async def ensure_event_filter(self, app: str, *, allowed_types: Iterable[str]) -> bool:
        """Set the filter and read it back. False: this Asterisk has no event filters (before 13.26 and 16.3).

        Raises AriGone when the application is not registered, and AriNonsense when the filter does not stick.
        """
        wanted = set(allowed_types)
        try:
            await self.set_event_filter(app, allowed_types=wanted)
        except AriRefused as problem:
            if problem.status not in {404, 405}:
                raise
            try:
                await self.get(app)
            except AriGone:
                raise problem from None  # the application is missing, not the filter
            return False
        found = {entry.get("type") for entry in (await self.get(app)).events_allowed}
        if found != wanted:
            raise AriNonsense(
                f"event filter did not stick: {len(found)} types allowed, {len(wanted)} wanted",
                request=f"PUT applications/{app}/eventFilter",
            )
        return True


def _filters(allowed_types: Iterable[str]) -> "list[dict[str, str]]":
    return [{"type": name} for name in sorted(allowed_types)]
