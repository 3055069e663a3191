"""Who imports whom, and what importing does: nothing."""

import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.house.tree import ROOMS, ROOT, Module, parse, product

# ----------------------------------------------------------------------------------------- cycles


def _edges(modules: tuple[Module, ...]) -> dict[str, set[str]]:
    """Which module names which other one; `from core import ids` names core.ids, not core."""
    names = {module.name for module in modules}
    edges: dict[str, set[str]] = {}
    for module in modules:
        found = set()
        for _, name in module.imports():
            parent = name.rpartition(".")[0]
            found |= {name} & names or {parent} & names
        edges[module.name] = found - {module.name}
    return edges


def _cycle(edges: dict[str, set[str]]) -> list[str]:
    """Return one cycle as the names on its way, or nothing."""
    done: set[str] = set()

    def visit(name: str, way: list[str]) -> list[str]:
        if name in way:
            return [*way[way.index(name) :], name]
        if name in done:
            return []
        for target in sorted(edges.get(name, ())):
            if found := visit(target, [*way, name]):
                return found
        done.add(name)
        return []

    for name in sorted(edges):
        if found := visit(name, []):
            return found
    return []


def test_no_import_cycles() -> None:
    """No module reaches itself through its imports, not even through one inside a function."""
    assert _cycle(_edges(product())) == []


def test_cycle_scanner_finds_a_planted_cycle() -> None:
    """Three modules in a ring are found, whichever way they write the import."""
    ring = (
        parse("from core import b", "core/a.py"),
        parse("def f():\n    from core.c import x", "core/b.py"),
        parse("import core.a", "core/c.py"),
    )

    assert _cycle(_edges(ring)) == ["core.a", "core.b", "core.c", "core.a"]
    assert _cycle(_edges(ring[:2])) == []


# ------------------------------------------------------------------------------- importing does nothing

WATCH = textwrap.dedent(
    """
    import importlib, json, os, signal, sys, sysconfig, threading

    root, names = sys.argv[1], sys.argv[2:]
    sys.path.insert(0, root)
    sys.dont_write_bytecode = True
    WATCHED = {"socket.__new__", "socket.connect", "socket.bind", "subprocess.Popen", "os.system", "os.mkdir",
               "os.remove", "os.rename", "os.fork", "sqlite3.connect", "open"}
    # Reading what was installed is part of importing: pydantic looks for its plugins when the first model is made.
    INSTALLED = (*(sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")),
                 *(path for path in sys.path if path.endswith(".zip")))
    found = []

    def ours():
        "The line of ours that is being executed, unless it is an import that led somewhere else."
        frame = sys._getframe(2)
        while frame is not None:
            name = frame.f_code.co_filename
            if name.startswith("<frozen importlib"):
                return None
            if name.startswith(root) and "/.venv" not in name:
                return f"{os.path.relpath(name, root)}:{frame.f_lineno}"
            frame = frame.f_back
        return None

    def hook(event, arguments):
        if event == "open" and str(arguments[0]).startswith(INSTALLED) and "r" in str(arguments[1]):
            return
        if event in WATCHED and (place := ours()):
            found.append(f"{place}: {event} {arguments[0] if event == 'open' else ''}".rstrip())

    class Thread(threading.Thread):
        def start(self):
            if place := ours():
                found.append(f"{place}: thread started")
            super().start()

    threading.Thread = Thread
    sys.addaudithook(hook)
    handlers = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)]
    for name in names:
        importlib.import_module(name)
    if threading.active_count() != 1:
        found.append(f"{threading.active_count()} threads run")
    if handlers != [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)]:
        found.append("a signal handler was set")
    if os.path.isdir("/proc/self/fd"):
        for number in os.listdir("/proc/self/fd"):
            try:
                target = os.readlink(f"/proc/self/fd/{number}")
            except OSError:
                continue
            if target.startswith(("socket:", "anon_inode:[eventpoll]")):
                found.append(f"{target} is open")
    print(json.dumps(found))
    """
)


def _import(root: Path, *names: str) -> str:
    """Import the modules one after another in a fresh interpreter, and return what that did besides."""
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", WATCH, str(root), *names],
        capture_output=True,
        stdin=subprocess.DEVNULL,
        text=True,
        timeout=50,
        check=False,
        cwd=root,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.strip()


@pytest.mark.parametrize("room", [*ROOMS, "main"])
def test_importing_does_nothing(room: str) -> None:
    """Importing any module of a room in a fresh interpreter opens no socket, file or database and starts nothing."""
    names = [module.name for module in product() if module.name.split(".")[0] == room]
    names = [name for name in names if not name.endswith("__main__")]  # those are run, not imported
    if not names:
        pytest.skip(f"there is no {room} yet")

    assert _import(ROOT, *names) == "[]"


@pytest.mark.parametrize(
    ("source", "event"),
    [
        ("import socket\ns = socket.socket()", "socket.__new__"),
        ("from pathlib import Path\nPath(__file__).read_text()", "open"),
        ("import threading\nthreading.Thread(target=print, daemon=True).start()", "thread started"),
        ("import sqlite3\nsqlite3.connect(':memory:')", "sqlite3.connect"),
        ("import asyncio\nloop = asyncio.new_event_loop()", "eventpoll"),
        ("import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)", "signal handler"),
    ],
)
def test_import_watch_finds_a_planted_effect(tmp_path: Path, source: str, event: str) -> None:
    """A module that opens or starts something while it is imported is reported, even from deeper down."""
    (tmp_path / "planted.py").write_text(source)
    (tmp_path / "outer.py").write_text("import planted")

    assert event in _import(tmp_path, "outer")


# --------------------------------------------------------------------------------------- the contracts

PLANTED = {
    "Imports run one way, and logic, llm and stt_tts do not know each other": {"llm/p.py": "import logic"},
    "Nothing imports main": {"sessions/p.py": "import main"},
    "No room imports what people type": {"core/p.py": "import scripts"},
    "Members of integrations do not import each other": {"integrations/a.py": "import integrations.b"},
    "logic touches no loop, no network, no disk, no clock, not even through another module": {
        "logic/p.py": "import core.q",
        "core/q.py": "import asyncio",
    },
    "Only core.http imports httpx": {"stt_tts/p.py": "import httpx"},
    "Settings are read by main and handed down as values": {"sessions/q.py": "import config.settings"},
    "No import cycles between siblings": {"config/p.py": "import config.q", "config/q.py": "import config.p"},
}


def _contracts(folder: Path) -> dict[str, str]:
    """Run the linter over a tree, and return KEPT or BROKEN by contract."""
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; from importlinter.cli import lint_imports_command as c; sys.exit(c())",
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
        env={"PATH": "", "COLUMNS": "200", "PYTHONPATH": str(folder)},
    )
    found = dict(re.findall(r"^(.+) (KEPT|BROKEN)\b.*$", done.stdout, re.MULTILINE))
    assert found, done.stdout + done.stderr
    return found


@pytest.fixture
def small_tree(tmp_path: Path) -> Path:
    """A tree with the rooms, the contracts, and nothing wrong."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    files = {f"{room}/__init__.py": "" for room in ROOMS}
    files |= {"scripts/commands/__init__.py": "", "integrations/a.py": "", "integrations/b.py": ""}
    files |= {"config/settings.py": "", "core/http.py": "import httpx", "main.py": "import config.settings"}
    for name, source in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(source)
    return tmp_path


def test_every_contract_can_be_broken(small_tree: Path) -> None:
    """A clean tree keeps every contract of pyproject.toml, and one planted import each breaks every one."""
    assert _contracts(small_tree) == dict.fromkeys(PLANTED, "KEPT")

    for files in PLANTED.values():
        for name, source in files.items():
            (small_tree / name).write_text(source)

    assert _contracts(small_tree) == dict.fromkeys(PLANTED, "BROKEN")
