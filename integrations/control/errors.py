"""What can go wrong on the way to a running engine.

ControlError             something about the socket
    NobodyThere          no engine listens here
    ControlNonsense      what answers is no engine of this version
    ControlRefused       the engine answered, and the answer is no; `kind` says whose fault it is
"""

from core.errors import Fault, LinekeeperError
from integrations.control.protocol import ProblemKind


class ControlError(LinekeeperError):
    """Something about the socket."""

    fault = Fault.OPERATOR


class NobodyThere(ControlError):
    """No engine listens on this socket."""


class ControlNonsense(ControlError):
    """The answer is none of this protocol, or it broke off."""


class ControlRefused(ControlError):
    """The engine's own no."""

    def __init__(self, kind: ProblemKind, message: str) -> None:
        super().__init__(message)
        self.kind = kind
