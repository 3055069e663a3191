"""Comparing what Asterisk has with what we know."""

import random

from hypothesis import given
from hypothesis import strategies as st

from core.ids import BridgeId, CallId, ChannelId, Kind, new_call_id, resource_id
from logic.reconcile import (
    Admit,
    Adopt,
    DeleteBridge,
    Found,
    FoundBridge,
    HangUp,
    Known,
    KnownCall,
    Vanish,
    reconcile,
)

RNG = random.Random(1)
CALLS = [new_call_id(1_000_000 + n, RNG) for n in range(6)]


def channel(call: CallId, engine: str = "us") -> ChannelId:
    return ChannelId(resource_id(engine, Kind.CUSTOMER, call))


def bridge(call: CallId, engine: str = "us") -> BridgeId:
    return BridgeId(resource_id(engine, Kind.BRIDGE, call))


def found(
    *channels: ChannelId, in_app: set[ChannelId] | None = None, bridges: list[FoundBridge] | None = None
) -> Found:
    return Found(frozenset(channels), frozenset(channels if in_app is None else in_app), tuple(bridges or []))


US = frozenset({"us"})


def test_a_leg_that_asterisk_no_longer_has_vanishes() -> None:
    """Its call is told once; nobody is hung up."""
    known = Known(US, [KnownCall(CALLS[0], (channel(CALLS[0]),))])
    assert reconcile(found(), known) == (Vanish(CALLS[0], channel(CALLS[0])),)


def test_a_call_that_is_still_there_is_adopted() -> None:
    """It goes on, and asks about what it waits for."""
    known = Known(US, [KnownCall(CALLS[0], (channel(CALLS[0]),))])
    assert reconcile(found(channel(CALLS[0])), known) == (Adopt(CALLS[0]),)


def test_a_call_whose_channel_is_only_planned_is_left_alone() -> None:
    """A channel that has not been seen yet cannot be missing."""
    assert reconcile(found(), Known(US, [KnownCall(CALLS[0], ())])) == (Adopt(CALLS[0]),)


def test_a_channel_of_ours_without_a_call_is_hung_up_and_then_its_bridge_deleted() -> None:
    """People first, then the bridge, which holds nobody else."""
    here = found(channel(CALLS[0]), bridges=[FoundBridge(bridge(CALLS[0]), (channel(CALLS[0]),))])
    assert reconcile(here, Known(US)) == (HangUp(channel(CALLS[0])), DeleteBridge(bridge(CALLS[0])))


def test_what_carries_another_engines_name_is_never_touched() -> None:
    """Neither its channels, even in our application, nor its empty bridges."""
    here = found(channel(CALLS[0], "them"), bridges=[FoundBridge(bridge(CALLS[1], "them"))])
    assert reconcile(here, Known(US)) == ()


def test_a_channel_of_ours_that_has_not_entered_the_application_is_left_to_ring() -> None:
    """An originated channel enters when it is answered; then it is hung up as an orphan."""
    assert reconcile(found(channel(CALLS[0]), in_app=set()), Known(US)) == ()


def test_a_caller_who_came_in_the_gap_is_admitted() -> None:
    """A channel of Asterisk's making in our application, unknown to us and to the store, is a waiting caller."""
    assert reconcile(found(ChannelId("1700000000.5")), Known(US)) == (Admit(ChannelId("1700000000.5")),)


def test_a_caller_of_a_dead_engine_is_hung_up_not_greeted_again() -> None:
    """The store remembers the channel: the conversation it was in is lost."""
    caller = ChannelId("1700000000.5")
    assert reconcile(found(caller), Known(US, remembered={caller: CALLS[0]})) == (HangUp(caller),)


def test_a_call_that_began_while_asterisk_was_asked_is_not_touched() -> None:
    """Its channel is in the answer, or is not; either way it is neither an orphan nor missing."""
    young = KnownCall(CALLS[0], (ChannelId("1700000000.5"),))
    known = Known(US, younger=[young])
    assert reconcile(found(ChannelId("1700000000.5")), known) == ()
    assert reconcile(found(), known) == ()


def test_a_bridge_with_somebody_else_in_it_is_kept() -> None:
    """Nobody is left standing in silence by deleting their bridge."""
    here = found(ChannelId("x"), in_app=set(), bridges=[FoundBridge(bridge(CALLS[0]), (ChannelId("x"),))])
    assert reconcile(here, Known(US)) == ()


@given(st.data())
def test_living_calls_keep_everything_and_strangers_keep_theirs(data: st.DataObject) -> None:
    """No action ever touches a living call's channel or bridge, a stranger's, or one thing twice; again gives the same."""
    engines = st.sampled_from(["us", "them"])
    living = data.draw(st.sets(st.sampled_from(CALLS)))
    channels = data.draw(st.sets(st.builds(channel, st.sampled_from(CALLS), engines)))
    callers = data.draw(st.sets(st.sampled_from([ChannelId("1.1"), ChannelId("1.2")])))
    bridges = data.draw(st.sets(st.builds(bridge, st.sampled_from(CALLS), engines)))
    here = found(*channels, *callers, bridges=[FoundBridge(each) for each in sorted(bridges)])
    known = Known(US, [KnownCall(call, (channel(call),)) for call in sorted(living)])
    actions = reconcile(here, known)
    assert len(set(actions)) == len(actions)
    for action in actions:
        match action:
            case HangUp(channel_id):
                assert ".us." in channel_id
                assert not any(call in channel_id for call in living)
            case DeleteBridge(bridge_id):
                assert ".us." in bridge_id
                assert not any(call in bridge_id for call in living)
            case Vanish(call_id, channel_id):
                assert call_id in living
                assert channel_id not in channels
            case Adopt(call_id):
                assert call_id in living
            case Admit(channel_id):
                assert channel_id in callers
    assert reconcile(here, known) == actions
