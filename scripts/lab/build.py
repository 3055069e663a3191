"""Making a root file system with Asterisk and SIPp in it.

All work happens in `root.unfinished`, which gets its final name when everything is done: a build that was interrupted
is thrown away by the next one, and a folder called `root` is always complete.
"""

from __future__ import annotations

import re
import secrets
from datetime import UTC, datetime
from pathlib import Path

from scripts.lab import chroot, host, layout, releases, removal, state, voices
from scripts.lab.errors import BuildFailed, CommandFailed
from scripts.lab.layout import Layout
from scripts.lab.progress import Progress
from scripts.lab.state import State
from scripts.lab.steps import run_long, run_short

PACKAGES = ("asterisk", "asterisk-core-sounds-en", "sip-tester")
USERNAME = "linekeeper"
NO_SERVICES = "#!/bin/sh\n# Nothing is started by installing it.\nexit 101\n"
APT_SETTINGS = (
    'Acquire::Languages "none";\nAPT::Install-Recommends "false";\nAcquire::Check-Valid-Until "false";\n'
)
DPKG_SETTINGS = "force-unsafe-io\npath-exclude=/usr/share/man/*\npath-exclude=/usr/share/locale/*\n"


def build(lab: Layout, release: str, progress: Progress) -> State:
    """Build the lab from nothing, in the wanted release or else in the newest one that has an Asterisk."""
    chroot.need_root()
    lab.directory.mkdir(parents=True, exist_ok=True)
    lab.build_log.write_bytes(b"")
    removal.refuse_mounts(lab.directory)
    state.forget(lab)
    host.need("debootstrap", "espeak-ng", "sox", "unshare", log=lab.build_log, progress=progress)
    removal.remove_tree(lab.unfinished_root)
    removal.remove_tree(lab.root)
    built = _first_that_works(lab, release, progress)
    lab.unfinished_root.rename(lab.root)
    state.write(lab, built)
    progress(f"built: Asterisk {built.asterisk_version} of {built.release} in {lab.directory}")
    return built


def _first_that_works(lab: Layout, wanted: str, progress: Progress) -> State:
    failures = []
    for release in releases.candidates(wanted):
        try:
            return _build_release(lab, release, progress)
        except CommandFailed as error:
            failures.append(f"{release}: {error}")
            progress(f"Asterisk of Debian {release} cannot be installed; trying the next release. {error}")
    raise BuildFailed("no Debian release gave an Asterisk:\n" + "\n".join(failures))


def _build_release(lab: Layout, release: str, progress: Progress) -> State:
    root = lab.unfinished_root
    _bootstrap(lab, release, progress)
    _prepare_packages(root)
    progress(f"installing {' '.join(PACKAGES)}")
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    run_long(
        "apt-get update",
        chroot.inside(root, ["apt-get", "update"]),
        log=lab.build_log,
        progress=progress,
        extra=quiet,
    )
    install = ["apt-get", "install", "--yes", "--no-install-recommends", *PACKAGES]
    run_long(
        "apt-get install", chroot.inside(root, install), log=lab.build_log, progress=progress, extra=quiet
    )
    run_short(chroot.inside(root, ["apt-get", "clean"]))
    progress("making voices and folders")
    _furnish(root)
    return State(
        release=release,
        asterisk_version=_version(root),
        username=USERNAME,
        password=secrets.token_urlsafe(18),
        built_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _bootstrap(lab: Layout, release: str, progress: Progress) -> None:
    """A minimal Debian, from the first mirror that has the release."""
    for mirror in releases.MIRRORS:
        removal.remove_tree(lab.unfinished_root)
        progress(f"debootstrap {release} from {mirror}")
        bootstrap = ["debootstrap", "--variant=minbase", release, str(lab.unfinished_root), mirror]
        try:
            run_long("debootstrap", [*chroot.PRIVATE, *bootstrap], log=lab.build_log, progress=progress)
        except CommandFailed:
            if mirror == releases.MIRRORS[-1]:
                raise
            continue
        return


def _prepare_packages(root: Path) -> None:
    """Install no services, no manuals, and do not wait for the disk after every file."""
    policy = root / "usr/sbin/policy-rc.d"
    policy.write_text(NO_SERVICES)
    policy.chmod(0o755)
    (root / "etc/apt/apt.conf.d/90lab").write_text(APT_SETTINGS)
    (root / "etc/dpkg/dpkg.cfg.d/90lab").write_text(DPKG_SETTINGS)


def _furnish(root: Path) -> None:
    """Voices, music, and folders of our own in place of the symbolic links the package brings."""
    sounds = root / layout.SOUNDS.lstrip("/")
    for folder in (sounds / layout.SOUND_PREFIX, sounds / "people"):
        if folder.is_symlink():
            folder.unlink()
        folder.mkdir(parents=True, exist_ok=True)
    voices.speak_all(sounds / "people")
    voices.compose_music(root / layout.MUSIC.lstrip("/"))
    for path in (
        layout.ETC,
        layout.RUN,
        layout.LOG,
        f"{layout.VAR}/keys",
        layout.SIPP,
        f"{layout.SPOOL}/recording",
    ):
        (root / path.lstrip("/")).mkdir(parents=True, exist_ok=True)


def _version(root: Path) -> str:
    """`Asterisk 22.10.1+dfsg+~cs6.15.60671435-1` becomes `22.10.1`."""
    printed = run_short(chroot.plain(root, ["/usr/sbin/asterisk", "-V"]))
    found = re.search(r"\d+(?:\.\d+)+", printed)
    if not found:
        raise CommandFailed(f"asterisk -V printed no version: {printed!r}")
    return found[0]
