"""Playing: in order, stopped, failing, and into an empty bridge."""

from tests.emulator.box import APP, Box


def states(box: Box) -> list[tuple[str, str, str]]:
    """(type, id, state) of every playback event."""
    seen = []
    for event in box.events:
        playback = event.get("playback")
        if isinstance(playback, dict):
            seen.append((str(event["type"]), str(playback["id"]), str(playback["state"])))
    return seen


def test_one_after_another(box: Box) -> None:
    """Queued in the answer, started at once when nothing plays, the next one when the first is over."""
    box.talk_to()
    answer = box.ask("POST", "bridges/b/play/p1", media="sound:hello-world")
    assert answer.status == 201
    assert answer.body == {
        "id": "p1",
        "media_uri": "sound:hello-world",
        "target_uri": "bridge:b",
        "language": "en",
        "state": "queued",
    }
    box.ask("POST", "bridges/b/play/p2", media="sound:hello-world")
    assert (box.get("playbacks/p1")["state"], box.get("playbacks/p2")["state"]) == ("playing", "queued")
    box.wait(1.42)
    assert box.ask("GET", "playbacks/p1").status == 404
    box.wait(1.42)
    assert states(box) == [
        ("PlaybackStarted", "p1", "playing"),
        ("PlaybackFinished", "p1", "done"),
        ("PlaybackStarted", "p2", "playing"),
        ("PlaybackFinished", "p2", "done"),
    ]


def test_a_missing_file_fails_at_once(box: Box) -> None:
    """Started and finished, state failed; a file that appears is playable at once."""
    box.talk_to()
    box.ask("POST", "bridges/b/play/p1", media="sound:custom/new")
    assert states(box) == [("PlaybackStarted", "p1", "playing"), ("PlaybackFinished", "p1", "failed")]
    box.emulator.sounds["custom/new"] = 2.0
    box.ask("POST", "bridges/b/play/p2", media="sound:custom/new")
    assert box.get("playbacks/p2")["state"] == "playing"


def test_an_unknown_scheme_is_never_heard_of_again(box: Box) -> None:
    """Started, and no end (measured): a deadline of one's own is needed."""
    box.talk_to()
    box.ask("POST", "bridges/b/play/p1", media="nope:x")
    box.wait(60)
    assert states(box) == [("PlaybackStarted", "p1", "playing")]
    assert box.ask("GET", "playbacks/p1").status == 404


def test_a_list_of_media(box: Box) -> None:
    """Goes on past a missing file, and ends as its last one does."""
    box.talk_to()
    box.ask("POST", "bridges/b/play/p", media="sound:vm-goodbye,sound:nope,sound:hello-world")
    box.wait(5)
    assert [kind for kind, _, _ in states(box)] == [
        "PlaybackStarted",
        "PlaybackContinuing",
        "PlaybackStarted",
        "PlaybackContinuing",
        "PlaybackStarted",
        "PlaybackFinished",
    ]
    assert states(box)[-1][2] == "done"


def test_stopping(box: Box) -> None:
    """What plays is done at once; what waits says so when its turn comes."""
    box.talk_to()
    box.ask("POST", "bridges/b/play/p1", media="sound:demo-congrats")
    box.ask("POST", "bridges/b/play/p2", media="sound:hello-world")
    assert box.ask("DELETE", "playbacks/p2").status == 204
    assert box.get("playbacks/p2")["state"] == "done"
    assert [kind for kind, _, _ in states(box)] == ["PlaybackStarted"]
    assert box.ask("DELETE", "playbacks/p1").status == 204
    assert states(box)[1:] == [("PlaybackFinished", "p1", "done"), ("PlaybackFinished", "p2", "done")]
    assert box.ask("DELETE", "playbacks/p1").status == 404


def test_pausing(box: Box) -> None:
    """What was left is left."""
    box.talk_to()
    box.ask("POST", "bridges/b/play/p", media="sound:hello-world")
    box.wait(1)
    assert box.ask("POST", "playbacks/p/control", operation="pause").status == 204
    box.wait(20)
    assert box.get("playbacks/p")["state"] == "paused"
    assert box.ask("POST", "playbacks/p/control", operation="unpause").status == 204
    box.wait(0.41)
    assert box.get("playbacks/p")["state"] == "playing"
    box.wait(0.02)
    assert states(box)[-1] == ("PlaybackFinished", "p", "done")
    assert box.ask("POST", "playbacks/p/control", operation="stop").status == 404


def test_an_empty_bridge_plays_on(box: Box) -> None:
    """Nobody hears it, not even the application, unless it asked to."""
    box.ask("POST", "bridges/b")
    box.ask("POST", "bridges/b/play/p1", media="sound:hello-world")
    box.wait(2)
    assert box.events == []
    assert box.ask("POST", f"applications/{APP}/subscription", eventSource="bridge:b").status == 200
    box.ask("POST", "bridges/b/play/p2", media="sound:hello-world")
    box.wait(2)
    assert states(box) == [("PlaybackStarted", "p2", "playing"), ("PlaybackFinished", "p2", "done")]


def test_hangup_on_a_channel_queue(box: Box) -> None:
    """What plays fails; what waited is never heard of (measured)."""
    box.call("silent")
    box.wait(1)
    box.ask("POST", "channels/c/play/p1", media="sound:demo-congrats")
    box.ask("POST", "channels/c/play/p2", media="sound:hello-world")
    box.ask("DELETE", "channels/c")
    assert states(box) == [("PlaybackStarted", "p1", "playing"), ("PlaybackFinished", "p1", "failed")]
    assert box.ask("GET", "playbacks/p2").status == 404


def test_no_media(box: Box) -> None:
    """500, as Asterisk has it."""
    box.talk_to()
    assert box.ask("POST", "bridges/b/play/p").status == 500


def test_one_id_twice(box: Box) -> None:
    """Taken, and played twice: ids of playbacks are not looked at."""
    box.talk_to()
    for _ in range(2):
        assert box.ask("POST", "bridges/b/play/p", media="sound:hello-world").status == 201
    box.wait(3)
    assert len(states(box)) == 4
