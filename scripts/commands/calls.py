"""`calls list` and `calls show`: what happened, from the store and the journals. They only read, also beside an engine."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.markup import escape

from config.settings import NO_ASTERISK
from core.clock import SystemClock
from core.errors import JournalError
from core.store import CallRow, Direction, Store
from scripts.commands.leaving import Code, Stop, plainly, put_json
from scripts.commands.past import journal_of, timeline_of
from scripts.commands.wiring import given_to
from scripts.commands.words import entry_words, outcome_words
from sessions.timeline import Entry

_DATABASE: Final = "linekeeper.db"
_AMBIGUOUS: Final = 10

_LIST = """The newest calls first.

\b
Examples:
  python main.py calls list
  python main.py calls list --limit 5 --json
"""

_SHOW = """One call and everything that happened in it. The first characters of its id are enough.

\b
Examples:
  python main.py calls show 1m7wd1dwzepwz58j
  python main.py calls show 1m7wd1d --json
"""


def add_to(app: typer.Typer) -> None:
    """Add the group."""
    calls = typer.Typer(help="What happened: the calls of this data folder.", no_args_is_help=True)

    @calls.command("list", help=_LIST)
    def list_(
        ctx: typer.Context,
        limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many.")] = 20,
        as_json: Annotated[bool, typer.Option("--json", help="Print one JSON list.")] = False,
    ) -> None:
        with plainly(as_json=as_json):
            rows = asyncio.run(_newest(_data_dir(ctx), limit))
        if as_json:
            put_json([row_json(row) for row in rows])
        else:
            _print_list(rows)

    @calls.command("show", help=_SHOW)
    def show(
        ctx: typer.Context,
        call_id: Annotated[str, typer.Argument(metavar="ID", help="The id of a call, or how it begins.")],
        as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    ) -> None:
        with plainly(as_json=as_json):
            folder = _data_dir(ctx)
            row = asyncio.run(_the_one(folder, call_id))
            entries, remark = _entries(row, folder)
        if as_json:
            timeline = [entry.to_json() for entry in entries]
            put_json({**row_json(row), "timeline": timeline, "remark": remark})
        else:
            _print_call(row, entries, remark)

    app.add_typer(calls, name="calls")


def row_json(row: CallRow) -> dict[str, object]:
    """A call as these commands print it with --json."""
    return {name: _plain(value) for name, value in asdict(row).items()}


def _plain(value: object) -> object:
    match value:
        case datetime():
            return value.isoformat()
        case Enum():
            return value.value
        case _:
            return value


def _data_dir(ctx: typer.Context) -> Path:
    """The data folder; Asterisk is not asked, so its settings may be missing."""
    return given_to(ctx).settings(**NO_ASTERISK).storage.data_dir


# ------------------------------------------------------------------------------------------------ reading


@asynccontextmanager
async def _store(folder: Path) -> AsyncIterator[Store | None]:
    """The store as it is, never made or migrated here; None before the first engine."""
    path = folder / _DATABASE
    if not path.exists():
        yield None
        return
    async with Store.open(path, SystemClock(), random.Random(), migrate=False) as store:
        yield store


async def _newest(folder: Path, limit: int) -> list[CallRow]:
    async with _store(folder) as store:
        return [] if store is None else await store.calls.list_calls(limit=limit)


async def _the_one(folder: Path, prefix: str) -> CallRow:
    """The call whose id starts so. Raises Stop when there is none, or more than one."""
    if not prefix.strip():
        raise Stop(Code.USAGE, "which call? `calls list` prints their ids")
    async with _store(folder) as store:
        found = [] if store is None else await store.calls.find_calls(prefix, limit=_AMBIGUOUS + 1)
    match found:
        case []:
            raise Stop(
                Code.USAGE, f"no call's id begins with {prefix!r} in {folder}: `calls list` prints them"
            )
        case [row]:
            return row
        case _:
            lines = [
                f"  {row.call_id}  {_moment(row.started_at)}  {row.number}" for row in found[:_AMBIGUOUS]
            ]
            more = ["  and more"] if len(found) > _AMBIGUOUS else []
            raise Stop(
                Code.USAGE,
                "\n".join([f"several calls begin with {prefix!r}: type more of one", *lines, *more]),
            )


def _entries(row: CallRow, folder: Path) -> tuple[list[Entry], str]:
    """The timeline, and what should be known of it."""
    try:
        journal = journal_of(row, folder)
    except JournalError as error:
        return [], f"its journal cannot be read: {error}"
    if journal.complete:
        return timeline_of(journal), ""
    remark = "the call goes on, or its engine died" if row.outcome is None else "its journal is not complete"
    return timeline_of(journal), remark


# ------------------------------------------------------------------------------------------------ printing


def _print_list(rows: list[CallRow]) -> None:
    console = Console(highlight=False, soft_wrap=True)
    if not rows:
        console.print("No calls yet. Place one: python main.py call +12025550101 --scenario marketing")
        return
    lines = [("id", "began (UTC)", "way", "number", "line", "scenario", "outcome", "talked")]
    lines += [
        (
            row.call_id,
            _moment(row.started_at),
            "in" if row.direction is Direction.INBOUND else "out",
            row.number or "hidden",
            row.line,
            row.scenario,
            row.outcome or f"({row.state})",
            _talked(row),
        )
        for row in rows
    ]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:  # a terminal that is too narrow wraps; nothing is cut off
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        console.print(escape("  ".join(cells).rstrip()))


def _print_call(row: CallRow, entries: list[Entry], remark: str) -> None:
    console = Console(highlight=False, soft_wrap=True)
    way = "from" if row.direction is Direction.INBOUND else "to"
    outcome = row.outcome or f"not over ({row.state})"
    console.print(f"[bold]Call {row.call_id}[/bold] {way} {escape(row.number) or 'a hidden number'}")
    facts = {
        "outcome": f"{outcome}: {outcome_words(row.outcome)}" if row.outcome else outcome,
        "began": f"{_moment(row.started_at)} UTC",
        "talked": _talked(row),
        "line": row.line,
        "scenario": row.scenario,
        "hangup cause": "" if row.hangup_cause is None else str(row.hangup_cause),
        "recordings": ", ".join(row.recordings),
        "error": row.error or "",
        "remark": remark,
    }
    for name, fact in facts.items():
        if fact:
            console.print(f"  {name:<13}{escape(fact)}")
    if entries:
        console.print()
    for entry in entries:
        console.print(f"[dim]{entry.at_s:8.2f} s[/dim]  {escape(entry_words(entry.what, entry.detail))}")


def _moment(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def _talked(row: CallRow) -> str:
    if row.answered_at is None or row.ended_at is None:
        return ""
    return f"{(row.ended_at - row.answered_at).total_seconds():.1f} s"
