"""The client that an engine is measured against: the requests of a call and nothing else.

It has no store, no journal, no state machine, no models and no recovery. Its calls make the same requests as the
engine's, in the same order, over as many REST websockets, and its event websocket has the same filter:

    create      bridge, create, [StasisStart] addChannel, dial, [Dial ANSWER] play, [PlaybackFinished] delete both
    originate   bridge, originate, [StasisStart] addChannel, play, [PlaybackFinished] delete both

`plays=False` holds for a second instead of playing. `bridge_first=False` makes the bridge only after StasisStart.
"""

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from websockets.asyncio.client import ClientConnection, connect

from core.clock import unix_ms
from core.http import basic_authorization
from core.ids import CallId, Kind, new_call_id, resource_id
from scripts.bench.marks import Marks

HOLD_S: Final = 1.0
PATIENCE_S: Final = 30.0
RING_S: Final = "30"


@dataclass(frozen=True, slots=True)
class BareWay:
    """How to reach Asterisk, and how the calls are made."""

    ws_url: str
    username: str
    password: str
    app: str
    sockets: int
    events: Sequence[str]
    method: str
    plays: bool
    bridge_first: bool
    media: str
    line: str


@dataclass(slots=True)
class _Talk:
    """What one call waits for."""

    marks: Marks
    entered: asyncio.Event = field(default_factory=asyncio.Event)
    answered: asyncio.Event = field(default_factory=asyncio.Event)
    played: asyncio.Event = field(default_factory=asyncio.Event)


class _Refused(Exception):
    """A request was answered with 400 or more, or the call has gone."""


class _Rest:
    """One websocket for requests."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._last = 0
        self._waiting: dict[str, asyncio.Future[int]] = {}

    async def ask(
        self,
        method: str,
        uri: str,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, object] | None = None,
    ) -> int:
        """Send a request and wait for its status."""
        self._last += 1
        request_id = str(self._last)
        frame: dict[str, object] = {
            "type": "RESTRequest",
            "request_id": request_id,
            "method": method,
            "uri": uri,
        }
        if query:
            frame["query_strings"] = [{"name": name, "value": value} for name, value in query.items()]
        if body:
            frame["content_type"] = "application/json"
            frame["message_body"] = json.dumps(body)
        answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._waiting[request_id] = answer
        await self._socket.send(json.dumps(frame))
        return await answer

    async def read(self) -> None:
        """Hand out answers, for ever."""
        async for frame in self._socket:
            data = json.loads(frame)
            if data.get("type") == "RESTResponse":
                answer = self._waiting.pop(data["request_id"], None)
                if answer is not None and not answer.done():
                    answer.set_result(data["status_code"])


class BareClient:
    """Made by `bare_client`."""

    def __init__(self, way: BareWay, rests: Sequence[_Rest]) -> None:
        self._way = way
        self._rests = rests
        self._rng = random.Random(1)
        self._talks: dict[str, _Talk] = {}
        self._count = 0

    async def call(self, marks: Marks, endpoint: str) -> None:
        """Live one call from its bridge to the last delete."""
        way = self._way
        call_id = new_call_id(unix_ms(datetime.now().astimezone()), self._rng)
        channel, bridge, playback = (
            resource_id(way.app, kind, call_id) for kind in (Kind.CUSTOMER, Kind.BRIDGE, Kind.PLAYBACK)
        )
        rest = self._rests[self._count % len(self._rests)]
        self._count += 1
        talk = self._talks[channel] = self._talks[playback] = _Talk(marks)
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self._talk(rest, talk, call_id, endpoint, channel, bridge, playback)
            marks.came_to = "completed"
            marks.completed = True
        except (_Refused, TimeoutError) as error:
            marks.came_to = type(error).__name__ if isinstance(error, TimeoutError) else str(error)
        try:
            async with asyncio.timeout(PATIENCE_S):
                for path in (f"channels/{channel}", f"bridges/{bridge}"):
                    try:
                        await self._ask(rest, marks, "DELETE", path)
                    except _Refused:
                        marks.completed = False
        except TimeoutError:
            marks.completed = False
        finally:
            del self._talks[channel], self._talks[playback]

    async def _talk(
        self,
        rest: _Rest,
        talk: _Talk,
        call_id: CallId,
        endpoint: str,
        channel: str,
        bridge: str,
        playback: str,
    ) -> None:
        way, marks = self._way, talk.marks
        make_bridge = {"type": "mixing", "bridgeId": bridge, "name": call_id}
        leg = {
            "endpoint": endpoint,
            "app": way.app,
            "channelId": channel,
            "appArgs": f"outbound,{call_id}",
        }
        if way.bridge_first:
            await self._ask(rest, marks, "POST", "bridges", make_bridge)
        if way.method == "create":
            variables = {"variables": {"CONNECTEDLINE(num)": way.line}}
            await self._ask(rest, marks, "POST", "channels/create", leg, variables)
        else:
            originate = {**leg, "timeout": RING_S, "callerId": way.line}
            await self._ask(rest, marks, "POST", "channels", originate)
        await talk.entered.wait()
        if not way.bridge_first:
            await self._ask(rest, marks, "POST", "bridges", make_bridge)
        await self._ask(rest, marks, "POST", f"bridges/{bridge}/addChannel", {"channel": channel})
        if way.method == "create":
            await self._ask(rest, marks, "POST", f"channels/{channel}/dial", {"timeout": RING_S})
        await talk.answered.wait()
        if way.plays:
            await self._ask(rest, marks, "POST", f"bridges/{bridge}/play/{playback}", {"media": way.media})
            await talk.played.wait()
        else:
            await asyncio.sleep(HOLD_S)

    @staticmethod
    async def _ask(
        rest: _Rest,
        marks: Marks,
        method: str,
        uri: str,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, object] | None = None,
    ) -> None:
        marks.sent(method, uri, time.monotonic())
        status = await rest.ask(method, uri, query, body)
        marks.got(method, uri, status, time.monotonic())
        if status >= 400:
            raise _Refused(f"{method} {uri.split('/', 1)[0]} {status}")

    async def hear(self, socket: ClientConnection) -> None:
        """Give events to the calls they concern, for ever."""
        async for frame in socket:
            at = time.monotonic()
            event = json.loads(frame)
            match event["type"]:
                case "StasisStart":
                    talk = self._talks.get(event["channel"]["id"])
                    if talk is not None:
                        talk.marks.entered = at
                        talk.marks.entered_by_asterisk = datetime.fromisoformat(event["timestamp"])
                        if self._way.method == "originate":
                            talk.marks.answered = at
                            talk.answered.set()
                        talk.entered.set()
                case "Dial":
                    talk = self._talks.get(event["peer"]["id"])
                    if talk is not None and event["dialstatus"] == "ANSWER" and talk.marks.answered is None:
                        talk.marks.answered = at
                        talk.answered.set()
                case "PlaybackFinished":
                    talk = self._talks.get(event["playback"]["id"])
                    if talk is not None and event["playback"]["state"] == "done":
                        talk.played.set()
                case _:
                    pass


@asynccontextmanager
async def bare_client(way: BareWay) -> AsyncIterator[BareClient]:
    """A client that is connected, with its filter set."""
    headers = {"Authorization": basic_authorization(way.username, way.password)}

    async def opened(app: str) -> ClientConnection:
        address = f"{way.ws_url}?app={app}&subscribeAll=false"
        return await connect(address, additional_headers=headers, proxy=None, compression=None, max_queue=256)

    events = await opened(way.app)
    sockets = [await opened(f"{way.app}-rest{n}") for n in range(way.sockets)]
    rests = [_Rest(socket) for socket in sockets]
    client = BareClient(way, rests)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(rest.read(), name=f"rest {n}") for n, rest in enumerate(rests)]
        tasks.append(group.create_task(client.hear(events), name="events"))
        allowed = {"allowed": [{"type": name} for name in way.events]}
        status = await rests[0].ask("PUT", f"applications/{way.app}/eventFilter", body=allowed)
        if status >= 400:
            raise RuntimeError(f"Asterisk answers {status} to the event filter")
        yield client
        for task in tasks:
            task.cancel()
    for socket in (*sockets, events):
        await socket.close()
