"""Far ends made of SIPp: somebody who answers, is busy, never answers; and somebody who calls in.

SIPp comes with the root and runs in it. It is bounded in calls and in time, and gone when its `with` block ends. No
traces are written unless asked for: they cost more than the calls.

Scenarios are `sipp/*.xml`; their gaps (`%%{ring_ms}`) are filled before SIPp reads them.
"""

from __future__ import annotations

import csv
import os
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from scripts.lab import chroot, layout, ports
from scripts.lab.config import fill
from scripts.lab.errors import SippFailed
from scripts.lab.layout import Layout
from scripts.lab.steps import environment

SCENARIOS = Path(__file__).parent / "sipp"
COMES_UP_WITHIN_S = 5.0
DEFAULTS: Mapping[str, object] = {"ring_ms": 100, "hold_ms": 5000, "caller": "+15557000"}


@dataclass(frozen=True, slots=True)
class SippRun:
    """A SIPp that runs, or has run."""

    process: subprocess.Popen[bytes]
    port: int
    folder: Path
    """On the host: what SIPp wrote, when it was asked to trace."""

    def wait(self, timeout_s: float = 60.0) -> int:
        """Until its calls are done; its exit code (0: every call went as planned, 1: at least one did not)."""
        try:
            return self.process.wait(timeout_s)
        except subprocess.TimeoutExpired as error:
            raise SippFailed(f"SIPp was not done within {timeout_s:.0f} s") from error

    def messages(self) -> str:
        """The SIP messages so far, with `trace_messages`."""
        return "".join(
            path.read_text(errors="replace") for path in sorted(self.folder.glob("*_messages.log"))
        )

    def statistics(self) -> dict[str, str]:
        """The newest row of counters, with `trace_stat`."""
        for path in self.folder.glob("*_.csv"):
            with path.open(newline="") as file:
                rows = list(csv.DictReader(file, delimiter=";"))
            if rows:
                return {name: value for name, value in rows[-1].items() if name and value is not None}
        return {}


@contextmanager
def far_end(
    lab: Layout,
    scenario: str,
    port: int,
    *,
    max_calls: int | None,
    timeout_s: float,
    values: Mapping[str, object],
    trace_stat: bool,
    trace_messages: bool,
    rtp_echo: bool,
) -> Iterator[SippRun]:
    """Somebody who waits for calls on `port`."""
    if ports.udp_is_bound(port):
        raise SippFailed(f"UDP port {port} of 127.0.0.1 is in use: another far end?")
    options = _until(timeout_s)
    options += ["-m", str(max_calls)] if max_calls else []
    options += ["-rtp_echo"] if rtp_echo else []
    with _running(lab, scenario, port, options, values, trace_stat, trace_messages) as run:
        _wait_until_bound(run)
        yield run


@contextmanager
def near_caller(
    lab: Layout,
    scenario: str,
    sip_port: int,
    *,
    number: str,
    values: Mapping[str, object],
    calls: int,
    rate_per_s: float,
    timeout_s: float,
    trace_stat: bool,
    trace_messages: bool,
) -> Iterator[SippRun]:
    """Somebody who dials `number`, `calls` times."""
    port = ports.any_udp()
    every_ms = max(1, round(1000 / rate_per_s)) if rate_per_s < 1 else 1000
    rate = 1.0 if rate_per_s < 1 else rate_per_s
    options = ["-s", number, "-m", str(calls), "-r", f"{rate:g}", "-rp", str(every_ms)]
    options += [*_until(timeout_s), f"127.0.0.1:{sip_port}"]
    with _running(lab, scenario, port, options, values, trace_stat, trace_messages) as run:
        yield run


@contextmanager
def _running(
    lab: Layout,
    scenario: str,
    port: int,
    options: Sequence[str],
    values: Mapping[str, object],
    trace_stat: bool,
    trace_messages: bool,
) -> Iterator[SippRun]:
    name = f"{port}-{secrets.token_hex(4)}"
    folder = lab.inside(f"{layout.SIPP}/{name}")
    text = rendered(scenario, values)
    folder.mkdir(parents=True)
    (folder / "scenario.xml").write_text(text)
    where = f"-sf scenario.xml -i 127.0.0.1 -p {port} -mi 127.0.0.1 -mp {ports.any_udp()} -nostdin"
    argv = ["sipp", *options, *where.split()]
    argv += ["-trace_stat", "-fd", "1"] if trace_stat else []
    argv += ["-trace_msg"] if trace_messages else []
    in_folder = chroot.plain(
        lab.root, ["sh", "-c", 'cd "$1" && shift && exec "$@"', "sh", f"{layout.SIPP}/{name}", *argv]
    )
    with (folder / "screen.log").open("wb") as screen:
        process = subprocess.Popen(
            in_folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=screen, env=environment()
        )
    run = SippRun(process, port, folder)
    try:
        yield run
    finally:
        _end(run)


def rendered(scenario: str, values: Mapping[str, object]) -> str:
    """A scenario of `sipp/`, or any file (a name with a slash), with its gaps filled."""
    source = Path(scenario) if "/" in scenario else SCENARIOS / f"{scenario}.xml"
    if not source.is_file():
        raise SippFailed(f"no SIPp scenario {scenario!r}; there are: {', '.join(names())}")
    return fill(source.read_text(), {**DEFAULTS, **values})


def names() -> list[str]:
    """The scenarios there are."""
    return sorted(path.stem for path in SCENARIOS.glob("*.xml"))


def _until(timeout_s: float) -> list[str]:
    return ["-timeout", f"{max(1, round(timeout_s))}s"]


def _wait_until_bound(run: SippRun) -> None:
    deadline = time.monotonic() + COMES_UP_WITHIN_S
    while not ports.udp_is_bound(run.port):
        if run.process.poll() is not None or time.monotonic() > deadline:
            raise SippFailed(
                f"SIPp did not come up: {(run.folder / 'screen.log').read_text(errors='replace')[-500:]}"
            )
        time.sleep(0.02)


def _end(run: SippRun) -> None:
    """End it by its process id, and throw its folder away."""
    if run.process.poll() is None:
        os.kill(run.process.pid, signal.SIGTERM)
        try:
            run.process.wait(2.0)
        except subprocess.TimeoutExpired:
            run.process.kill()
            run.process.wait(5.0)
    shutil.rmtree(run.folder, ignore_errors=True)
