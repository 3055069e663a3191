"""What people type: build, start, stop, status, clean, config, prompts, people, console.

Each command prints one short answer, or one JSON object with `--json`; progress goes to standard error. Exit codes:
0 done, 1 it failed (one sentence says why), 2 wrong usage, 3 not running (`status`).
"""

from __future__ import annotations

import argparse
import json
import secrets
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from scripts.lab import config, ports, prompts, releases, voices
from scripts.lab.errors import CommandFailed, LabError
from scripts.lab.lab import Lab
from scripts.lab.people import PEOPLE
from scripts.lab.progress import Progress, on_stderr, quiet

NOT_RUNNING = 3
EXAMPLES = """examples:
  python -m scripts.lab start                          build if needed, start on http port 8088
  python -m scripts.lab start --http-port 0 --json     on free ports; print where
  python -m scripts.lab start --release bullseye --http-port 8288
  python -m scripts.lab status --json
  python -m scripts.lab console 'core show channels'
  python -m scripts.lab stop
  python -m scripts.lab clean                          remove the lab's folder
  python -m scripts.lab config --out /tmp/asterisk     only the configuration, for Docker or another Asterisk
"""

Answer = dict[str, object]


def main(arguments: list[str] | None = None) -> int:
    """Run one command."""
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, _as_interrupt)
    progress = quiet if options.quiet else on_stderr()
    command: Callable[[argparse.Namespace, Progress], tuple[int, Answer, str]] = options.command
    try:
        code, answer, sentence = command(options, progress)
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return _failed(options, str(error))
    except KeyboardInterrupt:
        print("lab: interrupted; what was half done is redone next time", file=sys.stderr)
        return 130
    print(json.dumps(answer, indent=2) if options.json else sentence)
    return code


def _failed(options: argparse.Namespace, why: str) -> int:
    if options.json:
        print(json.dumps({"ok": False, "error": why}))
    return 1


def _as_interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


# ---- the commands


def _build(options: argparse.Namespace, progress: Progress) -> tuple[int, Answer, str]:
    lab = _lab(options)
    lab.build(options.release, again=options.again, progress=progress)
    return 0, _describe(lab), f"Asterisk {lab.asterisk_version} is built in {lab.directory}"


def _start(options: argparse.Namespace, progress: Progress) -> tuple[int, Answer, str]:
    lab = _lab(options)
    lab.start(
        release=options.release,
        http_port=options.http_port,
        sip_port=options.sip_port,
        far_port=options.far_port,
        app=options.app,
        progress=progress,
    )
    _prompts(options, progress)
    return (
        0,
        _describe(lab),
        f"Asterisk {lab.asterisk_version} answers at {lab.base_url} (state: {lab.layout.state_file})",
    )


def _stop(options: argparse.Namespace, progress: Progress) -> tuple[int, Answer, str]:
    lab = _lab(options)
    stopped = lab.stop(progress=progress)
    return 0, {"ok": True, "stopped": stopped}, "stopped" if stopped else "was not running"


def _status(options: argparse.Namespace, _progress: Progress) -> tuple[int, Answer, str]:
    lab = _lab(options)
    if not lab.is_built:
        return NOT_RUNNING, _describe(lab), f"nothing is built in {lab.directory}"
    if not lab.is_running:
        return (
            NOT_RUNNING,
            _describe(lab),
            f"Asterisk {lab.asterisk_version} in {lab.directory} is not running",
        )
    return (
        0,
        _describe(lab),
        f"Asterisk {lab.asterisk_version} runs as process {lab.state.pid} at {lab.base_url}",
    )


def _clean(options: argparse.Namespace, progress: Progress) -> tuple[int, Answer, str]:
    lab = _lab(options)
    lab.clean(progress=progress)
    return 0, {"ok": True, "removed": str(lab.directory)}, f"removed {lab.directory}"


def _config(options: argparse.Namespace, progress: Progress) -> tuple[int, Answer, str]:
    password = options.password or secrets.token_urlsafe(18)
    settings = config.ConfigSettings(
        http_port=options.http_port or ports.HTTP_DEFAULT,
        sip_port=options.sip_port or ports.SIP_ROW[0],
        far_port=options.far_port or ports.SIP_ROW[0] + ports.FAR_END_OFFSET,
        password=password,
        app=options.app or "linekeeper",
        bind=options.bind,
        far_host=options.far_host,
        music_dir="moh",
    )
    written = config.write(settings, options.out, private=False)  # in a container Asterisk is another user
    try:
        voices.speak_all(options.out / "sounds" / "people")
    except CommandFailed as error:
        progress(f"the people have no voices: {error}")
    answer: Answer = {
        "ok": True,
        "username": settings.username,
        "password": password,
        "files": [str(p) for p in written],
    }
    return (
        0,
        answer,
        f"{len(written)} files in {options.out}; user {settings.username}, its password is in ari.conf",
    )


def _prompts(options: argparse.Namespace, progress: Progress) -> tuple[int, Answer, str]:
    lab = _lab(options)
    names = lab.install_prompts()
    listed = ", ".join(names) or f"none in {prompts.MASTERS}"
    progress(f"prompts: {listed}")
    return 0, {"ok": True, "sound_dir": str(lab.sound_dir), "prompts": names}, f"in {lab.sound_dir}: {listed}"


def _people(_options: argparse.Namespace, _progress: Progress) -> tuple[int, Answer, str]:
    listed = [
        {"name": person.name, "number": person.number, "does": person.does, "calls_in": person.calls_in}
        for person in PEOPLE
    ]
    lines = [
        f"{person.name:18} {person.does}{' (calls in, too)' if person.calls_in else ''}" for person in PEOPLE
    ]
    return 0, {"ok": True, "people": listed}, "\n".join(lines)


def _console(options: argparse.Namespace, _progress: Progress) -> tuple[int, Answer, str]:
    printed = _lab(options).console(options.line)
    return 0, {"ok": True, "output": printed}, printed.rstrip()


# ---- shared


def _lab(options: argparse.Namespace) -> Lab:
    return Lab.at(options.dir, options.release)


def _describe(lab: Lab) -> Answer:
    if not lab.is_built:
        return {"ok": True, "built": False, "running": False, "directory": str(lab.directory)}
    kept = lab.state
    return {
        "ok": True,
        "built": True,
        "running": lab.is_running,
        "directory": str(lab.directory),
        "release": kept.release,
        "asterisk_version": kept.asterisk_version,
        "pid": kept.pid if lab.is_running else None,
        "base_url": lab.base_url,
        "ws_url": lab.ws_url,
        "username": kept.username,
        "password_in": str(lab.layout.state_file),
        "app": kept.app,
        "http_port": kept.http_port,
        "sip_port": kept.sip_port,
        "far_port": kept.far_port,
        "sound_dir": str(lab.sound_dir),
        "recording_dir": str(lab.recording_dir),
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m scripts.lab",
        description="A real Asterisk on this machine, in a folder of its own, for tests and benches.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    def command(
        name: str, run: Callable[[argparse.Namespace, Progress], tuple[int, Answer, str]], summary: str
    ) -> argparse.ArgumentParser:
        one = commands.add_parser(
            name,
            help=summary,
            description=summary,
            epilog=EXAMPLES,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        one.set_defaults(command=run)
        one.add_argument("--json", action="store_true", help="print one JSON object")
        one.add_argument("--quiet", action="store_true", help="no progress lines")
        one.add_argument("--dir", type=Path, help="the lab's folder (default: LAB_DIR, else var/lab/RELEASE)")
        one.add_argument(
            "--release", default=releases.DEFAULT, help="Debian release: sid (default), bullseye, …"
        )
        return one

    build = command("build", _build, "make the root file system, unless it is there")
    build.add_argument("--again", action="store_true", help="throw the old one away first")
    _add_ports(command("start", _start, "build if needed, start Asterisk, wait until it answers"))
    command("stop", _stop, "end the Asterisk this lab started")
    command("status", _status, "is it built, does it run, and where (exit 3: not running)")
    command("clean", _clean, "remove the lab's folder")
    configure = command("config", _config, "only write the configuration, for an Asterisk of your own")
    configure.add_argument("--out", type=Path, required=True, help="the folder to write into")
    configure.add_argument("--password", help="of the ARI user (default: a new random one)")
    configure.add_argument("--bind", default="127.0.0.1", help="where Asterisk listens (default 127.0.0.1)")
    configure.add_argument(
        "--far-host", default="127.0.0.1", help="where far ends are, and callers come from"
    )
    _add_ports(configure)
    command("prompts", _prompts, "make assets/audio/wav playable as sound:custom/NAME")
    command("people", _people, "who can be called, and what they do")
    console = command("console", _console, "ask Asterisk's own command line")
    console.add_argument("line", help="for instance 'core show channels'")
    return parser


def _add_ports(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--http-port", type=int, help=f"for ARI (default {ports.HTTP_DEFAULT}; 0 takes a free one)"
    )
    parser.add_argument(
        "--sip-port", type=int, help="where Asterisk takes SIP (default: the first free of 5060, 5160, …)"
    )
    parser.add_argument(
        "--far-port", type=int, help="where PJSIP/NUMBER@lead is sent (default: the SIP port + 10)"
    )
    parser.add_argument("--app", help="application of the inbound context (default linekeeper)")
