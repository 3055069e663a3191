"""Migrations: when they run, and what they leave behind when one fails."""

import sqlite3
from pathlib import Path

import pytest

from core.clock import Clock
from core.errors import StoreError
from core.store.database import Database
from core.store.schema import MIGRATIONS, migration_files, statements


def write(folder: Path, **files: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name, script in files.items():
        (folder / f"{name[1:]}.sql").write_text(script)
    return folder


def look(path: Path) -> tuple[int, set[str]]:
    conn = sqlite3.connect(path)
    try:
        (version,) = conn.execute("PRAGMA user_version").fetchone()
        tables = {name for (name,) in conn.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        return version, tables
    finally:
        conn.close()


async def test_a_failing_second_file_leaves_the_first(tmp_path: Path, clock: Clock) -> None:
    """Each file is applied whole or not at all, and the error names the file that failed."""
    folder = write(
        tmp_path / "m",
        _0001_first="CREATE TABLE a (x INTEGER) STRICT;",
        _0002_second="CREATE TABLE b (x INTEGER) STRICT;\nINSERT INTO b VALUES (1);\nCREATE TABLE a (x INTEGER);",
    )
    with pytest.raises(StoreError, match=r"0002_second\.sql.*stays at schema 1"):
        async with Database.open(tmp_path / "x.db", clock, migrations=folder):
            pass
    assert look(tmp_path / "x.db") == (1, {"a"})

    write(folder, _0002_second="CREATE TABLE b (x INTEGER) STRICT;")
    async with Database.open(tmp_path / "x.db", clock, migrations=folder):
        pass
    assert look(tmp_path / "x.db") == (2, {"a", "b"})


async def test_without_migrating_an_old_schema_is_refused(tmp_path: Path, clock: Clock) -> None:
    """A command beside the engine never changes the schema: it says what to do instead."""
    folder = write(tmp_path / "m", _0001_first="CREATE TABLE a (x INTEGER) STRICT;")
    async with Database.open(tmp_path / "x.db", clock, migrations=folder):
        pass
    async with Database.open(tmp_path / "x.db", clock, migrations=folder, migrate=False):
        pass
    write(folder, _0002_second="CREATE TABLE b (x INTEGER) STRICT;")
    with pytest.raises(StoreError, match=r"schema 1, this code needs 2: start the engine"):
        async with Database.open(tmp_path / "x.db", clock, migrations=folder, migrate=False):
            pass
    assert look(tmp_path / "x.db") == (1, {"a"})


async def test_a_newer_schema_is_refused(tmp_path: Path, clock: Clock) -> None:
    """An old engine does not write into a database it does not know."""
    folder = write(tmp_path / "m", _0001_first="CREATE TABLE a (x INTEGER) STRICT;")
    async with Database.open(tmp_path / "x.db", clock, migrations=folder):
        pass
    conn = sqlite3.connect(tmp_path / "x.db")
    conn.execute("PRAGMA user_version = 9")
    conn.close()
    for migrate in (True, False):
        with pytest.raises(StoreError, match="schema 9, this code knows 1"):
            async with Database.open(tmp_path / "x.db", clock, migrations=folder, migrate=migrate):
                pass


def test_files_are_numbered_without_gaps(tmp_path: Path) -> None:
    """A migration that was forgotten or numbered twice is found before anything is applied."""
    with pytest.raises(StoreError, match="0002_<words>"):
        migration_files(write(tmp_path / "gap", _0001_a="", _0003_b=""))
    with pytest.raises(StoreError, match="0002_<words>"):
        migration_files(write(tmp_path / "twice", _0001_a="", _0001_b=""))


def test_a_trigger_is_one_statement() -> None:
    """Semicolons inside a trigger, a text or a comment do not cut it."""
    script = (
        "-- one; two\nCREATE TABLE a (x TEXT);\n"
        "CREATE TRIGGER t AFTER INSERT ON a BEGIN\n  UPDATE a SET x = ';';\n  DELETE FROM a;\nEND;\n"
        "SELECT 1;\n"
    )
    assert [text.strip()[:14] for text in statements(script)] == [
        "-- one; two\nCR",
        "CREATE TRIGGER",
        "SELECT 1;",
    ]


async def test_all_our_tables_are_strict(tmp_path: Path, clock: Clock) -> None:
    """A column holds what its type says; and our own files end no transaction of their own."""
    async with Database.open(tmp_path / "x.db", clock) as db:
        rows = await db.fetch_all("SELECT name, strict FROM pragma_table_list WHERE schema = 'main'")
    loose = {row["name"] for row in rows if not row["strict"] and not row["name"].startswith("sqlite_")}
    assert loose == set()
    for file in migration_files(MIGRATIONS):
        words = {text.lstrip().split(maxsplit=1)[0].upper() for text in statements(file.read_text())}
        assert not words & {"BEGIN", "COMMIT", "ROLLBACK", "END", "SAVEPOINT"}
