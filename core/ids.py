"""Ids that we choose: for calls, and for what a call makes in Asterisk.

A resource id reads `lk.<engine>.<kind>.<call>[.<n>]`, so that an id found in Asterisk after a crash says which engine
made it, for which call, and what it was. A call id sorts by time and its time can be read back. Asterisk accepts up to
149 characters; ours stay within 64 by construction.
"""

import random
import re
from dataclasses import dataclass
from enum import Enum
from typing import Final, NewType

CallId = NewType("CallId", str)
ChannelId = NewType("ChannelId", str)
BridgeId = NewType("BridgeId", str)
PlaybackId = NewType("PlaybackId", str)
RecordingName = NewType("RecordingName", str)

MAX_ID_CHARS: Final = 64
MAX_ENGINE_CHARS: Final = 24

_ALPHABET: Final = (
    "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32, lower case: sorts like the number
)
_TIME_CHARS: Final = 9  # 45 bits of milliseconds: until the year 3084
_RANDOM_CHARS: Final = 7
_ENGINE: Final = re.compile(rf"[A-Za-z0-9_-]{{1,{MAX_ENGINE_CHARS}}}")
_CALL: Final = re.compile(rf"[{_ALPHABET}]{{{_TIME_CHARS + _RANDOM_CHARS}}}")
_RESOURCE: Final = re.compile(
    rf"lk\.(?P<engine>{_ENGINE.pattern})\.(?P<kind>[a-z]{{1,3}})\.(?P<call>{_CALL.pattern})(?:\.(?P<n>[0-9]{{1,6}}))?(?P<half>;[12])?"
)


class Kind(Enum):
    """What an id names. The value is what stands inside the id."""

    CUSTOMER = "cu"
    OPERATOR = "op"
    MEDIA = "me"
    BRIDGE = "br"
    PLAYBACK = "pb"
    RECORDING = "rec"


_KINDS: Final = {kind.value: kind for kind in Kind}


@dataclass(frozen=True, slots=True)
class ResourceId:
    """An id taken apart. `half` is set on the far half of a Local channel, whose id is ours with ";2" behind it."""

    engine: str
    kind: Kind
    call: CallId
    n: int | None = None
    half: str = ""

    def __str__(self) -> str:
        number = "" if self.n is None else f".{self.n}"
        return f"lk.{self.engine}.{self.kind.value}.{self.call}{number}{self.half}"


def _encode(number: int, chars: int) -> str:
    digits = []
    for _ in range(chars):
        number, rest = divmod(number, 32)
        digits.append(_ALPHABET[rest])
    return "".join(reversed(digits))


def new_call_id(unix_ms: int, rng: random.Random) -> CallId:
    """A call id for this moment: 16 characters, the first nine of which sort by time."""
    return CallId(_encode(unix_ms, _TIME_CHARS) + _encode(rng.getrandbits(5 * _RANDOM_CHARS), _RANDOM_CHARS))


def call_time_ms(call: CallId) -> int:
    """The moment inside a call id, in unix milliseconds. Raises ValueError when it is not one of ours."""
    if not _CALL.fullmatch(call):
        raise ValueError(f"not a call id: {call!r}")
    number = 0
    for char in call[:_TIME_CHARS]:
        number = number * 32 + _ALPHABET.index(char)
    return number


def is_call_id(text: str) -> bool:
    """Whether a text has the form of a call id: safe as a file name, too."""
    return _CALL.fullmatch(text) is not None


def resource_id(engine: str, kind: Kind, call: CallId, n: int | None = None) -> str:
    """The id of one channel, bridge, playback or recording of a call.

    Raises ValueError for an engine name that would not survive inside an id: `[A-Za-z0-9_-]`, 1 to 24 characters.
    """
    if not _ENGINE.fullmatch(engine):
        raise ValueError(
            f"engine name {engine!r}: use 1 to {MAX_ENGINE_CHARS} letters, digits, hyphens or underscores"
        )
    return str(ResourceId(engine, kind, call, n))


def parse_resource_id(text: str) -> ResourceId | None:
    """Take an id apart; None when no engine of this kind made it."""
    match = _RESOURCE.fullmatch(text)
    if match is None or match["kind"] not in _KINDS:
        return None
    n = match["n"]
    return ResourceId(
        engine=match["engine"],
        kind=_KINDS[match["kind"]],
        call=CallId(match["call"]),
        n=None if n is None else int(n),
        half=match["half"] or "",
    )
