"""What can go wrong between us and Asterisk, the disk and the clock.

LinekeeperError
    AriError                      something about talking to Asterisk
        AriUnreachable            no connection could be made; nothing was sent
        AriNoAnswer               it was sent, and no answer came: it may have happened
        AriNonsense               the answer is not ARI's (a proxy's page, broken JSON)
        AriRefused                Asterisk answered, and the answer is no
            AriBadRequest         400, 413: ours to mend
            AriUnauthorized       401, 403: the operator's to mend
            AriGone               404: it is not there, or no longer
            AriConflict           409: not in Stasis, busy otherwise, or the id is taken
            AriWrongState         412: the channel is in no state for this
            AriUnprocessable      422: not in our application (yet)
            AriServerError        5xx: Asterisk's own trouble
    ApplicationTaken              another engine holds the application
    LockHeld                      another engine of ours holds the data folder
    StoreError                    the database refused
    JournalError                  the journal could not be written

Every leaf answers two questions: whose fault it is (`fault`), and whether the same request may help when sent again
(`retryable`). After a hangup 404, 409, 412 and 422 are normal: `AriRefused.is_normal_after_hangup`.
"""

from enum import Enum
from typing import ClassVar


class Fault(Enum):
    """Who can mend it."""

    OURS = "ours"
    ASTERISK = "asterisk"
    NETWORK = "network"
    OPERATOR = "operator"


class LinekeeperError(Exception):
    """The root. Never raised itself."""

    fault: ClassVar[Fault] = Fault.OURS
    retryable: ClassVar[bool] = False


class AriError(LinekeeperError):
    """Something about talking to Asterisk. `request` is "METHOD path", never with credentials."""

    may_have_happened: ClassVar[bool] = False

    def __init__(self, message: str, *, request: str = "") -> None:
        super().__init__(f"{request}: {message}" if request else message)
        self.request = request


class AriUnreachable(AriError):
    """No connection; nothing was sent, so nothing happened."""

    fault = Fault.NETWORK
    retryable = True


class AriNoAnswer(AriError):
    """Sent, and no answer within the deadline or before the connection broke. It may have happened: ask before repeating."""

    fault = Fault.NETWORK
    may_have_happened = True


class AriNonsense(AriError):
    """The answer is not something ARI says."""

    fault = Fault.ASTERISK
    may_have_happened = True


class AriRefused(AriError):
    """Asterisk answered with an error status. `status` is the HTTP status, `reason` Asterisk's own words."""

    fault = Fault.ASTERISK

    def __init__(self, status: int, reason: str, *, request: str = "") -> None:
        super().__init__(f"{status} {reason}".strip(), request=request)
        self.status = status
        self.reason = reason

    @property
    def is_normal_after_hangup(self) -> bool:
        """404, 409, 412 and 422 are how ARI says that the other side has gone."""
        return self.status in {404, 409, 412, 422}


class AriBadRequest(AriRefused):
    """400 or 413. A missing channel in `addChannel` is also a 400."""

    fault = Fault.OURS


class AriUnauthorized(AriRefused):
    """401 or 403: wrong user or password, or a read-only user."""

    fault = Fault.OPERATOR


class AriGone(AriRefused):
    """404."""


class AriConflict(AriRefused):
    """409."""


class AriWrongState(AriRefused):
    """412."""


class AriUnprocessable(AriRefused):
    """422."""


class AriServerError(AriRefused):
    """5xx. An endpoint that does not exist answers `channels/create` with 500 "Allocation failed"."""

    retryable = True


_BY_STATUS: dict[int, type[AriRefused]] = {
    400: AriBadRequest,
    413: AriBadRequest,
    401: AriUnauthorized,
    403: AriUnauthorized,
    404: AriGone,
    409: AriConflict,
    412: AriWrongState,
    422: AriUnprocessable,
}


def refusal(status: int, reason: str, *, request: str = "") -> AriRefused:
    """The error for a status of 400 or more."""
    kind = _BY_STATUS.get(status) or (AriServerError if status >= 500 else AriBadRequest)
    return kind(status, reason, request=request)


class ApplicationTaken(LinekeeperError):
    """Another engine holds this application name in Asterisk."""

    fault = Fault.OPERATOR


class LockHeld(LinekeeperError):
    """Another process of ours holds this data folder. `pid` is its process id, 0 when unknown."""

    fault = Fault.OPERATOR

    def __init__(self, message: str, *, pid: int = 0) -> None:
        super().__init__(message)
        self.pid = pid


class StoreError(LinekeeperError):
    """The database refused a statement or could not be opened."""


class JournalError(LinekeeperError):
    """A journal line could not be handed to the operating system."""
