"""One thread that writes, and commits everything waiting in one transaction.

A caller hands over a unit: a function of the connection that runs its statements and returns a value. While one
transaction is being committed the next units gather; they go to the thread together, share one commit, and each gets
its own result. A unit that fails takes nothing with it: the transaction is rolled back and run again with a savepoint
around every unit, so a unit may run more than once and must do nothing but speak to the connection it is given.

Units that nobody waits for linger a moment, to go along with one that somebody waits for.

aiosqlite has no public way to run a function in its thread: a transaction of two inserts is four awaited statements
there. `scripts/bench/store.py` on two cores that others were using too, synchronous=FULL, an fsync 0.1 to 2.7 ms, the
ranges of several runs, transactions per second of 64 callers:

    loop    aiosqlite, two plain inserts    this writer, a permit (two rows, seven indexes)
    idle    600 to 2,900                    3,600 to 10,300
    busy    20 to 160 (p99 0.4 to 18 s)     2,400 to 6,700 (p99 13 to 92 ms)

A single caller gains nothing: both make some 2,000 where the disk is quiet.

Python's default switch interval (5 ms) starves any thread beside a loop that never rests but enters `select` before the
interval is over: the thread is woken, finds the interpreter taken again, and starts waiting anew. It does not happen in
every run; seen were, as p99 of 64 callers, 16 s at 5 ms (a prototype), 11 s at 0.5 ms, and at most 0.3 s (for a whole
call, three waits) at 0.1 ms. So starting the writer lowers the interval to that, for the whole process.
"""

import asyncio
import logging
import queue
import sqlite3
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from core.errors import StoreError
from core.logs import log_event

T = TypeVar("T")

Unit = Callable[[sqlite3.Connection], T]

MAX_BATCH: Final = 500  # units in one transaction: the thread is back for the next within some 10 ms
LINGER_S: Final = (
    0.02  # what nobody waits for goes along with the next write that somebody does, or after this time
)
SWITCH_INTERVAL_S: Final = 0.0001

_FULL: Final = "PRAGMA synchronous = FULL"
_NORMAL: Final = "PRAGMA synchronous = NORMAL"

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class WriterStats:
    """What the writer has seen so far. `waiting` is the depth now, `peak` the deepest ever."""

    waiting: int = 0
    peak: int = 0
    batches: int = 0
    units: int = 0
    failed: int = 0
    dropped: int = 0
    rerun: int = 0


@dataclass(slots=True, eq=False)
class Write(Generic[T]):
    """One unit on its way to the disk. `what` names it in errors; `done` is None when nobody waits."""

    what: str
    unit: Unit[T]
    on_disk: bool
    done: asyncio.Future[T] | None = None
    value: T | None = None
    error: BaseException | None = None


class Writer:
    """The writing thread, seen from the event loop. Only the loop that started it may call it."""

    def __init__(self, connect: Callable[[], sqlite3.Connection], *, capacity: int) -> None:
        self.stats = WriterStats()
        self._connect = connect
        self._capacity = capacity
        self._loop = asyncio.get_running_loop()
        self._waiting: list[Write[Any]] = []
        self._jobs: queue.SimpleQueue[list[Write[Any]] | None] = queue.SimpleQueue()
        self._working = True  # until it is connected
        self._urgent = False  # somebody waits for one of those in `_waiting`
        self._lingering: asyncio.TimerHandle | None = None
        self._closing = False
        self._connected: asyncio.Future[None] = self._loop.create_future()
        self._ended = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)

    async def start(self) -> None:
        """Start the thread and wait until it is connected. Raises what `connect` raises."""
        sys.setswitchinterval(min(sys.getswitchinterval(), SWITCH_INTERVAL_S))
        self._thread.start()
        try:
            await self._connected
        except BaseException:
            self._jobs.put(None)
            raise

    def submit(self, write: Write[Any], *, limit: bool = True) -> None:
        """Queue a write. From here on it will be done, whatever becomes of the caller.

        Raises StoreError when the queue is full; writes that nobody waits for are refused at half its size, so that
        they never take the room of a permit.
        """
        stats = self.stats
        if self._closing:
            raise StoreError(f"{write.what}: the database is closed")
        if limit and stats.waiting >= (self._capacity if write.on_disk else self._capacity // 2):
            stats.dropped += 1
            raise StoreError(f"{write.what}: {stats.waiting} writes wait already, the disk does not keep up")
        self._waiting.append(write)
        stats.waiting += 1
        stats.peak = max(stats.peak, stats.waiting)
        self._urgent |= write.done is not None
        if not self._working:
            self._go_on()

    async def close(self) -> None:
        """Write what waits, then end the thread. May be called twice, and cancelled."""
        if not self._closing:
            self._closing = True
            if not self._working:
                self._go_on()
        await self._ended.wait()
        self._thread.join(timeout=1)  # it has nothing left to do but return

    # ------------------------------------------------------------------------------------------- in the loop

    def _go_on(self) -> None:
        """The thread is free: give it what waits, let that wait a little for company, or let the thread go."""
        if not self._waiting:
            if self._closing:
                self._jobs.put(None)
        elif self._urgent or self._closing or len(self._waiting) >= MAX_BATCH:
            self._hand_over()
        elif self._lingering is None:
            self._lingering = self._loop.call_later(LINGER_S, self._on_lingered)

    def _on_lingered(self) -> None:
        self._lingering = None
        if not self._working:
            self._hand_over()

    def _hand_over(self) -> None:
        if self._lingering is not None:
            self._lingering.cancel()
            self._lingering = None
        batch, self._waiting = self._waiting[:MAX_BATCH], self._waiting[MAX_BATCH:]
        self._urgent = any(write.done is not None for write in self._waiting)
        self._working = True
        self._jobs.put(batch)

    def _on_connected(self, error: BaseException | None) -> None:
        self._working = False
        if not self._connected.done():
            if error is None:
                self._connected.set_result(None)
            else:
                self._connected.set_exception(error)
        if error is None:
            self._go_on()

    def _on_batch(self, batch: list[Write[Any]], rerun: bool) -> None:
        stats = self.stats
        stats.waiting -= len(batch)
        stats.batches += 1
        stats.units += len(batch)
        stats.rerun += rerun
        for write in batch:
            self._deliver(write)
        self._working = False
        self._go_on()

    def _deliver(self, write: Write[Any]) -> None:
        if write.error is not None:
            self.stats.failed += 1
        heard = write.done is not None and not write.done.done()
        if heard and write.done is not None:
            if write.error is not None:
                write.done.set_exception(write.error)
            else:
                write.done.set_result(write.value)
        elif write.error is not None:
            log_event(_log, logging.ERROR, "store_write_failed", what=write.what, error=str(write.error))

    # ----------------------------------------------------------------------------------------- in the thread

    def _run(self) -> None:
        try:
            conn = self._connect()
        except Exception as error:  # noqa: BLE001  # whatever it is, whoever waits in start() must hear it
            self._tell(self._on_connected, error)
            self._tell(self._ended.set)
            return
        self._tell(self._on_connected, None)
        try:
            full: bool | None = None
            while (batch := self._jobs.get()) is not None:
                before, full = full, any(write.on_disk for write in batch)
                mode = None if full is before else _FULL if full else _NORMAL
                self._tell(self._on_batch, batch, commit(conn, batch, mode))
        finally:
            conn.close()
            self._tell(self._ended.set)

    def _tell(self, callback: Callable[..., None], *args: object) -> None:
        try:
            self._loop.call_soon_threadsafe(callback, *args)
        except RuntimeError:
            pass  # the loop was closed before the database was: nobody is left to tell


def commit(conn: sqlite3.Connection, batch: Sequence[Write[Any]], mode: str | None = None) -> bool:
    """Run all units in one transaction and put each one's value or error into its `Write`.

    `mode` is a statement to run before the transaction, where SQLite allows none inside. Nothing is raised. Returns
    whether the batch had to be run again, unit by unit.
    """
    try:
        if mode is not None:
            conn.execute(mode)
        if _commit_together(conn, batch):
            return False
        _commit_apart(conn, batch)
    except sqlite3.Error as error:
        _fail_all(conn, batch, error)
        return False
    return True


def _commit_together(conn: sqlite3.Connection, batch: Sequence[Write[Any]]) -> bool:
    conn.execute("BEGIN IMMEDIATE")
    try:
        for write in batch:
            write.value = write.unit(conn)
        conn.execute("COMMIT")
    except Exception as error:  # noqa: BLE001  # whose it is turns out when they run apart
        if len(batch) > 1:
            _roll_back(conn)
            return False
        _fail_all(conn, batch, error)
    return True


def _commit_apart(conn: sqlite3.Connection, batch: Sequence[Write[Any]]) -> None:
    conn.execute("BEGIN IMMEDIATE")
    for write in batch:
        conn.execute("SAVEPOINT unit")
        try:
            write.value = write.unit(conn)
        except Exception as error:
            if not conn.in_transaction:
                raise  # SQLite gave up the whole transaction (disk full, I/O error)
            conn.execute("ROLLBACK TO unit")
            write.error = _ours(write, error)
        conn.execute("RELEASE unit")
    conn.execute("COMMIT")


def _roll_back(conn: sqlite3.Connection) -> None:
    if not conn.in_transaction:
        return  # SQLite may have done it itself
    try:
        conn.execute("ROLLBACK")
    except sqlite3.Error:
        pass  # the file cannot even be read; the error that led here says so


def _fail_all(conn: sqlite3.Connection, batch: Sequence[Write[Any]], error: Exception) -> None:
    _roll_back(conn)
    for write in batch:
        write.value = None
        write.error = _ours(write, error)


def _ours(write: Write[Any], error: Exception) -> Exception:
    if not isinstance(error, sqlite3.Error):
        return error
    ours = StoreError(f"{write.what}: {error}")
    ours.__cause__ = error
    return ours
