"""Fixtures of the command tests."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import typer

import main
from scripts.commands.app import build_app
from scripts.commands.wiring import Wiring
from tests.commands.far import Far, far_side


@pytest.fixture
async def far(tmp_path: Path) -> AsyncIterator[Far]:
    """An emulated Asterisk 22 with the lab's people, and what is needed to type commands against it."""
    async with far_side(tmp_path) as made:
        yield made


@pytest.fixture
def wiring() -> Wiring:
    """What main hands to the commands."""
    return Wiring(main.open_engine, main.load_scenarios, main.load_words)


@pytest.fixture
def app(wiring: Wiring) -> typer.Typer:
    """The shipped command line, in this process."""
    return build_app(wiring)
