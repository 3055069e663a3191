"""A call's one door: a bounded queue that always has room for the end.

Posting never waits, so the reader of Asterisk's events never waits for a call. A mailbox that is full takes no more
ordinary events; from then on `overflowed` is set, and the call is asked to end by the closing routine. Terminal events
(the other side has gone, someone stops the call) have room of their own.
"""

import asyncio
from typing import Final

from sessions.events import TERMINAL, CallEvent, StopRequested

_RESERVE: Final = 16  # a call has few legs and each ends once; the rest are repeats


class Mailbox:
    """The queue of one call. `size` counts ordinary events only."""

    def __init__(self, size: int) -> None:
        if size < 1:
            raise ValueError(f"a mailbox needs room for at least one event, not {size}")
        self._size = size
        self._queue: asyncio.Queue[CallEvent] = asyncio.Queue(maxsize=size + _RESERVE)
        self.dropped = 0
        self.overflowed = False

    def post(self, event: CallEvent) -> bool:
        """Put an event in; False when it had to be dropped. Never waits."""
        waiting = self._queue.qsize()
        if waiting < self._size or (isinstance(event, TERMINAL) and waiting < self._size + _RESERVE - 1):
            self._queue.put_nowait(event)
            return True
        self.dropped += 1
        if not self.overflowed:
            self.overflowed = True
            self._queue.put_nowait(StopRequested("mailbox_full"))  # the last place is kept for this
        return False

    async def get(self) -> CallEvent:
        """The next event, in the order of arrival."""
        return await self._queue.get()

    def take(self) -> CallEvent | None:
        """The next event if there is one."""
        return None if self._queue.empty() else self._queue.get_nowait()

    def __len__(self) -> int:
        return self._queue.qsize()
