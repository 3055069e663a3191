"""Recording: when it ends, what it says of itself, and what is on the disk."""

import io
import wave

import pytest

from integrations.emulator.people import HangsUp, Person, Presses, Says, at
from tests.emulator.box import APP, Box


def record(box: Box, **query: object) -> None:
    """Record bridge b as r."""
    reply = box.ask("POST", "bridges/b/record", **{"name": "r", "format": "wav"} | query)
    assert (reply.status, reply.body) == (
        201,
        {"name": "r", "format": "wav", "state": "queued", "target_uri": "bridge:b"},
    )


def finished(box: Box) -> dict[str, object]:
    """The recording of the one RecordingFinished."""
    (event,) = box.of("RecordingFinished")
    recording = event["recording"]
    assert isinstance(recording, dict)
    return recording


def test_silence_ends_it(box: Box) -> None:
    """Somebody who says nothing: finished after the silence, and counted as one second of talk (measured)."""
    box.talk_to("silent")
    record(box, maxDurationSeconds=10, maxSilenceSeconds=2)
    box.wait(1.9)
    assert box.get("recordings/live/r")["state"] == "recording"
    box.wait(0.1)
    done = finished(box)
    assert (done["duration"], done["talking_duration"], done["silence_duration"]) == (1, 1, 0)
    assert box.emulator.stored["r"].seconds == pytest.approx(0.2)
    assert box.ask("GET", "recordings/live/r").status == 404


def test_silence_counts_from_the_last_word(box: Box) -> None:
    """Speech moves the end; without maxSilenceSeconds nothing is said of talking."""
    box.talk_to("machine")  # talks from 0.5 s for 9.5 s
    record(box, maxSilenceSeconds=2)
    box.wait(11.9)
    assert box.of("RecordingFinished") == []
    box.wait(0.2)
    done = finished(box)
    assert (done["duration"], done["talking_duration"]) == (11, 11)
    box.ask("DELETE", "recordings/stored/r")
    box.forget()
    record(box, maxDurationSeconds=3)
    box.wait(4)
    assert finished(box) == {
        "name": "r",
        "format": "wav",
        "state": "done",
        "target_uri": "bridge:b",
        "duration": 3,
    }


def test_full_is_counted_in_seconds_of_the_clock(box: Box) -> None:
    """Asterisk compares whole seconds: the end comes up to one second after maxDurationSeconds."""
    box.talk_to()  # until 0.5
    record(box, maxDurationSeconds=3)
    box.wait(3.4)
    assert box.of("RecordingFinished") == []
    box.wait(0.1)
    assert finished(box)["duration"] == 3


def test_what_was_silent_at_the_end(box: Box) -> None:
    """It does not count when somebody stops or hangs up, but it is in the file."""
    box.talk_to("silent")
    record(box, maxSilenceSeconds=5)
    box.wait(2.9)
    box.ask("POST", "recordings/live/r/stop")
    assert (finished(box)["duration"], finished(box)["talking_duration"]) == (0, 0)
    assert box.emulator.stored["r"].seconds == pytest.approx(2.9)


def test_our_own_prompt_counts_on_a_bridge(box: Box) -> None:
    """A bridge is recorded with everything on it: silence begins when the prompt is over."""
    box.talk_to("silent")
    record(box, maxSilenceSeconds=1)
    box.ask("POST", "bridges/b/play/p", media="sound:hello-world")
    box.wait(2.4)
    assert box.of("RecordingFinished") == []
    box.wait(0.1)
    assert finished(box)["talking_duration"] == 2


def test_a_line_without_frames_ends_it_after_four_seconds() -> None:
    """A person of a dialplan sends nothing while it waits; then neither silence nor duration counts (measured)."""
    box = Box()
    still = Person("still", sends_frames=False)
    channel = box.emulator.dial_in(still, APP, "1", 0.0)
    box.ask("POST", f"channels/{channel}/answer")
    box.ask(
        "POST",
        f"channels/{channel}/record",
        name="r",
        format="wav",
        maxSilenceSeconds=2,
        maxDurationSeconds=9,
    )
    box.wait(3.9)
    assert box.of("RecordingFinished") == []
    box.wait(0.1)
    assert finished(box)["duration"] == 0


@pytest.mark.parametrize(
    ("terminate_on", "ends"), [("any", True), ("#", True), ("*", False), ("none", False)]
)
def test_a_digit_ends_it(box: Box, terminate_on: str, ends: bool) -> None:
    """Any, or the one it waits for; the digit is told first."""
    presser = Person("presser", acts=(Presses(at(1.0), "#"),))
    channel = box.emulator.dial_in(presser, APP, "1", 0.0)
    box.ask("POST", f"channels/{channel}/answer")
    box.ask("POST", f"channels/{channel}/record", name="r", format="wav", terminateOn=terminate_on)
    box.wait(1)
    wanted = ["ChannelDtmfReceived"] + (["RecordingFinished"] if ends else [])
    assert box.types("ChannelDtmfReceived", "RecordingFinished") == wanted


def test_hangup_ends_it_well(box: Box) -> None:
    """Done, not failed, and the file is there: the last words can still be fetched."""
    speaker = Person("speaker", acts=(Says(at(0.5), 2.0, "Wrong number."), HangsUp(at(2.0))))
    channel = box.emulator.dial_in(speaker, APP, "1", 0.0)
    box.ask("POST", f"channels/{channel}/answer")
    box.ask("POST", f"channels/{channel}/record", name="r", format="wav", maxSilenceSeconds=2)
    box.wait(2)
    assert box.types("RecordingFinished", "StasisEnd") == ["RecordingFinished", "StasisEnd"]
    assert finished(box)["state"] == "done"
    assert box.emulator.stored["r"].words == ("Wrong number.",)


def test_a_dialled_channel_cannot_be_recorded_by_itself(box: Box) -> None:
    """It is in a bridge of Asterisk's own: 201, and RecordingFailed (measured)."""
    box.call("silent")
    box.wait(1)
    assert box.ask("POST", "channels/c/record", name="r", format="wav").status == 201
    (event,) = box.of("RecordingFailed")
    recording = event["recording"]
    assert isinstance(recording, dict)
    assert recording["cause"] == "Cannot record channel while in bridge"


def test_the_file_is_a_wav_with_a_tone_where_somebody_talked() -> None:
    """8 kHz, 16 bit, mono; zeros elsewhere."""
    box = Box()
    speaker = Person("speaker", acts=(Says(at(1.0), 1.0),))
    channel = box.emulator.dial_in(speaker, APP, "1", 0.0)
    box.ask("POST", f"channels/{channel}/answer")
    box.ask("POST", f"channels/{channel}/record", name="a/b", format="wav")
    box.wait(3)
    box.ask("POST", "recordings/live/a%2Fb/stop")
    reply = box.ask("GET", "recordings/stored/a%2Fb/file")
    assert reply.data is not None
    with wave.open(io.BytesIO(reply.data)) as file:
        assert (file.getframerate(), file.getsampwidth(), file.getnchannels(), file.getnframes()) == (
            8000,
            2,
            1,
            24000,
        )
        audio = file.readframes(24000)
    seconds = [audio[start : start + 16000] for start in (0, 16000, 32000)]
    assert [any(second) for second in seconds] == [False, True, False]


def test_refusals(box: Box) -> None:
    """A name that exists, a name that is missing, formats and words that do not exist."""
    box.talk_to()
    record(box)
    for query, status in (
        ({"name": "r", "format": "wav"}, 409),
        ({"name": "r", "format": "wav", "ifExists": "overwrite"}, 409),  # it is being recorded right now
        ({"format": "wav"}, 500),
        ({"name": "s", "format": "mp9"}, 422),
        ({"name": "s", "format": "wav", "ifExists": "x"}, 400),
        ({"name": "s", "format": "wav", "terminateOn": "x"}, 400),
    ):
        assert box.ask("POST", "bridges/b/record", **query).status == status, query


def test_a_stored_name_is_refused_overwritten_or_appended(box: Box) -> None:
    """ifExists, whose default is to fail."""
    box.talk_to()
    lengths = []
    for if_exists in ("fail", "overwrite", "append"):
        record(box, ifExists=if_exists)
        box.wait(2)
        box.ask("POST", "recordings/live/r/stop")
        lengths.append(round(box.emulator.stored["r"].seconds, 6))
    assert lengths == [2, 2, 4]
    assert box.ask("POST", "bridges/b/record", name="r", format="wav").status == 409


def test_stopping_and_forgetting(box: Box) -> None:
    """stop keeps the file, DELETE does not; both finish, and a second time is a 404."""
    box.talk_to()
    record(box)
    box.wait(1)
    assert box.ask("POST", "recordings/live/r/stop").status == 204
    assert box.ask("POST", "recordings/live/r/stop").status == 404
    assert box.ask("GET", "recordings/stored/r").status == 200
    assert box.ask("DELETE", "recordings/stored/r").status == 204
    assert box.ask("DELETE", "recordings/stored/r").status == 404
    record(box)
    box.wait(1)
    assert box.ask("DELETE", "recordings/live/r").status == 204
    assert box.ask("GET", "recordings/stored/r").status == 404
    assert len(box.of("RecordingFinished")) == 2
