"""Who picks up, and what they do once the line is open. A person is data: no clock, no channel, no state of their own.

Every act waits for a cue (answered, a prompt began, a prompt is over, spoken to for so long, own sentence said) and
comes some time after it. `PEOPLE` are the same people the lab's Asterisk has, under the same names and numbers.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Final


class Pickup(Enum):
    """What the far end does with a call."""

    ANSWERS = "answers"
    BUSY = "busy"  # Dial BUSY at once, cause 17 when it lets go
    CONGESTION = "congestion"  # Dial CONGESTION at once, cause 34 when it lets go
    REJECTS = "rejects"  # cause 21 at once, and no final Dial event
    NO_ANSWER = "no_answer"  # rings until somebody gives up
    NEVER_RINGS = "never_rings"  # nothing comes back at all


class Cue(Enum):
    """What an act waits for."""

    ANSWERED = "answered"
    PROMPT_STARTED = "prompt_started"  # the nth time something is played to them
    PROMPT_ENDED = "prompt_ended"  # from the nth time on, when it has been quiet for `after_s`
    HEARD = "heard"  # spoken to for `heard_s` in all
    SAID = "said"  # their own nth sentence is over


@dataclass(frozen=True, slots=True)
class When:
    """`after_s` seconds after a cue. `patience_s` after the answer they act even if no prompt ever came."""

    cue: Cue = Cue.ANSWERED
    after_s: float = 0.0
    nth: int = 1
    heard_s: float = 0.0
    patience_s: float | None = None


def at(after_s: float) -> When:
    """So many seconds after the answer."""
    return When(Cue.ANSWERED, after_s)


def during_prompt(after_s: float, *, nth: int = 1) -> When:
    """So many seconds into the nth prompt."""
    return When(Cue.PROMPT_STARTED, after_s, nth)


def after_prompt(after_s: float, *, nth: int = 1, patience_s: float | None = None) -> When:
    """When the nth prompt is over and nothing was played for so many seconds."""
    return When(Cue.PROMPT_ENDED, after_s, nth, patience_s=patience_s)


def after_hearing(heard_s: float) -> When:
    """When they have been spoken to for so many seconds in all."""
    return When(Cue.HEARD, heard_s=heard_s)


def after_saying(after_s: float, *, nth: int = 1) -> When:
    """So many seconds after the end of their own nth sentence."""
    return When(Cue.SAID, after_s, nth)


@dataclass(frozen=True, slots=True)
class Says:
    """Talks for `lasts_s`. The words are for whoever plays the transcriber; the line carries a tone."""

    when: When
    lasts_s: float
    words: str = ""


@dataclass(frozen=True, slots=True)
class Presses:
    """Presses one key."""

    when: When
    digit: str
    lasts_ms: int = 100


@dataclass(frozen=True, slots=True)
class HangsUp:
    """Hangs up."""

    when: When
    cause: int = 16


Act = Says | Presses | HangsUp


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody at the other end. `ring_s` is the time from the first ring to the answer.

    `sends_frames` is what every telephone does: audio flows even when they are quiet. A person of the lab's dialplan
    sends none while it waits, and Asterisk ends a recording that hears nothing at all after four seconds.
    """

    name: str
    number: str = ""
    pickup: Pickup = Pickup.ANSWERS
    ring_s: float = 0.5
    acts: tuple[Act, ...] = ()
    lets_go_s: float = 0.5  # after BUSY or CONGESTION
    gives_up_s: float = 60.0  # the far end of NO_ANSWER hangs up itself, cause 19
    sends_frames: bool = True


_POLITE = after_prompt(1.2, patience_s=9.2)

_LAB: Final = (
    Person(
        "polite-yes",
        "+15550001",
        acts=(Says(_POLITE, 1.9, "Yes, that is fine."), HangsUp(after_saying(30.0))),
    ),
    Person("polite-no", "+15550002", acts=(Says(_POLITE, 1.2, "No thank you."), HangsUp(after_saying(30.0)))),
    Person("silent", "+15550003", acts=(HangsUp(at(60.0)),)),
    Person("hangs-up-at-once", "+15550004", acts=(HangsUp(at(0.1)),)),
    Person("busy", "+15550005", pickup=Pickup.BUSY),
    Person("no-answer", "+15550006", pickup=Pickup.NO_ANSWER),
    Person("presses-1", "+15550007", acts=(Presses(at(1.0), "1"), HangsUp(at(31.0)))),
    Person(
        "stop-and-hangs-up",
        "+15550008",
        acts=(Says(during_prompt(0.7), 2.1, "Stop. Never call me again."), HangsUp(after_saying(0.0))),
    ),
    Person("congestion", "+15550009", pickup=Pickup.CONGESTION),
    Person("rejects", "+15550010", pickup=Pickup.REJECTS),
    Person(
        "machine",
        "+15550011",
        acts=(
            Says(
                at(0.5),
                9.5,
                "You have reached the voice mail of the Miller family. We cannot come to the phone right now."
                " Please leave a message after the tone, and we will call you back.",
            ),
            HangsUp(at(40.0)),
        ),
    ),
)

PEOPLE: Final[Mapping[str, Person]] = MappingProxyType({person.name: person for person in _LAB})

BY_LAST_DIGIT: Final[Mapping[str, str]] = MappingProxyType(
    {
        "1": "polite-yes",
        "2": "polite-no",
        "3": "silent",
        "4": "hangs-up-at-once",
        "5": "busy",
        "6": "no-answer",
        "7": "presses-1",
        "8": "stop-and-hangs-up",
        "9": "congestion",
        "0": "rejects",
    }
)


def find_by_number(
    number: str, directory: Mapping[str, Person], by_last_digit: Mapping[str, Person]
) -> Person | None:
    """Who answers at a number: the directory first, then whoever stands for its last digit."""
    if number in directory:
        return directory[number]
    return by_last_digit.get(number[-1:])
