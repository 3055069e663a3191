"""Channels: made, dialled, answered, hung up; what is refused, and what is told."""

import pytest

from integrations.emulator import Emulator, EmulatorSettings
from tests.emulator.box import APP, Box


def test_create_enters_the_application_at_once(box: Box) -> None:
    """The channel is Down, in Stasis, with its arguments; its far half is `;2` and is not."""
    reply = box.ask(
        "POST",
        "channels/create",
        {"variables": {"X": "y"}},
        endpoint="Local/silent@people/n",
        app=APP,
        channelId="c",
        appArgs="a,b",
    )
    assert (reply.status, box.types()) == (200, ["StasisStart"])
    assert box.of("StasisStart")[0]["args"] == ["a", "b"]
    assert box.get("channels/c")["state"] == "Down"
    assert box.get("channels/c;2")["state"] == "Ring"
    assert box.ask("GET", "channels/c/variable", variable="X").body == {"value": "y"}


ANSWERED = ["Dial", "ChannelStateChange", "Dial", "ChannelStateChange", "Dial"]


def test_dial_is_told_by_events(box: Box) -> None:
    """Accepted with 204; then "", RINGING, ANSWER."""
    box.call("polite-yes")
    box.wait(0.4)
    assert box.get("channels/c")["state"] == "Ringing"
    box.wait(0.1)
    assert box.types() == ["StasisStart", *ANSWERED]
    assert [event["dialstatus"] for event in box.of("Dial")] == ["", "RINGING", "ANSWER"]


@pytest.mark.parametrize(
    ("person", "statuses", "cause", "after_s"),
    [
        ("busy", ["", "BUSY"], 17, 0.5),
        ("congestion", ["", "CONGESTION"], 34, 0.5),
        ("rejects", [""], 21, 0.0),
    ],
)
def test_who_cannot_be_had(box: Box, person: str, statuses: list[str], cause: int, after_s: float) -> None:
    """BUSY and CONGESTION at once and the end when the far half lets go; a rejection has no final Dial event."""
    box.call(person)
    assert [event["dialstatus"] for event in box.of("Dial")] == statuses
    box.wait(after_s)
    assert box.types()[-3:] == ["ChannelHangupRequest", "StasisEnd", "ChannelDestroyed"]
    assert box.of("ChannelHangupRequest")[0]["cause"] == cause
    assert box.of("ChannelDestroyed")[0]["cause"] == cause


def test_the_dial_timeout_hangs_up_without_a_dial_event(box: Box) -> None:
    """No NOANSWER: a soft hangup request with cause 32, and the end with cause 19."""
    box.call("no-answer", timeout=8)
    box.wait(7.9)
    assert box.of("ChannelDestroyed") == []
    box.wait(0.1)
    assert [event["dialstatus"] for event in box.of("Dial")] == ["", "RINGING"]
    request = box.of("ChannelHangupRequest")[0]
    assert (request["cause"], request["soft"]) == (32, True)
    assert box.of("ChannelDestroyed")[0]["cause"] == 19


def test_the_dial_timeout_of_an_older_asterisk_is_cause_16() -> None:
    """So the cause alone says nothing."""
    box = Box(EmulatorSettings(version="16.28.0"))
    box.call("no-answer", timeout=1)
    box.wait(1)
    assert box.of("ChannelDestroyed")[0]["cause"] == 16


def test_an_extension_that_does_not_exist_dies_silently(box: Box) -> None:
    """create 200, dial 204, then the end with cause 16 and no Dial event."""
    box.call("nobody")
    assert box.types() == ["StasisStart", "StasisEnd", "ChannelDestroyed"]
    assert box.of("ChannelDestroyed")[0]["cause"] == 16


@pytest.mark.parametrize("path", ["channels", "channels/create"])
@pytest.mark.parametrize(
    ("endpoint", "status"),
    [("", 400), ("garbage", 400), ("/x", 400), ("PJSIP/", 400), ("NoTech/x", 500), ("PJSIP/1@nowhere", 500)],
)
def test_endpoints_that_cannot_be(path: str, endpoint: str, status: int) -> None:
    """Spelling is a 400, what does not exist a 500; no channel, no event."""
    box = Box(EmulatorSettings(trunks=frozenset({"trunk"})))
    assert box.ask("POST", path, endpoint=endpoint, app=APP, channelId="c").status == status
    assert (box.events, box.emulator.live_channels()) == ([], [])


def test_a_taken_id_is_refused(box: Box) -> None:
    """A retried create or originate cannot dial twice."""
    box.call("silent")
    for path in ("channels", "channels/create", "channels/c"):
        reply = box.ask("POST", path, endpoint="Local/silent@people/n", app=APP, channelId="c")
        assert (reply.status, reply.body) == (409, {"message": "Channel with given unique ID already exists"})


def test_a_connection_remembers_a_taken_id() -> None:
    """After one 409 every failure on that connection is told as a duplicate; on another it is not."""
    emulator = Emulator()
    good = {"endpoint": "Local/silent@people/n", "app": APP, "channelId": "c"}
    bad = {"endpoint": "NoTech/x", "app": APP, "channelId": "d"}
    emulator.connect(APP, 0.0)
    statuses = [
        emulator.request("POST", "channels/create", query, None, 0.0, connection=connection).status
        for query, connection in ((bad, "1"), (good, "1"), (good, "1"), (bad, "1"), (bad, "2"))
    ]
    assert statuses == [500, 200, 409, 409, 500]


def test_an_application_nobody_registered(box: Box) -> None:
    """create and originate answer 200, and the call is gone."""
    box.ask("POST", "channels/create", endpoint="Local/silent@people/n", app="other", channelId="c")
    box.ask("POST", "channels", endpoint="Local/silent@people/n", app="other", channelId="d")
    box.wait(1)
    assert (box.ask("GET", "channels/c").status, box.ask("GET", "channels/d").status) == (404, 404)
    assert box.emulator.live_channels() == []


def test_originate_enters_when_answered(box: Box) -> None:
    """Dial events first, StasisStart with the answer; both halves of a Local channel are heard."""
    box.ask(
        "POST",
        "channels",
        endpoint="Local/polite-yes@people/n",
        app=APP,
        channelId="c",
        callerId="Bob <12>",
        appArgs="z",
    )
    box.wait(0.4)
    assert "StasisStart" not in box.types()
    box.wait(0.1)
    assert box.types()[-1] == "StasisStart"
    assert box.get("channels/c")["caller"] == {"name": "Bob", "number": "12"}


def test_originate_nobody_answers(box: Box) -> None:
    """No StasisEnd and no hangup request for a channel that never was in Stasis; cause 19."""
    box.ask("POST", "channels", endpoint="PJSIP/+15550006@trunk", app=APP, channelId="c", timeout=3)
    box.wait(3)
    assert box.types() == ["Dial", "ChannelStateChange", "Dial", "ChannelDestroyed"]
    assert box.of("ChannelDestroyed")[0]["cause"] == 19


def test_a_number_finds_its_person() -> None:
    """The directory first, then the last digit."""
    box = Box(EmulatorSettings(directory={"+12025550105": "polite-yes"}))
    for number, channel in (("+12025550105", "c"), ("+12025550115", "d")):
        box.ask("POST", "channels", endpoint=f"PJSIP/{number}@trunk", app=APP, channelId=channel)
    box.wait(1)
    assert [channel.id for channel in box.emulator.live_channels()] == ["c"]


@pytest.mark.parametrize("operation", ["answer", "ring", "moh", "play", "continue"])
def test_what_needs_an_answer_is_refused_before(box: Box, operation: str) -> None:
    """412 while Down or Ringing, 409 outside Stasis, 404 when gone."""
    box.call("no-answer")
    assert box.ask("POST", f"channels/c/{operation}", media="sound:beep").status == 412
    assert box.ask("POST", f"channels/c;2/{operation}", media="sound:beep").status == 409
    box.ask("DELETE", "channels/c")
    assert box.ask("POST", f"channels/c/{operation}", media="sound:beep").status == 404


def test_dialling_twice_is_refused(box: Box) -> None:
    """409 while it rings and once it is up."""
    box.call("polite-yes")
    assert box.ask("POST", "channels/c/dial").status == 409
    box.wait(1)
    assert box.ask("POST", "channels/c/dial").status == 409


def test_dial_before_stasis_is_refused() -> None:
    """A busy Asterisk: the channel is there, and not yet in the application."""
    box = Box(EmulatorSettings(enters_stasis_after_s=0.2))
    box.ask("POST", "channels/create", endpoint="Local/silent@people/n", app=APP, channelId="c")
    assert box.ask("POST", "channels/c/dial").status == 409
    assert box.ask("POST", "bridges/b").status == 200
    assert box.ask("POST", "bridges/b/addChannel", channel="c").status == 422
    box.wait(0.2)
    assert box.ask("POST", "channels/c/dial").status == 204


def test_deleting_a_channel(box: Box) -> None:
    """Request, left bridge, end of Stasis, destroyed with the cause we gave; then it is not there."""
    box.talk_to()
    box.forget()
    assert box.ask("DELETE", "channels/c", reason_code=21).status == 204
    assert box.types() == ["ChannelHangupRequest", "ChannelLeftBridge", "StasisEnd", "ChannelDestroyed"]
    assert box.of("ChannelDestroyed")[0]["cause"] == 21
    reply = box.ask("DELETE", "channels/c")
    assert (reply.status, reply.body) == (404, {"message": "Channel not found"})
    assert box.emulator.live_channels() == []


def test_deleting_the_far_half_ends_both(box: Box) -> None:
    """As if the person had hung up."""
    box.talk_to()
    box.ask("DELETE", "channels/c;2")
    assert "soft" not in box.of("ChannelHangupRequest")[0]
    assert box.emulator.live_channels() == []


@pytest.mark.parametrize(
    "query", [{"reason": "boredom"}, {"reason_code": "x"}, {"reason": "busy", "reason_code": "17"}]
)
def test_reasons_that_are_none(box: Box, query: dict[str, str]) -> None:
    """400, and the channel lives."""
    box.talk_to()
    assert box.ask("DELETE", "channels/c", **query).status == 400
    assert box.get("channels/c")["state"] == "Up"


def test_a_caller_rings_and_is_answered(box: Box) -> None:
    """StasisStart with the number called, state Ring; our answer opens the line."""
    channel = box.ring_in("presses-1")
    start = box.of("StasisStart")[0]
    assert start["args"] == ["inbound", "+12025550100"]
    assert box.get(f"channels/{channel}")["state"] == "Ring"
    box.wait(5)
    assert box.of("ChannelDtmfReceived") == []
    box.ask("POST", f"channels/{channel}/answer")
    box.wait(1)
    assert box.of("ChannelDtmfReceived")[0]["digit"] == "1"


def test_a_caller_ends_without_channel_destroyed(box: Box) -> None:
    """StasisEnd is the last an application hears of a channel it did not make (measured)."""
    channel = box.ring_in()
    box.ask("DELETE", f"channels/{channel}", reason="busy")
    assert box.types() == ["StasisStart", "ChannelHangupRequest", "StasisEnd"]


def test_a_caller_given_back_is_hung_up_by_the_dialplan(box: Box) -> None:
    """Two seconds of the dialplan, then it is over; nobody hears of it."""
    channel = box.ring_in()
    box.ask("POST", f"channels/{channel}/answer")
    assert box.ask("POST", f"channels/{channel}/continue").status == 204
    assert box.types()[-1] == "StasisEnd"
    assert box.ask("GET", f"channels/{channel}").status == 200
    box.wait(2)
    assert box.ask("GET", f"channels/{channel}").status == 404


def test_a_caller_for_nobody_falls_to_the_dialplan() -> None:
    """No socket holds the application: the caller is not left hanging."""
    emulator = Emulator()
    emulator.dial_in("silent", APP, "+1", 0.0)
    assert (len(emulator.live_channels()), emulator.counters["callers_without_application"]) == (1, 1)
    emulator.advance(2.0)
    assert emulator.live_channels() == []


def test_variables(box: Box) -> None:
    """Read back what was set; a missing one is a 404, of a channel that is there."""
    box.talk_to()
    assert box.ask("POST", "channels/c/variable", variable="a", value="1").status == 204
    assert box.ask("GET", "channels/c/variable", variable="a").body == {"value": "1"}
    missing = box.ask("GET", "channels/c/variable", variable="b")
    assert (missing.status, missing.body) == (404, {"message": "Provided variable was not found"})
    assert box.ask("GET", "channels/c/variable").status == 400
    assert box.ask("GET", "asterisk/variable", variable="b").body == {"value": ""}


def test_talk_detection(box: Box) -> None:
    """With TALK_DETECT set, speech is announced when it begins, and its end after the silence asked for."""
    box.talk_to("machine")
    box.ask("POST", "channels/c/variable", variable="TALK_DETECT(set)", value="700,256")
    box.wait(0.5)
    assert box.types()[-1] == "ChannelTalkingStarted"
    box.wait(9.5 + 0.7)
    assert box.of("ChannelTalkingFinished")[0]["duration"] == 9500
