"""Running helper programs: long ones with a log and a sign of life, short ones with their output.

Whatever interrupts us (Ctrl-C, a signal, an error) also ends the program we started, by its process group.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from scripts.lab.errors import CommandFailed
from scripts.lab.progress import Progress

SIGN_OF_LIFE_S = 10.0
CLEAN_ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "LC_ALL": "C.UTF-8",
    "TERM": "dumb",
}
PASSED_ON = ("http_proxy", "https_proxy", "no_proxy", "TZ")


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """A small environment that does not depend on who typed the command, proxies excepted."""
    passed_on = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    return {**CLEAN_ENVIRONMENT, **passed_on, **(extra or {})}


def run_long(
    what: str,
    argv: Sequence[str],
    *,
    log: Path,
    progress: Progress,
    extra: Mapping[str, str] | None = None,
) -> None:
    """Run to the end, output into the log, its last line shown every ten seconds."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment(extra),
            start_new_session=True,
        )
        try:
            _watch(process, log, progress)
        except BaseException:
            _end_group(process)
            raise
    if process.returncode:
        raise CommandFailed(f"{what} ended with {process.returncode}; the end of {log}:\n{_tail(log, 8)}")


def run_short(argv: Sequence[str], *, timeout_s: float = 30.0, extra: Mapping[str, str] | None = None) -> str:
    """Run to the end and return what it printed."""
    try:
        done = subprocess.run(
            argv,
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_s,
            env=environment(extra),
        )
    except FileNotFoundError as error:
        raise CommandFailed(f"{argv[0]} is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise CommandFailed(f"{argv[0]} did not end within {timeout_s:.0f} s") from error
    if done.returncode:
        raise CommandFailed(
            f"{' '.join(argv)} ended with {done.returncode}: {(done.stderr or done.stdout).strip()}"
        )
    return done.stdout


def _watch(process: subprocess.Popen[bytes], log: Path, progress: Progress) -> None:
    last_sign = time.monotonic()
    while process.poll() is None:
        time.sleep(0.1)
        if time.monotonic() - last_sign >= SIGN_OF_LIFE_S:
            last_sign = time.monotonic()
            progress(f"  … {_tail(log, 1)[:100]}")


def _end_group(process: subprocess.Popen[bytes]) -> None:
    for number, patience_s in ((signal.SIGTERM, 3.0), (signal.SIGKILL, 3.0)):
        try:
            os.killpg(process.pid, number)
            process.wait(patience_s)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue


def _tail(log: Path, lines: int) -> str:
    with log.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - 4000))
        return "\n".join(file.read().decode(errors="replace").strip().splitlines()[-lines:])


def let_go(argv: Sequence[str], *, log: Path) -> None:
    """Start a program that forks away and lives on by itself; returns when the first process has left."""
    with log.open("ab") as output:
        subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment(),
            check=False,
        )
