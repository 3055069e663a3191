"""What a check found: the loader knows where it stands in the file."""

from dataclasses import dataclass

from logic.documents.tree import Path
from logic.flow.errors import Code


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, at a path of the file. `at_key` points at the key instead of the value."""

    code: Code
    path: Path
    sentence: str
    at_key: bool = False
