"""Writing to the database: groups, isolation, order, limits, endings."""

import asyncio
import logging
import sqlite3
import stat
import tempfile
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.clock import Clock, SystemClock
from core.errors import StoreError
from core.store.database import Database
from core.store.writer import Unit

NOTES = "CREATE TABLE notes (place INTEGER PRIMARY KEY, note INTEGER UNIQUE, author INTEGER) STRICT;\n"


@pytest.fixture
def migrations(tmp_path: Path) -> Path:
    """A schema of one table, to write anything into."""
    folder = tmp_path / "migrations"
    folder.mkdir()
    (folder / "0001_notes.sql").write_text(NOTES)
    return folder


def note(number: int, author: int = 0) -> Unit[int]:
    def unit(conn: sqlite3.Connection) -> int:
        conn.execute("INSERT INTO notes (note, author) VALUES (?, ?)", (number, author))
        return number

    return unit


def refused(conn: sqlite3.Connection) -> None:
    conn.execute("INSERT INTO notes (note) VALUES (999)")
    raise LookupError("this one wants to fail")


async def notes(db: Database) -> list[int]:
    return [row["note"] for row in await db.fetch_all("SELECT note FROM notes ORDER BY place")]


def blocker(started: threading.Event, go_on: threading.Event) -> Unit[None]:
    """A unit that keeps the thread busy, so that others gather behind it."""

    def unit(conn: sqlite3.Connection) -> None:
        started.set()
        assert go_on.wait(10)

    return unit


async def wait_for(happened: threading.Event) -> None:
    assert await asyncio.to_thread(happened.wait, 10)


class Held:
    """A database whose thread stands still until `release`."""

    def __init__(self, db: Database) -> None:
        self._started, self._go_on = threading.Event(), threading.Event()
        assert db.relaxed("hold", blocker(self._started, self._go_on))

    async def begun(self) -> None:
        await wait_for(self._started)

    def release(self) -> None:
        self._go_on.set()


async def test_a_durable_write_returns_its_value_and_is_seen(
    tmp_path: Path, migrations: Path, clock: Clock
) -> None:
    """`durable` gives back what the unit returned, once everyone can read what it wrote."""
    async with Database.open(tmp_path / "x.db", clock, migrations=migrations) as db:
        assert await db.durable("note", note(7)) == 7
        with sqlite3.connect(tmp_path / "x.db") as other:
            assert other.execute("SELECT note FROM notes").fetchall() == [(7,)]
        other.close()


async def test_durable_commits_with_full_sync_and_relaxed_without(
    tmp_path: Path, migrations: Path, clock: Clock
) -> None:
    """A permit is on the disk itself; a relaxed write costs no fsync of its own."""
    seen: list[tuple[str, int]] = []

    def look(name: str) -> Unit[None]:
        def unit(conn: sqlite3.Connection) -> None:
            (mode,) = conn.execute("PRAGMA synchronous").fetchone()
            seen.append((name, mode))

        return unit

    async with Database.open(tmp_path / "x.db", clock, migrations=migrations) as db:
        db.relaxed("look", look("relaxed"))
        await db.flush()
        await db.durable("look", look("durable"))
        db.relaxed("look", look("relaxed"))
    assert seen == [("relaxed", 1), ("durable", 2), ("relaxed", 1)]


async def test_what_waits_is_committed_together(tmp_path: Path, migrations: Path, clock: Clock) -> None:
    """A hundred writers behind a slow one share one transaction."""
    async with Database.open(tmp_path / "x.db", clock, migrations=migrations) as db:
        held = Held(db)
        await held.begun()
        async with asyncio.TaskGroup() as group:
            for number in range(100):
                group.create_task(db.durable("note", note(number)))
            await asyncio.sleep(0)
            assert (db.stats.waiting, db.stats.peak) == (101, 101)
            held.release()
        assert db.stats.batches == 2
        assert await notes(db) == list(range(100))


async def test_relaxed_writes_go_along_with_the_next_durable_one_or_soon_by_themselves(
    tmp_path: Path, migrations: Path, clock: Clock
) -> None:
    """They cost no transaction of their own while there is traffic, and are not left lying when there is none."""
    async with Database.open(tmp_path / "x.db", clock, migrations=migrations) as db:
        assert db.relaxed("note", note(1))
        assert db.relaxed("note", note(2))
        await db.durable("note", note(3))
        assert (db.stats.batches, db.stats.units) == (1, 3)
        assert db.relaxed("note", note(4))
        for _ in range(500):
            await asyncio.sleep(0.01)
            if not db.stats.waiting:
                break
        assert (db.stats.batches, db.stats.units) == (2, 4)


async def test_a_failing_unit_fails_alone(tmp_path: Path, migrations: Path, clock: Clock) -> None:
    """Neighbours in the same transaction are written, the failing one leaves nothing, and each hears its own."""
    async with Database.open(tmp_path / "x.db", clock, migrations=migrations) as db:
        held = Held(db)
        await held.begun()
        writes: list[asyncio.Future[object]] = [
            asyncio.ensure_future(db.durable("note", unit))
            for unit in (note(1), refused, note(2), note(1), note(3))
        ]
        await asyncio.sleep(0)
        held.release()
        first, own, second, double, third = await asyncio.gather(*writes, return_exceptions=True)
        assert (first, second, third) == (1, 2, 3)
        assert isinstance(own, LookupError)
        assert isinstance(double, StoreError)
        assert isinstance(double.__cause__, sqlite3.IntegrityError)
        assert (db.stats.failed, db.stats.rerun) == (2, 1)
        assert await notes(db) == [1, 2, 3]


async def test_errors_name_the_write_and_chain_the_cause(
    tmp_path: Path, migrations: Path, clock: Clock
) -> None:
    """Nothing above the store sees sqlite3's exceptions, in writing or reading."""
    async with Database.open(tmp_path / "x.db", clock, migrations=migrations) as db:
        with pytest.raises(StoreError, match=r"permit_attempt: .*no such table") as caught:
            await db.durable("permit_attempt", lambda conn: conn.execute("INSERT INTO absent VALUES (1)"))
        assert isinstance(caught.value.__cause__, sqlite3.OperationalError)
        with pytest.raises(StoreError, match="no such table"):
            await db.fetch_all("SELECT * FROM absent")
        with pytest.raises(StoreError, match=r"readonly|query_only|read-only"):
            await db.fetch_all("INSERT INTO notes (note) VALUES (1)")


async def test_a_cancelled_waiter_does_not_undo_its_write(
    tmp_path: Path, migrations: Path, clock: Clock
) -> None:
    """An outcome being written while the call's tasks are cancelled is written."""
    async with Database.open(tmp_path / "x.db", clock, migrations=migrations) as db:
        held = Held(db)
        await held.begun()
        writing = asyncio.create_task(db.durable("note", note(5)))
        await asyncio.sleep(0)
        writing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writing
        held.release()
        assert await notes(db) == [5]


async def test_a_relaxed_write_that_fails_is_logged_and_counted(
    tmp_path: Path, migrations: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody waits for it, so its failure must not be silent."""
    async with Database.open(tmp_path / "x.db", clock, migrations=migrations) as db:
        with caplog.at_level(logging.ERROR):
            assert db.relaxed("note", refused)
            await db.flush()
        assert [record.message for record in caplog.records] == ["store_write_failed"]
        assert db.stats.failed == 1


async def test_a_full_queue_refuses_relaxed_writes_first(
    tmp_path: Path, migrations: Path, clock: Clock
) -> None:
    """Beyond half the queue relaxed writes are dropped and counted; beyond the whole a durable one raises."""
    async with Database.open(tmp_path / "x.db", clock, migrations=migrations, capacity=8) as db:
        held = Held(db)
        await held.begun()
        assert [db.relaxed("note", note(number)) for number in range(5)] == [True, True, True, False, False]
        async with asyncio.TaskGroup() as group:
            for number in range(10, 14):
                group.create_task(db.durable("note", note(number)))
            await asyncio.sleep(0)
            with pytest.raises(StoreError, match="does not keep up"):
                await db.durable("note", note(20))
            held.release()
        assert db.stats.dropped == 3
        assert await notes(db) == [0, 1, 2, 10, 11, 12, 13]


async def test_a_disk_that_does_not_answer_is_an_error(
    tmp_path: Path, migrations: Path, clock: Clock
) -> None:
    """Every wait has a deadline; the write itself is still done."""
    async with Database.open(tmp_path / "x.db", clock, migrations=migrations, deadline_s=0.05) as db:
        held = Held(db)
        await held.begun()
        with pytest.raises(StoreError, match="may still happen"):
            await db.durable("note", note(1))
        held.release()
    async with Database.open(tmp_path / "x.db", clock, migrations=migrations) as db:
        assert await notes(db) == [1]


async def test_closing_writes_what_waits_and_may_happen_twice(
    tmp_path: Path, migrations: Path, clock: Clock
) -> None:
    """`close` loses nothing, ends the thread, and refuses what comes later."""
    threads = set(threading.enumerate())
    async with Database.open(tmp_path / "x.db", clock, migrations=migrations) as db:
        for number in range(1_200):
            db.relaxed("note", note(number))
        await db.close()
        await db.close()
        assert (db.relaxed("note", note(1)), db.stats.units) == (False, 1_200)
        with pytest.raises(StoreError, match="closed"):
            await db.durable("note", note(1))
        with pytest.raises(StoreError, match="closed"):
            await db.fetch_all("SELECT 1")
    assert set(threading.enumerate()) == threads
    async with Database.open(tmp_path / "x.db", clock, migrations=migrations) as db:
        assert len(await notes(db)) == 1_200


async def test_a_cancelled_close_still_closes(tmp_path: Path, migrations: Path, clock: Clock) -> None:
    """The engine's last deadline may cut the closing short; what was queued is written nevertheless."""
    async with Database.open(tmp_path / "x.db", clock, migrations=migrations) as db:
        held = Held(db)
        await held.begun()
        db.relaxed("note", note(1))
        closing = asyncio.create_task(db.close())
        await asyncio.sleep(0.01)
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
        held.release()
    async with Database.open(tmp_path / "x.db", clock, migrations=migrations) as db:
        assert await notes(db) == [1]


async def test_another_process_holding_the_file_is_waited_for(
    tmp_path: Path, migrations: Path, clock: Clock
) -> None:
    """A command that writes beside the engine delays a write, it does not fail it."""
    async with Database.open(tmp_path / "x.db", clock, migrations=migrations) as db:
        other = sqlite3.connect(tmp_path / "x.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        other.execute("INSERT INTO notes (note) VALUES (1)")
        writing = asyncio.create_task(db.durable("note", note(2)))
        await asyncio.sleep(0.1)
        assert not writing.done()
        other.execute("COMMIT")
        other.close()
        assert await writing == 2


async def test_the_file_is_for_its_owner_only(tmp_path: Path, migrations: Path, clock: Clock) -> None:
    """It holds telephone numbers: 0600, its folder 0700, and so for the files SQLite puts beside it."""
    path = tmp_path / "state" / "x.db"
    async with Database.open(path, clock, migrations=migrations) as db:
        await db.durable("note", note(1))
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
        assert modes == {"x.db": 0o600, "x.db-wal": 0o600, "x.db-shm": 0o600}
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


async def test_what_is_no_database_is_refused(tmp_path: Path, migrations: Path, clock: Clock) -> None:
    """Opening a file of something else raises StoreError and leaves no thread behind."""
    threads = set(threading.enumerate())
    path = tmp_path / "x.db"
    path.write_text("not a database, but long enough to look like one " * 50)
    with pytest.raises(StoreError, match="not a database"):
        async with Database.open(path, clock, migrations=migrations):
            pass
    with pytest.raises(StoreError):
        async with Database.open(tmp_path, clock, migrations=migrations):
            pass
    for thread in set(threading.enumerate()) - threads:
        if thread.name == "store-writer":
            thread.join(5)
    assert "store-writer" not in {thread.name for thread in threading.enumerate()}


@pytest.mark.virtual_time
async def test_two_hundred_statements_take_no_virtual_time(
    tmp_path: Path, migrations: Path, clock: Clock
) -> None:
    """Time stands still while the disk works: no statement times out because a virtual clock ran ahead."""
    async with Database.open(tmp_path / "x.db", clock, migrations=migrations) as db:
        begun = clock.now()
        for number in range(100):
            async with asyncio.timeout(0.001):
                assert await db.durable("note", note(number)) == number
            async with asyncio.timeout(0.001):
                assert len(await db.fetch_all("SELECT note FROM notes")) == number + 1
        assert clock.now() == begun
        await asyncio.sleep(3600)
        assert clock.now() == begun + 3600


@pytest.mark.virtual_time
async def test_relaxed_writes_do_not_hold_virtual_time(
    tmp_path: Path, migrations: Path, clock: Clock
) -> None:
    """What nobody waits for holds nobody up, and is there when somebody asks."""
    async with Database.open(tmp_path / "x.db", clock, migrations=migrations) as db:
        for number in range(200):
            db.relaxed("note", note(number))
            await asyncio.sleep(60)
        assert len(await notes(db)) == 200


ONE_WRITE = st.tuples(st.sampled_from(["durable", "relaxed", "refused", "cancelled"]), st.booleans())


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(scripts=st.lists(st.lists(ONE_WRITE, max_size=12), min_size=1, max_size=6))
def test_no_unit_is_lost_and_every_caller_keeps_its_order(scripts: list[list[tuple[str, bool]]]) -> None:
    """However callers interleave, fail or are cancelled: each one's writes stand there once, in its order."""

    async def one_caller(db: Database, author: int, script: list[tuple[str, bool]]) -> None:
        for step, (how, pause) in enumerate(script):
            number = author * 1000 + step
            match how:
                case "durable":
                    assert await db.durable("note", note(number, author)) == number
                case "relaxed":
                    assert db.relaxed("note", note(number, author))
                case "refused":
                    with pytest.raises(LookupError):
                        await db.durable("note", refused)
                case _:
                    writing = asyncio.ensure_future(db.durable("note", note(number, author)))
                    await asyncio.sleep(0)
                    writing.cancel()
            if pause:
                await asyncio.sleep(0)

    async def scene(folder: Path) -> None:
        (folder / "0001_notes.sql").write_text(NOTES)
        async with Database.open(folder / "x.db", SystemClock(), migrations=folder) as db:
            async with asyncio.TaskGroup() as group:
                for author, script in enumerate(scripts):
                    group.create_task(one_caller(db, author, script))
            rows = await db.fetch_all("SELECT note, author FROM notes ORDER BY place")
        for author, script in enumerate(scripts):
            written = [row["note"] for row in rows if row["author"] == author]
            assert written == [
                author * 1000 + step for step, (how, _) in enumerate(script) if how != "refused"
            ]

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(scene(Path(folder)))
