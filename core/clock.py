"""Time, asked in one place.

`Clock` tells the monotonic time that deciders receive as `now`, and the wall time that records carry. `SystemClock`
is the real one. `VirtualTimeLoop` is an event loop whose time jumps to the next timer when nothing else is left to do,
so that an hour of conversation runs in no time; its clock is `VirtualClock`.

A virtual clock must not jump while work of the real world is under way: a database thread or a subprocess takes real
time, and a timer that fires meanwhile would report a timeout nobody had. Such work says so: `async with
clock.real_work():`. While any is outstanding the loop waits for it on the real clock and virtual time stands still.
"""

import asyncio
import selectors
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol


class Clock(Protocol):
    """What the engine knows of time."""

    def now(self) -> float:
        """Monotonic seconds, the event loop's own, so that timers and decisions agree."""
        ...

    def wall(self) -> datetime:
        """The time of day, aware, in UTC."""
        ...

    def real_work(self) -> AbstractAsyncContextManager[None]:
        """Marks work that takes real time (threads, subprocesses): virtual time waits for it."""
        ...


def unix_ms(at: datetime) -> int:
    """Milliseconds since 1970 of an aware time."""
    return int(at.timestamp() * 1000)


class SystemClock:
    """The real clock. `real_work` costs nothing here."""

    def now(self) -> float:
        return time.monotonic()

    def wall(self) -> datetime:
        return datetime.now(UTC)

    @asynccontextmanager
    async def real_work(self) -> AsyncIterator[None]:
        yield


class _JumpingSelector(selectors.DefaultSelector):
    """A selector that, when nothing is ready, moves virtual time instead of waiting.

    `outstanding` counts the pieces of real work; while there are any, it really waits for input.
    """

    def __init__(self) -> None:
        super().__init__()
        self.virtual_now = 0.0
        self.outstanding = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or (timeout is not None and timeout <= 0):
            return ready
        if timeout is None or self.outstanding > 0:
            return super().select(
                None
            )  # something real will wake us: a thread through the loop's self-pipe, a socket
        self.virtual_now += timeout
        return []


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An event loop on virtual time. Real sockets work too, but a reply in flight is not awaited: use `real_work`."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.virtual_now

    def begin_real_work(self) -> None:
        """One more piece of real work: time stands still."""
        self._jumping.outstanding += 1

    def end_real_work(self) -> None:
        """One piece less."""
        self._jumping.outstanding -= 1


VIRTUAL_EPOCH: Final = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)  # a Monday morning


class VirtualClock:
    """The clock of a `VirtualTimeLoop`: `now` is the loop's time, the wall clock runs from `epoch` along with it."""

    def __init__(self, loop: VirtualTimeLoop, epoch: datetime = VIRTUAL_EPOCH) -> None:
        self._loop = loop
        self._epoch = epoch

    def now(self) -> float:
        return self._loop.time()

    def wall(self) -> datetime:
        return self._epoch + timedelta(seconds=self._loop.time())

    @asynccontextmanager
    async def real_work(self) -> AsyncIterator[None]:
        self._loop.begin_real_work()
        try:
            yield
        finally:
            self._loop.end_real_work()
