"""Small jobs in Asterisk that belong to no call: hanging up orphans, sending callers on, deleting bridges.

One worker does them one after another, bridges at most five a second because a burst of deletions right after a
reconnect has crashed Asterisk. The list is bounded; what finds no room is counted, and the next comparison with
Asterisk finds it again.
"""

import asyncio
import logging
from dataclasses import dataclass
from typing import Final

from core.ari_client import AriClient
from core.errors import AriError
from core.ids import BridgeId, ChannelId
from core.logs import log_event

_log = logging.getLogger(__name__)

_SIZE: Final = 1000
BRIDGE_PAUSE_S: Final = 0.2


@dataclass(frozen=True, slots=True)
class HangUpOrphan:
    """Hang up a channel of ours that has no call."""

    channel_id: ChannelId


@dataclass(frozen=True, slots=True)
class SendOn:
    """Let a caller go on in the dialplan, behind `Stasis()`."""

    channel_id: ChannelId


@dataclass(frozen=True, slots=True)
class DeleteEmptyBridge:
    """Delete a bridge of ours that has no call."""

    bridge_id: BridgeId


Chore = HangUpOrphan | SendOn | DeleteEmptyBridge


class Chores:
    """The list and its one worker. `run` works for ever; `settle` waits until the list is empty."""

    def __init__(self, client: AriClient) -> None:
        self._client = client
        self._queue: asyncio.Queue[Chore] = asyncio.Queue(_SIZE)
        self.dropped = 0
        self.failed = 0

    def add(self, chore: Chore) -> None:
        """Never waits."""
        if self._queue.full():
            self.dropped += 1
        else:
            self._queue.put_nowait(chore)

    async def run(self) -> None:
        """Do what is on the list."""
        while True:
            chore = await self._queue.get()
            try:
                await self._do(chore)
            except AriError as error:
                if not getattr(error, "is_normal_after_hangup", False):
                    self.failed += 1
                    log_event(_log, logging.WARNING, "chore_failed", chore=str(chore), error=str(error))
            finally:
                self._queue.task_done()

    async def settle(self) -> None:
        """Wait until everything on the list was tried."""
        await self._queue.join()

    async def _do(self, chore: Chore) -> None:
        match chore:
            case HangUpOrphan(channel_id):
                await self._client.channels.hangup(channel_id, reason_code=16)
            case SendOn(channel_id):
                await self._client.channels.continue_in_dialplan(channel_id)
            case DeleteEmptyBridge(bridge_id):
                await self._client.bridges.destroy(bridge_id)
                await asyncio.sleep(BRIDGE_PAUSE_S)
