"""What is looked at: settings as values, ways to Asterisk, and whom to ask about the engine that may run here."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from websockets.asyncio.client import ClientConnection

from config.groups import AriSettings, Bind, DialerSettings, MediaSettings, StorageSettings
from core.ari_client import AriClient
from logic.scenario_registry import ScenarioRegistry


@dataclass(frozen=True, slots=True)
class Token:
    """A secret by its name. `needed_by` names the setting that makes it needed, empty when nothing does."""

    name: str
    present: bool
    needed_by: str = ""


@dataclass(frozen=True, slots=True)
class Subject:
    """Everything the checks may look at."""

    ari: AriSettings
    dialer: DialerSettings
    media: MediaSettings
    storage: StorageSettings
    scenarios: ScenarioRegistry
    tokens: tuple[Token, ...]
    listeners: tuple[tuple[str, Bind | None], ...]
    """Our listeners: the setting and where it listens."""
    warnings: tuple[str, ...]
    """What the settings themselves say will not work."""
    client: AriClient
    """Over plain HTTP."""
    open_socket: Callable[[str], AbstractAsyncContextManager[ClientConnection]]
    """An event websocket under an application name."""
    ask_engine: Callable[[], Awaitable[str]]
    """The state of the engine that listens in the data folder; empty when none does."""
    name: str
    """An application name of our own for what is tried in Asterisk: nobody else has it."""
