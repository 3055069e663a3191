"""Parameters that several resources share: what to play, and how to record."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from core.ari_transport.seam import NO_QUERY

LONGEST_QUERY_CHARS: Final = 2_000
"""Longer lists travel in the body: HTTP request lines end at 4,096 bytes, and escaping may double a list."""

IfExists = Literal["fail", "overwrite", "append"]
TerminateOn = Literal["none", "any", "*", "#"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """What to record, and when it ends by itself. 0 seconds mean no limit."""

    name: str
    format: str = "wav"
    max_duration_s: int = 0
    max_silence_s: int = 0
    if_exists: IfExists = "fail"
    terminate_on: TerminateOn = "none"
    beep: bool = False

    def query(self) -> dict[str, str]:
        """As ARI's parameters."""
        return {
            "name": self.name,
            "format": self.format,
            "maxDurationSeconds": str(self.max_duration_s),
            "maxSilenceSeconds": str(self.max_silence_s),
            "ifExists": self.if_exists,
            "terminateOn": self.terminate_on,
            "beep": "true" if self.beep else "false",
        }


def media_parameters(media: Sequence[str]) -> tuple[Mapping[str, str], Mapping[str, object] | None]:
    """Query and body for a list of media URIs.

    In the query Asterisk splits at commas, so a URI with a comma must go into the body, where a list is a list.
    """
    if isinstance(media, str) or not media:
        raise ValueError("media: a list of at least one URI")
    joined = ",".join(media)
    if len(joined) <= LONGEST_QUERY_CHARS and joined.count(",") == len(media) - 1:
        return {"media": joined}, None
    return NO_QUERY, {"media": list(media)}
