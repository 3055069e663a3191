"""SIGTERM, Ctrl-C and a closed terminal as values in a queue, so that a command decides what they mean."""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

Signals = asyncio.Queue[str]
"""The names of the signals that came, in order."""

_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_KEPT: Final = 16  # whoever presses Ctrl-C more often says nothing new


@contextmanager
def listening() -> Iterator[Signals]:
    """Collect SIGTERM, SIGINT and SIGHUP for the time of the block, instead of ending the process."""
    loop = asyncio.get_running_loop()
    asked: Signals = asyncio.Queue(_KEPT)

    def came(name: str) -> None:
        if not asked.full():
            asked.put_nowait(name)

    for number in _SIGNALS:
        loop.add_signal_handler(number, came, number.name)
    try:
        yield asked
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)
