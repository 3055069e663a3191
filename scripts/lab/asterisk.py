"""Starting, asking and ending the lab's Asterisk.

It runs as a child of nobody: `setsid --fork` lets go of it, so it outlives the command that started it. The shell that
becomes Asterisk notes its own process id first, therefore the noted id is Asterisk's.
"""

from __future__ import annotations

import base64
import http.client
import json
import time
from dataclasses import replace
from pathlib import Path

from scripts.lab import chroot, config, layout, ports, processes, steps
from scripts.lab.errors import LabError, StartFailed
from scripts.lab.layout import Layout
from scripts.lab.state import State

BINARY = "/usr/sbin/asterisk"
CONF = f"{layout.ETC}/asterisk.conf"
MAX_FILES = 65536
COMES_UP_WITHIN_S = 60.0
GOES_DOWN_WITHIN_S = 10.0
BECOME_ASTERISK = """
mount -t proc proc "$1/proc" || exit 1
ulimit -n "$3" || true
echo $$ > "$2.new" && mv "$2.new" "$2"
exec chroot "$1" "$4" -f -C "$5"
"""


def start(lab: Layout, state: State) -> State:
    """Render the configuration, start Asterisk, wait until it answers; returns the state with its process id."""
    config.write(settings_of(lab, state), lab.inside(layout.ETC))
    pid = _launch(lab)
    ticks = processes.started_ticks(pid)
    if ticks is None:
        raise StartFailed(
            f"Asterisk ended at once; the end of {lab.console_log}:\n{_end_of(lab.console_log)}"
        )
    running = replace(state, pid=pid, started_ticks=ticks)
    try:
        _wait_until_it_answers(lab, running, ticks)
    except BaseException:
        processes.end(pid, ticks, patience_s=GOES_DOWN_WITHIN_S)
        raise
    return running


def stop(lab: Layout, state: State) -> bool:
    """End our Asterisk, and nothing else; False when there was none."""
    if state.pid is None or state.started_ticks is None or not is_running(lab, state):
        return end_leftover(lab)
    processes.end(state.pid, state.started_ticks, patience_s=GOES_DOWN_WITHIN_S)
    return True


def end_leftover(lab: Layout) -> bool:
    """End an Asterisk whose start was interrupted before it was written down. Living in our root proves it ours."""
    try:
        pid = int(lab.pid_file.read_text())
    except (FileNotFoundError, ValueError):
        return False
    ticks = processes.started_ticks(pid)
    if ticks is None or not processes.lives_in(pid, lab.root):
        return False
    processes.end(pid, ticks, patience_s=GOES_DOWN_WITHIN_S)
    return True


def is_running(lab: Layout, state: State) -> bool:
    return processes.is_ours(state.pid, state.started_ticks, lab.root)


def settings_of(lab: Layout, state: State) -> config.ConfigSettings:
    return config.ConfigSettings(
        http_port=state.http_port,
        sip_port=state.sip_port,
        far_port=state.far_port,
        password=state.password,
        username=state.username,
        app=state.app,
        rtp_first=state.rtp_first,
        rtp_last=state.rtp_last,
        max_files=MAX_FILES,
        module_dir=_module_dir(lab),
    )


def console(lab: Layout, command: str) -> str:
    """What Asterisk's own command line answers."""
    return steps.run_short(chroot.plain(lab.root, [BINARY, "-C", CONF, "-rx", command]), timeout_s=15.0)


def ask(state: State, path: str, timeout_s: float = 2.0) -> object:
    """GET an ARI resource: `/asterisk/info`."""
    token = base64.b64encode(f"{state.username}:{state.password}".encode()).decode()
    connection = http.client.HTTPConnection("127.0.0.1", state.http_port, timeout=timeout_s)
    try:
        connection.request("GET", f"/ari{path}", headers={"Authorization": f"Basic {token}"})
        answer = connection.getresponse()
        body = answer.read()
    except http.client.HTTPException as error:
        raise LabError(f"no ARI on port {state.http_port}: {error!r}") from error
    finally:
        connection.close()
    if answer.status != 200:
        raise LabError(f"GET /ari{path} answers {answer.status}: {body[:200]!r}")
    return json.loads(body)


def _launch(lab: Layout) -> int:
    pid_file = lab.pid_file
    pid_file.unlink(missing_ok=True)
    arguments = [str(lab.root), str(pid_file), str(MAX_FILES), BINARY, CONF]
    become = ["setsid", "--fork", *chroot.PRIVATE, "sh", "-c", BECOME_ASTERISK, "sh", *arguments]
    lab.console_log.write_bytes(b"")
    steps.let_go(become, log=lab.console_log)
    deadline = time.monotonic() + 10.0
    while not pid_file.exists():
        if time.monotonic() > deadline:
            raise StartFailed(f"Asterisk was not started:\n{_end_of(lab.console_log)}")
        time.sleep(0.01)
    return int(pid_file.read_text())


def _wait_until_it_answers(lab: Layout, state: State, ticks: int) -> None:
    """ARI must answer, and the modules behind it must all be loaded."""
    deadline = time.monotonic() + COMES_UP_WITHIN_S
    while True:
        if state.pid is None or processes.started_ticks(state.pid) != ticks:
            raise StartFailed(
                f"Asterisk ended while starting; the end of {lab.console_log}:\n{_end_of(lab.console_log)}"
            )
        try:
            ask(state, "/asterisk/info")
            if "fully booted" in console(lab, "core waitfullybooted").lower():
                break
        except (OSError, ValueError, LabError) as error:
            if time.monotonic() > deadline:
                raise StartFailed(f"Asterisk does not answer on port {state.http_port}: {error}") from error
        time.sleep(0.05)
    if not ports.udp_is_bound(state.sip_port):
        raise StartFailed(
            f"Asterisk does not listen for SIP on port {state.sip_port}; see {lab.inside(layout.LOG)}"
        )


def _module_dir(lab: Layout) -> str:
    found = sorted(lab.root.glob("usr/lib/*/asterisk/modules"))
    return "/" + str(found[0].relative_to(lab.root)) if found else "/usr/lib/asterisk/modules"


def _end_of(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").strip().splitlines()[-8:])
