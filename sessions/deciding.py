"""What a call becomes with each event, and what it wants done: pure.

`decide(state, event, now)` returns the next state and the commands to carry out, in order. It is total: every event
in every phase has an answer, and what comes late, twice or for a leg that has gone changes nothing. After the ending
is decided nothing else is; `sessions.closing` does the rest.
"""

from dataclasses import replace
from typing import Final

from logic.flow import events as flow_events
from logic.flow.engine import NOT_DISCLOSED, RUNAWAY, start
from logic.flow.guards import Direction as FlowDirection
from logic.outcomes import Outcome, outcome_of_unanswered, telling_cause
from sessions import conversation
from sessions.commands import (
    AnswerLeg,
    AskLeg,
    AskPlayback,
    AskRecording,
    CancelTimer,
    Command,
    CreateLeg,
    DialLeg,
    JoinBridge,
    MakeBridge,
    MeasureRecording,
    NoteAnswered,
    OriginateLeg,
    Play,
    RecordDial,
    SetTimer,
    StartRecording,
)
from sessions.events import (
    ASKED,
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
from sessions.models import (
    LEG_STATES,
    PHASES,
    CallPlan,
    CallState,
    Ending,
    Leg,
    LegState,
    Phase,
    Waiting,
    WaitKind,
)

Step = tuple[CallState, tuple[Command, ...]]

SETUP_TIMER: Final = "setup"
RING_TIMER: Final = "ring"
GONE_TIMER: Final = "gone"
TTL_TIMER: Final = "ttl"
UNHEARD_TIMER: Final = "unheard"

SETUP_S: Final = 15.0
"""How long bridge, channel and joining may take together before the call counts as failed."""
UNHEARD_S: Final = 0.3
"""How long a failed playback is taken for a possible hangup before it counts as words that were not heard."""
RING_GRACE_S: Final = 5.0
"""How much longer than the ring timeout we wait for Asterisk to say so."""
GONE_S: Final = 2.0
"""How long we wait for the cause after the first sign that the other side has left."""
SURELY_TALKED_S: Final = 1.0
"""More talking than this, by Asterisk's own measure, is somebody's; this much it also hears in silence."""
CAUSE_S: Final = 0.5
"""How long we wait for the cause after a dial status that says nobody will answer; some channels linger for seconds."""

DIALLED: Final = "DIALLED"
"""Our word for the first Dial event, which has none: a phone was tried."""

_RINGING: Final = frozenset({"RINGING", "PROGRESS", "PROCEEDING"})
_REFUSALS: Final = frozenset(
    {"BUSY", "CONGESTION", "NOANSWER", "CANCEL", "CHANUNAVAIL", "DONTCALL", "TORTURE"}
)
_NOTHING: Final[tuple[Command, ...]] = ()


def begin(plan: CallPlan, now: float) -> CallState:
    """The state of a call that has not begun."""
    inbound = plan.direction == "inbound"
    return CallState(
        plan=plan,
        customer=Leg(
            channel_id=plan.channel_id,
            number=plan.number,
            state=LegState.HERE if inbound else LegState.PLANNED,
        ),
        flow=start(plan.flow, FlowDirection(plan.direction)),
        began_at=now,
        has_leg=inbound,
    )


def decide(state: CallState, event: CallEvent, now: float) -> Step:
    """Say what a call becomes, and what to do about it."""
    if state.ending is not None:
        return _after_the_end(state, event), _NOTHING
    match event:
        case Begin():
            return _begin(state)
        case Entered(channel_id) if _is_customer(state, channel_id):
            return _entered(state, now)
        case DialProgress(channel_id, status) if channel_id == state.plan.channel_id:
            return _dial_progress(state, status, now)
        case Gone(channel_id, cause, tech_cause, was_up) if _is_customer(state, channel_id):
            state = _was_answered(state, now) if was_up else state
            cause = telling_cause(state.customer.cause, cause)
            customer = replace(state.customer, state=LegState.GONE, cause=cause, tech_cause=tech_cause)
            return _gone(replace(state, customer=customer))
        case HangupRequested(channel_id, cause, was_up) if _is_customer(state, channel_id):
            state = _was_answered(state, now) if was_up else state
            customer = state.customer if cause is None else replace(state.customer, cause=cause)
            return _leaving(replace(state, customer=customer))
        case Left(channel_id, was_up) if _is_customer(state, channel_id):
            if state.customer.state is LegState.LEFT:
                return state, _NOTHING
            state, commands = _leaving(_leg(_was_answered(state, now) if was_up else state, LegState.LEFT))
            # An inbound channel is not of our making, so no ChannelDestroyed tells of it: this is its end.
            return state, (SetTimer(GONE_TIMER, CAUSE_S),) if state.plan.direction == "inbound" else commands
        case Vanished(channel_id) if _is_customer(state, channel_id):
            return _left(state) if state.is_leaving else (_vanished(state), _NOTHING)
        case LegIsUp(channel_id, up) if _is_customer(state, channel_id):
            return _leg_is_up(state, now) if up else _leg_is_not_up(state)
        case PlaybackEnded(playback_id, ok):
            turn = _awaited(state, WaitKind.SAYING, playback_id)
            if turn is None:
                return state, _NOTHING
            return _converse(state, flow_events.Said(turn)) if ok else (state, (_unheard(turn),))
        case RecordingEnded(name):
            turn = _awaited(state, WaitKind.RECORDING, name)
            return (state, _NOTHING) if turn is None else _recorded(state, turn, event)
        case RecordingMeasured(name, is_empty):
            turn = _awaited(state, WaitKind.MEASURING, name)
            if turn is None:
                return state, _NOTHING
            kind = flow_events.HeardKind.EMPTY if is_empty else flow_events.HeardKind.SPEECH
            return _converse(state, flow_events.Heard(turn, kind))
        case KeyPressed(channel_id, digit) if _is_customer(state, channel_id):
            if state.phase is not Phase.TALKING:
                return state, _NOTHING
            return _converse(state, flow_events.Pressed(digit))
        case Done(command):
            return _done(state, command, now)
        case Failed(command, error, gone, doubtful):
            return _failed(state, command, error, gone=gone, doubtful=doubtful)
        case TimerFired(name, n):
            return _timer(state, name, n)
        case Resynced():
            return state, _questions(state)
        case StillRunning():
            return state, _wait_timer(state.waiting)
        case StopRequested(reason) if reason == ASKED:
            reached = state.customer.is_answered or state.plan.direction == "inbound"
            return _end(state, Outcome.UNKNOWN if reached else Outcome.ABANDONED, reason), _NOTHING
        case StopRequested(reason):
            return _end(state, Outcome.FAILED_TECHNICAL, reason, _STOP_ERRORS.get(reason, "")), _NOTHING
        case _:  # a leg that is not (or no longer) ours
            return state, _NOTHING


_NOBODY_KNOWS: Final = "it rang long enough, and Asterisk did not say what became of it"
_FAULTY_ENDS: Final = {
    NOT_DISCLOSED: "the words that say who calls could not be played, so nobody was recorded and the call ended",
    RUNAWAY: "the scenario went in circles",
}
_STOP_ERRORS: Final = {
    "mailbox_full": "more events arrived than this call could handle",
    "store_full": "the disk does not keep up: the call could not be written down, so it was not made",
    "shutdown": "the engine was stopped while the call went on",
    "replaced": "another engine took over the application",
    "crashed": "the call ran into a fault of the engine; the log has the traceback",
}


def _is_customer(state: CallState, channel_id: str) -> bool:
    return channel_id == state.plan.channel_id and state.customer.state is not LegState.GONE


def _move(state: CallState, phase: Phase) -> CallState:
    if phase is state.phase:
        return state
    assert phase in PHASES[state.phase], f"a call cannot go from {state.phase} to {phase}"
    return replace(state, phase=phase)


def _leg(state: CallState, leg_state: LegState) -> CallState:
    assert leg_state in LEG_STATES[state.customer.state], f"{state.customer.state} to {leg_state}"
    return replace(state, customer=replace(state.customer, state=leg_state))


# ------------------------------------------------------------------------------------------------ setting up


def _begin(state: CallState) -> Step:
    if state.phase is not Phase.NEW:
        return state, _NOTHING
    plan = state.plan
    state = replace(state, has_bridge=True)
    first: tuple[Command, ...] = (SetTimer(TTL_TIMER, plan.ttl_s), MakeBridge(plan.bridge_id))
    if plan.direction == "inbound":
        return _move(state, Phase.PREPARING), (
            *first,
            SetTimer(SETUP_TIMER, SETUP_S),
            JoinBridge(plan.bridge_id, plan.channel_id),
            AnswerLeg(plan.channel_id),
        )
    state = replace(state, has_leg=True)
    if plan.method == "originate":
        return _move(state, Phase.DIALLING), (
            *first,
            SetTimer(SETUP_TIMER, SETUP_S),
            RecordDial(),
            OriginateLeg(plan.channel_id, plan.endpoint, plan.caller_id, plan.ring_timeout_s),
        )
    return _move(state, Phase.PREPARING), (
        *first,
        SetTimer(SETUP_TIMER, SETUP_S),
        CreateLeg(plan.channel_id, plan.endpoint, plan.caller_id),
    )


def _entered(state: CallState, now: float) -> Step:
    if state.customer.state is not LegState.PLANNED:
        return state, _NOTHING
    plan = state.plan
    state = _leg(state, LegState.HERE)
    join = JoinBridge(plan.bridge_id, plan.channel_id)
    if plan.method == "originate":  # an originated channel enters when it is answered
        state = replace(state, customer=replace(state.customer, answered_at=now))
        return state, (CancelTimer(RING_TIMER), SetTimer(SETUP_TIMER, SETUP_S), join)
    return _move(state, Phase.DIALLING), (join, RecordDial(), DialLeg(plan.channel_id, plan.ring_timeout_s))


def _dial_progress(state: CallState, status: str, now: float) -> Step:
    if state.phase not in {Phase.DIALLING, Phase.RINGING}:
        return state, _NOTHING
    if state.customer.dial_status in _REFUSALS:
        return state, _NOTHING
    if status == "":  # the first Dial, which may come after the second one
        status = state.customer.dial_status or DIALLED
    state = replace(state, customer=replace(state.customer, dial_status=status))
    if state.customer.state in {
        LegState.LEFT,
        LegState.GONE,
    }:  # it says how the dial went, and its end overtook it
        return (_was_answered(state, now) if status == "ANSWER" else state), _NOTHING
    if status in _RINGING:
        return _move(state, Phase.RINGING), _NOTHING
    if status == "ANSWER":
        if state.plan.method == "originate":  # StasisStart follows and counts as the answer
            return state, _NOTHING
        return _answered(state, now)
    if status not in _REFUSALS:
        return state, _NOTHING
    return state, (CancelTimer(RING_TIMER), SetTimer(GONE_TIMER, CAUSE_S))


def _answered(state: CallState, now: float) -> Step:
    if state.customer.is_answered:
        return state, _NOTHING
    state = replace(state, customer=replace(state.customer, answered_at=now))
    state, commands = _talk_if_ready(state)
    return state, (CancelTimer(RING_TIMER), *commands)


def _was_answered(state: CallState, now: float) -> CallState:
    """The other side leaves and had answered: the event that says so comes after its end, or never."""
    if state.customer.is_answered:
        return state
    return replace(state, customer=replace(state.customer, answered_at=now))


def _leg_is_up(state: CallState, now: float) -> Step:
    """An answer whose event was missed."""
    if state.phase not in {Phase.DIALLING, Phase.RINGING}:
        return state, _NOTHING
    if state.plan.method == "originate":
        return _entered(state, now)
    return _answered(state, now)


def _leg_is_not_up(state: CallState) -> Step:
    """It still rings, or does nothing: after the ring timeout that is nobody's answer."""
    if state.ring_is_over and not state.customer.is_answered:
        return _end(state, Outcome.NO_ANSWER, "ring_timeout"), _NOTHING
    return state, _NOTHING


def _talk_if_ready(state: CallState) -> Step:
    """The combination that moves a call to TALKING: answered, and in the bridge."""
    if (
        state.phase is Phase.TALKING
        or not state.customer.is_answered
        or state.customer.state is not LegState.JOINED
    ):
        return state, _NOTHING
    state, commands = _converse(_move(state, Phase.TALKING), flow_events.CallStarted())
    return state, (CancelTimer(SETUP_TIMER), NoteAnswered(), *commands)


def _done(state: CallState, command: Command, now: float) -> Step:
    match command:
        case JoinBridge() if state.customer.state is LegState.HERE:
            return _talk_if_ready(_leg(state, LegState.JOINED))
        case AnswerLeg() if not state.customer.is_answered:
            return _answered(state, now)
        case RecordDial():
            ring_s = state.plan.ring_timeout_s + RING_GRACE_S
            return replace(state, may_have_dialled=True), (
                CancelTimer(SETUP_TIMER),
                SetTimer(RING_TIMER, ring_s),
            )
        case _:
            return state, _NOTHING


def _failed(state: CallState, command: Command, error: str, *, gone: bool, doubtful: bool) -> Step:
    match command:
        case Play(_, playback_id):
            turn = _awaited(state, WaitKind.SAYING, playback_id)
            return (state, _NOTHING) if turn is None else (state, (_unheard(turn),))
        case StartRecording(_, name):
            turn = _awaited(state, WaitKind.RECORDING, name)
            if turn is None:
                return state, _NOTHING
            return _converse(state, flow_events.Heard(turn, flow_events.HeardKind.FAILED))
        case MeasureRecording(name):
            turn = _awaited(state, WaitKind.MEASURING, name)
            if turn is None:
                return state, _NOTHING
            return _converse(state, flow_events.Heard(turn, flow_events.HeardKind.FAILED))
        case AskLeg(channel_id) if gone and _is_customer(state, channel_id):
            return _left(state) if state.is_leaving else (_vanished(state), _NOTHING)
        case AskLeg() if state.ring_is_over and not state.customer.is_answered:
            return _end(state, Outcome.UNKNOWN, "ring_timeout", _NOBODY_KNOWS), _NOTHING
        case DialLeg() if doubtful or state.customer.is_answered or state.phase is Phase.RINGING:
            return state, _NOTHING  # it may have left: events or the ring timeout say what became of it
        case AskPlayback() | AskRecording() | AskLeg():
            return state, _NOTHING  # the call can go on without; the wait's own timer asks again
        case CreateLeg(_, endpoint) | OriginateLeg(_, endpoint):
            sentence = f"Asterisk could not make a channel to {endpoint}: {error}; `doctor` says which endpoints there are"
            return _end(state, Outcome.FAILED_TECHNICAL, "no_channel", sentence), _NOTHING
        case _ if gone:
            return _leaving(state)
        case _:
            return _end(state, Outcome.FAILED_TECHNICAL, "command_failed", error), _NOTHING


# ------------------------------------------------------------------------------------------------ conversing


def _converse(state: CallState, event: flow_events.FlowEvent) -> Step:
    turn = conversation.advance(state, event)
    state = turn.state
    if turn.finished is None:
        return state, turn.commands
    error = _FAULTY_ENDS.get(turn.finished, "")
    outcome = Outcome.FAILED_TECHNICAL if error else Outcome.UNKNOWN
    return _end(state, outcome, turn.finished, error), turn.commands


def _awaited(state: CallState, kind: WaitKind, resource: str) -> int | None:
    waiting = state.waiting
    if waiting is None or waiting.kind is not kind or waiting.resource != resource:
        return None
    return waiting.turn


def _unheard(turn: int) -> Command:
    """A playback that fails may be the first sign of a hangup: its other signs get a moment to arrive."""
    return SetTimer(UNHEARD_TIMER, UNHEARD_S, turn)


def _recorded(state: CallState, turn: int, event: RecordingEnded) -> Step:
    """What Asterisk says of a recording, where that is enough; otherwise the recording itself is asked.

    Nothing at all was sent: talking time 0. Somebody on a telephone that sends silence, and says nothing: 1, which a
    short "yes" is, too (docs/asterisk-facts-lab.md, R1).
    """
    if not event.ok:
        return _converse(state, flow_events.Heard(turn, flow_events.HeardKind.FAILED))
    talking_s, duration_s = event.talking_s, event.duration_s or 0.0
    if talking_s is not None and talking_s <= 0:
        return _converse(state, flow_events.Heard(turn, flow_events.HeardKind.EMPTY, duration_s, talking_s))
    if talking_s is not None and talking_s > SURELY_TALKED_S:
        return _converse(state, flow_events.Heard(turn, flow_events.HeardKind.SPEECH, duration_s, talking_s))
    measuring = Waiting(turn, WaitKind.MEASURING, event.name)
    return replace(state, waiting=measuring), (MeasureRecording(event.name),)


def _wait_timer(waiting: Waiting | None) -> tuple[Command, ...]:
    return () if waiting is None else (conversation.wait_timer(waiting),)


def _questions(state: CallState) -> tuple[Command, ...]:
    """What to ask Asterisk after events may have been missed."""
    if state.waiting is not None:
        return (conversation.ask(state.waiting),)
    if state.phase in {Phase.DIALLING, Phase.RINGING}:
        return (AskLeg(state.plan.channel_id),)
    return ()


def _timer(state: CallState, name: str, n: int) -> Step:
    waiting = state.waiting
    if name == GONE_TIMER:
        return _left(state)
    if name == TTL_TIMER:
        return _end(state, Outcome.UNKNOWN, "ttl", "the call lasted longer than a call may"), _NOTHING
    if name == RING_TIMER:
        return _rang_long_enough(state)
    if name == SETUP_TIMER and state.phase is not Phase.TALKING:
        return _end(
            state, Outcome.FAILED_TECHNICAL, "setup_timeout", "Asterisk did not set up the call in time"
        ), ()
    if name == UNHEARD_TIMER and waiting is not None and waiting.turn == n and not state.is_leaving:
        return _converse(state, flow_events.Said(n, ok=False))
    if name == conversation.WAIT_TIMER and waiting is not None and waiting.turn == n:
        return state, (conversation.ask(waiting), conversation.wait_timer(waiting))
    return state, _NOTHING


def _rang_long_enough(state: CallState) -> Step:
    """Asterisk should have ended it by now: ask before anything is said, because a gap in the events is unknown time."""
    if state.phase not in {Phase.DIALLING, Phase.RINGING} or state.customer.is_answered:
        return state, _NOTHING
    if state.ring_is_over:
        return _end(state, Outcome.UNKNOWN, "ring_timeout", _NOBODY_KNOWS), _NOTHING
    ask = AskLeg(state.plan.channel_id)
    return replace(state, ring_is_over=True), (ask, SetTimer(RING_TIMER, SETUP_S))


# ------------------------------------------------------------------------------------------------ ending


def _leaving(state: CallState) -> Step:
    """The first sign that the other side leaves: its end is on the way, and knows the cause."""
    return replace(state, is_leaving=True), (SetTimer(GONE_TIMER, GONE_S),)


def _gone(state: CallState) -> Step:
    """The end of a leg may overtake the event that says how its dial went; only a plain cause leaves that open."""
    customer = state.customer
    says_nothing = customer.cause in {None, 0, 16} and customer.dial_status not in _REFUSALS
    if says_nothing and state.plan.direction == "outbound" and not customer.is_answered:
        return state, (SetTimer(GONE_TIMER, CAUSE_S),)
    return _left(state)


def _left(state: CallState) -> Step:
    """The other side has gone: what the call came to depends on how far it was."""
    customer = state.customer
    if customer.is_answered or state.plan.direction == "inbound":
        turn = conversation.advance(state, flow_events.CallEnded())
        state = turn.state
        return _end(state, Outcome.HUNG_UP, "other_side_hung_up"), _NOTHING
    if not state.may_have_dialled and not customer.dial_status:
        return _end(
            state, Outcome.FAILED_TECHNICAL, "not_dialled", "the channel ended before it was dialled"
        ), ()
    outcome = outcome_of_unanswered(customer.dial_status, customer.cause, customer.tech_cause)
    return _end(state, outcome, "not_answered"), _NOTHING


def _vanished(state: CallState) -> CallState:
    """Its end was missed, and with it the cause."""
    return _end(state, Outcome.LOST, "vanished", "Asterisk does not know this channel any more")


def _end(state: CallState, outcome: Outcome, reason: str, error: str = "") -> CallState:
    """Decide the ending. What the scenario has said of a call stands, whatever happens afterwards."""
    return replace(
        _move(state, Phase.ENDED),
        waiting=None,
        ending=Ending(state.flow_outcome or outcome, reason, error),
    )


def _after_the_end(state: CallState, event: CallEvent) -> CallState:
    """Only what tells more about an ending that is already decided."""
    match event:
        case Gone(channel_id, cause, tech_cause, _) if _is_customer(state, channel_id):
            return replace(
                state,
                customer=replace(state.customer, state=LegState.GONE, cause=cause, tech_cause=tech_cause),
            )
        case _:
            return state
