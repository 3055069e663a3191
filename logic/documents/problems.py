"""What is wrong in a file that a person wrote: one sentence for each thing, and where it stands.

DocumentErrors      a file was refused; each package raises its own kind of it
"""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class YamlCode(StrEnum):
    """What keeps a text from being the strict YAML that is read here."""

    NOT_YAML = "YA001"
    DUPLICATE_KEY = "YA002"
    NOT_PLAIN = "YA003"  # anchors, aliases, tags, directives, a second document
    TAB = "YA004"
    TOO_MUCH = "YA005"


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A place in a file, counted from 1 as editors do."""

    line: int
    column: int


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing that is wrong. `sentence` says what, and what to do about it."""

    file: str
    line: int
    column: int
    code: str
    sentence: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.code} {self.sentence}"


class DocumentErrors(ValueError):
    """A file was refused. `problems` are in the order of the file, `str()` prints one a line."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(set(problems)))
        super().__init__("\n".join(map(str, self.problems)))


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return `; did you mean 'x'?` when a known name is near, else nothing."""
    near = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.6)
    return f"; did you mean '{near[0]}'?" if near else ""


def listed(names: Iterable[str], last: str = "or") -> str:
    """Put names into a sentence: `a, b or c`."""
    *most, final = list(names) or ["nothing"]
    return f"{', '.join(most)} {last} {final}" if most else final
