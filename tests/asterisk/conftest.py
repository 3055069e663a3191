"""The lab these tests run on: `make test-asterisk` starts it."""

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


@pytest.fixture(autouse=True)
def _fits_the_release(request: pytest.FixtureRequest, lab: Lab) -> None:
    """What describes Asterisk 22 says nothing about older ones: REST over websockets came with 20.14."""
    if request.node.get_closest_marker("asterisk22") and lab.major < 20:
        pytest.skip(f"describes Asterisk 22, and this is {lab.asterisk_version}")
