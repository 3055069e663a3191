"""The emulated Asterisk behind real sockets: HTTP, events, and REST over the event websocket."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from core.clock import SystemClock
from integrations.emulator import Emulator, EmulatorSettings
from integrations.emulator.server import EmulatorServer

USER, PASSWORD = "lk", "secret"
BASIC = {"Authorization": "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()}
CREATE = {"endpoint": "Local/polite-yes@people/n", "app": "a", "channelId": "c"}


@pytest.fixture
async def server() -> AsyncIterator[EmulatorServer]:
    """A running server."""
    async with EmulatorServer(Emulator(), SystemClock(), USER, PASSWORD) as running:
        yield running


@asynccontextmanager
async def socket(server: EmulatorServer, app: str = "a") -> AsyncIterator[ClientConnection]:
    """An event websocket."""
    async with connect(f"{server.ws_url}?app={app}", additional_headers=BASIC) as websocket:
        yield websocket


@asynccontextmanager
async def http(server: EmulatorServer) -> AsyncIterator[httpx.AsyncClient]:
    """An HTTP client that may."""
    async with httpx.AsyncClient(base_url=server.base_url, auth=(USER, PASSWORD)) as client:
        yield client


async def receive(websocket: ClientConnection, kind: str) -> dict[str, object]:
    """The next event of this type."""
    async with asyncio.timeout(5):
        while True:
            event: dict[str, object] = json.loads(await websocket.recv())
            if event["type"] == kind:
                return event


async def ask(websocket: ClientConnection, **frame: object) -> dict[str, object]:
    """One request over the websocket, and its response."""
    await websocket.send(
        json.dumps({"type": "RESTRequest", "transaction_id": "t", "request_id": "r"} | frame)
    )
    return await receive(websocket, "RESTResponse")


async def test_a_call_over_http(server: EmulatorServer) -> None:
    """Created with a JSON body, dialled, answered; told by events in real time."""
    async with socket(server) as events, http(server) as client:
        made = await client.post("/channels/create", params=CREATE, json={"variables": {"X": "ä"}})
        assert (made.status_code, made.json()["state"]) == (200, "Down")
        assert (await client.get("/channels/c/variable", params={"variable": "X"})).json() == {"value": "ä"}
        await receive(events, "StasisStart")
        dialled = await client.post("/channels/c/dial", params={"timeout": 5})
        assert (dialled.status_code, dialled.content) == (204, b"")
        while (await receive(events, "Dial"))["dialstatus"] != "ANSWER":
            pass
        assert (await client.delete("/channels/c")).status_code == 204
        assert (await receive(events, "ChannelDestroyed"))["cause"] == 16


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Basic eDp5"}, {"Authorization": "Basic ???"}])
async def test_strangers(server: EmulatorServer, headers: dict[str, str]) -> None:
    """401, over HTTP and for the websocket; the header goes before api_key, which works alone."""
    async with httpx.AsyncClient() as client:
        refused = await client.get(f"{server.base_url}/channels", headers=headers)
        assert (refused.status_code, refused.json()) == (401, {"message": "Authentication required"})
        with pytest.raises(InvalidStatus) as caught:
            await connect(f"{server.ws_url}?app=a", additional_headers=headers)
        assert caught.value.response.status_code == 401
        key = f"api_key={USER}:{PASSWORD}"
        allowed = await client.get(f"{server.base_url}/channels?{key}", headers=headers)
        assert allowed.status_code == (401 if headers else 200)


async def test_bad_bodies(server: EmulatorServer) -> None:
    """Broken JSON is a 400, too much of it a 413."""
    async with http(server) as client:
        json_type = {"Content-Type": "application/json"}
        assert (await client.post("/channels", content=b"{", headers=json_type)).status_code == 400
        assert (await client.post("/channels", content=b" " * 41_000, headers=json_type)).status_code == 413


async def test_no_application(server: EmulatorServer) -> None:
    """400 at the handshake."""
    with pytest.raises(InvalidStatus) as caught:
        await connect(server.ws_url, additional_headers=BASIC)
    assert caught.value.response.status_code == 400


async def test_rest_over_the_websocket(server: EmulatorServer) -> None:
    """Parameters in the URI, in query_strings, as a form or as JSON; answered with both ids, the body as text."""
    async with socket(server) as events:
        made = await ask(events, method="POST", uri="bridges/b1?type=mixing&name=n")
        assert {
            name: made[name] for name in ("transaction_id", "request_id", "status_code", "uri", "application")
        } == {
            "transaction_id": "t",
            "request_id": "r",
            "status_code": 200,
            "uri": "bridges/b1",
            "application": "a",
        }
        ways: tuple[dict[str, object], ...] = (
            {"query_strings": [{"name": "name", "value": "x"}]},
            {"content_type": "application/json", "message_body": '{"name":"x"}'},
            {"content_type": "application/x-www-form-urlencoded", "message_body": "name=x"},
        )
        for n, how in enumerate(ways):
            response = await ask(events, method="POST", uri=f"bridges/c{n}", **how)
            body = json.loads(str(response["message_body"]))
            assert (body["name"], response["content_type"]) == ("x", "application/json")
        gone = await ask(events, method="DELETE", uri="bridges/b1")
        assert (gone["status_code"], gone["reason_phrase"], "message_body" in gone) == (
            204,
            "No Content",
            False,
        )


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        ({"uri": "bridges/b"}, "Unknown or missing 'method' property."),
        ({"method": "GET"}, "Empty or missing 'uri' property."),
        ({"type": "Foo"}, "Unknown request type."),
        (
            {"method": "PUT", "uri": "applications/a/eventFilter", "message_body": "{}"},
            "No 'content_type' for 'message_body'.",
        ),
        (
            {
                "method": "PUT",
                "uri": "applications/a/eventFilter",
                "content_type": "application/json",
                "message_body": "{",
            },
            "Unable to parse 'message_body' as 'application/json'.",
        ),
        (
            {
                "method": "PUT",
                "uri": "applications/a/eventFilter",
                "content_type": "application/json",
                "message_body": {"allowed": []},
            },
            "Invalid format definition",
        ),
    ],
)
async def test_unfit_frames(server: EmulatorServer, frame: dict[str, object], message: str) -> None:
    """400 in Asterisk's words; a body given as an object counts as none."""
    async with socket(server) as events:
        response = await ask(events, **frame)
        assert response["status_code"] == 400
        assert json.loads(str(response["message_body"])) == {"message": message}


async def test_what_is_no_json(server: EmulatorServer) -> None:
    """Told without ids; the socket stays open."""
    async with socket(server) as events:
        await events.send("not json")
        response = await receive(events, "RESTResponse")
        assert (response["status_code"], response["request_id"]) == (400, "")
        assert (await ask(events, method="GET", uri="asterisk/ping"))["status_code"] == 200


async def test_a_filter_that_swallows_answers(server: EmulatorServer) -> None:
    """The request is served; the asker never hears."""
    async with socket(server) as events, socket(server, "other") as other:
        body = '{"allowed":[{"type":"StasisStart"}]}'
        frame = {"type": "RESTRequest", "method": "PUT", "uri": "applications/a/eventFilter"}
        await events.send(json.dumps(frame | {"content_type": "application/json", "message_body": body}))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await events.recv()
        shown = await ask(other, method="GET", uri="applications/a")
        assert json.loads(str(shown["message_body"]))["events_allowed"] == [{"type": "StasisStart"}]


async def test_an_older_asterisk() -> None:
    """It ignores requests on the websocket, and serves HTTP."""
    emulator = Emulator(EmulatorSettings(version="16.28.0"))
    async with EmulatorServer(emulator, SystemClock(), USER, PASSWORD, rest_over_websocket=False) as server:
        async with socket(server) as events, http(server) as client:
            await events.send('{"type":"RESTRequest","method":"GET","uri":"asterisk/ping"}')
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):
                    await events.recv()
            info = (await client.get("/asterisk/info")).json()
            assert info["system"]["version"] == "16.28.0"


async def test_a_killed_asterisk_closes_its_sockets(server: EmulatorServer) -> None:
    """Events end, and requests are refused until it is back."""
    async with socket(server) as events, http(server) as client:
        server.emulator.kill(SystemClock().now())
        with pytest.raises(ConnectionClosed):
            await receive(events, "anything")
        assert (await client.get("/channels")).status_code == 503
        server.emulator.start(SystemClock().now())
        assert (await client.get("/channels")).json() == []


async def test_recordings_travel_by_http(server: EmulatorServer) -> None:
    """As a WAV file."""
    async with socket(server) as events, http(server) as client:
        channel = server.emulator.dial_in("silent", "a", "+1", SystemClock().now())
        await client.post(f"/channels/{channel}/answer")
        await client.post(f"/channels/{channel}/record", params={"name": "x/y", "format": "wav"})
        await client.post("/recordings/live/x%2Fy/stop")
        await receive(events, "RecordingFinished")
        file = await client.get("/recordings/stored/x%2Fy/file")
        assert (file.headers["content-type"], file.content[:4]) == ("audio/wav", b"RIFF")
        assert (await ask(events, method="GET", uri="recordings/stored/x%2Fy/file"))["status_code"] == 406


async def test_two_servers_in_one_process() -> None:
    """Each with its own Asterisk and port."""
    async with (
        EmulatorServer(Emulator(), SystemClock(), USER, PASSWORD) as one,
        EmulatorServer(Emulator(), SystemClock(), USER, PASSWORD) as two,
    ):
        async with http(one) as client:
            await client.post("/bridges/b")
        async with http(two) as client:
            assert (await client.get("/bridges")).json() == []
