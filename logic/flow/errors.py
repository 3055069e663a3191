"""What can be wrong with a flow or its stored state.

DocumentErrors
    FlowErrors      a scenario file was refused; `problems` says everything that is wrong in it
GuardError          one guard cannot be read, or means nothing; `column` counts inside the guard
StateRefused        a stored state does not belong to this flow, or is damaged
"""

from enum import StrEnum

from logic.documents.problems import DocumentErrors


class Code(StrEnum):
    """The static checks. What each means to an author stands in docs/scenarios.md."""

    UNKNOWN_KEY = "FS001"
    SCHEMA = "FS002"
    SAME_ID = "FS003"
    UNDECLARED = "FS010"
    GUARD_TYPE = "FS011"
    GUARD_SYNTAX = "FS012"
    UNREACHABLE = "FS020"
    NO_END = "FS021"
    ENDLESS = "FS022"
    DISCLOSURE = "FS070"


class FlowErrors(DocumentErrors):
    """A scenario file was refused."""


class GuardError(ValueError):
    """One guard is refused. `column` counts its characters from 1."""

    def __init__(self, sentence: str, column: int, code: Code = Code.GUARD_SYNTAX) -> None:
        super().__init__(f"column {column}: {sentence}")
        self.sentence = sentence
        self.column = column
        self.code = code


class StateRefused(ValueError):
    """A stored state cannot go on in this flow."""
