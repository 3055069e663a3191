"""The lab as an object: what tests, benches and the command line hold in their hands.

It keeps nothing in memory that is not in the lab's folder, so any number of processes can hold the same lab. Commands
that change something take turns. Everything blocks.
"""

from __future__ import annotations

import re
import signal
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path

from scripts.lab import asterisk, build, ports, processes, prompts, releases, removal, state
from scripts.lab.errors import LabError, NotBuilt, StartFailed, StillRunning
from scripts.lab.layout import SOUND_PREFIX, Layout, default_directory
from scripts.lab.lock import alone
from scripts.lab.people import PEOPLE, find
from scripts.lab.progress import Progress, quiet
from scripts.lab.sipp import SippRun, far_end, near_caller
from scripts.lab.state import State

WAY_IN = re.compile(r"[A-Za-z][A-Za-z0-9._-]*\*\+?[0-9A-Za-z]+\*\+?[0-9]+")


@dataclass(frozen=True, slots=True)
class Lab:
    """One Asterisk in one folder."""

    layout: Layout

    @classmethod
    def load(cls, directory: Path | str | None = None) -> Lab:
        """The finished lab of a folder (default: `LAB_DIR`, else var/lab/sid); `NotBuilt` when there is none."""
        lab = cls.at(directory)
        state.read(lab.layout)
        return lab

    @classmethod
    def at(cls, directory: Path | str | None = None, release: str = releases.DEFAULT) -> Lab:
        """The lab of a folder, finished or not."""
        return cls(Layout(Path(directory).resolve() if directory else default_directory(release)))

    # ---- what it is

    @property
    def directory(self) -> Path:
        return self.layout.directory

    @property
    def state(self) -> State:
        """Read afresh each time: another process may have restarted the lab."""
        return state.read(self.layout)

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.state.http_port}/ari"

    @property
    def ws_url(self) -> str:
        return f"ws://127.0.0.1:{self.state.http_port}/ari/events"

    @property
    def username(self) -> str:
        return self.state.username

    @property
    def password(self) -> str:
        return self.state.password

    @property
    def http_port(self) -> int:
        return self.state.http_port

    @property
    def sip_port(self) -> int:
        """Where Asterisk takes SIP."""
        return self.state.sip_port

    @property
    def far_port(self) -> int:
        """Where the far end of `PJSIP/NUMBER@lead` must listen."""
        return self.state.far_port

    @property
    def asterisk_version(self) -> str:
        return self.state.asterisk_version

    @property
    def major(self) -> int:
        return self.state.major

    @property
    def sound_dir(self) -> Path:
        """On the host; Asterisk plays `name.wav` in it as `sound:custom/name`."""
        return self.layout.sound_dir

    @property
    def sound_prefix(self) -> str:
        return SOUND_PREFIX

    @property
    def recording_dir(self) -> Path:
        """On the host; what Asterisk records is found here."""
        return self.layout.recording_dir

    @property
    def is_built(self) -> bool:
        return state.is_built(self.layout)

    @property
    def is_running(self) -> bool:
        return self.is_built and asterisk.is_running(self.layout, self.state)

    # ---- what can be done with it

    def build(
        self, release: str = releases.DEFAULT, *, again: bool = False, progress: Progress = quiet
    ) -> None:
        """Build unless built; `again` builds anew."""
        with alone(self.layout, progress):
            self._build(release, again, progress)

    def start(
        self,
        *,
        release: str = releases.DEFAULT,
        http_port: int | None = None,
        sip_port: int | None = None,
        far_port: int | None = None,
        app: str | None = None,
        progress: Progress = quiet,
    ) -> None:
        """Build if needed, then start and wait until ARI answers. What is not named stays as it was at the last start.

        Already running with the same ports is fine; with others it is `StillRunning`.
        """
        with alone(self.layout, progress):
            self._build(release, False, progress)
            kept = self.state
            if asterisk.is_running(self.layout, kept):
                self._must_agree(kept, http_port, sip_port, far_port, app)
                progress(f"already running on http port {kept.http_port}")
                return
            asterisk.end_leftover(self.layout)
            chosen = _choose(kept, http_port, sip_port, far_port, app)
            progress(
                f"starting Asterisk {kept.asterisk_version} on http port {chosen.http_port}, SIP {chosen.sip_port}"
            )
            state.write(self.layout, chosen.stopped())
            state.write(self.layout, asterisk.start(self.layout, chosen))
            progress("Asterisk answers")

    def stop(self, *, progress: Progress = quiet) -> bool:
        """End Asterisk; False when it was not running."""
        with alone(self.layout, progress):
            return self._stop()

    def kill(self) -> None:
        """SIGKILL, as a crash would: calls, recordings and sockets are cut off. `start()` brings it back."""
        with alone(self.layout, quiet):
            kept = self.state
            if not asterisk.is_running(self.layout, kept) or kept.pid is None or kept.started_ticks is None:
                raise StartFailed("there is no running Asterisk to kill")
            processes.send(kept.pid, kept.started_ticks, signal.SIGKILL)
            processes.wait_gone(kept.pid, kept.started_ticks, 5.0)
            state.write(self.layout, kept.stopped())

    def restart(self) -> None:
        """Stop and start on the same ports."""
        self.stop()
        self.start()

    def clean(self, *, progress: Progress = quiet) -> None:
        """Remove everything the lab made. Refuses while Asterisk runs or anything is mounted inside."""
        with alone(self.layout, progress):
            if self.is_running:
                raise StillRunning("the lab is running: stop it first")
            progress(f"removing the lab in {self.directory}")
            removal.refuse_mounts(self.directory)
            state.forget(self.layout)
            for tree in (self.layout.root, self.layout.unfinished_root):
                removal.remove_tree(tree)
            for name in ("build.log", "asterisk.log", "asterisk.pid", "lab.new"):
                (self.directory / name).unlink(missing_ok=True)
            self.layout.lock_file.unlink(missing_ok=True)
        if not any(self.directory.iterdir()):
            self.directory.rmdir()

    def console(self, command: str) -> str:
        """What Asterisk's own command line answers, as in `asterisk -rx COMMAND`."""
        return asterisk.console(self.layout, command)

    def install_prompts(self, masters: Path | None = None) -> list[str]:
        """Make the project's prompts playable as `sound:custom/<name>`; returns the names."""
        return prompts.install(self.sound_dir, masters or prompts.MASTERS)

    def dial_in(self, person: str, app: str, number: str, caller: str | None = None) -> None:
        """A person calls `number` and lands in the Stasis application `app`, ringing.

        When the application answers, the person does what they do. Returns as soon as the call is on its way; an
        unanswered caller gives up after 30 s.
        """
        who = find(person)
        if who is None or not who.calls_in:
            raise LabError(
                f"{person!r} does not call in; these do: {', '.join(p.name for p in PEOPLE if p.calls_in)}"
            )
        way_in = f"{app}*{number}*{caller or who.number}"
        if not WAY_IN.fullmatch(way_in):
            raise LabError(
                f"cannot be dialled: {way_in!r} (an application begins with a letter; numbers are + and digits)"
            )
        answer = self.console(f"channel originate Local/{way_in}@inbound-to/n extension {person}@callers")
        if "no such" in answer.lower() or "usage" in answer.lower():
            raise LabError(f"Asterisk did not take the call: {answer.strip()}")

    def sipp_uas(
        self,
        scenario: str = "answer",
        port: int | None = None,
        *,
        max_calls: int | None = None,
        timeout_s: float = 300.0,
        ring_ms: int = 100,
        hold_ms: int = 5000,
        trace_stat: bool = False,
        trace_messages: bool = False,
        rtp_echo: bool = False,
    ) -> AbstractContextManager[SippRun]:
        """A far end for `PJSIP/NUMBER@lead`, there for the length of a `with` block."""
        return far_end(
            self.layout,
            scenario,
            port or self.far_port,
            max_calls=max_calls,
            timeout_s=timeout_s,
            values={"ring_ms": ring_ms, "hold_ms": hold_ms},
            trace_stat=trace_stat,
            trace_messages=trace_messages,
            rtp_echo=rtp_echo,
        )

    def sipp_uac(
        self,
        number: str,
        scenario: str = "caller",
        *,
        app: str | None = None,
        caller: str = "+15557000",
        calls: int = 1,
        rate_per_s: float = 1.0,
        hold_ms: int = 5000,
        ring_ms: int = 2000,
        timeout_s: float = 120.0,
        trace_stat: bool = False,
        trace_messages: bool = False,
    ) -> AbstractContextManager[SippRun]:
        """Callers over SIP: `calls` of them at `rate_per_s` dial `number` into the inbound context."""
        return near_caller(
            self.layout,
            scenario,
            self.sip_port,
            number=f"{app}*{number}" if app else number,
            values={"caller": caller, "hold_ms": hold_ms, "ring_ms": ring_ms},
            calls=calls,
            rate_per_s=rate_per_s,
            timeout_s=timeout_s,
            trace_stat=trace_stat,
            trace_messages=trace_messages,
        )

    # ---- under the lock

    def _build(self, release: str, again: bool, progress: Progress) -> None:
        if self.is_built and not again:
            return
        if self.is_running:
            raise StillRunning("the lab is running: stop it before building anew")
        build.build(self.layout, release, progress)

    def _stop(self) -> bool:
        try:
            kept = self.state
        except NotBuilt:
            return False
        was_running = asterisk.stop(self.layout, kept)
        state.write(self.layout, kept.stopped())
        return was_running

    def _must_agree(
        self, kept: State, http_port: int | None, sip_port: int | None, far_port: int | None, app: str | None
    ) -> None:
        asked = {"http_port": http_port or None, "sip_port": sip_port, "far_port": far_port, "app": app}
        for name, value in asked.items():
            if value is not None and value != getattr(kept, name):
                raise StillRunning(f"the lab already runs with {name} {getattr(kept, name)}: stop it first")


def _choose(
    kept: State, http_port: int | None, sip_port: int | None, far_port: int | None, app: str | None
) -> State:
    """The ports of this start: named ones, else those of the last start, else the usual ones."""
    http = ports.http_port(http_port if http_port is not None else kept.http_port or ports.HTTP_DEFAULT)
    sip = ports.sip_port(sip_port, kept.sip_port)
    far = far_port or (kept.far_port if sip == kept.sip_port else 0) or sip + ports.FAR_END_OFFSET
    return replace(kept, http_port=http, sip_port=sip, far_port=far, app=app or kept.app)
