"""Removing a folder tree without ever leaving it.

Refuses when anything is mounted below, because a bind mount leads to files that are not ours; symbolic links are
removed, not followed; and a tree that holds another file system is left alone.
"""

from __future__ import annotations

from pathlib import Path

from scripts.lab.errors import StillRunning
from scripts.lab.steps import run_short

REMOVAL_TIMEOUT_S = 300.0


def remove_tree(folder: Path) -> None:
    """Remove the folder and all in it, or refuse and remove nothing."""
    refuse_mounts(folder)
    if folder.exists():
        run_short(
            ["rm", "-rf", "--one-file-system", "--", str(folder.resolve())], timeout_s=REMOVAL_TIMEOUT_S
        )


def refuse_mounts(folder: Path) -> None:
    """Raise when anything is mounted at or below the folder."""
    mounted = mounts_below(folder.resolve(), Path("/proc/self/mountinfo").read_text())
    if mounted:
        raise StillRunning(f"{mounted[0]} is a mount point: unmount it first, nothing was removed")


def mounts_below(folder: Path, mountinfo: str) -> list[str]:
    """The mount points at or below the folder, from the text of `/proc/self/mountinfo` (proc(5), field 5)."""
    points = [_unescape(line.split()[4]) for line in mountinfo.splitlines() if line]
    return [point for point in points if Path(point).is_relative_to(folder)]


def _unescape(field: str) -> str:
    for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        field = field.replace(code, character)
    return field
