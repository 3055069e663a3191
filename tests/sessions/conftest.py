"""Fixtures of the session tests."""

from pathlib import Path

import pytest

from core.clock import Clock
from tests.sessions.house import House


@pytest.fixture
def house(tmp_path: Path, clock: Clock) -> House:
    """An emulated Asterisk with the lab's people, whose prompts have the length of the shipped ones."""
    made = House(clock, tmp_path)
    made.emulator.sounds.update({f"custom/{name}": 3.0 for name in ("hello", "goodby", "alo")})
    return made
