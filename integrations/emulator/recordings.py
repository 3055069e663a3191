"""Recording a channel or a bridge, and what lies on the emulated disk.

A recording ends when it is stopped, full, silent for too long (counted from the first frame on), when a digit it waits
for is pressed, when its channel leaves, or when no frame at all came for four seconds. On a bridge our own prompts are
recorded too and count as sound. A channel in a bridge cannot be recorded by itself, and after `dial` every channel is
in one, of Asterisk's own.
"""

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
    ends: list[tuple[float, bool]] = [(_last(all_frames, now, since) + NO_FRAMES_S, False)]
    if recording.max_s:
        ends.append((since + recording.max_s, False))
    if recording.max_silence_s and recording.state is RecordingState.RECORDING:
        if frames:
            first = min(start for start, _ in frames)
            quiet_since = _last(_sound(world, recording), now, first)
            ends.append((quiet_since + recording.max_silence_s, True))
        else:
            look_again = now + 1.0  # silence counts from the first frame, and is a whole second at least
    due, by_silence = min(ends)
    if due <= now + _CLOSE:
        finish(world, recording, by_silence=by_silence)
    else:
        recording.edition += 1
        world.agenda.put(min(due, look_again), RecordingLooks(recording.serial, recording.edition))


def finish(world: World, recording: Recording, *, by_silence: bool = False) -> None:
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
    heard = merged(within(_frames(world, recording), since, world.now))
    tones = merged(within(_sound(world, recording), since, world.now))
    recording.duration_s = int(total(heard) + _CLOSE)
    if recording.max_silence_s:
        recording.talking_s = min(recording.duration_s, int(total(tones) + _CLOSE))
    if recording.discard:
        world.stored.pop(recording.name, None)
    else:
        _store(world, recording, heard, tones, by_silence=by_silence)
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
            finish(world, recording)


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


def _last(stretches: list[Stretch], now: float, since: float) -> float:
    ends = [min(end, now) for start, end in stretches if start <= now]
    return max([since, *ends])


def _store(
    world: World, recording: Recording, heard: list[Stretch], tones: list[Stretch], *, by_silence: bool
) -> None:
    def place(moment: float) -> float:  # in the file, where only frames take time
        return total(within(heard, heard[0][0], moment)) if heard else 0.0

    placed = [(place(start), place(end)) for start, end in tones]
    seconds = total(heard)
    if by_silence:
        seconds = min(seconds, max([end for _, end in placed], default=0.0) + TAIL_S)
    said = sorted(
        (moment, words)
        for channel in _people(recording)
        for moment, words in channel.words
        if recording.started_at <= moment < world.now
    )
    stored = StoredRecording(
        recording.name, recording.format, seconds, tuple(placed), tuple(words for _, words in said)
    )
    before = world.stored.get(recording.name) if recording.appends else None
    if before is not None:
        later = tuple((start + before.seconds, end + before.seconds) for start, end in stored.tones)
        stored = StoredRecording(
            before.name,
            before.format,
            before.seconds + seconds,
            before.tones + later,
            before.words + stored.words,
        )
    world.stored[recording.name] = stored


def _people(recording: Recording) -> list[Channel]:
    if isinstance(recording.of, Channel):
        return [recording.of]
    return list({stay.channel.id: stay.channel for stay in recording.of.stays}.values())
