"""What can be wrong with a request for a call, before anything was dialled.

CallRefused          the engine does not place this call
    UnknownScenario  no such scenario, or it was refused at loading
    NoEndpoint       the settings do not say how a number is dialled
    NotDialling      the engine is draining, or another engine took its application
"""

from core.errors import Fault, LinekeeperError


class CallRefused(LinekeeperError):
    """The engine does not place this call; nothing was dialled."""

    fault = Fault.OPERATOR


class UnknownScenario(CallRefused):
    """There is no scenario of this name, or its file was refused."""


class NoEndpoint(CallRefused):
    """The settings do not say how a number is dialled, and the request names no endpoint."""


class NotDialling(CallRefused):
    """The engine places no calls at the moment."""

    retryable = True
