"""The tables of states: what they allow, and that nothing leaves an end."""

from enum import Enum

import pytest

from integrations.emulator.states import (
    CHANNEL,
    PLAYBACK,
    RECORDING,
    ChannelState,
    ChannelTurn,
    PlaybackState,
    PlaybackTurn,
    RecordingState,
    RecordingTurn,
    following,
)

ENDS = [
    (CHANNEL, {ChannelState.GONE}),
    (PLAYBACK, {PlaybackState.DONE, PlaybackState.FAILED, PlaybackState.LOST}),
    (RECORDING, {RecordingState.DONE, RecordingState.FAILED, RecordingState.CANCELED}),
]


@pytest.mark.parametrize(("table", "ends"), ENDS)
def test_nothing_leaves_an_end(table: dict[tuple[Enum, Enum], Enum], ends: set[Enum]) -> None:
    """What is over stays over: no row of a table begins in an end."""
    assert {state for state, _ in table} & ends == set()


@pytest.mark.parametrize(("table", "ends"), ENDS)
def test_every_state_can_reach_an_end(table: dict[tuple[Enum, Enum], Enum], ends: set[Enum]) -> None:
    """Nothing can get stuck."""
    reach = set(ends)
    for _ in table:
        reach |= {state for (state, _), after in table.items() if after in reach}
    assert {state for state, _ in table} | set(table.values()) == reach


@pytest.mark.parametrize("state", [ChannelState.UP, ChannelState.RING])
def test_what_is_up_or_calls_in_does_not_ring(state: ChannelState) -> None:
    """Only a channel that is Down can begin to ring."""
    assert following(CHANNEL, state, ChannelTurn.RINGS) is None


def test_answering_twice_changes_nothing() -> None:
    """A second answer is allowed and leaves the channel up."""
    assert following(CHANNEL, ChannelState.UP, ChannelTurn.IS_ANSWERED) is ChannelState.UP


def test_only_a_queued_recording_can_fail() -> None:
    """A recording that runs is done when it is cut short, never failed."""
    assert {state for state, turn in RECORDING if turn is RecordingTurn.FAILS} == {RecordingState.QUEUED}


def test_stopping_a_queued_playback_ends_it() -> None:
    """It is done before it began."""
    assert following(PLAYBACK, PlaybackState.QUEUED, PlaybackTurn.ENDS) is PlaybackState.DONE
