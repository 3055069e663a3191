"""Who hears what: subscriptions, filters, sockets, and the events themselves.

An event about a channel or bridge goes to every application that is subscribed to one of the two, through its filter,
to the socket that holds the application now. Nobody listening means the event is lost, as in Asterisk.
"""

from integrations.emulator.shapes import bridge_json, cause_text, channel_json, playback_json, recording_json
from integrations.emulator.world import App, Bridge, Channel, Event, Playback, Recording, Socket, World

ALL_CHANNELS = "channel:__AST_CHANNEL_ALL_TOPIC"
ALL_BRIDGES = "bridge:__AST_BRIDGE_ALL_TOPIC"


def want(world: World, app: App, key: str) -> None:
    """One more reason for an application to hear of something."""
    app.wanted[key] += 1
    world.listeners.setdefault(key, {})[app.name] = app


def unwant(world: World, app: App, key: str, *, wholly: bool = False) -> None:
    """One reason less. What nobody has a reason for is not heard of; an abandoned app without reasons is gone."""
    if key not in app.wanted:
        return
    app.wanted[key] -= 1
    if wholly or app.wanted[key] <= 0:
        del app.wanted[key]
        hearers = world.listeners[key]
        hearers.pop(app.name, None)
        if not hearers:
            del world.listeners[key]
    bury_if_dead(world, app)


def nobody_wants(world: World, key: str) -> None:
    """What a key names is gone, and so are all subscriptions to it."""
    for app in list(world.listeners.get(key, {}).values()):
        unwant(world, app, key, wholly=True)


def bury_if_dead(world: World, app: App) -> None:
    """An application without a socket lives as long as it is subscribed to something."""
    if app.socket is None and not app.wanted and world.apps.get(app.name) is app:
        del world.apps[app.name]


def send(world: World, app: App, event: Event) -> None:
    """Give an application an event, through its filter, if someone holds it."""
    kind = str(event["type"])
    socket = None if app.socket is None else world.sockets.get(app.socket)
    if socket is None:
        world.counters["events_missed"] += 1
    elif not app.passes(kind):
        world.counters["events_filtered"] += 1
    else:
        put(world, socket, event | {"application": app.name})


def put(world: World, socket: Socket, event: Event) -> None:
    """Write one event to a socket. A reader that lets too much pile up is cut off, as Asterisk's write timeout does."""
    if not socket.is_open:
        return
    world.counters["events_sent"] += 1
    if socket.sink is not None:
        socket.sink(event)
        return
    if len(socket.events) >= world.settings.socket_queue:
        world.counters["sockets_cut_off"] += 1
        close(world, socket)
        return
    socket.events.append(event)


def close(world: World, socket: Socket) -> None:
    """A socket is closed, by either side. Its applications stay while they are subscribed to something."""
    world.sockets.pop(socket.id, None)
    socket.is_open = False
    for name in socket.apps:
        app = world.apps.get(name)
        if app is not None and app.socket == socket.id:
            app.socket = None
            bury_if_dead(world, app)


def base(world: World, kind: str) -> Event:
    """What every event has."""
    return {"type": kind, "timestamp": world.stamp(), "asterisk_id": world.settings.asterisk_id}


def _hearers(world: World, kind: str, *keys: str) -> list[App]:
    found: dict[str, App] = {}
    for key in keys:
        found.update(world.listeners.get(key, {}))
    hearers = []
    for app in found.values():
        if app.socket is None:
            world.counters["events_missed"] += 1
        elif not app.passes(kind):
            world.counters["events_filtered"] += 1
        else:
            hearers.append(app)
    return hearers


def channel_event(world: World, kind: str, channel: Channel, **more: object) -> None:
    """An event whose subject is one channel."""
    hearers = _hearers(world, kind, f"channel:{channel.id}", ALL_CHANNELS)
    if hearers:
        event = base(world, kind) | more | {"channel": channel_json(world, channel)}
        for app in hearers:
            send(world, app, event)


def destroyed(world: World, channel: Channel, cause: int) -> None:
    """The last event of a channel."""
    channel_event(world, "ChannelDestroyed", channel, cause=cause, cause_txt=cause_text(cause))


def dial_event(world: World, channel: Channel, status: str, dialstring: str = "") -> None:
    """How a dialled channel fares."""
    hearers = _hearers(world, "Dial", f"channel:{channel.id}", ALL_CHANNELS)
    if hearers:
        event = base(world, "Dial") | {
            "dialstatus": status,
            "forward": "",
            "dialstring": dialstring,
            "peer": channel_json(world, channel),
        }
        for app in hearers:
            send(world, app, event)


def membership_event(world: World, kind: str, bridge: Bridge, channel: Channel) -> None:
    """Someone entered or left a bridge; whoever listens to either hears it once."""
    hearers = _hearers(world, kind, f"channel:{channel.id}", f"bridge:{bridge.id}", ALL_BRIDGES)
    if hearers:
        event = base(world, kind) | {
            "bridge": bridge_json(world, bridge, with_hidden=kind == "ChannelLeftBridge"),
            "channel": channel_json(world, channel),
        }
        for app in hearers:
            send(world, app, event)


def bridge_event(world: World, kind: str, bridge: Bridge) -> None:
    """A bridge began or is gone."""
    hearers = _hearers(world, kind, f"bridge:{bridge.id}", ALL_BRIDGES)
    for app in hearers:
        send(world, app, base(world, kind) | {"bridge": bridge_json(world, bridge)})


def playback_event(world: World, kind: str, playback: Playback) -> None:
    """A playback began, went on or is over. Whoever listens to its target hears it."""
    everything = ALL_BRIDGES if playback.target.startswith("bridge:") else ALL_CHANNELS
    for app in _hearers(world, kind, playback.target, everything):
        send(world, app, base(world, kind) | {"playback": playback_json(playback)})


def recording_event(world: World, kind: str, recording: Recording) -> None:
    """A recording began, failed or is over. Whoever listens to its target hears it."""
    everything = ALL_BRIDGES if recording.target.startswith("bridge:") else ALL_CHANNELS
    for app in _hearers(world, kind, recording.target, everything):
        send(world, app, base(world, kind) | {"recording": recording_json(recording)})


def enters_stasis(world: World, channel: Channel, app: App, args: tuple[str, ...]) -> None:
    """A channel is now in an application."""
    channel.app, channel.app_args = app.name, args
    if not channel.is_originated:
        channel_event(
            world,
            "ChannelDialplan",
            channel,
            dialplan_app="Stasis",
            dialplan_app_data=",".join((app.name, *args)),
        )
    channel_event(world, "ChannelVarset", channel, variable="STASISSTATUS", value="")
    want(world, app, f"channel:{channel.id}")
    start = base(world, "StasisStart") | {"args": list(args), "channel": channel_json(world, channel)}
    send(world, app, start)


def leaves_stasis(world: World, channel: Channel) -> None:
    """A channel is out of its application, which then hears of it only if it asked for that."""
    app = world.apps.get(channel.app)
    if app is None:
        return
    send(world, app, base(world, "StasisEnd") | {"channel": channel_json(world, channel)})
    channel.app, channel.app_args = "", ()
    unwant(world, app, f"channel:{channel.id}")
    channel_event(world, "ChannelVarset", channel, variable="STASISSTATUS", value="SUCCESS")
