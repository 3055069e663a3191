"""What can be wrong with a configuration.

SettingsError    one or more settings are missing, misspelt or malformed; nothing was started
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One setting, what is wrong with it, and what to do. `shown` is its value, unless the value is a secret."""

    name: str
    wrong: str
    remedy: str
    shown: str | None = None
    source: str | None = None

    def __str__(self) -> str:
        value = "" if self.shown is None else f"={self.shown}"
        source = "" if self.source is None else f" ({self.source})"
        stop = "" if self.wrong.endswith("?") else "."
        return f"{self.name}{value}{source}: {self.wrong}{stop} {self.remedy}"


class SettingsError(ValueError):
    """Every problem of one reading of the settings, in one plain text. It never contains a secret."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = tuple(problems)
        noun = "setting needs" if len(problems) == 1 else "settings need"
        super().__init__("\n  ".join([f"{len(problems)} {noun} attention:", *map(str, problems)]))
