"""Requests and pauses as data, to be run against the emulated Asterisk and the real one.

{c} {d} are channels, {b} a bridge, {p} {q} playbacks, {r} a recording, {app} the application: ids of one run.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Ask:
    """A request."""

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
        0.3,
        post("playbacks/{p}/control", operation="nonsense"),
        delete("channels/{c}"),
        0.5,
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
        post("channels/{c}/record", name="{r}", format="wav", maxSilenceSeconds="2", maxDurationSeconds="9"),
        2.8,
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
