"""Recording a channel or a bridge, and what lies on the emulated disk.

A recording ends when it is stopped, full, silent for too long (counted from the first frame on), when a digit it waits
for is pressed, when its channel leaves, or when no frame at all came for four seconds. On a bridge our own prompts are
recorded too and count as sound. A channel in a bridge cannot be recorded by itself, and after `dial` every channel is
in one, of Asterisk's own.
"""

from enum import Enum
from math import ceil, floor
from typing import Final

from integrations.emulator import events, lines
from integrations.emulator.agenda import NextJob, RecordingLooks
from integrations.emulator.replies import RECORDING_NOT_FOUND, Ask, Reply, created, no_content, ok, refuse
from integrations.emulator.shapes import recording_json, stored_json
from integrations.emulator.sound import Stretch, merged, total, wav, within
from integrations.emulator.states import RECORDING, PlaybackState, RecordingState, RecordingTurn, following
from integrations.emulator.world import Bridge, Channel, Recording, StoredRecording, World

FORMATS: Final = frozenset(
    {"wav", "wav16", "wav49", "ulaw", "alaw", "gsm", "sln", "sln16", "g722", "slin", "slin16"}
)
NO_FRAMES_S: Final = 4.0  # two waits of two seconds each, then Asterisk gives up
BEEP_S: Final = 0.2
TAIL_S: Final = 0.2  # what is left of the silence that ended it
_IN_BRIDGE: Final = "Cannot record channel while in bridge"
_CLOSE: Final = 1e-9


class Ending(Enum):
    """Why a recording is over."""

    SILENCE = "silence"
    DIGIT = "digit"
    FULL = "full"
    CUT = "cut"  # stopped, hung up, or without frames


def queue(world: World, ask: Ask, target: Channel | Bridge) -> Reply:
    """Take a recording; on a channel it waits for what is under way there."""
    name, form = ask.get("name"), ask.get("format")
    if not name or not form:
        return refuse(500, "Error parsing request")
    if ask.whole("maxDurationSeconds", 0) < 0:
        return refuse(400, "max_duration_seconds cannot be negative")
    if ask.whole("maxSilenceSeconds", 0) < 0:
        return refuse(400, "max_silence_seconds cannot be negative")
    if ask.get("terminateOn", "none") not in {"none", "any", "*", "#"}:
        return refuse(400, "terminateOn invalid")
    if_exists = ask.get("ifExists", "fail")
    if if_exists not in {"fail", "overwrite", "append"}:
        return refuse(400, "ifExists invalid")
    if form not in FORMATS:
        return refuse(422, "specified format is unknown on this system")
    if world.recording_called(name) or (if_exists == "fail" and name in world.stored):
        return refuse(409, f"Recording '{name}' already exists and can not be overwritten")
    kind = "bridge" if isinstance(target, Bridge) else "channel"
    recording = Recording(
        serial=world.serial(),
        of=target,
        name=name,
        format=form,
        target=f"{kind}:{target.id}",
        max_s=ask.whole("maxDurationSeconds", 0),
        max_silence_s=ask.whole("maxSilenceSeconds", 0),
        terminate_on=ask.get("terminateOn", "none"),
        beep=ask.is_set("beep"),
        appends=if_exists == "append",
    )
    answer = recording_json(recording)
    if if_exists == "overwrite":
        world.stored.pop(name, None)
    if isinstance(target, Bridge):
        world.recordings[recording.serial] = recording
        target.recorders[recording.serial] = world.unique_id()
        start(world, recording)
    elif target.bridge_id or target.is_dialled:
        _turn(recording, RecordingTurn.FAILS)
        recording.cause = _IN_BRIDGE
        events.recording_event(world, "RecordingFailed", recording)
    else:
        world.recordings[recording.serial] = recording
        target.jobs.append(recording.serial)
        if target.jobs[0] == recording.serial:
            start(world, recording)
    return created(answer)


def start(world: World, recording: Recording) -> None:
    """Its turn has come."""
    _turn(recording, RecordingTurn.STARTS)
    recording.started_at = world.now + (BEEP_S if recording.beep else 0.0)
    events.recording_event(world, "RecordingStarted", recording)
    look(world, recording)


def look(world: World, recording: Recording) -> None:
    """Is it time to end? If not, look again when it may be."""
    now = world.now
    since = recording.started_at
    all_frames = _frames(world, recording)
    frames = within(all_frames, since, now)
    look_again = now + NO_FRAMES_S
    ends: list[tuple[float, Ending]] = [(_last(all_frames, now, since) + NO_FRAMES_S, Ending.CUT)]
    if recording.max_s:
        ends.append((_full_at(world, since, recording.max_s), Ending.FULL))
    if recording.max_silence_s and recording.state is RecordingState.RECORDING:
        if frames:
            first = min(start for start, _ in frames)
            quiet_since = _last(_sound(world, recording), now, first)
            ends.append((quiet_since + recording.max_silence_s, Ending.SILENCE))
        else:
            look_again = now + 1.0  # silence counts from the first frame, and is a whole second at least
    due, why = min(ends, key=lambda end: end[0])
    if due <= now + _CLOSE:
        finish(world, recording, why)
    else:
        recording.edition += 1
        world.agenda.put(min(due, look_again), RecordingLooks(recording.serial, recording.edition))


def finish(world: World, recording: Recording, why: Ending = Ending.CUT) -> None:
    """It is over: say how long it was, and keep the file."""
    _turn(recording, RecordingTurn.ENDS)
    del world.recordings[recording.serial]
    target = recording.of
    if isinstance(target, Bridge):
        target.recorders.pop(recording.serial, None)
    elif recording.serial in target.jobs:
        target.jobs.remove(recording.serial)
        world.agenda.put(world.now, NextJob(recording.target))
    since = min(recording.started_at, world.now)
    frames = merged(within(_frames(world, recording), since, world.now))
    tones = merged(within(_sound(world, recording), since, world.now))
    file_s = _measure(recording, why, total(frames), _in_file(frames, tones))
    if recording.discard:
        world.stored.pop(recording.name, None)
    else:
        _store(world, recording, file_s, _in_file(frames, tones))
    events.recording_event(world, "RecordingFinished", recording)


def finish_all(world: World, bridge: Bridge) -> None:
    """The recorders of a bridge are thrown out: done, each of them."""
    for serial in list(bridge.recorders):
        finish(world, world.recordings[serial])


def drop_queued(world: World, channel: Channel) -> None:
    """The channel is going: what runs is done, what waits is never heard of again."""
    for serial in list(channel.jobs):
        recording = world.recordings.get(serial)
        if recording is None:
            continue
        if recording.state is RecordingState.QUEUED:
            del world.recordings[serial]
            channel.jobs.remove(serial)
        else:
            finish(world, recording)


def digit_pressed(world: World, channel: Channel, digit: str) -> None:
    """End what waits for this digit, on the channel or on the bridge it is in."""
    for recording in list(world.recordings.values()):
        is_here = recording.of is channel or recording.of is world.bridges.get(channel.bridge_id)
        wanted = recording.terminate_on
        if is_here and recording.state is not RecordingState.QUEUED and wanted in {"any", digit}:
            finish(world, recording, Ending.DIGIT)


def is_recorded(world: World, channel: Channel) -> bool:
    """Whether the channel itself is being recorded."""
    return any(serial in world.recordings for serial in channel.jobs)


# ---- requests


def get_live(world: World, ask: Ask) -> Reply:
    """GET /recordings/live/{name}."""
    recording = world.recording_called(ask.get("recordingName"))
    return RECORDING_NOT_FOUND if recording is None else ok(recording_json(recording))


def stop(world: World, ask: Ask) -> Reply:
    """POST /recordings/live/{name}/stop: keep what there is."""
    return _end(world, ask, discard=False)


def cancel(world: World, ask: Ask) -> Reply:
    """DELETE /recordings/live/{name}: and forget it."""
    return _end(world, ask, discard=True)


def pause(world: World, ask: Ask) -> Reply:
    """POST and DELETE /recordings/live/{name}/pause."""
    recording = world.recording_called(ask.get("recordingName"))
    if recording is None:
        return RECORDING_NOT_FOUND
    turn = RecordingTurn.PAUSES if ask.method == "POST" else RecordingTurn.GOES_ON
    if following(RECORDING, recording.state, turn):
        _turn(recording, turn)
        look(world, recording)
    elif recording.state is RecordingState.QUEUED:
        return refuse(409, "Recording not in session")
    return no_content()


def mute(world: World, ask: Ask) -> Reply:
    """POST and DELETE /recordings/live/{name}/mute: taken, and without effect on the tones."""
    found = world.recording_called(ask.get("recordingName"))
    return RECORDING_NOT_FOUND if found is None else no_content()


def list_stored(world: World, _ask: Ask) -> Reply:
    """GET /recordings/stored."""
    return ok([stored_json(stored) for stored in world.stored.values()])


def get_stored(world: World, ask: Ask) -> Reply:
    """GET /recordings/stored/{name}. A live one has its file already."""
    name = ask.get("recordingName")
    live = world.recording_called(name)
    if live is not None and live.state is not RecordingState.QUEUED:
        return ok({"name": live.name, "format": live.format})
    stored = world.stored.get(name)
    return RECORDING_NOT_FOUND if stored is None else ok(stored_json(stored))


def get_file(world: World, ask: Ask) -> Reply:
    """GET /recordings/stored/{name}/file."""
    stored = world.stored.get(ask.get("recordingName"))
    return RECORDING_NOT_FOUND if stored is None else Reply(200, data=wav(stored.seconds, stored.tones))


def delete_stored(world: World, ask: Ask) -> Reply:
    """DELETE /recordings/stored/{name}."""
    gone = world.stored.pop(ask.get("recordingName"), None)
    return RECORDING_NOT_FOUND if gone is None else no_content()


# ---- within


def _end(world: World, ask: Ask, *, discard: bool) -> Reply:
    recording = world.recording_called(ask.get("recordingName"))
    if recording is None:
        return RECORDING_NOT_FOUND
    recording.discard = discard
    if recording.state is not RecordingState.QUEUED:
        finish(world, recording)
        return no_content()
    _turn(recording, RecordingTurn.IS_CANCELED)
    del world.recordings[recording.serial]
    recording.of.jobs.remove(recording.serial)
    return no_content()


def _turn(recording: Recording, turn: RecordingTurn) -> None:
    state = following(RECORDING, recording.state, turn)
    assert state is not None, f"{recording.state} {turn}"
    recording.state = state


def _frames(world: World, recording: Recording) -> list[Stretch]:
    return _heard(world, recording, frames_too=True)


def _sound(world: World, recording: Recording) -> list[Stretch]:
    return _heard(world, recording, frames_too=False)


def _heard(world: World, recording: Recording, *, frames_too: bool) -> list[Stretch]:
    of_channel = lines.frames if frames_too else lines.talk
    target = recording.of
    if isinstance(target, Channel):
        return of_channel(target, world.now)
    heard = list(target.played)
    playback = world.playbacks.get(target.jobs[0]) if target.jobs else None
    if playback is not None and playback.state is PlaybackState.PLAYING and playback.started_at is not None:
        heard.append((playback.started_at, world.now))
    for stay in target.stays:
        until = world.now if stay.until is None else stay.until
        heard.extend(within(of_channel(stay.channel, world.now), stay.since, until))
    return heard


def _full_at(world: World, since: float, max_s: int) -> float:
    """Asterisk compares whole seconds of the day: full when more than `max_s` of them have begun since the start."""
    start = world.epoch.timestamp() + since
    return since + floor(start) + max_s + 1 - start


def _last(stretches: list[Stretch], now: float, since: float) -> float:
    ends = [min(end, now) for start, end in stretches if start <= now]
    return max([since, *ends])


def _in_file(frames: list[Stretch], tones: list[Stretch]) -> list[Stretch]:
    """Where the tones are in the file, in which only frames take time."""

    def place(moment: float) -> float:
        return total(within(frames, frames[0][0], moment)) if frames else 0.0

    return [(place(start), place(end)) for start, end in tones]


def _measure(recording: Recording, why: Ending, seconds: float, tones: list[Stretch]) -> float:
    """Say how long it was, in whole seconds, as Asterisk counts; returns the length of the file.

    Where silence is measured, what was silent at the end does not count, and is cut off the file unless somebody
    stopped it. Ended by silence or a digit, what is left counts as begun seconds: a recording of nothing at all then
    has a duration and a talking_duration of 1 (measured).
    """
    recording.duration_s = int(seconds + _CLOSE)
    if not recording.max_silence_s:
        return seconds
    spoken_until = max([end for _, end in tones], default=0.0)
    trailing = seconds - spoken_until
    file_s = seconds if why is Ending.CUT else min(seconds, spoken_until + TAIL_S)
    if why in {Ending.SILENCE, Ending.DIGIT}:
        recording.duration_s = ceil(file_s - _CLOSE)
    else:
        recording.duration_s = max(0, recording.duration_s - int(trailing + _CLOSE))
    pauses = int(spoken_until - total(tones) + _CLOSE)
    recording.talking_s = max(0, recording.duration_s - pauses)
    return file_s


def _store(world: World, recording: Recording, seconds: float, tones: list[Stretch]) -> None:
    said = sorted(
        (moment, words)
        for channel in _people(recording)
        for moment, words in channel.words
        if recording.started_at <= moment < world.now
    )
    words = tuple(text for _, text in said)
    stored = StoredRecording(recording.name, recording.format, seconds, tuple(tones), words)
    before = world.stored.get(recording.name) if recording.appends else None
    if before is not None:
        later = tuple((start + before.seconds, end + before.seconds) for start, end in tones)
        stored = StoredRecording(
            before.name, before.format, before.seconds + seconds, before.tones + later, before.words + words
        )
    world.stored[recording.name] = stored


def _people(recording: Recording) -> list[Channel]:
    if isinstance(recording.of, Channel):
        return [recording.of]
    return list({stay.channel.id: stay.channel for stay in recording.of.stays}.values())
