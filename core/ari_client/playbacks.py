"""Playbacks that are under way."""

from core.ari_client.send import Sender, one, quoted
from core.ari_models import Playback


class Playbacks:
    """`/playbacks`. A playback that has ended is gone (AriGone)."""

    __slots__ = ("_sender",)

    def __init__(self, sender: Sender) -> None:
        self._sender = sender

    async def get(self, playback_id: str) -> Playback:
        """One playback."""
        path = f"playbacks/{quoted(playback_id)}"
        return one(Playback.from_json, await self._sender.send("GET", path), f"GET {path}")

    async def stop(self, playback_id: str) -> None:
        """Silence."""
        await self._sender.send("DELETE", f"playbacks/{quoted(playback_id)}")
