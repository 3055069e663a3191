"""The source tree as the house rules see it: modules with their syntax trees, and the files git would keep."""

import ast
import functools
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROOMS = ("config", "core", "logic", "llm", "stt_tts", "sessions", "integrations", "scripts")


@dataclass(frozen=True)
class Module:
    """One source file: its path from the root, its dotted name, its tree."""

    path: str
    tree: ast.Module

    @property
    def name(self) -> str:
        return self.path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")

    @property
    def is_package(self) -> bool:
        return self.path.endswith("/__init__.py")

    @functools.cached_property
    def aliases(self) -> dict[str, str]:
        """What each imported name stands for: `from time import sleep as nap` gives nap -> time.sleep."""
        found: dict[str, str] = {}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                for name in node.names:
                    found[name.asname or name.name.split(".")[0]] = (
                        name.name if name.asname else name.name.split(".")[0]
                    )
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                for name in node.names:
                    found[name.asname or name.name] = f"{node.module}.{name.name}"
        return found

    def dotted(self, node: ast.AST) -> str:
        """The dotted name an expression refers to, with imports followed; empty when it is no plain name."""
        if isinstance(node, ast.Name):
            return self.aliases.get(node.id, node.id)
        if isinstance(node, ast.Attribute):
            left = self.dotted(node.value)
            return f"{left}.{node.attr}" if left else ""
        return ""

    def calls(self) -> Iterator[tuple[ast.Call, str]]:
        """Every call, with the dotted name of what is called."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Call):
                yield node, self.dotted(node.func)

    def imports(self) -> Iterator[tuple[int, str]]:
        """Every imported name, with its line: `from a.b import c` gives a.b.c."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from ((node.lineno, name.name) for name in node.names)
            elif isinstance(node, ast.ImportFrom):
                base = node.module or ""
                if node.level:
                    parts = self.name.split(".")
                    kept = parts[: len(parts) - node.level + (1 if self.is_package else 0)]
                    base = ".".join([*kept, *([base] if base else [])])
                yield from ((node.lineno, f"{base}.{name.name}") for name in node.names)


def parse(source: str, path: str = "sessions/planted.py") -> Module:
    """A module from text, for planted examples."""
    return Module(path, ast.parse(source, path))


@functools.cache
def product() -> tuple[Module, ...]:
    """Every source file of the rooms and main.py."""
    paths = [path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))]
    if (ROOT / "main.py").exists():
        paths.append(ROOT / "main.py")
    return tuple(parse(path.read_text("utf-8"), path.relative_to(ROOT).as_posix()) for path in paths)


def git(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Ask git about this tree, also when the clone belongs to somebody else."""
    return subprocess.run(
        ["git", "-c", "safe.directory=*", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


@functools.cache
def kept_files() -> tuple[str, ...]:
    """What is in the repository or would be added: never var/, .env or a virtual environment."""
    listed = git("ls-files", "-z", "--cached", "--others", "--exclude-standard")
    assert listed.returncode == 0, listed.stderr
    return tuple(sorted({name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()}))
