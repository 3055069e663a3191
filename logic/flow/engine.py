"""Runs a conversation: a function from where it is and what happened to where it goes and what is to be done.

    NEW --CallStarted--> SAYING <--> LISTENING --> ENDED      (End was given)
      any of them --CallEnded--> GONE                         (the other side hung up; nothing is said any more)

A state that waits (say, record, an end that speaks) gives an effect with a new turn and stands still until the answer of
that turn comes; all others are passed at once. What comes late, twice or from nowhere changes nothing. The state is a
value: it can be stored, and the conversation goes on from it in another process.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, Literal, assert_never

from pydantic import TypeAdapter, ValidationError

from logic.flow.compiled import BranchState, CompiledFlow, EndState, RecordState, SayState, SetState
from logic.flow.effects import Effect, End, Record, Say, SetOutcome
from logic.flow.errors import StateRefused
from logic.flow.events import CallEnded, CallStarted, FlowEvent, Heard, HeardKind, Pressed, Said
from logic.flow.guards import KEYS, Direction, View, holds
from logic.outcomes import Outcome

MAX_KEYS: Final = 64
"""How many pressed keys are remembered since the last Say; older ones are forgotten first."""

MAX_TURNS: Final = "max_turns"
NOT_DISCLOSED: Final = "not_disclosed"
"""The words that say what calls could not be heard, so nobody is recorded: the call ends instead."""
RUNAWAY: Final = "runaway"

Variable = str | int | bool
Step = tuple["FlowState", tuple[Effect, ...]]


class Phase(StrEnum):
    """What a conversation is waiting for."""

    NEW = "new"
    SAYING = "saying"
    LISTENING = "listening"
    ENDED = "ended"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class FlowState:
    """Where a conversation is.

    `turn` is the last one given, `awaiting` the one whose answer is still to come. After the other side is gone, the
    last recording may still be awaited: it is taken note of, and nothing is said. `visits` is sorted by name. `disclosed`
    is true once a disclosing prompt was really heard: before that nobody is recorded.
    """

    flow_id: str
    flow_hash: str
    direction: Direction
    variables: tuple[tuple[str, Variable], ...] = ()
    phase: Phase = Phase.NEW
    at: str = ""
    turn: int = 0
    awaiting: int | None = None
    heard: HeardKind | None = None
    pressed: tuple[str, ...] = ()
    visits: tuple[tuple[str, int], ...] = ()
    outcome: Outcome | None = None
    disclosed: bool = False
    form: Literal[1] = 1

    @property
    def is_over(self) -> bool:
        """Whether nothing will be said or asked any more."""
        return self.phase in {Phase.ENDED, Phase.GONE}

    def to_json(self) -> str:
        """The state as text, to be stored."""
        return _ADAPTER.dump_json(self).decode()

    @staticmethod
    def from_json(text: str | bytes, flow: CompiledFlow) -> "FlowState":
        """A stored state. Raises StateRefused when it is damaged or belongs to another flow, or to other words of it."""
        try:
            state = _ADAPTER.validate_json(text)
        except ValidationError as error:
            raise StateRefused(f"not a stored state: {error.errors(include_url=False)[0]['msg']}") from None
        if (state.flow_id, state.flow_hash) != (flow.id, flow.flow_hash):
            raise StateRefused(
                f"the state belongs to '{state.flow_id}' {state.flow_hash[:12]}, not to '{flow.id}' {flow.flow_hash[:12]}"
            )
        if not _fits(state, flow):
            raise StateRefused(
                f"the state says that '{state.at}' is {state.phase}, which cannot be in '{flow.id}'"
            )
        return state


_ADAPTER: Final = TypeAdapter(FlowState)


def _fits(state: FlowState, flow: CompiledFlow) -> bool:
    where = flow.states.get(state.at)
    speaks = isinstance(where, SayState) or (isinstance(where, EndState) and bool(where.prompts))
    is_last = state.turn > 0 and state.awaiting == state.turn
    match state.phase:
        case Phase.NEW:
            return state.at == "" and state.turn == 0 and state.awaiting is None
        case Phase.SAYING:
            return speaks and is_last
        case Phase.LISTENING:
            return isinstance(where, RecordState) and is_last
        case Phase.ENDED:
            return where is not None and state.awaiting is None
        case Phase.GONE:
            return state.awaiting is None or (isinstance(where, RecordState) and is_last)


def start(
    flow: CompiledFlow, direction: Direction, variables: Mapping[str, Variable] | None = None
) -> FlowState:
    """A conversation that has not begun. It begins with CallStarted."""
    return FlowState(flow.id, flow.flow_hash, Direction(direction), tuple(sorted((variables or {}).items())))


def step(flow: CompiledFlow, state: FlowState, event: FlowEvent) -> Step:
    """Say what a conversation becomes and what is to be done about it.

    Every event has an answer in every state; one that means nothing there gives the same state and no effects. Raises
    ValueError only when the state is another flow's.
    """
    if state.flow_hash != flow.flow_hash:
        raise ValueError(f"a state of '{state.flow_id}' cannot go on in '{flow.id}'")
    match event:
        case CallStarted():
            return _entered(flow, state, flow.start) if state.phase is Phase.NEW else (state, ())
        case Said():
            return (
                _said(flow, state, ok=event.ok)
                if state.phase is Phase.SAYING and event.turn == state.awaiting
                else (state, ())
            )
        case Heard():
            return _heard(flow, state, event.kind) if event.turn == state.awaiting else (state, ())
        case Pressed():
            return _pressed(state, event.digit), ()
        case CallEnded():
            return _gone(state), ()
        case _:
            assert_never(event)


def _said(flow: CompiledFlow, state: FlowState, *, ok: bool) -> Step:
    """Go on, whether or not it could be heard: standing still would be worse. Only what was heard discloses anything."""
    where = flow.states[state.at]
    if isinstance(where, SayState):
        if ok and not flow.disclosing.isdisjoint(where.prompts):
            state = replace(state, disclosed=True)
        return _entered(flow, state, where.next)
    return _ended(state, where.name, ())


def _heard(flow: CompiledFlow, state: FlowState, kind: HeardKind) -> Step:
    if state.phase is Phase.GONE:
        return replace(state, heard=kind, awaiting=None), ()
    where = flow.states[state.at]
    if not isinstance(where, RecordState):
        return state, ()
    onward = where.on_failed if kind is HeardKind.FAILED else where.next
    return _entered(flow, replace(state, heard=kind), onward)


def _pressed(state: FlowState, key: str) -> FlowState:
    if state.phase not in {Phase.SAYING, Phase.LISTENING} or key not in KEYS:
        return state
    return replace(state, pressed=(*state.pressed, key)[-MAX_KEYS:])


def _gone(state: FlowState) -> FlowState:
    if state.is_over:
        return state
    return replace(
        state, phase=Phase.GONE, awaiting=state.awaiting if state.phase is Phase.LISTENING else None
    )


def _ended(state: FlowState, reason: str, effects: tuple[Effect, ...]) -> Step:
    return replace(state, phase=Phase.ENDED, awaiting=None), (*effects, End(reason))


def _entered(flow: CompiledFlow, state: FlowState, name: str) -> Step:
    """Enter a state and every further one until something has to be waited for."""
    effects: tuple[Effect, ...] = ()
    for _ in range(len(flow.states) + 1):
        where = flow.states[name]
        state = _visited(state, name)
        match where:
            case BranchState():
                name = _chosen(where, state)
            case SetState():
                state = replace(state, outcome=where.outcome)
                effects += (SetOutcome(where.outcome),)
                name = where.next
            case EndState():
                if where.outcome is not None:
                    state = replace(state, outcome=where.outcome)
                    effects += (SetOutcome(where.outcome),)
                if not where.prompts:
                    return _ended(state, name, effects)
                # A goodbye is not counted: whoever reached the limit still gets one where the author wrote one.
                return _saying(state, where.prompts, effects)
            case SayState() | RecordState() if _has_used_up_turns(flow, state):
                return _ended(state, MAX_TURNS, effects)
            case SayState():
                return _saying(state, where.prompts, effects)
            case RecordState() if not state.disclosed:
                return _ended(state, NOT_DISCLOSED, effects)
            case RecordState():
                turn = state.turn + 1
                listening = replace(state, phase=Phase.LISTENING, turn=turn, awaiting=turn)
                return listening, (*effects, Record(turn, where.max_s, where.silence_s))
            case _:
                assert_never(where)
    return _ended(state, RUNAWAY, effects)  # FS022 refuses flows that could come here


def _has_used_up_turns(flow: CompiledFlow, state: FlowState) -> bool:
    return flow.limits.max_turns is not None and state.turn >= flow.limits.max_turns


def _saying(state: FlowState, prompts: tuple[str, ...], effects: tuple[Effect, ...]) -> Step:
    turn = state.turn + 1
    saying = replace(state, phase=Phase.SAYING, turn=turn, awaiting=turn, pressed=())
    return saying, (*effects, Say(turn, prompts))


def _visited(state: FlowState, name: str) -> FlowState:
    visits = dict(state.visits)
    visits[name] = visits.get(name, 0) + 1
    return replace(state, at=name, visits=tuple(sorted(visits.items())))


def _chosen(where: BranchState, state: FlowState) -> str:
    view = View(state.direction, state.heard, state.pressed, dict(state.visits))
    return next((route.goto for route in where.routes if holds(route.when, view)), where.otherwise)
