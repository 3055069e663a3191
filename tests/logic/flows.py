"""What the tests of this folder share: a prompt book, the shipped files, small flows, and the problems of a text."""

from pathlib import Path

import pytest

from logic.flow.compiled import CompiledFlow
from logic.flow.errors import FlowErrors
from logic.flow.loader import load_flow
from logic.prompts import PromptBook, load_prompts

ROOT = Path(__file__).parents[2]
PROMPTS_FILE = "assets/audio/prompts.yaml"
MARKETING_FILE = "config/scenarios/marketing.yaml"

BOOK = load_prompts(
    """\
prompts:
  hello: {text: {en: "Hello, a machine from us, about this."}, recorded_by: us, made: synthesised, discloses: true}
  alo: {text: {en: "Are you there?"}, recorded_by: us, made: synthesised}
  goodby: {text: {en: Goodbye.}, recorded_by: us, made: synthesised}
  salam: {text: {fa: "سلام"}, recorded_by: us, made: recorded, discloses: true}
""",
    "prompts.yaml",
)

HEADER = "flowspec: 1\nid: f\nversion: 1.0.0\nlocale: en\npurpose: test\n"  # lines 1 to 5


def shipped_prompts() -> PromptBook:
    """The prompt book that is shipped."""
    return load_prompts((ROOT / PROMPTS_FILE).read_text("utf-8"), PROMPTS_FILE)


def shipped_marketing() -> CompiledFlow:
    """The marketing scenario that is shipped."""
    return load_flow((ROOT / MARKETING_FILE).read_text("utf-8"), MARKETING_FILE, shipped_prompts())


def flow_of(body: str, header: str = HEADER) -> CompiledFlow:
    """A flow that must pass; its body begins on line 6."""
    return load_flow(header + body, "f.yaml", BOOK)


def wrong_with(body: str, header: str = HEADER) -> list[str]:
    """What is wrong with a flow that must be refused, a line each."""
    with pytest.raises(FlowErrors) as caught:
        load_flow(header + body, "f.yaml", BOOK)
    assert str(caught.value) == "\n".join(map(str, caught.value.problems))
    return [str(problem) for problem in caught.value.problems]
