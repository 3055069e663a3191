"""The requests about channels: made, dialled, answered, played to, recorded, asked, hung up."""

from collections.abc import Callable
from typing import Final

from integrations.emulator import departures, dialling, events, lines, playbacks, recordings
from integrations.emulator.replies import (
    ALLOCATION_FAILED,
    CHANNEL_EXISTS,
    CHANNEL_NOT_FOUND,
    CHANNEL_NOT_IN_STASIS,
    CHANNEL_WRONG_STATE,
    Ask,
    Reply,
    no_content,
    ok,
    refuse,
)
from integrations.emulator.shapes import channel_json
from integrations.emulator.states import CHANNEL, ChannelState, ChannelTurn, following
from integrations.emulator.world import CONTINUE, Channel, World

ORIGINATE_TIMEOUT_S: Final = 30
_CLASHES_KEPT: Final = 10_000
_NOT_ANSWERED: Final = frozenset({ChannelState.DOWN, ChannelState.RINGING})
_REASONS: Final = {
    "normal": 16,
    "busy": 17,
    "congestion": 34,
    "no_answer": 19,
    "timeout": 19,
    "rejected": 21,
    "unallocated": 1,
    "normal_unspecified": 31,
    "number_incomplete": 28,
    "codec_mismatch": 127,
    "interworking": 127,
    "failure": 38,
    "answered_elsewhere": 26,
}


def create(world: World, ask: Ask) -> Reply:
    """POST /channels/create: in its application at once, Down until it is dialled."""
    channel = _make(world, ask)
    if isinstance(channel, Reply):
        return channel
    channel.wants_app = ask.get("app")
    channel.app_args = _args(ask)
    _set_variables(world, channel, ask)
    answer = channel_json(world, channel)
    app = world.apps.get(channel.wants_app)
    if app is not None and app.socket is not None:
        # Asked for by the application, so it hears of this channel even after StasisEnd (measured).
        events.want(world, app, f"channel:{channel.id}")
        for name, value in channel.variables.items():
            events.channel_event(world, "ChannelVarset", channel, variable=name, value=value)
    dialling.reach_stasis(world, channel)
    return ok(answer)


def originate(world: World, ask: Ask) -> Reply:
    """POST /channels and /channels/{channelId}: dialled at once, in its application when answered."""
    if ask.get("endpoint") and not ask.get("app") and not ask.get("extension"):
        return refuse(400, "Application or extension must be specified")
    channel = _make(world, ask)
    if isinstance(channel, Reply):
        return channel
    channel.is_originated = True
    channel.wants_app = ask.get("app")
    channel.app_args = _args(ask)
    if ask.get("callerId"):
        channel.caller = channel.connected = dialling.parse_caller_id(ask.get("callerId"))
    app = world.apps.get(channel.wants_app)
    if app is not None:
        events.want(world, app, f"channel:{channel.id}")
        if channel.far_half:
            events.want(world, app, f"channel:{channel.far_half}")
    _set_variables(world, channel, ask)
    answer = channel_json(world, channel)
    dialling.dial(world, channel, ask.whole("timeout", ORIGINATE_TIMEOUT_S))
    return ok(answer)


def dial(world: World, ask: Ask) -> Reply:
    """POST /channels/{channelId}/dial: accepted; how it fares is told by events."""
    channel = _in_stasis(world, ask)
    if isinstance(channel, Reply):
        return channel
    if channel.state is not ChannelState.DOWN or channel.is_dialled:
        return refuse(409, "Channel is not in the 'Down' state")
    dialling.dial(world, channel, ask.whole("timeout", 0))
    return no_content()


def list_all(world: World, _ask: Ask) -> Reply:
    """GET /channels: both halves of Local channels, and whatever is outside Stasis."""
    return ok([channel_json(world, channel) for channel in world.channels.values()])


def get(world: World, ask: Ask) -> Reply:
    """GET /channels/{channelId}."""
    channel = world.channels.get(ask.get("channelId"))
    return CHANNEL_NOT_FOUND if channel is None else ok(channel_json(world, channel))


def delete(world: World, ask: Ask) -> Reply:
    """DELETE /channels/{channelId}."""
    channel = world.channels.get(ask.get("channelId"))
    if channel is None:
        return CHANNEL_NOT_FOUND
    reason, code = ask.get("reason"), ask.get("reason_code")
    if reason and code:
        return refuse(400, "The reason and reason_code can't both be specified")
    if reason and reason not in _REASONS:
        return refuse(400, "Invalid reason for hangup reason provided")
    if code and not (code.isascii() and code.isdigit() and int(code) <= 127):
        return refuse(400, "Invalid reason for hangup reason code provided")
    departures.hang_up(world, channel, int(code) if code else _REASONS[reason or "normal"], asked_by_us=True)
    return no_content()


def answer(world: World, ask: Ask) -> Reply:
    """POST /channels/{channelId}/answer. What we dialled ourselves cannot be answered by us."""
    channel = _ready(world, ask)
    if isinstance(channel, Reply):
        return channel
    state = following(CHANNEL, channel.state, ChannelTurn.IS_ANSWERED)
    if state is not None and state is not channel.state:
        channel.state = state
        events.channel_event(world, "ChannelStateChange", channel)
        lines.answered(world, channel)
    return no_content()


def play(world: World, ask: Ask) -> Reply:
    """POST /channels/{channelId}/play and /play/{playbackId}."""
    channel = _ready(world, ask)
    return channel if isinstance(channel, Reply) else playbacks.queue(world, ask, channel)


def record(world: World, ask: Ask) -> Reply:
    """POST /channels/{channelId}/record."""
    channel = _in_stasis(world, ask)
    return channel if isinstance(channel, Reply) else recordings.queue(world, ask, channel)


def go_on(world: World, ask: Ask) -> Reply:
    """POST /channels/{channelId}/continue: back to the dialplan, when what it plays is over."""
    channel = _ready(world, ask)
    if isinstance(channel, Reply):
        return channel
    if channel.jobs:
        channel.moving_to = CONTINUE
    else:
        departures.give_back(world, channel)
    return no_content()


def indicate(world: World, ask: Ask) -> Reply:
    """ring, moh, hold, silence: taken, and without effect on anybody here."""
    channel = _ready(world, ask)
    return channel if isinstance(channel, Reply) else no_content()


def mute(world: World, ask: Ask) -> Reply:
    """POST and DELETE /channels/{channelId}/mute."""
    channel = _in_stasis(world, ask)
    if isinstance(channel, Reply):
        return channel
    return no_content() if ask.get("direction") else refuse(400, "Direction is required")


def dtmf(world: World, ask: Ask) -> Reply:
    """POST /channels/{channelId}/dtmf: sent to the far end, where nobody listens to it."""
    channel = _in_stasis(world, ask)
    if isinstance(channel, Reply):
        return channel
    return no_content() if ask.get("dtmf") else refuse(400, "DTMF is required")


def get_variable(world: World, ask: Ask) -> Reply:
    """GET /channels/{channelId}/variable."""
    name = ask.get("variable")
    if not name:
        return refuse(400, "Variable name is required")
    channel = world.channels.get(ask.get("channelId"))
    if channel is None:
        return refuse(404, "Provided channel was not found")
    known: dict[str, Callable[[], str]] = {
        "CHANNEL(state)": lambda: channel.state.value,
        "CHANNEL(name)": lambda: channel.name,
        "CALLERID(num)": lambda: channel.caller.number,
        "CALLERID(name)": lambda: channel.caller.name,
        "EXTEN": lambda: channel.exten,
        "UNIQUEID": lambda: channel.id,
    }
    value = known[name]() if name in known else channel.variables.get(name)
    return refuse(404, "Provided variable was not found") if value is None else ok({"value": value})


def set_variable(world: World, ask: Ask) -> Reply:
    """POST /channels/{channelId}/variable."""
    name = ask.get("variable")
    if not name:
        return refuse(400, "Variable name is required")
    channel = _in_stasis(world, ask)
    if isinstance(channel, Reply):
        return channel
    channel.variables[name] = ask.get("value")
    events.channel_event(world, "ChannelVarset", channel, variable=name, value=channel.variables[name])
    return no_content()


# ---- shared


def _make(world: World, ask: Ask) -> Channel | Reply:
    text = ask.get("endpoint")
    if not text:
        return refuse(400, "Endpoint must be specified")
    technology, _, rest = text.partition("/")
    if not technology or not rest:
        return refuse(400, "Invalid endpoint specified")
    channel_id = ask.get("channelId")
    far_id = ask.get("otherChannelId") if channel_id else ""
    if channel_id in world.channels or (far_id and far_id in world.channels):
        if ask.connection:
            # Asterisk keeps this error for the connection: every later failure on it is told as a duplicate.
            world.clashed[ask.connection] = None
            if len(world.clashed) > _CLASHES_KEPT:
                world.clashed.popitem(last=False)
        return CHANNEL_EXISTS
    endpoint = dialling.parse_endpoint(world, text)
    if endpoint is None:
        return CHANNEL_EXISTS if ask.connection in world.clashed else ALLOCATION_FAILED
    return dialling.make(world, endpoint, channel_id or world.unique_id(), far_id)


def _args(ask: Ask) -> tuple[str, ...]:
    text = ask.get("appArgs")
    return tuple(text.split(",")) if text else ()


def _set_variables(world: World, channel: Channel, ask: Ask) -> None:
    """On the channel we hold; with originate on its far half as well, which is where Asterisk announces them."""
    channel.variables.update(ask.variables)
    far = world.channels.get(channel.far_half)
    if far is not None:
        far.variables.update(ask.variables)
        if channel.is_originated:
            for name, value in ask.variables.items():
                events.channel_event(world, "ChannelVarset", far, variable=name, value=value)


def _in_stasis(world: World, ask: Ask) -> Channel | Reply:
    channel = world.channels.get(ask.get("channelId"))
    if channel is None:
        return CHANNEL_NOT_FOUND
    return channel if channel.app else CHANNEL_NOT_IN_STASIS


def _ready(world: World, ask: Ask) -> Channel | Reply:
    channel = _in_stasis(world, ask)
    if isinstance(channel, Channel) and channel.state in _NOT_ANSWERED:
        return CHANNEL_WRONG_STATE
    return channel
