"""Compare what Asterisk has with what we know, and say what to do about the difference: pure.

*Ours* is what carries an engine name of ours in its id; what carries another engine's name is never touched, nor is
anything that carries no name of ours and is not in our application. An inbound caller's channel has an id of
Asterisk's making, so it counts by being in our application.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from core.ids import BridgeId, CallId, ChannelId, Kind, parse_resource_id


@dataclass(frozen=True, slots=True)
class FoundBridge:
    """A bridge that Asterisk has."""

    bridge_id: BridgeId
    channel_ids: tuple[ChannelId, ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """What Asterisk has: every channel, those of them in our application, every bridge."""

    channel_ids: frozenset[ChannelId]
    in_app: frozenset[ChannelId]
    bridges: tuple[FoundBridge, ...] = ()


@dataclass(frozen=True, slots=True)
class KnownCall:
    """A call that lives in this process. `channel_ids` are those that were seen in Asterisk and not seen to go."""

    call_id: CallId
    channel_ids: tuple[ChannelId, ...]


@dataclass(frozen=True, slots=True)
class Known:
    """What we know: the calls of this process, and whose names count as ours."""

    engines: frozenset[str]
    """Our own engine name, and those of engines that died on this data folder."""
    calls: Sequence[KnownCall] = ()
    """Those that lived before Asterisk was asked: only they can be missing something in its answer."""
    younger: Sequence[KnownCall] = ()
    """Those that began while it was asked: theirs is not to be touched."""
    remembered: Mapping[ChannelId, CallId] = field(default_factory=dict)
    """Channels of calls that the store knows and this process does not: their engine died."""


@dataclass(frozen=True, slots=True)
class Vanish:
    """Tell the call that this leg of its is gone."""

    call_id: CallId
    channel_id: ChannelId


@dataclass(frozen=True, slots=True)
class Adopt:
    """The call goes on: let it ask about whatever it waits for."""

    call_id: CallId


@dataclass(frozen=True, slots=True)
class HangUp:
    """A channel of ours without a call."""

    channel_id: ChannelId


@dataclass(frozen=True, slots=True)
class Admit:
    """A caller who came in while nobody listened, and waits."""

    channel_id: ChannelId


@dataclass(frozen=True, slots=True)
class DeleteBridge:
    """A bridge of ours without a call and without anybody in it."""

    bridge_id: BridgeId


Action = Vanish | Adopt | HangUp | Admit | DeleteBridge


def reconcile(found: Found, known: Known) -> tuple[Action, ...]:
    """What to do so that Asterisk and we agree again: first what concerns people, then the bridges."""
    everyone = (*known.calls, *known.younger)
    living: Collection[CallId] = {call.call_id for call in everyone}
    held = {channel for call in everyone for channel in call.channel_ids}
    actions: list[Action] = []
    for call in known.calls:
        missing = [channel for channel in call.channel_ids if channel not in found.channel_ids]
        actions += [Vanish(call.call_id, channel) for channel in missing]
        if not missing:
            actions.append(Adopt(call.call_id))
    hung_up: set[ChannelId] = set()
    for channel in sorted(found.in_app - held):
        resource = parse_resource_id(channel)
        if resource is None:
            if channel in known.remembered:
                hung_up.add(channel)
            else:
                actions.append(Admit(channel))
        elif resource.engine in known.engines and resource.call not in living:
            hung_up.add(channel)
    actions += [HangUp(channel) for channel in sorted(hung_up)]
    for bridge in found.bridges:
        resource = parse_resource_id(bridge.bridge_id)
        if resource is None or resource.kind is not Kind.BRIDGE or resource.engine not in known.engines:
            continue
        if resource.call not in living and not set(bridge.channel_ids) - hung_up:
            actions.append(DeleteBridge(bridge.bridge_id))
    return tuple(actions)
