"""Gives an emulator its time: sleeps until something is due, lets it happen, and looks again when anything changed."""

import asyncio

from core.clock import Clock
from integrations.emulator.core import Emulator


class Driver:
    """One task's work. `run` never returns; cancel it."""

    def __init__(self, emulator: Emulator, clock: Clock) -> None:
        self._emulator = emulator
        self._clock = clock
        self._changed = asyncio.Event()

    async def run(self) -> None:
        """Keep the emulator's time."""
        unwatch = self._emulator.watch(self._changed.set)
        try:
            while True:
                due = self._emulator.next_due()
                wait_s = None if due is None else due - self._clock.now()
                if wait_s is not None and wait_s <= 0:
                    self._emulator.advance(self._clock.now())
                    await asyncio.sleep(0)
                    continue
                self._changed.clear()
                try:
                    async with asyncio.timeout(wait_s):
                        await self._changed.wait()
                except TimeoutError:
                    pass  # something is due now
        finally:
            unwatch()
