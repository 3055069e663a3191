"""The lives of the three things an emulated Asterisk keeps: channels, playbacks and recordings.

Each life is a table from (state, what happens) to the next state. A pair that is not in the table is refused, and the
thing stays as it was. What follows from a change (events, hangups, the next prompt in the queue) is not decided here.
"""

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import Final, TypeVar


class ChannelState(Enum):
    """As Asterisk spells them in a channel's JSON. RING is a caller who waits for us, RINGING one whom we call."""

    DOWN = "Down"
    RING = "Ring"
    RINGING = "Ringing"
    UP = "Up"
    GONE = "gone"  # never seen in JSON: a channel that is gone is not listed


class ChannelTurn(Enum):
    """What happens to a channel."""

    RINGS = "rings"
    IS_ANSWERED = "is answered"
    ENDS = "ends"


CHANNEL: Final[Mapping[tuple[ChannelState, ChannelTurn], ChannelState]] = MappingProxyType(
    {
        (ChannelState.DOWN, ChannelTurn.RINGS): ChannelState.RINGING,
        (ChannelState.DOWN, ChannelTurn.IS_ANSWERED): ChannelState.UP,
        (ChannelState.DOWN, ChannelTurn.ENDS): ChannelState.GONE,
        (ChannelState.RING, ChannelTurn.IS_ANSWERED): ChannelState.UP,
        (ChannelState.RING, ChannelTurn.ENDS): ChannelState.GONE,
        (ChannelState.RINGING, ChannelTurn.IS_ANSWERED): ChannelState.UP,
        (ChannelState.RINGING, ChannelTurn.ENDS): ChannelState.GONE,
        (
            ChannelState.UP,
            ChannelTurn.IS_ANSWERED,
        ): ChannelState.UP,  # answering twice is a 204 and changes nothing
        (ChannelState.UP, ChannelTurn.ENDS): ChannelState.GONE,
    }
)


class PlaybackState(Enum):
    """As Asterisk spells them. LOST is its silence about a media URI whose scheme it does not know."""

    QUEUED = "queued"
    PLAYING = "playing"
    PAUSED = "paused"
    CONTINUING = "continuing"
    DONE = "done"
    FAILED = "failed"
    LOST = "lost"  # never seen in JSON: started, and never heard of again


class PlaybackTurn(Enum):
    """What happens to a playback."""

    STARTS = "starts"
    PAUSES = "pauses"
    GOES_ON = "goes on"  # after a pause, or with the next media of its list
    HAS_MORE = "has more"  # one media of its list is over
    ENDS = "ends"  # it was played to its end, or stopped on request
    FAILS = "fails"  # no such file, or its channel left
    IS_LOST = "is lost"


PLAYBACK: Final[Mapping[tuple[PlaybackState, PlaybackTurn], PlaybackState]] = MappingProxyType(
    {
        (PlaybackState.QUEUED, PlaybackTurn.STARTS): PlaybackState.PLAYING,
        (PlaybackState.QUEUED, PlaybackTurn.ENDS): PlaybackState.DONE,
        (PlaybackState.PLAYING, PlaybackTurn.PAUSES): PlaybackState.PAUSED,
        (PlaybackState.PLAYING, PlaybackTurn.HAS_MORE): PlaybackState.CONTINUING,
        (PlaybackState.PLAYING, PlaybackTurn.ENDS): PlaybackState.DONE,
        (PlaybackState.PLAYING, PlaybackTurn.FAILS): PlaybackState.FAILED,
        (PlaybackState.PLAYING, PlaybackTurn.IS_LOST): PlaybackState.LOST,
        (PlaybackState.PAUSED, PlaybackTurn.GOES_ON): PlaybackState.PLAYING,
        (PlaybackState.PAUSED, PlaybackTurn.ENDS): PlaybackState.DONE,
        (PlaybackState.PAUSED, PlaybackTurn.FAILS): PlaybackState.FAILED,
        (PlaybackState.CONTINUING, PlaybackTurn.GOES_ON): PlaybackState.PLAYING,
    }
)


class RecordingState(Enum):
    """As Asterisk spells them."""

    QUEUED = "queued"
    RECORDING = "recording"
    PAUSED = "paused"
    DONE = "done"
    FAILED = "failed"
    CANCELED = "canceled"


class RecordingTurn(Enum):
    """What happens to a recording."""

    STARTS = "starts"
    PAUSES = "pauses"
    GOES_ON = "goes on"
    ENDS = "ends"  # stopped, full, silent for too long, a digit, or its channel left
    FAILS = "fails"  # it never began
    IS_CANCELED = "is canceled"  # stopped before its turn came


RECORDING: Final[Mapping[tuple[RecordingState, RecordingTurn], RecordingState]] = MappingProxyType(
    {
        (RecordingState.QUEUED, RecordingTurn.STARTS): RecordingState.RECORDING,
        (RecordingState.QUEUED, RecordingTurn.FAILS): RecordingState.FAILED,
        (RecordingState.QUEUED, RecordingTurn.IS_CANCELED): RecordingState.CANCELED,
        (RecordingState.RECORDING, RecordingTurn.PAUSES): RecordingState.PAUSED,
        (RecordingState.RECORDING, RecordingTurn.ENDS): RecordingState.DONE,
        (RecordingState.PAUSED, RecordingTurn.GOES_ON): RecordingState.RECORDING,
        (RecordingState.PAUSED, RecordingTurn.ENDS): RecordingState.DONE,
    }
)

S = TypeVar("S", bound=Enum)
T = TypeVar("T", bound=Enum)


def following(table: Mapping[tuple[S, T], S], state: S, turn: T) -> S | None:
    """The state after this turn, or None when the table refuses it."""
    return table.get((state, turn))
