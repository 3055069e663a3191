"""What `--help` says: every command has one, with examples and the code it may leave with."""

from collections.abc import Iterator

import pytest
import typer
from typer.testing import CliRunner

COMMANDS = (
    ("run",),
    ("call",),
    ("calls",),
    ("calls", "list"),
    ("calls", "show"),
    ("doctor",),
    ("demo",),
)


def _examples(text: str) -> Iterator[str]:
    for line in text.splitlines():
        if line.strip().startswith("python main.py"):
            yield line.strip().removeprefix("python main.py").split("     ")[0].strip()


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(app: typer.Typer, command: tuple[str, ...]) -> None:
    """`--help` works for each, and leaves with 0."""
    result = CliRunner().invoke(app, [*command, "--help"])
    assert result.exit_code == 0
    assert "Usage:" in result.output


@pytest.mark.parametrize("command", [command for command in COMMANDS if command != ("calls",)])
def test_every_command_has_examples_and_json(app: typer.Typer, command: tuple[str, ...]) -> None:
    """Somebody who reads the help can copy a line that works, and a program can read the answer."""
    output = CliRunner().invoke(app, [*command, "--help"]).output
    assert [example for example in _examples(output) if " ".join(command) in example]
    assert "--json" in output


def test_the_front_page_names_the_commands_and_the_codes(app: typer.Typer) -> None:
    """What there is, and what the exit codes mean."""
    output = CliRunner().invoke(app, ["--help"]).output
    for name in ("run", "call", "calls", "doctor", "demo"):
        assert f"\n  {name} " in output
    assert "Exit codes: 0 done, 1 failed, 2 wrong usage or settings, 3 Asterisk" in output
