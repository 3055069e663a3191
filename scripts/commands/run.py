"""`run`: the engine, until somebody asks it to leave."""

import asyncio
import logging
import os
from typing import Annotated, Final

import typer

from config.settings import Settings
from core.build import build_id
from core.logs import log_event, setup_logging
from integrations.checkup.audio_checks import unplayable_prompts
from integrations.control.server import ControlServer
from scripts.commands.leaving import Code, Stop, plainly, put_json
from scripts.commands.signals import Signals, listening
from scripts.commands.wiring import Given, Wiring, given_to
from sessions.engine import Engine
from sessions.role import Role

_log = logging.getLogger(__name__)

REPLACED: Final = "replaced"

_HELP = """Run the engine: it takes calls, places them when asked to, and leaves on SIGTERM, Ctrl-C or a closed terminal.

Leaving lets running calls go on for DRAIN_GRACE_S; a second signal hangs them up. While Asterisk is not there the
engine keeps trying.

\b
Examples:
  python main.py run
  python main.py run --take-over      the engine that held the application is dead, I am sure
  python main.py --env-file /etc/linekeeper.env run --json
"""


def add_to(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(help=_HELP)
    def run(
        ctx: typer.Context,
        take_over: Annotated[
            bool,
            typer.Option("--take-over", help="Take the application even if another engine seems to hold it."),
        ] = False,
        as_json: Annotated[
            bool, typer.Option("--json", help="Logs as JSON lines on stderr; states as JSON on stdout.")
        ] = False,
    ) -> None:
        run_engine(given_to(ctx), take_over=take_over, as_json=as_json)


def run_engine(given: Given, *, take_over: bool, as_json: bool) -> None:
    """Run until asked to leave. Ends the process with a code when something is in the way."""
    with plainly(as_json=as_json):
        settings = given.settings()
    setup_logging(settings.log.level, "json" if as_json else settings.log.format)
    with plainly(as_json=as_json, ari=settings.ari):
        asyncio.run(_run(given.wiring, settings, take_over=take_over, as_json=as_json))


async def _run(wiring: Wiring, settings: Settings, *, take_over: bool, as_json: bool) -> None:
    with listening() as asked:
        async with wiring.open_engine(settings, role=Role(take_over=take_over)) as engine:
            _announce(engine, settings)
            async with asyncio.TaskGroup() as tasks:
                helpers = [
                    tasks.create_task(_obey(engine, asked), name="signals"),
                    tasks.create_task(_tell_when_ready(engine, as_json=as_json), name="ready"),
                ]
                async with ControlServer(engine, settings.storage.data_dir):
                    async with engine.working():
                        why = await engine.left()
                for helper in helpers:
                    helper.cancel()
    log_event(_log, logging.INFO, "APP_END", why=why)
    if as_json:
        put_json({"state": "ended", "why": why})
    if why == REPLACED:
        raise Stop(
            Code.TAKEN,
            f"another engine took the application {settings.ari.app_name!r} over: stop one of the two, or give each an"
            " ARI_APP_NAME of its own",
        )


def _announce(engine: Engine, settings: Settings) -> None:
    """The first line of a run, and what its reader should know before anything goes wrong."""
    previous = engine.run.previous_run
    log_event(
        _log,
        logging.INFO,
        "APP_START",
        build=build_id(),
        pid=os.getpid(),
        app=settings.ari.app_name,
        engine=settings.ari.engine_name,
        data_dir=str(settings.storage.data_dir),
        run=engine.run.run_id,
        last_run=engine.run.previous.value,
        last_run_how=None if previous is None else previous.how,
        last_run_started=None if previous is None else previous.started_at.isoformat(timespec="seconds"),
    )
    for warning in settings.warnings:
        log_event(_log, logging.WARNING, "setting_will_not_work", warning=warning)
    for refusal in engine.manager.scenarios.refused.values():
        for problem in refusal.problems:
            log_event(_log, logging.WARNING, "scenario_refused", file=refusal.file, problem=str(problem))
    folder = settings.media.sound_dir
    for each in [] if folder is None else unplayable_prompts(engine.manager.scenarios, folder):
        names = ", ".join(each.scenarios)
        log_event(
            _log, logging.WARNING, "prompt_missing", prompt=each.prompt, wrong=each.wrong, scenarios=names
        )
    if not engine.manager.scenarios.flows:
        log_event(_log, logging.WARNING, "no_scenario", folder=str(settings.calls.scenarios_dir))


async def _obey(engine: Engine, asked: Signals) -> None:
    """The first signal asks the engine to leave, the second takes away the grace of the calls that still run."""
    engine.leave(await asked.get())
    name = await asked.get()
    log_event(_log, logging.WARNING, "no_more_grace", signal=name, calls=len(engine.manager.calls))
    engine.manager.stop_all("shutdown")


async def _tell_when_ready(engine: Engine, *, as_json: bool) -> None:
    await engine.ready()
    if as_json:
        put_json({"state": "ready", "run": engine.run.run_id, "pid": os.getpid()})
