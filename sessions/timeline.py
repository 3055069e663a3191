"""What happened in a call, as a person reads it: one short entry per event that matters, with its offset in seconds.

A timeline is bounded, and followers that do not keep up lose entries, not the call.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from sessions.commands import CreateLeg, DialLeg, JoinBridge, OriginateLeg, Play, StartRecording
from sessions.events import (
    CallEvent,
    DialProgress,
    Done,
    Entered,
    Failed,
    Gone,
    HangupRequested,
    KeyPressed,
    PlaybackEnded,
    RecordingEnded,
    RecordingMeasured,
    StopRequested,
    Vanished,
)

MAX_ENTRIES: Final = 1000
MAX_BEHIND: Final = 200


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a timeline. `what` is from a small fixed set, `detail` says more."""

    at_s: float
    what: str
    detail: str = ""

    def to_json(self) -> dict[str, object]:
        return {"at_s": round(self.at_s, 3), "what": self.what, "detail": self.detail}


def describe(event: CallEvent) -> tuple[str, str] | None:
    """What an event says to a person; None for those that say nothing."""
    match event:
        case Entered():
            return "entered", ""
        case DialProgress(_, status):
            return ("answered" if status == "ANSWER" else status.lower() or "dialled"), ""
        case Done(JoinBridge()):
            return "bridged", ""
        case Done(Play(_, _, media)):
            return "saying", " ".join(uri.rsplit("/", 1)[-1] for uri in media)
        case Done(StartRecording(_, _, max_s, silence_s)):
            return "listening", f"at most {max_s:g} s, until {silence_s:g} s of silence"
        case PlaybackEnded(_, ok):
            return ("said", "") if ok else ("not_said", "Asterisk could not play it")
        case RecordingEnded(_, True, duration_s, talking_s):
            return "heard", _durations(duration_s, talking_s)
        case RecordingEnded():
            return "not_heard", "the recording failed"
        case RecordingMeasured(_, is_empty):
            return "measured", "nobody said anything" if is_empty else "somebody spoke"
        case KeyPressed(_, digit):
            return "pressed", digit
        case HangupRequested():
            return "hanging_up", ""
        case Gone(_, cause, tech_cause, _):
            return "gone", f"cause {cause}" + (f", SIP {tech_cause}" if tech_cause else "")
        case Vanished():
            return "vanished", "Asterisk does not know the channel any more"
        case StopRequested(reason):
            return "stopping", reason
        case Failed(CreateLeg() | OriginateLeg() | DialLeg(), error):
            return "dial_failed", error
        case Failed(_, error, False, _):
            return "failed", error
        case _:
            return None


def _durations(duration_s: float | None, talking_s: float | None) -> str:
    if duration_s is None:
        return ""
    # One second of talking is also what Asterisk hears in silence: the recording itself is measured then.
    talked = "" if talking_s is None or talking_s == 1 else f", {talking_s:g} s of it speech"
    return f"{duration_s:g} s{talked}"


class Timeline:
    """The entries of one call, and who follows them."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []
        self._followers: list[asyncio.Queue[Entry | None]] = []
        self.dropped = 0
        self._is_over = False

    def add(self, at_s: float, what: str, detail: str = "") -> None:
        """One more entry, seen by everyone who follows."""
        entry = Entry(at_s, what, detail)
        if len(self._entries) < MAX_ENTRIES:
            self._entries.append(entry)
        else:
            self.dropped += 1
        for follower in self._followers:
            if follower.qsize() < MAX_ENTRIES + MAX_BEHIND:  # the last place is kept for the end
                follower.put_nowait(entry)
            else:
                self.dropped += 1

    def finish(self) -> None:
        """Nothing more will come: followers reach their end."""
        self._is_over = True
        for follower in self._followers:
            follower.put_nowait(None)

    @contextmanager
    def follow(self) -> Iterator[asyncio.Queue[Entry | None]]:
        """A queue of the entries so far and from here on; None marks the end."""
        queue: asyncio.Queue[Entry | None] = asyncio.Queue(MAX_ENTRIES + MAX_BEHIND + 1)
        for entry in self._entries:
            queue.put_nowait(entry)
        if self._is_over:
            queue.put_nowait(None)
        self._followers.append(queue)
        try:
            yield queue
        finally:
            self._followers.remove(queue)

    def to_json(self) -> list[dict[str, object]]:
        return [entry.to_json() for entry in self._entries]
