"""The rules that hold in every source file, and for each a planted break that it must find."""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from tests.house import rules
from tests.house.rules import Found
from tests.house.tree import Module, parse, product


@dataclass(frozen=True)
class Rule:
    """A promise about the source. `allowed` maps a file to how many breaks it may hold, and the comment says why."""

    promise: str
    find: Callable[[Module], Found]
    breaks: tuple[str, ...]
    keeps: tuple[str, ...]
    only: tuple[str, ...] = ("",)
    exempt: tuple[str, ...] = ()
    allowed: dict[str, int] = field(default_factory=dict)
    planted_in: str = "sessions/planted.py"

    def applies_to(self, path: str) -> bool:
        return path.startswith(self.only) and not (self.exempt and path.startswith(self.exempt))


RULES = {
    "sleeping": Rule(
        "nothing sleeps on the thread: waiting is asyncio's, or the clock's",
        rules.sleeping,
        breaks=("import time\ntime.sleep(1)", "from time import sleep as nap\ndef f():\n    nap(1)"),
        keeps=("import asyncio\nasync def f():\n    await asyncio.sleep(1)",),
        exempt=("scripts/",),  # synchronous tools that wait for processes
        allowed={"core/lockfile.py": 1},  # a tenth of a second at most, before there is anything else to do
    ),
    "exiting": Rule(
        "no path of the engine ends the process; main and the commands do",
        rules.exiting,
        breaks=("import sys\nsys.exit(1)", "from os import _exit\n_exit(1)", "raise SystemExit(2)", "exit()"),
        keeps=("raise ValueError(2)",),
        exempt=("main.py", "scripts/"),
    ),
    "printing": Rule(
        "only what people type writes to the terminal; the engine logs",
        rules.printing,
        breaks=("print(1)", "import sys\nsys.stdout.write('x')"),
        keeps=("import logging\nlogging.getLogger(__name__).info('call_ended')",),
        exempt=("scripts/",),
    ),
    "banned": Rule(
        "no second way of logging, of speaking HTTP or of being concurrent, and no patching of the world",
        rules.banned,
        breaks=(
            "import structlog",
            "from gevent import monkey\nmonkey.patch_all()",
            "import requests",
            "import eventlet.hubs",
            "from x import y\ny.monkey_patch()",
            "from unittest.mock import Mock",
        ),
        keeps=("import logging", "import requests_like"),
    ),
    "patching": Rule(
        "an imported module is never changed from outside",
        rules.patching,
        breaks=(
            "import asyncio\nasyncio.sleep = None",
            "import a.b\na.b.c = 1",
            "import time\nsetattr(time, 'time', 0)",
        ),
        keeps=(
            "class A:\n    def __init__(self):\n        self.x = 1",
            "import ast\nx = ast.parse('')\nx.body = []",
        ),
    ),
    "globals": Rule(
        "there is no `global` statement",
        rules.global_statements,
        breaks=("x = 1\ndef f():\n    global x\n    x = 2",),
        keeps=("def f():\n    x = 1\n    def g():\n        nonlocal x\n        x = 2",),
    ),
    "module state": Rule(
        "no function changes a container of its module: two engines can live in one process",
        rules.module_state,
        breaks=(
            "seen = {}\ndef f(x):\n    seen[x] = 1",
            "seen: list[int] = []\nclass A:\n    def f(self):\n        seen.append(1)",
            "import collections\nseen = collections.defaultdict(int)\ndef f():\n    del seen[1]",
            "import itertools\nids = itertools.count()\nasync def f():\n    return next(ids)",
            "seen = set()\nf = lambda x: seen.add(x)",
        ),
        keeps=(
            "TABLE = {1: 2}\ndef f(x):\n    return TABLE[x]",
            "seen = []\ndef f(seen):\n    seen.append(1)",
            "seen = []\ndef f():\n    seen = []\n    seen.append(1)",
        ),
    ),
    "environment": Rule(
        "only config reads the environment; everybody else is handed values",
        rules.environment,
        breaks=(
            "import os\nx = os.environ['A']",
            "from os import getenv\ngetenv('A')",
            "from os import environ as e\ndict(e)",
        ),
        keeps=("import os\nos.path.join('a', 'b')",),
        exempt=("config/", "scripts/lab/", "scripts/bench/"),  # those two hand it on to processes they start
        allowed={"scripts/generate_ari_models.py": 1},  # a password does not belong on the command line
    ),
    "loose tasks": Rule(
        "every task has an owner: a TaskGroup",
        rules.loose_tasks,
        breaks=(
            "import asyncio\nasyncio.create_task(f())",
            "from asyncio import ensure_future\nensure_future(f())",
            "import asyncio\nasyncio.get_running_loop().create_task(f())",
            "self.loop.create_task(f())",
            "import asyncio\nasyncio.get_event_loop()",
        ),
        keeps=("tasks.create_task(f(), name='reader')", "self._tasks.create_task(f())"),
    ),
    "broad catches": Rule(
        "everything is caught only by a supervisor, one for each task",
        rules.broad_catches,
        breaks=(
            "try:\n    f()\nexcept Exception:\n    pass",
            "try:\n    f()\nexcept:\n    g()",
            "try:\n    f()\nexcept (OSError, BaseException) as e:\n    g(e)",
            "try:\n    f()\nexcept* Exception:\n    pass",
            "from contextlib import suppress\nwith suppress(Exception):\n    f()",
            "try:\n    f()\nexcept Exception:\n    if x:\n        raise",
        ),
        keeps=(
            "try:\n    f()\nexcept OSError:\n    pass",
            "try:\n    f()\nexcept BaseException:\n    close()\n    raise",
            "try:\n    f()\nexcept Exception as e:\n    raise OurError from e",
        ),
        allowed={
            "core/store/writer.py": 3,  # the writing thread: hands whatever happened to the one who waits for it
            "sessions/call.py": 1,  # the call's supervisor: logs once and closes the call
            "sessions/manager.py": 1,  # the last one: a broken call does not take the others along
            "integrations/control/server.py": 1,  # the client's: a broken command does not take the engine along
            "scripts/commands/app.py": 1,  # the process's: says once, without a traceback, what nobody foresaw
        },
    ),
    "cancellation": Rule(
        "a cancellation is never swallowed",
        rules.swallowed_cancellation,
        breaks=(
            "import asyncio\ntry:\n    f()\nexcept asyncio.CancelledError:\n    pass",
            "from asyncio import CancelledError\nfrom contextlib import suppress\nwith suppress(CancelledError):\n    f()",
        ),
        keeps=("import asyncio\ntry:\n    f()\nexcept asyncio.CancelledError:\n    close()\n    raise",),
    ),
    "clock": Rule(
        "only core.clock asks the system for the time",
        rules.system_clock,
        breaks=(
            "import time\ntime.time()",
            "from time import monotonic\nmonotonic()",
            "from datetime import datetime\ndatetime.now()",
            "import datetime\ndatetime.date.today()",
            "import time\ndef f(clock=time.monotonic):\n    pass",
        ),
        keeps=("clock.now()", "from datetime import datetime\ndatetime(2026, 1, 1)"),
        exempt=("core/clock.py", "scripts/"),
    ),
    "randomness": Rule(
        "dice are handed in: no module throws the shared ones",
        rules.shared_randomness,
        breaks=(
            "import random\nrandom.uniform(0, 1)",
            "from random import choice\nchoice([1])",
            "import uuid\nuuid.uuid4()",
        ),
        keeps=(
            "import random\ndef f(rng: random.Random):\n    return rng.random()",
            "import secrets\nsecrets.token_hex()",
        ),
        exempt=("scripts/",),
    ),
    "httpx": Rule(
        "only core.http imports httpx, so leaving it is one change",
        rules.http_library,
        breaks=("import httpx", "def f():\n    from httpx import AsyncClient"),
        keeps=("from core.http import request",),
        exempt=("core/http.py",),
    ),
    "purity": Rule(
        "logic decides from values: no coroutine, no loop, no network, no clock, no other room",
        rules.impurity,
        breaks=(
            "async def f():\n    pass",
            "import asyncio",
            "import logging",
            "from core.store import db",
            "from core import clock",
            "import yaml",
            "from sessions import call",
            "import httpx",
        ),
        keeps=(
            "import math\nfrom zoneinfo import ZoneInfo\nfrom pydantic import BaseModel",
            "from core.ids import CallId\nfrom logic.flow import engine\nfrom config.groups import LimitSettings",
        ),
        only=("logic/",),
        planted_in="logic/planted.py",
    ),
    "undeclared": Rule(
        "every third-party import is a direct dependency of requirements.in",
        rules.undeclared,
        breaks=("import langfuse", "from sqlalchemy import orm"),
        keeps=("import websockets, yaml, webrtcvad, json", "from starlette.responses import Response"),
    ),
}

each_rule = pytest.mark.parametrize("name", RULES)


@each_rule
def test_tree_keeps_rule(name: str) -> None:
    """The tree keeps the rule, and no exception outlives what it was made for."""
    rule = RULES[name]
    found = {
        module.path: [f"{module.path}:{line}: {what}" for line, what in rule.find(module)]
        for module in product()
        if rule.applies_to(module.path)
    }
    broken = [
        place for path, places in found.items() if len(places) > rule.allowed.get(path, 0) for place in places
    ]
    stale = [path for path, count in rule.allowed.items() if len(found.get(path, [])) < count]

    assert broken == [], rule.promise
    assert stale == [], f"these exceptions are no longer needed: {stale}"


@each_rule
def test_rule_finds_a_planted_break(name: str) -> None:
    """Each planted break is found, so a silent rule is a kept one."""
    rule = RULES[name]

    assert [source for source in rule.breaks if not list(rule.find(parse(source, rule.planted_in)))] == []
    assert rule.applies_to(rule.planted_in)


@each_rule
def test_rule_lets_the_right_way_pass(name: str) -> None:
    """What the house recommends instead is not reported."""
    rule = RULES[name]

    assert [found for source in rule.keeps for found in rule.find(parse(source, rule.planted_in))] == []


def test_the_tree_is_seen() -> None:
    """The scanners read what is there: every room has at least one module."""
    rooms = {module.path.split("/")[0] for module in product()}

    assert {"config", "core", "logic", "llm", "stt_tts", "sessions", "integrations", "scripts"} <= rooms
