"""From an event of Asterisk to the call it concerns: pure but for the index, and never waiting.

Ids that we chose carry the call's id, so most events find their call by reading. Only an inbound caller's channel has
an id of Asterisk's making; those are in the index.
"""

from dataclasses import dataclass, field

from core.ari_fields import UnknownEvent
from core.ari_models import (
    ChannelDestroyed,
    ChannelDtmfReceived,
    ChannelHangupRequest,
    Dial,
    Event,
    PlaybackFinished,
    RecordingFailed,
    RecordingFinished,
    StasisEnd,
    StasisStart,
)
from core.ids import CallId, ChannelId, Kind, PlaybackId, RecordingName, parse_resource_id
from sessions.events import (
    CallEvent,
    DialProgress,
    Entered,
    Gone,
    HangupRequested,
    KeyPressed,
    Left,
    PlaybackEnded,
    RecordingEnded,
)

WANTED_EVENTS = (
    "ApplicationReplaced",
    "ChannelDestroyed",
    "ChannelDtmfReceived",
    "ChannelHangupRequest",
    "Dial",
    "PlaybackFinished",
    "RecordingFailed",
    "RecordingFinished",
    "StasisEnd",
    "StasisStart",
)
"""What Asterisk is asked to send; everything else is filtered at the source."""

_UP = "Up"


def translate(event: Event | UnknownEvent) -> tuple[str, CallEvent] | None:
    """The id of the thing an event is about, and what it means to a call. None when it means nothing to any call."""
    match event:
        case StasisStart(channel=channel):
            return channel.id, Entered(ChannelId(channel.id))
        case StasisEnd(channel=channel):
            return channel.id, Left(ChannelId(channel.id), was_up=channel.state == _UP)
        case ChannelDestroyed(channel=channel, cause=cause, tech_cause=tech_cause):
            return channel.id, Gone(ChannelId(channel.id), cause, tech_cause, was_up=channel.state == _UP)
        case ChannelHangupRequest(channel=channel, cause=cause):
            return channel.id, HangupRequested(ChannelId(channel.id), cause, was_up=channel.state == _UP)
        case Dial(peer=peer, dialstatus=dialstatus):
            return peer.id, DialProgress(ChannelId(peer.id), dialstatus)
        case ChannelDtmfReceived(channel=channel, digit=digit):
            return channel.id, KeyPressed(ChannelId(channel.id), digit)
        case PlaybackFinished(playback=playback):
            return playback.id, PlaybackEnded(PlaybackId(playback.id), ok=playback.state != "failed")
        case RecordingFinished(recording=recording):
            talking = recording.talking_duration
            return recording.name, RecordingEnded(
                RecordingName(recording.name),
                ok=True,
                duration_s=None if recording.duration is None else float(recording.duration),
                talking_s=None if talking is None else float(talking),
            )
        case RecordingFailed(recording=recording):
            return recording.name, RecordingEnded(RecordingName(recording.name), ok=False)
        case _:
            return None


@dataclass(slots=True)
class Index:
    """Which call an id belongs to. `engine` is the name inside our own ids."""

    engine: str
    _callers: dict[ChannelId, CallId] = field(default_factory=dict)

    def add_caller(self, channel_id: ChannelId, call_id: CallId) -> None:
        """From now on this inbound channel belongs to this call."""
        self._callers[channel_id] = call_id

    def remove_caller(self, channel_id: ChannelId) -> None:
        """The channel belongs to nobody any more."""
        self._callers.pop(channel_id, None)

    def call_of(self, text: str) -> CallId | None:
        """The call that an id belongs to, whether or not it still lives; None for strangers."""
        call_id = self._callers.get(ChannelId(text))
        if call_id is not None:
            return call_id
        resource = parse_resource_id(text)
        if resource is None or resource.engine != self.engine or resource.half:
            return None
        return resource.call

    def is_leg(self, text: str) -> bool:
        """Whether an id names a channel that we made."""
        resource = parse_resource_id(text)
        return resource is not None and resource.engine == self.engine and resource.kind in _LEGS

    def __len__(self) -> int:
        return len(self._callers)


_LEGS = frozenset({Kind.CUSTOMER, Kind.OPERATOR, Kind.MEDIA})
