"""The search for the highest rate that still passes: pure, and the same for whoever is searched.

It climbs a ramp until a rate fails, then halves the gap between the highest rate that passed and the lowest that failed,
down to the grain. A rate that fails is tried again before it counts as failed, because one hiccup of a shared machine is
not a limit; a rate that passes once has passed.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tried:
    """One step of a search."""

    rate: int
    passed: bool


@dataclass(frozen=True, slots=True)
class Search:
    """What to try, in calls per second. The ramp goes upwards; `tries` says how often a rate may fail."""

    ramp: tuple[int, ...] = (25, 50, 75, 100, 125, 150, 175, 200, 225, 250)
    grain: int = 5
    tries: int = 2

    def next_rate(self, tried: Sequence[Tried]) -> int | None:
        """The rate to try next; None when the answer is `highest(tried)`."""
        if tried and not tried[-1].passed and _fails(tried, tried[-1].rate) < self.tries:
            return tried[-1].rate
        best, worst = highest(tried), self._lowest_failed(tried)
        if worst is None:
            return next((rate for rate in self.ramp if rate > best), None)
        middle = (best + worst) // 2 // self.grain * self.grain
        if middle <= best:
            middle += self.grain
        return middle if best < middle < worst else None

    def is_at_the_top(self, tried: Sequence[Tried]) -> bool:
        """Whether the whole ramp passed: the true limit lies above it."""
        return highest(tried) == self.ramp[-1]

    def _lowest_failed(self, tried: Sequence[Tried]) -> int | None:
        """The lowest rate that used up its tries. What failed below a rate that passed later is not held against it."""
        best = highest(tried)
        failed = [one.rate for one in tried if one.rate > best and _fails(tried, one.rate) >= self.tries]
        return min(failed, default=None)


def highest(tried: Sequence[Tried]) -> int:
    """The highest rate that passed; 0 when none did."""
    return max((one.rate for one in tried if one.passed), default=0)


def _fails(tried: Sequence[Tried], rate: int) -> int:
    return sum(1 for one in tried if one.rate == rate and not one.passed)
