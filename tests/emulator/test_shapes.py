"""Everything the emulator says is something Asterisk says: all JSON fits the generated models."""

from datetime import UTC, datetime

from core.ari_models import (
    EVENT_TYPES,
    OPERATIONS,
    Application,
    AsteriskInfo,
    AsteriskPing,
    Bridge,
    Channel,
    LiveRecording,
    Playback,
    StoredRecording,
    parse_event,
)
from integrations.emulator import router
from integrations.emulator.people import PEOPLE
from tests.emulator.box import APP, Box


def test_every_event_fits_its_model() -> None:
    """All people called and calling, everything played and recorded, all hung up: no event that the models refuse."""
    box = Box()
    box.ask("POST", f"applications/{APP}/subscription", eventSource="bridge:,channel:")
    for number, person in enumerate(PEOPLE):
        box.ask("POST", f"bridges/b{number}")
        box.call(person, channel=f"c{number}", timeout=5)
        box.ask("POST", f"bridges/b{number}/addChannel", channel=f"c{number}")
        box.ask("POST", "channels", endpoint=f"Local/{person}@people/n", app=APP, channelId=f"o{number}")
        caller = box.ring_in(person)
        box.ask("POST", f"channels/{caller}/answer")
        box.ask("POST", f"channels/{caller}/record", name=f"s{number}", format="wav", maxSilenceSeconds=1)
        box.ask("POST", f"bridges/b{number}/record", name=f"r{number}", format="wav", maxDurationSeconds=2)
        box.ask("POST", f"bridges/b{number}/play", media="sound:hello-world,sound:nope")
        box.ask("POST", f"channels/c{number}/record", name=f"f{number}", format="wav")
    box.wait(20)
    box.ask("POST", f"channels/{box.ring_in()}/continue")
    box.wait(200)
    raw = box.events
    assert {str(event["type"]) for event in raw} <= set(EVENT_TYPES)
    assert len({str(event["type"]) for event in raw}) >= 16
    for event in raw:
        parse_event(event)


def test_resources_fit_their_models(box: Box) -> None:
    """What GET answers can be read."""
    box.talk_to("machine")
    box.ask("POST", "bridges/b/play/p", media="sound:demo-congrats")
    box.ask("POST", "bridges/b/record", name="r", format="wav")
    Channel.from_json(box.get("channels/c"))
    Channel.from_json(box.get("channels/c;2"))
    Bridge.from_json(box.get("bridges/b"))
    Playback.from_json(box.get("playbacks/p"))
    LiveRecording.from_json(box.get("recordings/live/r"))
    StoredRecording.from_json(box.get("recordings/stored/r"))
    Application.from_json(box.get(f"applications/{APP}"))
    AsteriskInfo.from_json(box.get("asterisk/info"))
    AsteriskPing.from_json(box.get("asterisk/ping"))


def test_every_operation_is_one_of_asterisks() -> None:
    """The map has nothing that ARI does not have."""
    ours = {f"{method} /{template}" for template, operations in router._MAP.items() for method in operations}
    assert ours - OPERATIONS == set()


def test_paths_and_methods_off_the_map(box: Box) -> None:
    """404 for a path, 405 for a method; segments are unquoted."""
    assert (box.ask("GET", "nope").status, box.ask("GET", "channels/x/nope").status) == (404, 404)
    assert (box.ask("PUT", "channels/x").status, box.ask("DELETE", "channels").status) == (405, 405)
    box.ask("POST", "bridges/a%2Fb")
    assert box.get("bridges/a%2Fb")["id"] == "a/b"


def test_timestamps_are_asterisks(box: Box) -> None:
    """Milliseconds, and an offset without a colon."""
    box.wait(1.25)
    assert box.get("asterisk/ping")["timestamp"] == "2026-01-05T09:00:01.250+0000"
    box.emulator.set_epoch(datetime(2026, 1, 5, 9, 0, 59, 900_000, tzinfo=UTC))
    assert box.get("asterisk/ping")["timestamp"] == "2026-01-05T09:01:01.150+0000"
