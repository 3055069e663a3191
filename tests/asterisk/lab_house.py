"""What tests on the real Asterisk share: an engine on the lab, and questions to the lab itself."""

import asyncio
import json
import urllib.request
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import main
from config.settings import Settings, get_settings
from scripts.lab import Lab
from sessions.call import Call
from sessions.engine import Engine
from sessions.report import CallReport

NUMBER = "+12025550101"
LINE = "+12025550199"


def lab_environment(lab: Lab, data_dir: Path, app: str, **overrides: str) -> dict[str, str]:
    """The settings of an engine on the lab, as environment variables."""
    return {
        "ARI_BASE_URL": lab.base_url,
        "ARI_WS_URL": lab.ws_url,
        "ARI_USERNAME": lab.username,
        "ARI_PASSWORD": lab.password,
        "ARI_APP_NAME": app,
        "DATA_DIR": str(data_dir),
        "AST_SOUND_DIR": str(lab.sound_dir),
        "AST_SOUND_PREFIX": lab.sound_prefix,
        "AST_RECORDING_DIR": str(lab.recording_dir),
        "OUTBOUND_ENDPOINT": "Local/{number}@people/n",
        "ORIGINATION_TIMEOUT": "6",
        "DRAIN_GRACE_S": "40",
        **overrides,
    }


def lab_settings(lab: Lab, data_dir: Path, app: str, **overrides: str) -> Settings:
    return get_settings(None, overrides=lab_environment(lab, data_dir, app, **overrides))


@asynccontextmanager
async def engine_on(
    lab: Lab, data_dir: Path, app: str, *, role: main.Role | None = None, **overrides: str
) -> AsyncIterator[Engine]:
    """A working engine on the lab, ready to call."""
    async with main.open_engine(lab_settings(lab, data_dir, app, **overrides), role=role) as engine:
        async with engine.working():
            async with asyncio.timeout(10):
                await engine.ready()
            yield engine


async def place(engine: Engine, person: str) -> Call:
    return await engine.call(
        number=NUMBER,
        scenario="marketing",
        line=LINE,
        granted_by="a test",
        endpoint=f"Local/{person}@people/n",
    )


async def report_of(call: Call, within_s: float = 60) -> CallReport:
    async with asyncio.timeout(within_s):
        await call.finished.wait()
    assert call.report is not None
    return call.report


async def dial_in(lab: Lab, engine: Engine, person: str, number: str = "100") -> Call:
    """Somebody calls the engine; the call they became."""
    before = set(engine.manager.calls)
    await asyncio.to_thread(lab.dial_in, person, engine.manager.rules.app, number)
    async with asyncio.timeout(5):
        while not (new := set(engine.manager.calls) - before):
            await asyncio.sleep(0.01)
    return engine.manager.calls[new.pop()]


def ask(lab: Lab, path: str) -> list[dict[str, object]]:
    """GET a list from the lab's ARI."""
    login = b64encode(f"{lab.username}:{lab.password}".encode()).decode()
    request = urllib.request.Request(f"{lab.base_url}/{path}", headers={"Authorization": f"Basic {login}"})  # noqa: S310
    with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310
        found: list[dict[str, object]] = json.load(answer)
        return found


def dialplan_steps(lab: Lab) -> list[str]:
    """What each channel of the lab does in its dialplan: "Stasis linekeeper,inbound,100"."""
    steps = []
    for channel in ask(lab, "channels"):
        dialplan = channel["dialplan"]
        assert isinstance(dialplan, dict)
        steps.append(f"{dialplan['app_name']} {dialplan['app_data']}")
    return steps


async def assert_asterisk_is_empty(lab: Lab, mark: str) -> None:
    """No channel and no bridge whose id carries this name."""
    async with asyncio.timeout(15):
        while left := [
            str(thing["id"])
            for path in ("channels", "bridges")
            for thing in await asyncio.to_thread(ask, lab, path)
            if f".{mark}" in str(thing["id"])
        ]:
            await asyncio.sleep(0.5)
    assert left == []
