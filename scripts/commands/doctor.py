"""`doctor`: to be written."""

import typer

from scripts.commands.wiring import Given


def add_to(app: typer.Typer) -> None:
    """Add the command."""


def examine(given: Given, *, as_json: bool) -> None:
    """Examine."""
