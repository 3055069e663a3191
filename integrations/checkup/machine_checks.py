"""This machine: the data folder, the database, the engine that may run here, and the programs we use."""

import asyncio
import os
import shutil
import sqlite3
import tempfile
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from core.errors import StoreError
from core.lockfile import FILE_NAME as LOCK_NAME
from core.lockfile import read_holder
from core.store.schema import MIGRATIONS, migration_files, schema_version
from integrations.checkup.check import Answer, Check, fail, ok, warn
from integrations.checkup.subject import Subject

DATABASE: Final = "linekeeper.db"
FREE_FAIL_BYTES: Final = 100 * 1024 * 1024
FREE_WARN_BYTES: Final = 1024 * 1024 * 1024
_A_ZONE: Final = "Europe/Berlin"


async def data_folder(subject: Subject) -> Answer:
    """Ours to write, and to nobody else."""
    folder = subject.storage.data_dir
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(b"x")
    except OSError as error:
        return fail(
            f"{folder}: {error.strerror}",
            "Give the engine's user this folder, or set DATA_DIR to one of its own",
        )
    mode = folder.stat().st_mode & 0o777
    if mode & 0o022:
        return warn(f"{folder} can be written by others (mode {mode:o})", f"chmod go-w {folder}")
    return ok(str(folder.absolute()))


async def disk(subject: Subject) -> Answer:
    """Journals, recordings and the database need room."""
    folder = subject.storage.data_dir
    free = shutil.disk_usage(folder).free
    said = f"{free / 1024**3:.1f} GB free in {folder}"
    if free < FREE_FAIL_BYTES:
        return fail(said, "Make room, or set DATA_DIR to a larger disk")
    if free < FREE_WARN_BYTES:
        return warn(said, "Make room soon")
    return ok(said)


async def store(subject: Subject) -> Answer:
    """The database opens, is whole, and has the schema this code knows, or will get it at the next start."""
    path = subject.storage.data_dir / DATABASE
    if not path.exists():
        return ok("no database yet: the first start makes it")
    try:
        version = await asyncio.to_thread(_schema_of, path)
        newest = len(migration_files(MIGRATIONS))
    except (sqlite3.Error, StoreError) as error:
        return fail(f"{path}: {error}", "Restore it from a backup, or move it away to begin anew")
    if version > newest:
        return fail(
            f"schema {version}, this code knows {newest}",
            "Start the newer version, or restore the older database",
        )
    if version < newest and not subject.storage.run_migrations_on_start:
        return fail(
            f"schema {version}, this code needs {newest}", "Set RUN_MIGRATIONS_ON_START=true for one start"
        )
    return ok(f"schema {version}" + (f", the next start brings it to {newest}" if version < newest else ""))


def _schema_of(path: Path) -> int:
    conn = sqlite3.connect(f"file:{path.absolute()}?mode=ro", uri=True, timeout=5)
    try:
        (verdict,) = conn.execute("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            raise StoreError(f"damaged: {verdict}")
        return schema_version(conn)
    finally:
        conn.close()


async def engine(subject: Subject) -> Answer:
    """Whether an engine runs on this data folder, and whether it can be spoken to."""
    now = read_holder(subject.storage.data_dir / LOCK_NAME)
    if now is None:
        return ok("none has run here yet")
    pid = 0 if now.holder is None else now.holder.pid
    if not now.alive:
        if now.holder is not None and not now.holder.left:
            return warn(
                f"the last one (pid {pid}) died", "Its calls are ended at the next start; its log may say why"
            )
        return ok("none runs, the last one left in good order")
    state = await subject.ask_engine()
    if not state:
        return fail(
            f"one holds this folder (pid {pid}) and does not answer on its control socket",
            f"Wait until it has left, or stop it: kill {pid}",
        )
    return ok(f"one runs here: pid {pid}, {state}")


async def ffmpeg(_subject: Subject) -> Answer:
    """Turns what people record into what telephones play. Nothing on a call needs it yet."""
    found = shutil.which("ffmpeg")
    if found is None:
        return warn("not found", "Install it before prompts are converted: apt install ffmpeg")
    if not os.access(found, os.X_OK):
        return warn(f"{found} cannot be run", "Check its mode")
    return ok(found)


async def tzdata(_subject: Subject) -> Answer:
    """The hours in which people may be called are theirs: without zones nobody can be called."""
    try:
        ZoneInfo.no_cache(_A_ZONE)
    except ZoneInfoNotFoundError:
        return fail(
            "there are no time zones", "Install the requirements again (tzdata), or the system's tzdata"
        )
    return ok(f"{_A_ZONE} is known")


CHECKS = (
    Check("data-folder", "is the data folder ours to write?", data_folder),
    Check("disk", "is there room?", disk, needs=("data-folder",)),
    Check("store", "does the database open?", store, needs=("data-folder",)),
    Check("engine", "does an engine run here, and does it answer?", engine),
    Check("ffmpeg", "is ffmpeg there?", ffmpeg),
    Check("tzdata", "are time zones known?", tzdata),
)
