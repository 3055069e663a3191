"""The lab's memory: one JSON file that tells every other process how to reach this lab.

It holds a password, so only its owner may read it. It is replaced whole, never edited in place.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from scripts.lab.errors import NotBuilt
from scripts.lab.layout import Layout

FORMAT = 1


@dataclass(frozen=True, slots=True)
class State:
    """What is known about a lab: how it was built, where it listens, who runs it."""

    release: str
    asterisk_version: str
    username: str
    password: str
    built_at: str
    app: str = "linekeeper"
    http_port: int = 0
    sip_port: int = 0
    far_port: int = 0
    rtp_first: int = 10000
    rtp_last: int = 29999
    pid: int | None = None
    started_ticks: int | None = None

    @property
    def major(self) -> int:
        """Asterisk's major version: 22 of `22.10.1~dfsg`."""
        return int(self.asterisk_version.split(".", 1)[0])

    def stopped(self) -> State:
        return replace(self, pid=None, started_ticks=None)


def read(layout: Layout) -> State:
    """The state of a finished lab; `NotBuilt` when the folder holds none."""
    try:
        kept = json.loads(layout.state_file.read_text())
    except FileNotFoundError:
        kept = None
    if kept is None or not layout.root.is_dir():
        raise NotBuilt(f"no finished lab in {layout.directory}: run `python -m scripts.lab build`")
    if kept.get("format") != FORMAT:
        raise NotBuilt(
            f"{layout.state_file} was written by another version of the lab: clean and build again"
        )
    known = {field.name for field in fields(State)}
    return State(**{name: value for name, value in kept.items() if name in known})


def write(layout: Layout, state: State) -> None:
    """Keep the state, with the paths beside it for readers who do not use this package."""
    kept = asdict(state) | {
        "format": FORMAT,
        "base_url": f"http://127.0.0.1:{state.http_port}/ari",
        "ws_url": f"ws://127.0.0.1:{state.http_port}/ari/events",
        "root": str(layout.root),
        "sound_dir": str(layout.sound_dir),
        "recording_dir": str(layout.recording_dir),
    }
    layout.directory.mkdir(parents=True, exist_ok=True)
    new = layout.state_file.with_suffix(".new")
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(handle, "w") as file:
        json.dump(kept, file, indent=2)
        file.write("\n")
    new.replace(layout.state_file)


def is_built(layout: Layout) -> bool:
    return layout.root.is_dir() and layout.state_file.is_file()


def forget(layout: Layout) -> None:
    """Remove the state before a rebuild, so that a half-made lab never looks finished."""
    Path(layout.state_file).unlink(missing_ok=True)
