"""What is due when: happenings of the emulated world as values, in order of time and then of entry.

A happening names its subject by id. Whether the subject still cares is decided when it is due, so nothing here is ever
taken back. Knows no clock.
"""

import heapq
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EntersStasis:
    """A created channel reaches its application."""

    channel_id: str


@dataclass(frozen=True, slots=True)
class Rings:
    """The far end of a dialled channel begins to ring."""

    channel_id: str


@dataclass(frozen=True, slots=True)
class PicksUp:
    """The far end of a dialled channel answers."""

    channel_id: str


@dataclass(frozen=True, slots=True)
class LetsGo:
    """The far end ends a call that was never answered."""

    channel_id: str
    cause: int


@dataclass(frozen=True, slots=True)
class RingingTooLong:
    """The timeout given with dial or originate is over."""

    channel_id: str


@dataclass(frozen=True, slots=True)
class ActDue:
    """A person acts. `edition` is how often the act was put off: only the newest counts."""

    channel_id: str
    act: int
    edition: int


@dataclass(frozen=True, slots=True)
class TalkEnds:
    """A person with talk detection on has been quiet long enough."""

    channel_id: str
    duration_ms: int


@dataclass(frozen=True, slots=True)
class MediaEnds:
    """One media of a playback is over, unless it was stopped, paused or restarted: then the edition has changed."""

    serial: int
    edition: int


@dataclass(frozen=True, slots=True)
class RecordingLooks:
    """A recording looks whether it should end."""

    serial: int
    edition: int


@dataclass(frozen=True, slots=True)
class NextJob:
    """A channel's or bridge's queue may go on."""

    target: str


@dataclass(frozen=True, slots=True)
class DialplanEnds:
    """The dialplan that a caller fell into hangs up."""

    channel_id: str


Happening = (
    EntersStasis
    | Rings
    | PicksUp
    | LetsGo
    | RingingTooLong
    | ActDue
    | TalkEnds
    | MediaEnds
    | RecordingLooks
    | NextJob
    | DialplanEnds
)


class Agenda:
    """Happenings ordered by time; those of the same time in the order they were put in."""

    def __init__(self) -> None:
        self._due: list[tuple[float, int, Happening]] = []
        self._entered = 0

    def put(self, due: float, happening: Happening) -> None:
        """Something will happen at this time."""
        self._entered += 1
        heapq.heappush(self._due, (due, self._entered, happening))

    def next_due(self) -> float | None:
        """When the next one is due; None when nothing is."""
        return self._due[0][0] if self._due else None

    def pop(self, now: float) -> tuple[float, Happening] | None:
        """The first that is due by now, with its time."""
        if not self._due or self._due[0][0] > now:
            return None
        due, _, happening = heapq.heappop(self._due)
        return due, happening

    def clear(self) -> None:
        """Forget everything."""
        self._due.clear()
