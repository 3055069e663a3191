"""How a channel ends, and how one is given back to the dialplan."""

from integrations.emulator import bridges, events, playbacks, recordings
from integrations.emulator.agenda import DialplanEnds
from integrations.emulator.states import CHANNEL, ChannelState, ChannelTurn, following
from integrations.emulator.world import FALLBACK_S, Channel, World

WE_ASKED = 32  # the cause in ChannelHangupRequest when ARI itself hangs up


def hang_up(
    world: World, channel: Channel, cause: int, *, asked_by_us: bool, is_announced: bool = True
) -> None:
    """A channel ends: the request, its playback, its bridge, its application, itself, and its other half.

    `asked_by_us`: by ARI or by a timeout, and not by the far end. Some ends come without a request at all.
    """
    if channel.near_half:
        near = world.channels.get(channel.near_half)
        if near is not None:
            hang_up(world, near, cause, asked_by_us=False)
        return
    state = following(CHANNEL, channel.state, ChannelTurn.ENDS)
    if state is None:
        return
    if is_announced:
        if asked_by_us:
            events.channel_event(world, "ChannelHangupRequest", channel, cause=WE_ASKED, soft=True)
        else:
            events.channel_event(world, "ChannelHangupRequest", channel, cause=cause)
    channel.ended_at = world.now
    playbacks.drop_queued(world, channel)
    recordings.drop_queued(world, channel)
    bridge = world.bridges.get(channel.bridge_id)
    if bridge is not None:
        bridges.leave(world, bridge, channel, by_hangup=True)
    events.leaves_stasis(world, channel)
    if channel.far_half:
        _end_far_half(world, channel, cause)
    events.destroyed(world, channel, cause)
    channel.state = state
    del world.channels[channel.id]
    events.nobody_wants(world, f"channel:{channel.id}")
    if bridge is not None:
        bridges.throw_out_lonely(world, bridge)
    world.counters["channels_ended"] += 1


def give_back(world: World, channel: Channel) -> None:
    """Out of Stasis and on in the dialplan, which says a sentence and hangs up."""
    bridge = world.bridges.get(channel.bridge_id)
    if bridge is not None:
        bridges.leave(world, bridge, channel)
        bridges.throw_out_lonely(world, bridge)
    events.leaves_stasis(world, channel)
    falls_to_dialplan(world, channel)


def falls_to_dialplan(world: World, channel: Channel) -> None:
    """No application has the caller: the dialplan says so and hangs up."""
    channel.in_dialplan = "Playback"
    world.agenda.put(world.now + FALLBACK_S, DialplanEnds(channel.id))


def _end_far_half(world: World, channel: Channel, cause: int) -> None:
    far = world.channels.pop(channel.far_half, None)
    if far is None:
        return
    if not channel.nobody_there:
        events.channel_event(world, "ChannelHangupRequest", far, cause=cause)
        events.channel_event(world, "ChannelHangupRequest", far, cause=16, soft=True)
    events.destroyed(world, far, cause)
    far.state = ChannelState.GONE
    events.nobody_wants(world, f"channel:{far.id}")
