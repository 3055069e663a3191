"""What becomes of a happening when it is due: one function for the whole agenda."""

from typing import assert_never

from integrations.emulator import bridges, departures, dialling, events, lines, playbacks, recordings
from integrations.emulator.agenda import (
    ActDue,
    DialplanEnds,
    EntersStasis,
    Happening,
    LetsGo,
    MediaEnds,
    NextJob,
    PicksUp,
    RecordingLooks,
    RingingTooLong,
    Rings,
    TalkEnds,
)
from integrations.emulator.people import HangsUp, Presses, Says
from integrations.emulator.states import PlaybackState, PlaybackTurn, RecordingState
from integrations.emulator.world import CONTINUE, Bridge, Channel, World

TALK_SILENCE_MS = 2500


def happens(world: World, happening: Happening) -> None:
    """Let it happen, unless what it was about is gone or has moved on."""
    match happening:
        case MediaEnds(serial, edition):
            playback = world.playbacks.get(serial)
            if (
                playback is not None
                and playback.edition == edition
                and playback.state is PlaybackState.PLAYING
            ):
                playbacks.media_over(world, playback, well=True)
        case RecordingLooks(serial, edition):
            recording = world.recordings.get(serial)
            if recording is not None and recording.edition == edition:
                recordings.look(world, recording)
        case NextJob(target):
            _next_job(world, target)
        case _:
            channel = world.channels.get(happening.channel_id)
            if channel is not None:
                _happens_to(world, channel, happening)


def _happens_to(
    world: World,
    channel: Channel,
    happening: EntersStasis | Rings | PicksUp | LetsGo | RingingTooLong | ActDue | TalkEnds | DialplanEnds,
) -> None:
    match happening:
        case EntersStasis():
            dialling.enter_stasis(world, channel)
        case Rings():
            dialling.rings(world, channel)
        case PicksUp():
            dialling.picks_up(world, channel)
        case LetsGo(_, cause):
            dialling.lets_go(world, channel, cause)
        case RingingTooLong():
            dialling.rings_too_long(world, channel)
        case ActDue(_, number, edition):
            _acts(world, channel, number, edition)
        case TalkEnds(_, duration_ms):
            events.channel_event(world, "ChannelTalkingFinished", channel, duration=duration_ms)
        case DialplanEnds():
            departures.hang_up(world, channel, 16, asked_by_us=False)
        case _:
            assert_never(happening)


def _acts(world: World, channel: Channel, number: int, edition: int) -> None:
    line = channel.line
    if line is None or not lines.takes_turn(line, number, edition):
        return
    act = line.person.acts[number]
    match act:
        case Says():
            lines.said_something(world, channel, line, act)
            _detect_talk(world, channel, act.lasts_s)
        case Presses(_, digit, lasts_ms):
            events.channel_event(world, "ChannelDtmfReceived", channel, digit=digit, duration_ms=lasts_ms)
            recordings.digit_pressed(world, channel, digit)
        case HangsUp(_, cause):
            departures.hang_up(world, channel, cause, asked_by_us=False)
        case _:
            assert_never(act)


def _detect_talk(world: World, channel: Channel, lasts_s: float) -> None:
    wanted = channel.variables.get("TALK_DETECT(set)")
    if wanted is None:
        return
    first = wanted.partition(",")[0]
    silence_ms = int(first) if first.isascii() and first.isdigit() else TALK_SILENCE_MS
    events.channel_event(world, "ChannelTalkingStarted", channel)
    ends = TalkEnds(channel.id, round(lasts_s * 1000))
    world.agenda.put(world.now + lasts_s + silence_ms / 1000, ends)


def _next_job(world: World, target: str) -> None:
    kind, _, name = target.partition(":")
    holder: Bridge | Channel | None = (
        world.bridges.get(name) if kind == "bridge" else world.channels.get(name)
    )
    if holder is None:
        return
    if holder.jobs:
        _begin(world, holder.jobs[0])
    elif isinstance(holder, Channel) and holder.moving_to:
        _move(world, holder)


def _begin(world: World, serial: int) -> None:
    playback = world.playbacks.get(serial)
    if playback is not None:
        if playback.state is PlaybackState.QUEUED:
            playbacks.start(world, playback)
        elif playback.state is PlaybackState.DONE:  # stopped while it waited
            playbacks.finish(world, playback, PlaybackTurn.ENDS)
        return
    recording = world.recordings.get(serial)
    if recording is not None and recording.state is RecordingState.QUEUED:
        recordings.start(world, recording)


def _move(world: World, channel: Channel) -> None:
    goal, channel.moving_to = channel.moving_to, ""
    bridge = world.bridges.get(goal)
    if goal == CONTINUE:
        departures.give_back(world, channel)
    elif bridge is not None:
        bridges.enter(world, bridge, channel)
