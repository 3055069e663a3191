"""The command line: one typer application, made by main with the wiring in its hands.

Here is where the process ends. Commands raise what went wrong; what a person can mend becomes a sentence and a code
(`leaving`), and what is left over is a fault of ours: it is logged once, and the code is 1.
"""

import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from core.logs import log_event, setup_logging
from scripts.commands import call, calls, demo, doctor, run
from scripts.commands.leaving import Code
from scripts.commands.wiring import Given, LoadScenarios, LoadWords, OpenEngine, Wiring

_log = logging.getLogger(__name__)

_PROGRAM = "python main.py"

_HELP = """Linekeeper: an Asterisk ARI call-control engine. Without a command it runs the engine.

\b
Exit codes: 0 done, 1 failed, 2 wrong usage or settings, 3 Asterisk cannot be
reached or refuses the login, 4 another engine is there.

\b
Examples:
  python main.py                                        run the engine
  python main.py doctor                                 is everything in place?
  python main.py call +12025550101 --scenario marketing
  python main.py calls list                             what happened
  python main.py demo                                   see it work with nothing else
"""


def make_app(
    open_engine: OpenEngine, load_scenarios: LoadScenarios, load_words: LoadWords
) -> Callable[[], int]:
    """The command line as a function that returns the exit code."""
    app = build_app(Wiring(open_engine, load_scenarios, load_words))

    def start() -> int:
        try:
            app(prog_name=_PROGRAM)
        except SystemExit as leaving:
            return leaving.code if isinstance(leaving.code, int) else Code.FAILED
        except Exception as error:  # noqa: BLE001  # the process's supervisor: says once what nobody foresaw
            if not logging.getLogger().handlers:
                setup_logging("WARNING")
            log_event(_log, logging.CRITICAL, "command_broke", exc_info=error)
            print(f"a fault of ours stopped this command: {type(error).__name__}: {error}", file=sys.stderr)
            return Code.FAILED
        return Code.OK

    return start


def build_app(wiring: Wiring) -> typer.Typer:
    """The application itself; `make_app` runs it, tests look at it."""
    app = typer.Typer(help=_HELP, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)

    @app.callback(invoke_without_command=True)
    def root(
        ctx: typer.Context,
        env_file: Annotated[Path, typer.Option(help="The file settings are read from.")] = Path(".env"),
        check: Annotated[bool, typer.Option("--check", help="The same as `doctor`.")] = False,
    ) -> None:
        ctx.obj = Given(wiring, env_file)
        if ctx.invoked_subcommand is not None:
            return
        if check:
            doctor.run_checks(ctx.obj, as_json=False)
        else:
            run.run_engine(ctx.obj, take_over=False, as_json=False)

    run.add_to(app)
    call.add_to(app)
    calls.add_to(app)
    doctor.add_to(app)
    demo.add_to(app)
    return app
