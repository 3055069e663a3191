"""Where the demo plays: an Asterisk with people on its lines, emulated in this process or the real one of the lab.

Both have the same people under the same names, so the demo need not know which one it has.
"""

import asyncio
import secrets
import wave
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, Protocol

from core.clock import Clock, SystemClock
from integrations.emulator import Emulator, EmulatorSettings
from integrations.emulator.server import EmulatorServer
from scripts.commands.leaving import Code, Stop
from scripts.lab import Lab, LabError

PREFIX: Final = "custom"
_PROMPTS: Final = Path("assets/audio/wav")
_USER: Final = "demo"


class Stage(Protocol):
    """An Asterisk with people on its lines."""

    @property
    def about(self) -> str:
        """What it is, in a few words."""
        ...

    @property
    def overrides(self) -> dict[str, str]:
        """The settings of an engine on this stage."""
        ...

    async def dial_in(self, person: str, app: str, number: str, caller: str) -> None:
        """Let one of the people call our number."""
        ...

    def words_in(self, recordings: Sequence[str], /) -> str:
        """What people said in these recordings; empty where nobody can know."""
        ...


@asynccontextmanager
async def emulated() -> AsyncIterator[Stage]:
    """An Asterisk in this process, on a free port of the loopback."""
    emulator = Emulator(EmulatorSettings(find_sound=_seconds_of))
    clock = SystemClock()
    password = secrets.token_urlsafe(16)
    async with EmulatorServer(emulator, clock, _USER, password) as server:
        overrides = {
            "ARI_USERNAME": _USER,
            "ARI_PASSWORD": password,
            "ARI_BASE_URL": server.base_url,
            "ARI_WS_URL": server.ws_url,
            "AST_SOUND_DIR": str(_PROMPTS),
            "AST_SOUND_PREFIX": PREFIX,
        }
        yield _Emulated(emulator, clock, overrides)


class _Emulated:
    def __init__(self, emulator: Emulator, clock: Clock, overrides: dict[str, str]) -> None:
        self.overrides = overrides
        self._emulator = emulator
        self._clock = clock

    @property
    def about(self) -> str:
        return f"an emulated Asterisk {self._emulator.settings.version} in this process"

    async def dial_in(self, person: str, app: str, number: str, caller: str) -> None:
        self._emulator.dial_in(person, app, number, self._clock.now(), caller=caller)

    def words_in(self, recordings: Sequence[str]) -> str:
        stored = self._emulator.stored
        return " ".join(word for name in recordings if name in stored for word in stored[name].words)


def _seconds_of(sound: str) -> float | None:
    """How long one of our prompts is, as the emulated Asterisk asks for it."""
    prefix, _, name = sound.rpartition("/")
    path = _PROMPTS / f"{name}.wav"
    if prefix != PREFIX or not path.is_file():
        return None
    with wave.open(str(path), "rb") as file:
        return file.getnframes() / file.getframerate()


@asynccontextmanager
async def lab() -> AsyncIterator[Stage]:
    """The real Asterisk of `make lab`, which must be running. Raises Stop."""
    try:
        ours = await asyncio.to_thread(Lab.load)
        if not await asyncio.to_thread(lambda: ours.is_running):
            raise Stop(Code.NO_ASTERISK, "the lab is not running: start it with `make lab`")
        await asyncio.to_thread(ours.install_prompts)
        yield _Lab(ours)
    except LabError as error:
        raise Stop(Code.NO_ASTERISK, str(error)) from error


class _Lab:
    def __init__(self, ours: Lab) -> None:
        self._lab = ours

    @property
    def about(self) -> str:
        return f"the Asterisk {self._lab.asterisk_version} of the lab"

    @property
    def overrides(self) -> dict[str, str]:
        return {
            "ARI_USERNAME": self._lab.username,
            "ARI_PASSWORD": self._lab.password,
            "ARI_BASE_URL": self._lab.base_url,
            "ARI_WS_URL": self._lab.ws_url,
            "AST_SOUND_DIR": str(self._lab.sound_dir),
            "AST_SOUND_PREFIX": self._lab.sound_prefix,
        }

    async def dial_in(self, person: str, app: str, number: str, caller: str) -> None:
        await asyncio.to_thread(self._lab.dial_in, person, app, number, caller)

    def words_in(self, _recordings: Sequence[str], /) -> str:
        return ""  # a recording of a real Asterisk is sound, and nobody transcribes it here
