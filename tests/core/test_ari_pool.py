"""REST over a pool of websockets: who answers whom, in which order, and what happens when a socket breaks."""

import asyncio
import json
import logging
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.server import ServerConnection

from config.groups import AriSettings
from core.ari_transport.pool import WebSocketPool
from core.ari_transport.seam import Request, Response
from core.ari_transport.sockets import open_ari_socket
from core.ari_transport.websocket import encoded
from core.errors import AriNoAnswer, AriNonsense, AriUnreachable
from tests.core.ari_servers import PONG, WsAsterisk, ari_settings, serving, until, ws_asterisk


def get(path: str, call: str = "") -> Request:
    return Request("GET", path, affinity=call)


@asynccontextmanager
async def pool_of(
    sockets: int, settings: AriSettings | None = None, *, max_in_flight: int = 1000, **behaviour: Any
) -> AsyncIterator[tuple[WebSocketPool, WsAsterisk]]:
    async with ws_asterisk(**behaviour) as asterisk:
        chosen = replace(settings or asterisk.settings, rest_sockets=sockets)
        async with WebSocketPool(chosen, rng=random.Random(1), max_in_flight=max_in_flight) as pool:
            await pool.settle(5)
            yield pool, asterisk


async def test_each_socket_has_an_application_of_its_own_and_the_header() -> None:
    """N sockets, no more, named after the application; credentials are in the header and not in the address."""
    async with pool_of(3) as (pool, asterisk):
        await asyncio.gather(*(pool.send(get("x", f"call{n}"), timeout_s=2) for n in range(50)))
        assert sorted(asterisk.apps) == ["tr-rest0", "tr-rest1", "tr-rest2"]
        assert pool.sockets_up == 3
    for upgrade in asterisk.upgrades:
        assert upgrade.headers["Authorization"] == "Basic bGs6bGtwYXNz"
        assert "lkpass" not in upgrade.path
        assert "subscribeAll=false" in upgrade.path
    assert asterisk.open_now == 0


async def test_parameters_travel_raw_and_the_body_as_text() -> None:
    """Asterisk takes `query_strings` as they are, and ignores a body that is not a text."""
    async with pool_of(1) as (pool, asterisk):
        request = Request("POST", "channels/a%3Bb/x", {"q": "a b%20&é"}, {"variables": {"X": "é"}}, "call1")
        assert await pool.send(request, timeout_s=2) == Response(200, PONG, "websocket")
        frame = asterisk.asked[-1].frame
    assert frame.pop("request_id")
    assert frame == {
        "type": "RESTRequest",
        "transaction_id": "call1",
        "method": "POST",
        "uri": "channels/a%3Bb/x",
        "query_strings": [{"name": "q", "value": "a b%20&é"}],
        "content_type": "application/json",
        "message_body": '{"variables":{"X":"é"}}',
    }


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [(204, None, None), (200, "", None), (200, [1], [1]), (404, {"message": "no"}, {"message": "no"})],
)
async def test_answers_keep_status_and_body(status: int, body: object, expected: object) -> None:
    """No status is judged here, and no body is None."""
    async with pool_of(1, replies={"x": (status, body)}) as (pool, _):
        assert await pool.send(get("x"), timeout_s=2) == Response(status, expected, "websocket")


@pytest.mark.parametrize("reply", [(200, "{"), (200, "[" * 100_000), ("200", {}), (None, {})])
async def test_answers_that_are_none(reply: tuple[Any, object]) -> None:
    """A body that is no JSON, or a status that is no number, is nonsense and not silence."""
    async with pool_of(1, replies={"x": reply}) as (pool, _):
        with pytest.raises(AriNonsense, match="GET x"):
            await pool.send(get("x"), timeout_s=2)
        assert (await pool.send(get("y"), timeout_s=2)).status == 200


async def test_requests_of_one_call_arrive_in_order_on_one_socket() -> None:
    """What a call asks is asked in that order, while other calls use the other sockets."""
    async with pool_of(4) as (pool, asterisk), asyncio.TaskGroup() as group:
        for n in range(30):
            for call in "abcdefgh":
                group.create_task(pool.send(get(f"{call}/{n}", call), timeout_s=5))
        await until(lambda: len(asterisk.asked_paths()) == 240)
        for call in "abcdefgh":
            mine = [asked for asked in asterisk.asked if asked.call == call]
            assert [asked.path for asked in mine] == [f"{call}/{n}" for n in range(30)]
            assert len({asked.app for asked in mine}) == 1
        assert len({asked.app for asked in asterisk.asked}) == 4


async def test_answers_find_their_askers_in_any_order() -> None:
    """Asterisk may answer the second before the first; each asker gets its own answer."""
    held: list[tuple[ServerConnection, str]] = []

    class Backwards(WsAsterisk):
        async def say(self, connection: ServerConnection, request_id: str, status: int, body: object) -> None:
            if body is PONG and not held and len(self.asked) == 1:
                await super().say(connection, request_id, status, body)
                return
            held.append((connection, request_id))
            if len(held) == 2:
                for earlier, its_id in reversed(held):
                    await super().say(earlier, its_id, 200, {"id": its_id})

    async with (
        serving(Backwards()) as asterisk,
        WebSocketPool(replace(asterisk.settings, rest_sockets=1), rng=random.Random(1)) as pool,
    ):
        assert await pool.settle(5)
        first, second = await asyncio.gather(*(pool.send(get(path), timeout_s=2) for path in ("one", "two")))
    ids = {asked.path: asked.frame["request_id"] for asked in asterisk.asked}
    assert (first.body, second.body) == ({"id": ids["one"]}, {"id": ids["two"]})


async def test_a_socket_that_breaks_tells_its_askers_at_once() -> None:
    """In the middle of a request the socket is gone: no answer, well before the deadline, and nothing is sent twice."""
    async with pool_of(1, drops_on={"fatal"}, silent_on={"waiting"}) as (pool, asterisk):
        began = time.monotonic()
        results = await asyncio.gather(
            pool.send(get("waiting", "a"), timeout_s=30),
            pool.send(get("fatal", "a"), timeout_s=30),
            return_exceptions=True,
        )
        assert time.monotonic() - began < 2
        assert [type(result) for result in results] == [AriNoAnswer, AriNoAnswer]
        await until(lambda: pool.is_up)
        assert (await pool.send(get("after"), timeout_s=2)).status == 200
        assert asterisk.asked_paths() == ["waiting", "fatal", "after"]
        assert pool.counts.lost == 2


async def test_a_socket_that_is_down_is_skipped_and_comes_back() -> None:
    """While one socket is down its calls use another; afterwards it serves again."""
    async with pool_of(2, drops_on={"fatal"}) as (pool, asterisk):
        home = pool.pick("a")
        assert home is not None
        with pytest.raises(AriNoAnswer):
            await pool.send(get("fatal", "a"), timeout_s=2)
        assert not home.is_up
        assert (await pool.send(get("next", "a"), timeout_s=2)).status == 200
        assert asterisk.asked[-1].app != home.app
        await until(lambda: home.is_up)
        assert pool.pick("a") is home


async def test_a_socket_that_is_closing_takes_no_work() -> None:
    """From Asterisk's goodbye on, while the connection still lingers, its calls use another socket.

    So does a call with requests under way there: no answer comes after a goodbye.
    """
    async with (
        pool_of(2, silent_on={"waiting"}) as (pool, asterisk),
        asyncio.TaskGroup() as group,
    ):
        home = pool.pick("a")
        assert home is not None
        waiting = group.create_task(pool.send(get("waiting", "a"), timeout_s=30))
        await until(asterisk.asked_paths)
        asterisk.begin_closing(home.app)
        await until(lambda: pool.sockets_up == 1, timeout_s=0.5)  # the connection lingers for a second
        assert not waiting.done()
        assert (await pool.send(get("next", "a"), timeout_s=2)).status == 200
        assert asterisk.asked[-1].app != home.app
        assert (await pool.send(get("other"), timeout_s=2)).status == 200
        waiting.cancel()


async def test_a_call_stays_where_its_requests_are_under_way() -> None:
    """A socket that comes back does not overtake what the call has asked on another one."""
    async with pool_of(2, drops_on={"fatal"}, delay_s={"slow": 1.0}) as (pool, asterisk):
        home = pool.pick("a")
        assert home is not None
        with pytest.raises(AriNoAnswer):
            await pool.send(get("fatal", "a"), timeout_s=2)
        async with asyncio.TaskGroup() as group:
            group.create_task(pool.send(get("slow", "a"), timeout_s=5))
            await until(lambda: home.is_up)
            group.create_task(pool.send(get("after", "a"), timeout_s=5))
        slow, after = [asked for asked in asterisk.asked if asked.path in {"slow", "after"}]
        assert (slow.path, after.path) == ("slow", "after")
        assert slow.app == after.app != home.app
        assert pool.pick("a") is home


async def test_a_late_answer_is_dropped_and_counted() -> None:
    """An answer after the deadline goes to nobody, least of all to the next asker."""
    async with pool_of(1, delay_s={"slow": 0.3}, replies={"slow": (200, "1"), "next": (200, "2")}) as (
        pool,
        _,
    ):
        with pytest.raises(AriNoAnswer, match=r"within 0\.1 s"):
            await pool.send(get("slow"), timeout_s=0.1)
        assert (await pool.send(get("next"), timeout_s=2)).body == 2
        assert (pool.counts.late, pool.counts.answered) == (1, 2)  # the first ping and "next"


async def test_a_cancelled_request_leaves_nothing_behind() -> None:
    """A call that ends stops waiting; its answer is counted as late."""
    async with pool_of(1, delay_s={"slow": 0.2}) as (pool, _):
        async with asyncio.TaskGroup() as group:
            asking = group.create_task(pool.send(get("slow", "a"), timeout_s=5))
            await asyncio.sleep(0.05)
            asking.cancel()
        socket = pool.pick("a")
        assert socket is not None
        assert socket.in_flight == 0
        await pool.send(get("next", "a"), timeout_s=2)
        assert pool.counts.late == 1


async def test_a_full_socket_refuses_more() -> None:
    """Requests do not pile up without bound, and the message says what is the matter."""
    async with (
        pool_of(1, max_in_flight=3, silent_on={"hang"}) as (pool, asterisk),
        asyncio.TaskGroup() as group,
    ):
        tasks = [group.create_task(pool.send(get("hang"), timeout_s=30)) for _ in range(3)]
        await until(lambda: len(asterisk.asked_paths()) == 3)
        with pytest.raises(
            AriUnreachable, match="3 requests wait on websocket tr-rest0: Asterisk is too slow"
        ):
            await pool.send(get("more"), timeout_s=30)
        for task in tasks:
            task.cancel()


async def test_an_older_asterisk_is_found_out_once(caplog: pytest.LogCaptureFixture) -> None:
    """No answer to the first ping: the pool says so once, closes its sockets, and rests until `reset`."""
    with caplog.at_level(logging.WARNING):
        async with pool_of(3, speaks_rest=False) as (pool, asterisk):
            assert pool.is_resting
            assert not pool.is_up
            await until(lambda: asterisk.open_now == 0)
            connections = len(asterisk.apps)
            with pytest.raises(AriUnreachable, match="does not answer REST on websockets"):
                await pool.send(get("x"), timeout_s=1)
            await asyncio.sleep(0.5)
            assert len(asterisk.apps) == connections
            said = [
                record for record in caplog.records if record.message == "ari_rest_over_websocket_unsupported"
            ]
            assert len(said) == 1
            asterisk.speaks_rest = True
            pool.reset()
            assert await pool.settle(5)
            assert (await pool.send(get("x"), timeout_s=1)).status == 200


async def test_a_resting_pool_stops_the_sockets_that_could_not_connect_too() -> None:
    """One socket proved that Asterisk is an older one; the others need not find out themselves."""
    tries: list[str] = []

    async with ws_asterisk(speaks_rest=False) as asterisk:

        @asynccontextmanager
        async def open_socket(app: str) -> AsyncIterator[ClientConnection]:
            tries.append(app)
            if app != "tr-rest0":
                raise AriUnreachable("refused")
            async with open_ari_socket(asterisk.settings, app) as socket:
                yield socket

        settings = replace(asterisk.settings, rest_sockets=2, reconnect_max_s=0.2)
        async with WebSocketPool(settings, rng=random.Random(1), open_socket=open_socket) as pool:
            await pool.settle(5)
            assert pool.is_resting
            found = len(tries)
            await asyncio.sleep(0.5)
            assert len(tries) == found > 2


async def test_a_resting_pool_tries_again(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One ping that was not answered is no verdict for ever: one socket at a time tries again, and brings back all.

    While the verdict stays the same nothing more is said.
    """
    monkeypatch.setattr("core.ari_transport.websocket.PROBE_S", 0.2)
    monkeypatch.setattr("core.ari_transport.pool.TRY_AGAIN_S", 0.1)
    with caplog.at_level(logging.WARNING):
        async with pool_of(3, speaks_rest=False) as (pool, asterisk):
            assert pool.is_resting
            await until(lambda: asterisk.open_now == 0)
            first = len(asterisk.apps)
            await until(lambda: len(asterisk.apps) == first + 3)
            assert len(set(asterisk.apps[first:])) == 1
            assert pool.is_resting
            asterisk.speaks_rest = True
            await until(lambda: pool.sockets_up == 3 and not pool.is_resting)
    said = [record.message for record in caplog.records if record.message.startswith("ari_rest_")]
    assert said == ["ari_rest_over_websocket_unsupported"]


async def test_reset_wakes_the_socket_that_waits_to_try_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a reset each name is opened once, the one that would have tried alone included."""
    monkeypatch.setattr("core.ari_transport.websocket.PROBE_S", 0.2)
    async with pool_of(3, speaks_rest=False) as (pool, asterisk):
        await until(lambda: asterisk.open_now == 0)
        first = len(asterisk.apps)
        asterisk.speaks_rest = True
        pool.reset()
        assert await pool.settle(5)
        assert pool.sockets_up == 3
        assert sorted(asterisk.apps[first:]) == ["tr-rest0", "tr-rest1", "tr-rest2"]


async def test_where_there_is_no_other_way_the_pool_never_rests(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With ARI_TRANSPORT=websocket silence is said once, told to who asks, and tried against without hurry."""
    monkeypatch.setattr("core.ari_transport.websocket.PROBE_S", 0.1)
    settings = ari_settings(transport="websocket", reconnect_max_s=0.4)
    with caplog.at_level(logging.WARNING):
        async with ws_asterisk(speaks_rest=False) as asterisk:
            settings = replace(settings, ws_url=asterisk.settings.ws_url, rest_sockets=2)
            async with WebSocketPool(settings, rng=random.Random(1)) as pool:
                await asyncio.sleep(2.0)
                assert not pool.is_resting
                assert 6 <= len(asterisk.apps) <= 16  # each tries every 0.3 s to 0.5 s, the first time sooner
                with pytest.raises(AriUnreachable, match="does not answer REST on websockets"):
                    await pool.send(get("x"), timeout_s=1)
                asterisk.speaks_rest = True
                assert await pool.settle(5)
                assert pool.sockets_up == 2
    said = [record.message for record in caplog.records if record.message.startswith("ari_rest_")]
    assert said == ["ari_rest_over_websocket_unsupported"]


async def test_silence_after_a_reset_does_not_end_the_only_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """The events came back first, and Asterisk was too busy for the first ping: a moment later it answers."""
    monkeypatch.setattr("core.ari_transport.websocket.PROBE_S", 0.1)
    async with ws_asterisk(drops_on={"fatal"}) as asterisk:
        settings = replace(asterisk.settings, rest_sockets=1, transport="websocket", reconnect_max_s=0.3)
        async with WebSocketPool(settings, rng=random.Random(1)) as pool:
            assert await pool.settle(5)
            asterisk.speaks_rest = False
            with pytest.raises(AriNoAnswer):
                await pool.send(get("fatal"), timeout_s=2)
            pool.reset()
            await until(lambda: len(asterisk.apps) >= 3)
            asterisk.speaks_rest = True
            await until(lambda: pool.is_up)
            assert (await pool.send(get("x"), timeout_s=1)).status == 200


async def test_reset_of_a_working_pool_changes_nothing() -> None:
    """The engine calls it after each reconnect of the events."""
    async with pool_of(2) as (pool, asterisk):
        pool.reset()
        assert pool.sockets_up == 2
        assert len(asterisk.apps) == 2


async def test_silence_of_an_asterisk_that_answered_before_is_no_verdict() -> None:
    """A busy Asterisk is not an old one: after a proof the pool keeps trying."""
    async with pool_of(1, drops_on={"fatal"}) as (pool, asterisk):
        asterisk.speaks_rest = False
        with pytest.raises(AriNoAnswer):
            await pool.send(get("fatal"), timeout_s=2)
        await until(lambda: len(asterisk.apps) >= 3, timeout_s=10)
        assert not pool.is_resting
        asterisk.speaks_rest = True
        await until(lambda: pool.is_up, timeout_s=10)


async def test_nobody_there_is_unreachable() -> None:
    """While nothing listens every request says so at once, and the pool can still be left."""
    async with WebSocketPool(ari_settings(rest_sockets=2), rng=random.Random(1)) as pool:
        assert not await pool.settle(0.2)
        with pytest.raises(AriUnreachable, match="none of 2 REST websockets"):
            await pool.send(get("x", "a"), timeout_s=1)


async def test_wrong_credentials_are_no_reason_to_hurry(caplog: pytest.LogCaptureFixture) -> None:
    """401 at the upgrade: the reason is logged once per socket, and the waits grow."""
    with caplog.at_level(logging.WARNING):
        async with ws_asterisk(refuses_upgrade=401) as asterisk:
            async with WebSocketPool(
                replace(asterisk.settings, rest_sockets=1), rng=random.Random(1)
            ) as pool:
                assert not await pool.settle(1.0)
    said = [record for record in caplog.records if record.message == "ari_rest_socket_down"]
    assert len(said) == 1
    assert "401" in str(said[0].__dict__["fields"]["reason"])


async def test_a_server_that_closes_at_once_sees_few_connections() -> None:
    """No busy loop: within a second and a half a handful of tries."""
    async with ws_asterisk(closes_at_once=True) as asterisk:
        async with WebSocketPool(replace(asterisk.settings, rest_sockets=1), rng=random.Random(1)) as pool:
            await pool.settle(1.5)
    assert 2 <= len(asterisk.apps) <= 7


async def test_a_409_that_sticks_ends_its_socket_after_the_others_are_served() -> None:
    """The socket of a failed create takes no new work, serves what is under way, and is opened anew."""
    replies: dict[str, tuple[int, object]] = {"channels/create": (409, {"message": "exists"})}
    async with pool_of(1, replies=replies, delay_s={"slow": 0.3}) as (pool, asterisk):
        create = Request("POST", "channels/create", conflict_sticks=True, affinity="a")
        conflict, slow = await asyncio.gather(
            pool.send(create, timeout_s=2), pool.send(get("slow", "b"), timeout_s=2)
        )
        assert (conflict.status, slow.status) == (409, 200)
        await until(lambda: len(asterisk.apps) == 2 and pool.is_up)
        assert pool.counts.lost == 0
        other = await pool.send(Request("POST", "channels/create", affinity="a"), timeout_s=2)
        assert other.status == 409
        await asyncio.sleep(0.05)
        assert len(asterisk.apps) == 2  # an ordinary 409 ends nothing


async def test_garbage_and_events_on_a_rest_socket_are_survived() -> None:
    """Events of the socket's own application are ignored, garbage is counted, answers go on."""
    async with pool_of(1) as (pool, asterisk):
        connection = asterisk.connections[0]
        garbage: list[str | bytes] = ["garbage", "[]", b"\xff\x00", "[" * 100_000, "null"]
        for frame in garbage:
            await connection.send(frame)
        await connection.send(json.dumps({"type": "ApplicationReplaced", "application": "tr-rest0"}))
        for odd_id in ["", "none", 7, None, {}]:
            await connection.send(
                json.dumps({"type": "RESTResponse", "request_id": odd_id, "status_code": 400})
            )
        assert (await pool.send(get("x"), timeout_s=2)).status == 200
        assert (pool.counts.odd, pool.counts.late) == (5, 5)


async def test_what_the_body_raises_leaves_the_pool_as_it_is() -> None:
    """The pool's task group is its own business: no exception groups for the caller."""
    with pytest.raises(KeyError):
        async with pool_of(2) as (_, _):
            raise KeyError("x")


@given(st.text(), st.text(), st.dictionaries(st.text(), st.text(), max_size=3))
def test_any_text_makes_a_frame_that_json_can_read(name: str, value: str, variables: dict[str, str]) -> None:
    """Whatever stands in a value, the frame is valid UTF-8 and valid JSON, or is refused here."""
    frame = encoded(Request("POST", "x", {name: value}, {"variables": variables}), "1")
    if isinstance(frame, Response):
        assert frame.status == 400
        assert any(
            "\x00" in text or "u0000" in text for text in (name, value, *variables, *variables.values())
        )
        return
    data = json.loads(frame.decode("utf-8"))
    assert data["request_id"] == "1"
    assert set(json.loads(data["message_body"])) == {"variables"}


async def test_what_would_break_the_socket_is_refused_before_it_is_sent() -> None:
    """65,535 bytes are the longest frame Asterisk takes, 40,960 the longest body; a NUL it cannot parse."""
    async with pool_of(1) as (pool, asterisk):
        body = await pool.send(Request("POST", "x", {}, {"v": "y" * 41_000}), timeout_s=2)
        frame = await pool.send(Request("POST", "x", {"v": "y" * 66_000}), timeout_s=2)
        nul = await pool.send(Request("POST", "x", {"v": "a\x00b"}), timeout_s=2)
        assert (body.status, frame.status, nul.status) == (413, 413, 400)
        assert asterisk.asked_paths() == []
