"""The control socket: bounded, private, replaced when its owner is dead, and no danger to a call."""

import asyncio
import json
import os
import socket
from collections.abc import AsyncGenerator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from core.clock import Clock
from core.errors import StoreError
from integrations.control.address import MAX_ADDRESS_BYTES, address_of
from integrations.control.client import ControlClient
from integrations.control.errors import ControlError, ControlNonsense, ControlRefused, NobodyThere
from integrations.control.protocol import MAX_REQUEST_BYTES, CallRequest, Ended, Placed, ProblemKind
from integrations.control.server import MAX_CLIENTS, ControlServer
from sessions.call import Call
from sessions.engine import Engine
from tests.sessions.house import House


@pytest.fixture
def house(tmp_path: Path, clock: Clock) -> House:
    """An emulated Asterisk whose prompts are short."""
    made = House(clock, tmp_path)
    made.emulator.sounds.update({f"custom/{name}": 0.2 for name in ("hello", "goodby", "alo")})
    return made


def request(person: str, **more: object) -> CallRequest:
    """A call to one of the emulated people."""
    return CallRequest.model_validate(
        {"number": "+15550000", "scenario": "marketing", "endpoint": f"Local/{person}@people/n", **more}
    )


def idle_engine() -> Engine:
    """Something that looks like an engine to a server that is never asked for a call."""
    manager = SimpleNamespace(
        rules=SimpleNamespace(app="a", engine="e"), calls={}, scenarios=SimpleNamespace(ids=())
    )
    return cast(
        Engine,
        SimpleNamespace(
            manager=manager, state=SimpleNamespace(value="ready"), run=SimpleNamespace(run_id="r")
        ),
    )


async def test_a_call_is_placed_and_followed_through_the_socket(house: House) -> None:
    """Placed, every entry in order, then the report; the status knows the engine."""
    async with house.link() as link, house.engine(link) as engine:
        await engine.ready()
        async with ControlServer(engine, house.folder):
            client = ControlClient(house.folder)
            news = [each async for each in client.call(request("busy"))]
            status = await client.status()
    assert isinstance(news[0], Placed)
    assert isinstance(news[-1], Ended)
    assert news[-1].report is not None
    assert news[-1].report["outcome"] == "busy"
    assert [each.what for each in news[1:-1] if not isinstance(each, Ended | Placed)] == [
        entry["what"] for entry in json.loads(json.dumps(news[-1].report["timeline"]))
    ]
    assert (status.state, status.pid, status.scenarios) == ("ready", os.getpid(), ("marketing",))


@pytest.mark.parametrize(("asked_to", "reason"), [(False, "other_side_hung_up"), (True, "asked")])
async def test_a_client_that_goes_away_ends_its_call_only_if_it_asked_to(
    house: House, asked_to: bool, reason: str
) -> None:
    """Who closes the terminal does not hang up on anybody, unless that was wanted."""
    async with house.link() as link, house.engine(link) as engine:
        await engine.ready()
        async with ControlServer(engine, house.folder):
            follow = ControlClient(house.folder).call(request("hangs-up-at-once", hang_up_if_gone=asked_to))
            assert isinstance(await anext(follow), Placed)
            (call,) = engine.manager.calls.values()
            await follow.aclose()
            async with asyncio.timeout(10):
                await call.finished.wait()
    assert call.report is not None
    assert call.report.reason == reason


@pytest.mark.parametrize("asked_to", [False, True])
async def test_a_client_that_goes_away_before_its_call_has_begun_calls_nobody(
    house: House, monkeypatch: pytest.MonkeyPatch, asked_to: bool
) -> None:
    """Who gives up while the engine waits for its Asterisk is not surprised by a call later."""
    waiting, connected = asyncio.Event(), asyncio.Event()

    async def ready() -> None:
        waiting.set()
        await connected.wait()

    begun: list[object] = []

    async def call(**asked: object) -> Call:
        begun.append(asked)
        raise StoreError("it should not have come to this")

    async with house.link() as link, house.engine(link) as engine:
        await engine.ready()
        monkeypatch.setattr(engine, "ready", ready)
        monkeypatch.setattr(engine, "call", call)
        async with ControlServer(engine, house.folder):
            follow = ControlClient(house.folder).call(request("silent", hang_up_if_gone=asked_to))
            await _give_up(follow, when=waiting)
            connected.set()
            await asyncio.sleep(0.3)
    assert begun == []


async def test_a_client_that_goes_away_while_its_call_is_permitted_has_it_hung_up(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A permit on its way to the disk is not torn: the call begins, and ends before anybody answers."""
    permitting, go_on = asyncio.Event(), asyncio.Event()
    calls: list[Call] = []
    async with house.link() as link, house.engine(link) as engine:
        await engine.ready()
        place = engine.call

        async def slow(**asked: Any) -> Call:
            permitting.set()
            await go_on.wait()
            calls.append(await place(**asked))
            return calls[-1]

        monkeypatch.setattr(engine, "call", slow)
        async with ControlServer(engine, house.folder):
            follow = ControlClient(house.folder).call(request("silent", hang_up_if_gone=True))
            await _give_up(follow, when=permitting)
            go_on.set()
            async with asyncio.timeout(10):
                while not calls:
                    await asyncio.sleep(0.01)
                await calls[0].finished.wait()
        report = calls[0].report
        assert report is not None
        assert (report.reason, report.answered) == ("asked", False)
        house.assert_nothing_left(engine)


async def test_hang_up_ends_a_call_and_an_unknown_one_is_not_found(house: House) -> None:
    """The second request of Ctrl-C: by id, and honest about calls that are not there."""
    async with house.link() as link, house.engine(link) as engine:
        await engine.ready()
        async with ControlServer(engine, house.folder):
            client = ControlClient(house.folder)
            last = None
            async for news in client.call(request("silent")):
                last = news
                if isinstance(news, Placed):
                    assert await client.hang_up(news.call_id)
            assert not await client.hang_up("0000000000000000")
    assert isinstance(last, Ended)
    assert last.report is not None
    assert last.report["reason"] == "asked"
    house.assert_nothing_left(engine)


@pytest.mark.parametrize(
    ("asked", "kind"),
    [
        ({"number": "abc", "scenario": "marketing"}, ProblemKind.USAGE),
        ({"number": "+1555", "scenario": "nope"}, ProblemKind.USAGE),
    ],
)
async def test_a_request_that_cannot_be_carried_out_is_refused_in_words(
    house: House, asked: dict[str, str], kind: ProblemKind
) -> None:
    """Nothing is dialled for a bad number or an unknown scenario."""
    async with house.link() as link, house.engine(link) as engine:
        await engine.ready()
        async with ControlServer(engine, house.folder):
            with pytest.raises(ControlRefused) as refused:
                await anext(ControlClient(house.folder).call(CallRequest.model_validate(asked)))
    assert refused.value.kind is kind


async def test_a_draining_engine_refuses_calls_at_once(house: House) -> None:
    """Who leaves places nothing more, and does not let a command wait."""
    async with house.link() as link, house.engine(link) as engine:
        await engine.ready()
        async with ControlServer(engine, house.folder):
            engine.manager.is_draining = True
            with pytest.raises(ControlRefused) as refused:
                await anext(ControlClient(house.folder).call(request("busy")))
    assert refused.value.kind is ProblemKind.REFUSED


@pytest.mark.parametrize(
    "line",
    [
        b"hello\n",
        b"{}\n",
        b'{"do":"dance"}\n',
        b'{"do":"status","more":1}\n',
        b'["status"]\n',
        b"\xff\xfe\n",
        b"\n",
    ],
)
async def test_nonsense_is_answered_with_a_problem(tmp_path: Path, line: bytes) -> None:
    """What is no request gets a sentence, and the server goes on."""
    async with ControlServer(idle_engine(), tmp_path):
        assert (await _answer(tmp_path, line))["kind"] == "usage"
        assert (await ControlClient(tmp_path).status()).app == "a"


async def test_a_line_without_an_end_is_bounded(tmp_path: Path) -> None:
    """Who never ends the line is told so when it is too long."""
    async with ControlServer(idle_engine(), tmp_path):
        answer = await _answer(tmp_path, b"x" * (3 * MAX_REQUEST_BYTES))
    assert answer["message"] == "not a request: the line is too long"


async def test_more_clients_than_places_are_told_so(tmp_path: Path) -> None:
    """Silent connections cannot take the engine's memory; who comes too late is not left waiting."""
    async with ControlServer(idle_engine(), tmp_path):
        idle = [await asyncio.open_unix_connection(tmp_path / "control.sock") for _ in range(MAX_CLIENTS)]
        await asyncio.sleep(0.05)
        with pytest.raises(ControlRefused) as refused:
            await ControlClient(tmp_path).status()
        for _, writer in idle:
            writer.close()
        await asyncio.sleep(0.05)
        assert (await ControlClient(tmp_path).status()).app == "a"
    assert refused.value.kind is ProblemKind.BUSY


async def test_the_socket_is_private_and_goes_with_its_server(tmp_path: Path) -> None:
    """Mode 0600 while it is there; afterwards nobody is."""
    async with ControlServer(idle_engine(), tmp_path):
        assert (tmp_path / "control.sock").stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(NobodyThere):
        await ControlClient(tmp_path).status()


async def test_a_dead_engines_socket_is_replaced_and_a_strange_file_is_not(tmp_path: Path) -> None:
    """A socket without a listener is in nobody's use; a file is somebody's."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as dead:
        dead.bind(str(tmp_path / "control.sock"))
    async with ControlServer(idle_engine(), tmp_path):
        assert (await ControlClient(tmp_path).status()).app == "a"
    (tmp_path / "control.sock").write_text("mine")
    with pytest.raises(ControlError, match="in the way"):
        async with ControlServer(idle_engine(), tmp_path):
            pass
    assert (tmp_path / "control.sock").read_text() == "mine"


async def test_a_successors_socket_is_left_alone(tmp_path: Path) -> None:
    """A server that leaves late does not take away what another has put in its place."""
    first = ControlServer(idle_engine(), tmp_path)
    await first.__aenter__()
    (tmp_path / "control.sock").unlink()
    async with ControlServer(idle_engine(), tmp_path):
        await first.__aexit__(None, None, None)
        assert (await ControlClient(tmp_path).status()).app == "a"


async def test_a_data_folder_with_a_long_name_works(tmp_path: Path) -> None:
    """Longer than the kernel's address, the socket still lies in its folder."""
    folder = tmp_path / ("d" * 200)
    folder.mkdir()
    async with ControlServer(idle_engine(), folder):
        assert (folder / "control.sock").is_socket()
        assert (await ControlClient(folder).status()).app == "a"
    with address_of(folder) as address:
        assert len(address) <= MAX_ADDRESS_BYTES


async def test_an_answer_that_is_none_is_told_from_silence(tmp_path: Path) -> None:
    """A listener of another kind, and one that hangs up, are no engines."""
    answers = iter([b"what?\n", b""])

    async def odd(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(next(answers))
        writer.close()

    async with await asyncio.start_unix_server(odd, tmp_path / "control.sock"):
        for _ in range(2):
            with pytest.raises(ControlNonsense):
                await ControlClient(tmp_path).status()


async def _give_up(follow: AsyncGenerator[object, None], *, when: asyncio.Event) -> None:
    """Ask for a call, and close the connection at this moment, before the first answer."""
    async with asyncio.TaskGroup() as tasks:
        asking = tasks.create_task(anext(follow))
        await when.wait()
        asking.cancel()
    await asyncio.sleep(0.05)  # the engine's side notices


async def _answer(folder: Path, line: bytes) -> dict[str, str]:
    reader, writer = await asyncio.open_unix_connection(folder / "control.sock")
    writer.write(line)
    try:
        async with asyncio.timeout(5):
            answer: dict[str, str] = json.loads(await reader.readline())
            return answer
    finally:
        writer.close()
