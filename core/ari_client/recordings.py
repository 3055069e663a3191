"""Recordings: live while they run, stored afterwards."""

from typing import Final

from core.ari_client.send import Sender, one, quoted
from core.ari_models import LiveRecording, StoredRecording

DOWNLOAD_S: Final = 30.0


class Recordings:
    """`/recordings`."""

    __slots__ = ("_sender",)

    def __init__(self, sender: Sender) -> None:
        self._sender = sender

    async def get_live(self, name: str) -> LiveRecording:
        """A recording that runs."""
        path = f"recordings/live/{quoted(name)}"
        return one(LiveRecording.from_json, await self._sender.send("GET", path), f"GET {path}")

    async def stop_live(self, name: str) -> None:
        """End a recording and keep it."""
        await self._sender.send("POST", f"recordings/live/{quoted(name)}/stop")

    async def get_stored(self, name: str) -> StoredRecording:
        """A recording that is kept."""
        path = f"recordings/stored/{quoted(name)}"
        return one(StoredRecording.from_json, await self._sender.send("GET", path), f"GET {path}")

    async def delete_stored(self, name: str) -> None:
        """Delete the file."""
        await self._sender.send("DELETE", f"recordings/stored/{quoted(name)}")

    async def download(self, name: str, *, timeout_s: float = DOWNLOAD_S) -> bytes:
        """The file itself, always over HTTP."""
        return await self._sender.download(f"recordings/stored/{quoted(name)}/file", timeout_s=timeout_s)
