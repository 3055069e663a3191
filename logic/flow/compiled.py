"""A scenario that passed every check, as the engine and the checks use it: frozen values, guards parsed, names sure."""

from collections.abc import Mapping
from dataclasses import dataclass

from logic.flow.guards import Guard
from logic.outcomes import Outcome


@dataclass(frozen=True, slots=True)
class SayState:
    """Speak, wait until it is said, go on."""

    name: str
    prompts: tuple[str, ...]
    next: str


@dataclass(frozen=True, slots=True)
class RecordState:
    """Listen, wait for what was heard, go on. `on_failed` is `next` where the author named no other."""

    name: str
    max_s: float
    silence_s: float
    next: str
    on_failed: str


@dataclass(frozen=True, slots=True)
class Route:
    """One way out of a branch. `text` is the guard as it was written."""

    when: Guard
    text: str
    goto: str


@dataclass(frozen=True, slots=True)
class BranchState:
    """Go the first way whose guard holds, at once."""

    name: str
    routes: tuple[Route, ...]
    otherwise: str


@dataclass(frozen=True, slots=True)
class SetState:
    """Note the outcome, go on at once."""

    name: str
    outcome: Outcome
    next: str


@dataclass(frozen=True, slots=True)
class EndState:
    """Note the outcome if there is one, speak if there is something to say, hang up."""

    name: str
    prompts: tuple[str, ...] = ()
    outcome: Outcome | None = None


State = SayState | RecordState | BranchState | SetState | EndState

WAITING = (SayState, RecordState)
"""The states in which time passes before the next one is entered."""


@dataclass(frozen=True, slots=True)
class Limits:
    """`max_call_s` is for whoever has a clock; `max_turns` is kept by the engine."""

    max_call_s: int
    max_turns: int | None


@dataclass(frozen=True, slots=True)
class CompiledFlow:
    """A whole scenario. `flow_hash` covers its content and the words of its prompts: same hash, same conversation."""

    id: str
    version: str
    locale: str
    purpose: str
    start: str
    limits: Limits
    states: Mapping[str, State]
    prompts: tuple[str, ...]
    disclosing: frozenset[str]
    """Those of the prompts that say what calls: an automated voice, and for whom."""
    flow_hash: str
    file: str
    owner: str | None = None
    change_note: str | None = None
