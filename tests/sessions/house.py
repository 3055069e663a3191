"""An engine on an emulated Asterisk, in one process: the shipped wiring over a link without sockets."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from prometheus_client import CollectorRegistry

import main
from config.settings import Settings, get_settings
from core.clock import Clock
from core.telemetry import Telemetry
from integrations.emulator import Emulator
from integrations.emulator.faults import Faults
from integrations.emulator.memory import MemoryLink
from sessions.call import Call
from sessions.engine import Engine
from sessions.report import CallReport

NUMBER = "+12025550101"
LINE = "+12025550199"


def settings_for(data_dir: Path, **overrides: str) -> Settings:
    """The settings of an engine on an emulated Asterisk."""
    return get_settings(
        None,
        overrides={
            "ARI_APP_NAME": "linekeeper",
            "ARI_USERNAME": "u",
            "ARI_PASSWORD": "p",
            "DATA_DIR": str(data_dir),
            "OUTBOUND_ENDPOINT": "Local/{number}@people/n",
            "ORIGINATION_TIMEOUT": "8",
            "DRAIN_GRACE_S": "60",
            **overrides,
        },
    )


@dataclass(slots=True)
class House:
    """One emulated Asterisk and what tests ask of an engine on it."""

    clock: Clock
    folder: Path
    emulator: Emulator = field(default_factory=Emulator)
    faults: Faults | None = None
    latency_s: tuple[float, float] = (0.001, 0.004)
    delivered: list[str] = field(default_factory=list)
    """Every event frame that reached an engine."""
    telemetry: Telemetry = field(default_factory=lambda: Telemetry(CollectorRegistry()))

    @asynccontextmanager
    async def link(self) -> AsyncIterator[MemoryLink]:
        """The way to the emulator."""
        link = MemoryLink(
            self.emulator, self.clock, latency_s=self.latency_s, rng=random.Random(1), faults=self.faults
        )
        async with link:
            yield link

    @asynccontextmanager
    async def engine(
        self, link: MemoryLink, *, role: main.Role | None = None, name: str = "", **overrides: str
    ) -> AsyncIterator[Engine]:
        """A working engine; leaving the block drains it."""
        settings = settings_for(self.folder / (name or "data"), **overrides)
        app = settings.ari.app_name

        @asynccontextmanager
        async def events() -> AsyncIterator[AsyncIterator[str | bytes]]:
            async with link.open_events(app) as frames:
                yield self._tapped(frames)

        ways = main.Ways(link.transport, events)
        async with main.open_engine(
            settings, role=role, ways=ways, clock=self.clock, rng=random.Random(2), telemetry=self.telemetry
        ) as engine:
            async with engine.working():
                yield engine

    async def _tapped(self, frames: AsyncIterator[str | bytes]) -> AsyncIterator[str | bytes]:
        async for frame in frames:
            self.delivered.append(str(frame))
            yield frame

    def assert_nothing_left(self, engine: Engine) -> None:
        """No channel, no bridge, no index entry."""
        assert [channel.id for channel in self.emulator.live_channels()] == []
        assert [bridge.id for bridge in self.emulator.live_bridges()] == []
        assert len(engine.manager.calls) == 0
        assert engine.manager.indexed_callers == 0


async def place(engine: Engine, person: str, scenario: str = "marketing") -> Call:
    """Call somebody."""
    return await engine.call(
        number=NUMBER,
        scenario=scenario,
        line=LINE,
        granted_by="a test",
        endpoint=f"Local/{person}@people/n",
    )


async def report_of(call: Call) -> CallReport:
    """Wait for the end of a call."""
    await call.finished.wait()
    assert call.report is not None
    return call.report
