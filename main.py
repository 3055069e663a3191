"""Wires the parts once and hands over.

This is the one composition root: the engine, its client, its manager are made here and nowhere else, and here is where
settings are read. `open_engine` is what commands, benches and tests use, so that all of them run the shipped wiring.
"""

import os
import random
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

if __name__ == "__main__":  # Ctrl-C while the rest is imported ends the process, without a traceback
    signal.signal(signal.SIGINT, signal.SIG_DFL)

from prometheus_client import CollectorRegistry

from config.groups import AriSettings
from config.settings import Settings
from core.ari_client import AriClient
from core.ari_transport.seam import Transport
from core.ari_transport.switching import open_transport
from core.ari_ws import EventStream, websocket_connector
from core.build import build_id
from core.clock import Clock, SystemClock
from core.files import read_texts
from core.lockfile import EngineLock
from core.store import Store
from core.telemetry import Telemetry
from logic.prompts import PromptBook, load_prompts
from logic.scenario_registry import ScenarioRegistry, load_registry
from sessions.call import CallParts
from sessions.chores import Chores
from sessions.engine import Engine, EngineParts
from sessions.forebears import dead_engines, engine_folder, forget_engines
from sessions.manager import CallRules, SessionManager
from sessions.recovery import Recovery
from sessions.role import Role as Role

PROMPTS_FILE = Path("assets/audio/prompts.yaml")
SETTLE_S = 3.0
"""How long the first requests wait for the REST websockets before they go by HTTP."""

Events = Callable[[], AbstractAsyncContextManager[AsyncIterator[str | bytes]]]


async def _nothing_to_settle() -> None:
    """A way without anything to open."""


@dataclass(frozen=True, slots=True)
class Ways:
    """The ways to Asterisk: the real ones, or those of an emulated one in this process."""

    transport: Transport
    events: Events
    reset: Callable[[], None] = lambda: None
    """Lets the transport try its better way again."""
    settle: Callable[[], Awaitable[object]] = _nothing_to_settle
    """Waits until the better way is open, or known to be closed."""


@asynccontextmanager
async def open_engine(
    settings: Settings,
    *,
    role: Role | None = None,
    ways: Ways | None = None,
    clock: Clock | None = None,
    telemetry: Telemetry | None = None,
    rng: random.Random | None = None,
) -> AsyncIterator[Engine]:
    """Make an engine and everything below it, and close all of it afterwards. It works inside `engine.working()`.

    Raises LockHeld when another engine holds the data folder, StoreError, PromptErrors.
    """
    role = role or Role()
    clock = clock or SystemClock()
    telemetry = telemetry or Telemetry(CollectorRegistry())
    rng = rng or random.Random()
    data_dir = settings.storage.data_dir
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    async with AsyncExitStack() as stack:
        ari = one_call_ari(settings.ari, rng) if role.one_call else settings.ari
        lock_folder = engine_folder(data_dir, ari.app_name) if role.one_call else data_dir
        lock_folder.parent.mkdir(mode=0o700, exist_ok=True)
        lock = stack.enter_context(EngineLock.acquire(lock_folder, app=ari.app_name, at=clock.wall()))
        store = await stack.enter_async_context(
            Store.open(
                data_dir / "linekeeper.db", clock, rng, migrate=settings.storage.run_migrations_on_start
            )
        )
        run = await store.runs.begin_run(build=build_id(), pid=os.getpid(), app=ari.app_name, at=clock.wall())
        if ways is None:
            ways = await stack.enter_async_context(real_ways(ari, rng))
        client = AriClient(ways.transport, timeout_s=ari.timeout_s, counter=telemetry.ari_requests_total.inc)
        chores = Chores(client)
        manager = SessionManager(
            call_rules(settings, ari, run.run_id, takes_inbound=not role.one_call),
            CallParts(
                app=ari.app_name,
                client=client,
                store=store,
                clock=clock,
                telemetry=telemetry,
                mailbox_size=settings.calls.mailbox_size,
            ),
            load_scenarios(settings),
            chores,
            telemetry,
            rng,
        )
        forebears = dead_engines(data_dir)
        recovery = Recovery(manager, client, store, chores, clock, telemetry, forebears)
        engine = Engine(
            EngineParts(
                manager=manager,
                stream=EventStream(ways.events, clock=clock, rng=rng, reconnect_max_s=ari.reconnect_max_s),
                client=client,
                reset_transport=ways.reset,
                settle_transport=ways.settle,
                recovery=recovery,
                chores=chores,
                store=store,
                clock=clock,
                telemetry=telemetry,
                rng=rng,
                run=run,
                drain_grace_s=settings.calls.drain_grace_s,
                holder_died=lock.previous_died,
                take_over=role.take_over,
            )
        )
        try:
            yield engine
        finally:
            lock.owes = engine.may_have_left_something
            await store.runs.end_run(run.run_id, engine.why, at=clock.wall())
            if recovery.has_compared:
                forget_engines(data_dir, forebears)


@asynccontextmanager
async def real_ways(ari: AriSettings, rng: random.Random) -> AsyncIterator[Ways]:
    """The ways to a real Asterisk: websockets and HTTP.

    The REST sockets have names of this process alone: under ours, a newcomer that is about to be refused would have made
    the living engine's deaf before it could even ask.
    """
    own = replace(ari, app_name=f"{ari.app_name}-{rng.getrandbits(32):08x}")
    async with open_transport(own, rng=rng) as transport:
        pool = transport.pool
        settle = _nothing_to_settle if pool is None else partial(pool.settle, SETTLE_S)
        yield Ways(transport, websocket_connector(ari), transport.reset, settle)


def one_call_ari(ari: AriSettings, rng: random.Random) -> AriSettings:
    """The same Asterisk under an application name of its own, which nobody else can have taken."""
    name = f"{ari.app_name[:15]}-{rng.getrandbits(32):08x}"
    return replace(ari, app_name=name, engine_name=name)


def call_rules(settings: Settings, ari: AriSettings, run_id: str, *, takes_inbound: bool) -> CallRules:
    """The rules of this engine's calls, from the settings."""
    return CallRules(
        engine=ari.engine_name,
        app=ari.app_name,
        engine_run=run_id,
        journal_folder=settings.storage.data_dir / "journal",
        endpoint_template=settings.dialer.endpoint_template,
        trunk=settings.dialer.trunk,
        method=settings.dialer.method,
        ring_timeout_s=settings.dialer.ring_timeout_s,
        ttl_s=settings.calls.session_ttl_s,
        max_turns=settings.calls.max_turns,
        sound_prefix=settings.media.sound_prefix,
        journal_max_bytes=settings.storage.journal_max_bytes,
        takes_inbound=takes_inbound,
        inbound_scenario=settings.calls.inbound_scenario,
        inbound_cap=settings.limits.inbound_cap,
    )


def load_words() -> PromptBook:
    """The words of every prompt. Raises PromptErrors."""
    return load_prompts(PROMPTS_FILE.read_text(encoding="utf-8"), str(PROMPTS_FILE))


def load_scenarios(settings: Settings) -> ScenarioRegistry:
    """Every scenario that passes, and the files that do not, with their problems."""
    return load_registry(read_texts(settings.calls.scenarios_dir), load_words())


if __name__ == "__main__":
    from scripts.commands.app import make_app  # what wires an engine without typing needs no command line

    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.exit(make_app(open_engine, load_scenarios, load_words)())
