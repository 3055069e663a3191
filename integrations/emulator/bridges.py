"""Bridges: who is in them, and what happens to their sound when the last one leaves.

A bridge lives until it is deleted, with or without channels. Whoever enters through an application makes it hear of the
bridge; whoever leaves takes that away again, but a hangup does not: that interest stays until the bridge is gone.
"""

from typing import Final

from integrations.emulator import events, lines, playbacks, recordings
from integrations.emulator.replies import BRIDGE_NOT_FOUND, Ask, Reply, no_content, ok, refuse
from integrations.emulator.shapes import bridge_json
from integrations.emulator.world import Bridge, Channel, Stay, World

KINDS: Final = frozenset(
    {"mixing", "holding", "dtmf_events", "proxy_media", "video_sfu", "video_single", "sdp_label"}
)


def enter(world: World, bridge: Bridge, channel: Channel) -> None:
    """A channel enters, leaving the bridge it is in first (even if it is this one)."""
    before = world.bridges.get(channel.bridge_id)
    if before is not None:
        leave(world, before, channel)
        if before is not bridge:
            throw_out_lonely(world, before)
    bridge.channels.append(channel.id)
    bridge.stays.append(Stay(channel, world.now))
    channel.bridge_id = bridge.id
    app = world.apps.get(channel.app)
    if app is not None:
        events.want(world, app, f"bridge:{bridge.id}")
    events.membership_event(world, "ChannelEnteredBridge", bridge, channel)
    lines.listen(world, channel)


def leave(world: World, bridge: Bridge, channel: Channel, *, by_hangup: bool = False) -> None:
    """A channel leaves."""
    bridge.channels.remove(channel.id)
    channel.bridge_id = ""
    for stay in bridge.stays:
        if stay.channel is channel and stay.until is None:
            stay.until = world.now
    events.membership_event(world, "ChannelLeftBridge", bridge, channel)
    app = world.apps.get(channel.app)
    if app is not None and not by_hangup:
        events.unwant(world, app, f"bridge:{bridge.id}")
    lines.listen(world, channel)


def throw_out_lonely(world: World, bridge: Bridge) -> None:
    """Announcer and recorders do not stay behind alone. (They may well begin in an empty bridge.)"""
    if not bridge.channels:
        playbacks.fail_all(world, bridge)
        recordings.finish_all(world, bridge)


# ---- requests


def create(world: World, ask: Ask) -> Reply:
    """POST /bridges and /bridges/{bridgeId}."""
    bridge_id = ask.get("bridgeId") or world.uuid()
    if bridge_id in world.bridges:
        return refuse(409, f"Bridge with id '{bridge_id}' already exists")
    kinds = [kind for kind in ask.get("type", "mixing").split(",") if kind] or ["mixing"]
    if not KINDS.issuperset(kinds):
        return refuse(500, "Unable to create bridge")
    kind = "holding" if "holding" in kinds else "mixing"
    bridge = world.bridges[bridge_id] = Bridge(bridge_id, ask.get("name"), kind, world.now)
    events.bridge_event(world, "BridgeCreated", bridge)
    return ok(bridge_json(world, bridge))


def list_all(world: World, _ask: Ask) -> Reply:
    """GET /bridges."""
    return ok([bridge_json(world, bridge) for bridge in world.bridges.values()])


def get(world: World, ask: Ask) -> Reply:
    """GET /bridges/{bridgeId}."""
    bridge = world.bridges.get(ask.get("bridgeId"))
    return BRIDGE_NOT_FOUND if bridge is None else ok(bridge_json(world, bridge))


def delete(world: World, ask: Ask) -> Reply:
    """DELETE /bridges/{bridgeId}: its channels stay where they are, in Stasis."""
    bridge = world.bridges.get(ask.get("bridgeId"))
    if bridge is None:
        return BRIDGE_NOT_FOUND
    for channel_id in list(bridge.channels):
        leave(world, bridge, world.channels[channel_id])
    throw_out_lonely(world, bridge)
    del world.bridges[bridge.id]
    events.bridge_event(world, "BridgeDestroyed", bridge)
    events.nobody_wants(world, f"bridge:{bridge.id}")
    return no_content()


def add(world: World, ask: Ask) -> Reply:
    """POST /bridges/{bridgeId}/addChannel. A channel that is playing something enters when that is over."""
    bridge = world.bridges.get(ask.get("bridgeId"))
    if bridge is None:
        return BRIDGE_NOT_FOUND
    channels = _named(world, ask)
    if isinstance(channels, Reply):
        return channels
    for channel in channels:
        if recordings.is_recorded(world, channel):
            return refuse(409, f"Channel {channel.id} currently recording")
    for channel in channels:
        if channel.jobs:
            channel.moving_to = bridge.id
        else:
            enter(world, bridge, channel)
    return no_content()


def remove(world: World, ask: Ask) -> Reply:
    """POST /bridges/{bridgeId}/removeChannel."""
    bridge = world.bridges.get(ask.get("bridgeId"))
    if bridge is None:
        return BRIDGE_NOT_FOUND
    channels = _named(world, ask)
    if isinstance(channels, Reply):
        return channels
    if any(channel.bridge_id != bridge.id for channel in channels):
        return refuse(422, "Channel not in this bridge")
    for channel in channels:
        leave(world, bridge, channel)
    throw_out_lonely(world, bridge)
    return no_content()


def play(world: World, ask: Ask) -> Reply:
    """POST /bridges/{bridgeId}/play and /play/{playbackId}."""
    bridge = world.bridges.get(ask.get("bridgeId"))
    return BRIDGE_NOT_FOUND if bridge is None else playbacks.queue(world, ask, bridge)


def record(world: World, ask: Ask) -> Reply:
    """POST /bridges/{bridgeId}/record."""
    bridge = world.bridges.get(ask.get("bridgeId"))
    return BRIDGE_NOT_FOUND if bridge is None else recordings.queue(world, ask, bridge)


def music(world: World, ask: Ask) -> Reply:
    """POST and DELETE /bridges/{bridgeId}/moh."""
    bridge = world.bridges.get(ask.get("bridgeId"))
    if bridge is None:
        return BRIDGE_NOT_FOUND
    if ask.method == "DELETE" and not bridge.has_music:
        return refuse(409, "Bridge isn't playing music")
    bridge.has_music = ask.method == "POST"
    return no_content()


def _named(world: World, ask: Ask) -> list[Channel] | Reply:
    names = list(dict.fromkeys(name for name in ask.get("channel").split(",") if name))
    if not names:
        return refuse(400, "Missing parameter channel")
    channels = []
    for name in names:
        channel = world.channels.get(name)
        if channel is None:
            return refuse(400, "Channel not found")
        if not channel.app:
            return refuse(422, "Channel not in Stasis application")
        channels.append(channel)
    return channels
