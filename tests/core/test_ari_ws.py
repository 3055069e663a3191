"""The event stream: connections that come and go, frames that make no sense, and who ends it."""

import asyncio
import itertools
import json
import random
from base64 import b64encode
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from hashlib import sha1

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.ari_fields import UnknownEvent
from core.ari_models import Event, StasisStart
from core.ari_ws import Connect, EventStream, GiveUp, Retry, classify_failure, websocket_connector
from core.clock import Clock, VirtualClock, VirtualTimeLoop
from core.errors import (
    ApplicationTaken,
    AriNoAnswer,
    AriNonsense,
    AriRefused,
    AriUnauthorized,
    AriUnreachable,
    refusal,
)
from tests.core.ari_servers import ari_settings, until, ws_asterisk

UNKNOWN = json.dumps({"type": "SomethingNew", "x": 1})
REPLACED = json.dumps(
    {"type": "ApplicationReplaced", "application": "tr", "timestamp": "2026-01-01T00:00:00.000+0000"}
)
MISFIT = json.dumps({"type": "StasisStart", "channel": 7})


@dataclass
class Remembering:
    """A listener that writes everything down."""

    said: list[tuple[str, int]] = field(default_factory=list)
    events: list[Event | UnknownEvent] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)

    def connected(self, generation: int) -> None:
        self.said.append(("connected", generation))

    def event(self, generation: int, event: Event | UnknownEvent) -> None:
        self.said.append(("event", generation))
        self.events.append(event)

    def disconnected(self, generation: int, reason: str) -> None:
        self.said.append(("disconnected", generation))
        self.reasons.append(reason)


Frame = str | bytes | float | Exception
"""What a connection does next: a frame, a pause in seconds, or how it breaks."""


NOTHING_MORE: list[Frame] = [1e9]


@dataclass
class Script:
    """Connections one after another. After the last one nothing more comes: the stream hangs and is cancelled."""

    connections: Iterable[list[Frame] | Exception]
    opened_at: list[float] = field(default_factory=list)
    closed: int = 0

    def __post_init__(self) -> None:
        self._next = iter(self.connections)

    def connect(self) -> Connect:
        @asynccontextmanager
        async def one() -> AsyncIterator[AsyncIterator[str | bytes]]:
            self.opened_at.append(asyncio.get_running_loop().time())
            script = next(self._next, NOTHING_MORE)
            if isinstance(script, Exception):
                raise script
            frames = play(script)
            try:
                yield frames
            finally:
                self.closed += 1
                await frames.aclose()

        return one


async def play(script: list[Frame]) -> AsyncGenerator[str | bytes, None]:
    for step in script:
        match step:
            case float():
                await asyncio.sleep(step)
            case Exception():
                raise step
            case _:
                yield step


async def run_for(stream: EventStream, listener: Remembering, seconds: float) -> None:
    """Let it run; it never ends by itself."""
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(seconds):
            await stream.run(listener)


def stream_of(script: Script, clock: Clock, cap_s: float = 2.5) -> EventStream:
    return EventStream(script.connect(), clock=clock, rng=random.Random(1), reconnect_max_s=cap_s)


@pytest.mark.virtual_time
async def test_generations_count_up_and_every_connection_is_told(clock: Clock) -> None:
    """connected, its events, disconnected; then the next generation."""
    script = Script([[UNKNOWN], [UNKNOWN, UNKNOWN, OSError("gone")], [AriUnreachable("lost")]])
    listener = Remembering()
    await run_for(stream_of(script, clock), listener, 60)
    assert listener.said == [
        ("connected", 1),
        ("event", 1),
        ("disconnected", 1),
        ("connected", 2),
        ("event", 2),
        ("event", 2),
        ("disconnected", 2),
        ("connected", 3),
        ("disconnected", 3),
        ("connected", 4),
    ]
    assert listener.reasons == ["closed", "gone", "lost"]
    assert script.closed == 4


@pytest.mark.virtual_time
async def test_failures_before_the_first_connection_are_survived(clock: Clock) -> None:
    """Asterisk may start after us: generations start when it is there."""
    script = Script([OSError("refused"), AriUnreachable("refused"), refusal(503, "booting"), [UNKNOWN]])
    listener = Remembering()
    stream = stream_of(script, clock)
    await run_for(stream, listener, 60)
    assert listener.said[:2] == [("connected", 1), ("event", 1)]
    assert (stream.counts.failed_connections, stream.counts.connections) == (3, 2)


def hear(script: Script, listener: Remembering) -> None:
    """A second of virtual time on a loop of its own, for tests that are functions."""

    async def story() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualTimeLoop)
        await run_for(stream_of(script, VirtualClock(loop)), listener, 1)

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(story())


def waits(script: Script) -> list[float]:
    return [later - earlier for earlier, later in itertools.pairwise(script.opened_at)]


@pytest.mark.virtual_time
async def test_a_server_that_closes_at_once_sees_growing_waits(clock: Clock) -> None:
    """No busy loop: the waits grow to the cap and stay below it."""
    script = Script([[] for _ in range(20)])
    await run_for(stream_of(script, clock), Remembering(), 3600)
    found = waits(script)
    assert len(found) == 20
    growing = [wait for wait in found if wait < 1.25]
    assert found[: len(growing)] == sorted(growing)
    assert all(1.25 <= wait <= 2.5001 for wait in found[len(growing) :])


@pytest.mark.virtual_time
@pytest.mark.parametrize("good", [[UNKNOWN], [10.0]], ids=["brought an event", "lived ten seconds"])
async def test_a_good_connection_makes_the_waits_small_again(clock: Clock, good: list[Frame]) -> None:
    """After a connection that was good for something the next try follows soon."""
    nothing: list[list[Frame]] = [[] for _ in range(8)]
    script = Script([*nothing, good, []])
    await run_for(stream_of(script, clock), Remembering(), 3600)
    found = waits(script)
    lived = sum(step for step in good if isinstance(step, float))
    assert found[7] >= 1.25
    assert found[8] - lived <= 0.25


@pytest.mark.virtual_time
async def test_a_short_silent_connection_was_no_success(clock: Clock) -> None:
    """Nine seconds without an event do not reset the waits."""
    script = Script([[9.0] for _ in range(6)])
    await run_for(stream_of(script, clock), Remembering(), 3600)
    assert waits(script)[5] - 9 >= 1.25


@pytest.mark.virtual_time
async def test_wrong_credentials_end_the_first_try(clock: Clock) -> None:
    """401 before anything worked is the operator's to mend, now."""
    for status in (401, 403):
        script = Script([OSError("not yet there"), refusal(status, "no")])
        with pytest.raises(AriUnauthorized):
            await stream_of(script, clock).run(Remembering())


@pytest.mark.virtual_time
async def test_an_asterisk_that_is_still_loading_is_waited_for(clock: Clock) -> None:
    """404: there is a server already, and no ARI yet."""
    script, listener = Script([*(refusal(404, "Not Found") for _ in range(5)), [UNKNOWN]]), Remembering()
    await run_for(stream_of(script, clock), listener, 60)
    assert ("connected", 1) in listener.said


@pytest.mark.virtual_time
async def test_wrong_credentials_later_are_waited_out_slowly(clock: Clock) -> None:
    """It worked once: somebody is changing the configuration. No try comes soon."""
    script = Script([[UNKNOWN], *(refusal(401, "no") for _ in range(6)), [UNKNOWN]])
    listener = Remembering()
    await run_for(stream_of(script, clock), listener, 3600)
    assert ("connected", 2) in listener.said
    assert all(wait >= 1.25 for wait in waits(script)[1:7])


@pytest.mark.virtual_time
async def test_another_engine_ends_the_stream(clock: Clock) -> None:
    """ApplicationReplaced: no fight, no reconnect, and the listener knows first."""
    script = Script([[UNKNOWN, REPLACED, UNKNOWN]])
    listener = Remembering()
    with pytest.raises(ApplicationTaken, match="'tr'"):
        await stream_of(script, clock).run(listener)
    assert listener.said == [("connected", 1), ("event", 1), ("disconnected", 1)]
    assert len(script.opened_at) == script.closed == 1


@pytest.mark.virtual_time
async def test_frames_that_make_no_sense_are_counted_and_survived(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """No JSON, no object, no fit: each counted, one sample each, logged once each, and the next event arrives."""
    odd: list[Frame] = ["{", b"\xff\x00", "[" * 100_000, "[]", "7", "null", MISFIT, MISFIT]
    listener = Remembering()
    stream = stream_of(Script([[*odd, *odd, UNKNOWN]]), clock)
    await run_for(stream, listener, 5)
    counts = stream.counts
    assert (counts.not_json, counts.not_object, counts.misfits, counts.events) == (6, 6, 4, 1)
    assert len(counts.samples) == 3
    assert all(len(sample) <= 200 for sample in counts.samples.values())
    said = [record for record in caplog.records if record.message == "ari_frame_not_understood"]
    assert len(said) == 3
    assert [type(event) for event in listener.events] == [UnknownEvent]


@given(
    frames=st.lists(st.text() | st.binary() | st.recursive(st.none() | st.text(), st.lists).map(json.dumps))
)
def test_no_frame_kills_the_stream(frames: list[str | bytes]) -> None:
    """Whatever arrives, the event behind it is heard."""
    listener = Remembering()
    hear(Script([[*frames, UNKNOWN]]), listener)
    assert isinstance(listener.events[-1], UnknownEvent)


@pytest.mark.virtual_time
@pytest.mark.parametrize("moment", ["connected", "event", "disconnected"])
@pytest.mark.parametrize(
    "problem", [RuntimeError("bug"), OSError("disk"), AriUnreachable("asked"), ValueError("x")]
)
async def test_what_the_listener_raises_ends_the_stream(
    clock: Clock, moment: str, problem: Exception
) -> None:
    """A mistake of the listener is nobody's lost connection: it propagates, and the connection is closed."""

    class Failing(Remembering):
        def fail(self, *_: object) -> None:
            raise problem

    listener = Failing()
    setattr(listener, moment, listener.fail)
    script = Script([[UNKNOWN]])
    with pytest.raises(type(problem), match=str(problem)):
        await stream_of(script, clock).run(listener)
    assert script.closed == 1


async def test_a_flood_leaves_room_for_others(clock: Clock) -> None:
    """A full buffer never pauses by itself; after 64 frames at most everybody else has a turn."""
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    listener = Remembering()
    flood: list[Frame] = [UNKNOWN] * 6400
    async with asyncio.TaskGroup() as group:
        task = group.create_task(other())
        stream = group.create_task(stream_of(Script([flood]), clock).run(listener))
        await until(lambda: len(listener.events) == 6400)
        task.cancel()
        stream.cancel()
    assert turns >= 100


@pytest.mark.parametrize(
    ("problem", "has_connected", "expected"),
    [
        (OSError(), False, Retry()),
        (TimeoutError(), True, Retry()),
        (AriUnreachable("x"), False, Retry()),
        (AriNoAnswer("x"), False, Retry()),
        (AriNonsense("x"), True, Retry()),
        (refusal(401, ""), False, GiveUp()),
        (refusal(403, ""), False, GiveUp()),
        (refusal(404, ""), False, Retry()),
        (refusal(426, ""), False, GiveUp()),
        (refusal(500, ""), False, Retry(slow=True)),
        (refusal(503, ""), False, Retry(slow=True)),
        (refusal(401, ""), True, Retry(slow=True)),
        (refusal(404, ""), True, Retry()),
        (refusal(503, ""), True, Retry(slow=True)),
    ],
    ids=str,
)
def test_what_a_failure_calls_for(problem: Exception, has_connected: bool, expected: Retry | GiveUp) -> None:
    """The table of failures."""
    assert classify_failure(problem, has_connected=has_connected) == expected


async def test_real_sockets_register_the_application(clock: Clock) -> None:
    """The engine's application, not all events, credentials in the header; a dropped socket is another generation."""
    listener = Remembering()
    async with ws_asterisk() as asterisk:
        connect = websocket_connector(asterisk.settings)
        stream = EventStream(connect, clock=clock, rng=random.Random(1))
        async with asyncio.TaskGroup() as group:
            running = group.create_task(stream.run(listener))
            await until(lambda: asterisk.connections)
            await asterisk.connections[0].send(UNKNOWN)
            await until(lambda: listener.events)
            asterisk.connections[0].transport.abort()
            await until(lambda: ("connected", 2) in listener.said)
            running.cancel()
    assert asterisk.apps == ["tr", "tr"]
    assert "subscribeAll=false" in asterisk.upgrades[0].path
    assert "lkpass" not in asterisk.upgrades[0].path
    assert asterisk.upgrades[0].headers["Authorization"] == "Basic bGs6bGtwYXNz"
    assert listener.reasons == ["connection lost"]


@pytest.mark.parametrize(
    ("status", "kind"), [(401, AriUnauthorized), (403, AriUnauthorized), (426, AriRefused)]
)
async def test_real_sockets_that_are_refused(clock: Clock, status: int, kind: type[AriRefused]) -> None:
    """The status of the upgrade decides."""
    async with ws_asterisk(refuses_upgrade=status) as asterisk:
        stream = EventStream(websocket_connector(asterisk.settings), clock=clock, rng=random.Random(1))
        with pytest.raises(kind) as raised:
            await stream.run(Remembering())
    assert raised.value.status == status
    assert "lkpass" not in str(raised.value)


async def test_an_address_without_a_server_is_unreachable() -> None:
    """Nothing listens, or it is no websocket address at all."""
    for url in ("ws://127.0.0.1:9/ari/events", "http://127.0.0.1:9/x"):
        with pytest.raises(AriUnreachable):
            async with websocket_connector(ari_settings(ws_url=url))():
                pass


async def test_a_peer_that_falls_silent_is_noticed(clock: Clock) -> None:
    """No answer to a ping within its time: the connection is over, without a FIN."""
    heard: list[asyncio.StreamWriter] = []
    listener = Remembering()

    async def freeze(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(writer)
        await handshake(reader, writer)
        await reader.read(10_000_000)  # reads nothing of what follows as a websocket, and answers nothing

    server = await asyncio.start_server(freeze, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    settings = replace(ari_settings(ws_url=f"ws://127.0.0.1:{port}/ari/events"), ping_interval_s=0.2)
    stream = EventStream(websocket_connector(settings), clock=clock, rng=random.Random(1))
    async with asyncio.TaskGroup() as group:
        running = group.create_task(stream.run(listener))
        await until(lambda: listener.reasons)
        running.cancel()
    server.close()
    for writer in heard:
        writer.close()
    assert "1011" in listener.reasons[0]


async def handshake(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """The server's half of an upgrade."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    key = next(
        line.split(": ")[1] for line in head.split("\r\n") if line.lower().startswith("sec-websocket-key")
    )
    accept = b64encode(sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()).decode()  # noqa: S324
    writer.write(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Accept: {accept}\r\n\r\n".encode()
    )


def test_an_event_arrives_as_its_model() -> None:
    """The stream hands over models, not dictionaries."""
    frame = {
        "type": "StasisStart",
        "application": "tr",
        "timestamp": "2026-01-01T00:00:00.000+0000",
        "args": ["inbound"],
        "channel": {
            "id": "c1",
            "name": "PJSIP/x",
            "state": "Up",
            "caller": {"name": "", "number": ""},
            "connected": {"name": "", "number": ""},
            "accountcode": "",
            "dialplan": {"context": "x", "exten": "y", "priority": 1, "app_name": "", "app_data": ""},
            "creationtime": "2026-01-01T00:00:00.000+0000",
            "language": "en",
            "protocol_id": "",
        },
    }
    listener = Remembering()
    hear(Script([[json.dumps(frame)]]), listener)
    assert isinstance(listener.events[0], StasisStart)
    assert listener.events[0].channel.id == "c1"
