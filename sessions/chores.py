"""Small jobs in Asterisk that belong to no call: hanging up orphans, sending callers on, deleting bridges.

People come first; bridges are deleted at most five a second, because a burst of deletions right after a reconnect has
crashed Asterisk. The list is bounded; what finds no room is counted, and the next comparison with Asterisk finds it
again.
"""

import asyncio
import logging
from dataclasses import dataclass
from typing import Final

from core.ari_client import AriClient
from core.errors import AriError, AriRefused
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
    """The list and its two workers: one for people, whom no bridge keeps waiting, and one for bridges.

    `run` works for ever; `settle` waits until the list is empty. What is on the list already is not added again.
    """

    def __init__(self, client: AriClient) -> None:
        self._client = client
        self._people: asyncio.Queue[Chore] = asyncio.Queue(_SIZE)
        self._bridges: asyncio.Queue[Chore] = asyncio.Queue(_SIZE)
        self._listed: set[Chore] = set()
        self.dropped = 0
        self.failed = 0

    def add(self, chore: Chore) -> None:
        """Never waits."""
        queue = self._bridges if isinstance(chore, DeleteEmptyBridge) else self._people
        if chore in self._listed:
            return
        if queue.full():
            self.dropped += 1
            return
        self._listed.add(chore)
        queue.put_nowait(chore)

    async def run(self) -> None:
        """Do what is on the list."""
        async with asyncio.TaskGroup() as workers:
            workers.create_task(self._work(self._people), name="chores for people")
            workers.create_task(self._work(self._bridges), name="chores for bridges")

    async def settle(self) -> None:
        """Wait until everything on the list was tried."""
        await self._people.join()
        await self._bridges.join()

    async def _work(self, queue: asyncio.Queue[Chore]) -> None:
        while True:
            chore = await queue.get()
            try:
                await self._do(chore)
            except AriRefused as error:
                if not error.is_normal_after_hangup:
                    self._complain(chore, error)
            except AriError as error:
                self._complain(chore, error)
            finally:
                self._listed.discard(chore)
                queue.task_done()

    def _complain(self, chore: Chore, error: AriError) -> None:
        self.failed += 1
        log_event(_log, logging.WARNING, "chore_failed", chore=str(chore), error=str(error))

    async def _do(self, chore: Chore) -> None:
        match chore:
            case HangUpOrphan(channel_id):
                await self._client.channels.hangup(channel_id, reason_code=16)
            case SendOn(channel_id):
                await self._client.channels.continue_in_dialplan(channel_id)
            case DeleteEmptyBridge(bridge_id):
                await self._client.bridges.destroy(bridge_id)
                await asyncio.sleep(BRIDGE_PAUSE_S)
