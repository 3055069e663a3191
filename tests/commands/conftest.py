"""Fixtures of the command tests."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.commands.far import Far, far_side


@pytest.fixture
async def far(tmp_path: Path) -> AsyncIterator[Far]:
    """An emulated Asterisk 22 with the lab's people, and what is needed to type commands against it."""
    async with far_side(tmp_path) as made:
        yield made
