"""How a setting's text becomes a value: lists, addresses, clock times, templates.

Each function takes the text and returns the value, or raises ValueError with "what is wrong. What to do." Nothing here
reads the environment or knows the name of the setting.
"""

import difflib
import ipaddress
import re
import string
from collections.abc import Callable
from datetime import time
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic_settings import NoDecode

from config.groups import ENDPOINT_PLACEHOLDERS, LLM_PROVIDERS, STT_PROVIDERS, TTS_PROVIDERS, Bind

OFF_WORDS = frozenset({"off", "none", "no", "false"})


def split_list(text: object) -> object:
    """`a, b ,,a` means ("a", "b"): trimmed, in order, each once."""
    if not isinstance(text, str):
        return text
    return tuple(dict.fromkeys(part for raw in text.split(",") if (part := raw.strip())))


def nearest(word: str, known: tuple[str, ...]) -> str:
    """Return "; did you mean 'x'?" for the nearest known word, or nothing."""
    close = difflib.get_close_matches(word.lower(), known, n=1, cutoff=0.6)
    return f"; did you mean {close[0]!r}?" if close else ""


def provider_list(known: tuple[str, ...]) -> Callable[[tuple[str, ...]], tuple[str, ...]]:
    """Make the check of one provider list: known names only, at least one, `none` alone."""

    def check(names: tuple[str, ...]) -> tuple[str, ...]:
        lowered = tuple(dict.fromkeys(name.lower() for name in names))
        for name in lowered:
            if name not in known:
                hint = nearest(name, known)
                raise ValueError(f"unknown provider {name!r}{hint}. Use some of {', '.join(known)}")
        if not lowered:
            raise ValueError("no provider is named. Write `none` to do without one")
        if "none" in lowered and len(lowered) > 1:
            raise ValueError("`none` stands beside other providers. Write it alone, or leave it out")
        return lowered

    return check


def url_with(*schemes: str) -> Callable[[str], str]:
    """Make the check of an address: one of these schemes, a host, and no password inside."""

    def check(text: str) -> str:
        try:
            parts = urlsplit(text)
            _ = parts.port  # a port that is no number raises here
        except ValueError as error:
            raise ValueError("not an address. " + _example(schemes)) from error
        if parts.scheme not in schemes or not parts.hostname:
            raise ValueError("not an address. " + _example(schemes))
        if "@" in parts.netloc:
            raise ValueError(
                "carries a login. Credentials have settings of their own, keep them out of addresses"
            )
        return text.rstrip("/")

    return check


def _example(schemes: tuple[str, ...]) -> str:
    return f"Write it as {schemes[0]}://host:port/path"


def endpoint_template(text: str) -> str:
    """Check a dial template: only plain placeholders, only known ones."""
    known = ", ".join(f"{{{name}}}" for name in ENDPOINT_PLACEHOLDERS)
    try:
        pieces = list(string.Formatter().parse(text))
    except ValueError as error:
        raise ValueError(f"the braces do not match ({error}). Use {known}") from error
    for _, name, spec, conversion in pieces:
        if name is None:
            continue
        if name not in ENDPOINT_PLACEHOLDERS:
            hint = nearest(name, ENDPOINT_PLACEHOLDERS)
            raise ValueError(f"unknown placeholder {{{name}}}{hint}. Use {known}")
        if spec or conversion:
            raise ValueError(f"{{{name}}} carries a format. Write the plain {{{name}}}")
    if "/" not in text:
        raise ValueError("names no channel technology. Write it as PJSIP/{number}@{trunk}")
    return text


def bind_address(text: object) -> object:
    """`127.0.0.1:8090`, `[::1]:8090`, `:8090` (loopback) or `off`."""
    if text is None or isinstance(text, Bind):
        return text
    raw = str(text).strip()
    if raw.lower() in OFF_WORDS:
        return None
    host, colon, port = raw.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    if (
        not colon
        or not re.fullmatch(r"[0-9]{1,5}", port)
        or int(port) > 65_535
        or (":" in host and not bracketed)
    ):
        raise ValueError("not a host and port. Write it as 127.0.0.1:8090, or off")
    return Bind(host[1:-1] if bracketed else host or "127.0.0.1", int(port))


def folder(text: object) -> object:
    """A path, or None for `off`."""
    if isinstance(text, str) and text.strip().lower() in OFF_WORDS:
        return None
    return text


def clock_time(text: object) -> object:
    """`09:30`."""
    if text is None or isinstance(text, time):
        return text
    if not (isinstance(text, str) and re.fullmatch(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]", text.strip())):
        raise ValueError("not a time of day. Write it as HH:MM, like 09:30")
    return time.fromisoformat(text.strip())


def short_name(text: str) -> str:
    """A name that fits into a channel id: letters, digits, `_` and `-`, at most 24."""
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,24}", text):
        raise ValueError("not a name. Use 1 to 24 of A-Z a-z 0-9 _ and -")
    return text


def token_name(text: str) -> str:
    """A word that names a file or an entry: lower case, digits, `_`, `-` and `.`, no path."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9_.-]{0,63}", text):
        raise ValueError("not a name. Use lower-case letters, digits, _ - and ., at most 64")
    return text


def region(text: str) -> str:
    """A region that `phonenumbers` knows, like GB."""
    from phonenumbers import SUPPORTED_REGIONS  # noqa: PLC0415 -- its tables are only worth loading when one is set

    code = text.upper()
    if code not in SUPPORTED_REGIONS:
        remedy = (
            "The United Kingdom is GB" if code == "UK" else "Use an ISO 3166 code with two letters, like US"
        )
        raise ValueError(f"not a region. {remedy}")
    return code


def networks(items: tuple[str, ...]) -> tuple[str, ...]:
    """Addresses and networks, like 203.0.113.0/24. Host bits are tolerated."""
    result = []
    for item in items:
        try:
            result.append(str(ipaddress.ip_network(item, strict=False)))
        except ValueError as error:
            raise ValueError(f"{item!r} is no network. Write it as 203.0.113.0/24 or 203.0.113.7") from error
    return tuple(dict.fromkeys(result))


def upper(text: object) -> object:
    """Let `info` mean INFO."""
    return text.strip().upper() if isinstance(text, str) else text


def lower(text: object) -> object:
    """Let `JSON` mean json."""
    return text.strip().lower() if isinstance(text, str) else text


def sound_prefix(text: str) -> str:
    """The folder below Asterisk's sounds, without slashes at its ends."""
    trimmed = text.strip("/")
    if not re.fullmatch(r"[A-Za-z0-9_-]+(?:/[A-Za-z0-9_-]+)*", trimmed):
        raise ValueError("not a folder below Asterisk's sounds. Write it as custom or custom/linekeeper")
    return trimmed


def api_path(text: str) -> str:
    """A path of a server, with a slash in front and none behind."""
    if not re.fullmatch(r"/[A-Za-z0-9_./-]*", text) or ".." in text:
        raise ValueError("not a path. Write it as /api/dialer")
    return text.rstrip("/")


def secret_list(text: object) -> object:
    """A comma-separated list of secrets."""
    parts = split_list(text)
    return tuple(SecretStr(part) for part in parts) if isinstance(parts, tuple) else parts


Text = Annotated[str, Field(min_length=1)]
SecretText = Annotated[SecretStr, Field(min_length=1)]
Count = Annotated[int, Field(ge=1)]
Cap = Annotated[int, Field(ge=0)]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
SecondsOrNone = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Rate = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Temperature = Annotated[float, Field(ge=0, le=2, allow_inf_nan=False)]

Words = Annotated[tuple[str, ...], NoDecode, BeforeValidator(split_list)]
Secrets = Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(secret_list)]
Networks = Annotated[tuple[str, ...], NoDecode, BeforeValidator(split_list), AfterValidator(networks)]
SttProviders = Annotated[Words, AfterValidator(provider_list(STT_PROVIDERS))]
TtsProviders = Annotated[Words, AfterValidator(provider_list(TTS_PROVIDERS))]
LlmProviders = Annotated[Words, AfterValidator(provider_list(LLM_PROVIDERS))]

HttpUrl = Annotated[str, AfterValidator(url_with("http", "https"))]
WsUrl = Annotated[str, AfterValidator(url_with("ws", "wss"))]
EndpointTemplate = Annotated[str, AfterValidator(endpoint_template)]
ShortName = Annotated[str, AfterValidator(short_name)]
TokenName = Annotated[str, AfterValidator(token_name)]
Region = Annotated[str, AfterValidator(region)]
SoundPrefix = Annotated[str, AfterValidator(sound_prefix)]
ApiPath = Annotated[str, AfterValidator(api_path)]
ListenAt = Annotated[Bind | None, NoDecode, BeforeValidator(bind_address)]
Folder = Annotated[Path | None, BeforeValidator(folder)]
ClockTime = Annotated[time | None, BeforeValidator(clock_time)]
Upper = BeforeValidator(upper)
Lower = BeforeValidator(lower)
