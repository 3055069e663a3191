"""What is said on the control socket: one JSON object a line, checked on both sides.

A client sends one request. `status` and `hangup` get one reply; `call` gets `placed`, any number of `entry`, and
`ended`. Instead of any of these a `problem` may come, and nothing after it.
"""

from enum import StrEnum
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

MAX_LINE_BYTES: Final = 1 << 20
"""A report with a thousand entries is about 100 KB."""
MAX_REQUEST_BYTES: Final = 1 << 14

_Short = Annotated[str, Field(max_length=200)]


class _Said(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


# ------------------------------------------------------------------------------------------------ requests


class StatusRequest(_Said):
    """Who are you, and what are you doing?"""

    do: Literal["status"] = "status"


class CallRequest(_Said):
    """Place a call and tell me what happens. `hang_up_if_gone`: end it should I go away before it does.

    Who has gone away before the engine began with it calls nobody either way.
    """

    do: Literal["call"] = "call"
    number: _Short
    scenario: _Short
    line: _Short = ""
    endpoint: _Short | None = None
    hang_up_if_gone: bool = False


class HangupRequest(_Said):
    """End this call politely."""

    do: Literal["hangup"] = "hangup"
    call_id: _Short


Request = Annotated[StatusRequest | CallRequest | HangupRequest, Field(discriminator="do")]
REQUEST: Final[TypeAdapter[StatusRequest | CallRequest | HangupRequest]] = TypeAdapter(Request)


# ------------------------------------------------------------------------------------------------ replies


class ProblemKind(StrEnum):
    """Whose no it is."""

    USAGE = "usage"  # the request cannot be carried out as it stands
    NOT_READY = "not_ready"  # the engine has no Asterisk at the moment
    REFUSED = "refused"  # the engine places no calls now
    FAILED = "failed"  # a fault of ours
    BUSY = "busy"  # too many clients


class Problem(_Said):
    """The request was not carried out."""

    said: Literal["problem"] = "problem"
    kind: ProblemKind
    message: str


class CallNow(_Said):
    """A call that lives."""

    call_id: str
    direction: str
    scenario: str
    phase: str


class Status(_Said):
    """The engine, as it is now."""

    said: Literal["status"] = "status"
    state: str
    app: str
    engine: str
    pid: int
    run: str
    scenarios: tuple[str, ...]
    calls: tuple[CallNow, ...]


class Placed(_Said):
    """The call has begun."""

    said: Literal["placed"] = "placed"
    call_id: str


class EntryNow(_Said):
    """One more line of the call's timeline."""

    said: Literal["entry"] = "entry"
    at_s: float
    what: str
    detail: str = ""


class Ended(_Said):
    """The call is over and nothing of it is left. `report` is missing when it broke: the engine's log says why."""

    said: Literal["ended"] = "ended"
    report: dict[str, object] | None


class HungUp(_Said):
    """Whether there was such a call; it ends by the closing routine."""

    said: Literal["hungup"] = "hungup"
    found: bool


Reply = Annotated[Problem | Status | Placed | EntryNow | Ended | HungUp, Field(discriminator="said")]
REPLY: Final[TypeAdapter[Problem | Status | Placed | EntryNow | Ended | HungUp]] = TypeAdapter(Reply)


def line_of(said: BaseModel) -> bytes:
    """One message as it travels."""
    return said.model_dump_json().encode() + b"\n"
