"""What arrives in a call's mailbox: facts from Asterisk, answers to our own commands, timers, requests from above.

Everything a call ever learns is one of these values, in the order in which it learned them; the journal is their list.
"""

from dataclasses import dataclass
from typing import Final

from core.ids import ChannelId, PlaybackId, RecordingName
from sessions.commands import Command


@dataclass(frozen=True, slots=True)
class Begin:
    """The first event of every call."""


@dataclass(frozen=True, slots=True)
class Entered:
    """A leg is in our application (StasisStart)."""

    channel_id: ChannelId


@dataclass(frozen=True, slots=True)
class Left:
    """A leg has left our application (StasisEnd); usually ChannelDestroyed follows. `was_up`: it had been answered."""

    channel_id: ChannelId
    was_up: bool = False


@dataclass(frozen=True, slots=True)
class Gone:
    """A leg exists no more (ChannelDestroyed). `cause` is Q.850, `tech_cause` the SIP status where Asterisk tells it.

    `was_up`: it had been answered, even if the event that said so is still on its way.
    """

    channel_id: ChannelId
    cause: int
    tech_cause: int | None = None
    was_up: bool = False


@dataclass(frozen=True, slots=True)
class HangupRequested:
    """A leg is about to hang up (ChannelHangupRequest). `was_up`: it had been answered."""

    channel_id: ChannelId
    cause: int | None = None
    was_up: bool = False


@dataclass(frozen=True, slots=True)
class DialProgress:
    """How a dial goes (Dial): "" when it left, then RINGING, PROGRESS, ANSWER, BUSY, NOANSWER, CONGESTION, …"""

    channel_id: ChannelId
    status: str


@dataclass(frozen=True, slots=True)
class PlaybackEnded:
    """A playback is over; `ok` is False when Asterisk could not play it, or nobody knows whether it did."""

    playback_id: PlaybackId
    ok: bool = True


@dataclass(frozen=True, slots=True)
class RecordingEnded:
    """A recording is over. Durations in seconds, None where Asterisk measured none."""

    name: RecordingName
    ok: bool
    duration_s: float | None = None
    talking_s: float | None = None


@dataclass(frozen=True, slots=True)
class RecordingMeasured:
    """A recording was fetched and measured."""

    name: RecordingName
    is_empty: bool


@dataclass(frozen=True, slots=True)
class KeyPressed:
    """A key of the telephone (ChannelDtmfReceived)."""

    channel_id: ChannelId
    digit: str


@dataclass(frozen=True, slots=True)
class Vanished:
    """Asterisk was asked and does not know this leg any more; its end was missed."""

    channel_id: ChannelId


@dataclass(frozen=True, slots=True)
class Resynced:
    """Events were missed for a while, and the legs of this call are still there: ask about whatever is awaited."""


@dataclass(frozen=True, slots=True)
class LegIsUp:
    """Asterisk was asked: the leg is there. `up` says whether it is answered."""

    channel_id: ChannelId
    up: bool


@dataclass(frozen=True, slots=True)
class StillRunning:
    """Asterisk was asked: the playback or recording that is awaited goes on."""


@dataclass(frozen=True, slots=True)
class Done:
    """A command was carried out."""

    command: Command


@dataclass(frozen=True, slots=True)
class Failed:
    """A command was not carried out. `gone` says that the other side has left, which is no fault of anyone.

    `doubtful`: no answer came, so it may have been carried out after all.
    """

    command: Command
    error: str
    gone: bool = False
    doubtful: bool = False


@dataclass(frozen=True, slots=True)
class TimerFired:
    """A timer that the call set has run out. `n` tells one wait from the next."""

    name: str
    n: int = 0


ASKED: Final = "asked"
"""The reason of a stop that a person asked for: no fault of anyone."""


@dataclass(frozen=True, slots=True)
class StopRequested:
    """Someone above wants this call to end: shutdown, an operator, an overfull mailbox. `reason` is one word for them all."""

    reason: str


CallEvent = (
    Begin
    | Entered
    | Left
    | Gone
    | HangupRequested
    | DialProgress
    | PlaybackEnded
    | RecordingEnded
    | RecordingMeasured
    | KeyPressed
    | Vanished
    | Resynced
    | LegIsUp
    | StillRunning
    | Done
    | Failed
    | TimerFired
    | StopRequested
)

TERMINAL = (Gone, Left, HangupRequested, Vanished, StopRequested)
"""Events that end a call: a mailbox always has room for them."""
