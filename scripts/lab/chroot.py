"""Entering a root file system without leaving anything behind.

Mounts are made in a mount namespace of the process's own, so they vanish with it, however it ends, and no one outside
ever sees them. Nothing of the host's `/dev` is needed: debootstrap makes the few device nodes in the root itself.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from scripts.lab.errors import NeedsRoot

PRIVATE = ("unshare", "--mount", "--propagation", "private", "--")
WITH_PROC = 'mount -t proc proc "$1/proc" && exec chroot "$@"'
WITHOUT_ROOT = (
    "the lab needs root for its own root file system; without root use Docker: "
    "`python -m scripts.lab config --out DIR`, then "
    "`docker run --network host -v DIR:/etc/asterisk -v DIR/sounds/people:/var/lib/asterisk/sounds/people"
    " andrius/asterisk` (or the asterisk package of your distribution with that folder as /etc/asterisk)"
)


def need_root() -> None:
    if os.geteuid() != 0:
        raise NeedsRoot(WITHOUT_ROOT)


def inside(root: Path, argv: Sequence[str]) -> list[str]:
    """A command run inside the root, with a private /proc."""
    return [*PRIVATE, "sh", "-c", WITH_PROC, "sh", str(root), *argv]


def plain(root: Path, argv: Sequence[str]) -> list[str]:
    """A command run inside the root, without any mount."""
    return ["chroot", str(root), *argv]
