"""The emulated Asterisk without sockets: requests and time go in, answers and events come out.

`Emulator` is synchronous and asks no clock: every call carries `now`. A shell (`memory`, `server`) gives it time by
calling `advance` when `next_due` says so, and carries its events. The semantics follow what a real Asterisk 22.10.1
was seen to do; where it is silent or odd, so is this.
"""

from collections import Counter
from collections.abc import Callable, Mapping, MutableMapping
from datetime import datetime
from typing import NewType

from integrations.emulator import acting, applications, dialling, events, router
from integrations.emulator.people import Person
from integrations.emulator.replies import Ask, Reply
from integrations.emulator.shapes import bridge_json, channel_json
from integrations.emulator.world import (
    Bridge,
    Channel,
    EmulatorSettings,
    Event,
    Playback,
    Recording,
    Seen,
    Sink,
    StoredRecording,
    World,
)

SocketId = NewType("SocketId", int)


class Emulator:
    """One Asterisk. Time never goes backwards: a `now` before the last one counts as the last one."""

    def __init__(self, settings: EmulatorSettings | None = None) -> None:
        self.world = World(settings or EmulatorSettings())
        self._watchers: list[Callable[[], None]] = []

    # ---- requests and time

    def request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: object = None,
        now: float = 0.0,
        *,
        connection: str = "",
    ) -> Reply:
        """Serve one request. `path` is quoted and relative to /ari; `body` is decoded JSON or None.

        `connection` names the connection it came by: Asterisk remembers a taken id per connection, and tells every
        later failure on it as a duplicate. "" is a fresh connection each time.
        """
        self._begin(now)
        world = self.world
        query = dict(query or {})
        found = router.route(method, path)
        if isinstance(found, Reply):
            reply, template = found, "?"
        else:
            template = found.template
            variables, params = _parts(query, body)
            ask = Ask(method, path, found.where, params, body, connection, variables)
            reply = found.operation(world, ask)
        world.counters[f"{method} {template}"] += 1
        world.counters[f"status_{reply.status}"] += 1
        world.requests.append(Seen(world.now, method, path, query, body, reply.status))
        self._end()
        return reply

    def advance(self, now: float) -> None:
        """Let everything happen that is due by now."""
        self._begin(now)
        self._end()

    def next_due(self) -> float | None:
        """When `advance` should be called next; None when nothing is due by itself."""
        return self.world.agenda.next_due()

    # ---- sockets

    def connect(
        self, app: str, now: float, sink: Sink | None = None, *, subscribe_all: bool = False
    ) -> SocketId:
        """An event websocket for one application, or several with commas between.

        Events go to `sink` as they come (None says that Asterisk closed the socket), or are kept for `take_events`.
        """
        self._begin(now)
        names = tuple(name for name in app.split(",") if name)
        socket_id = SocketId(applications.connect(self.world, names, sink, subscribe_all=subscribe_all))
        self._end()
        return socket_id

    def disconnect(self, socket_id: SocketId, now: float) -> None:
        """The client closed its websocket."""
        self._begin(now)
        socket = self.world.sockets.get(socket_id)
        if socket is not None:
            events.close(self.world, socket)
        self._end()

    def take_events(self, socket_id: SocketId) -> list[Event]:
        """What came since the last time, for a socket without a sink."""
        socket = self.world.sockets.get(socket_id)
        if socket is None:
            return []
        taken = list(socket.events)
        socket.events.clear()
        return taken

    def is_open(self, socket_id: SocketId) -> bool:
        """Whether Asterisk still holds this socket."""
        socket = self.world.sockets.get(socket_id)
        return socket is not None and socket.is_open

    def respond(self, socket_id: SocketId, response: Event, now: float) -> None:
        """Send a RESTResponse on a socket, through the filter of its application: a filter can swallow it."""
        self._begin(now)
        world = self.world
        socket = world.sockets.get(socket_id)
        if socket is not None:
            app = world.apps.get(socket.apps[0]) if socket.apps else None
            if app is not None and not app.passes("RESTResponse"):
                world.counters["responses_swallowed"] += 1
            else:
                own = {"application": socket.apps[0] if socket.apps else ""}
                stamp = {"timestamp": world.stamp(), "asterisk_id": world.settings.asterisk_id}
                events.put(world, socket, response | own | stamp)
        self._end()

    # ---- what happens to it from outside

    def dial_in(self, person: Person | str, app: str, number: str, now: float, *, caller: str = "") -> str:
        """Somebody calls our number; the dialplan says Stasis(app,inbound,number). Returns the channel's id."""
        self._begin(now)
        known = self.world.settings.people[person] if isinstance(person, str) else person
        channel_id = dialling.call_in(self.world, known, app, number, caller)
        self._end()
        return channel_id

    def kill(self, now: float) -> None:
        """Asterisk dies: everything in memory is gone without a word, and the sockets are closed."""
        self._begin(now)
        sinks = [socket.sink for socket in self.world.sockets.values() if socket.is_open]
        self.world.is_up = False
        self.world.forget()
        self.world.counters["kills"] += 1
        for sink in sinks:
            if sink is not None:
                sink(None)
        self._end()

    def start(self, now: float) -> None:
        """Asterisk is back, and knows nothing."""
        self._begin(now)
        self.world.is_up = True
        self._end()

    def restart(self, now: float) -> None:
        """Killed, and back at once."""
        self.kill(now)
        self.start(now)

    def close_socket(self, socket_id: SocketId, now: float) -> None:
        """Asterisk, or the network, closes one event websocket."""
        self._begin(now)
        socket = self.world.sockets.get(socket_id)
        if socket is not None:
            events.close(self.world, socket)
            if socket.sink is not None:
                socket.sink(None)
        self._end()

    def watch(self, watcher: Callable[[], None]) -> Callable[[], None]:
        """Call this after every change, so that a driver can look at `next_due` again. Returns how to stop that."""
        self._watchers.append(watcher)
        return lambda: self._watchers.remove(watcher)

    def set_epoch(self, epoch: datetime) -> None:
        """The time of day at `now` 0, for the timestamps of events."""
        self.world.epoch = epoch

    # ---- introspection

    @property
    def is_up(self) -> bool:
        """False between `kill` and `start`: nothing listens then."""
        return self.world.is_up

    @property
    def settings(self) -> EmulatorSettings:
        """What it was made with."""
        return self.world.settings

    @property
    def requests(self) -> list[Seen]:
        """Every REST request served, in order of time (the oldest are dropped beyond `keep_requests`)."""
        return list(self.world.requests)

    @property
    def counters(self) -> Counter[str]:
        """What was counted: requests by operation, statuses, events sent, filtered and missed, channels."""
        return self.world.counters

    @property
    def playbacks(self) -> list[Playback]:
        """Those under way or waiting."""
        return list(self.world.playbacks.values())

    @property
    def recordings(self) -> list[Recording]:
        """Those under way or waiting."""
        return list(self.world.recordings.values())

    @property
    def stored(self) -> Mapping[str, StoredRecording]:
        """The recordings on disk, with the words that were said in them."""
        return self.world.stored

    @property
    def sounds(self) -> MutableMapping[str, float]:
        """The sounds that exist, name to seconds: add to it what a test needs."""
        return self.world.sounds

    def live_channels(self) -> list[Channel]:
        """All channels, far halves of Local ones too."""
        return list(self.world.channels.values())

    def live_bridges(self) -> list[Bridge]:
        """All bridges."""
        return list(self.world.bridges.values())

    def channels_json(self) -> list[Event]:
        """What GET /channels would say."""
        return [channel_json(self.world, channel) for channel in self.live_channels()]

    def bridges_json(self) -> list[Event]:
        """What GET /bridges would say."""
        return [bridge_json(self.world, bridge) for bridge in self.live_bridges()]

    # ---- within

    def _begin(self, now: float) -> None:
        self._run_due(now)
        self.world.now = max(self.world.now, now)

    def _end(self) -> None:
        self._run_due(self.world.now)
        for watcher in list(self._watchers):
            watcher()

    def _run_due(self, now: float) -> None:
        world = self.world
        while (due := world.agenda.pop(now)) is not None:
            at, happening = due
            world.now = max(world.now, at)
            acting.happens(world, happening)


def _parts(query: Mapping[str, str], body: object) -> tuple[dict[str, str], dict[str, str]]:
    """Variables, and all parameters: those of the query stand, the body adds to them."""
    params: dict[str, str] = {}
    variables: dict[str, str] = {}
    if isinstance(body, Mapping):
        for name, value in body.items():
            if name == "variables" and isinstance(value, Mapping):
                variables = {str(key): str(each) for key, each in value.items()}
            elif isinstance(value, list):
                params[str(name)] = ",".join(str(each) for each in value)
            elif isinstance(value, bool):
                params[str(name)] = "true" if value else "false"
            elif isinstance(value, str | int | float):
                params[str(name)] = str(value)
    return variables, params | dict(query)
