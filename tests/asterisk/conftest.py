"""The lab these tests run on: `make test-asterisk` starts it."""

import asyncio

import pytest

from scripts.lab import Lab


@pytest.fixture(scope="session")
def lab() -> Lab:
    """The running lab, with the project's prompts in its sounds folder."""
    found = Lab.load()
    if not found.is_running:
        pytest.fail("the lab is not running: start it with `make lab`, or run `make test-asterisk`")
    found.install_prompts()
    return found


@pytest.fixture
async def empty_lab(lab: Lab) -> Lab:
    """The lab, with whatever channels earlier tests left to end by themselves gone."""
    await asyncio.to_thread(lab.console, "channel request hangup all")
    return lab
