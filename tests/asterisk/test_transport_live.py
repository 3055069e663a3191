"""The ways to Asterisk against a real one: what the emulator and the small servers only imitate."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Protocol

import pytest

from config.groups import AriSettings, AriTransport, Secret
from core.ari_client import AriClient
from core.ari_client.doubt import Creation, create_or_find
from core.ari_fields import UnknownEvent
from core.ari_models import ChannelDestroyed, Event, StasisStart
from core.ari_transport.seam import Request
from core.ari_transport.switching import SwitchingTransport, open_transport
from core.ari_ws import EventStream, websocket_connector
from core.clock import SystemClock
from core.errors import ApplicationTaken, AriConflict, AriError, AriGone, AriServerError, AriUnauthorized

pytestmark = pytest.mark.asterisk

PERSON = "Local/silent@people/n"


class Lab(Protocol):
    """What these tests need of the fixture `lab`."""

    base_url: str
    ws_url: str
    username: str
    password: str


def settings_for(lab: Lab, *, transport: AriTransport = "auto", app: str = "tr-live") -> AriSettings:
    base_url = lab.base_url.rstrip("/")
    return AriSettings(
        app_name=app,
        engine_name="tr",
        username=lab.username,
        password=Secret(lab.password),
        base_url=base_url if base_url.endswith("/ari") else base_url + "/ari",
        ws_url=lab.ws_url,
        transport=transport,
    )


class Ears:
    """A listener that keeps what it hears and lets tests wait for it."""

    def __init__(self) -> None:
        self.events: list[Event | UnknownEvent] = []
        self.generation = 0
        self.news = asyncio.Event()

    def connected(self, generation: int) -> None:
        self.generation = generation
        self.news.set()

    def event(self, generation: int, event: Event | UnknownEvent) -> None:
        self.events.append(event)
        self.news.set()

    def disconnected(self, generation: int, reason: str) -> None:
        self.news.set()

    async def hears(self, kind: type[Event]) -> None:
        async with asyncio.timeout(10):
            while not any(isinstance(event, kind) for event in self.events):
                self.news.clear()
                await self.news.wait()

    async def is_connected(self) -> None:
        async with asyncio.timeout(10):
            while not self.generation:
                self.news.clear()
                await self.news.wait()


@asynccontextmanager
async def way(
    lab: Lab, transport: AriTransport = "auto"
) -> AsyncIterator[tuple[AriClient, SwitchingTransport]]:
    """A client over this way, ready."""
    async with open_transport(settings_for(lab, transport=transport), rng=random.Random(1)) as opened:
        if opened.pool is not None:
            assert await opened.pool.settle(5), opened.pool.why_down()
        yield AriClient(opened), opened


@asynccontextmanager
async def listening(lab: Lab, app: str = "tr-live") -> AsyncIterator[Ears]:
    """The application is registered, and somebody hears."""
    ears = Ears()
    stream = EventStream(
        websocket_connector(settings_for(lab, app=app)), clock=SystemClock(), rng=random.Random(1)
    )
    async with asyncio.TaskGroup() as group:
        running = group.create_task(stream.run(ears))
        await ears.is_connected()
        yield ears
        running.cancel()


async def hang_up(client: AriClient, *channel_ids: str) -> None:
    """Leave nothing behind."""
    for channel_id in channel_ids:
        try:
            await client.channels.hangup(channel_id)
        except AriGone:
            pass


@pytest.mark.asterisk22
@pytest.mark.parametrize("transport", ["websocket", "http"])
async def test_a_call_over_either_way(lab: Lab, transport: AriTransport) -> None:
    """Create, bridge, dial, play, record, variables, end: the whole of a call's requests, over websockets and over HTTP."""
    odd_value = 'a+b%20c d&e=f? "é" \\ فارسی'
    async with listening(lab) as ears, way(lab, transport) as (plain, _):
        client = plain.for_call("tr-call")
        try:
            assert (
                await client.applications.ensure_event_filter(
                    "tr-live", allowed_types=["StasisStart", "ChannelDestroyed", "PlaybackStarted"]
                )
                is True
            )
            await client.channels.create(
                endpoint=PERSON,
                app="tr-live",
                channel_id="tr-live.c",
                app_args="one,two three",
                variables={"TR_X": odd_value},
            )
            await ears.hears(StasisStart)
            started = next(event for event in ears.events if isinstance(event, StasisStart))
            assert (started.channel.id, started.args) == ("tr-live.c", ("one", "two three"))
            assert await client.channels.get_variable("tr-live.c", name="TR_X") == odd_value
            await client.channels.set_variable("tr-live.c", name="TR_Y", value="y" * 9_000)
            assert await client.channels.get_variable("tr-live.c", name="TR_Y") == "y" * 9_000
            assert await client.channels.get_variable("tr-live.c", name="TR_NONE") is None
            await client.bridges.create(bridge_id="tr-live.b", name="tr")
            with pytest.raises(AriConflict):
                await client.bridges.create(bridge_id="tr-live.b")
            await client.bridges.add_channel("tr-live.b", channel_id="tr-live.c")
            assert (await client.bridges.get("tr-live.b")).channels == ("tr-live.c",)
            await client.channels.dial("tr-live.c", timeout_s=20)
            await client.bridges.play(
                "tr-live.b", playback_id="tr-live.p", media=["sound:beep", "sound:beep"]
            )
            assert (await client.playbacks.get("tr-live.p")).next_media_uri == "sound:beep"
            await client.playbacks.stop("tr-live.p")
            await client.bridges.record(
                "tr-live.b", name="tr-live.r", max_duration_s=5, if_exists="overwrite"
            )
            assert (await client.recordings.get_live("tr-live.r")).name == "tr-live.r"
            await asyncio.sleep(0.3)
            await client.recordings.stop_live("tr-live.r")
            assert (await client.recordings.get_stored("tr-live.r")).format == "wav"
            assert (await client.recordings.download("tr-live.r"))[:4] == b"RIFF"
            await client.recordings.delete_stored("tr-live.r")
            assert "tr-live.c" in {channel.id for channel in await client.channels.list()}
            assert (await client.channels.get("tr-live.c;2")).id == "tr-live.c;2"
            await client.channels.hangup("tr-live.c", reason_code=17)
            await ears.hears(ChannelDestroyed)
            with pytest.raises(AriGone):
                await client.channels.hangup("tr-live.c")
        finally:
            await hang_up(client, "tr-live.c")
            try:
                await client.bridges.destroy("tr-live.b")
            except AriGone:
                pass


@pytest.mark.asterisk22
@pytest.mark.parametrize("transport", ["websocket", "http"])
async def test_doubt_about_a_create(lab: Lab, transport: AriTransport) -> None:
    """Twice the same id finds the first; an endpoint that does not exist never was, also after a 409 before it."""
    async with listening(lab), way(lab, transport) as (client, _):
        channels = client.for_call("tr-doubt").channels

        async def create(endpoint: str, channel_id: str) -> Creation | AriError:
            creating = channels.create(endpoint=endpoint, app="tr-live", channel_id=channel_id)
            try:
                return await create_or_find(channels, channel_id, creating)
            except AriError as problem:
                return problem

        try:
            assert isinstance(await create("PJSIP/x@nobody", "tr-live.none"), AriServerError)
            assert await create(PERSON, "tr-live.d") is Creation.MADE
            assert await create(PERSON, "tr-live.d") is Creation.FOUND
            # The connection of that 409 is given up, so its error does not stick to the next failure.
            assert isinstance(await create("PJSIP/x@nobody", "tr-live.none"), AriServerError)
        finally:
            await hang_up(client, "tr-live.d")


@pytest.mark.asterisk22
async def test_the_pool_keeps_order_and_parallels(lab: Lab) -> None:
    """Four sockets serve a thousand requests; those of one call come back in the order they were sent."""
    async with way(lab, "websocket") as (_, transport):
        assert transport.pool is not None
        answered: dict[str, list[int]] = {}

        async def ask(call: str, n: int) -> None:
            response = await transport.send(Request("GET", "asterisk/ping", affinity=call), timeout_s=10)
            assert response.status == 200
            answered.setdefault(call, []).append(n)

        async with asyncio.TaskGroup() as group:
            for n in range(50):
                for call in range(20):
                    group.create_task(ask(f"call{call}", n))
        assert all(order == sorted(order) for order in answered.values())
        assert transport.pool.counts.answered == 1000 + transport.pool.sockets_up


@pytest.mark.asterisk22
async def test_large_frames_do_not_cost_the_socket(lab: Lab) -> None:
    """What Asterisk would close the socket for is refused before it is sent; what just fits arrives."""
    async with way(lab, "websocket") as (_, transport):
        assert transport.pool is not None
        connections = transport.pool.counts.connections
        fits = await transport.send(Request("GET", "asterisk/ping", {"x": "y" * 60_000}), timeout_s=5)
        large = await transport.send(Request("GET", "asterisk/ping", {"x": "y" * 66_000}), timeout_s=5)
        after = await transport.send(Request("GET", "asterisk/ping"), timeout_s=5)
        assert (fits.status, large.status, after.status) == (200, 413, 200)
        assert transport.pool.counts.connections == connections


async def test_wrong_credentials(lab: Lab) -> None:
    """Over HTTP and at the upgrade: the operator's to mend."""
    wrong = replace(settings_for(lab, transport="http"), password=Secret("wrong"))
    async with open_transport(wrong, rng=random.Random(1)) as transport:
        with pytest.raises(AriUnauthorized):
            await AriClient(transport).asterisk.ping()
    stream = EventStream(websocket_connector(wrong), clock=SystemClock(), rng=random.Random(1))
    with pytest.raises(AriUnauthorized):
        await stream.run(Ears())


async def test_a_second_engine_ends_the_first(lab: Lab) -> None:
    """Asterisk never refuses the second one: the first hears ApplicationReplaced and goes."""
    ears = Ears()
    stream = EventStream(
        websocket_connector(settings_for(lab, app="tr-taken")), clock=SystemClock(), rng=random.Random(1)
    )
    async with asyncio.TaskGroup() as group:
        first = group.create_task(expects_to_be_taken(stream, ears))
        await ears.is_connected()
        async with listening(lab, app="tr-taken"):
            await first


async def expects_to_be_taken(stream: EventStream, ears: Ears) -> None:
    with pytest.raises(ApplicationTaken, match="tr-taken"):
        await stream.run(ears)


@pytest.mark.asterisk22
async def test_info_modules_endpoints_sounds(lab: Lab) -> None:
    """What doctor asks."""
    async with way(lab) as (client, _):
        info = await client.asterisk.info()
        assert info.system is not None
        assert info.system.version[0].isdigit()
        assert "res_ari.so" in {module.name for module in await client.asterisk.modules()}
        assert isinstance(await client.asterisk.variable("TR_NONE"), str)
        assert isinstance(await client.endpoints.list(), tuple)
        assert (await client.sounds.get("beep")).id == "beep"
        assert "tr-live-rest0" in {app.name for app in await client.applications.list()}
