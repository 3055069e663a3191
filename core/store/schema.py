"""Brings a database to the schema this code knows, from the numbered files in `migrations/`.

Run once, when the database is opened at boot. `PRAGMA user_version` holds the number of the last file applied. Each
file is one transaction: it is applied whole or not at all. Files are never edited after a release; a new one follows.
"""

import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from core.errors import StoreError

MIGRATIONS: Final = Path(__file__).with_name("migrations")

_FILE_NAME: Final = re.compile(r"(?P<number>\d{4})_[a-z0-9_]+\.sql")


def migration_files(folder: Path) -> list[Path]:
    """The migration files in order. Raises StoreError when a number is missing, doubled or unreadable."""
    files = sorted(folder.glob("*.sql"))
    for expected, file in enumerate(files, start=1):
        match = _FILE_NAME.fullmatch(file.name)
        if match is None or int(match["number"]) != expected:
            raise StoreError(f"{file}: expected a migration named {expected:04}_<words>.sql here")
    return files


def schema_version(conn: sqlite3.Connection) -> int:
    """The number of the last migration applied; 0 for a new database."""
    (version,) = conn.execute("PRAGMA user_version").fetchone()
    return int(version)


def bring_up_to_date(conn: sqlite3.Connection, folder: Path = MIGRATIONS, *, migrate: bool = True) -> int:
    """Apply what is missing and return the version reached.

    Raises StoreError when the database is newer than this code, when it is older and `migrate` is off, and when a
    file fails; the database then stands at the last file that succeeded.
    """
    files = migration_files(folder)
    version = schema_version(conn)
    if version > len(files):
        raise StoreError(
            f"the database has schema {version}, this code knows {len(files)}: "
            "start the newer engine, or restore the database from before the upgrade"
        )
    if version < len(files) and not migrate:
        raise StoreError(
            f"the database has schema {version}, this code needs {len(files)}: "
            "start the engine once (`python main.py run`), it migrates at boot"
        )
    for number, file in enumerate(files[version:], start=version + 1):
        _apply(conn, number, file)
    return len(files)


def _apply(conn: sqlite3.Connection, number: int, file: Path) -> None:
    try:
        conn.execute("BEGIN IMMEDIATE")
        try:
            if schema_version(conn) < number:  # another process may have been faster
                for statement in statements(file.read_text(encoding="utf-8")):
                    conn.execute(statement)
                conn.execute(f"PRAGMA user_version = {number:d}")
            conn.execute("COMMIT")
        finally:
            if conn.in_transaction:
                conn.execute("ROLLBACK")
    except (sqlite3.Error, OSError) as error:
        raise StoreError(f"{file}: {error}; the database stays at schema {schema_version(conn)}") from error


def statements(script: str) -> Iterator[str]:
    """The statements of a script one by one. `executescript` would commit what is open; this does not."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
    if statement.strip():
        yield statement
