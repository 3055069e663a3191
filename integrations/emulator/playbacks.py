"""Playing files, on a channel or on a bridge: one after another per target, each with its list of media.

A missing file fails at once, and the list goes on behind it. A scheme Asterisk does not know begins and is never heard
of again. Whoever listens on the target learns when sound begins and ends (`lines.listen`).
"""

from collections import deque
from enum import Enum

from integrations.emulator import events, lines
from integrations.emulator.agenda import MediaEnds, NextJob
from integrations.emulator.replies import PLAYBACK_NOT_FOUND, Ask, Reply, created, no_content, ok, refuse
from integrations.emulator.shapes import playback_json
from integrations.emulator.states import PLAYBACK, PlaybackState, PlaybackTurn, following
from integrations.emulator.world import Bridge, Channel, Playback, World


class Unplayable(Enum):
    """Why a media URI cannot be played."""

    MISSING = "no such file"
    UNKNOWN_SCHEME = "no such scheme"


SECONDS_A_DIGIT = 0.4


def length(world: World, media: str) -> float | Unplayable:
    """How many seconds a media URI lasts."""
    scheme, _, rest = media.partition(":")
    match scheme:
        case "sound":
            if rest.startswith("silence/") and rest.removeprefix("silence/").isdigit():
                return float(rest.removeprefix("silence/"))
            seconds = world.sounds.get(rest)
            if seconds is None and world.settings.find_sound is not None:
                seconds = world.settings.find_sound(rest)
            return Unplayable.MISSING if seconds is None else seconds
        case "recording":
            stored = world.stored.get(rest)
            return Unplayable.MISSING if stored is None else stored.seconds
        case "digits" | "number" | "characters":
            return SECONDS_A_DIGIT * len(rest)
        case "tone":
            return float("inf")
        case _:
            return Unplayable.UNKNOWN_SCHEME


def queue(world: World, ask: Ask, target: Channel | Bridge) -> Reply:
    """Take a playback; it starts at once when nothing else is under way there."""
    media = tuple(part for part in ask.get("media").split(",") if part)
    if not media:
        return Reply(500, {"error": "Allocation failed"})
    kind = "bridge" if isinstance(target, Bridge) else "channel"
    playback = Playback(
        serial=world.serial(),
        id=ask.get("playbackId") or world.uuid(),
        media=media,
        target=f"{kind}:{target.id}",
        language=ask.get("lang") or "en",
    )
    world.playbacks[playback.serial] = playback
    target.jobs.append(playback.serial)
    if isinstance(target, Bridge) and not target.announcer:
        target.announcer = world.unique_id()
    answer = playback_json(playback)
    if target.jobs[0] == playback.serial:
        start(world, playback)
    return created(answer)


def start(world: World, playback: Playback) -> None:
    """Its turn has come."""
    _turn(playback, PlaybackTurn.STARTS)
    events.playback_event(world, "PlaybackStarted", playback)
    _sound(world, playback)


def media_over(world: World, playback: Playback, *, well: bool) -> None:
    """One media was played, or could not be: on to the next of the list, or the end."""
    _silence(world, playback)
    if playback.index + 1 >= len(playback.media):
        finish(world, playback, PlaybackTurn.ENDS if well else PlaybackTurn.FAILS)
        return
    _turn(playback, PlaybackTurn.HAS_MORE)
    events.playback_event(world, "PlaybackContinuing", playback)
    playback.index += 1
    _turn(playback, PlaybackTurn.GOES_ON)
    events.playback_event(world, "PlaybackStarted", playback)
    _sound(world, playback)


def finish(world: World, playback: Playback, turn: PlaybackTurn) -> None:
    """It is over; the next one may begin."""
    _silence(world, playback)
    if playback.state is not PlaybackState.DONE:  # one that was stopped while it waited is done already
        _turn(playback, turn)
    _forget(world, playback)
    if playback.state is not PlaybackState.LOST:
        events.playback_event(world, "PlaybackFinished", playback)
    world.agenda.put(world.now, NextJob(playback.target))


def fail_all(world: World, target: Bridge) -> None:
    """The announcer was thrown out: what runs fails, and so does all that waits, each after a start."""
    while target.jobs:
        playback = world.playbacks[target.jobs[0]]
        if playback.state is PlaybackState.QUEUED:
            _turn(playback, PlaybackTurn.STARTS)
            events.playback_event(world, "PlaybackStarted", playback)
        finish(world, playback, PlaybackTurn.FAILS)
    target.announcer = ""


def drop_queued(world: World, channel: Channel) -> None:
    """The channel is going: what runs fails, what waits is never heard of again."""
    serials = list(channel.jobs)
    for position, serial in enumerate(serials):
        playback = world.playbacks.get(serial)
        if playback is None:
            continue
        if position == 0 and playback.state is not PlaybackState.QUEUED:
            finish(world, playback, PlaybackTurn.FAILS)
        else:
            _forget(world, playback)


# ---- requests


def get(world: World, ask: Ask) -> Reply:
    """GET /playbacks/{playbackId}."""
    playback = world.playback_called(ask.get("playbackId"))
    return PLAYBACK_NOT_FOUND if playback is None else ok(playback_json(playback))


def stop(world: World, ask: Ask) -> Reply:
    """DELETE /playbacks/{playbackId}. One that still waits says so only when its turn has come."""
    playback = world.playback_called(ask.get("playbackId"))
    if playback is None:
        return PLAYBACK_NOT_FOUND
    if playback.state is PlaybackState.QUEUED:
        _turn(playback, PlaybackTurn.ENDS)
    elif playback.state is not PlaybackState.DONE:
        finish(world, playback, PlaybackTurn.ENDS)
    return no_content()


def control(world: World, ask: Ask) -> Reply:
    """POST /playbacks/{playbackId}/control."""
    playback = world.playback_called(ask.get("playbackId"))
    if playback is None:
        return PLAYBACK_NOT_FOUND
    operation = ask.get("operation")
    match operation:
        case "pause" if playback.state in {PlaybackState.PLAYING, PlaybackState.PAUSED}:
            if following(PLAYBACK, playback.state, PlaybackTurn.PAUSES):
                _silence(world, playback)
                _turn(playback, PlaybackTurn.PAUSES)
                _tell(world, playback)
        case "unpause" if playback.state in {PlaybackState.PLAYING, PlaybackState.PAUSED}:
            if following(PLAYBACK, playback.state, PlaybackTurn.GOES_ON):
                _turn(playback, PlaybackTurn.GOES_ON)
                _run(world, playback)
            events.playback_event(world, "PlaybackStarted", playback)
        case "restart" if playback.state is PlaybackState.PLAYING:
            _silence(world, playback)
            _sound(world, playback)
        case "reverse" | "forward" if playback.state is PlaybackState.PLAYING:
            pass
        case "pause" | "unpause" | "restart" | "reverse" | "forward":
            return refuse(409, "Operation cannot be performed in this state")
        case _:
            return refuse(400, f"Invalid operation {operation}")
    return no_content()


# ---- within


def _turn(playback: Playback, turn: PlaybackTurn) -> None:
    state = following(PLAYBACK, playback.state, turn)
    assert state is not None, f"{playback.state} {turn}"
    playback.state = state


def _sound(world: World, playback: Playback) -> None:
    seconds = length(world, playback.media[playback.index])
    match seconds:
        case Unplayable.MISSING:
            media_over(world, playback, well=False)
        case Unplayable.UNKNOWN_SCHEME:
            finish(world, playback, PlaybackTurn.IS_LOST)
        case float():
            playback.left_s = seconds
            _run(world, playback)


def _run(world: World, playback: Playback) -> None:
    playback.started_at = world.now
    playback.edition += 1
    if playback.left_s != float("inf"):
        world.agenda.put(world.now + playback.left_s, MediaEnds(playback.serial, playback.edition))
    _tell(world, playback)


def _silence(world: World, playback: Playback) -> None:
    if playback.started_at is None:
        return
    bridge = world.bridges.get(playback.target.removeprefix("bridge:"))
    if bridge is not None:
        bridge.played.append((playback.started_at, world.now))
    playback.left_s -= world.now - playback.started_at
    playback.started_at = None
    playback.edition += 1


def _forget(world: World, playback: Playback) -> None:
    del world.playbacks[playback.serial]
    jobs = _jobs(world, playback.target)
    if jobs is not None and playback.serial in jobs:
        jobs.remove(playback.serial)
    bridge = world.bridges.get(playback.target.removeprefix("bridge:"))
    if bridge is not None and not bridge.jobs:
        bridge.announcer = ""
    _tell(world, playback)


def _jobs(world: World, target: str) -> deque[int] | None:
    kind, _, name = target.partition(":")
    holder = world.bridges.get(name) if kind == "bridge" else world.channels.get(name)
    return None if holder is None else holder.jobs


def _tell(world: World, playback: Playback) -> None:
    kind, _, name = playback.target.partition(":")
    if kind == "channel":
        hearers = [name]
    else:
        bridge = world.bridges.get(name)
        hearers = [] if bridge is None else bridge.channels
    for channel_id in list(hearers):
        channel = world.channels.get(channel_id)
        if channel is not None:
            lines.listen(world, channel)
