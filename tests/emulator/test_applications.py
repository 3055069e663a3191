"""Applications: who hears what, filters, sockets that are replaced, and Asterisk dying."""

from integrations.emulator import Emulator, EmulatorSettings
from tests.emulator.box import APP, Box


def allow(box: Box, *kinds: str) -> int:
    """Set the allow-list."""
    body = {"allowed": [{"type": kind} for kind in kinds]}
    return box.ask("PUT", f"applications/{APP}/eventFilter", body).status


def test_the_filter_is_an_allow_list(box: Box) -> None:
    """Only what is listed comes; the empty list lets everything through; the lists are shown."""
    assert allow(box, "StasisStart") == 200
    box.call("polite-yes")
    box.wait(1)
    assert box.types() == ["StasisStart"]
    assert box.get(f"applications/{APP}")["events_allowed"] == [{"type": "StasisStart"}]
    allow(box)
    box.ask("DELETE", "channels/c")
    assert box.types()[-1] == "ChannelDestroyed"


def test_lists_not_named_stay(box: Box) -> None:
    """PUT with one list changes that one; without a body both are emptied; nonsense is a 400."""
    allow(box, "StasisStart")
    box.ask("PUT", f"applications/{APP}/eventFilter", {"disallowed": [{"type": "Dial"}]})
    shown = box.get(f"applications/{APP}")
    assert (shown["events_allowed"], shown["events_disallowed"]) == (
        [{"type": "StasisStart"}],
        [{"type": "Dial"}],
    )
    assert box.ask("PUT", f"applications/{APP}/eventFilter", {"allowed": ["x"]}).status == 400
    box.ask("PUT", f"applications/{APP}/eventFilter")
    assert box.get(f"applications/{APP}")["events_allowed"] == []
    assert box.ask("PUT", "applications/x/eventFilter").status == 404


def test_a_filter_swallows_rest_responses(box: Box) -> None:
    """An allow-list without RESTResponse leaves the asker waiting."""
    allow(box, "StasisStart")
    box.emulator.respond(box.socket, {"type": "RESTResponse", "request_id": "1"}, box.now)
    assert box.emulator.take_events(box.socket) == []
    allow(box, "RESTResponse")
    box.emulator.respond(box.socket, {"type": "RESTResponse", "request_id": "2"}, box.now)
    assert [event["request_id"] for event in box.emulator.take_events(box.socket)] == ["2"]


def test_a_second_socket_makes_the_first_deaf(box: Box) -> None:
    """It is told once; it still gets answers; its leaving later harms nobody."""
    second = box.emulator.connect(APP, 0.0)
    box.call("silent")
    assert box.types() == ["ApplicationReplaced"]
    assert len(box.emulator.take_events(second)) > 3
    box.emulator.disconnect(box.socket, 0.0)
    assert box.get(f"applications/{APP}")["name"] == APP


def test_an_application_without_channels_goes_with_its_socket(box: Box) -> None:
    """With it goes its filter."""
    allow(box, "StasisStart")
    box.emulator.disconnect(box.socket, 0.0)
    assert box.ask("GET", f"applications/{APP}").status == 404
    box.socket = box.emulator.connect(APP, 0.0)
    assert box.get(f"applications/{APP}")["events_allowed"] == []


def test_an_application_with_channels_stays(box: Box) -> None:
    """Channels stay up, filter and list stay; what happens meanwhile is lost."""
    box.talk_to()
    allow(box, "ChannelDestroyed", "StasisStart")
    box.emulator.disconnect(box.socket, box.now)
    assert box.get(f"applications/{APP}")["channel_ids"] == ["c"]
    assert box.get("channels/c")["state"] == "Up"
    box.ask("DELETE", "channels/c")
    box.ask("POST", "channels/create", endpoint="Local/silent@people/n", app=APP, channelId="d")
    assert box.ask("GET", "channels/d").status == 404  # nobody is there to take it
    box.forget()
    box.socket = box.emulator.connect(APP, box.now)
    box.wait(1)
    assert box.events == []
    assert box.get(f"applications/{APP}")["events_allowed"] == [
        {"type": "ChannelDestroyed"},
        {"type": "StasisStart"},
    ]


def test_the_last_channel_takes_an_abandoned_application_along(box: Box) -> None:
    """Nothing keeps it."""
    box.call("silent")
    box.emulator.disconnect(box.socket, 0.0)
    box.ask("DELETE", "channels/c")
    assert box.ask("GET", f"applications/{APP}").status == 404


def test_subscriptions(box: Box) -> None:
    """What exists can be subscribed to; each reason is taken back by itself."""
    box.ask("POST", "bridges/b")
    path = f"applications/{APP}/subscription"
    assert box.ask("POST", path, eventSource="bridge:x").status == 422
    assert box.ask("POST", path, eventSource="nope:x").status == 400
    assert box.ask("POST", "applications/x/subscription", eventSource="bridge:b").status == 404
    for _ in range(2):
        assert box.ask("POST", path, eventSource="bridge:b").status == 200
    for wanted in (["b"], []):
        box.ask("DELETE", path, eventSource="bridge:b")
        assert box.get(f"applications/{APP}")["bridge_ids"] == wanted


def test_all_bridges(box: Box) -> None:
    """`bridge:` hears of every bridge from its creation on."""
    box.ask("POST", f"applications/{APP}/subscription", eventSource="bridge:")
    box.ask("POST", "bridges/b")
    box.ask("DELETE", "bridges/b")
    assert box.types() == ["BridgeCreated", "BridgeDestroyed"]


def test_two_applications_hear_their_own() -> None:
    """And a socket may hold several."""
    emulator = Emulator()
    one, two = emulator.connect("a", 0.0), emulator.connect("b,c", 0.0)
    for app in ("a", "b", "c"):
        query = {"endpoint": "Local/silent@people/n", "app": app, "channelId": f"ch-{app}"}
        emulator.request("POST", "channels/create", query, None, 0.0)
    assert {event["application"] for event in emulator.take_events(one)} == {"a"}
    assert {event["application"] for event in emulator.take_events(two)} == {"b", "c"}


def test_a_killed_asterisk_knows_nothing(box: Box) -> None:
    """No event, closed sockets, nothing left but what is on disk; ids are free again."""
    box.talk_to()
    box.ask("POST", "bridges/b/record", name="r", format="wav")
    box.ask("POST", "recordings/live/r/stop")
    box.forget()
    closed: list[object] = []
    box.emulator.connect("other", box.now, closed.append)
    box.emulator.restart(box.now)
    assert (box.emulator.take_events(box.socket), closed) == ([], [None])
    assert not box.emulator.is_open(box.socket)
    assert (box.ask("GET", "channels").body, box.ask("GET", "bridges").body) == ([], [])
    assert box.ask("GET", f"applications/{APP}").status == 404
    assert box.ask("GET", "recordings/stored/r").status == 200
    box.wait(100)
    assert box.events == []


def test_a_reader_that_does_not_read_is_cut_off() -> None:
    """Asterisk does not keep events for ever."""
    box = Box(EmulatorSettings(socket_queue=3))
    socket = box.emulator.connect(APP, 0.0)
    box.call("silent")
    assert not box.emulator.is_open(socket)
    assert box.emulator.counters["sockets_cut_off"] == 1
    assert box.ask("GET", f"applications/{APP}").status == 200  # its channel keeps it
