"""`demo`: to be written."""

import typer


def add_to(app: typer.Typer) -> None:
    """Add the command."""
