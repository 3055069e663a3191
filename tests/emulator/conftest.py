"""Fixtures of the emulator's tests."""

import pytest

from tests.emulator.box import Box


@pytest.fixture
def box() -> Box:
    """An emulated Asterisk with the lab's people and one connected application."""
    return Box()
