"""How fast the store and the journal are: permits and calls per second, journal lines per second.

`python -m scripts.bench.store [--json]`. Each store figure is measured idle and beside an event loop that never rests;
the same two inserts go through aiosqlite, statement by statement, for reference.
"""

import argparse
import asyncio
import contextlib
import json
import os
import platform
import random
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import aiosqlite

from core.clock import SystemClock, unix_ms
from core.ids import CallId, new_call_id
from core.journal import Journal
from core.store import CallRow, Direction, PermitKind, Store

LINE = "+14155550100"
EVENT = {
    "type": "ChannelStateChange",
    "timestamp": "2026-01-05T09:00:00.000+0000",
    "channel": {
        "id": "lk.engine.cu.01kdq0000abcdefg",
        "name": "PJSIP/carrier-0000001a",
        "state": "Up",
        "caller": {"name": "", "number": "+14155550123"},
        "connected": {"name": "", "number": ""},
        "dialplan": {"context": "from-carrier", "exten": "s", "priority": 1},
    },
    "application": "linekeeper",
}


async def spread(times: int, callers: int, one: Callable[[int], Awaitable[object]]) -> dict[str, float]:
    """Run `one` so many times from so many tasks; times per second and latencies."""
    latencies: list[float] = []
    numbers = iter(range(times))

    async def caller() -> None:
        for number in numbers:
            begun = time.perf_counter()
            await one(number)
            latencies.append(time.perf_counter() - begun)

    begun, cpu = time.perf_counter(), time.process_time()
    async with asyncio.TaskGroup() as group:
        for _ in range(callers):
            group.create_task(caller())
    took = time.perf_counter() - begun
    cpu = time.process_time() - cpu
    latencies.sort()
    return {
        "per_s": round(times / took),
        "p50_ms": round(latencies[times // 2] * 1e3, 2),
        "p99_ms": round(latencies[times * 99 // 100] * 1e3, 2),
        "cpu_us": round(cpu / times * 1e6),
    }


async def offered(per_s: int, times: int, one: Callable[[int], Awaitable[object]]) -> dict[str, float]:
    """Run `one` at this rate, evenly spaced, as calls come in; latencies and processor time of each."""
    latencies: list[float] = []

    async def caller(number: int) -> None:
        begun = time.perf_counter()
        await one(number)
        latencies.append(time.perf_counter() - begun)

    begun, cpu = time.perf_counter(), time.process_time()
    async with asyncio.TaskGroup() as group:
        for number in range(times):
            await asyncio.sleep(max(0, begun + number / per_s - time.perf_counter()))
            group.create_task(caller(number))
    took = time.perf_counter() - begun
    cpu = time.process_time() - cpu
    latencies.sort()
    return {
        "per_s": round(times / took),
        "p50_ms": round(latencies[times // 2] * 1e3, 2),
        "p99_ms": round(latencies[times * 99 // 100] * 1e3, 2),
        "cpu_us": round(cpu / times * 1e6),
    }


@contextlib.asynccontextmanager
async def busy_loop(busy: bool) -> AsyncIterator[None]:
    """Beside the block, keep the loop busy with half milliseconds of work, or not."""

    async def burn() -> None:
        while True:
            until = time.perf_counter() + 0.0005
            while time.perf_counter() < until:
                pass
            await asyncio.sleep(0)

    async with asyncio.TaskGroup() as tasks:
        burning = tasks.create_task(burn(), name="burn") if busy else None
        try:
            yield
        finally:
            if burning is not None:
                burning.cancel()


async def store_figures(folder: Path, times: int) -> dict[str, object]:
    figures: dict[str, object] = {}
    rng = random.Random(1)
    async with Store.open(folder / "store.db", SystemClock(), rng) as store:

        def new_id() -> CallId:
            return new_call_id(unix_ms(datetime.now(UTC)), rng)

        async def permit(_: int) -> None:
            await store.permits.permit_attempt(
                call_id=new_id(),
                number="+14155550123",
                line=LINE,
                scenario="survey",
                kind=PermitKind.CAMPAIGN,
                granted_by="campaign 1",
                decision={"hours": "open", "pack": "none", "version": 1},
                at=datetime.now(UTC),
            )

        async def whole_call(_: int) -> None:
            """What a dialled call writes: permit, dial with its row, five notes, the end."""
            at, call = datetime.now(UTC), new_id()
            permit = await store.permits.permit_attempt(
                call_id=call,
                number="+14155550123",
                line=LINE,
                scenario="survey",
                kind=PermitKind.CAMPAIGN,
                granted_by="campaign 1",
                decision={"hours": "open"},
                at=at,
            )
            row = CallRow(
                call_id=call,
                engine="lk",
                app="linekeeper",
                engine_run="run",
                direction=Direction.OUTBOUND,
                state="dialling",
                started_at=at,
            )
            await store.permits.begin_dial(permit, at=at, call=row)
            store.calls.note_call(call, bridge_id="lk.lk.br.x", customer_channel="lk.lk.cu.x")
            store.calls.mark_answered(call, at=at)
            for seq in range(3):
                store.flow_states.save_flow_state(call, seq, f'{{"at": "question", "asked": {seq}}}', at=at)
            assert await store.calls.finish_call(call, "completed", at=at, hangup_cause=16)

        for name, one in (("permits", permit), ("whole_calls", whole_call)):
            for callers in (1, 64):
                for busy in (False, True):
                    async with busy_loop(busy):
                        label = f"{name}, {callers} callers" + (", busy loop" if busy else "")
                        figures[label] = await spread(times if callers > 1 else times // 8, callers, one)
        figures["whole_calls, 150 offered per s"] = await offered(150, times, whole_call)
        stats = store.db.stats
        figures["units per batch"] = round(stats.units / stats.batches, 1)
        assert stats.failed == stats.dropped == 0
    return figures


async def reference_figures(folder: Path, times: int) -> dict[str, object]:
    """Two inserts per transaction through aiosqlite, a statement at a time."""
    figures: dict[str, object] = {}
    async with aiosqlite.connect(folder / "reference.db", isolation_level=None) as conn:
        for pragma in ("journal_mode = WAL", "synchronous = FULL"):
            await conn.execute_fetchall(f"PRAGMA {pragma}")
        await conn.executescript(
            "CREATE TABLE a (x TEXT, y TEXT) STRICT; CREATE TABLE b (x TEXT, y TEXT) STRICT;"
        )
        lock = asyncio.Lock()

        async def one(number: int) -> None:
            async with lock:
                await conn.execute("BEGIN IMMEDIATE")
                await conn.execute("INSERT INTO a VALUES (?, ?)", (str(number), "x" * 200))
                await conn.execute("INSERT INTO b VALUES (?, ?)", (str(number), "x" * 200))
                await conn.execute("COMMIT")

        for callers in (1, 64):
            for busy in (False, True):
                async with busy_loop(busy):
                    label = f"aiosqlite, {callers} callers" + (", busy loop" if busy else "")
                    figures[label] = await spread(times // 4, callers, one)
    return figures


def journal_figures(folder: Path, times: int) -> dict[str, object]:
    header = {"call_id": new_call_id(0, random.Random(1))}
    journal = Journal.open(folder / "journal", header, at=datetime.now(UTC), max_bytes=1 << 30)
    latencies = []
    for number in range(times):
        begun = time.perf_counter()
        journal.write("event", float(number), EVENT)
        latencies.append(time.perf_counter() - begun)
    journal.close()
    latencies.sort()
    return {
        "journal lines": {
            "per_s": round(times / sum(latencies)),
            "p50_us": round(latencies[times // 2] * 1e6, 1),
            "p99_us": round(latencies[times * 99 // 100] * 1e6, 1),
            "bytes": round(journal.path.stat().st_size / times),
        }
    }


def machine(folder: Path) -> dict[str, object]:
    fd = os.open(folder / "sync", os.O_CREAT | os.O_WRONLY, 0o600)
    begun = time.perf_counter()
    for _ in range(100):
        os.write(fd, b"x" * 4096)
        os.fsync(fd)
    took = time.perf_counter() - begun
    os.close(fd)
    return {"python": platform.python_version(), "cores": os.cpu_count(), "fsync_us": round(took * 1e4)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--times", type=int, default=2_000, help="permits and calls per figure")
    parser.add_argument("--folder", type=Path, help="where to write; a temporary folder otherwise")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=asked.folder) as name:
        folder = Path(name)
        figures: dict[str, object] = {"machine": machine(folder)}
        figures |= asyncio.run(store_figures(folder, asked.times))
        figures |= asyncio.run(reference_figures(folder, asked.times))
        figures |= journal_figures(folder, asked.times * 20)
    if asked.json:
        print(json.dumps(figures, indent=1))
    else:
        for label, figure in figures.items():
            print(f"{label:<38}{figure}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
