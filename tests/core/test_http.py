"""The one HTTP client: its errors, its deadlines, its connections."""

import asyncio
import time
from collections.abc import Iterator

import httpx
import pytest

from core.http import FOREIGN, HttpClient, HttpNoAnswer, HttpReply, HttpTimeout, HttpUnreachable, translate
from tests.core.ari_servers import Heard, HttpServer, always, http_answer, json_answer, until


def exceptions_of_httpx() -> Iterator[type[Exception]]:
    for name in dir(httpx):
        thing = getattr(httpx, name)
        if isinstance(thing, type) and issubclass(thing, Exception):
            yield thing


@pytest.mark.parametrize("kind", list(exceptions_of_httpx()), ids=lambda kind: kind.__name__)
def test_every_exception_of_httpx_is_mapped(kind: type[Exception]) -> None:
    """When httpx grows an exception, somebody decides what it means."""
    assert kind in FOREIGN


def test_the_most_specific_mapping_counts() -> None:
    """A connect timeout is no timeout in general: nothing was sent."""
    assert isinstance(translate(httpx.ConnectTimeout(""), "GET x"), HttpUnreachable)
    assert isinstance(translate(httpx.ReadTimeout(""), "GET x"), HttpNoAnswer)


def test_an_unknown_leaf_counts_as_its_branch() -> None:
    """What a later httpx may add below a known branch counts as "may have happened"."""

    class Later(httpx.NetworkError):
        pass

    assert isinstance(translate(Later("new"), "GET x"), HttpNoAnswer)


async def test_nobody_listens_is_unreachable() -> None:
    """A refused connection sent nothing."""
    async with HttpClient("http://127.0.0.1:9") as client:
        with pytest.raises(HttpUnreachable, match="GET ping"):
            await client.request("GET", "ping")


async def test_an_address_that_is_none_is_unreachable() -> None:
    """A broken URL is an error of ours, not one of httpx's."""
    async with HttpClient("") as client:
        with pytest.raises(HttpUnreachable):
            await client.request("GET", "http://[/")


async def test_an_answer_has_status_headers_and_content() -> None:
    """Statuses are not judged here, and header names are in lower case."""
    async with (
        HttpServer(always(json_answer(418, {"a": 1}))) as server,
        HttpClient(server.url + "/ari") as client,
    ):
        reply = await client.request("POST", "x/y%2Fz", params={"q": "a b"}, json={"k": "v"})
    assert (reply.status, reply.json(), reply.headers["content-type"]) == (418, {"a": 1}, "application/json")
    assert server.heard[0].target in {"/ari/x/y%2Fz?q=a+b", "/ari/x/y%2Fz?q=a%20b"}
    assert server.heard[0].body == b'{"k":"v"}'


async def test_credentials_travel_in_the_header_and_in_no_message() -> None:
    """A password is in the Authorization header and in no error text; parameters are in none either."""

    async def drop(_heard: Heard, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with (
        HttpServer(drop) as server,
        HttpClient(server.url, username="lk", password="hunter2") as client,
    ):
        with pytest.raises(HttpNoAnswer) as raised:
            await client.request("GET", "x", params={"number": "+15550001"})
    assert server.heard[0].headers["authorization"] == "Basic bGs6aHVudGVyMg=="
    assert "hunter2" not in str(raised.value)
    assert "15550001" not in str(raised.value)


async def test_a_dropped_connection_may_have_happened() -> None:
    """The server read the request and hung up: nobody knows what it did, and it is not sent again."""

    async def drop(_heard: Heard, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with HttpServer(drop) as server, HttpClient(server.url) as client:
        with pytest.raises(HttpNoAnswer) as raised:
            await client.request("POST", "x")
    assert raised.value.may_have_happened
    assert len(server.heard) == 1


async def test_the_deadline_covers_an_answer_that_drips() -> None:
    """A byte now and then resets the read timeout of httpx, but not the deadline of the request."""

    async def drip(_heard: Heard, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while True:
            writer.write(b".")
            await asyncio.sleep(0.02)

    async with HttpServer(drip) as server, HttpClient(server.url) as client:
        began = time.monotonic()
        with pytest.raises(HttpNoAnswer, match=r"within 0\.3 s"):
            await client.request("GET", "x", timeout_s=0.3)
        assert time.monotonic() - began < 2


async def test_connections_stay_within_the_limit_and_work_in_parallel() -> None:
    """Twenty requests of 200 ms over twenty connections take less than a second, and no more connections are opened."""

    async def slow(_heard: Heard, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.2)
        writer.write(json_answer(200, {}))

    async with HttpServer(slow) as server, HttpClient(server.url, max_connections=20) as client:
        began = time.monotonic()
        await asyncio.gather(*(client.request("GET", "x") for _ in range(20)))
        assert time.monotonic() - began < 1
        await asyncio.gather(*(client.request("GET", "x") for _ in range(20)))
    assert server.connections == server.open_at_most == 20


async def test_one_after_another_uses_one_connection() -> None:
    """An idle connection is used again."""
    async with HttpServer(always(json_answer(200, {}))) as server, HttpClient(server.url) as client:
        for _ in range(5):
            await client.request("GET", "x")
    assert server.connections == 1


async def test_waiting_for_a_connection_in_vain_sent_nothing() -> None:
    """All connections busy is "unreachable", so the caller may try again."""

    async def never(_heard: Heard, _writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(60)

    timeout = HttpTimeout(pool_s=0.1)
    async with (
        HttpServer(never) as server,
        HttpClient(server.url, max_connections=1, timeout=timeout) as client,
    ):
        async with asyncio.TaskGroup() as group:
            first = group.create_task(client.request("GET", "first"))
            await until(lambda: server.heard)
            with pytest.raises(HttpUnreachable, match="all 1 connections are busy"):
                await client.request("GET", "second")
            first.cancel()
    assert [heard.target for heard in server.heard] == ["/first"]


async def test_a_cancelled_request_gives_its_connection_back() -> None:
    """Hanging up while Asterisk is asked leaves a client that still works."""

    async def handler(heard: Heard, writer: asyncio.StreamWriter) -> None:
        if heard.target == "/never":
            await asyncio.sleep(60)
        writer.write(json_answer(200, {}))

    async with HttpServer(handler) as server, HttpClient(server.url, max_connections=1) as client:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await client.request("GET", "never")
        assert (await client.request("GET", "x", timeout_s=2)).status == 200


async def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asterisk is beside us; a proxy that somebody set for downloads must not see it."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    async with HttpServer(always(json_answer(200, {}))) as server, HttpClient(server.url) as client:
        assert (await client.request("GET", "x")).status == 200


async def test_redirects_are_answers() -> None:
    """Credentials are not carried to where somebody points."""
    moved = http_answer(302, extra="Location: http://127.0.0.1:9/\r\n")
    async with HttpServer(always(moved)) as server, HttpClient(server.url) as client:
        assert (await client.request("GET", "x")).status == 302


async def test_files_and_fields_make_a_form() -> None:
    """Speech goes to a vendor as a form with a file in it."""
    async with HttpServer(always(json_answer(200, {}))) as server, HttpClient(server.url) as client:
        await client.request(
            "POST", "x", form={"model": "m"}, files={"file": ("a.wav", b"RIFF", "audio/wav")}
        )
    heard = server.heard[0]
    assert heard.headers["content-type"].startswith("multipart/form-data")
    assert b'name="model"' in heard.body
    assert b'filename="a.wav"' in heard.body


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe\x00", b"[" * 100_000])
def test_content_that_is_not_json_is_a_value_error(content: bytes) -> None:
    """Whatever is wrong with it, there is one error to catch."""
    with pytest.raises(ValueError):
        HttpReply(200, {}, content).json()
