"""The database file: one connection that writes (in groups, see `writer`), one that reads through aiosqlite.

Two ways to write, one queue, so a caller's writes keep their order:

* `await db.durable(what, unit)` returns once the commit is on the disk itself (`synchronous=FULL`). Permits,
  suppressions, outcomes and the outbox go this way.
* `db.relaxed(what, unit)` returns at once (`synchronous=NORMAL`). It is committed within some 20 ms; from then on it
  survives the death of the process, but perhaps not a power cut. `await db.flush()` waits for everything queued so far.

Reads see everything that was queued before them. Nothing above this package sees an `sqlite3` exception.
"""

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, TypeVar, cast

import aiosqlite

from core.clock import Clock
from core.errors import StoreError
from core.store.schema import MIGRATIONS, bring_up_to_date
from core.store.writer import Unit, Write, Writer, WriterStats

T = TypeVar("T")

DEFAULT_CAPACITY: Final = 20_000  # writes waiting: some seconds of a stalled disk at full load
DEFAULT_DEADLINE_S: Final = 30.0
BUSY_TIMEOUT_MS: Final = 5_000  # a command typed beside the engine may hold the file for a moment

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)

Value = str | int | float | bytes | None


def to_micros(at: datetime) -> int:
    """An aware time as tables hold it: microseconds since 1970, without rounding."""
    return (at - _EPOCH) // _MICROSECOND


def from_micros(micros: int) -> datetime:
    """What `to_micros` was given, in UTC."""
    return _EPOCH + micros * _MICROSECOND


def maybe_micros(at: datetime | None) -> int | None:
    return None if at is None else to_micros(at)


def maybe_moment(micros: int | None) -> datetime | None:
    return None if micros is None else from_micros(micros)


class Database:
    """An open database. Made by `Database.open`."""

    def __init__(self, writer: Writer, reader: aiosqlite.Connection, clock: Clock, deadline_s: float) -> None:
        self._writer = writer
        self._reader = reader
        self._clock = clock
        self._deadline_s = deadline_s

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        path: Path,
        clock: Clock,
        *,
        migrate: bool = True,
        migrations: Path = MIGRATIONS,
        capacity: int = DEFAULT_CAPACITY,
        deadline_s: float = DEFAULT_DEADLINE_S,
    ) -> AsyncIterator["Database"]:
        """Open or create the file (0600, its folder 0700), bring its schema up to date, and close it at the end.

        With `migrate=False` an older schema raises StoreError; a newer one always does.
        """

        def connect() -> sqlite3.Connection:
            return _connect_writer(path, migrations, migrate=migrate)

        async with clock.real_work():
            writer = Writer(connect, capacity=capacity)
            await writer.start()
            try:
                reader = await _connect_reader(path)
            except BaseException:
                await writer.close()
                raise
        database = cls(writer, reader, clock, deadline_s)
        try:
            yield database
        finally:
            await database.close()

    @property
    def stats(self) -> WriterStats:
        """Depth of the queue and counters of the writer. Read it, do not keep it."""
        return self._writer.stats

    async def durable(self, what: str, unit: Unit[T]) -> T:
        """Run `unit` in a transaction and return its value once that is on the disk.

        Once queued it is done even if the caller is cancelled. Raises what the unit raises, StoreError for what SQLite
        refused, when too many writes wait, and when the deadline passes (then it may still happen).
        """
        return await self._write(what, unit, on_disk=True)

    def relaxed(self, what: str, unit: Unit[object]) -> bool:
        """Queue `unit` and return. False, and counted in `stats.dropped`, when too many writes wait already.

        Should it fail later, the failure is logged and counted.
        """
        try:
            self._writer.submit(Write(what, unit, on_disk=False))
        except StoreError:
            return False
        return True

    async def flush(self) -> None:
        """Return once everything queued before is committed."""
        await self._write("flush", lambda _conn: None, on_disk=False, limit=False)

    async def fetch_all(self, sql: str, values: Iterable[Value] = ()) -> list[sqlite3.Row]:
        """All rows of a query, on the reading connection. It sees everything queued before."""
        if self._writer.stats.waiting:
            await self.flush()
        try:
            async with self._clock.real_work():
                async with asyncio.timeout(self._deadline_s):
                    rows = await self._reader.execute_fetchall(sql, values)
        except TimeoutError as error:
            raise StoreError(f"no answer from the database within {self._deadline_s:g} s") from error
        except (sqlite3.Error, ValueError) as error:  # ValueError is aiosqlite's "Connection closed"
            raise StoreError(f"{error}") from error
        return cast(list[sqlite3.Row], rows)

    async def fetch_one(self, sql: str, values: Iterable[Value] = ()) -> sqlite3.Row | None:
        """The first row of a query, or None."""
        rows = await self.fetch_all(sql, values)
        return rows[0] if rows else None

    async def close(self) -> None:
        """Write what waits and close both connections. May be called twice."""
        async with self._clock.real_work():
            try:
                await self._reader.close()
            finally:
                await self._writer.close()

    async def _write(self, what: str, unit: Unit[T], *, on_disk: bool, limit: bool = True) -> T:
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._writer.submit(Write(what, unit, on_disk, done), limit=limit)
        try:
            async with self._clock.real_work():
                async with asyncio.timeout(self._deadline_s):
                    return await done
        except TimeoutError as error:
            raise StoreError(
                f"{what}: not on disk within {self._deadline_s:g} s; it may still happen"
            ) from error


def _connect_writer(path: Path, migrations: Path, *, migrate: bool) -> sqlite3.Connection:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # SQLite gives its -wal and -shm files the mode of the file itself.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        conn = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    except (sqlite3.Error, OSError) as error:
        raise StoreError(f"{path}: {error}") from error
    try:
        conn.row_factory = sqlite3.Row
        conn.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS:d}")
        conn.execute("PRAGMA journal_mode = WAL")
        conn.execute("PRAGMA synchronous = NORMAL")
        conn.execute("PRAGMA foreign_keys = ON")
        bring_up_to_date(conn, migrations, migrate=migrate)
    except BaseException as error:
        conn.close()
        if isinstance(error, sqlite3.Error):
            raise StoreError(f"{path}: {error}") from error
        raise
    return conn


async def _connect_reader(path: Path) -> aiosqlite.Connection:
    try:
        reader = await aiosqlite.connect(path, isolation_level=None)
    except sqlite3.Error as error:
        raise StoreError(f"{path}: {error}") from error
    try:
        reader.row_factory = sqlite3.Row
        await reader.execute_fetchall(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS:d}")
        await reader.execute_fetchall("PRAGMA query_only = ON")
    except BaseException as error:
        await reader.close()
        if isinstance(error, sqlite3.Error):
            raise StoreError(f"{path}: {error}") from error
        raise
    return reader
