"""Logging: events with fields, as JSON lines or as text, with numbers, addresses and secrets masked on the way out.

`log_event(logger, level, "call_ended", outcome=...)` says what happened, in snake case, with data as fields. The call
at hand is bound once (`bind_call`) and stands in every line. Masking happens in the formatter of the one handler that
`setup_logging` puts on the root logger, so that no caller and no library can forget it.
"""

import json
import logging
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from enum import Enum
from typing import Final, Literal, TextIO, assert_never

LogFormat = Literal["auto", "json", "text"]

_call_id: ContextVar[str] = ContextVar("call_id", default="")

# Libraries that say at debug what they send and store: nothing of theirs below this level is printed.
_QUIET: Final = {
    "aiosqlite": logging.WARNING,
    "httpcore": logging.WARNING,
    "httpx": logging.WARNING,
    "websockets": logging.INFO,
}


@contextmanager
def bind_call(call_id: str) -> Iterator[None]:
    """Every line logged inside, in tasks started inside too, carries this call id."""
    token = _call_id.set(call_id)
    try:
        yield
    finally:
        _call_id.reset(token)


def log_event(
    logger: logging.Logger,
    level: int,
    event: str,
    /,
    *,
    exc_info: BaseException | None = None,
    **fields: object,
) -> None:
    """Log what happened, with the traceback of `exc_info`. Personal data goes under keys that start with `pii_`."""
    if logger.isEnabledFor(level):
        logger.log(
            level, "%s", event, extra={"event": event, "fields": fields}, exc_info=exc_info, stacklevel=2
        )


def setup_logging(level: str, form: LogFormat = "auto", stream: TextIO | None = None) -> logging.Handler:
    """Send everything to `stream` (stderr). `auto` means text on a terminal and JSON lines otherwise.

    Calling it again replaces what the last call set up.
    """
    target = sys.stderr if stream is None else stream
    match form:
        case "auto":
            formatter: logging.Formatter = TextFormatter() if target.isatty() else JsonFormatter()
        case "json":
            formatter = JsonFormatter()
        case "text":
            formatter = TextFormatter()
        case _:
            assert_never(form)
    handler = _OurHandler(target)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    for old in [old for old in root.handlers if isinstance(old, _OurHandler)]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level)
    for name, least in _QUIET.items():
        logging.getLogger(name).setLevel(max(least, root.level))
    return handler


class _OurHandler(logging.StreamHandler[TextIO]):
    """Told from handlers that others put on the root logger."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  # the name is logging's
        """A log that cannot be written never stops a call; logging's own complaint would print the record unmasked."""


# ------------------------------------------------------------------------------------------------ what a line holds


def _line(record: logging.LogRecord) -> dict[str, object]:
    """The fields of a line in order, masked."""
    line: dict[str, object] = {
        "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
        "level": record.levelname.lower(),
    }
    event = getattr(record, "event", None)
    if isinstance(event, str):
        line["event"] = event
    else:
        line["event"] = "message"
        line["message"] = mask(record.getMessage())
    line["logger"] = record.name
    if call_id := _call_id.get():
        line["call_id"] = call_id
    fields = getattr(record, "fields", None)
    if isinstance(fields, Mapping):
        for key, value in fields.items():
            line[f"{key}_" if key in _OWN_KEYS else key] = masked(key, value)
    if record.exc_info:
        line["traceback"] = mask(_formatter.formatException(record.exc_info))
    return line


_OWN_KEYS: Final = {"at", "level", "event", "message", "logger", "traceback"}
_formatter: Final = logging.Formatter()


class JsonFormatter(logging.Formatter):
    """One JSON object per line."""

    def format(self, record: logging.LogRecord) -> str:
        return json.dumps(_line(record), ensure_ascii=False, default=str)


class TextFormatter(logging.Formatter):
    """For a person at a terminal: time, level, event, then `key=value`. Values cannot forge lines or colours."""

    def format(self, record: logging.LogRecord) -> str:
        line = _line(record)
        at, level, event = str(line.pop("at")), str(line.pop("level")), str(line.pop("event"))
        traceback = line.pop("traceback", None)
        said = line.pop("message", None)
        head = f"{at[11:23]} {level.upper():<8}{event if said is None else _plain(str(said))}"
        fields = " ".join(f"{key}={_value(value)}" for key, value in line.items())
        return f"{head}  {fields}" + (f"\n{traceback}" if traceback else "")


_BARE: Final = re.compile(r"[^\s\"'=\\{}\[\],\x00-\x1f\x7f-\x9f]+")


def _plain(text: str) -> str:
    return json.dumps(text, ensure_ascii=not text.isprintable())[1:-1].replace('\\"', '"')


def _value(value: object) -> str:
    if isinstance(value, str) and _BARE.fullmatch(value):
        return value
    return json.dumps(value, ensure_ascii=isinstance(value, str) and not value.isprintable(), default=str)


# ---------------------------------------------------------------------------------------------------------- masking

SECRET: Final = "[secret]"  # noqa: S105  # it stands where one was
HIDDEN: Final = "***"

_SECRET_KEY: Final = re.compile(
    r"(?:^|[_-])(?:authorization|password|passwd|secret|token|api[_-]?key|cookie)$", re.IGNORECASE
)
_SECRET_IN_TEXT: Final = re.compile(
    r"""(?P<key>(?:authorization|password|passwd|secret|token|api[_-]?key)["']?\s*[:=]\s*["']?)"""
    r"""(?:(?:bearer|basic|token)\s+)?[^\s"',;&}\])]+"""
    r"""|(?P<scheme>\b(?:bearer|basic)\s+)[A-Za-z0-9+/_.=~-]{8,}"""
    r"""|(?P<user>://[^\s/:@]*:)[^\s/@]+(?=@)""",
    re.IGNORECASE,
)
# Keys whose values are ids of ours or of Asterisk: digits in them are no number of a person.
_ID_KEY: Final = re.compile(r"(?:^|_)(?:id|ids|run|build|hash|version|pid|port|path|journal)$")

# What could be a number of a person, and the look-alikes that are taken first so that they are left alone. \d is a
# digit of any script. A candidate never starts or ends inside a word of ASCII letters (ids, hashes), but it may touch
# Persian or Arabic ones.
_CANDIDATE: Final = re.compile(
    r"""
    (?P<uuid>\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b)
    |(?P<time>\b\d{4}-\d\d-\d\d(?:[T\ ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?)?(?:Z|[+-]\d\d:?\d\d)?(?!\d))
    |(?P<address>(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.]))
    |(?P<decimal>(?<![\d.A-Za-z])\d+\.\d+(?![\d.]))
    |(?P<mail>(?<![\w.+-])[\w.+-]{1,64}@(?:[\w-]{1,63}\.){1,8}[^\W\d_]{2,24})
    |(?P<number>(?<![A-Za-z\d])(?:\+[ ]?)?\(?\d(?:[ ()./‐‑–-]{0,2}\d){6,24}(?![A-Za-z\d]))
    """,
    re.VERBOSE | re.IGNORECASE,
)
_SEPARATORS: Final = re.compile(r"[^\d]+")
_CARD_GROUPS: Final = re.compile(r"\d{4}(\D)\d{4}\1\d{4}\1\d{1,7}|\d{4}(\D)\d{6}\2\d{4,5}")
_FORMATTED: Final = re.compile(r"\(?\d{3}\)?[ ./‐‑–-]{1,2}\d{3}[ ./‐‑–-]\d{4}|\(\d{2,4}\)[ -]?[\d -]{6,}")


def mask(text: str) -> str:
    """The text with telephone numbers and card numbers cut to their last two digits, mail addresses and secrets gone."""
    text = _SECRET_IN_TEXT.sub(_mask_secret, text)
    return _CANDIDATE.sub(_mask_candidate, text)


def masked(key: str, value: object, depth: int = 0) -> object:
    """A field as it may be printed."""
    if _SECRET_KEY.search(key):
        return value if value is None or isinstance(value, int | float) else SECRET
    if key.startswith("pii_"):
        return _hidden(value)
    return _masked_value(value, is_id=_ID_KEY.search(key) is not None, depth=depth)


def _masked_value(value: object, *, is_id: bool, depth: int) -> object:
    match value:
        case None | bool() | int() | float():
            return value
        case str():
            return value if is_id and not value.startswith("+") else mask(value)
        case Enum():
            return _masked_value(value.value, is_id=is_id, depth=depth)
        case Mapping() if depth < 4:
            return {str(key): masked(str(key), inner, depth + 1) for key, inner in value.items()}
        case list() | tuple() | set() | frozenset() if depth < 4:
            return [_masked_value(inner, is_id=is_id, depth=depth + 1) for inner in value]
        case _:
            return mask(str(value))


def _hidden(value: object) -> str | None:
    """Personal data: of a number the last two digits, of anything else nothing."""
    if value is None:
        return None
    text = str(value)
    digits = _SEPARATORS.sub("", text)
    if len(digits) >= 7 and len(digits) * 2 > len(text):
        return HIDDEN + digits[-2:]
    return HIDDEN


def _mask_secret(match: re.Match[str]) -> str:
    return (match["key"] or match["scheme"] or match["user"]) + SECRET


def _mask_candidate(match: re.Match[str]) -> str:
    text = match[0]
    if match["mail"]:
        return f"{HIDDEN}@{HIDDEN}"
    if match["number"] and _is_personal(text):
        digits = len(_SEPARATORS.sub("", text))
        return "".join(
            char if not char.isdecimal() else "*" if (digits := digits - 1) >= 2 else char for char in text
        )
    return text


def _is_personal(text: str) -> bool:
    """Whether a run of digits looks like a telephone or card number rather than a count, an id or a time.

    Lengths tell times apart: unix seconds have 10 digits, milliseconds 13, microseconds 16, nanoseconds 19, and all
    of them start with 1 until 2033.
    """
    digits = "".join(str(int(char)) for char in text if char.isdecimal())
    length = len(digits)
    if text.startswith("+"):
        return length <= 19
    if digits.startswith("00"):
        return 10 <= length <= 17 and digits[2] != "0"
    if digits.startswith("0"):
        return 9 <= length <= 12
    bare = text.isdecimal()
    if length in {11, 12}:
        return bare or _FORMATTED.search(text) is not None or text[0] == "("
    if length == 10:
        return digits[0] not in "01" if bare else _FORMATTED.search(text) is not None
    if 13 <= length <= 19 and digits[0] != "1":
        return _CARD_GROUPS.fullmatch(text) is not None or _luhn(digits)
    return False


def _luhn(digits: str) -> bool:
    total = 0
    for place, digit in enumerate(reversed(digits)):
        doubled = int(digit) * (1 + place % 2)
        total += doubled - 9 if doubled > 9 else doubled
    return total % 10 == 0
