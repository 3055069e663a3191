"""Asterisk: is it there, does it know us, can it do what we need, and is the application ours to take?

What is tried is tried under a throwaway application name, and nothing is left behind.
"""

import asyncio
import json
import re
from typing import Final

from core.ari_models import Application
from core.errors import (
    AriError,
    AriGone,
    AriNonsense,
    AriRefused,
    AriUnauthorized,
)
from core.lockfile import FILE_NAME as LOCK_NAME
from core.lockfile import read_holder
from integrations.checkup.check import Answer, Check, fail, ok, warn
from integrations.checkup.subject import Subject
from sessions.dialling import endpoint_for

SAMPLE_NUMBER: Final = "+12025550101"
REST_ANSWER_S: Final = 2.0

NEEDED_MODULES: Final = (
    "res_http_websocket",
    "res_ari",
    "res_ari_applications",
    "res_ari_asterisk",
    "res_ari_bridges",
    "res_ari_channels",
    "res_ari_endpoints",
    "res_ari_events",
    "res_ari_playbacks",
    "res_ari_recordings",
    "res_stasis",
    "res_stasis_answer",
    "res_stasis_playback",
    "res_stasis_recording",
    "app_stasis",
    "bridge_softmix",
    "format_wav",
)
OLDEST_TENDED: Final = 18
"""Asterisk's own project mends nothing older any more."""


async def asterisk(subject: Subject) -> Answer:
    """Somebody answers where ARI should be, and it is Asterisk."""
    where = subject.ari.base_url
    try:
        await subject.client.asterisk.info()
    except AriUnauthorized:
        pass  # it is there; the next line is about the login
    except AriGone:
        return fail(
            f"{where} answers, and knows no ARI", "Set ARI_BASE_URL (it ends in /ari), or load res_ari"
        )
    except AriNonsense as error:
        return fail(f"{where}: {error}", "Set ARI_BASE_URL to Asterisk's HTTP port, ending in /ari")
    except AriError as error:
        return fail(f"{where}: {error}", "Start Asterisk with http.conf `enabled = yes`, or set ARI_BASE_URL")
    return ok(where)


async def login(subject: Subject) -> Answer:
    """Our user is known and may change things."""
    user = subject.ari.username
    try:
        await subject.client.asterisk.info()
    except AriUnauthorized as error:
        return fail(
            f"user {user!r} is refused ({error.status})", "Set ARI_USERNAME and ARI_PASSWORD as in ari.conf"
        )
    try:
        await subject.client.bridges.destroy(subject.name)  # it does not exist; who may not try is told so
    except AriUnauthorized:
        return fail(f"user {user!r} may only read", "Set `read_only = no` for this user in ari.conf")
    except AriGone:
        pass
    return ok(f"user {user!r}")


async def version(subject: Subject) -> Answer:
    """What this release can do, and what we do without it."""
    system = (await subject.client.asterisk.info()).system
    said = "of an unknown version" if system is None else system.version
    match = re.search(r"(\d+)\.(\d+)", said)
    if match is None:
        return warn(f"Asterisk {said}", "Use a release, so that we know what it can do")
    release = int(match[1]), int(match[2])
    missing = []
    if not can_rest_over_websocket(release):
        missing.append(
            "REST over websockets (since 20.14, 21.9, 22.4), so requests go over HTTP, fewer a second"
        )
    if not can_filter_events(release):
        missing.append("event filters (since 13.26, 16.3), so every event is sent to us")
    without = f"; without {' and '.join(missing)}" if missing else ""
    if release[0] < OLDEST_TENDED:
        return warn(f"Asterisk {said}{without}", f"Plan to move to {OLDEST_TENDED} or later, best 22")
    return ok(f"Asterisk {said}{without}")


def can_rest_over_websocket(release: tuple[int, int]) -> bool:
    """Since 20.14, 21.9 and 22.4."""
    first = {20: 14, 21: 9, 22: 4}.get(release[0])
    return release[0] > 22 if first is None else release[1] >= first


def can_filter_events(release: tuple[int, int]) -> bool:
    """Since 13.26 and 16.3; 14 and 15 never had them."""
    first = {13: 26, 14: 999, 15: 999, 16: 3}.get(release[0])
    return release[0] > 16 if first is None else release[1] >= first


async def modules(subject: Subject) -> Answer:
    """What we use is loaded."""
    try:
        listed = await subject.client.asterisk.modules()
    except AriRefused as error:
        return warn(
            f"Asterisk does not list its modules ({error.status})",
            "Look with `asterisk -rx 'module show like ari'`",
        )
    running = {module.name.removesuffix(".so") for module in listed if module.status == "Running"}
    missing = [name for name in NEEDED_MODULES if name not in running]
    if missing:
        return fail(f"not loaded: {', '.join(missing)}", f"Load them in modules.conf: load = {missing[0]}.so")
    return ok(f"{len(NEEDED_MODULES)} that we need are loaded")


async def events(subject: Subject) -> Answer:
    """The event websocket opens, registers an application, and its events can be filtered."""
    app = f"{subject.name}-events"
    try:
        async with subject.open_socket(app):
            await subject.client.applications.get(app)
            filters = await subject.client.applications.ensure_event_filter(
                app, allowed_types=("StasisStart", "StasisEnd")
            )
    except AriGone as error:
        return fail(
            f"{subject.ari.ws_url}: {error}",
            "ARI_WS_URL and ARI_BASE_URL name two different servers, or a proxy swallows the websocket: correct them",
        )
    except AriError as error:
        return fail(
            str(error), "Set ARI_WS_URL (like ws://HOST:8088/ari/events), and load res_http_websocket"
        )
    return ok("the event websocket opens" + ("" if filters else "; this Asterisk cannot filter events"))


async def rest_websocket(subject: Subject) -> Answer:
    """Whether requests can travel over a websocket."""
    if subject.ari.transport == "http":
        return ok("not used: ARI_TRANSPORT=http")
    if await _rest_answers(subject):
        return ok("requests travel over websockets")
    if subject.ari.transport == "websocket":
        return fail(
            "Asterisk does not answer REST on websockets",
            "Set ARI_TRANSPORT=auto, or use Asterisk 22.4 or later",
        )
    return warn(
        "Asterisk does not answer REST on websockets", "HTTP is used instead; 22.4 or later would be faster"
    )


async def _rest_answers(subject: Subject) -> bool:
    ask = {"type": "RESTRequest", "request_id": "1", "method": "GET", "uri": "asterisk/ping"}
    async with subject.open_socket(f"{subject.name}-rest") as socket:
        await socket.send(json.dumps(ask))
        try:
            async with asyncio.timeout(REST_ANSWER_S):
                async for frame in socket:
                    said = json.loads(frame)
                    if said.get("type") == "RESTResponse" and said.get("request_id") == "1":
                        return bool(said.get("status_code") == 200)
        except TimeoutError:
            pass
    return False


async def application(subject: Subject) -> Answer:
    """Whose our application is: nobody's, our own engine's, a dead engine's, or another engine's."""
    app = subject.ari.app_name
    now = read_holder(subject.storage.data_dir / LOCK_NAME)
    runs_here = now is not None and now.alive and now.holder is not None and now.holder.app == app
    died_here = now is not None and not now.alive and now.holder is not None and not now.holder.left
    try:
        found: Application = await subject.client.applications.get(app)
    except AriGone:
        if runs_here:
            return warn(
                f"{app!r} is not in Asterisk, though our engine runs",
                "It is connecting: look again in a moment",
            )
        return ok(f"{app!r} is free")
    if runs_here:
        return ok(f"{app!r} belongs to the engine of this folder")
    if died_here and found.channel_ids:
        return warn(
            f"{app!r} has {len(found.channel_ids)} channels of an engine that died here",
            "The next start ends them",
        )
    return fail(
        f"{app!r} is held by another engine ({len(found.channel_ids)} channels)",
        "Stop that engine, or set ARI_APP_NAME to a name of our own; `run --take-over` only if it is surely dead",
    )


async def endpoint(subject: Subject) -> Answer:
    """What we would dial for a number exists in Asterisk."""
    dialer = subject.dialer
    if "{trunk}" in dialer.endpoint_template and not dialer.trunk:
        return warn(
            "OUTBOUND_TRUNK is not set: no number can be dialled", "Set it to the name of a PJSIP endpoint"
        )
    line = dialer.default_caller_id or next(iter(dialer.outbound_numbers), "")
    dialled = endpoint_for(dialer.endpoint_template, number=SAMPLE_NUMBER, line=line, trunk=dialer.trunk)
    technology, slash, resource = dialled.partition("/")
    if not slash or not resource:
        return fail(f"{dialled!r} names no endpoint", "Write OUTBOUND_ENDPOINT like PJSIP/{number}@{trunk}")
    if technology.lower() == "local":
        return ok(f"{SAMPLE_NUMBER} is dialled as {dialled}")
    known = await subject.client.endpoints.list()
    of_technology = [entry for entry in known if entry.technology.lower() == technology.lower()]
    name = resource.rpartition("@")[2] if "@" in resource else resource.partition("/")[0]
    found = next((entry for entry in of_technology if entry.resource == name), None)
    if found is None and (of_technology or "@" in resource or "{" not in dialer.endpoint_template):
        there = ", ".join(sorted(f"{entry.technology}/{entry.resource}" for entry in known)) or "none"
        if "@" in resource:
            return fail(
                f"{dialled}: Asterisk has no {technology}/{name}; it has: {there}",
                "Correct OUTBOUND_TRUNK, or pjsip.conf",
            )
        return warn(
            f"{dialled}: Asterisk has no such endpoint; it has: {there}",
            "Fine if numbers are endpoints of their own",
        )
    if found is None:
        return fail(
            f"{dialled}: Asterisk has no {technology} endpoints",
            "Load its channel driver, or correct OUTBOUND_ENDPOINT",
        )
    if found.state == "offline":
        return warn(
            f"{technology}/{name} is offline", "Check that the trunk is registered or answers OPTIONS"
        )
    return ok(f"{SAMPLE_NUMBER} is dialled as {dialled} ({technology}/{name} is {found.state or 'there'})")


CHECKS = (
    Check("asterisk", "does ARI answer?", asterisk),
    Check("login", "does Asterisk know us?", login, needs=("asterisk",)),
    Check("version", "can this release do what we need?", version, needs=("login",)),
    Check("modules", "are the modules loaded?", modules, needs=("login",)),
    Check("events", "does the event websocket open?", events, needs=("login",)),
    Check("rest-websocket", "do requests travel over websockets?", rest_websocket, needs=("events",)),
    Check("application", "is our application ours to take?", application, needs=("login",)),
    Check("endpoint", "does what we dial exist?", endpoint, needs=("login",)),
)
