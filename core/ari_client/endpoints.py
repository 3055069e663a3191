"""Endpoints: what Asterisk can dial, and whether it is reachable."""

from core.ari_client.send import Sender, many
from core.ari_models import Endpoint


class Endpoints:
    """`/endpoints`."""

    __slots__ = ("_sender",)

    def __init__(self, sender: Sender) -> None:
        self._sender = sender

    async def list(self) -> tuple[Endpoint, ...]:
        """All endpoints."""
        return many(Endpoint.from_json, await self._sender.send("GET", "endpoints"), "GET endpoints")
