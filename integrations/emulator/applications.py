"""Applications and the sockets that hold them: who may hear, what is let through, and when an application is gone."""

from collections.abc import Mapping

from integrations.emulator import events
from integrations.emulator.replies import APPLICATION_NOT_FOUND, Ask, Reply, ok, refuse
from integrations.emulator.shapes import app_json
from integrations.emulator.world import App, Sink, Socket, World

_WHOLE = {"channel:": events.ALL_CHANNELS, "bridge:": events.ALL_BRIDGES}
_OTHER_SCHEMES = frozenset({"endpoint", "deviceState"})


def connect(world: World, names: tuple[str, ...], sink: Sink | None, *, subscribe_all: bool) -> int:
    """A socket takes applications over. Whoever held one is told, and goes deaf."""
    socket = Socket(world.serial(), names, sink)
    world.sockets[socket.id] = socket
    for name in names:
        app = world.apps.get(name)
        if app is None:
            app = world.apps[name] = App(name)
            if subscribe_all:  # looked at only where the application is new
                for key in _WHOLE.values():
                    events.want(world, app, key)
        before = None if app.socket is None else world.sockets.get(app.socket)
        if before is not None:
            replaced = events.base(world, "ApplicationReplaced") | {"application": name}
            events.put(world, before, replaced)
            world.counters["sockets_replaced"] += 1
        app.socket = socket.id
    return socket.id


# ---- requests


def list_all(world: World, _ask: Ask) -> Reply:
    """GET /applications."""
    return ok([app_json(app) for app in world.apps.values()])


def get(world: World, ask: Ask) -> Reply:
    """GET /applications/{applicationName}."""
    app = world.apps.get(ask.get("applicationName"))
    return APPLICATION_NOT_FOUND if app is None else ok(app_json(app))


def subscribe(world: World, ask: Ask) -> Reply:
    """POST /applications/{applicationName}/subscription."""
    app = world.apps.get(ask.get("applicationName"))
    if app is None:
        return APPLICATION_NOT_FOUND
    keys = _sources(world, ask)
    if isinstance(keys, Reply):
        return keys
    for key in keys:
        events.want(world, app, key)
    return ok(app_json(app))


def unsubscribe(world: World, ask: Ask) -> Reply:
    """DELETE /applications/{applicationName}/subscription: takes back one of its reasons to hear of it."""
    app = world.apps.get(ask.get("applicationName"))
    if app is None:
        return APPLICATION_NOT_FOUND
    keys = _sources(world, ask)
    if isinstance(keys, Reply):
        return keys
    if any(key not in app.wanted for key in keys):
        return refuse(422, "Event source was not subscribed to")
    for key in keys:
        events.unwant(world, app, key)
    return ok(app_json(app))


def set_filter(world: World, ask: Ask) -> Reply:
    """PUT /applications/{applicationName}/eventFilter. Without a body everything passes; a list not named stays."""
    app = world.apps.get(ask.get("applicationName"))
    if app is None:
        return APPLICATION_NOT_FOUND
    body = {"allowed": [], "disallowed": []} if ask.body is None else ask.body
    if not isinstance(body, Mapping):
        return refuse(400, "Invalid format definition")
    lists: dict[str, list[str]] = {}
    for name in ("allowed", "disallowed"):
        kinds = _kinds(body.get(name, []))
        if kinds is None:
            return refuse(400, "Invalid format definition")
        if name in body:
            lists[name] = kinds
    app.allowed = lists.get("allowed", app.allowed)
    app.disallowed = lists.get("disallowed", app.disallowed)
    return ok(app_json(app))


def _kinds(listed: object) -> list[str] | None:
    if not isinstance(listed, list):
        return None
    kinds = [item.get("type") if isinstance(item, Mapping) else None for item in listed]
    return (
        [kind for kind in kinds if isinstance(kind, str)] if all(isinstance(k, str) for k in kinds) else None
    )


def _sources(world: World, ask: Ask) -> list[str] | Reply:
    text = ask.get("eventSource")
    if not text:
        return refuse(400, "Missing parameter eventSource")
    keys = []
    for source in text.split(","):
        kind, _, name = source.partition(":")
        exists = {"channel": name in world.channels, "bridge": name in world.bridges}
        if source in _WHOLE:
            keys.append(_WHOLE[source])
        elif kind not in exists and kind not in _OTHER_SCHEMES:
            return refuse(400, "Invalid event source URI scheme")
        elif not exists.get(kind, True):
            return refuse(422, "Event source does not exist")
        else:
            keys.append(source)
    return keys
