"""What main hands to the commands: they know what can be opened, not how it is wired."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import typer

from config.settings import Settings, get_settings
from logic.prompts import PromptBook
from logic.scenario_registry import ScenarioRegistry
from sessions.engine import Engine
from sessions.role import Role


class OpenEngine(Protocol):
    """Makes an engine and closes it again. It works inside `engine.working()`."""

    def __call__(
        self, settings: Settings, *, role: Role | None = None
    ) -> AbstractAsyncContextManager[Engine]: ...


LoadScenarios = Callable[[Settings], ScenarioRegistry]
"""Every scenario that passes and every file that does not, without an engine. Raises PromptErrors."""

LoadWords = Callable[[], PromptBook]
"""The words of every prompt. Raises PromptErrors."""


@dataclass(frozen=True, slots=True)
class Wiring:
    """Everything the commands are given."""

    open_engine: OpenEngine
    load_scenarios: LoadScenarios
    load_words: LoadWords


@dataclass(frozen=True, slots=True)
class Given:
    """What every command is given: the wiring, and the file that settings are read from."""

    wiring: Wiring
    env_file: Path

    def settings(self, **overrides: str) -> Settings:
        """The settings of this command. Raises SettingsError."""
        return get_settings(self.env_file, overrides=overrides)


def given_to(ctx: typer.Context) -> Given:
    """What the command of this context is given."""
    given = ctx.obj
    assert isinstance(given, Given)
    return given
