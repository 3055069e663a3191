"""The rules of the source, each a function from a module to what breaks it.

A rule answers with (line, what it found). It knows nothing of where it applies and what is allowed: the table in
`test_source` does.
"""

import ast
import re
import sys
from collections.abc import Iterator

from tests.house.tree import ROOMS, ROOT, Module

Found = Iterator[tuple[int, str]]


def sleeping(module: Module) -> Found:
    """Calls of time.sleep, under any name."""
    for call, name in module.calls():
        if name == "time.sleep":
            yield call.lineno, name


def exiting(module: Module) -> Found:
    """Everything that ends the process."""
    for call, name in module.calls():
        if name in {"sys.exit", "os._exit", "os.abort", "exit", "quit", "os.execv", "os.execvp"}:
            yield call.lineno, name
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Raise) and node.exc is not None:
            raised = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
            if module.dotted(raised) in {"SystemExit", "typer.Exit"}:
                yield node.lineno, "raise SystemExit"


def printing(module: Module) -> Found:
    """Output past the log."""
    for call, name in module.calls():
        if name in {"print", "sys.stdout.write", "sys.stderr.write", "rich.print", "typer.echo"}:
            yield call.lineno, name


BANNED = {
    "structlog": "standard-library logging",
    "loguru": "standard-library logging",
    "logbook": "standard-library logging",
    "requests": "core.http",
    "urllib3": "core.http",
    "aiohttp": "core.http",
    "eventlet": "asyncio",
    "gevent": "asyncio",
    "greenlet": "asyncio",
    "nest_asyncio": "asyncio",
    "unittest.mock": "a fake that ships in the tree",
}


def banned(module: Module) -> Found:
    """Imports of what another part of this engine does, or of what patches the world."""
    for line, name in module.imports():
        for package, instead in BANNED.items():
            if name == package or name.startswith(package + "."):
                yield line, f"{package}: use {instead}"
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Attribute | ast.Name):
            word = node.attr if isinstance(node, ast.Attribute) else node.id
            if "monkey_patch" in word or word == "patch_all":
                yield node.lineno, word


def patching(module: Module) -> Found:
    """Attributes of an imported module set from outside: the module is everybody's."""
    modules = {
        name.asname or name.name.split(".")[0]
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Import)
        for name in node.names
    }
    for node in ast.walk(module.tree):
        for target in _targets(node):
            root = target
            while isinstance(root, ast.Attribute):
                root = root.value
            if isinstance(target, ast.Attribute) and isinstance(root, ast.Name) and root.id in modules:
                yield target.lineno, ast.unparse(target)
    for call, name in module.calls():
        if name in {"setattr", "delattr"} and call.args:
            first = call.args[0]
            if isinstance(first, ast.Name) and first.id in modules:
                yield call.lineno, f"{name} on {first.id}"


def _targets(node: ast.AST) -> list[ast.expr]:
    if isinstance(node, ast.Assign | ast.Delete):
        return node.targets
    if isinstance(node, ast.AugAssign | ast.AnnAssign):
        return [node.target]
    return []


def global_statements(module: Module) -> Found:
    """`global` statements."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Global):
            yield node.lineno, f"global {', '.join(node.names)}"


CONTAINERS = {
    *("list", "dict", "set", "bytearray"),
    *(f"collections.{name}" for name in ("defaultdict", "deque", "OrderedDict", "Counter", "ChainMap")),
    *(f"weakref.{name}" for name in ("WeakSet", "WeakKeyDictionary", "WeakValueDictionary")),
    *("queue.Queue", "asyncio.Queue", "array.array", "itertools.count"),
}
MUTATORS = {
    *(
        "append",
        "extend",
        "insert",
        "remove",
        "pop",
        "clear",
        "sort",
        "reverse",
        "appendleft",
        "popleft",
        "rotate",
    ),
    *("add", "discard", "update", "setdefault", "popitem", "put", "put_nowait", "get_nowait", "subtract"),
    *("difference_update", "intersection_update", "symmetric_difference_update", "__setitem__"),
}


def module_state(module: Module) -> Found:
    """Containers of a module that its functions change: a second engine in this process would share them."""
    names = set()
    for statement in module.tree.body:
        value = getattr(statement, "value", None)
        if not isinstance(statement, ast.Assign | ast.AnnAssign) or value is None:
            continue
        mutable = isinstance(
            value, ast.List | ast.Dict | ast.Set | ast.ListComp | ast.DictComp | ast.SetComp
        ) or (isinstance(value, ast.Call) and module.dotted(value.func) in CONTAINERS)
        if mutable:
            names |= {target.id for target in _targets(statement) if isinstance(target, ast.Name)}
    for function in ast.walk(module.tree):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield from _changes(function, names - _bound(function))


def _bound(function: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> set[str]:
    """Names that are the function's own."""
    arguments = function.args
    every = [
        *arguments.posonlyargs,
        *arguments.args,
        *arguments.kwonlyargs,
        arguments.vararg,
        arguments.kwarg,
    ]
    own = {argument.arg for argument in every if argument}
    for node in ast.walk(function):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            own.add(node.id)
    return own


def _changes(function: ast.AST, names: set[str]) -> Found:
    for node in ast.walk(function):
        for target in _targets(node):
            if (
                isinstance(target, ast.Subscript)
                and isinstance(target.value, ast.Name)
                and target.value.id in names
            ):
                yield target.lineno, f"{target.value.id}[...] changed"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in MUTATORS:
            owner = node.func.value
            if isinstance(owner, ast.Name) and owner.id in names:
                yield node.lineno, f"{owner.id}.{node.func.attr}()"
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id == "next"
            and node.args
        ):
            first = node.args[0]
            if isinstance(first, ast.Name) and first.id in names:
                yield node.lineno, f"next({first.id})"


def environment(module: Module) -> Found:
    """Reads of the environment."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Attribute | ast.Name):
            name = module.dotted(node)
            if name in {"os.environ", "os.environb", "os.getenv", "os.putenv", "os.unsetenv"}:
                yield node.lineno, name


def loose_tasks(module: Module) -> Found:
    """Tasks that no TaskGroup owns, and loops taken by hand."""
    for call, name in module.calls():
        if name in {"asyncio.create_task", "asyncio.ensure_future", "asyncio.get_event_loop"}:
            yield call.lineno, name
        elif isinstance(call.func, ast.Attribute) and call.func.attr == "create_task":
            owner = call.func.value
            said = module.dotted(owner) or (module.dotted(owner.func) if isinstance(owner, ast.Call) else "")
            if re.search(r"(^|[._])loop$|_loop$|\bget_(running|event)_loop$", said):
                yield call.lineno, f"{said}.create_task"


BROAD = {"Exception", "BaseException", "builtins.Exception", "builtins.BaseException"}


def broad_catches(module: Module) -> Found:
    """Catches of everything that do not raise it again."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ExceptHandler):
            names = {"everything"} if node.type is None else _caught(module, node.type) & BROAD
            if names and not _raises_again(node):
                yield node.lineno, f"except {', '.join(sorted(names))}"
    for call, name in module.calls():
        if name == "contextlib.suppress" and any(module.dotted(argument) in BROAD for argument in call.args):
            yield call.lineno, "suppress(Exception)"


def swallowed_cancellation(module: Module) -> Found:
    """Handlers that catch CancelledError by name and do not raise."""
    cancelled = {
        "asyncio.CancelledError",
        "asyncio.exceptions.CancelledError",
        "concurrent.futures.CancelledError",
    }
    for node in ast.walk(module.tree):
        if not isinstance(node, ast.ExceptHandler) or node.type is None:
            continue
        if _caught(module, node.type) & cancelled and not _raises_again(node):
            yield node.lineno, "except CancelledError"
    for call, name in module.calls():
        if name == "contextlib.suppress" and any(
            module.dotted(argument) in cancelled for argument in call.args
        ):
            yield call.lineno, "suppress(CancelledError)"


def _caught(module: Module, kind: ast.expr) -> set[str]:
    kinds = kind.elts if isinstance(kind, ast.Tuple) else [kind]
    return {module.dotted(one) for one in kinds}


def _raises_again(handler: ast.ExceptHandler) -> bool:
    """Whether the handler always ends by raising: its last statement is a raise."""
    return isinstance(handler.body[-1], ast.Raise)


CLOCKS = {
    *(
        "time.time",
        "time.time_ns",
        "time.monotonic",
        "time.monotonic_ns",
        "time.perf_counter",
        "time.perf_counter_ns",
    ),
    *("datetime.datetime.now", "datetime.datetime.utcnow", "datetime.datetime.today", "datetime.date.today"),
}


def system_clock(module: Module) -> Found:
    """Questions to the system's clock; a reference counts, since a default argument asks later."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Attribute | ast.Name) and module.dotted(node) in CLOCKS:
            yield node.lineno, module.dotted(node)


def shared_randomness(module: Module) -> Found:
    """Dice that cannot be handed in: the random module's own functions, and random UUIDs."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Attribute | ast.Name):
            name = module.dotted(node)
            if name in {"uuid.uuid1", "uuid.uuid4"} or re.fullmatch(r"random\.[a-z]\w*", name):
                yield node.lineno, name


def http_library(module: Module) -> Found:
    """Imports of httpx."""
    for line, name in module.imports():
        if name.split(".")[0] in {"httpx", "httpcore"}:
            yield line, name


IMPURE = {
    *(
        "asyncio",
        "concurrent",
        "multiprocessing",
        "select",
        "selectors",
        "signal",
        "socket",
        "socketserver",
        "ssl",
    ),
    *(
        "subprocess",
        "threading",
        "sqlite3",
        "logging",
        "time",
        "os",
        "shutil",
        "tempfile",
        "http",
        "urllib",
        "queue",
    ),
}
READS_YAML = ("logic/documents/tree.py", "logic/flow/loader")  # the loader's step from text to tree
PURE_FIRST_PARTY = ("logic", "core.ids", "core.numbers", "core.errors", "config.groups", "config.errors")


def impurity(module: Module) -> Found:
    """What a deciding module must not have: coroutines, and imports beyond the pure ones."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.AsyncFunctionDef | ast.Await | ast.AsyncFor | ast.AsyncWith):
            yield node.lineno, type(node).__name__
    for line, name in module.imports():
        top = name.split(".")[0]
        if top in ROOMS or top == "main":
            pure = any(name == allowed or name.startswith(allowed + ".") for allowed in PURE_FIRST_PARTY)
        elif top in sys.stdlib_module_names:
            pure = top not in IMPURE
        else:
            pure = top in {"pydantic", "pydantic_core", "annotated_types", "phonenumbers"} or (
                top == "yaml" and module.path.startswith(READS_YAML)
            )
        if not pure:
            yield line, f"import {name}"


IMPORT_NAMES = {
    "audioop-lts": {"audioop"},
    "fastapi": {"fastapi", "starlette"},
    "ffmpeg-python": {"ffmpeg"},
    "prometheus-client": {"prometheus_client"},
    "pydantic": {"pydantic", "pydantic_core", "annotated_types"},
    "pydantic-settings": {"pydantic_settings"},
    "pyyaml": {"yaml"},
    "soxr": {"soxr", "numpy"},  # soxr hands out numpy arrays
    "typer": {"typer", "click"},
    "webrtcvad-wheels": {"webrtcvad"},
}
OPTIONAL = {"pocketsphinx"}  # a provider of its own; whoever chooses it installs it


def requirement_names(text: str) -> list[str]:
    """The packages a requirements file names, in order."""
    lines = (line.split("#")[0].strip() for line in text.splitlines())
    return [match[0].lower() for line in lines if (match := re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*", line))]


def undeclared(module: Module) -> Found:
    """Third-party imports that requirements.in does not name."""
    declared = requirement_names((ROOT / "requirements.in").read_text())
    known = {top for package in declared for top in IMPORT_NAMES.get(package, {package.replace("-", "_")})}
    for line, name in module.imports():
        top = name.split(".")[0]
        if (
            top not in sys.stdlib_module_names
            and top not in {*ROOMS, "main", "tests", "__future__"} | known | OPTIONAL
        ):
            yield line, f"import {name}"
