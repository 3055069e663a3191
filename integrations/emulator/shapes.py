"""The JSON of everything, field for field as Asterisk 22 gives it."""

from integrations.emulator.states import ChannelState
from integrations.emulator.world import (
    App,
    Bridge,
    Channel,
    Party,
    Playback,
    Recording,
    StoredRecording,
    World,
)

CAUSES = {
    0: "Unknown",
    1: "Unallocated (unassigned) number",
    3: "No route to destination",
    16: "Normal Clearing",
    17: "User busy",
    18: "No user responding",
    19: "User alerting, no answer",
    20: "Subscriber absent",
    21: "Call Rejected",
    26: "Answered elsewhere",
    27: "Destination out of order",
    31: "Normal, unspecified",
    34: "Circuit/channel congestion",
    38: "Network out of order",
    127: "Interworking, unspecified",
}


def cause_text(cause: int) -> str:
    """The words for a Q.850 cause."""
    return CAUSES.get(cause, "Unknown")


def _party(party: Party) -> dict[str, object]:
    return {"name": party.name, "number": party.number}


def channel_json(world: World, channel: Channel) -> dict[str, object]:
    """A Channel. `app_name` is the dialplan application it is in, Stasis for ours."""
    if channel.app:
        app_name, app_data = "Stasis", ",".join((channel.app, *channel.app_args))
    elif channel.is_originated:
        app_name, app_data = "AppDial2", "(Outgoing Line)"
    else:
        app_name, app_data = channel.in_dialplan, ""
    state = ChannelState.UP if channel.state is ChannelState.GONE else channel.state
    return {
        "id": channel.id,
        "name": channel.name,
        "state": state.value,
        "protocol_id": channel.protocol_id,
        "caller": _party(channel.caller),
        "connected": _party(channel.connected),
        "accountcode": "",
        "dialplan": {
            "context": channel.context,
            "exten": channel.exten,
            "priority": 1,
            "app_name": app_name,
            "app_data": app_data,
        },
        "creationtime": world.stamp(channel.created_at),
        "language": "en",
    }


def bridge_json(world: World, bridge: Bridge, *, with_hidden: bool = False) -> dict[str, object]:
    """A Bridge. In events about someone who left, Asterisk also lists its own announcer and recorders."""
    if bridge.kind == "holding":
        technology = "holding_bridge"
    else:
        technology = "simple_bridge" if len(bridge.channels) < 2 else "softmix"
    hidden = [i for i in (bridge.announcer, *bridge.recorders.values()) if i] if with_hidden else []
    return {
        "id": bridge.id,
        "technology": technology,
        "bridge_type": bridge.kind,
        "bridge_class": "stasis",
        "creator": "Stasis",
        "name": bridge.name,
        "channels": [*bridge.channels, *hidden],
        "creationtime": world.stamp(bridge.created_at),
        "video_mode": "talker" if bridge.kind == "mixing" else "none",
    }


def playback_json(playback: Playback) -> dict[str, object]:
    """A Playback."""
    out: dict[str, object] = {"id": playback.id, "media_uri": playback.media[playback.index]}
    if playback.index + 1 < len(playback.media):
        out["next_media_uri"] = playback.media[playback.index + 1]
    return out | {
        "target_uri": playback.target,
        "language": playback.language,
        "state": playback.state.value,
    }


def recording_json(recording: Recording) -> dict[str, object]:
    """A LiveRecording. Durations come when it is over, the talking and the silent one only if silence was measured."""
    out: dict[str, object] = {
        "name": recording.name,
        "format": recording.format,
        "state": recording.state.value,
        "target_uri": recording.target,
    }
    if recording.cause:
        out["cause"] = recording.cause
    if recording.duration_s is not None:
        out["duration"] = recording.duration_s
        if recording.talking_s is not None:
            out["talking_duration"] = recording.talking_s
            out["silence_duration"] = recording.duration_s - recording.talking_s
    return out


def stored_json(stored: StoredRecording) -> dict[str, object]:
    """A StoredRecording."""
    return {"name": stored.name, "format": stored.format}


def app_json(app: App) -> dict[str, object]:
    """An Application."""

    def ids(scheme: str) -> list[str]:
        return [key.partition(":")[2] for key in app.wanted if key.startswith(f"{scheme}:")]

    return {
        "name": app.name,
        "channel_ids": ids("channel"),
        "bridge_ids": ids("bridge"),
        "endpoint_ids": ids("endpoint"),
        "device_names": ids("deviceState"),
        "events_allowed": [{"type": kind} for kind in app.allowed],
        "events_disallowed": [{"type": kind} for kind in app.disallowed],
    }
