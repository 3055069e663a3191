"""The far side of the commands: an emulated Asterisk on real sockets, and our program in processes of its own."""

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from core.clock import SystemClock
from integrations.checkup.asterisk_checks import NEEDED_MODULES
from integrations.checkup.wavs import short_silence
from integrations.control.client import ControlClient
from integrations.control.protocol import CallRequest, Ended
from integrations.emulator import Emulator, EmulatorSettings, Reply
from integrations.emulator.replies import ok
from integrations.emulator.server import EmulatorServer

ROOT = Path(__file__).parents[2]
USER = "linekeeper"
PASSWORD = "correct-horse"
APP = "linekeeper"
PROMPTS = ("alo", "goodby", "hello")
PATIENCE_S = 30.0


def modules(*without: str) -> Reply:
    """What GET /asterisk/modules says; the emulator itself has none."""
    return ok(
        [
            {
                "name": f"{name}.so",
                "description": name,
                "use_count": 0,
                "status": "Not Running" if name in without else "Running",
                "support_level": "core",
            }
            for name in NEEDED_MODULES
        ]
    )


def endpoints(*names: str, state: str = "online") -> Reply:
    """What GET /endpoints says; the emulator itself has none."""
    return ok(
        [{"technology": "PJSIP", "resource": name, "state": state, "channel_ids": []} for name in names]
    )


class Asterisk(Emulator):
    """The emulator, with what it does not have and with what goes wrong: canned answers by pattern of "METHOD path"."""

    def __init__(self, settings: EmulatorSettings) -> None:
        super().__init__(settings)
        self.canned: dict[str, Reply] = {
            "GET asterisk/modules": modules(),
            "GET endpoints": endpoints("trunk"),
        }

    def request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: object = None,
        now: float = 0.0,
        *,
        connection: str = "",
    ) -> Reply:
        """The canned answer of the first pattern that fits, else the emulator's own."""
        for pattern, reply in self.canned.items():
            if fnmatchcase(f"{method} {path}", pattern):
                return reply
        return super().request(method, path, query, body, now, connection=connection)


@dataclass(frozen=True, slots=True)
class Ran:
    """What one command did."""

    code: int
    out: str
    err: str
    seconds: float

    @property
    def json(self) -> dict[str, object]:
        """The one JSON object on stdout; anything else there is an error."""
        value = json.loads(self.out)
        assert isinstance(value, dict)
        return value

    @property
    def log(self) -> list[dict[str, object]]:
        """The JSON lines of the log."""
        return [json.loads(line) for line in self.err.splitlines() if line.startswith("{")]

    def events(self, name: str) -> list[dict[str, object]]:
        """The log lines of this event."""
        return [line for line in self.log if line["event"] == name]


class Running:
    """A command that runs."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self._began = time.monotonic()

    @property
    def pid(self) -> int:
        return self.process.pid

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    async def line(self) -> str:
        """Its next line on stdout."""
        assert self.process.stdout is not None
        async with asyncio.timeout(PATIENCE_S):
            return (await self.process.stdout.readline()).decode()

    async def ended(self, patience_s: float = PATIENCE_S) -> Ran:
        """Wait for its end. What `line` took is not in `out`."""
        began = time.monotonic()
        try:
            async with asyncio.timeout(patience_s):
                out, err = await self.process.communicate()
        except TimeoutError:
            self.process.kill()
            out, err = await self.process.communicate()
            raise AssertionError(f"it did not end:\n{out.decode()}\n{err.decode()}") from None
        assert self.process.returncode is not None
        assert "Traceback" not in err.decode(), err.decode()
        return Ran(self.process.returncode, out.decode(), err.decode(), time.monotonic() - began)


class Far:
    """One Asterisk, and a folder for the engines that use it."""

    def __init__(self, asterisk: Asterisk, server: EmulatorServer, folder: Path) -> None:
        self.asterisk = asterisk
        self.server = server
        self.folder = folder
        self.data_dir = folder / "data"
        self.sounds = folder / "sounds"
        self._running: list[Running] = []

    def variables(self, **more: str) -> dict[str, str]:
        """The settings of an engine here; `more` wins."""
        return {
            "ARI_APP_NAME": APP,
            "ARI_USERNAME": USER,
            "ARI_PASSWORD": PASSWORD,
            "ARI_BASE_URL": self.server.base_url,
            "ARI_WS_URL": self.server.ws_url,
            "DATA_DIR": str(self.data_dir),
            "AST_SOUND_DIR": str(self.sounds),
            "OUTBOUND_ENDPOINT": "Local/{number}@people/n",
            "ORIGINATION_TIMEOUT": "3",
            "DRAIN_GRACE_S": "1",
            "WEB_BIND": "off",
            "STT_PROVIDER": "none",
            "TTS_PROVIDER": "none",
            "LLM_PROVIDER": "none",
            **more,
        }

    async def start(self, *arguments: str, **more: str) -> Running:
        """Start `python main.py ARGUMENTS` with these settings and nothing else of this machine's environment."""
        running = await start_main(self.folder, self.variables(**more), *arguments)
        self._running.append(running)
        return running

    async def run(self, *arguments: str, **more: str) -> Ran:
        """The same, to its end."""
        return await (await self.start(*arguments, **more)).ended()

    async def engine(self, **more: str) -> Running:
        """A `run` that is ready."""
        running = await self.start("run", "--json", **more)
        line = await running.line()
        if not line:
            raise AssertionError(f"it ended: {await running.ended()}")
        assert json.loads(line)["state"] == "ready"
        return running

    async def call_beside(self, person: str) -> str:
        """Call somebody through the engine that runs, and return the outcome."""
        request = CallRequest(number="+15550000", scenario="marketing", endpoint=f"Local/{person}@people/n")
        *_, last = [news async for news in ControlClient(self.data_dir).call(request)]
        assert isinstance(last, Ended)
        assert last.report is not None
        return str(last.report["outcome"])

    def put_prompts(self) -> None:
        """The prompts of the shipped scenario, as Asterisk wants them."""
        self.sounds.mkdir(exist_ok=True)
        for name in PROMPTS:
            (self.sounds / f"{name}.wav").write_bytes(short_silence(0.3))

    def seconds_of(self, sound: str) -> float | None:
        """How the emulated Asterisk finds a sound: in the shared folder, under `custom`."""
        prefix, _, name = sound.partition("/")
        path = self.sounds / f"{name}.wav"
        return 0.3 if prefix == "custom" and path.is_file() else None

    async def until(self, happened: Callable[[], bool]) -> None:
        """Wait until something has changed in Asterisk."""
        changed = asyncio.Event()
        unwatch = self.asterisk.watch(changed.set)
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not happened():
                    await changed.wait()
                    changed.clear()
        finally:
            unwatch()

    async def until_gone(self) -> None:
        """Wait until no channel and no bridge is left in Asterisk."""
        await self.until(lambda: not self.asterisk.live_channels() and not self.asterisk.live_bridges())

    @property
    def open_sockets(self) -> list[tuple[str, ...]]:
        """The applications of every websocket that Asterisk holds."""
        return [socket.apps for socket in self.asterisk.world.sockets.values() if socket.is_open]

    def end_all(self) -> None:
        """Kill what still runs."""
        for running in self._running:
            if running.process.returncode is None:
                running.process.kill()


async def start_main(folder: Path, variables: Mapping[str, str], *arguments: str) -> Running:
    """Start `python main.py ARGUMENTS` with an empty `.env`, these variables, and nothing else of this machine's."""
    empty = folder / "empty.env"
    empty.touch()
    base = {"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONUNBUFFERED": "1", "COLUMNS": "200"}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "main.py",
        "--env-file",
        str(empty),
        *arguments,
        cwd=ROOT,
        env={**base, **variables},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    return Running(process)


async def run_main(folder: Path, variables: Mapping[str, str], *arguments: str) -> Ran:
    """The same, to its end."""
    return await (await start_main(folder, variables, *arguments)).ended(60.0)


@asynccontextmanager
async def far_side(
    folder: Path, *, version: str = "22.10.1", rest_over_websocket: bool = True, port: int = 0
) -> AsyncIterator[Far]:
    """An Asterisk for commands, with the prompts in a folder that both share."""
    made: list[Far] = []
    asterisk = Asterisk(
        EmulatorSettings(
            version=version, find_sound=lambda sound: made[0].seconds_of(sound) if made else None
        )
    )
    async with EmulatorServer(
        asterisk, SystemClock(), USER, PASSWORD, port, rest_over_websocket=rest_over_websocket
    ) as server:
        far = Far(asterisk, server, folder)
        made.append(far)
        far.put_prompts()
        try:
            yield far
        finally:
            far.end_all()
