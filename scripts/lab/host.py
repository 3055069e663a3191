"""The programs the lab borrows from the host, installed with apt when they are missing."""

from __future__ import annotations

import shutil
from pathlib import Path

from scripts.lab.errors import CommandFailed
from scripts.lab.progress import Progress
from scripts.lab.steps import run_long

PACKAGE_OF = {"debootstrap": "debootstrap", "espeak-ng": "espeak-ng", "sox": "sox", "unshare": "util-linux"}


def need(*programs: str, log: Path, progress: Progress) -> None:
    """Make sure these programs are there."""
    missing = [program for program in programs if not shutil.which(program)]
    if not missing:
        return
    packages = sorted({PACKAGE_OF[program] for program in missing})
    if not shutil.which("apt-get"):
        raise CommandFailed(f"please install {', '.join(packages)}: this host has no apt-get to do it with")
    progress(f"installing on this host: {' '.join(packages)}")
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    run_long("apt-get update", ["apt-get", "update"], log=log, progress=progress, extra=quiet)
    run_long(
        "apt-get install",
        ["apt-get", "install", "--yes", "--no-install-recommends", *packages],
        log=log,
        progress=progress,
        extra=quiet,
    )
