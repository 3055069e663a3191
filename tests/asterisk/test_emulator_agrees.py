"""The emulated Asterisk against the real one: the same requests, the same answers, the same events.

A script is data: requests and pauses. It runs against both at the same time, through the same client. Compared are
statuses, the words of refusals, the fields of every body, and the events of each channel, playback and recording in
order. Left out: variables and dialplan steps (the lab's people have more of them), the far halves of Local channels,
and the first Dial event, which a real Asterisk gives before or after the second one.
"""

import asyncio
import base64
import json
import secrets
from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import Protocol

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from core.clock import SystemClock
from integrations.emulator import PEOPLE, Emulator, EmulatorSettings
from integrations.emulator.server import EmulatorServer

pytestmark = [pytest.mark.asterisk, pytest.mark.timeout(120)]

NOISE = frozenset({"ChannelVarset", "ChannelDialplan", "ChannelCallerId", "ChannelConnectedLine"})


class Lab(Protocol):
    """What these tests need of the fixture `lab`."""

    base_url: str
    ws_url: str
    username: str
    password: str


@dataclass(frozen=True, slots=True)
class Ask:
    """A request. {c} {d} {b} {p} {q} {r} and {app} become ids of this run."""

    method: str
    path: str
    query: dict[str, str] = field(default_factory=dict)
    body: object = None


Step = Ask | float  # a float is a pause in seconds


def post(path: str, body: object = None, **query: str) -> Ask:
    """A POST."""
    return Ask("POST", path, query, body)


def get(path: str, **query: str) -> Ask:
    """A GET."""
    return Ask("GET", path, query)


def delete(path: str, **query: str) -> Ask:
    """A DELETE."""
    return Ask("DELETE", path, query)


def create(person: str, channel: str = "{c}") -> tuple[Step, ...]:
    """Created, and in the application."""
    return (
        post(
            "channels/create",
            endpoint=f"Local/{person}@people/n",
            app="{app}",
            channelId=channel,
            appArgs="a,b",
        ),
        0.2,
    )


def dial(person: str, timeout: int = 30) -> tuple[Step, ...]:
    """Created and dialled."""
    return (*create(person), post("channels/{c}/dial", timeout=str(timeout)), 0.2)


def bridged(person: str) -> tuple[Step, ...]:
    """Created, bridged, dialled, up."""
    return (
        *create(person),
        post("bridges/{b}", type="mixing", name="n"),
        post("bridges/{b}/addChannel", channel="{c}"),
        0.2,
        post("channels/{c}/dial", timeout="30"),
        1.0,
    )


def originate(person: str) -> tuple[Step, ...]:
    """Originated, up."""
    return (post("channels", endpoint=f"Local/{person}@people/n", app="{app}", channelId="{c}"), 1.0)


SCRIPTS: dict[str, tuple[Step, ...]] = {
    "answered and deleted": (
        *dial("silent"),
        get("channels/{c}"),
        0.8,
        get("channels/{c}"),
        get("applications/{app}"),
        delete("channels/{c}"),
        0.3,
        get("channels/{c}"),
        delete("channels/{c}"),
    ),
    "busy": (*dial("busy"), 1.0),
    "congestion": (*dial("congestion"), 1.0),
    "rejects": (*dial("rejects"), 0.3),
    "nobody there": (*dial("nobody"), 0.3),
    "rings too long": (*dial("no-answer", timeout=1), 1.5),
    "hangs up at once": (*dial("hangs-up-at-once"), 1.0),
    "deleted while it rings": (*dial("no-answer"), delete("channels/{c}", reason="busy"), 0.3),
    "deleted before it is dialled": (*create("silent"), delete("channels/{c}"), 0.3),
    "the far half is deleted": (*dial("silent"), 0.8, delete("channels/{c};2"), 0.3),
    "reasons": (
        *dial("silent"),
        delete("channels/{c}", reason="boredom"),
        delete("channels/{c}", reason_code="x"),
        delete("channels/{c}", reason="busy", reason_code="17"),
        delete("channels/{c}", reason_code="21"),
        0.3,
    ),
    "ids and endpoints": (
        post("channels/create", endpoint="NoTech/x", app="{app}", channelId="{d}"),
        post("channels", endpoint="NoTech/x", app="{app}", channelId="{d}"),
        *create("silent"),
        *create("silent"),
        post("channels", endpoint="Local/silent@people/n", app="{app}", channelId="{c}"),
        post("channels/create", endpoint="NoTech/x", app="{app}", channelId="{d}"),
        post("channels", endpoint="NoTech/x", app="{app}", channelId="{d}"),
        post("channels/create", endpoint="garbage", app="{app}"),
        post("channels/create", app="{app}"),
        post("channels", endpoint="Local/silent@people/n"),
        post("channels/create", endpoint="Local/silent@people/n", app="nobody-has-this", channelId="{d}"),
        0.3,
        get("channels/{d}"),
    ),
    "dialled twice": (
        *dial("no-answer"),
        post("channels/{c}/dial"),
        post("channels/{d}/dial"),
        post("channels/{c};2/dial"),
    ),
    "too early": (
        *dial("no-answer"),
        post("channels/{c}/answer"),
        post("channels/{c}/play", media="sound:hello-world"),
        post("channels/{c}/moh"),
        post("channels/{c}/ring"),
        post("channels/{c}/continue"),
        post("channels/{c};2/answer"),
        post("channels/{d}/answer"),
    ),
    "variables": (
        *create("silent"),
        post("channels/{c}/variable", variable="a", value="1"),
        get("channels/{c}/variable", variable="a"),
        get("channels/{c}/variable", variable="b"),
        get("channels/{c}/variable"),
        post("channels/{c}/variable"),
        get("channels/{d}/variable", variable="a"),
        post("channels/{d}/variable", variable="a"),
        get("asterisk/variable", variable="no-such-variable"),
        get("asterisk/variable"),
    ),
    "bridges": (
        post("bridges/{b}", type="mixing", name="n"),
        post("bridges/{b}", type="mixing"),
        post("bridges/{d}", type="nonsense"),
        get("bridges/{b}"),
        post("bridges/{d}/addChannel", channel="{c}"),
        post("bridges/{b}/addChannel", channel="{c}"),
        post("bridges/{b}/addChannel"),
        *create("silent"),
        post("bridges/{b}/addChannel", channel="{c};2"),
        post("bridges/{b}/removeChannel", channel="{c}"),
        post("bridges/{b}/addChannel", channel="{c}"),
        0.2,
        post("bridges/{b}/addChannel", channel="{c}"),
        0.2,
        get("bridges/{b}"),
        get("applications/{app}"),
        delete("bridges/{b}"),
        0.3,
        get("bridges/{b}"),
        delete("bridges/{b}"),
        get("channels/{c}"),
        get("applications/{app}"),
    ),
    "interest in a bridge": (
        *bridged("silent"),
        post("bridges/{b}/removeChannel", channel="{c}"),
        0.2,
        get("applications/{app}"),
        post("bridges/{b}/addChannel", channel="{c}"),
        0.2,
        delete("channels/{c}"),
        0.3,
        get("applications/{app}"),
        get("bridges/{b}"),
        delete("bridges/{b}"),
        0.3,
        get("applications/{app}"),
    ),
    "prompts in order": (
        *bridged("silent"),
        post("bridges/{b}/play/{p}", media="sound:vm-goodbye"),
        0.1,
        post("bridges/{b}/play/{q}", media="sound:custom/there-is-no-such-file"),
        get("playbacks/{p}"),
        get("playbacks/{q}"),
        1.5,
        get("playbacks/{p}"),
        delete("playbacks/{p}"),
    ),
    "prompts stopped": (
        *bridged("silent"),
        post("bridges/{b}/play/{p}", media="sound:demo-congrats"),
        post("bridges/{b}/play/{q}", media="sound:hello-world"),
        0.2,
        delete("playbacks/{q}"),
        delete("playbacks/{p}"),
        0.5,
        get("playbacks/{q}"),
    ),
    "a list of prompts": (
        *bridged("silent"),
        post("bridges/{b}/play/{p}", media="sound:vm-goodbye,sound:no-such-file,sound:vm-goodbye"),
        2.5,
        post("bridges/{b}/play/{q}", media="nope:x"),
        0.3,
        get("playbacks/{q}"),
        post("bridges/{b}/play/{q}"),
    ),
    "a prompt on the channel": (
        *dial("silent"),
        0.8,
        post("channels/{c}/play/{p}", media="sound:demo-congrats"),
        post("channels/{c}/play/{q}", media="sound:hello-world"),
        0.3,
        post("playbacks/{p}/control", operation="nonsense"),
        delete("channels/{c}"),
        0.5,
        get("playbacks/{q}"),
    ),
    "hung up while a bridge plays and records": (
        *bridged("silent"),
        post("bridges/{b}/record", name="{r}", format="wav"),
        post("bridges/{b}/play/{p}", media="sound:demo-congrats"),
        post("bridges/{b}/play/{q}", media="sound:hello-world"),
        0.5,
        delete("channels/{c}"),
        0.5,
        get("recordings/stored/{r}"),
        delete("recordings/stored/{r}"),
        delete("recordings/stored/{r}"),
    ),
    "a prompt in an empty bridge": (
        post("bridges/{b}", type="mixing"),
        post("bridges/{b}/play/{p}", media="sound:vm-goodbye"),
        1.3,
        post("applications/{app}/subscription", eventSource="bridge:{b}"),
        post("bridges/{b}/play/{q}", media="sound:vm-goodbye"),
        1.3,
        delete("bridges/{b}"),
        0.3,
    ),
    "says stop and hangs up": (
        *bridged("stop-and-hangs-up"),
        post("bridges/{b}/play/{p}", media="sound:demo-congrats"),
        6.0,
        get("channels/{c}"),
    ),
    "a dialled channel is recorded": (
        *dial("silent"),
        0.8,
        post("channels/{c}/record", name="{r}", format="wav"),
        0.3,
        get("recordings/live/{r}"),
    ),
    "a digit ends a recording": (
        *originate("presses-1"),
        post("channels/{c}/record", name="{r}", format="wav", terminateOn="any"),
        2.0,
        get("recordings/live/{r}"),
        delete("recordings/stored/{r}"),
    ),
    "nothing to record": (
        *originate("silent"),
        post("channels/{c}/record", name="{r}", format="wav", maxSilenceSeconds="9", maxDurationSeconds="9"),
        4.8,
        delete("recordings/stored/{r}"),
    ),
    "recordings stopped and refused": (
        *bridged("silent"),
        post("bridges/{b}/record", name="{r}", format="wav"),
        0.3,
        get("recordings/live/{r}"),
        post("bridges/{b}/record", name="{r}", format="wav"),
        post("bridges/{b}/record", name="{d}", format="mp9"),
        post("bridges/{b}/record", name="{d}", format="wav", ifExists="x"),
        post("bridges/{b}/record", format="wav"),
        post("bridges/{d}/record", name="{d}", format="wav"),
        post("recordings/live/{r}/stop"),
        0.3,
        post("recordings/live/{r}/stop"),
        post("bridges/{b}/record", name="{r}", format="wav"),
        post("bridges/{b}/record", name="{r}", format="wav", ifExists="overwrite"),
        0.3,
        delete("recordings/live/{r}"),
        0.3,
        get("recordings/stored/{r}"),
        delete("recordings/stored/{r}"),
    ),
    "originated": (*originate("silent"), get("channels/{c}"), delete("channels/{c}"), 0.3),
    "originated and not answered": (
        post("channels", endpoint="Local/no-answer@people/n", app="{app}", channelId="{c}", timeout="1"),
        1.5,
    ),
    "originated to somebody busy": (
        post("channels", endpoint="Local/busy@people/n", app="{app}", channelId="{c}"),
        1.0,
    ),
    "originated to nobody": (
        post("channels", endpoint="Local/nobody@people/n", app="{app}", channelId="{c}"),
        0.5,
    ),
    "given back": (*dial("silent"), 0.8, post("channels/{c}/continue"), 0.5, get("channels/{c}")),
    "filters": (
        Ask("PUT", "applications/{app}/eventFilter", {}, {"allowed": [{"type": "StasisStart"}]}),
        *dial("silent"),
        Ask("PUT", "applications/{app}/eventFilter", {}, {"disallowed": [{"type": "StasisEnd"}]}),
        Ask("PUT", "applications/{app}/eventFilter", {}, {"allowed": ["x"]}),
        Ask("PUT", "applications/{app}/eventFilter", {}, {"allowed": []}),
        delete("channels/{c}"),
        0.3,
        Ask("PUT", "applications/{app}/eventFilter"),
        Ask("PUT", "applications/nobody-has-this/eventFilter"),
    ),
    "subscriptions": (
        post("bridges/{b}"),
        post("applications/{app}/subscription", eventSource="bridge:{b}"),
        post("applications/{app}/subscription", eventSource="bridge:{d}"),
        post("applications/{app}/subscription", eventSource="nope:{b}"),
        post("applications/nobody-has-this/subscription", eventSource="bridge:{b}"),
        delete("applications/{app}/subscription", eventSource="bridge:{b}"),
        delete("applications/{app}/subscription", eventSource="bridge:{b}"),
        post("applications/{app}/subscription"),
    ),
    "off the map": (
        get("nope"),
        get("channels/{c}/nope"),
        Ask("PUT", "channels/{c}"),
        delete("channels"),
        get("applications/nobody-has-this"),
        get("asterisk/ping"),
        get("sounds/custom/x"),
    ),
}


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
            seen.events[subject.replace(word, "")].append(f"{kind} {thing['state']}")
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
    """Same statuses, same refusals, same fields, same events of each subject in the same order."""
    people = {key: replace(person, sends_frames=False) for key, person in PEOPLE.items()}
    emulator = Emulator(EmulatorSettings(people=people))
    async with EmulatorServer(emulator, SystemClock(), "agree", "agree") as server:
        real, emulated = await asyncio.gather(
            run(SCRIPTS[name], lab, lab.username, lab.password),
            run(SCRIPTS[name], server, "agree", "agree"),
        )
    assert emulated.answers == real.answers
    assert emulated.events == real.events
