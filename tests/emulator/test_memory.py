"""The link without sockets: requests, frames and Asterisk's time on the virtual clock."""

import asyncio
import json
import random

import pytest

from core.ari_transport.seam import Request, Transport
from core.clock import Clock
from core.errors import AriGone, AriNoAnswer, AriUnreachable
from integrations.emulator import Emulator
from integrations.emulator.faults import Faults, FrameFault, RequestFault, RequestTrouble
from integrations.emulator.memory import EventFrames, EventStreamClosed, MemoryLink
from integrations.emulator.people import PEOPLE

pytestmark = pytest.mark.virtual_time

CREATE = {"endpoint": "Local/polite-yes@people/n", "app": "lk", "channelId": "c"}


async def until(frames: EventFrames, kind: str) -> dict[str, object]:
    """The next event of this type."""
    async for frame in frames:
        event: dict[str, object] = json.loads(frame)
        if event["type"] == kind:
            return event
    raise AssertionError("the stream ended without an error")


async def test_a_call_takes_its_time(clock: Clock) -> None:
    """Half a second of ringing passes on the virtual clock, and nothing else does."""
    async with MemoryLink(Emulator(), clock) as link, link.open_events("lk") as frames:
        transport: Transport = link.transport
        response = await transport.send(Request("POST", "channels/create", CREATE), timeout_s=5)
        assert response.status == 200
        await until(frames, "StasisStart")
        await transport.send(Request("POST", "channels/c/dial"), timeout_s=5)
        before = clock.now()
        while (await until(frames, "Dial"))["dialstatus"] != "ANSWER":
            pass
        assert clock.now() - before == pytest.approx(0.5)


async def test_timestamps_follow_the_clock(clock: Clock) -> None:
    """The emulator's time of day is the virtual clock's."""
    async with MemoryLink(Emulator(), clock) as link:
        await asyncio.sleep(61)
        body = (await link.transport.send(Request("GET", "asterisk/ping"), timeout_s=5)).body
        assert isinstance(body, dict)
        assert body["timestamp"] == "2026-01-05T09:01:01.000+0000"
        assert clock.wall().isoformat() == "2026-01-05T09:01:01+00:00"


async def test_a_caller_wakes_the_driver(clock: Clock) -> None:
    """What a test does to the emulator directly is driven like everything else."""
    emulator = Emulator()
    async with MemoryLink(emulator, clock) as link, link.open_events("lk") as frames:
        emulator.dial_in("silent", "lk", "+1", clock.now())
        await until(frames, "StasisStart")
        await until(frames, "StasisEnd")  # the caller gives up after a minute
        assert clock.now() == pytest.approx(PEOPLE["silent"].gives_up_s)


async def test_downloads(clock: Clock) -> None:
    """A stored recording comes as bytes; what is not there is refused."""
    emulator = Emulator()
    async with MemoryLink(emulator, clock) as link, link.open_events("lk") as frames:
        channel = emulator.dial_in("silent", "lk", "+1", clock.now())
        for path, query in (
            ("answer", {}),
            ("record", {"name": "r", "format": "wav", "maxDurationSeconds": "2"}),
        ):
            await link.transport.send(Request("POST", f"channels/{channel}/{path}", query), timeout_s=5)
        await until(frames, "RecordingFinished")
        content = await link.transport.download(Request("GET", "recordings/stored/r/file"), timeout_s=5)
        assert (content[:4], len(content)) == (b"RIFF", 44 + 2 * 24000)
        with pytest.raises(AriGone):
            await link.transport.download(Request("GET", "recordings/stored/x/file"), timeout_s=5)


async def test_latency_is_paid_both_ways(clock: Clock) -> None:
    """And a request whose answer is late has happened."""
    emulator = Emulator()
    async with MemoryLink(emulator, clock, latency_s=(1.0, 1.0)) as link:
        await link.transport.send(Request("POST", "bridges/a"), timeout_s=5)
        assert clock.now() == pytest.approx(1.0)
        with pytest.raises(AriNoAnswer):
            await link.transport.send(Request("POST", "bridges/b"), timeout_s=0.7)
        assert [bridge.id for bridge in emulator.live_bridges()] == ["a", "b"]


async def test_order_within_an_affinity(clock: Clock) -> None:
    """Requests of one call are served as they were sent, whatever their latency."""
    emulator = Emulator()
    async with MemoryLink(emulator, clock, latency_s=(0.01, 1.0), rng=random.Random(3)) as link:
        async with asyncio.TaskGroup() as tasks:
            for n in range(10):
                request = Request("POST", f"bridges/{n}", affinity="call")
                tasks.create_task(link.transport.send(request, timeout_s=60))
    assert [seen.path for seen in emulator.requests] == [f"bridges/{n}" for n in range(10)]


async def test_a_killed_asterisk(clock: Clock) -> None:
    """The stream ends, requests find nobody, and after the start everything is new."""
    emulator = Emulator()
    async with MemoryLink(emulator, clock) as link, link.open_events("lk") as frames:
        await link.transport.send(Request("POST", "bridges/b"), timeout_s=5)
        emulator.kill(clock.now())
        with pytest.raises(EventStreamClosed):
            await until(frames, "anything")
        with pytest.raises(AriUnreachable):
            await link.transport.send(Request("GET", "bridges"), timeout_s=5)
        with pytest.raises(AriUnreachable):
            async with link.open_events("lk"):
                pass
        emulator.start(clock.now())
        assert (await link.transport.send(Request("GET", "bridges"), timeout_s=5)).body == []


async def test_closing_the_stream_leaves_the_application(clock: Clock) -> None:
    """Events after that are lost, not kept."""
    emulator = Emulator()
    async with MemoryLink(emulator, clock) as link:
        async with link.open_events("lk"):
            await link.transport.send(Request("POST", "channels/create", CREATE), timeout_s=5)
        assert emulator.counters["events_missed"] == 0
        await link.transport.send(Request("DELETE", "channels/c"), timeout_s=5)
        assert emulator.counters["events_missed"] > 0


@pytest.mark.parametrize("trouble", list(RequestTrouble))
async def test_requests_in_trouble(clock: Clock, trouble: RequestTrouble) -> None:
    """Each trouble has its error, and either did what was asked or did not; the second request is spared."""
    emulator = Emulator()
    faults = Faults(
        random.Random(1),
        requests=[RequestFault(trouble, lambda request: request.method == "POST", at_most=1)],
    )
    outcome: object
    async with MemoryLink(emulator, clock, faults=faults) as link:
        try:
            outcome = (await link.transport.send(Request("POST", "bridges/b"), timeout_s=3)).status
        except (AriNoAnswer, AriUnreachable) as error:
            outcome = type(error)
        await link.transport.send(Request("POST", "bridges/c"), timeout_s=3)
    happened = "b" in [bridge.id for bridge in emulator.live_bridges()]
    assert (outcome, happened) == {
        RequestTrouble.REFUSED: (503, False),
        RequestTrouble.HANGS: (AriNoAnswer, True),
        RequestTrouble.LOST: (AriNoAnswer, False),
        RequestTrouble.BREAKS: (AriNoAnswer, True),
        RequestTrouble.UNREACHABLE: (AriUnreachable, False),
    }[trouble]
    assert faults.done == {f"requests_{trouble.value}": 1}


async def _kinds(clock: Clock, faults: Faults) -> list[str]:
    emulator = Emulator()
    seen: list[str] = []
    async with MemoryLink(emulator, clock, faults=faults) as link, link.open_events("lk") as frames:
        for n in range(20):
            emulator.dial_in("hangs-up-at-once", "lk", str(n), clock.now())
        for channel in emulator.live_channels():
            emulator.request("POST", f"channels/{channel.id}/answer", {}, None, clock.now())
        await asyncio.sleep(10)
        emulator.kill(clock.now())
        try:
            async for frame in frames:
                event = json.loads(frame)
                seen.append(f"{event['type']} {event['channel']['id'].split('.')[1]}")
        except EventStreamClosed:
            pass
    return seen


async def test_frames_in_trouble(clock: Clock) -> None:
    """Lost, doubled and out of order, by type; the same seed gives the same trouble, even to terminal events."""

    def faults(seed: int) -> Faults:
        return Faults(
            random.Random(seed),
            frames=[
                FrameFault(types=frozenset({"StasisEnd"}), lose=0.3),
                FrameFault(types=frozenset({"ChannelStateChange"}), double=0.3, delay=0.5, delay_s=2.0),
            ],
        )

    first, again, other = [await _kinds(clock, faults(seed)) for seed in (1, 1, 2)]
    clean = await _kinds(clock, Faults(random.Random(1)))
    assert first == again
    assert first != other
    assert 0 < len([kind for kind in first if kind.startswith("StasisEnd")]) < 20
    assert len([kind for kind in first if kind.startswith("ChannelStateChange")]) > 20
    assert [kind for kind in first if kind.startswith("StasisStart")] == [
        kind for kind in clean if kind.startswith("StasisStart")
    ]


async def test_a_failing_body_fails_as_itself(clock: Clock) -> None:
    """Nothing is wrapped in a group."""
    with pytest.raises(ZeroDivisionError):
        async with MemoryLink(Emulator(), clock):
            raise ZeroDivisionError
