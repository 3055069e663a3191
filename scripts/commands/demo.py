"""`demo`: the engine at its work, with nothing else installed: it calls eight people and is called by one.

The engine is the shipped one, wired by main. Only the Asterisk is emulated, and with `--asterisk lab` not even that.
"""

import asyncio
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from config.settings import Settings, get_settings
from core.logs import setup_logging
from logic.outcomes import Outcome
from logic.prompts import PromptBook
from scripts.commands.leaving import Code, Stop, plainly, put_json
from scripts.commands.signals import Signals, listening
from scripts.commands.wiring import Wiring, given_to
from scripts.commands.words import entry_words, outcome_words
from sessions.call import Call
from sessions.engine import Engine
from sessions.report import CallReport

if TYPE_CHECKING:
    from scripts.commands.stage import Stage

AT_ONCE: Final = 5
LONGEST_S: Final = 55.0
RING_S: Final = 5
SCENARIO: Final = "marketing"
LINE: Final = "+12025550199"
_STARTS_S: Final = 10.0
_ARRIVES_S: Final = 5.0
_WORDS: Final = 46


@dataclass(frozen=True, slots=True)
class Part:
    """One person of the demo, and what must come of the call."""

    person: str
    does: str
    expected: Outcome
    number: str
    calls_us: bool = False


PARTS: Final = (
    Part("silent", "answers and says nothing", Outcome.SILENT, "+15550003"),
    Part("polite-yes", "hears us out and says yes", Outcome.COMPLETED, "+15550001"),
    Part("polite-no", "hears us out and says no thank you", Outcome.COMPLETED, "+15550002"),
    Part("polite-yes", "calls our number", Outcome.COMPLETED, "+15557001", calls_us=True),
    Part("presses-1", "presses a key", Outcome.COMPLETED, "+15550007"),
    Part("no-answer", "lets it ring", Outcome.NO_ANSWER, "+15550006"),
    Part("stop-and-hangs-up", "says stop and hangs up", Outcome.HUNG_UP, "+15550008"),
    Part("hangs-up-at-once", "hangs up at once", Outcome.HUNG_UP, "+15550004"),
    Part("busy", "is on the telephone", Outcome.BUSY, "+15550005"),
)
"""The longest calls first, so that the others fit beside them."""


class Where(StrEnum):
    """Which Asterisk the demo plays on."""

    EMULATOR = "emulator"
    LAB = "lab"


_HELP = """See the engine work, with nothing else installed: it calls eight people and is called by one.

Takes less than a minute. Nothing leaves this machine, and nothing is kept. Exit 0 when every call ended as it should.

\b
Examples:
  python main.py demo
  python main.py demo --json | jq .ok
  python main.py demo --asterisk lab      on the real Asterisk of `make lab`
"""


def add_to(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(help=_HELP)
    def demo(
        ctx: typer.Context,
        asterisk: Annotated[Where, typer.Option(help="Which Asterisk.")] = Where.EMULATOR,
        as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object at the end.")] = False,
    ) -> None:
        setup_logging("ERROR", "text")
        board = _Board(Console(highlight=False, soft_wrap=True, quiet=as_json))
        with plainly(as_json=as_json):
            seconds = asyncio.run(_play(given_to(ctx).wiring, asterisk, board))
        is_well = all(scene.is_well for scene in board.scenes)
        if as_json:
            scenes = [scene.to_json() for scene in board.scenes]
            put_json(
                {"ok": is_well, "asterisk": asterisk.value, "seconds": round(seconds, 1), "calls": scenes}
            )
        else:
            board.sum_up(seconds)
        if not is_well:
            raise typer.Exit(Code.FAILED)


# ------------------------------------------------------------------------------------------------ playing


@dataclass(slots=True)
class Scene:
    """One call of the demo: how it stands, and in the end how it went."""

    part: Part
    now: str = "waits"
    entries: list[tuple[str, str]] = field(default_factory=list)
    report: CallReport | None = None
    first_words: str = ""
    last_words: str = ""

    @property
    def is_well(self) -> bool:
        """Whether it ended as it should."""
        return self.report is not None and self.report.outcome is self.part.expected

    def to_json(self) -> dict[str, object]:
        """The call and what was expected of it."""
        return {
            "person": self.part.person,
            "calls_us": self.part.calls_us,
            "expected": self.part.expected.value,
            "as_expected": self.is_well,
            "first_words": self.first_words,
            "last_words": self.last_words,
            **({} if self.report is None else self.report.to_json()),
        }


async def _play(wiring: Wiring, where: Where, board: "_Board") -> float:
    """Play every scene; returns how long it took. Raises Stop."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    with tempfile.TemporaryDirectory(prefix="linekeeper-demo-") as folder, listening() as asked:
        async with _stage(where) as stage:
            board.say(f"The engine of this folder, on {stage.about}. Ctrl-C stops.")
            settings = _settings(stage, folder)
            async with wiring.open_engine(settings) as engine, asyncio.TaskGroup() as tasks:
                stopper = tasks.create_task(_stop_when_asked(asked), name="signals")
                async with engine.working():
                    await _ready(engine, settings)
                    await _scenes(_Play(engine, stage, wiring.load_words(), board))
                stopper.cancel()
    return loop.time() - began


def _stage(where: Where) -> AbstractAsyncContextManager["Stage"]:
    """The stage, loaded only now: an emulator with its web server costs every other command a third of a second."""
    from scripts.commands import stage  # noqa: PLC0415  # see above

    return stage.emulated() if where is Where.EMULATOR else stage.lab()


def _settings(stage: "Stage", folder: str) -> Settings:
    """Settings of this run alone: no `.env`, a data folder that is thrown away, an application nobody else has."""
    return get_settings(
        None,
        overrides={
            "ARI_APP_NAME": f"demo-{secrets.token_hex(4)}",
            "ENGINE_NAME": "demo",
            "DATA_DIR": folder,
            "OUTBOUND_ENDPOINT": "Local/{number}@people/n",
            "ORIGINATION_TIMEOUT": str(RING_S),
            "DRAIN_GRACE_S": "1",
            "INBOUND_SCENARIO": SCENARIO,
            "SCENARIOS_DIR": "config/scenarios",
            "WEB_BIND": "off",
            **stage.overrides,
        },
    )


async def _ready(engine: Engine, settings: Settings) -> None:
    try:
        async with asyncio.timeout(_STARTS_S):
            await engine.ready()
    except TimeoutError:
        raise Stop(
            Code.NO_ASTERISK, f"Asterisk at {settings.ari.base_url} did not let the engine start"
        ) from None


async def _stop_when_asked(asked: Signals) -> None:
    await asked.get()
    raise Stop(Code.FAILED, "stopped")


@dataclass(frozen=True, slots=True)
class _Play:
    """What every scene needs."""

    engine: Engine
    stage: "Stage"
    words: PromptBook
    board: "_Board"


async def _scenes(play: _Play) -> None:
    """All scenes, some at a time."""
    places = asyncio.Semaphore(AT_ONCE)

    async def when_there_is_room(scene: Scene) -> None:
        async with places:
            await _scene(scene, play)

    try:
        with play.board.live():
            async with asyncio.timeout(LONGEST_S), asyncio.TaskGroup() as tasks:
                for scene in play.board.scenes:
                    tasks.create_task(when_there_is_room(scene), name=scene.part.person)
    except TimeoutError:
        raise Stop(Code.FAILED, f"the demo was not over within {LONGEST_S:g} s") from None


async def _scene(scene: Scene, play: "_Play") -> None:
    """One call from its beginning to its report."""
    part, board = scene.part, play.board
    if part.calls_us:
        await play.stage.dial_in(part.person, play.engine.manager.rules.app, LINE, part.number)
        call = await _arrived(play.engine, part.number)
    else:
        call = await play.engine.call(
            number=part.number,
            scenario=SCENARIO,
            line=LINE,
            granted_by="the demo",
            endpoint=f"Local/{part.person}@people/n",
        )
    with call.timeline.follow() as entries:
        while (entry := await entries.get()) is not None:
            scene.entries.append((entry.what, entry.detail))
            scene.now = entry_words(entry.what, entry.detail)
            board.show(scene)
    await call.finished.wait()
    scene.report = call.report
    _note_words(scene, call, play.words, play.stage)
    board.show(scene)


async def _arrived(engine: Engine, caller: str) -> Call:
    """The call of somebody who dials in."""
    try:
        async with asyncio.timeout(_ARRIVES_S):
            while True:
                for call in engine.manager.calls.values():
                    if call.plan.direction == "inbound" and call.plan.number == caller:
                        return call
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise Stop(Code.FAILED, "the call of the one who dials in never arrived") from None


def _note_words(scene: Scene, call: Call, words: PromptBook, stage: "Stage") -> None:
    """The first thing that was said in the call, and the last thing they said, or we."""
    prompts = [name for what, detail in scene.entries if what == "saying" for name in detail.split()]
    if prompts:
        locale = call.plan.flow.locale
        scene.first_words = f"we: {words.words(prompts[0], locale) or prompts[0]}"
        scene.last_words = f"we: {words.words(prompts[-1], locale) or prompts[-1]}"
    theirs = stage.words_in(() if scene.report is None else scene.report.recordings)
    if theirs:
        scene.last_words = f"they: {theirs}"


# ------------------------------------------------------------------------------------------------ showing


class _Board:
    """What is seen: a table that moves on a terminal, a line for each thing that happens elsewhere, then the summary."""

    def __init__(self, console: Console) -> None:
        self.scenes = tuple(Scene(part) for part in PARTS)
        self._console = console
        self._live: Live | None = None

    def say(self, sentence: str) -> None:
        """A sentence."""
        self._console.print(sentence)

    @contextmanager
    def live(self) -> Iterator[None]:
        """The time in which things happen."""
        if not self._console.is_terminal or self._console.quiet:
            yield
            return
        with Live(
            self._progress(), console=self._console, transient=True, refresh_per_second=8
        ) as self._live:
            yield
        self._live = None

    def show(self, scene: Scene) -> None:
        """Something happened in this scene."""
        if self._live is not None:
            self._live.update(self._progress())
        elif scene.report is None:
            self._console.print(f"{_who(scene.part):<28} {scene.now}", markup=False)

    def sum_up(self, seconds: float) -> None:
        """What happened, for somebody who has never seen this before, and what to do next."""
        self._console.print()
        for scene in self.scenes:
            self._sum_up_one(scene)
        well = sum(scene.is_well for scene in self.scenes)
        self._console.print(
            f"\n{well} of {len(self.scenes)} calls ended as they should, in {seconds:.0f} s, {AT_ONCE} at a time."
        )
        for scene in self.scenes:
            if not scene.is_well:
                found = "nothing" if scene.report is None else scene.report.outcome.value
                self._console.print(
                    f"  {_who(scene.part)}: expected {scene.part.expected.value}, got {found}"
                )
        self._console.print(_NEXT)

    def _sum_up_one(self, scene: Scene) -> None:
        part, report = scene.part, scene.report
        line = Text.assemble(_mark(scene), f" {_who(part):<23}", (f"{part.does}: ", "dim"))
        if report is None:
            self._console.print(line.append("nothing came of it"))
            return
        lasted = f", {report.duration_s:.1f} s" if report.answered else ""
        line.append(f"{outcome_words(report.outcome)} ").append(f"({report.outcome.value}{lasted})", "bold")
        self._console.print(line)
        if scene.first_words:
            said = _shortened(scene.first_words)
            if scene.last_words != scene.first_words:
                said = f"{said}  …  {_shortened(scene.last_words)}"
            self._console.print(Text(f"{'':<26}{said}", style="dim"))

    def _progress(self) -> RenderableType:
        table = Table.grid(padding=(0, 2, 0, 0))
        for scene in self.scenes:
            mark = Text("·") if scene.report is None else _mark(scene)
            table.add_row(mark, Text(_who(scene.part)), Text(scene.now, style="dim"))
        return Group(table)


_NEXT: Final = """
Next:
  the conversation they had     config/scenarios/marketing.yaml
  your own Asterisk             cp .env.example .env, fill in the three ARI_ names, then: python main.py doctor
  a first real call             python main.py call +12025550101 --scenario marketing
"""


def _who(part: Part) -> str:
    return f"{part.person} (calls us)" if part.calls_us else part.person


def _mark(scene: Scene) -> Text:
    return Text("✓", style="green") if scene.is_well else Text("✗", style="red")


def _shortened(words: str) -> str:
    return words if len(words) <= _WORDS else words[: _WORDS - 1].rstrip() + "…"
