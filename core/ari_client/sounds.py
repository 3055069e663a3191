"""Sounds that came with Asterisk. What is in a custom folder is not listed, playable or not."""

from core.ari_client.send import Sender, one, quoted
from core.ari_models import Sound


class Sounds:
    """`/sounds`."""

    __slots__ = ("_sender",)

    def __init__(self, sender: Sender) -> None:
        self._sender = sender

    async def get(self, sound_id: str) -> Sound:
        """One sound and the formats it exists in."""
        path = f"sounds/{quoted(sound_id)}"
        return one(Sound.from_json, await self._sender.send("GET", path), f"GET {path}")
