"""Which scenarios there are: an immutable value, made from all files at once and swapped whole.

A broken file never takes down the others, and while the engine runs it never takes down its own last good version.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from logic.documents.problems import Problem
from logic.documents.tree import read_document
from logic.flow.compiled import CompiledFlow
from logic.flow.errors import Code, FlowErrors
from logic.flow.loader import load_flow
from logic.prompts import PromptBook


@dataclass(frozen=True, slots=True)
class Refusal:
    """A file that does not pass. `kept` is its last good version, which stays in use."""

    file: str
    problems: tuple[Problem, ...]
    kept: CompiledFlow | None = None

    def __str__(self) -> str:
        fate = "refused"
        if self.kept is not None:
            fate = f"refused; version {self.kept.version} of '{self.kept.id}' stays in use"
        return "\n".join([f"{self.file}: {fate}", *(f"  {problem}" for problem in self.problems)])


@dataclass(frozen=True, slots=True)
class ScenarioRegistry:
    """Scenarios by id, and the files that were refused."""

    flows: Mapping[str, CompiledFlow] = field(default_factory=lambda: MappingProxyType({}))
    refused: Mapping[str, Refusal] = field(default_factory=lambda: MappingProxyType({}))

    def get(self, flow_id: str) -> CompiledFlow | None:
        """The scenario of that id, or None."""
        return self.flows.get(flow_id)

    @property
    def ids(self) -> tuple[str, ...]:
        """Every id, sorted."""
        return tuple(sorted(self.flows))


def load_registry(files: Mapping[str, str], prompts: PromptBook) -> ScenarioRegistry:
    """Read every file (path to text). Files that do not pass are refused alone; of two with one id, both are."""
    return reload(ScenarioRegistry(), files, prompts)


def reload(old: ScenarioRegistry, files: Mapping[str, str], prompts: PromptBook) -> ScenarioRegistry:
    """Read every file anew. A file that no longer passes keeps its old version, and its refusal says so.

    A file that is no longer there takes its scenario with it. A kept version has the older right to its id: another file
    that takes the same id is refused.
    """
    passed: dict[str, CompiledFlow] = {}
    problems: dict[str, tuple[Problem, ...]] = {}
    for file in sorted(files):
        try:
            passed[file] = load_flow(files[file], file, prompts)
        except FlowErrors as error:
            problems[file] = error.problems

    last_good = {flow.file: flow for flow in old.flows.values()}
    while clashes := _clashes(passed, {last_good[file].id: file for file in problems if file in last_good}):
        for file, other in clashes.items():
            sentence = f"the id '{passed[file].id}' is also used by {other}; give each scenario its own"
            place = read_document(files[file], file).place(("id",))
            problems[file] = (Problem(file, place.line, place.column, Code.SAME_ID, sentence),)
            del passed[file]

    kept = {file: last_good[file] for file in problems if file in last_good}
    flows = sorted([*passed.values(), *kept.values()], key=lambda flow: flow.id)
    refusals = {file: Refusal(file, problems[file], kept.get(file)) for file in sorted(problems)}
    return ScenarioRegistry(
        MappingProxyType({flow.id: flow for flow in flows}),
        MappingProxyType(refusals),
    )


def _clashes(passed: Mapping[str, CompiledFlow], kept: Mapping[str, str]) -> dict[str, str]:
    """The files whose id is another's too, each with one other file that has it."""
    by_id: dict[str, list[str]] = {}
    for file, flow in passed.items():
        by_id.setdefault(flow.id, []).append(file)
    clashes = {}
    for flow_id, named in by_id.items():
        others = [*named, *([kept[flow_id]] if flow_id in kept else [])]
        for file in named:
            other = next((candidate for candidate in others if candidate != file), None)
            if other is not None:
                clashes[file] = other
    return clashes
