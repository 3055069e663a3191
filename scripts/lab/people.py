"""The people of the lab: who they are, what they say. What they do is in `templates/extensions.conf`.

Each is reachable as `Local/<name>@people/n`; those who can also call in are in the context `callers`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Person:
    """One extension of the lab's dialplan."""

    name: str
    number: str
    does: str
    calls_in: bool = False


PEOPLE = (
    Person("polite-yes", "+15550001", "hears the greeting out, says yes, stays", calls_in=True),
    Person("polite-no", "+15550002", "hears the greeting out, says no thank you, stays", calls_in=True),
    Person(
        "silent", "+15550003", "answers and says nothing (silence is sent, as by a telephone)", calls_in=True
    ),
    Person("hangs-up-at-once", "+15550004", "answers and hangs up within 200 ms", calls_in=True),
    Person("busy", "+15550005", "is busy (cause 17)"),
    Person("no-answer", "+15550006", "rings for a minute"),
    Person("presses-1", "+15550007", "answers, presses 1 after a second, stays", calls_in=True),
    Person(
        "stop-and-hangs-up", "+15550008", "breaks into the greeting to say stop, and hangs up", calls_in=True
    ),
    Person("congestion", "+15550009", "cannot be reached: congestion"),
    Person("rejects", "+15550010", "rejects the call (cause 21)"),
    Person("machine", "+15550011", "is an answering machine: a long greeting, a beep, silence"),
    Person(
        "sends-nothing", "+15550012", "answers and sends no audio at all, as a dead line does", calls_in=True
    ),
)

SENTENCES = {
    "yes-that-is-fine": "Yes, that is fine.",
    "no-thank-you": "No thank you.",
    "stop-never-call-me-again": "Stop. Never call me again.",
    "leave-a-message": (
        "You have reached the voice mail of the Miller family. We cannot come to the phone right now."
        " Please leave a message after the tone, and we will call you back."
    ),
}


def find(name: str) -> Person | None:
    return next((person for person in PEOPLE if person.name == name), None)
