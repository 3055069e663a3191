"""Which way a request takes: websockets first, HTTP where they are missing, and never both."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from config.groups import AriTransport
from core.ari_transport.pool import WebSocketPool
from core.ari_transport.seam import Request, Response
from core.ari_transport.switching import SwitchingTransport, open_transport
from core.errors import AriNoAnswer, AriUnreachable
from tests.core.ari_servers import HttpServer, WsAsterisk, always, json_answer, until, ws_asterisk


class FakeHttp:
    """A way that remembers who took it."""

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.open = asyncio.Event()
        self.open.set()

    async def send(self, request: Request, *, timeout_s: float) -> Response:
        self.taken.append(request.path)
        await self.open.wait()
        return Response(200, None, "http")

    async def download(self, request: Request, *, timeout_s: float) -> bytes:
        self.taken.append(request.path)
        return b"RIFF"


@asynccontextmanager
async def switching(
    policy: AriTransport, *, settle_s: float = 5, max_in_flight: int = 1000, **behaviour: Any
) -> AsyncIterator[tuple[SwitchingTransport, FakeHttp, WsAsterisk]]:
    async with ws_asterisk(**behaviour) as asterisk:
        settings = replace(asterisk.settings, rest_sockets=1, transport=policy)
        async with WebSocketPool(settings, rng=random.Random(1), max_in_flight=max_in_flight) as pool:
            await pool.settle(settle_s)
            http = FakeHttp()
            yield SwitchingTransport(http, pool, policy), http, asterisk


def get(path: str, call: str = "") -> Request:
    return Request("GET", path, affinity=call)


async def via(transport: SwitchingTransport, request: Request) -> str:
    return (await transport.send(request, timeout_s=2)).via


async def test_websockets_come_first() -> None:
    """While a socket is up nothing goes over HTTP, except what is binary."""
    async with switching("auto") as (transport, http, _):
        assert await via(transport, get("x", "a")) == "websocket"
        assert http.taken == []
        assert await transport.download(get("file"), timeout_s=2) == b"RIFF"
        assert http.taken == ["file"]


async def test_http_takes_over_from_an_older_asterisk() -> None:
    """An Asterisk that does not answer on websockets is served over HTTP, until `reset` finds another one."""
    async with switching("auto", speaks_rest=False) as (transport, _, asterisk):
        assert await via(transport, get("x", "a")) == "http"
        asterisk.speaks_rest = True
        transport.reset()
        assert transport.pool is not None
        await transport.pool.settle(5)
        assert await via(transport, get("x", "a")) == "websocket"


async def test_http_takes_over_while_the_pool_is_down() -> None:
    """Between two connections requests go over HTTP, and come back."""
    async with switching("auto", drops_on={"fatal"}) as (transport, http, _):
        with pytest.raises(AriNoAnswer):
            await transport.send(get("fatal", "a"), timeout_s=2)
        assert http.taken == []  # what was sent is not sent again
        assert await via(transport, get("x", "a")) == "http"
        assert transport.pool is not None
        await transport.pool.settle(5)
        assert await via(transport, get("x", "a")) == "websocket"


async def test_http_takes_over_while_the_last_socket_is_closing() -> None:
    """A socket that has been said goodbye to is not full: what was never sent goes the other way."""
    async with switching("auto") as (transport, http, asterisk):
        pool = transport.pool
        assert pool is not None
        asterisk.begin_closing("tr-rest0")
        await asyncio.sleep(0.1)
        assert await via(transport, get("x", "a")) == "http"
        assert await via(transport, get("y")) == "http"
        assert http.taken == ["x", "y"]
        await until(lambda: pool.is_up)
        assert await via(transport, get("z", "a")) == "websocket"


async def test_policy_http_needs_no_pool() -> None:
    """The operator's word counts."""
    async with switching("http") as (transport, _, asterisk):
        assert await via(transport, get("x")) == "http"
        assert asterisk.asked_paths() == []
    assert await via(SwitchingTransport(FakeHttp(), None), get("x")) == "http"


async def test_policy_websocket_never_falls_back() -> None:
    """Unreachable stays unreachable, with the reason."""
    async with switching("websocket", speaks_rest=False) as (transport, http, _):
        with pytest.raises(AriUnreachable, match="does not answer REST on websockets"):
            await transport.send(get("x", "a"), timeout_s=2)
        assert http.taken == []
    with pytest.raises(ValueError, match="needs a pool"):
        SwitchingTransport(FakeHttp(), None, "websocket")


async def test_a_full_socket_is_no_reason_for_http() -> None:
    """HTTP leads to the same Asterisk: more load does not help it."""
    async with switching("auto", max_in_flight=1, silent_on={"hang"}) as (transport, http, asterisk):
        async with asyncio.TaskGroup() as group:
            hanging = group.create_task(transport.send(get("hang"), timeout_s=30))
            await until(asterisk.asked_paths)
            with pytest.raises(AriUnreachable, match="too slow"):
                await transport.send(get("x"), timeout_s=2)
            hanging.cancel()
        assert http.taken == []


async def test_a_call_that_waits_on_http_goes_on_over_http() -> None:
    """A pool that comes up meanwhile must not overtake what the call has asked over HTTP."""
    async with switching("auto", drops_on={"fatal"}) as (transport, http, _):
        with pytest.raises(AriNoAnswer):
            await transport.send(get("fatal", "a"), timeout_s=2)
        http.open.clear()
        async with asyncio.TaskGroup() as group:
            first = group.create_task(via(transport, get("first", "a")))
            assert transport.pool is not None
            await transport.pool.settle(5)
            second = group.create_task(via(transport, get("second", "a")))
            assert await via(transport, get("other", "b")) == "websocket"
            http.open.set()
        assert (first.result(), second.result()) == ("http", "http")
        assert await via(transport, get("third", "a")) == "websocket"


@pytest.mark.parametrize("policy", ["auto", "http", "websocket"])
async def test_the_whole_transport_opens_from_settings(policy: AriTransport) -> None:
    """What main does: settings in, a transport out, everything closed at the end."""
    async with (
        ws_asterisk() as asterisk,
        HttpServer(always(json_answer(200, {}))) as server,
    ):
        settings = replace(asterisk.settings, transport=policy, base_url=server.url + "/ari")
        async with open_transport(settings, rng=random.Random(1)) as transport:
            if transport.pool is not None:
                assert await transport.pool.settle(5)
            assert await via(transport, get("x")) == ("http" if policy == "http" else "websocket")
            assert await transport.download(get("file"), timeout_s=2) == b"{}"
        assert asterisk.open_now == 0
        assert server.heard[-1].headers["authorization"] == "Basic bGs6bGtwYXNz"
