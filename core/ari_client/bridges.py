"""Bridges: one per call, and what is played or recorded in them."""

from collections.abc import Sequence

from core.ari_client.media import IfExists, Recording, TerminateOn, media_parameters
from core.ari_client.send import Sender, many, one, quoted
from core.ari_models import Bridge


class Bridges:
    """`/bridges`."""

    __slots__ = ("_sender",)

    def __init__(self, sender: Sender) -> None:
        self._sender = sender

    async def create(self, *, bridge_id: str, name: str = "", type: str = "mixing") -> None:  # noqa: A002 - ARI's word
        """Make a bridge. AriConflict when the id is taken."""
        query = {"type": type, "bridgeId": bridge_id}
        if name:
            query["name"] = name
        await self._sender.send("POST", "bridges", query)

    async def add_channel(self, bridge_id: str, *, channel_id: str) -> None:
        """Put a channel into the bridge.

        AriBadRequest: the channel is gone. AriUnprocessable: not in the application (yet). AriConflict: it records.
        """
        await self._sender.send("POST", f"bridges/{quoted(bridge_id)}/addChannel", {"channel": channel_id})

    async def remove_channel(self, bridge_id: str, *, channel_id: str) -> None:
        """Take a channel out of the bridge."""
        await self._sender.send("POST", f"bridges/{quoted(bridge_id)}/removeChannel", {"channel": channel_id})

    async def play(self, bridge_id: str, *, playback_id: str, media: Sequence[str]) -> None:
        """Play sounds one after another to everyone in the bridge."""
        query, body = media_parameters(media)
        path = f"bridges/{quoted(bridge_id)}/play/{quoted(playback_id)}"
        await self._sender.send("POST", path, query, body)

    async def record(
        self,
        bridge_id: str,
        *,
        name: str,
        format: str = "wav",  # noqa: A002 - ARI's own word
        max_duration_s: int = 0,
        max_silence_s: int = 0,
        if_exists: IfExists = "fail",
        terminate_on: TerminateOn = "none",
        beep: bool = False,
    ) -> None:
        """Record what is said in the bridge."""
        recording = Recording(
            name=name,
            format=format,
            max_duration_s=max_duration_s,
            max_silence_s=max_silence_s,
            if_exists=if_exists,
            terminate_on=terminate_on,
            beep=beep,
        )
        await self._sender.send("POST", f"bridges/{quoted(bridge_id)}/record", recording.query())

    async def list(self) -> tuple[Bridge, ...]:
        """All bridges of this Asterisk, also those of others."""
        return many(Bridge.from_json, await self._sender.send("GET", "bridges"), "GET bridges")

    async def get(self, bridge_id: str) -> Bridge:
        """One bridge."""
        path = f"bridges/{quoted(bridge_id)}"
        return one(Bridge.from_json, await self._sender.send("GET", path), f"GET {path}")

    async def destroy(self, bridge_id: str) -> None:
        """Remove the bridge; the channels in it stay."""
        await self._sender.send("DELETE", f"bridges/{quoted(bridge_id)}")
