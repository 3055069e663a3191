"""What the emulated Asterisk answers: statuses and its own words, as the real one gives them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

JSON_NULL: Final = object()  # a body that is there and says null: REST over websocket without a body


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: JSON in `body`, or bytes in `data` (a stored recording's file)."""

    status: int
    body: object = None
    data: bytes | None = None


@dataclass(frozen=True, slots=True)
class Ask:
    """One request, routed: what was in the path, query and JSON body together, and the body itself."""

    method: str
    path: str
    where: Mapping[str, str]
    params: Mapping[str, str]
    body: object = None
    connection: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)

    def get(self, name: str, default: str = "") -> str:
        """A parameter from path, query or body."""
        return self.where.get(name) or self.params.get(name, default)

    def whole(self, name: str, default: int) -> int:
        """A whole number; what is none counts as 0, as C's atoi has it."""
        text = self.params.get(name)
        if text is None:
            return default
        try:
            return int(text)
        except ValueError:
            return 0

    def is_set(self, name: str) -> bool:
        """Whether a boolean parameter says yes, in Asterisk's spelling of yes."""
        return self.params.get(name, "").lower() in {"true", "yes", "y", "on", "1", "t"}


def ok(body: object) -> Reply:
    """200 with a body."""
    return Reply(200, body)


def created(body: object) -> Reply:
    """201 with a body."""
    return Reply(201, body)


def no_content() -> Reply:
    """204."""
    return Reply(204)


def refuse(status: int, message: str) -> Reply:
    """No, with Asterisk's reason."""
    return Reply(status, {"message": message})


ALLOCATION_FAILED: Final = Reply(500, {"error": "Allocation failed"})
CHANNEL_NOT_FOUND: Final = refuse(404, "Channel not found")
CHANNEL_EXISTS: Final = refuse(409, "Channel with given unique ID already exists")
CHANNEL_NOT_IN_STASIS: Final = refuse(409, "Channel not in Stasis application")
CHANNEL_WRONG_STATE: Final = refuse(412, "Channel in invalid state")
BRIDGE_NOT_FOUND: Final = refuse(404, "Bridge not found")
PLAYBACK_NOT_FOUND: Final = refuse(404, "Playback not found")
RECORDING_NOT_FOUND: Final = refuse(404, "Recording not found")
APPLICATION_NOT_FOUND: Final = refuse(404, "Application not found")
RESOURCE_NOT_FOUND: Final = refuse(404, "Resource not found")
INVALID_METHOD: Final = refuse(405, "Invalid method")
