"""How many calls a second the engine carries, and how fast it bridges them, beside a client without any logic.

Three things are measured, all against a real Asterisk (the lab's) with SIPp as the far end of `PJSIP/NUMBER@lead`:

1. the highest offered rate at which 99 % of the calls complete and p99 StasisStart to bridged is at most 500 ms, found by
   one search for the engine and for the bare client in turns; the figure is engine / bare;
2. StasisStart to bridged, p50, at 20 calls/s, engine / bare;
3. create + dial beside originate, both by the engine, at 20 and 50 calls/s. This has no figure to reach; it answers
   which is the faster safe one.

A call of either client holds about a second, because it plays a sound of one second on its bridge and ends when that is
over. The engine does so because a scenario must speak before it may end (scenarios/hold.yaml). The bare client does the
same, so that Asterisk has equal work: a playback costs it a channel of its own. `--bare-holds` lets it wait a second
instead. It also makes its bridge before its channel, as the engine does, so that one request lies between StasisStart and
bridged for both; figure 2 is given once more against a client that makes the bridge after StasisStart, which is how the
design describes the bare client, and then two requests stand against the engine's one.

Both run in a fresh process per step, arrive open-loop (a late client does not lower the rate), and are measured in the
same places (see `marks`). For p99 the time counts from the moment Asterisk wrote into the event, so that a client
that reads late does not look fast. A rate also fails when calls are asked for more than 500 ms after they were due (p99):
then it was not offered. The engine is `main.open_engine` with its shipped settings, limits lifted: every call has its
permit, row, journal and closing routine on disk, and a step fails unless all of them equal the calls that were placed and
Asterisk holds nothing of ours afterwards.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Final

from rich.console import Console

from scripts.bench.ground import SOUND_PREFIX, Ground, books_problems, ground
from scripts.bench.report import (
    Figure,
    Step,
    faster_safe_method,
    latency_figure,
    machine,
    method_rows,
    rate_figure,
)
from scripts.bench.search import Search, Tried, highest
from scripts.bench.worker import DATA, Order, Who
from scripts.bench.worker import run as run_worker
from scripts.lab import LabError

APP: Final = "lkbench"
ROOT: Final = Path(__file__).resolve().parents[2]
SCENARIOS: Final = Path(__file__).parent / "scenarios"
STEP_SLACK_S: Final = 90.0
LATENCY_RATE: Final = 20
METHOD_RATES: Final = (20, 50)
PARTS: Final = ("rate", "latency", "methods")
FAILED, CANNOT = 1, 2
CPROFILE: Final = ".prof"

EXAMPLES = """examples:
  python -m scripts.bench.calls                      everything: about 25 minutes
  python -m scripts.bench.calls --quick --json       one run, fewer calls, coarse steps: about 4 minutes
  python -m scripts.bench.calls --parts latency      StasisStart to bridged at 20 calls/s alone
  python -m scripts.bench.calls --step engine 75     one step, no search
  python -m scripts.bench.calls --step engine 75 --profile engine.prof
                                                     the same under cProfile (slower); then: python -m pstats engine.prof
  python -m scripts.bench.calls --step engine 75 --profile engine.svg
                                                     the same sampled by py-spy, if it is installed; .txt: as plain stacks
  LAB_DIR=/tmp/lab python -m scripts.bench.calls     on another lab than var/lab/sid

exit codes: 0 every figure reached, 1 one is missed (or --step failed), 2 no Asterisk to measure against
"""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured."""

    runs: int
    calls: int
    step_s: float
    """A step lasts at least so long: less would let a backlog pass for a latency."""
    search: Search
    method: str = "create"
    bare_plays: bool = True

    def calls_at(self, rate: int) -> int:
        return max(self.calls, round(rate * self.step_s))


FULL: Final = Plan(runs=3, calls=500, step_s=6.0, search=Search())
QUICK: Final = Plan(
    runs=1, calls=200, step_s=4.0, search=Search(ramp=(50, 100, 150, 200, 250), grain=10, tries=1)
)


@dataclass(slots=True)
class Bench:
    """Runs steps on the ground and keeps them."""

    ground: Ground
    plan: Plan
    console: Console
    steps: list[dict[str, object]] = field(default_factory=list)

    def step(
        self,
        who: Who,
        rate: int,
        *,
        part: str,
        method: str = "",
        calls: int = 0,
        bridge_first: bool = True,
        profile: str = "",
    ) -> Step:
        """Offer one rate once."""
        method = method or self.plan.method
        with tempfile.TemporaryDirectory(prefix="linekeeper-bench-") as folder:
            order = Order(
                who=who,
                rate=rate,
                calls=calls or self.plan.calls_at(rate),
                method=method,
                app=APP,
                base_url=self.ground.lab.base_url,
                ws_url=self.ground.lab.ws_url,
                username=self.ground.lab.username,
                password=self.ground.lab.password,
                folder=folder,
                scenarios=str(SCENARIOS),
                sound_prefix=SOUND_PREFIX,
                media=self.ground.media,
                asterisk_pid=self.ground.asterisk_pid,
                far_end_pid=self.ground.far_end_pid,
                bare_plays=self.plan.bare_plays,
                bare_bridge_first=bridge_first,
                profile=profile if profile.endswith(CPROFILE) else "",
            )
            result = _result(order, sampler=_sampler(profile))
            left = self.ground.left_of(APP)
            books = [f"{len(names)} {kind} left in Asterisk" for kind, names in left.items() if names]
            self.ground.remove(left)
            counted = result.get("engine")
            if isinstance(counted, dict):
                books += books_problems(Path(folder) / DATA, int(counted["placed"]))
                books += _counted_problems(counted)
        step = _step(order, result, books)
        kept = {"part": part, **step.to_json()}
        self.steps.append(
            kept if bridge_first or who == "engine" else {**kept, "bridge": "after StasisStart"}
        )
        self.console.print(f"[dim]{part}[/dim] {step.sentence()}", highlight=False)
        return step

    def search(self, run: int) -> dict[Who, list[Tried]]:
        """The highest rate of both clients, once: step by step in turns, so that what else the machine does hits both."""
        tried: dict[Who, list[Tried]] = {"engine": [], "bare": []}
        turns: tuple[Who, Who] = ("engine", "bare") if run % 2 == 0 else ("bare", "engine")
        goes_on = True
        while goes_on:
            goes_on = False
            for who in turns:
                rate = self.plan.search.next_rate(tried[who])
                if rate is not None:
                    step = self.step(who, rate, part=f"rate, run {run + 1}")
                    tried[who].append(Tried(rate, step.passed))
                    goes_on = True
        found = ", ".join(f"{who} {highest(tried[who])}" for who in turns)
        self.console.print(f"[bold]run {run + 1}: {found} calls/s[/bold]", highlight=False)
        return tried


def _sampler(profile: str) -> list[str]:
    """The command in front of the worker that takes samples of all its threads, if a profile of that kind is wanted."""
    if not profile or profile.endswith(CPROFILE):
        return []
    form = "flamegraph" if profile.endswith(".svg") else "raw"
    return ["py-spy", "record", "--rate", "400", "--threads", "--format", form, "--output", profile, "--"]


def _result(order: Order, *, sampler: Sequence[str]) -> dict[str, object]:
    """Run the worker and read what it says. A worker that does not answer is a step that failed."""
    seconds = order.calls / order.rate + STEP_SLACK_S
    # Settings come with the order: whatever the person's environment sets must not change the figures.
    environment = {
        name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ
    }
    argv = [*sampler, sys.executable, "-m", "scripts.bench.calls", "--worker"]
    try:
        done = subprocess.run(
            argv,
            input=json.dumps(asdict(order)),
            capture_output=True,
            text=True,
            timeout=seconds,
            cwd=ROOT,
            env=environment,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return {"fault": f"the worker was not done within {seconds:.0f} s"}
    if done.returncode != 0:
        return {"fault": f"the worker ended with {done.returncode}: {done.stderr.strip()[-500:]}"}
    said = [line for line in done.stdout.splitlines() if line.startswith("{")]  # py-spy speaks on stdout, too
    result = json.loads(said[-1]) if said else {"fault": "the worker said nothing"}
    assert isinstance(result, dict)
    return result


def _step(order: Order, result: dict[str, object], books: Sequence[str]) -> Step:
    if "fault" in result:
        return Step(
            who=order.who,
            method=order.method,
            rate=order.rate,
            offered=order.calls,
            completed=0,
            came_to={},
            latencies_ms={},
            requests_per_call=0.0,
            cpu_ms_per_call=0.0,
            asterisk_cpu_ms_per_call=0.0,
            cores_busy={},
            done_per_s=0.0,
            books=(str(result["fault"]), *books),
        )
    known = {name: result.pop(name) for name in STEP_FIELDS}
    fields: dict[str, object] = {**known, "books": tuple(books), "more": result}
    return Step(who=order.who, method=order.method, rate=order.rate, **fields)  # type: ignore[arg-type]  # JSON of our worker


STEP_FIELDS: Final = (
    "offered",
    "completed",
    "came_to",
    "latencies_ms",
    "requests_per_call",
    "cpu_ms_per_call",
    "asterisk_cpu_ms_per_call",
    "cores_busy",
    "done_per_s",
)


def _counted_problems(counted: dict[str, object]) -> list[str]:
    """What the engine's own counters say against a step: everything here must be zero."""
    zero = (
        "still_active",
        "journal_errors",
        "mailbox_full",
        "orphans",
        "store_failed",
        "over_http",
        "event_reconnects",
    )
    return [f"{name}: {counted[name]}" for name in zero if counted[name]]


# ------------------------------------------------------------------------------------------------ the three parts


def rates(bench: Bench) -> tuple[Figure, list[dict[Who, list[dict[str, object]]]]]:
    """Part 1: a search for each, in turns."""
    searches = [bench.search(run) for run in range(bench.plan.runs)]
    figure = rate_figure(
        [highest(tried["engine"]) for tried in searches],
        [highest(tried["bare"]) for tried in searches],
        bare_at_the_top=any(bench.plan.search.is_at_the_top(tried["bare"]) for tried in searches),
    )
    return figure, [
        {who: [asdict(one) for one in steps] for who, steps in tried.items()} for tried in searches
    ]


def latencies(bench: Bench) -> list[Figure]:
    """Part 2: the same rate in turns."""
    engine: list[Step] = []
    bare: list[Step] = []
    late_bridge: list[Step] = []
    for _ in range(bench.plan.runs):
        bare.append(bench.step("bare", LATENCY_RATE, part="latency"))
        engine.append(bench.step("engine", LATENCY_RATE, part="latency"))
        late_bridge.append(bench.step("bare", LATENCY_RATE, part="latency", bridge_first=False))
    return [
        latency_figure(engine, bare, what="bare client"),
        latency_figure(engine, late_bridge, what="bare client that makes its bridge after StasisStart"),
    ]


def methods(bench: Bench) -> dict[str, object]:
    """Part 3: both ways to dial, in turns."""
    steps = [
        bench.step("engine", rate, part="methods", method=method)
        for _ in range(bench.plan.runs)
        for rate in METHOD_RATES
        for method in ("create", "originate")
    ]
    rows = method_rows(steps)
    return {"rows": rows, "faster_safe": faster_safe_method(rows)}


# ------------------------------------------------------------------------------------------------ the command


def main() -> int:
    parser = _parser()
    asked = parser.parse_args()
    if asked.worker:
        return run_worker()
    _check(parser, asked)
    console = Console(stderr=True, soft_wrap=True)
    plan = QUICK if asked.quick else FULL
    plan = replace(
        plan,
        runs=asked.runs or plan.runs,
        calls=asked.calls or plan.calls,
        method=asked.method,
        bare_plays=not asked.bare_holds,
    )
    signal.signal(signal.SIGTERM, _as_interrupt)
    try:
        with _lab() as base:
            bench = Bench(base, plan, console)
            if asked.step:
                return _one_step(bench, asked)
            return _everything(bench, asked)
    except LabError as error:
        print(f"calls: {error}", file=sys.stderr)
        if asked.json:
            print(json.dumps({"bench": "calls", "error": str(error)}))
        return CANNOT
    except KeyboardInterrupt:
        print("calls: interrupted", file=sys.stderr)
        return 130


@contextmanager
def _lab() -> Iterator[Ground]:
    with ground() as base:
        base.remove(base.left_of(APP, within_s=0))  # of a bench that was killed
        try:
            yield base
        finally:
            base.remove(base.left_of(APP, within_s=0))  # of a step that was interrupted


def _one_step(bench: Bench, asked: argparse.Namespace) -> int:
    who, rate = asked.step
    profile = str(asked.profile.resolve()) if asked.profile else ""
    step = bench.step(who, int(rate), part="step", profile=profile)
    if asked.json:
        print(json.dumps({"machine": machine(bench.ground.lab.asterisk_version), "step": step.to_json()}))
    return 0 if step.passed else FAILED


def _everything(bench: Bench, asked: argparse.Namespace) -> int:
    parts = asked.parts or PARTS
    before = machine(bench.ground.lab.asterisk_version)
    figures: list[Figure] = []
    report: dict[str, object] = {"bench": "calls", "quick": asked.quick, "machine": before}
    if "latency" in parts:
        figures += latencies(bench)
    if "methods" in parts:
        report["methods"] = methods(bench)
    if "rate" in parts:
        figure, searches = rates(bench)
        figures.insert(0, figure)
        report["searches"] = searches
    report["reference"] = {
        "client": "scripts/bench/bare_client.py",
        "plays": bench.plan.bare_plays,
        "steps": [step for step in bench.steps if step["who"] == "bare"],
    }
    report["steps"] = [step for step in bench.steps if step["who"] == "engine"]
    report["load_average_after"] = [round(value, 2) for value in os.getloadavg()]
    report["figures"] = [figure.to_json() for figure in figures]
    for figure in figures:
        verdict = "[green]reached[/green]" if figure.reached else "[red]MISSED[/red]"
        bench.console.print(f"{figure.name}: {figure.value} (to reach {figure.to_reach}) {verdict}")
    if asked.json:
        print(json.dumps(report))
    return 0 if all(figure.reached for figure in figures) else FAILED


def _check(parser: argparse.ArgumentParser, asked: argparse.Namespace) -> None:
    """Leave with a usage error for what cannot be measured."""
    if asked.step:
        who, rate = asked.step
        if who not in {"engine", "bare"} or not rate.isdigit() or int(rate) < 1:
            parser.error("--step takes engine or bare, and a rate: --step engine 75")
    if asked.profile:
        if not asked.step:
            parser.error("--profile needs --step")
        if asked.profile.suffix != CPROFILE and not shutil.which("py-spy"):
            parser.error(
                f"--profile {asked.profile}: py-spy is not installed; name a file that ends in {CPROFILE}"
            )
    if any(value is not None and value < 1 for value in (asked.runs, asked.calls)):
        parser.error("--runs and --calls are at least 1")


def _as_interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m scripts.bench.calls",
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--json", action="store_true", help="one JSON object on stdout; progress stays on stderr"
    )
    parser.add_argument("--quick", action="store_true", help="one run, 200 calls a step, steps of 10 calls/s")
    parser.add_argument("--parts", nargs="+", choices=PARTS, help="only these; all of them otherwise")
    parser.add_argument("--runs", type=int, help="how often everything is measured (3; 1 with --quick)")
    parser.add_argument("--calls", type=int, help="calls a step, at least (500; 200 with --quick)")
    parser.add_argument(
        "--method",
        choices=("create", "originate"),
        default="create",
        help="how both clients dial in parts 1 and 2",
    )
    parser.add_argument(
        "--bare-holds", action="store_true", help="the bare client waits a second instead of playing one"
    )
    parser.add_argument(
        "--step", nargs=2, metavar=("WHO", "RATE"), help="one step of engine or bare, and nothing else"
    )
    parser.add_argument(
        "--profile", type=Path, metavar="FILE", help="with --step: profile the worker into this file"
    )
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    return parser


if __name__ == "__main__":
    sys.exit(main())
