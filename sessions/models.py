"""What a call is: its plan, its phases, its legs, and how it ends.

Theory. A call is planned before it exists: its plan names every id it will use first, so that whatever Asterisk says
about them finds its way here. From then on it moves through phases, forward only:

    NEW ──▶ PREPARING ──▶ DIALLING ──▶ RINGING ──▶ TALKING ──▶ ENDED
                │             └───────────────────────▲  │        ▲
                └──── inbound: bridge, join, answer ──┘  └────────┘
                                     (every phase may go straight to ENDED)

The other side is *talking* when two things hold together, in whichever order they come: it has answered, and it is in
the call's bridge. A rejected move changes nothing and is an error of ours, never of the network's: late and doubled
events are ignored before they get that far.
"""

from dataclasses import dataclass, field
from enum import Enum
from typing import Final, Literal

from core.ids import BridgeId, CallId, ChannelId, RecordingName
from logic.flow.compiled import CompiledFlow
from logic.flow.engine import FlowState
from logic.outcomes import Outcome

Direction = Literal["inbound", "outbound"]
DialMethod = Literal["create", "originate"]


class Phase(Enum):
    """How far a call has come."""

    NEW = "new"
    PREPARING = "preparing"
    DIALLING = "dialling"
    RINGING = "ringing"
    TALKING = "talking"
    ENDED = "ended"


PHASES: Final[dict[Phase, frozenset[Phase]]] = {
    Phase.NEW: frozenset({Phase.PREPARING, Phase.DIALLING, Phase.ENDED}),
    Phase.PREPARING: frozenset({Phase.DIALLING, Phase.TALKING, Phase.ENDED}),
    Phase.DIALLING: frozenset({Phase.RINGING, Phase.TALKING, Phase.ENDED}),
    Phase.RINGING: frozenset({Phase.TALKING, Phase.ENDED}),
    Phase.TALKING: frozenset({Phase.ENDED}),
    Phase.ENDED: frozenset(),
}
"""Which phase may follow which."""


class LegState(Enum):
    """How far one channel has come, as far as we know."""

    PLANNED = "planned"
    HERE = "here"
    JOINED = "joined"
    LEFT = "left"
    GONE = "gone"


LEG_STATES: Final[dict[LegState, frozenset[LegState]]] = {
    LegState.PLANNED: frozenset({LegState.HERE, LegState.LEFT, LegState.GONE}),
    LegState.HERE: frozenset({LegState.JOINED, LegState.LEFT, LegState.GONE}),
    LegState.JOINED: frozenset({LegState.LEFT, LegState.GONE}),
    LegState.LEFT: frozenset({LegState.GONE}),
    LegState.GONE: frozenset(),
}
"""A leg that has LEFT is in our application no more: it is hung up already, or somebody else's, and not ours to touch."""


@dataclass(frozen=True, slots=True)
class Leg:
    """One channel of a call. Times are monotonic seconds."""

    channel_id: ChannelId
    number: str
    state: LegState = LegState.PLANNED
    answered_at: float | None = None
    dial_status: str = ""
    cause: int | None = None
    tech_cause: int | None = None

    @property
    def is_answered(self) -> bool:
        return self.answered_at is not None


@dataclass(frozen=True, slots=True)
class CallPlan:
    """All that is known of a call before it begins. Durations in seconds."""

    call_id: CallId
    engine: str
    direction: Direction
    number: str
    """The other side: E.164 or as dialled; for an inbound call what the caller showed."""
    line: str
    """Our side: the line that calls, or the number that was called."""
    channel_id: ChannelId
    bridge_id: BridgeId
    flow: CompiledFlow
    endpoint: str = ""
    caller_id: str = ""
    method: DialMethod = "create"
    ring_timeout_s: float = 30.0
    ttl_s: float = 1800.0
    sound_prefix: str = "custom"


class WaitKind(Enum):
    """What the conversation waits for."""

    SAYING = "saying"
    RECORDING = "recording"
    MEASURING = "measuring"


@dataclass(frozen=True, slots=True)
class Waiting:
    """The one thing the conversation waits for: `turn` of the flow, carried by a playback or recording of Asterisk."""

    turn: int
    kind: WaitKind
    resource: str


@dataclass(frozen=True, slots=True)
class Ending:
    """How a call ended. `reason` is a word for the log, `error` a sentence when something was at fault."""

    outcome: Outcome
    reason: str
    error: str = ""


@dataclass(frozen=True, slots=True)
class CallState:
    """Everything a call knows. A value: deciding makes a new one."""

    plan: CallPlan
    customer: Leg
    flow: FlowState
    phase: Phase = Phase.NEW
    flow_outcome: Outcome | None = None
    waiting: Waiting | None = None
    recordings: tuple[RecordingName, ...] = field(default=())
    next_n: int = 1
    """The next number for a playback or recording of this call."""
    began_at: float = 0.0
    has_bridge: bool = False
    """A bridge of ours may exist: it was asked for."""
    has_leg: bool = False
    """A customer channel may exist: it was asked for, or it came in."""
    may_have_dialled: bool = False
    """It is on disk that the dial may have left."""
    ring_is_over: bool = False
    """It has rung long enough; Asterisk is asked what became of it."""
    is_leaving: bool = False
    """The first sign that the other side leaves has come; its end follows, or the timer does."""
    ending: Ending | None = None
