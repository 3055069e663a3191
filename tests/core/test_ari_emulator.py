"""The whole way, client to Asterisk and back, against the emulated Asterisk: a new one, and one that knows HTTP alone."""

import asyncio
import random

import pytest

from config.groups import AriTransport
from core.ari_client import AriClient
from core.ari_client.doubt import Creation, create_or_find
from core.ari_fields import UnknownEvent
from core.ari_models import Dial, Event, StasisStart
from core.ari_transport.switching import open_transport
from core.ari_ws import EventStream, websocket_connector
from core.clock import Clock
from core.errors import AriServerError
from integrations.emulator import Emulator
from integrations.emulator.server import EmulatorServer
from tests.core.ari_servers import ari_settings, until


class Ears:
    """A listener that keeps what it hears."""

    def __init__(self) -> None:
        self.events: list[Event | UnknownEvent] = []
        self.generations: list[int] = []

    def connected(self, generation: int) -> None:
        self.generations.append(generation)

    def event(self, generation: int, event: Event | UnknownEvent) -> None:
        self.events.append(event)

    def disconnected(self, generation: int, reason: str) -> None:
        pass

    def has_heard(self, kind: type[Event]) -> bool:
        return any(isinstance(event, kind) for event in self.events)


@pytest.mark.parametrize("speaks_rest", [True, False], ids=["22", "older"])
async def test_a_call_on_a_new_and_on_an_older_asterisk(clock: Clock, speaks_rest: bool) -> None:
    """The engine need not know: create, bridge, dial, filter and hangup work over websockets, else over HTTP."""
    ears = Ears()
    server = EmulatorServer(Emulator(), clock, "lk", "lkpass", rest_over_websocket=speaks_rest)
    async with server:
        settings = ari_settings(base_url=server.base_url, ws_url=server.ws_url)
        async with open_transport(settings, rng=random.Random(1)) as transport, asyncio.TaskGroup() as group:
            stream = EventStream(websocket_connector(settings), clock=clock, rng=random.Random(1))
            listening = group.create_task(stream.run(ears))
            await until(lambda: ears.generations)
            assert transport.pool is not None
            assert await transport.pool.settle(5) is speaks_rest
            ways: set[str] = set()
            plain = AriClient(transport, counter=lambda way, _: ways.add(way))
            client = plain.for_call("call1")
            assert await client.applications.ensure_event_filter(
                "tr", allowed_types=["StasisStart", "Dial", "ChannelDestroyed"]
            )
            creating = client.channels.create(endpoint="Local/silent@people/n", app="tr", channel_id="c1")
            assert await create_or_find(client.channels, "c1", creating) is Creation.MADE
            await until(lambda: ears.has_heard(StasisStart))
            await client.bridges.create(bridge_id="b1")
            await client.bridges.add_channel("b1", channel_id="c1")
            await client.channels.dial("c1", timeout_s=10)
            await until(lambda: ears.has_heard(Dial))
            await client.channels.hangup("c1")
            await client.bridges.destroy("b1")
            assert ways == {"websocket" if speaks_rest else "http"}
            listening.cancel()


@pytest.mark.parametrize("way", ["websocket", "http"])
async def test_a_taken_id_does_not_stick(clock: Clock, way: AriTransport) -> None:
    """After a 409 the next failure tells its own story, since it comes by another connection."""
    ears = Ears()
    async with EmulatorServer(Emulator(), clock, "lk", "lkpass") as server:
        settings = ari_settings(base_url=server.base_url, ws_url=server.ws_url, transport=way)
        async with open_transport(settings, rng=random.Random(1)) as transport, asyncio.TaskGroup() as group:
            stream = EventStream(websocket_connector(settings), clock=clock, rng=random.Random(1))
            listening = group.create_task(stream.run(ears))
            await until(lambda: ears.generations)
            if transport.pool is not None:
                assert await transport.pool.settle(5)
            channels = AriClient(transport).for_call("call1").channels

            async def create(endpoint: str, channel_id: str) -> Creation:
                creating = channels.create(endpoint=endpoint, app="tr", channel_id=channel_id)
                return await create_or_find(channels, channel_id, creating)

            assert await create("Local/silent@people/n", "c1") is Creation.MADE
            assert await create("Local/silent@people/n", "c1") is Creation.FOUND
            with pytest.raises(AriServerError):
                await create("NoTech/x", "c2")
            listening.cancel()
