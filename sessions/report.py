"""What is known of a call when it is over: the one object that commands print and the store keeps."""

from dataclasses import dataclass

from core.ids import CallId
from logic.outcomes import Outcome


@dataclass(frozen=True, slots=True)
class CallReport:
    """How a call ended. `duration_s` counts from the answer, 0.0 when nobody answered."""

    call_id: CallId
    outcome: Outcome
    answered: bool
    hangup_cause: int | None
    duration_s: float
    bridge_id: str
    recordings: tuple[str, ...]
    timeline: tuple[dict[str, object], ...]
    direction: str
    scenario: str
    number: str
    line: str
    reason: str
    error: str = ""

    def to_json(self) -> dict[str, object]:
        """The object `call --json` prints."""
        return {
            "call_id": self.call_id,
            "outcome": self.outcome.value,
            "answered": self.answered,
            "hangup_cause": self.hangup_cause,
            "duration_s": round(self.duration_s, 3),
            "bridge_id": self.bridge_id,
            "recordings": list(self.recordings),
            "timeline": list(self.timeline),
            "direction": self.direction,
            "scenario": self.scenario,
            "number": self.number,
            "line": self.line,
            "reason": self.reason,
            "error": self.error,
        }
