"""What a call becomes with each event: no clock, no network, no mock."""

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.ids import BridgeId, ChannelId, Kind, PlaybackId, RecordingName, new_call_id, resource_id
from logic.outcomes import Outcome
from sessions.commands import (
    AnswerLeg,
    AskLeg,
    Command,
    CreateLeg,
    DialLeg,
    JoinBridge,
    MakeBridge,
    OriginateLeg,
    Play,
    RecordDial,
    StartRecording,
)
from sessions.deciding import GONE_TIMER, RING_TIMER, SETUP_TIMER, TTL_TIMER, UNHEARD_TIMER, begin, decide
from sessions.events import (
    Begin,
    CallEvent,
    DialProgress,
    Done,
    Entered,
    Failed,
    Gone,
    HangupRequested,
    KeyPressed,
    Left,
    LegIsUp,
    PlaybackEnded,
    RecordingEnded,
    RecordingMeasured,
    Resynced,
    StillRunning,
    StopRequested,
    TimerFired,
    Vanished,
)
from sessions.models import LEG_STATES, PHASES, CallPlan, CallState, LegState, Phase
from tests.logic.flows import shipped_marketing

CALL = new_call_id(1_700_000_000_000, random.Random(1))
CHANNEL = ChannelId(resource_id("us", Kind.CUSTOMER, CALL))
BRIDGE = BridgeId(resource_id("us", Kind.BRIDGE, CALL))

OUTBOUND = CallPlan(
    call_id=CALL,
    engine="us",
    direction="outbound",
    number="+12025550101",
    line="+12025550199",
    channel_id=CHANNEL,
    bridge_id=BRIDGE,
    flow=shipped_marketing(),
    endpoint="Local/x@people/n",
    caller_id="+12025550199",
)
ORIGINATED = replace(OUTBOUND, method="originate")
INBOUND = replace(OUTBOUND, direction="inbound", channel_id=ChannelId("1700000000.1"), endpoint="")

JOIN = JoinBridge(BRIDGE, CHANNEL)


def after(plan: CallPlan, *events: CallEvent) -> tuple[CallState, list[Command]]:
    """Feed events to a new call; the state and every command so far."""
    state = begin(plan, 0.0)
    commands: list[Command] = []
    for n, event in enumerate(events):
        state, more = decide(state, event, float(n))
        commands += more
    return state, commands


def kinds(commands: list[Command]) -> list[type]:
    """The commands without timers and notes."""
    asked = (
        MakeBridge,
        CreateLeg,
        RecordDial,
        DialLeg,
        OriginateLeg,
        AnswerLeg,
        JoinBridge,
        Play,
        StartRecording,
    )
    return [type(command) for command in commands if isinstance(command, asked)]


TALKING = (Begin(), Entered(CHANNEL), Done(JOIN), DialProgress(CHANNEL, "ANSWER"))


def test_an_outbound_call_is_created_joined_and_then_dialled_with_its_permit_used_first() -> None:
    """The bridge comes before the channel, and the dial is on disk before it leaves."""
    _, commands = after(OUTBOUND, Begin(), Entered(CHANNEL))
    assert kinds(commands) == [MakeBridge, CreateLeg, JoinBridge, RecordDial, DialLeg]


def test_an_originated_call_has_its_dial_on_disk_before_it_leaves() -> None:
    """Originate dials at once, so the note comes before it."""
    _, commands = after(ORIGINATED, Begin())
    assert kinds(commands) == [MakeBridge, RecordDial, OriginateLeg]


def test_an_inbound_call_is_joined_and_then_answered() -> None:
    """Nobody is answered into the void."""
    _, commands = after(INBOUND, Begin())
    assert kinds(commands) == [MakeBridge, JoinBridge, AnswerLeg]


@pytest.mark.parametrize(
    "events",
    [
        (Begin(), Entered(CHANNEL), Done(JOIN), DialProgress(CHANNEL, "ANSWER")),
        (Begin(), Entered(CHANNEL), DialProgress(CHANNEL, "ANSWER"), Done(JOIN)),
        (Begin(), Entered(CHANNEL), Done(JOIN), DialProgress(CHANNEL, "RINGING"), LegIsUp(CHANNEL, up=True)),
    ],
)
def test_answered_and_joined_in_either_order_starts_the_conversation_once(
    events: tuple[CallEvent, ...],
) -> None:
    """The combination moves the call, not the order; and doubled events change nothing."""
    state, commands = after(OUTBOUND, *events, *events)
    assert state.phase is Phase.TALKING
    assert kinds(commands).count(Play) == 1


def test_busy_waits_a_moment_for_its_cause_and_not_longer() -> None:
    """Some channels linger for seconds after BUSY; the call does not."""
    state, _ = after(OUTBOUND, Begin(), Entered(CHANNEL), DialProgress(CHANNEL, "BUSY"))
    assert state.ending is None
    state, _ = decide(state, TimerFired(GONE_TIMER), 9.0)
    assert state.ending is not None
    assert state.ending.outcome is Outcome.BUSY


def test_busy_before_the_first_dial_event_stays_busy() -> None:
    """Asterisk gives the two in either order."""
    events = (Begin(), Entered(CHANNEL), DialProgress(CHANNEL, "BUSY"), DialProgress(CHANNEL, ""))
    state, _ = after(OUTBOUND, *events, Gone(CHANNEL, 17))
    assert state.ending is not None
    assert state.ending.outcome is Outcome.BUSY


def test_the_end_that_overtakes_its_answer_still_counts_as_answered() -> None:
    """The channel says itself that it was up."""
    state, _ = after(OUTBOUND, Begin(), Entered(CHANNEL), Done(JOIN), Gone(CHANNEL, 16, None, was_up=True))
    assert state.ending is not None
    assert (state.ending.outcome, state.customer.is_answered) == (Outcome.HUNG_UP, True)


def test_hangup_before_playback_started_ends_as_hung_up() -> None:
    """A failed playback is taken for what it is: the first sign of a hangup."""
    playback = PlaybackId(resource_id("us", Kind.PLAYBACK, CALL, 1))
    events = (
        *TALKING,
        PlaybackEnded(playback, ok=False),
        HangupRequested(CHANNEL, 16),
        TimerFired(UNHEARD_TIMER, 1),
    )
    state, _ = after(OUTBOUND, *events, Gone(CHANNEL, 16))
    assert state.ending is not None
    assert state.ending.outcome is Outcome.HUNG_UP


def test_what_the_scenario_said_of_a_call_stands_whatever_happens_afterwards() -> None:
    """Somebody who answered and hangs up during the goodbye has completed the call."""
    hello = PlaybackId(resource_id("us", Kind.PLAYBACK, CALL, 1))
    answer = RecordingName(resource_id("us", Kind.RECORDING, CALL, 2))
    heard = (PlaybackEnded(hello), RecordingEnded(answer, ok=True, duration_s=4.0, talking_s=3.0))
    state, commands = after(OUTBOUND, *TALKING, *heard)
    assert kinds(commands)[-3:] == [Play, StartRecording, Play]
    state, _ = decide(state, Gone(CHANNEL, 16), 9.0)
    assert state.ending is not None
    assert state.ending.outcome is Outcome.COMPLETED


@pytest.mark.parametrize(("talking_s", "kind"), [(0.0, "EMPTY"), (3.0, "SPEECH")])
def test_a_recording_is_judged_by_what_asterisk_measured_where_that_is_enough(
    talking_s: float, kind: str
) -> None:
    """No talking at all is silence, and more than a second is somebody's."""
    hello = PlaybackId(resource_id("us", Kind.PLAYBACK, CALL, 1))
    answer = RecordingName(resource_id("us", Kind.RECORDING, CALL, 2))
    ended = RecordingEnded(answer, ok=True, duration_s=4.0, talking_s=talking_s)
    state, _ = after(OUTBOUND, *TALKING, PlaybackEnded(hello), ended)
    assert state.flow.heard is not None
    assert state.flow.heard.name == kind


@pytest.mark.parametrize("talking_s", [1.0, None])
@pytest.mark.parametrize(("empty", "kind"), [(True, "EMPTY"), (False, "SPEECH")])
def test_a_doubtful_recording_is_fetched_and_measured(
    talking_s: float | None, empty: bool, kind: str
) -> None:
    """One second of talking is a short yes, or a telephone that sends silence: the audio itself tells."""
    hello = PlaybackId(resource_id("us", Kind.PLAYBACK, CALL, 1))
    answer = RecordingName(resource_id("us", Kind.RECORDING, CALL, 2))
    ended = RecordingEnded(answer, ok=True, duration_s=1.0, talking_s=talking_s)
    state, commands = after(OUTBOUND, *TALKING, PlaybackEnded(hello), ended)
    assert commands[-1].__class__.__name__ == "MeasureRecording"
    state, _ = decide(state, RecordingMeasured(answer, empty), 9.0)
    assert state.flow.heard is not None
    assert state.flow.heard.name == kind


@pytest.mark.parametrize(
    ("timer", "outcome"),
    [(SETUP_TIMER, Outcome.FAILED_TECHNICAL), (TTL_TIMER, Outcome.UNKNOWN)],
)
def test_timers_that_end_a_call_say_why(timer: str, outcome: Outcome) -> None:
    """A call that was not set up, or lasts too long, ends with a sentence."""
    state, _ = after(OUTBOUND, Begin(), TimerFired(timer))
    assert state.ending is not None
    assert state.ending.outcome is outcome
    assert state.ending.error


RUNG = (
    Begin(),
    Entered(CHANNEL),
    Done(JOIN),
    Done(RecordDial()),
    DialProgress(CHANNEL, ""),
    TimerFired(RING_TIMER),
)


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (LegIsUp(CHANNEL, up=False), Outcome.NO_ANSWER),
        (Failed(AskLeg(CHANNEL), "404", gone=True), Outcome.LOST),
        (Failed(AskLeg(CHANNEL), "no answer", doubtful=True), Outcome.UNKNOWN),
        (TimerFired(RING_TIMER), Outcome.UNKNOWN),
    ],
)
def test_after_our_own_ring_timeout_asterisk_is_asked_before_anything_is_said(
    answer: CallEvent, outcome: Outcome
) -> None:
    """A gap in the events is unknown time: nobody is filed as unreached who may just have answered."""
    state, commands = after(OUTBOUND, *RUNG)
    assert state.ending is None
    assert AskLeg(CHANNEL) in commands
    state, _ = decide(state, answer, 99.0)
    assert state.ending is not None
    assert state.ending.outcome is outcome


@pytest.mark.parametrize("plan", [OUTBOUND, ORIGINATED])
def test_whoever_answered_unheard_is_talked_to_after_all(plan: CallPlan) -> None:
    """The event of the answer was lost; the question finds the leg up, and the conversation begins."""
    if plan is OUTBOUND:
        state, _ = after(plan, *RUNG)
    else:
        state, _ = after(plan, Begin(), Done(RecordDial()), TimerFired(RING_TIMER))
    state, _ = decide(state, LegIsUp(CHANNEL, up=True), 99.0)
    state, _ = decide(state, Done(JOIN), 99.0)
    assert state.phase is Phase.TALKING


def test_a_dial_whose_answer_was_lost_is_no_reason_to_end_the_call() -> None:
    """It may have left: what rings goes on ringing, and who answers is talked to."""
    dial = DialLeg(CHANNEL, 30.0)
    state, _ = after(OUTBOUND, *RUNG[:4], Failed(dial, "no answer", doubtful=True))
    assert state.ending is None
    state, _ = after(OUTBOUND, *TALKING, Failed(dial, "the socket broke", doubtful=True))
    assert state.phase is Phase.TALKING


def test_a_trunk_that_nobody_answers_at_is_no_invalid_number() -> None:
    """Asterisk 16 gives the plain cause after the first Dial; only without any Dial was there nothing to dial."""
    events = (Begin(), Entered(CHANNEL), Done(JOIN), Done(RecordDial()))
    for seen, outcome in ((DialProgress(CHANNEL, ""),), Outcome.NO_ANSWER), ((), Outcome.INVALID_NUMBER):
        state, _ = after(OUTBOUND, *events, *seen, Gone(CHANNEL, 16), TimerFired(GONE_TIMER))
        assert state.ending is not None
        assert state.ending.outcome is outcome


def test_what_ends_before_the_dial_left_is_our_failure_not_the_numbers() -> None:
    """A refused join says nothing about the person."""
    state, _ = after(
        OUTBOUND, Begin(), Entered(CHANNEL), Failed(JOIN, "409", gone=True), TimerFired(GONE_TIMER)
    )
    assert state.ending is not None
    assert (state.ending.outcome, state.ending.reason) == (Outcome.FAILED_TECHNICAL, "not_dialled")


def test_a_leg_that_left_the_application_is_hung_up_not_vanished() -> None:
    """An inbound channel has no other end than its StasisEnd; a comparison in that moment changes nothing."""
    here = INBOUND.channel_id
    events = (Begin(), Done(JoinBridge(BRIDGE, here)), Done(AnswerLeg(here)), Left(here, was_up=True))
    state, _ = after(INBOUND, *events)
    assert state.customer.state is LegState.LEFT
    state, _ = decide(state, Vanished(here), 9.0)
    assert state.ending is not None
    assert state.ending.outcome is Outcome.HUNG_UP


def test_events_of_a_leg_that_is_not_ours_change_nothing() -> None:
    """A stranger's hangup is not our caller's."""
    state, _ = after(OUTBOUND, *TALKING)
    for event in (
        Gone(ChannelId("x"), 16),
        Left(ChannelId("x")),
        Vanished(ChannelId("x")),
        KeyPressed(ChannelId("x"), "1"),
    ):
        assert decide(state, event, 9.0) == (state, ())


NAMES = st.sampled_from([SETUP_TIMER, RING_TIMER, GONE_TIMER, TTL_TIMER, UNHEARD_TIMER, "wait", "nonsense"])
RESOURCES = [resource_id("us", kind, CALL, n) for kind in (Kind.PLAYBACK, Kind.RECORDING) for n in (1, 2, 3)]
COMMANDS = st.sampled_from([
    JOIN, MakeBridge(BRIDGE), CreateLeg(CHANNEL, "x", ""), DialLeg(CHANNEL, 5), RecordDial(), AnswerLeg(CHANNEL),
    Play(BRIDGE, PlaybackId(RESOURCES[0]), ("sound:x",)), StartRecording(BRIDGE, RecordingName(RESOURCES[4]), 10, 2),
])  # fmt: skip
CHANNELS = st.sampled_from([CHANNEL, INBOUND.channel_id, ChannelId("x")])
EVENTS = st.one_of(
    st.just(Begin()),
    st.builds(Entered, CHANNELS),
    st.builds(Left, CHANNELS, st.booleans()),
    st.builds(Gone, CHANNELS, st.sampled_from([0, 16, 17, 19, 21]), st.none(), st.booleans()),
    st.builds(HangupRequested, CHANNELS, st.none() | st.just(16), st.booleans()),
    st.builds(DialProgress, CHANNELS, st.sampled_from(["", "RINGING", "ANSWER", "BUSY", "NOANSWER", "ODD"])),
    st.builds(PlaybackEnded, st.sampled_from(RESOURCES).map(PlaybackId), st.booleans()),
    st.builds(
        RecordingEnded,
        st.sampled_from(RESOURCES).map(RecordingName),
        st.booleans(),
        st.none(),
        st.sampled_from([None, 0.0, 1.0, 5.0]),
    ),
    st.builds(RecordingMeasured, st.sampled_from(RESOURCES).map(RecordingName), st.booleans()),
    st.builds(KeyPressed, CHANNELS, st.sampled_from("1#*")),
    st.builds(Vanished, CHANNELS),
    st.just(Resynced()),
    st.builds(LegIsUp, CHANNELS, st.booleans()),
    st.just(StillRunning()),
    st.builds(Done, COMMANDS),
    st.builds(Failed, COMMANDS, st.just("no"), st.booleans()),
    st.builds(TimerFired, NAMES, st.integers(0, 4)),
    st.builds(StopRequested, st.sampled_from(["shutdown", "mailbox_full"])),
)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from([OUTBOUND, ORIGINATED, INBOUND]), st.lists(EVENTS, max_size=40))
def test_any_events_in_any_order_move_a_call_only_forward(plan: CallPlan, events: list[CallEvent]) -> None:
    """Deciding is total and deterministic; phases and legs follow their tables; after the ending nothing is wanted."""
    state = begin(plan, 0.0)
    plays = 0
    for n, event in enumerate([Begin(), *events]):
        was = state
        state, commands = decide(was, event, float(n))
        assert (state, commands) == decide(was, event, float(n))
        assert state.phase is was.phase or _reachable(was.phase, state.phase)
        assert state.customer.state is was.customer.state or _leg_reachable(
            was.customer.state, state.customer.state
        )
        plays += sum(isinstance(command, RecordDial) for command in commands)
        if was.ending is not None:
            assert state.ending == was.ending
            assert commands == ()
    assert plays <= 1, "one permit, one dial"


def _reachable(one: Phase, other: Phase) -> bool:
    return any(other is each or _reachable(each, other) for each in PHASES[one])


def _leg_reachable(one: LegState, other: LegState) -> bool:
    return any(other is each or _leg_reachable(each, other) for each in LEG_STATES[one])
