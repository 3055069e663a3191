"""What is noted of each call of a bench, and what the notes of many calls add up to: pure.

Both clients are noted in the same places: a request when it is handed to the transport, its answer when the transport
returns it, an event when its frame was read from the socket. Times are monotonic seconds.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

PERCENTS: Final = (50, 90, 99)


@dataclass(slots=True)
class Marks:
    """The notes of one call. None: it did not come so far."""

    due: float
    """When it should have begun, whether or not anybody was ready."""
    begun: float | None = None
    asked: float | None = None
    """Its channel was asked for."""
    dialled: float | None = None
    """The request that makes it ring was sent."""
    entered: float | None = None
    """StasisStart was read."""
    entered_by_asterisk: datetime | None = None
    """The time of day Asterisk wrote into that event, to the millisecond."""
    bridged: float | None = None
    answered: float | None = None
    reacted: float | None = None
    """The first request after the answer was sent."""
    playing: float | None = None
    requests: int = 0
    refused: int = 0
    completed: bool = False
    """Bridged, and ended as it should."""
    came_to: str = "nothing"

    def sent(self, method: str, path: str, at: float) -> None:
        """A request of this call leaves."""
        self.requests += 1
        if self.answered is not None and self.reacted is None:
            self.reacted = at
        if method != "POST":
            return
        if path in {"channels/create", "channels"}:
            self.asked = at
        if path == "channels" or path.endswith("/dial"):
            self.dialled = at

    def got(self, method: str, path: str, status: int, at: float) -> None:
        """Its answer is there."""
        if status >= 400:
            self.refused += 1
        elif method == "POST":
            if path.endswith("/addChannel"):
                self.bridged = at
            elif "/play/" in path:
                self.playing = at


@dataclass(frozen=True, slots=True)
class Sum:
    """What the calls of one step add up to. Latencies in milliseconds, by name and percentile."""

    offered: int
    completed: int
    came_to: dict[str, int]
    latencies_ms: dict[str, dict[str, float]]
    requests_per_call: float
    refused_requests: int
    extra: dict[str, float] = field(default_factory=dict)

    @property
    def completion(self) -> float:
        return self.completed / self.offered if self.offered else 0.0


def add_up(calls: Sequence[Marks], *, wall_minus_monotonic_s: float) -> Sum:
    """The figures of a step. The offset turns a monotonic time into seconds since 1970."""
    since_asterisk = [
        call.bridged + wall_minus_monotonic_s - call.entered_by_asterisk.timestamp()
        for call in calls
        if call.bridged is not None and call.entered_by_asterisk is not None
    ]
    spans = {
        "due_to_asked": _spans((call.due, call.asked) for call in calls),
        "stasis_to_bridged": _spans((call.entered, call.bridged) for call in calls),
        "stasis_to_bridged_by_asterisk": sorted(since_asterisk),
        "dial_to_answered": _spans((call.dialled, call.answered) for call in calls),
        "answered_to_first_request": _spans((call.answered, call.reacted) for call in calls),
        "answered_to_playing": _spans((call.answered, call.playing) for call in calls),
        "due_to_playing": _spans((call.due, call.playing) for call in calls),
    }
    count = len(calls) or 1
    return Sum(
        offered=len(calls),
        completed=sum(call.completed for call in calls),
        came_to=dict(Counter(call.came_to for call in calls)),
        latencies_ms={name: in_percentiles(values) for name, values in spans.items() if values},
        requests_per_call=round(sum(call.requests for call in calls) / count, 2),
        refused_requests=sum(call.refused for call in calls),
    )


def _spans(pairs: Iterable[tuple[float | None, float | None]]) -> list[float]:
    return sorted(end - start for start, end in pairs if start is not None and end is not None)


def in_percentiles(sorted_s: Sequence[float]) -> dict[str, float]:
    """p50, p90, p99 and the maximum of sorted seconds, in milliseconds."""
    found = {f"p{percent}": percentile(sorted_s, percent) for percent in PERCENTS}
    return {name: round(value * 1e3, 3) for name, value in {**found, "max": sorted_s[-1]}.items()}


def percentile(sorted_values: Sequence[float], percent: float) -> float:
    """The nearest-rank percentile: the smallest value that so many percent of all do not exceed."""
    if not sorted_values:
        raise ValueError("a percentile of nothing")
    rank = math.ceil(len(sorted_values) * percent / 100)
    return sorted_values[max(rank, 1) - 1]
