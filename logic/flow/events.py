"""What enters the flow engine: a closed union of values.

Each answer names the `turn` of the effect it answers, so that a late answer to an earlier turn is recognised and
ignored. Time and everything the outside decided enter here and nowhere else.
"""

from dataclasses import dataclass
from enum import StrEnum


class HeardKind(StrEnum):
    """What a recording turned out to hold."""

    SPEECH = "speech"
    EMPTY = "empty"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class CallStarted:
    """The other side is there and can hear us. `elapsed_s` counts from here."""


@dataclass(frozen=True, slots=True)
class Said:
    """What was to be said in `turn` has been said; `ok` is False when it could not be heard."""

    turn: int
    ok: bool = True


@dataclass(frozen=True, slots=True)
class Heard:
    """The recording of `turn` is over. Durations in seconds; `talking_s` is None when nobody measured it."""

    turn: int
    kind: HeardKind
    duration_s: float = 0.0
    talking_s: float | None = None


@dataclass(frozen=True, slots=True)
class Pressed:
    """A key of the telephone: 0-9, *, #, A-D."""

    digit: str


@dataclass(frozen=True, slots=True)
class CallEnded:
    """The other side is gone. Nothing can be said any more."""


FlowEvent = CallStarted | Said | Heard | Pressed | CallEnded
