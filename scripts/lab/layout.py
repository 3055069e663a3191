"""Where things are in a lab folder, seen from outside and from inside its root.

A name in capitals is a path as Asterisk sees it; `Layout.inside` turns it into one of the host. Only folders that
are real (never symbolic links, which would be followed on the host) are named here.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]

ETC = "/etc/linekeeper-lab"
DATA = "/usr/share/asterisk"
VAR = "/var/lib/asterisk"
SPOOL = "/var/spool/asterisk"
LOG = "/var/log/asterisk"
RUN = "/run/asterisk"
SOUNDS = f"{DATA}/sounds"
MUSIC = f"{DATA}/music-lab"
SIPP = "/var/lib/sipp-lab"

SOUND_PREFIX = "custom"


def default_directory(release: str) -> Path:
    """The folder used when nobody names one: `LAB_DIR`, else `var/lab/<release>` in the repository."""
    named = os.environ.get("LAB_DIR")
    return Path(named).resolve() if named else REPOSITORY / "var" / "lab" / release


@dataclass(frozen=True, slots=True)
class Layout:
    """The parts of one lab folder."""

    directory: Path

    @property
    def root(self) -> Path:
        """The finished root file system. It has this name only once it is complete."""
        return self.directory / "root"

    @property
    def unfinished_root(self) -> Path:
        """The root while it is being made; whoever finds one throws it away."""
        return self.directory / "root.unfinished"

    @property
    def state_file(self) -> Path:
        return self.directory / "lab.json"

    @property
    def lock_file(self) -> Path:
        return self.directory / "lab.lock"

    @property
    def build_log(self) -> Path:
        return self.directory / "build.log"

    @property
    def console_log(self) -> Path:
        return self.directory / "asterisk.log"

    @property
    def pid_file(self) -> Path:
        return self.directory / "asterisk.pid"

    @property
    def sound_dir(self) -> Path:
        return self.inside(f"{SOUNDS}/{SOUND_PREFIX}")

    @property
    def recording_dir(self) -> Path:
        return self.inside(f"{SPOOL}/recording")

    def inside(self, path: str) -> Path:
        """The host's name of a path inside the root."""
        return self.root / path.lstrip("/")
