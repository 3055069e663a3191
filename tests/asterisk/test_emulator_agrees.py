"""The emulated Asterisk against the real one: the same requests, the same answers, the same events.

A script is data: requests and pauses (`tests.emulator.scripts`). It runs against both at the same time, through the same client. Compared are
statuses, the words of refusals, the fields of every body, and the events of each channel, playback and recording in
order. Left out: variables and dialplan steps (the lab's people have more of them), the far halves of Local channels,
and the first Dial event, which a real Asterisk gives before or after the second one.
"""

import asyncio
import base64
import json
import secrets
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Protocol

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from core.clock import SystemClock
from integrations.emulator import Emulator
from integrations.emulator.server import EmulatorServer
from tests.emulator.scripts import SCRIPTS, Step

pytestmark = [pytest.mark.asterisk, pytest.mark.asterisk22, pytest.mark.timeout(120)]

NOISE = frozenset({"ChannelVarset", "ChannelDialplan", "ChannelCallerId", "ChannelConnectedLine"})


class Lab(Protocol):
    """What these tests need of the fixture `lab`."""

    base_url: str
    ws_url: str
    username: str
    password: str


@dataclass(slots=True)
class Seen:
    """What a script saw."""

    answers: list[object] = field(default_factory=list)
    events: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))


def _fields(body: object) -> object:
    if isinstance(body, dict):
        return {name: _fields(value) for name, value in sorted(body.items())}
    if isinstance(body, list):
        return [_fields(item) for item in body]
    return type(body).__name__


def _note(seen: Seen, event: dict[str, object], word: str) -> None:
    kind = str(event["type"])
    for name in ("playback", "recording"):
        thing = event.get(name)
        if isinstance(thing, dict):
            subject = str(thing.get("id") or thing.get("name"))
            spans = [
                thing[name] for name in ("duration", "talking_duration", "silence_duration") if name in thing
            ]
            told = f"{kind} {thing['state']}{spans if len(spans) == 3 else ''}"
            seen.events[subject.replace(word, "")].append(told)
            return
    channel = event.get("channel") or event.get("peer")
    bridge = event.get("bridge")
    if isinstance(channel, dict):
        subject = str(channel["id"])
    elif isinstance(bridge, dict):
        subject = str(bridge["id"])
    else:
        subject = ""
    if kind in NOISE or subject.endswith(";2") or event.get("dialstatus") == "":
        return
    detail = [str(event[name]) for name in ("dialstatus", "cause", "soft", "digit", "args") if name in event]
    state = str(channel["state"]) if isinstance(channel, dict) else ""
    seen.events[subject.replace(word, "")].append(" ".join([kind, state, *detail]))


async def _listen(websocket: ClientConnection, seen: Seen, word: str) -> None:
    try:
        async for frame in websocket:
            _note(seen, json.loads(frame), word)
    except ConnectionClosed:
        pass


async def run(script: tuple[Step, ...], where: Lab | EmulatorServer, username: str, password: str) -> Seen:
    """Run a script, clean up behind it, and say what was seen, with the ids of this run taken out."""
    word = secrets.token_hex(4)
    names = {name: f"agree-{word}-{name}" for name in ("c", "d", "b", "p", "q", "r", "app")}
    seen = Seen()
    base_url = where.base_url.rstrip("/")
    login = base64.b64encode(f"{username}:{password}".encode()).decode()

    def filled(text: str) -> str:
        return text.format(**names)

    async with (
        connect(
            f"{where.ws_url}?app={names['app']}", additional_headers={"Authorization": f"Basic {login}"}
        ) as events,
        httpx.AsyncClient(auth=(username, password), timeout=10) as client,
        asyncio.TaskGroup() as tasks,
    ):
        tasks.create_task(_listen(events, seen, word))
        for step in script:
            if isinstance(step, float):
                await asyncio.sleep(step)
                continue
            query = {name: filled(value) for name, value in step.query.items()}
            answer = await client.request(
                step.method, f"{base_url}/{filled(step.path)}", params=query, json=step.body
            )
            body = answer.json() if answer.content else None
            told = (
                json.loads(json.dumps(body).replace(word, "")) if answer.status_code >= 400 else _fields(body)
            )
            seen.answers.append((str(step.method), step.path, answer.status_code, told))
        seen_events = {subject: list(kinds) for subject, kinds in seen.events.items()}
        for kind, name in (("channels", "c"), ("channels", "d"), ("bridges", "b"), ("bridges", "d")):
            await client.delete(f"{base_url}/{kind}/{names[name]}")
        for name in ("r", "d"):
            await client.delete(f"{base_url}/recordings/live/{names[name]}")
            await client.delete(f"{base_url}/recordings/stored/{names[name]}")
        await events.close()
    seen.events = seen_events
    return seen


@pytest.mark.parametrize("name", SCRIPTS)
async def test_the_emulated_one_answers_as_the_real_one(lab: Lab, name: str) -> None:
    """Same statuses, same refusals, same fields, same events of each subject in the same order.

    A real Asterisk does not always repeat itself (under load it forgets the cause of a Local channel between hangup
    request and end), so it may try three times; the emulated one has to agree with one of them.
    """
    async with EmulatorServer(Emulator(), SystemClock(), "agree", "agree") as server:
        for tries_left in (2, 1, 0):
            real, emulated = await asyncio.gather(
                run(SCRIPTS[name], lab, lab.username, lab.password),
                run(SCRIPTS[name], server, "agree", "agree"),
            )
            if tries_left and (emulated.answers, emulated.events) != (real.answers, real.events):
                continue
            assert emulated.answers == real.answers
            assert emulated.events == real.events
            break
