"""What all tests share: the loop they run on and the clock that goes with it."""

import asyncio
from collections.abc import Callable, Mapping

import hypothesis
import pytest

from core.clock import Clock, SystemClock, VirtualClock, VirtualTimeLoop

# How fast an example runs is no promise of these tests: a loaded machine must not fail them.
hypothesis.settings.register_profile(
    "linekeeper", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("linekeeper")


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """A test marked `virtual_time` runs on a loop whose clock jumps to the next timer, every other one on a real loop."""
    if item.get_closest_marker("virtual_time") is not None:
        return {"virtual": VirtualTimeLoop}
    return {"real": asyncio.new_event_loop}


@pytest.fixture
async def clock() -> Clock:
    """The clock of the loop the test runs on."""
    loop = asyncio.get_running_loop()
    return VirtualClock(loop) if isinstance(loop, VirtualTimeLoop) else SystemClock()
