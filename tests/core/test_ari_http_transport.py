"""ARI over HTTP: answers, refusals, nonsense, order within a call, and what is refused before it is sent."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from core.ari_transport.http import HttpTransport
from core.ari_transport.seam import Request, Response
from core.errors import AriGone, AriNoAnswer, AriNonsense, AriUnauthorized, AriUnreachable
from core.http import HttpClient
from tests.core.ari_servers import (
    Heard,
    HttpHandler,
    HttpServer,
    always,
    http_answer,
    json_answer,
    until,
)


@asynccontextmanager
async def transport_to(
    handler: HttpHandler, connections: int = 20
) -> AsyncIterator[tuple[HttpTransport, HttpServer]]:
    async with (
        HttpServer(handler) as server,
        HttpClient(
            server.url + "/ari", username="lk", password="lkpass", max_connections=connections
        ) as client,
    ):
        yield HttpTransport(client), server


PING = Request("GET", "asterisk/ping")


@pytest.mark.parametrize("status", [200, 201, 400, 404, 409, 412, 422, 500])
async def test_a_status_with_json_is_an_answer(status: int) -> None:
    """The transport judges no status: that is the client's work."""
    async with transport_to(always(json_answer(status, {"message": "so"}))) as (transport, _):
        assert await transport.send(PING, timeout_s=2) == Response(status, {"message": "so"}, "http")


async def test_no_content_is_an_answer_without_a_body() -> None:
    """204 is what most commands of ARI answer."""
    async with transport_to(always(http_answer(204))) as (transport, _):
        assert await transport.send(PING, timeout_s=2) == Response(204, None, "http")


@pytest.mark.parametrize("status", [200, 404, 502])
async def test_a_page_is_no_answer_of_ari(status: int) -> None:
    """A proxy's page must not pass for "this channel is gone"."""
    page = http_answer(status, b"<html>", "text/html")
    async with transport_to(always(page)) as (transport, _):
        with pytest.raises(AriNonsense, match=rf"status {status} .*\(text/html\)"):
            await transport.send(PING, timeout_s=2)


@pytest.mark.parametrize("status", [401, 403, 413])
async def test_credentials_and_sizes_are_refused_whatever_the_page(status: int) -> None:
    """Wrong credentials stay wrong credentials when a proxy says so in HTML."""
    async with transport_to(always(http_answer(status, b"<html>", "text/html"))) as (transport, _):
        assert await transport.send(PING, timeout_s=2) == Response(status, None, "http")


async def test_parameters_and_body_reach_asterisk() -> None:
    """Parameters travel in the query, variables in the body, and what needs escaping is escaped."""
    async with transport_to(always(json_answer(200, {}))) as (transport, server):
        await transport.send(
            Request("POST", "channels/a%3Bb", {"appArgs": "a&b=c+d"}, {"variables": {"X": "é"}}), timeout_s=2
        )
    heard = server.heard[0]
    assert heard.target.split("?")[0] == "/ari/channels/a%3Bb"
    assert heard.target.split("?")[1].replace("%3d", "%3D") == "appArgs=a%26b%3Dc%2Bd"
    assert heard.body.decode() == '{"variables":{"X":"é"}}'
    assert heard.headers["content-type"] == "application/json"


async def test_what_is_too_large_is_refused_before_it_is_sent() -> None:
    """Asterisk would answer 413, or 400 with a page: neither is worth a request."""
    async with transport_to(always(json_answer(200, {}))) as (transport, server):
        body = await transport.send(
            Request("POST", "channels", {}, {"variables": {"X": "y" * 41_000}}), timeout_s=2
        )
        line = await transport.send(
            Request("POST", "channels/x/variable", {"value": "y" * 5_000}), timeout_s=2
        )
    assert (body.status, line.status, server.heard) == (413, 413, [])


async def test_requests_of_one_call_keep_their_order() -> None:
    """The first request of a call is slow; the second is sent when it is answered, another call's at once."""

    async def handler(heard: Heard, writer: asyncio.StreamWriter) -> None:
        if heard.target == "/ari/slow":
            await asyncio.sleep(0.2)
        writer.write(json_answer(200, {}))

    answered: list[str] = []
    async with transport_to(handler) as (transport, server):

        async def ask(path: str, call: str) -> None:
            await transport.send(Request("GET", path, affinity=call), timeout_s=5)
            answered.append(path)

        async with asyncio.TaskGroup() as group:
            for path, call in [("slow", "a"), ("second", "a"), ("third", "a"), ("other", "b")]:
                group.create_task(ask(path, call))
    assert answered == ["other", "slow", "second", "third"]
    assert {heard.target for heard in server.heard[:2]} == {"/ari/slow", "/ari/other"}


async def test_waiting_for_its_turn_counts_against_the_deadline() -> None:
    """Behind a request that hangs the next one of the call gives up in time, and was never sent."""

    async def never(_heard: Heard, _writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(60)

    async with transport_to(never) as (transport, server), asyncio.TaskGroup() as group:
        first = group.create_task(transport.send(Request("GET", "first", affinity="a"), timeout_s=30))
        await until(lambda: server.heard)
        with pytest.raises(AriUnreachable, match="earlier requests"):
            await transport.send(Request("GET", "second", affinity="a"), timeout_s=0.1)
        first.cancel()
    assert len(server.heard) == 1


async def test_twenty_requests_in_parallel_within_a_second() -> None:
    """A slow Asterisk does not put the calls in one queue."""

    async def slow(_heard: Heard, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.2)
        writer.write(json_answer(200, {}))

    async with transport_to(slow) as (transport, server):
        began = time.monotonic()
        await asyncio.gather(
            *(transport.send(Request("GET", "x", affinity=f"call{n}"), timeout_s=5) for n in range(20))
        )
        assert time.monotonic() - began < 1
    assert server.open_at_most <= 20


async def test_what_makes_a_409_stick_has_a_connection_of_its_own() -> None:
    """Asterisk repeats the 409 of a failed create for later failures of that connection: the connection ends with it."""
    async with transport_to(always(json_answer(409, {"message": "exists"}))) as (transport, server):
        for _ in range(2):
            await transport.send(Request("POST", "channels/create", conflict_sticks=True), timeout_s=2)
    assert server.connections == 2


async def test_nobody_there_and_hung_up() -> None:
    """No connection: nothing happened. Hung up in the middle: it may have."""

    async def drop(_heard: Heard, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        writer.close()

    async with HttpClient("http://127.0.0.1:9/ari") as client:
        with pytest.raises(AriUnreachable, match="GET asterisk/ping"):
            await HttpTransport(client).send(PING, timeout_s=2)
    async with transport_to(drop) as (transport, server):
        with pytest.raises(AriNoAnswer, match="GET asterisk/ping"):
            await transport.send(PING, timeout_s=2)
    assert len(server.heard) == 1


async def test_downloads_are_bytes() -> None:
    """A recording arrives as it is; what is refused is an error at once."""
    wav = bytes(range(256)) * 100
    async with transport_to(always(http_answer(200, wav, "audio/wav"))) as (transport, _):
        assert await transport.download(Request("GET", "recordings/stored/x/file"), timeout_s=2) == wav
    async with transport_to(always(json_answer(404, {"message": "Recording not found"}))) as (transport, _):
        with pytest.raises(AriGone, match="404 Recording not found"):
            await transport.download(Request("GET", "recordings/stored/x/file"), timeout_s=2)
    async with transport_to(always(http_answer(401))) as (transport, _):
        with pytest.raises(AriUnauthorized):
            await transport.download(Request("GET", "recordings/stored/x/file"), timeout_s=2)
