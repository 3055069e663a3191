"""`call`: one call, followed as it happens; through the engine that runs on this data folder, or with one of its own."""

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path
from typing import Annotated, Final, Protocol

import typer
from rich.console import Console
from rich.markup import escape

from config.settings import Settings
from core.errors import LinekeeperError
from core.lockfile import FILE_NAME as LOCK_NAME
from core.lockfile import read_holder
from core.logs import setup_logging
from integrations.checkup.reach import ask_who_is_there
from integrations.control.client import ControlClient
from integrations.control.errors import ControlError, ControlRefused, NobodyThere
from integrations.control.protocol import CallRequest, Ended, EntryNow, Placed, ProblemKind
from integrations.control.server import GRANTED_BY
from scripts.commands.leaving import Code, Stop, plainly, put_json
from scripts.commands.signals import Signals, listening
from scripts.commands.wiring import Given, Wiring, given_to
from scripts.commands.words import entry_words, outcome_words
from sessions.call import Call
from sessions.dialling import clean_number
from sessions.errors import UnknownScenario
from sessions.events import ASKED, StopRequested
from sessions.role import Role

READY_S: Final = 10.0
STARTING_S: Final = 1.5
"""How long an engine that has just taken the data folder may take to open its socket."""
_LOOK_AGAIN_S: Final = 0.1

News = Placed | EntryNow | Ended
Show = Callable[[News], None]

_HELP = """Place one call, follow it, and say how it ended. Any outcome is a success: exit 0.

When an engine runs on this DATA_DIR the call is placed there. Otherwise an engine is opened for this one call, under an
application name of its own. Ctrl-C hangs up politely.

\b
Examples:
  python main.py call +12025550101 --scenario marketing
  python main.py call 6001 --scenario marketing --endpoint PJSIP/6001
  python main.py call +12025550101 --scenario marketing --json | jq .outcome
"""


def add_to(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(help=_HELP)
    def call(
        ctx: typer.Context,
        number: Annotated[str, typer.Argument(help="Whom to call: +12025550101, or an extension's digits.")],
        scenario: Annotated[str, typer.Option(help="The conversation to have.")],
        line: Annotated[
            str,
            typer.Option(help="Our number. Default: DEFAULT_CALLER_ID, or the first of OUTBOUND_NUMBERS."),
        ] = "",
        var: Annotated[
            list[str] | None, typer.Option(help="A variable for the scenario: name=value.")
        ] = None,
        endpoint: Annotated[
            str,
            typer.Option(help="What Asterisk dials, instead of what OUTBOUND_ENDPOINT makes of the number."),
        ] = "",
        timeout_s: Annotated[
            float | None, typer.Option("--timeout-s", min=1, help="Hang up after so many seconds.")
        ] = None,
        as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object at the end.")] = False,
        verbose: Annotated[bool, typer.Option("--verbose", help="Log as much as LOG_LEVEL says.")] = False,
    ) -> None:
        with plainly(as_json=as_json):
            refuse_variables(var or [])
            settings = given_to(ctx).settings()
            request = CallRequest(
                number=clean_number(number),
                scenario=scenario,
                line=line or default_line(settings),
                endpoint=endpoint or None,
                hang_up_if_gone=True,  # whoever stops before they know of the call cannot hang up by its id
            )
        setup_logging(settings.log.level if verbose else "WARNING", settings.log.format)
        printer = _JsonPrinter() if as_json else _Printer(request)
        with plainly(as_json=as_json, ari=settings.ari):
            asyncio.run(_call(given_to(ctx), settings, request, printer.show, timeout_s))
            if printer.report is None:
                raise Stop(Code.FAILED, "the call broke before it had an outcome: the log says why")


def default_line(settings: Settings) -> str:
    """Our number where none was named."""
    dialer = settings.dialer
    return dialer.default_caller_id or next(iter(dialer.outbound_numbers), "")


def refuse_variables(given: list[str]) -> None:
    """Scenarios cannot read variables yet, and what would be ignored is not accepted."""
    for text in given:
        name, sign, _ = text.partition("=")
        if not sign or not name.strip():
            raise Stop(Code.USAGE, f"--var {text}: write it as name=value")
    if given:
        raise Stop(Code.USAGE, "--var: no scenario takes variables yet; leave it out")


# ------------------------------------------------------------------------------------------------ carrying it out


class _Way(Protocol):
    """How a call is placed and followed."""

    @property
    def if_stopped_early(self) -> str:
        """What is known when somebody stops before the call was placed."""
        ...

    async def carry_out(self, request: CallRequest, show: Show) -> None:
        """Place the call, show what happens, return when nothing of it is left."""
        ...

    async def hang_up(self, call_id: str) -> None:
        """End it politely."""
        ...


async def _call(
    given: Given, settings: Settings, request: CallRequest, show: Show, timeout_s: float | None
) -> None:
    with listening() as asked:
        way = await _way(given.wiring, settings, request)
        placed: asyncio.Future[str] = asyncio.get_running_loop().create_future()

        def seen(news: News) -> None:
            if isinstance(news, Placed):
                placed.set_result(news.call_id)
            show(news)

        async with asyncio.TaskGroup() as tasks:
            stopper = tasks.create_task(_hang_up_when_asked(way, placed, asked, timeout_s), name="hang up")
            await way.carry_out(request, seen)
            stopper.cancel()


async def _hang_up_when_asked(
    way: _Way, placed: asyncio.Future[str], asked: Signals, timeout_s: float | None
) -> None:
    """At Ctrl-C, or when the time is up, hang up; what follows is the call's own closing routine."""
    try:
        async with asyncio.timeout(timeout_s):
            await asked.get()
    except TimeoutError:
        pass  # the time is up
    if not placed.done():
        raise Stop(Code.FAILED, way.if_stopped_early)
    await way.hang_up(placed.result())


async def _way(wiring: Wiring, settings: Settings, request: CallRequest) -> _Way:
    """Through the engine of this data folder when one lives, else with one of our own. Raises Stop, AriError."""
    folder = settings.storage.data_dir
    client = ControlClient(folder)
    deadline = asyncio.get_running_loop().time() + STARTING_S
    while True:
        try:
            await client.status()
        except NobodyThere:
            pid = _living_holder(folder)
            if pid is None:
                break
            if asyncio.get_running_loop().time() >= deadline:
                raise Stop(
                    Code.TAKEN,
                    f"an engine (pid {pid}) holds {folder} but does not listen on its control socket: wait until it has"
                    " left, or stop it",
                ) from None
        except ControlError as error:
            raise Stop(Code.TAKEN, f"{error}: restart the engine that holds {folder}") from error
        else:
            return _Beside(client)
        await asyncio.sleep(_LOOK_AGAIN_S)
    _check_scenario(wiring, settings, request.scenario)
    await ask_who_is_there(settings.ari)
    return _Alone(wiring, settings)


def _living_holder(folder: Path) -> int | None:
    now = read_holder(folder / LOCK_NAME)
    if now is None or not now.alive:
        return None
    return now.holder.pid if now.holder is not None else 0


def _check_scenario(wiring: Wiring, settings: Settings, name: str) -> None:
    """Before anything is opened. Raises UnknownScenario as the engine would."""
    registry = wiring.load_scenarios(settings)
    if name not in registry.flows:
        refused = "".join(f"\n{refusal}" for refusal in registry.refused.values())
        raise UnknownScenario(
            f"there is no scenario {name!r}; loaded: {', '.join(registry.ids) or 'none'}{refused}"
        )


class _Beside:
    """Through the engine that runs here already."""

    if_stopped_early: Final = (
        "stopped before the engine had said whether the call is placed: should it be, the engine hangs up at once;"
        " `python main.py calls list` shows it"
    )

    def __init__(self, client: ControlClient) -> None:
        self._client = client

    async def carry_out(self, request: CallRequest, show: Show) -> None:
        try:
            async with aclosing(self._client.call(request)) as following:
                async for news in following:
                    show(news)
        except ControlRefused as error:
            raise Stop(_CODES[error.kind], str(error)) from error

    async def hang_up(self, call_id: str) -> None:
        await self._client.hang_up(call_id)


_CODES: Final = {
    ProblemKind.USAGE: Code.USAGE,
    ProblemKind.NOT_READY: Code.NO_ASTERISK,
    ProblemKind.REFUSED: Code.FAILED,
    ProblemKind.FAILED: Code.FAILED,
    ProblemKind.BUSY: Code.FAILED,
}


class _Alone:
    """With an engine for this one call."""

    if_stopped_early: Final = "stopped before the call was placed: nothing was dialled"

    def __init__(self, wiring: Wiring, settings: Settings) -> None:
        self._wiring = wiring
        self._settings = settings
        self._call: Call | None = None

    async def carry_out(self, request: CallRequest, show: Show) -> None:
        async with self._wiring.open_engine(self._settings, role=Role(one_call=True)) as engine:
            async with engine.working():
                try:
                    async with asyncio.timeout(READY_S):
                        await engine.ready()
                except TimeoutError:
                    raise Stop(
                        Code.NO_ASTERISK,
                        f"Asterisk at {self._settings.ari.ws_url} did not give us its events within {READY_S:g} s: check"
                        " ARI_WS_URL",
                    ) from None
                call = self._call = await engine.call(
                    number=request.number,
                    scenario=request.scenario,
                    line=request.line,
                    granted_by=GRANTED_BY,
                    endpoint=request.endpoint,
                )
                show(Placed(call_id=call.call_id))
                with call.timeline.follow() as entries:
                    while (entry := await entries.get()) is not None:
                        show(EntryNow(at_s=entry.at_s, what=entry.what, detail=entry.detail))
                await call.finished.wait()
        show(Ended(report=None if call.report is None else call.report.to_json()))

    async def hang_up(self, call_id: str) -> None:
        if self._call is None or self._call.call_id != call_id:
            raise LinekeeperError(f"call {call_id} is not ours to hang up")
        self._call.post(StopRequested(ASKED))


# ------------------------------------------------------------------------------------------------ showing it


class _JsonPrinter:
    """Nothing but one object, at the end."""

    def __init__(self) -> None:
        self.report: dict[str, object] | None = None

    def show(self, news: News) -> None:
        """Print the report when it is there."""
        if isinstance(news, Ended) and news.report is not None:
            self.report = news.report
            put_json(news.report)


class _Printer:
    """A line for each thing that happens, for a person who waits."""

    def __init__(self, request: CallRequest) -> None:
        self.report: dict[str, object] | None = None
        self._console = Console(highlight=False, soft_wrap=True)
        self._number = request.number

    def show(self, news: News) -> None:
        """Print what happened."""
        match news:
            case Placed(call_id=call_id):
                self._console.print(f"Calling {self._number} [dim](call {call_id}; Ctrl-C hangs up)[/dim]")
            case EntryNow(at_s=at_s, what=what, detail=detail):
                self._console.print(f"[dim]{at_s:8.2f} s[/dim]  {escape(entry_words(what, detail))}")
            case Ended(report=report):
                self.report = report
                if report is not None:
                    self._sum_up(report)

    def _sum_up(self, report: dict[str, object]) -> None:
        outcome = str(report["outcome"])
        talked = f", {report['duration_s']} s after the answer" if report["answered"] else ""
        self._console.print(
            f"\n[bold]{outcome}[/bold]: {escape(self._number)} {outcome_words(outcome)}{talked}."
        )
        if report["error"]:
            self._console.print(escape(str(report["error"])))
        self._console.print(f"[dim]Again: python main.py calls show {report['call_id']}[/dim]")
