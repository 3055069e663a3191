"""From the text of a scenario file to a flow that can be run, or to everything that is wrong with it.

Three rounds, each only when the one before found nothing: the form of the file; the names and guards in it; the
conversation it makes.
"""

import hashlib
import json
from collections.abc import Iterator
from types import MappingProxyType
from typing import Final, assert_never

from logic.documents.problems import Problem
from logic.documents.shape import ShapeCodes, check_shape
from logic.documents.tree import Document, Path, read_document
from logic.flow.checks.disclosure import check_disclosure
from logic.flow.checks.finding import Finding
from logic.flow.checks.names import check_names, prompts_named
from logic.flow.checks.ways import check_ways
from logic.flow.compiled import (
    BranchState,
    CompiledFlow,
    EndState,
    Limits,
    RecordState,
    Route,
    SayState,
    SetState,
    State,
)
from logic.flow.errors import Code, FlowErrors, GuardError
from logic.flow.guards import Guard, parse_guard
from logic.flow.spec import BranchSpec, EndSpec, FlowSpec, RecordSpec, SaySpec, SetSpec, StateSpec
from logic.prompts import PromptBook

_CODES: Final = ShapeCodes(unknown_key=Code.UNKNOWN_KEY, wrong=Code.SCHEMA)
_HASH_FORM: Final = "linekeeper-flow-1"
"""Goes into every hash. To be changed when the engine comes to run the same file differently."""


def load_flow(text: str, file: str, prompts: PromptBook) -> CompiledFlow:
    """Read, check and compile a scenario. Raises FlowErrors, and nothing else, with everything that is wrong in it."""
    document = read_document(text, file)
    spec, problems = check_shape(document, FlowSpec, _CODES)
    if spec is None:
        raise FlowErrors(problems)

    guards, wrong = _read_guards(spec, document)
    wrong += [_placed(finding, document) for finding in check_names(spec, prompts)]
    if wrong:
        raise FlowErrors(wrong)

    flow = _compiled(spec, guards, prompts, file)
    findings = [*check_ways(flow), *check_disclosure(flow, prompts)]
    if findings:
        raise FlowErrors(_placed(finding, document) for finding in findings)
    return flow


def _placed(finding: Finding, document: Document) -> Problem:
    place = document.key_place(finding.path) if finding.at_key else document.place(finding.path)
    return Problem(document.file, place.line, place.column, finding.code, finding.sentence)


def _read_guards(spec: FlowSpec, document: Document) -> tuple[dict[Path, Guard], list[Problem]]:
    names = {"state": frozenset(spec.states)}
    guards: dict[Path, Guard] = {}
    wrong = []
    for path, text in _guard_texts(spec):
        try:
            guards[path] = parse_guard(text, names)
        except GuardError as error:
            place = document.text_place(path, error.column)
            wrong.append(Problem(document.file, place.line, place.column, error.code, error.sentence))
    return guards, wrong


def _guard_texts(spec: FlowSpec) -> Iterator[tuple[Path, str]]:
    for name, state in spec.states.items():
        if isinstance(state, BranchSpec):
            for number, route in enumerate(state.routes):
                yield ("states", name, "routes", number, "when"), route.when


def _compiled(spec: FlowSpec, guards: dict[Path, Guard], prompts: PromptBook, file: str) -> CompiledFlow:
    used = tuple(dict.fromkeys(prompt for _, prompt in prompts_named(spec)))
    return CompiledFlow(
        id=spec.id,
        version=spec.version,
        locale=spec.locale,
        purpose=spec.purpose,
        owner=spec.owner,
        change_note=spec.change_note,
        start=spec.start,
        limits=Limits(spec.limits.max_call_s, spec.limits.max_turns),
        states=MappingProxyType({name: _state(name, state, guards) for name, state in spec.states.items()}),
        prompts=used,
        disclosing=frozenset(name for name in used if (prompt := prompts.get(name)) and prompt.discloses),
        flow_hash=_hash(spec, used, prompts),
        file=file,
    )


def _state(name: str, spec: StateSpec, guards: dict[Path, Guard]) -> State:
    match spec:
        case SaySpec():
            return SayState(name, spec.say, spec.next)
        case RecordSpec():
            return RecordState(name, spec.max_s, spec.silence_s, spec.next, spec.on_failed or spec.next)
        case BranchSpec():
            routes = tuple(
                Route(guards["states", name, "routes", number, "when"], route.when, route.goto)
                for number, route in enumerate(spec.routes)
            )
            return BranchState(name, routes, spec.otherwise)
        case SetSpec():
            return SetState(name, spec.outcome, spec.next)
        case EndSpec():
            return EndState(name, spec.say or (), spec.outcome)
        case _:
            assert_never(spec)


def _hash(spec: FlowSpec, used: tuple[str, ...], prompts: PromptBook) -> str:
    """The sha256 of what is said and done: comments, order and left-out defaults make no difference."""
    content = {
        "form": _HASH_FORM,
        "flow": spec.model_dump(mode="json", exclude_defaults=True),
        "words": {name: prompts.words(name, spec.locale) for name in used},
    }
    canonical = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()
