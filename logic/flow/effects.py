"""What leaves the flow engine: a closed union of values, carried out by whoever drives the conversation.

`Say` and `Record` expect an answer that names their `turn`; the others are done when they are given.
"""

from dataclasses import dataclass

from logic.outcomes import Outcome


@dataclass(frozen=True, slots=True)
class Say:
    """Speak these prompts, one after another. Answered by `Said`."""

    turn: int
    prompts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Record:
    """Listen: at most `max_s` seconds, ended earlier by `silence_s` seconds of silence. Answered by `Heard`."""

    turn: int
    max_s: float
    silence_s: float


@dataclass(frozen=True, slots=True)
class SetOutcome:
    """From here on the call counts as this, unless a later state says otherwise."""

    outcome: Outcome


@dataclass(frozen=True, slots=True)
class End:
    """The conversation is over: hang up. `reason` names the state it ended in."""

    reason: str


Effect = Say | Record | SetOutcome | End
