"""What goes wrong between an emulated Asterisk and the engine: frames lost, doubled, late, out of order; requests
refused, never answered, broken off.

Faults are data and chance is a `random.Random` passed in: the same seed gives the same trouble. Nothing is spared:
the last event of a channel can be lost like any other, so an engine must find out by asking.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum

from core.ari_transport.seam import Request


@dataclass(frozen=True, slots=True)
class FrameFault:
    """Trouble for event frames. `types` limits it to some event types; empty means all.

    `lose` and `double` are probabilities. With probability `delay` a frame comes up to `delay_s` later, and so behind
    frames that were sent after it; the copy of a doubled one is late by as much.
    """

    types: frozenset[str] = frozenset()
    lose: float = 0.0
    double: float = 0.0
    delay: float = 0.0
    delay_s: float = 0.5


class RequestTrouble(Enum):
    """What becomes of a request."""

    REFUSED = "refused"  # answered with `status`, and not done
    HANGS = "hangs"  # done, and never answered
    LOST = "lost"  # never done, and never answered
    BREAKS = "breaks"  # done, and the connection breaks before the answer
    UNREACHABLE = "unreachable"  # no connection


@dataclass(frozen=True, slots=True)
class RequestFault:
    """Trouble for requests that `concerns` says yes to, each with this probability, `at_most` times in all."""

    trouble: RequestTrouble
    concerns: Callable[[Request], bool] = lambda _request: True
    probability: float = 1.0
    status: int = 503
    at_most: int | None = None


@dataclass(slots=True)
class Faults:
    """All the trouble of one link, drawn from one generator. Counts what it did in `done`."""

    rng: random.Random
    frames: Sequence[FrameFault] = ()
    requests: Sequence[RequestFault] = ()
    done: dict[str, int] = field(default_factory=dict)
    _used: dict[int, int] = field(default_factory=dict)

    def frame(self, kind: str) -> list[float]:
        """How late each copy of a frame of this type comes: [] lost, [0.0] as it is, [0.0, 0.3] doubled."""
        delays = [0.0]
        for fault in self.frames:
            if fault.types and kind not in fault.types:
                continue
            # Always three draws a fault, so that one probability does not shift the luck of the others.
            lose, double, delay = self.rng.random(), self.rng.random(), self.rng.random()
            late = self.rng.uniform(0.0, fault.delay_s)
            if lose < fault.lose:
                self._count("frames_lost")
                return []
            if double < fault.double:
                self._count("frames_doubled")
                delays = [*delays, late]
            if delay < fault.delay:
                self._count("frames_delayed")
                delays = [each + late for each in delays]
        return delays

    def request(self, request: Request) -> RequestFault | None:
        """The trouble this request runs into, if any."""
        for number, fault in enumerate(self.requests):
            used = self._used.get(number, 0)
            if fault.at_most is not None and used >= fault.at_most:
                continue
            if fault.concerns(request) and self.rng.random() < fault.probability:
                self._used[number] = used + 1
                self._count(f"requests_{fault.trouble.value}")
                return fault
        return None

    def _count(self, what: str) -> None:
        self.done[what] = self.done.get(what, 0) + 1
