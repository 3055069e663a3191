"""Engines that died on this data folder.

An engine for one call has an application, an engine name and a lock of its own below the data folder, so that a later
one finds what it left behind: a lock that is free and says no goodbye.
"""

import shutil
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from core.lockfile import FILE_NAME, read_holder


@dataclass(frozen=True, slots=True)
class Forebear:
    """A dead engine: its name inside ids, and its application. The two are one for an engine for one call."""

    engine: str
    app: str


def engine_folder(data_dir: Path, app: str) -> Path:
    """Where an engine for one call keeps its lock."""
    return data_dir / "engines" / app


def dead_engines(data_dir: Path) -> tuple[Forebear, ...]:
    """The engines for one call whose locks are free and say no goodbye. Clears away the folders of those that left."""
    dead: list[Forebear] = []
    for folder in sorted((data_dir / "engines").glob("*")):
        now = read_holder(folder / FILE_NAME)
        if now is None or now.alive:
            continue
        if now.holder is not None and now.holder.left:
            shutil.rmtree(folder, ignore_errors=True)
        else:
            dead.append(Forebear(engine=folder.name, app=folder.name))
    return tuple(dead)


def forget_engines(data_dir: Path, forebears: Collection[Forebear]) -> None:
    """Their remains are cleared: nobody needs to look for them again."""
    for forebear in forebears:
        shutil.rmtree(engine_folder(data_dir, forebear.app), ignore_errors=True)
