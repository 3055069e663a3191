"""What a call wants done: a closed union of values, carried out one after another by `sessions.effects`.

Timers are set and notes for the store queued by the call's own loop, at once. Every other command is answered in the
mailbox: by `Done` or `Failed`, or for the questions (`Ask…`) by the event that holds the answer.
"""

from dataclasses import dataclass

from core.ids import BridgeId, ChannelId, PlaybackId, RecordingName


@dataclass(frozen=True, slots=True)
class MakeBridge:
    """Create the call's mixing bridge."""

    bridge_id: BridgeId


@dataclass(frozen=True, slots=True)
class CreateLeg:
    """Create an outbound channel without dialling it: it enters our application at once. It will show `caller_id`."""

    channel_id: ChannelId
    endpoint: str
    caller_id: str


@dataclass(frozen=True, slots=True)
class RecordDial:
    """Write to disk that the dial may have left, before it leaves. Uses up the permit."""


@dataclass(frozen=True, slots=True)
class DialLeg:
    """Dial a created channel."""

    channel_id: ChannelId
    timeout_s: float


@dataclass(frozen=True, slots=True)
class OriginateLeg:
    """Create and dial in one: the channel enters our application when it is answered."""

    channel_id: ChannelId
    endpoint: str
    caller_id: str
    timeout_s: float


@dataclass(frozen=True, slots=True)
class AnswerLeg:
    """Answer an inbound channel."""

    channel_id: ChannelId


@dataclass(frozen=True, slots=True)
class JoinBridge:
    """Put a leg into the call's bridge."""

    bridge_id: BridgeId
    channel_id: ChannelId


@dataclass(frozen=True, slots=True)
class Play:
    """Play sounds on the bridge, one after another."""

    bridge_id: BridgeId
    playback_id: PlaybackId
    media: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StartRecording:
    """Record what is heard on the bridge."""

    bridge_id: BridgeId
    name: RecordingName
    max_s: float
    silence_s: float


@dataclass(frozen=True, slots=True)
class AskPlayback:
    """Is this playback still going on?"""

    playback_id: PlaybackId


@dataclass(frozen=True, slots=True)
class AskRecording:
    """Is this recording still going on, and if not, did it succeed?"""

    name: RecordingName


@dataclass(frozen=True, slots=True)
class MeasureRecording:
    """Fetch a recording that is over, and find out whether it holds anything."""

    name: RecordingName


@dataclass(frozen=True, slots=True)
class AskLeg:
    """Is this leg there, and is it answered?"""

    channel_id: ChannelId


@dataclass(frozen=True, slots=True)
class NoteAnswered:
    """Write down that the other side has answered."""


@dataclass(frozen=True, slots=True)
class SaveFlow:
    """Write down where the conversation waits."""

    turn: int


@dataclass(frozen=True, slots=True)
class SetTimer:
    """Set (or set again) a timer of this name."""

    name: str
    after_s: float
    n: int = 0


@dataclass(frozen=True, slots=True)
class CancelTimer:
    """Forget a timer of this name."""

    name: str


Command = (
    MakeBridge
    | CreateLeg
    | RecordDial
    | DialLeg
    | OriginateLeg
    | AnswerLeg
    | JoinBridge
    | Play
    | StartRecording
    | AskPlayback
    | AskRecording
    | MeasureRecording
    | AskLeg
    | NoteAnswered
    | SaveFlow
    | SetTimer
    | CancelTimer
)
