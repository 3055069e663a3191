"""Bridges: who may enter, who hears of it, and what the last one to leave takes along."""

import pytest

from tests.emulator.box import APP, Box


def test_a_bridge_and_its_refusals(box: Box) -> None:
    """Made once, refused twice, gone once, then not found."""
    assert box.ask("POST", "bridges/b", type="mixing", name="n").status == 200
    again = box.ask("POST", "bridges/b", type="mixing")
    assert (again.status, again.body) == (409, {"message": "Bridge with id 'b' already exists"})
    assert box.ask("POST", "bridges/x", type="nonsense").status == 500
    assert box.ask("DELETE", "bridges/b").status == 204
    assert box.ask("DELETE", "bridges/b").status == 404
    assert box.ask("GET", "bridges/b").status == 404


def test_add_channel_refusals(box: Box) -> None:
    """404 no bridge, 400 no channel, 422 a channel that is not ours."""
    box.talk_to()
    assert box.ask("POST", "bridges/x/addChannel", channel="c").status == 404
    missing = box.ask("POST", "bridges/b/addChannel", channel="x")
    assert (missing.status, missing.body) == (400, {"message": "Channel not found"})
    assert box.ask("POST", "bridges/b/addChannel").status == 400
    assert box.ask("POST", "bridges/b/addChannel", channel="c;2").status == 422
    assert box.ask("POST", "bridges/b/removeChannel", channel="x").status == 400
    box.ask("POST", "bridges/b/removeChannel", channel="c")
    assert box.ask("POST", "bridges/b/removeChannel", channel="c").status == 422


def test_a_recorded_channel_stays_out(box: Box) -> None:
    """409 while the channel itself is being recorded."""
    box.ask("POST", "channels", endpoint="Local/silent@people/n", app=APP, channelId="c")
    box.wait(1)
    box.ask("POST", "bridges/b")
    assert box.ask("POST", "channels/c/record", name="r", format="wav").status == 201
    assert box.ask("POST", "bridges/b/addChannel", channel="c").status == 409


def test_entering_again_is_leaving_and_entering(box: Box) -> None:
    """The same bridge or another: first out, then in."""
    box.talk_to()
    box.forget()
    box.ask("POST", "bridges/b/addChannel", channel="c")
    box.ask("POST", "bridges/b2")
    box.ask("POST", "bridges/b2/addChannel", channel="c")
    assert box.types() == ["ChannelLeftBridge", "ChannelEnteredBridge"] * 2
    assert (box.get("bridges/b")["channels"], box.get("bridges/b2")["channels"]) == ([], ["c"])


def test_deleting_a_bridge_leaves_its_channels(box: Box) -> None:
    """They are out of it, up and in Stasis; the application is not told that the bridge is gone (measured)."""
    box.talk_to()
    box.forget()
    assert box.ask("DELETE", "bridges/b").status == 204
    assert box.types() == ["ChannelLeftBridge"]
    assert box.get("channels/c")["state"] == "Up"
    assert box.get(f"applications/{APP}")["channel_ids"] == ["c"]


def test_interest_in_a_bridge(box: Box) -> None:
    """It comes with a channel and goes when that is taken out; a hangup leaves it, until the bridge is gone."""
    box.talk_to()
    assert box.get(f"applications/{APP}")["bridge_ids"] == ["b"]
    box.ask("POST", "bridges/b/removeChannel", channel="c")
    assert box.get(f"applications/{APP}")["bridge_ids"] == []
    box.ask("POST", "bridges/b/addChannel", channel="c")
    box.ask("DELETE", "channels/c")
    assert box.get(f"applications/{APP}")["bridge_ids"] == ["b"]
    box.forget()
    box.ask("DELETE", "bridges/b")
    assert box.types() == ["BridgeDestroyed"]
    assert box.get(f"applications/{APP}")["bridge_ids"] == []


def test_hangup_while_a_bridge_plays_and_records(box: Box) -> None:
    """The announcer and the recorder are thrown out: what plays fails, what waits starts and fails, the recording is done."""
    box.talk_to()
    box.ask("POST", "bridges/b/play/p1", media="sound:demo-congrats")
    box.ask("POST", "bridges/b/play/p2", media="sound:hello-world")
    box.ask("POST", "bridges/b/record", name="r", format="wav")
    box.wait(1)
    box.forget()
    box.ask("DELETE", "channels/c")
    assert box.types()[-5:] == [
        "ChannelDestroyed",
        "PlaybackFinished",
        "PlaybackStarted",
        "PlaybackFinished",
        "RecordingFinished",
    ]
    left = box.of("ChannelLeftBridge")[0]["bridge"]
    assert isinstance(left, dict)
    assert len(left["channels"]) == 2  # Asterisk's own announcer and recorder
    assert (box.emulator.playbacks, box.emulator.recordings) == ([], [])


def test_a_second_member_keeps_the_prompt_going(box: Box) -> None:
    """Nobody is thrown out while somebody is left."""
    box.talk_to(channel="c")
    box.talk_to(channel="d")
    box.ask("POST", "bridges/b/play/p1", media="sound:hello-world")
    box.ask("DELETE", "channels/d")
    assert box.get("playbacks/p1")["state"] == "playing"


def test_a_channel_that_plays_enters_afterwards(box: Box) -> None:
    """addChannel is accepted, and happens when the channel's own playback is over."""
    box.call("silent")
    box.wait(1)
    box.ask("POST", "bridges/b")
    box.ask("POST", "channels/c/play/p", media="sound:hello-world")
    assert box.ask("POST", "bridges/b/addChannel", channel="c").status == 204
    assert box.get("bridges/b")["channels"] == []
    box.wait(2)
    assert box.get("bridges/b")["channels"] == ["c"]


@pytest.mark.parametrize("operation", ["play/p", "record", "moh"])
def test_no_bridge(box: Box, operation: str) -> None:
    """404."""
    assert box.ask("POST", f"bridges/x/{operation}", media="sound:beep", name="r", format="wav").status == 404
