"""What the person at the far end hears, and when that makes them act.

Keeps track of prompts as one listens to them: is something being played to me now, for how long in all, which time is
this. Puts acts on the agenda; carrying them out is `acting`'s work.
"""

from integrations.emulator.agenda import ActDue
from integrations.emulator.people import Cue, Says
from integrations.emulator.sound import Stretch
from integrations.emulator.states import ChannelState, PlaybackState
from integrations.emulator.world import Channel, Line, World


def answered(world: World, channel: Channel) -> None:
    """The line is open: the person's acts begin to run."""
    channel.answered_at = world.now
    line = channel.line
    if line is None:
        return
    for number, act in enumerate(line.person.acts):
        if act.when.cue is Cue.ANSWERED:
            _put(world, channel, line, number, act.when.after_s)
        elif act.when.patience_s is not None:
            _put(world, channel, line, number, act.when.patience_s)
    listen(world, channel)


def listen(world: World, channel: Channel) -> None:
    """Something may have begun or ended to be played to this channel: tell its person."""
    line = channel.line
    if line is None or channel.answered_at is None or channel.state is ChannelState.GONE:
        return
    hears = is_spoken_to(world, channel)
    if hears and line.hearing_since is None:
        line.hearing_since = world.now
        line.prompts += 1
        _prompt_began(world, channel, line)
    elif not hears and line.hearing_since is not None:
        line.heard_s += world.now - line.hearing_since
        line.hearing_since = None
        _prompt_ended(world, channel, line)


def is_spoken_to(world: World, channel: Channel) -> bool:
    """Whether a playback runs on the channel or on the bridge it is in."""
    queues = [channel.jobs]
    bridge = world.bridges.get(channel.bridge_id)
    if bridge is not None:
        queues.append(bridge.jobs)
    for queue in queues:
        playback = world.playbacks.get(queue[0]) if queue else None
        if playback is not None and playback.state is PlaybackState.PLAYING:
            return True
    return False


def said_something(world: World, channel: Channel, line: Line, said: Says) -> None:
    """A sentence begins; what waits for its end is put on the agenda."""
    channel.talk.append((world.now, world.now + said.lasts_s))
    if said.words:
        channel.words.append((world.now, said.words))
    line.said += 1
    for number, act in enumerate(line.person.acts):
        if act.when.cue is Cue.SAID and act.when.nth == line.said:
            _put(world, channel, line, number, said.lasts_s + act.when.after_s)


def frames(channel: Channel, now: float) -> list[Stretch]:
    """When audio of any kind came from the channel."""
    end = now if channel.ended_at is None else channel.ended_at
    if channel.answered_at is not None and channel.line is not None and channel.line.person.sends_frames:
        return [(channel.answered_at, end)]
    return talk(channel, now)


def talk(channel: Channel, now: float) -> list[Stretch]:
    """When the person talked; a hangup cuts a sentence short."""
    end = now if channel.ended_at is None else channel.ended_at
    return [(start, min(stop, end)) for start, stop in channel.talk if start < end]


def _prompt_began(world: World, channel: Channel, line: Line) -> None:
    for number, act in enumerate(line.person.acts):
        match act.when.cue:
            case Cue.PROMPT_STARTED if act.when.nth == line.prompts:
                _put(world, channel, line, number, act.when.after_s)
            case Cue.PROMPT_ENDED:
                line.editions[number] += 1  # being spoken to again: what waited for silence waits on
            case Cue.HEARD:
                _put(world, channel, line, number, max(0.0, act.when.heard_s - line.heard_s))
            case _:
                pass


def _prompt_ended(world: World, channel: Channel, line: Line) -> None:
    for number, act in enumerate(line.person.acts):
        match act.when.cue:
            case Cue.PROMPT_ENDED if line.prompts >= act.when.nth:
                _put(world, channel, line, number, act.when.after_s)
            case Cue.HEARD if line.heard_s < act.when.heard_s:
                line.editions[number] += 1
            case _:
                pass


def _put(world: World, channel: Channel, line: Line, number: int, after_s: float) -> None:
    if number in line.done:
        return
    line.editions[number] += 1
    world.agenda.put(world.now + after_s, ActDue(channel.id, number, line.editions[number]))


def takes_turn(line: Line, number: int, edition: int) -> bool:
    """Whether an act that is due is still meant, and not done yet; from now on it counts as done."""
    if number in line.done or line.editions[number] != edition:
        return False
    line.done.add(number)
    return True
