"""FS010: every state and every prompt that a scenario names must exist, and every prompt must have words in its locale."""

from collections.abc import Iterator
from typing import assert_never

from logic.documents.problems import did_you_mean
from logic.documents.tree import Path
from logic.flow.checks.finding import Finding
from logic.flow.errors import Code
from logic.flow.spec import BranchSpec, EndSpec, FlowSpec, RecordSpec, SaySpec, SetSpec, StateSpec
from logic.prompts import PromptBook


def check_names(spec: FlowSpec, prompts: PromptBook) -> Iterator[Finding]:
    """Find names that lead nowhere."""
    for path, name in _states_named(spec):
        if name not in spec.states:
            near = did_you_mean(name, spec.states)
            yield Finding(Code.UNDECLARED, path, f"there is no state '{name}'{near}")
    for path, name in prompts_named(spec):
        if name not in prompts:
            near = did_you_mean(name, prompts.names)
            yield Finding(Code.UNDECLARED, path, f"there is no prompt '{name}' in the prompt book{near}")
        elif prompts.words(name, spec.locale) is None:
            sentence = f"the prompt '{name}' has no words in {spec.locale}; add them to the prompt book"
            yield Finding(Code.UNDECLARED, path, sentence)


def prompts_named(spec: FlowSpec) -> Iterator[tuple[Path, str]]:
    """Yield every mention of a prompt."""
    for name, state in spec.states.items():
        if isinstance(state, SaySpec | EndSpec):
            for number, prompt in enumerate(state.say or ()):
                yield ("states", name, "say", number), prompt


def _states_named(spec: FlowSpec) -> Iterator[tuple[Path, str]]:
    yield ("start",), spec.start
    for name, state in spec.states.items():
        for path, target in _targets(state):
            yield ("states", name, *path), target


def _targets(state: StateSpec) -> Iterator[tuple[Path, str]]:
    match state:
        case SaySpec() | SetSpec():
            yield ("next",), state.next
        case RecordSpec():
            yield ("next",), state.next
            if state.on_failed is not None:
                yield ("on_failed",), state.on_failed
        case BranchSpec():
            for number, route in enumerate(state.routes):
                yield ("routes", number, "goto"), route.goto
            yield ("otherwise",), state.otherwise
        case EndSpec():
            return
        case _:
            assert_never(state)
