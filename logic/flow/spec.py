"""A scenario file as it is written, as pydantic models: which keys there are, and what each may hold.

Says nothing about whether names exist or the conversation makes sense; that is for the loader's checks. The JSON schema
of `FlowSpec` is what an editor completes from.
"""

from typing import Annotated, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from logic.documents.problems import did_you_mean, listed
from logic.names import LocaleField, NameField, VersionField
from logic.outcomes import SETTABLE, Outcome

MAX_STATES: Final = 500
MAX_ROUTES: Final = 50
MAX_GUARD_CHARS: Final = 500

RESERVED_STATES: Final = frozenset({"max_turns", "not_disclosed", "runaway"})
"""What `End.reason` says when the engine ends a call itself; no state may be called so."""

_SETTABLE: Final = sorted(outcome.value for outcome in SETTABLE)


def _settable(given: object) -> object:
    if given in _SETTABLE:
        return given
    word = given if isinstance(given, str) else "no text"
    advice = (
        did_you_mean(word, _SETTABLE) if word not in set(Outcome) else ", which is not for a scenario to say"
    )
    choice = "" if advice.startswith(";") else f"; use {listed(_SETTABLE)}"
    raise ValueError(f"cannot be '{word}'{advice}{choice}")


def _state_name(given: object) -> object:
    if given in RESERVED_STATES:
        raise ValueError("is a word of the engine's own; name the state otherwise")
    return given


OutcomeField = Annotated[
    Outcome, BeforeValidator(_settable), WithJsonSchema({"type": "string", "enum": _SETTABLE})
]
PromptsField = Annotated[tuple[NameField, ...], Field(min_length=1, max_length=20)]
SecondsField = Annotated[float, Field(strict=True, ge=1, le=10)]
"""Asterisk counts whole seconds and takes 0 as "without limit", so nothing below 1."""

StateName = Annotated[NameField, BeforeValidator(_state_name)]
GuardText = Annotated[str, Field(min_length=1, max_length=MAX_GUARD_CHARS)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SaySpec(_Strict):
    """Speak prompts one after another, then go on."""

    kind: Literal["say"]
    say: PromptsField
    next: NameField


class RecordSpec(_Strict):
    """Listen, then go on; to `on_failed` when nobody knows what was heard."""

    kind: Literal["record"]
    max_s: SecondsField = 10.0
    silence_s: SecondsField = 2.0
    next: NameField
    on_failed: NameField | None = None


class RouteSpec(_Strict):
    """One way out of a branch."""

    when: GuardText
    goto: NameField


class BranchSpec(_Strict):
    """Go the first way whose guard holds."""

    kind: Literal["branch"]
    routes: Annotated[tuple[RouteSpec, ...], Field(min_length=1, max_length=MAX_ROUTES)]
    otherwise: NameField


class SetSpec(_Strict):
    """Note how the call will count, then go on."""

    kind: Literal["set"]
    outcome: OutcomeField
    next: NameField


class EndSpec(_Strict):
    """Say goodbye, if there is something to say, and hang up."""

    kind: Literal["end"]
    say: PromptsField | None = None
    outcome: OutcomeField | None = None


StateSpec = Annotated[SaySpec | RecordSpec | BranchSpec | SetSpec | EndSpec, Field(discriminator="kind")]


class LimitsSpec(_Strict):
    """How long a call may be. A turn is one time of speaking or listening."""

    max_call_s: Annotated[int, Field(strict=True, ge=1, le=7200)] = 600
    max_turns: Annotated[int, Field(strict=True, ge=1, le=1000)] | None = None


class FlowSpec(_Strict):
    """A whole scenario file."""

    flowspec: Literal[1]
    id: NameField
    version: VersionField
    locale: LocaleField
    purpose: NameField
    owner: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    change_note: Annotated[str, Field(min_length=1, max_length=2000)] | None = None
    start: NameField
    limits: LimitsSpec = LimitsSpec()
    states: Annotated[dict[StateName, StateSpec], Field(min_length=1, max_length=MAX_STATES)]
