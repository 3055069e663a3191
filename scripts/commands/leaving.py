"""How a command leaves: an exit code that means something, and one plain sentence that says what to do.

What a person can mend never shows a traceback. What is a fault of ours goes on to the supervisor in `app`.
"""

import errno
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from typing import NoReturn

import typer

from config.errors import SettingsError
from config.groups import AriSettings
from core.errors import (
    ApplicationTaken,
    AriError,
    AriGone,
    AriNonsense,
    AriUnauthorized,
    LinekeeperError,
    LockHeld,
)
from logic.documents.problems import DocumentErrors
from sessions.dialling import NotANumber
from sessions.errors import NoEndpoint, UnknownScenario


class Code(IntEnum):
    """Exit codes."""

    OK = 0
    FAILED = 1
    USAGE = 2
    NO_ASTERISK = 3
    TAKEN = 4


class Stop(Exception):
    """A command cannot go on. The sentence says why, and what to do."""

    def __init__(self, code: Code, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


@contextmanager
def plainly(*, as_json: bool, ari: AriSettings | None = None) -> Iterator[None]:
    """Leave with a code and a sentence for what a person can mend. `ari` is whom we talk to, for the sentence."""
    try:
        yield
    except BaseExceptionGroup as group:
        stop = _first(group, ari)
        if stop is None:
            raise
        leave(stop, as_json=as_json)
    except (Stop, LinekeeperError, SettingsError, DocumentErrors, OSError) as error:
        stop = stop_for(error, ari)
        if stop is None:
            raise
        leave(stop, as_json=as_json)


def leave(stop: Stop, *, as_json: bool) -> NoReturn:
    """Say the sentence on stderr, with --json also as the one object on stdout, and end the process."""
    print(stop, file=sys.stderr)
    if as_json:
        put_json({"error": str(stop), "exit": int(stop.code)})
    raise typer.Exit(stop.code)


def put_json(value: object) -> None:
    """One JSON value on stdout, on a line of its own."""
    print(json.dumps(value, ensure_ascii=False, default=str), flush=True)


def stop_for(error: BaseException, ari: AriSettings | None = None) -> Stop | None:
    """The code and sentence for what a person can mend; None for a fault of ours."""
    match error:
        case Stop():
            return error
        case SettingsError() | DocumentErrors() | UnknownScenario() | NoEndpoint() | NotANumber():
            return Stop(Code.USAGE, str(error))
        case ApplicationTaken():
            return Stop(Code.TAKEN, _sentence(error))
        case LockHeld():
            remedy = "use `python main.py call` to place calls through it, stop it, or set another DATA_DIR"
            return Stop(Code.TAKEN, _sentence(error, remedy))
        case AriError():
            return Stop(Code.NO_ASTERISK, _about_asterisk(error, ari))
        case LinekeeperError():
            return Stop(Code.FAILED, _sentence(error))
        case OSError() if error.filename is not None and error.errno != errno.EPIPE:
            return Stop(Code.FAILED, f"{error.filename}: {error.strerror}: check its owner and mode")
        case _:
            return None


def _first(group: BaseExceptionGroup[BaseException], ari: AriSettings | None) -> Stop | None:
    """The most telling of several: the lowest code is what a person must mend first. None when one is ours."""
    stops: list[Stop] = []
    for error in group.exceptions:
        stop = _first(error, ari) if isinstance(error, BaseExceptionGroup) else stop_for(error, ari)
        if stop is None:
            return None
        stops.append(stop)
    return min(stops, key=lambda stop: stop.code)


def _about_asterisk(error: AriError, ari: AriSettings | None) -> str:
    where = "" if ari is None else f" at {ari.base_url}"
    match error:
        case AriUnauthorized():
            return (
                f"Asterisk{where} refuses the login ({error.status}): set ARI_USERNAME and ARI_PASSWORD to a user of"
                " its ari.conf who is not read-only"
            )
        case AriGone():
            return f"what answers{where} knows no ARI: set ARI_BASE_URL (it ends in /ari), or load Asterisk's res_ari"
        case AriNonsense():
            return f"what answers{where} is not Asterisk's ARI: set ARI_BASE_URL to Asterisk's HTTP port, ending in /ari"
        case _:
            return _sentence(
                error,
                f"Asterisk cannot be reached{where}: start it, or set ARI_BASE_URL and ARI_WS_URL",
                ahead=True,
            )


def _sentence(error: Exception, remedy: str = "", *, ahead: bool = False) -> str:
    said = str(error)
    if not remedy:
        return said
    return f"{remedy} ({said})" if ahead else f"{said}: {remedy}"
