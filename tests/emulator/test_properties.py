"""Whatever is asked, in whatever order and at whatever time: the emulated Asterisk stays one."""

from hypothesis import given, settings
from hypothesis import strategies as st

from core.ari_models import parse_event
from integrations.emulator import Emulator
from integrations.emulator.people import PEOPLE

IDS = st.sampled_from(["x", "y", "x;2"])
NAMES = st.sampled_from(["r", "s"])
PEOPLE_NAMES = st.sampled_from([*sorted(PEOPLE), "nobody"])
MEDIA = st.sampled_from(
    ["sound:hello-world", "sound:nope", "nope:x", "sound:vm-goodbye,sound:hello-world", "sound:silence/0"]
)
Step = tuple[str, str, dict[str, str]]


def _step(method: str, path: str, **query: st.SearchStrategy[str]) -> st.SearchStrategy[Step]:
    return st.tuples(st.just(method), _path(path), st.fixed_dictionaries(query))


def _path(template: str) -> st.SearchStrategy[str]:
    return st.builds(lambda one, name: template.replace("ID", one).replace("NAME", name), IDS, NAMES)


SECONDS = st.sampled_from(["0", "1", "3"])
STEPS: st.SearchStrategy[Step] = st.one_of(
    _step(
        "POST",
        "channels/create",
        endpoint=PEOPLE_NAMES.map(lambda name: f"Local/{name}@people/n"),
        app=st.sampled_from(["a", "b"]),
        channelId=IDS,
    ),
    _step(
        "POST",
        "channels",
        endpoint=st.integers(0, 9).map(lambda digit: f"PJSIP/+1202555010{digit}@trunk"),
        app=st.sampled_from(["a", "b"]),
        channelId=IDS,
        timeout=SECONDS,
    ),
    _step("POST", "channels/ID/dial", timeout=SECONDS),
    _step("POST", "channels/ID/answer"),
    _step("POST", "channels/ID/continue"),
    _step("POST", "channels/ID/play", media=MEDIA),
    _step(
        "POST",
        "channels/ID/record",
        name=NAMES,
        format=st.just("wav"),
        maxSilenceSeconds=SECONDS,
        terminateOn=st.just("any"),
    ),
    _step("DELETE", "channels/ID"),
    _step("POST", "bridges/ID", type=st.just("mixing")),
    _step("DELETE", "bridges/ID"),
    _step("POST", "bridges/ID/addChannel", channel=IDS),
    _step("POST", "bridges/ID/removeChannel", channel=IDS),
    _step("POST", "bridges/ID/play/NAME", media=MEDIA),
    _step(
        "POST",
        "bridges/ID/record",
        name=NAMES,
        format=st.just("wav"),
        maxDurationSeconds=SECONDS,
        maxSilenceSeconds=SECONDS,
        ifExists=st.sampled_from(["fail", "overwrite", "append"]),
        beep=st.sampled_from(["true", "false"]),
    ),
    _step("DELETE", "playbacks/NAME"),
    _step(
        "POST", "playbacks/NAME/control", operation=st.sampled_from(["pause", "unpause", "restart", "stop"])
    ),
    _step("POST", "recordings/live/NAME/stop"),
    _step("DELETE", "recordings/live/NAME"),
    _step("POST", "recordings/live/NAME/pause"),
    _step("DELETE", "recordings/live/NAME/pause"),
    _step(
        "POST",
        "applications/a/subscription",
        eventSource=st.sampled_from(["bridge:x", "channel:x", "bridge:"]),
    ),
    _step("DELETE", "applications/a/subscription", eventSource=st.sampled_from(["bridge:x", "channel:x"])),
    _step("GET", "channels/ID"),
    st.tuples(st.just("wait"), st.sampled_from(["0", "0.5", "2", "9", "70"]), st.just({})),
    st.tuples(st.just("call"), PEOPLE_NAMES.filter(lambda name: name != "nobody"), st.just({})),
    st.tuples(st.just("kill"), st.just(""), st.just({})),
    st.tuples(st.just("reconnect"), st.just(""), st.just({})),
)


def check(emulator: Emulator) -> None:
    """What holds between any two steps."""
    world = emulator.world
    for bridge in emulator.live_bridges():
        for member in bridge.channels:
            assert world.channels[member].bridge_id == bridge.id
        assert len(set(bridge.channels)) == len(bridge.channels)
        assert all(serial in world.playbacks for serial in bridge.jobs)
    for channel in emulator.live_channels():
        if channel.bridge_id:
            assert channel.id in world.bridges[channel.bridge_id].channels
        if channel.far_half:
            assert channel.far_half in world.channels
        assert all(serial in world.playbacks or serial in world.recordings for serial in channel.jobs)
        if channel.app:
            assert f"channel:{channel.id}" in world.apps[channel.app].wanted
    for app in world.apps.values():
        assert app.socket is not None or app.wanted
        for key in app.wanted:
            kind, _, name = key.partition(":")
            assert name.startswith("__AST") or name in (
                world.channels if kind == "channel" else world.bridges
            )
    for key, hearers in world.listeners.items():
        assert hearers
        assert all(key in app.wanted for app in hearers.values())


@settings(max_examples=150, deadline=None)
@given(st.lists(STEPS, max_size=40))
def test_nothing_breaks(steps: list[Step]) -> None:
    """Requests never raise, members are channels, nothing due lies in the past, every event can be read."""
    emulator = Emulator()
    sockets = [emulator.connect(app, 0.0) for app in ("a", "b")]
    now = 0.0
    for method, path, query in steps:
        match method:
            case "wait":
                now += float(path)
                emulator.advance(now)
            case "call":
                emulator.dial_in(path, "a", "1", now)
            case "kill":
                emulator.restart(now)
            case "reconnect":
                emulator.disconnect(sockets[0], now)
                sockets[0] = emulator.connect("a", now)
            case _:
                emulator.request(method, path, query, None, now)
        due = emulator.next_due()
        assert due is None or due > now
        check(emulator)
        for socket in sockets:
            for event in emulator.take_events(socket):
                parse_event(event)
    emulator.advance(now + 10_000)
    check(emulator)


@settings(max_examples=30, deadline=None)
@given(st.lists(STEPS, max_size=25))
def test_the_same_steps_give_the_same_events(steps: list[Step]) -> None:
    """No hidden randomness and no clock of its own; how finely time is advanced changes nothing."""

    def run(slices: int) -> list[object]:
        emulator = Emulator()
        socket = emulator.connect("a", 0.0)
        now = 0.0
        for method, path, query in steps:
            if method == "wait":
                for n in range(1, slices + 1):
                    emulator.advance(now + float(path) * n / slices)
                now += float(path)
            elif method == "call":
                emulator.dial_in(path, "a", "1", now)
            elif method not in {"kill", "reconnect"}:
                emulator.request(method, path, query, None, now)
        emulator.advance(now + 100)
        return [event | {"timestamp": ""} for event in emulator.take_events(socket)]

    assert run(1) == run(1) == run(7)
