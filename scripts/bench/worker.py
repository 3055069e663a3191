"""One step of load, in a process of its own: so many calls at a constant rate, by the engine or by the bare client.

Arrivals are open-loop: call n is due at n / rate seconds, whatever became of the calls before it. `calls.py` starts this
module's `run` in a fresh interpreter; the order comes as JSON on stdin and the result leaves as JSON on stdout.
"""

import asyncio
import cProfile
import json
import os
import resource
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Literal

from config.settings import Settings, get_settings
from core.logs import setup_logging
from scripts.bench.bare_client import BareWay, bare_client
from scripts.bench.engine_client import engine_client
from scripts.bench.marks import Marks, add_up
from sessions.routing import WANTED_EVENTS

LINE: Final = "+12025550199"
NUMBERS: Final = tuple(f"+120255501{n:02d}" for n in range(100))
REST_SOCKETS: Final = 4
DATA: Final = "data"
"""The engine's data folder below the folder of the step."""
LAST_CALLS_S: Final = 35.0
"""How long calls may take after the last one has begun: longer than a ring timeout and shorter than patience."""
TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")

Who = Literal["engine", "bare"]
CallOne = Callable[[Marks, str], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Order:
    """What one worker has to do. Paths are text so that it travels as JSON."""

    who: Who
    rate: int
    calls: int
    method: str
    app: str
    base_url: str
    ws_url: str
    username: str
    password: str
    folder: str
    scenarios: str
    sound_prefix: str
    media: str
    asterisk_pid: int
    far_end_pid: int
    bare_plays: bool = True
    bare_bridge_first: bool = True
    profile: str = ""


def run() -> int:
    """Carry out the order on stdin."""
    order = Order(**json.load(sys.stdin))
    with (Path(order.folder) / "log.jsonl").open("w", encoding="utf-8") as log:
        setup_logging("INFO", "json", log)
        profiler = cProfile.Profile() if order.profile else None
        if profiler is None:
            result = asyncio.run(_work(order))
        else:
            result = profiler.runcall(asyncio.run, _work(order))
            profiler.dump_stats(order.profile)
    print(json.dumps(result))
    return 0


def engine_settings(order: Order) -> Settings:
    """The shipped defaults, but for where things are and for limits, which are lifted."""
    lifted = str(1_000_000)
    return get_settings(
        None,
        overrides={
            "ARI_APP_NAME": order.app,
            "ARI_BASE_URL": order.base_url,
            "ARI_WS_URL": order.ws_url,
            "ARI_USERNAME": order.username,
            "ARI_PASSWORD": order.password,
            "ARI_REST_SOCKETS": str(REST_SOCKETS),
            "DATA_DIR": str(Path(order.folder) / DATA),
            "SCENARIOS_DIR": order.scenarios,
            "AST_SOUND_PREFIX": order.sound_prefix,
            "OUTBOUND_TRUNK": "lead",
            "DIAL_METHOD": order.method,
            "DRAIN_GRACE_S": "5",
            "MAX_CONCURRENT_CALLS": lifted,
            "MAX_CALLS_PER_MINUTE": lifted,
            "MAX_CALLS_PER_DAY": lifted,
            "MAX_ORIGINATIONS_PER_SECOND": lifted,
        },
    )


async def _work(order: Order) -> dict[str, object]:
    if order.who == "engine":
        settings = engine_settings(order)
        async with engine_client(settings, method=order.method, line=LINE) as client:
            result = await _load(order, client.call)
        return {**result, "engine": client.counts()}
    way = BareWay(
        ws_url=order.ws_url,
        username=order.username,
        password=order.password,
        app=order.app,
        sockets=REST_SOCKETS,
        events=WANTED_EVENTS,
        method=order.method,
        plays=order.bare_plays,
        bridge_first=order.bare_bridge_first,
        media=order.media,
        line=LINE,
    )
    async with bare_client(way) as bare:

        async def call(marks: Marks, number: str) -> None:
            await bare.call(marks, f"PJSIP/{number}@lead")

        return await _load(order, call)


async def _load(order: Order, call: CallOne) -> dict[str, object]:
    """Offer the calls, wait for them, and say what it took."""
    before, threads_before = _Used.now(order), _threads_s()
    start = time.monotonic() + 0.05
    calls = [Marks(due=start + n / order.rate) for n in range(order.calls)]

    async def one(marks: Marks, number: str) -> None:
        marks.begun = time.monotonic()
        await call(marks, number)

    tasks: set[asyncio.Task[None]] = set()
    async with asyncio.TaskGroup() as group:
        for n, marks in enumerate(calls):
            wait_s = marks.due - time.monotonic()
            if wait_s > 0:
                await asyncio.sleep(wait_s)
            tasks.add(group.create_task(one(marks, NUMBERS[n % len(NUMBERS)]), name=f"offered {n}"))
        _, late = await asyncio.wait(tasks, timeout=LAST_CALLS_S)
        for task in late:
            task.cancel()
    took_s = time.monotonic() - start
    used = _Used.now(order).since(before)
    total = add_up(calls, wall_minus_monotonic_s=time.time() - time.monotonic())
    own_s = used["own_cores"] * took_s
    threads = {name: spent - threads_before.get(name, 0.0) for name, spent in _threads_s().items()}
    return {
        **asdict(total),
        "took_s": round(took_s, 2),
        "done_per_s": round(total.completed / took_s, 1),
        "cpu_ms_per_call": round(own_s * 1e3 / order.calls, 2),
        "asterisk_cpu_ms_per_call": round(used["asterisk_cores"] * took_s * 1e3 / order.calls, 2),
        "cpu_ms_per_call_by_thread": {
            name: round(spent * 1e3 / order.calls, 2) for name, spent in threads.items()
        },
        "cores_busy": {name: round(value, 2) for name, value in used.items()},
        "peak_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
        "unfinished": len(late),
    }


@dataclass(frozen=True, slots=True)
class _Used:
    """Processor seconds used so far, by whom. Others: everything else on this machine, stolen time included."""

    at: float
    own: float
    asterisk: float
    far_end: float
    machine: float

    @classmethod
    def now(cls, order: Order) -> "_Used":
        usage = resource.getrusage(resource.RUSAGE_SELF)
        return cls(
            at=time.monotonic(),
            own=usage.ru_utime + usage.ru_stime,
            asterisk=_process_s(str(order.asterisk_pid)),
            far_end=_process_s(str(order.far_end_pid)),
            machine=_machine_s(),
        )

    def since(self, before: "_Used") -> Mapping[str, float]:
        """How many cores each has kept busy since then."""
        took = self.at - before.at
        own, asterisk = self.own - before.own, self.asterisk - before.asterisk
        far_end, machine = self.far_end - before.far_end, self.machine - before.machine
        return {
            "own_cores": own / took,
            "asterisk_cores": asterisk / took,
            "far_end_cores": far_end / took,
            "others_cores": max(0.0, machine - own - asterisk - far_end) / took,
        }


def _threads_s() -> dict[str, float]:
    """What each thread of this process has used, by its name."""
    return {thread.name: _process_s(f"self/task/{thread.native_id}") for thread in threading.enumerate()}


def _process_s(which: str) -> float:
    """What a process has used; 0 for one that is gone."""
    try:
        stat = Path(f"/proc/{which}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return 0.0
    fields = stat.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def _machine_s() -> float:
    """What all processors together have worked, for whomever."""
    first = Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()[1:9]
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, first)
    return (user + nice + system + irq + softirq + steal) / TICKS_PER_S
