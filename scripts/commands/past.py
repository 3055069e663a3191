"""A call that is over, as its journal tells it: the same timeline that was shown while it went on."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final, get_args

from core.journal import JournalRecord, journal_path, read_journal
from core.store import CallRow
from sessions.commands import Command
from sessions.events import CallEvent
from sessions.timeline import Entry, describe

_EVENTS: Final[Mapping[str, type]] = {kind.__name__: kind for kind in get_args(CallEvent)}
_COMMANDS: Final[Mapping[str, type]] = {kind.__name__: kind for kind in get_args(Command)}


def journal_of(row: CallRow, data_dir: Path) -> JournalRecord:
    """The journal of a call. Raises JournalError when it is not there any more."""
    said = [Path(row.journal), data_dir / row.journal] if row.journal else []
    for path in said:
        if path.is_file():
            return read_journal(path)
    return read_journal(journal_path(data_dir / "journal", row.call_id, row.started_at))


def timeline_of(journal: JournalRecord) -> list[Entry]:
    """What a person reads of it. Lines of a kind this version does not know are left out."""
    entries = []
    for line in journal.lines:
        if line.kind == "end":
            entries.append(Entry(line.at, "ended", str(line.data.get("outcome", ""))))
        elif line.kind == "in" and (event := _event(line.data)) is not None:
            said = describe(event)
            if said is not None:
                entries.append(Entry(line.at, *said))
    return entries


def _event(data: Mapping[str, object]) -> CallEvent | None:
    found = _value(data, _EVENTS)
    return found if isinstance(found, get_args(CallEvent)) else None


def _value(data: Mapping[str, object], kinds: Mapping[str, type]) -> object:
    """An event or command from what the journal keeps of it; None for what this version does not know."""
    kind = kinds.get(str(data.get("is")))
    if kind is None:
        return None
    fields = {name: _revived(value) for name, value in data.items() if name not in {"is", "out"}}
    try:
        return kind(**fields)
    except TypeError:  # written by another version, with other fields
        return None


def _revived(value: object) -> object:
    """JSON has no tuples and no dataclasses."""
    if isinstance(value, dict):
        return _value(value, _COMMANDS)
    return tuple(value) if isinstance(value, list) else value
