"""Asterisk itself: is it there, which version, which modules."""

from core.ari_client.send import Sender, many, one, value_in
from core.ari_models import AsteriskInfo, AsteriskPing, Module


class Asterisk:
    """`/asterisk`."""

    __slots__ = ("_sender",)

    def __init__(self, sender: Sender) -> None:
        self._sender = sender

    async def info(self) -> AsteriskInfo:
        """Version, build, status."""
        return one(
            AsteriskInfo.from_json, await self._sender.send("GET", "asterisk/info"), "GET asterisk/info"
        )

    async def ping(self) -> AsteriskPing:
        """Its name and its time. Asterisk 16 and later."""
        return one(
            AsteriskPing.from_json, await self._sender.send("GET", "asterisk/ping"), "GET asterisk/ping"
        )

    async def modules(self) -> tuple[Module, ...]:
        """All modules, loaded or not."""
        return many(
            Module.from_json, await self._sender.send("GET", "asterisk/modules"), "GET asterisk/modules"
        )

    async def variable(self, name: str) -> str:
        """The value of a global variable or function; empty when there is none."""
        body = await self._sender.send("GET", "asterisk/variable", {"variable": name})
        return value_in(body, "GET asterisk/variable")
