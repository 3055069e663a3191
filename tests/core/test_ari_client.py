"""What the client asks of Asterisk, what it makes of the answers, and how it orders what a call asks."""

import re
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.ari_client import AriClient
from core.ari_client.media import media_parameters
from core.ari_client.send import quoted
from core.ari_models import OPERATIONS
from core.ari_transport.seam import Request, Response
from core.errors import (
    AriBadRequest,
    AriConflict,
    AriError,
    AriGone,
    AriNoAnswer,
    AriNonsense,
    AriServerError,
    AriUnauthorized,
    AriUnprocessable,
    AriUnreachable,
    AriWrongState,
)


class Canned:
    """A transport with answers prepared: by "METHOD path", or the same for all."""

    def __init__(self, *answers: Response | AriError) -> None:
        self.answers = list(answers)
        self.requests: list[Request] = []

    def _next(self) -> Response:
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, AriError):
            raise answer
        return answer

    async def send(self, request: Request, *, timeout_s: float) -> Response:
        self.requests.append(request)
        return self._next()

    async def download(self, request: Request, *, timeout_s: float) -> bytes:
        self.requests.append(request)
        self._next()
        return b"RIFF"


def client_with(*answers: Response | AriError) -> tuple[AriClient, Canned]:
    transport = Canned(*answers)
    return AriClient(transport, timeout_s=3), transport


Do = Callable[[AriClient], Awaitable[object]]

RECORD = {
    "name": "r",
    "format": "wav",
    "maxDurationSeconds": "10",
    "maxSilenceSeconds": "2",
    "ifExists": "overwrite",
    "terminateOn": "#",
    "beep": "true",
}

COMMANDS: list[tuple[Do, str, dict[str, str], dict[str, object] | None]] = [
    (
        lambda c: c.channels.create(endpoint="Local/x", app="tr", channel_id="c", app_args="a,b"),
        "POST channels/create",
        {"endpoint": "Local/x", "app": "tr", "channelId": "c", "appArgs": "a,b"},
        None,
    ),
    (
        lambda c: c.channels.create(
            endpoint="PJSIP/1", app="tr", channel_id="c", variables={"X": "1"}, originator="o"
        ),
        "POST channels/create",
        {"endpoint": "PJSIP/1", "app": "tr", "channelId": "c", "originator": "o"},
        {"variables": {"X": "1"}},
    ),
    (lambda c: c.channels.dial("c", timeout_s=30), "POST channels/c/dial", {"timeout": "30"}, None),
    (
        lambda c: c.channels.dial("c", timeout_s=30, caller="i"),
        "POST channels/c/dial",
        {"timeout": "30", "caller": "i"},
        None,
    ),
    (
        lambda c: c.channels.originate(
            endpoint="PJSIP/1",
            app="tr",
            channel_id="c",
            timeout_s=20,
            app_args="a",
            caller_id="+1",
            variables={"X": "1"},
            originator="o",
        ),
        "POST channels",
        {
            "endpoint": "PJSIP/1",
            "app": "tr",
            "channelId": "c",
            "timeout": "20",
            "appArgs": "a",
            "callerId": "+1",
            "originator": "o",
        },
        {"variables": {"X": "1"}},
    ),
    (lambda c: c.channels.answer("c"), "POST channels/c/answer", {}, None),
    (lambda c: c.channels.hangup("c"), "DELETE channels/c", {}, None),
    (lambda c: c.channels.hangup("c", reason_code=17), "DELETE channels/c", {"reason_code": "17"}, None),
    (lambda c: c.channels.hangup("c", reason="busy"), "DELETE channels/c", {"reason": "busy"}, None),
    (lambda c: c.channels.ring("c"), "POST channels/c/ring", {}, None),
    (lambda c: c.channels.continue_in_dialplan("c"), "POST channels/c/continue", {}, None),
    (
        lambda c: c.channels.continue_in_dialplan("c", context="x", extension="s", priority=1),
        "POST channels/c/continue",
        {"context": "x", "extension": "s", "priority": "1"},
        None,
    ),
    (
        lambda c: c.channels.set_variable("c", name="X", value="1"),
        "POST channels/c/variable",
        {},
        {"variable": "X", "value": "1"},
    ),
    (
        lambda c: c.channels.play("c", playback_id="p", media=["sound:a", "sound:b"]),
        "POST channels/c/play/p",
        {"media": "sound:a,sound:b"},
        None,
    ),
    (
        lambda c: c.channels.record(
            "c",
            name="r",
            max_duration_s=10,
            max_silence_s=2,
            if_exists="overwrite",
            terminate_on="#",
            beep=True,
        ),
        "POST channels/c/record",
        RECORD,
        None,
    ),
    (
        lambda c: c.bridges.create(bridge_id="b", name="n"),
        "POST bridges",
        {"type": "mixing", "bridgeId": "b", "name": "n"},
        None,
    ),
    (
        lambda c: c.bridges.add_channel("b", channel_id="c"),
        "POST bridges/b/addChannel",
        {"channel": "c"},
        None,
    ),
    (
        lambda c: c.bridges.remove_channel("b", channel_id="c"),
        "POST bridges/b/removeChannel",
        {"channel": "c"},
        None,
    ),
    (
        lambda c: c.bridges.play("b", playback_id="p", media=("sound:a",)),
        "POST bridges/b/play/p",
        {"media": "sound:a"},
        None,
    ),
    (
        lambda c: c.bridges.record(
            "b",
            name="r",
            max_duration_s=10,
            max_silence_s=2,
            if_exists="overwrite",
            terminate_on="#",
            beep=True,
        ),
        "POST bridges/b/record",
        RECORD,
        None,
    ),
    (lambda c: c.bridges.destroy("b"), "DELETE bridges/b", {}, None),
    (lambda c: c.playbacks.stop("p"), "DELETE playbacks/p", {}, None),
    (lambda c: c.recordings.stop_live("r"), "POST recordings/live/r/stop", {}, None),
    (lambda c: c.recordings.delete_stored("r"), "DELETE recordings/stored/r", {}, None),
    (
        lambda c: c.applications.subscribe("tr", event_source="bridge:b"),
        "POST applications/tr/subscription",
        {"eventSource": "bridge:b"},
        None,
    ),
    (
        lambda c: c.applications.set_event_filter("tr", allowed_types=["StasisStart", "Dial"]),
        "PUT applications/tr/eventFilter",
        {},
        {"allowed": [{"type": "Dial"}, {"type": "StasisStart"}]},
    ),
    (lambda c: c.recordings.download("r"), "GET recordings/stored/r/file", {}, None),
]


@pytest.mark.parametrize(
    ("do", "request_line", "query", "body"),
    COMMANDS,
    ids=lambda value: value if isinstance(value, str) else None,
)
async def test_what_a_command_asks(
    do: Do, request_line: str, query: dict[str, str], body: dict[str, object] | None
) -> None:
    """Parameters travel in the query alone; variables, filters and long values in the body. A 204 is enough."""
    client, transport = client_with(Response(204))
    await do(client)
    (request,) = transport.requests
    assert (str(request), request.query, request.body) == (request_line, query, body)
    assert not set(query) & set(body or ())


@pytest.mark.parametrize("line", sorted({line for _, line, _, _ in COMMANDS}))
def test_asterisk_describes_what_we_ask(line: str) -> None:
    """Every command is an operation of Asterisk's own description."""
    method, path = line.split(" ")
    shape = re.compile(r"\{\w+\}")
    operations = {f"{m} {shape.sub('*', p)}" for m, p in (op.split(" ") for op in OPERATIONS)}
    resource, *rest = path.split("/")
    known = {
        "create", "dial", "answer", "ring", "continue", "variable", "play", "record", "addChannel", "removeChannel",
        "live", "stored", "stop", "file", "subscription", "eventFilter",
    }  # fmt: skip
    assert (
        f"{method} /" + "/".join([resource, *(part if part in known else "*" for part in rest)]) in operations
    )


CHANNEL = {
    "id": "c",
    "name": "Local/x",
    "state": "Down",
    "protocol_id": "",
    "caller": {"name": "", "number": ""},
    "connected": {"name": "", "number": ""},
    "accountcode": "",
    "dialplan": {"context": "x", "exten": "s", "priority": 1, "app_name": "", "app_data": ""},
    "creationtime": "2026-01-01T00:00:00.000+0000",
    "language": "en",
}
BRIDGE = {
    "id": "b",
    "technology": "simple_bridge",
    "bridge_type": "mixing",
    "bridge_class": "stasis",
    "creator": "Stasis",
    "name": "n",
    "channels": ["c"],
    "creationtime": "2026-01-01T00:00:00.000+0000",
}
APPLICATION = {"name": "tr", "channel_ids": ["c"], "bridge_ids": [], "endpoint_ids": [], "device_names": []}
PLAYBACK = {"id": "p", "media_uri": "sound:a", "target_uri": "bridge:b", "language": "en", "state": "playing"}
LIVE = {"name": "r", "format": "wav", "target_uri": "bridge:b", "state": "recording"}
STORED = {"name": "r", "format": "wav"}
SOUND = {"id": "beep", "formats": [{"language": "en", "format": "gsm"}]}
ENDPOINT = {"technology": "PJSIP", "resource": "lead", "state": "online", "channel_ids": []}
MODULE = {"name": "m", "description": "", "use_count": 0, "status": "Running", "support_level": "core"}
PING = {"asterisk_id": "x", "ping": "pong", "timestamp": "2026-01-01T00:00:00.000+0000"}

QUESTIONS: list[tuple[Do, str, Any, Callable[[Any], object], object]] = [
    (lambda c: c.channels.list(), "channels", [CHANNEL], lambda r: [x.id for x in r], ["c"]),
    (lambda c: c.channels.get("c"), "channels/c", CHANNEL, lambda r: (r.id, r.state), ("c", "Down")),
    (lambda c: c.bridges.list(), "bridges", [BRIDGE], lambda r: [x.channels for x in r], [("c",)]),
    (lambda c: c.bridges.get("b"), "bridges/b", BRIDGE, lambda r: r.id, "b"),
    (lambda c: c.playbacks.get("p"), "playbacks/p", PLAYBACK, lambda r: r.state, "playing"),
    (lambda c: c.recordings.get_live("r"), "recordings/live/r", LIVE, lambda r: r.state, "recording"),
    (lambda c: c.recordings.get_stored("r"), "recordings/stored/r", STORED, lambda r: r.format, "wav"),
    (lambda c: c.applications.list(), "applications", [APPLICATION], lambda r: [x.name for x in r], ["tr"]),
    (lambda c: c.applications.get("tr"), "applications/tr", APPLICATION, lambda r: r.channel_ids, ("c",)),
    (lambda c: c.asterisk.ping(), "asterisk/ping", PING, lambda r: r.ping, "pong"),
    (
        lambda c: c.asterisk.info(),
        "asterisk/info",
        {"system": {"version": "22.10.1", "entity_id": "x"}},
        lambda r: r.system.version,
        "22.10.1",
    ),
    (lambda c: c.asterisk.modules(), "asterisk/modules", [MODULE], lambda r: [x.name for x in r], ["m"]),
    (lambda c: c.asterisk.variable("X"), "asterisk/variable", {"value": "1"}, lambda r: r, "1"),
    (lambda c: c.endpoints.list(), "endpoints", [ENDPOINT], lambda r: [x.resource for x in r], ["lead"]),
    (lambda c: c.sounds.get("beep"), "sounds/beep", SOUND, lambda r: r.id, "beep"),
    (
        lambda c: c.channels.get_variable("c", name="X"),
        "channels/c/variable",
        {"value": "1"},
        lambda r: r,
        "1",
    ),
]


@pytest.mark.parametrize(
    ("do", "path", "body", "look", "expected"),
    QUESTIONS,
    ids=lambda value: value if isinstance(value, str) else None,
)
async def test_answers_become_models(
    do: Do, path: str, body: object, look: Callable[[Any], object], expected: object
) -> None:
    """What the caller reads is typed."""
    client, transport = client_with(Response(200, body))
    assert look(await do(client)) == expected
    assert str(transport.requests[0]) == f"GET {path}"


@pytest.mark.parametrize("body", [None, 7, "x", {}, [7], [{}], {"value": 7}])
@pytest.mark.parametrize("do", [question[0] for question in QUESTIONS if "info" not in question[1]])
async def test_answers_that_do_not_fit_are_nonsense(do: Do, body: object) -> None:
    """No ModelError, KeyError or TypeError reaches a caller."""
    client, _ = client_with(Response(200, body))
    with pytest.raises(AriNonsense, match="GET "):
        await do(client)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, AriBadRequest),
        (401, AriUnauthorized),
        (403, AriUnauthorized),
        (404, AriGone),
        (409, AriConflict),
        (412, AriWrongState),
        (413, AriBadRequest),
        (422, AriUnprocessable),
        (500, AriServerError),
        (503, AriServerError),
    ],
)
@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"message": "Channel not found"}, "Channel not found"),
        ({"error": "Allocation failed"}, "Allocation failed"),
        ({"message": 7}, ""),
        (None, ""),
        ([], ""),
    ],
)
async def test_refusals_carry_asterisks_words(
    status: int, kind: type[AriError], body: object, words: str
) -> None:
    """Every status has its error, with Asterisk's own words and the request."""
    client, _ = client_with(Response(status, body))
    with pytest.raises(kind) as raised:
        await client.channels.answer("c")
    assert str(raised.value) == f"POST channels/c/answer: {status} {words}".rstrip()


async def test_a_missing_variable_is_none_and_a_missing_channel_an_error() -> None:
    """Asterisk answers 404 to both; its words tell them apart."""
    client, _ = client_with(Response(404, {"message": "Provided variable was not found"}))
    assert await client.channels.get_variable("c", name="X") is None
    client, _ = client_with(Response(404, {"message": "Channel not found"}))
    with pytest.raises(AriGone):
        await client.channels.get_variable("c", name="X")


@pytest.mark.parametrize("timeout_s", [0, -1])
async def test_nobody_rings_for_ever(timeout_s: int) -> None:
    """0 and -1 mean "no timeout" to Asterisk, so they are refused here."""
    client, transport = client_with(Response(200))
    with pytest.raises(ValueError, match="at least one second"):
        await client.channels.dial("c", timeout_s=timeout_s)
    with pytest.raises(ValueError, match="at least one second"):
        await client.channels.originate(endpoint="x", app="tr", channel_id="c", timeout_s=timeout_s)
    assert transport.requests == []


async def test_only_what_makes_channels_makes_a_409_stick() -> None:
    """After the 409 of a create its connection is given up; other conflicts are ordinary."""
    for do, line, _, _ in COMMANDS:
        client, transport = client_with(Response(204))
        await do(client)
        assert transport.requests[0].conflict_sticks == (line in {"POST channels", "POST channels/create"})


async def test_requests_of_a_call_carry_its_id() -> None:
    """`for_call` gives the same client; what it asks has one affinity, downloads too."""
    client, transport = client_with(Response(204))
    mine = client.for_call("call1")
    await mine.channels.answer("c")
    await mine.bridges.destroy("b")
    await mine.recordings.download("r")
    await client.channels.answer("c")
    assert [request.affinity for request in transport.requests] == ["call1", "call1", "call1", ""]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Response(204, None, "websocket"), ("websocket", "answered")),
        (Response(404, None, "http"), ("http", "refused")),
        (AriUnreachable("x"), ("none", "unreachable")),
        (AriNoAnswer("x"), ("none", "no_answer")),
        (AriNonsense("x"), ("none", "nonsense")),
    ],
)
async def test_every_request_is_counted_once(answer: Response | AriError, expected: tuple[str, str]) -> None:
    """By the way it took and by what came of it; errors of the way pass unchanged."""
    counted: Counter[tuple[str, str]] = Counter()
    client = AriClient(Canned(answer), counter=lambda way, outcome: counted.update([(way, outcome)]))
    if isinstance(answer, Response) and answer.status < 400:
        await client.channels.answer("c")
    else:
        with pytest.raises(AriError) as raised:
            await client.channels.answer("c")
        assert isinstance(answer, Response) or raised.value is answer
    assert counted == {expected: 1}


def with_filter(*types: str) -> Response:
    return Response(200, APPLICATION | {"events_allowed": [{"type": name} for name in types]})


async def test_a_filter_that_sticks() -> None:
    """Set and read back; more than one order of the types is the same filter."""
    client, transport = client_with(Response(200), with_filter("StasisStart", "Dial"))
    assert await client.applications.ensure_event_filter("tr", allowed_types=["Dial", "StasisStart"]) is True
    assert [request.method for request in transport.requests] == ["PUT", "GET"]


@pytest.mark.parametrize("found", [(), ("Dial",), ("Dial", "StasisStart", "StasisEnd")])
async def test_a_filter_that_does_not_stick_is_nonsense(found: tuple[str, ...]) -> None:
    """A key that Asterisk does not know is ignored without a word, so its word is not enough."""
    client, _ = client_with(Response(200), with_filter(*found))
    with pytest.raises(AriNonsense, match="did not stick"):
        await client.applications.ensure_event_filter("tr", allowed_types=["Dial", "StasisStart"])


@pytest.mark.parametrize("status", [404, 405])
async def test_an_asterisk_without_filters(status: int) -> None:
    """The application is there, the operation is not: False, and all events come."""
    client, _ = client_with(Response(status, {"message": "Resource not found"}), with_filter())
    assert await client.applications.ensure_event_filter("tr", allowed_types=["Dial"]) is False


async def test_a_filter_for_nobody_is_an_error() -> None:
    """The application itself is missing: that is no old Asterisk."""
    client, _ = client_with(Response(404, {"message": "Application not found"}))
    with pytest.raises(AriGone, match=r"PUT .*Application not found"):
        await client.applications.ensure_event_filter("tr", allowed_types=["Dial"])
    client, _ = client_with(Response(400, {"message": "Invalid format definition"}))
    with pytest.raises(AriBadRequest):
        await client.applications.ensure_event_filter("tr", allowed_types=["Dial"])


@given(st.text(min_size=1))
def test_an_id_stays_one_part_of_the_path(part: str) -> None:
    """Whatever stands in an id, it names nothing else."""
    try:
        path = quoted(part)
    except (ValueError, UnicodeEncodeError):
        assert part in {".", ".."} or any("\ud800" <= char <= "\udfff" for char in part)
        return
    assert not set(path) & set("/?#& ")
    assert unquote(path) == part


@pytest.mark.parametrize("part", ["", ".", ".."])
async def test_ids_that_would_name_something_else_are_refused(part: str) -> None:
    """DELETE channels/ is not a hangup."""
    client, transport = client_with(Response(204))
    with pytest.raises(ValueError, match="is no id"):
        await client.channels.hangup(part)
    assert transport.requests == []


def test_media_with_commas_or_in_great_number_travel_in_the_body() -> None:
    """Asterisk splits the query at commas, and HTTP lines end at 4,096 bytes."""
    assert media_parameters(("a", "b")) == ({"media": "a,b"}, None)
    assert media_parameters(("tone:440,1", "b")) == ({}, {"media": ["tone:440,1", "b"]})
    many = tuple(f"sound:custom/{n:040}" for n in range(60))
    assert media_parameters(many) == ({}, {"media": list(many)})
    for nothing in ((), "sound:a"):
        with pytest.raises(ValueError, match="at least one"):
            media_parameters(nothing)
