"""FS070: who is called hears first of all that a machine calls, for whom and why, and is not recorded before."""

from collections.abc import Iterator

from logic.flow.checks.finding import Finding
from logic.flow.compiled import CompiledFlow, EndState, RecordState, SayState
from logic.flow.errors import Code
from logic.flow.graph import ways_out
from logic.prompts import PromptBook


def check_disclosure(flow: CompiledFlow, prompts: PromptBook) -> Iterator[Finding]:
    """Walk every way from the start until something is spoken, and look whether that discloses."""
    seen = {flow.start}
    to_do = [flow.start]
    while to_do:
        state = flow.states[to_do.pop()]
        match state:
            case RecordState():
                sentence = f"'{state.name}' records before a prompt with 'discloses: true' was spoken"
                yield Finding(Code.DISCLOSURE, ("states", state.name), sentence, at_key=True)
                continue
            case SayState(prompts=names) | EndState(prompts=names) if names:
                if not any(_discloses(prompts, name) for name in names):
                    sentence = (
                        f"'{state.name}' speaks first, but none of its prompts has 'discloses: true'; "
                        "say first who calls, that it is a machine, and why"
                    )
                    yield Finding(Code.DISCLOSURE, ("states", state.name, "say"), sentence, at_key=True)
                continue
            case _:
                pass
        for way in ways_out(state):
            if way.target not in seen:
                seen.add(way.target)
                to_do.append(way.target)


def _discloses(prompts: PromptBook, name: str) -> bool:
    prompt = prompts.get(name)
    return prompt is not None and prompt.discloses
