"""A check: one question, answered by one line. And the order in which they are asked."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from core.errors import LinekeeperError
from integrations.checkup.subject import Subject

DEADLINE_S: Final = 15.0


class Verdict(StrEnum):
    """How it stands."""

    OK = "ok"
    WARN = "warn"  # the engine runs, and something will not work or was not looked at
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report. `remedy` is what to do, empty when there is nothing to be done."""

    name: str
    verdict: Verdict
    what: str
    remedy: str = ""

    def to_json(self) -> dict[str, str]:
        return {"name": self.name, "verdict": self.verdict.value, "what": self.what, "remedy": self.remedy}


Answer = tuple[Verdict, str, str]
"""Verdict, what was found, remedy."""


def ok(what: str) -> Answer:
    """All is well."""
    return Verdict.OK, what, ""


def warn(what: str, remedy: str) -> Answer:
    """It goes without, and somebody should know."""
    return Verdict.WARN, what, remedy


def fail(what: str, remedy: str) -> Answer:
    """The engine cannot do its work like this."""
    return Verdict.FAIL, what, remedy


@dataclass(frozen=True, slots=True)
class Check:
    """One question. It is asked only when none of those it `needs` has failed or went unasked."""

    name: str
    about: str
    ask: Callable[[Subject], Awaitable[Answer]]
    needs: tuple[str, ...] = ()


async def examine(checks: Sequence[Check], subject: Subject) -> AsyncIterator[Finding]:
    """Ask one after another; each has an answer, and none takes longer than `DEADLINE_S`."""
    unknown: set[str] = set()
    for check in checks:
        missing = [name for name in check.needs if name in unknown]
        if missing:
            unknown.add(check.name)
            yield Finding(check.name, Verdict.WARN, f"not looked at, because of: {', '.join(missing)}")
            continue
        finding = Finding(check.name, *await _asked(check, subject))
        if finding.verdict is Verdict.FAIL:
            unknown.add(check.name)
        yield finding


async def _asked(check: Check, subject: Subject) -> Answer:
    try:
        async with asyncio.timeout(DEADLINE_S):
            return await check.ask(subject)
    except TimeoutError:
        return fail(
            f"no answer within {DEADLINE_S:g} s", "Look at what it waits for: a disk or a network that hangs"
        )
    except LinekeeperError as error:
        return fail(str(error), "Look into Asterisk's log for the same moment")
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return fail(f"{where}{error.strerror or error}", "Check owner and mode of what it names")
