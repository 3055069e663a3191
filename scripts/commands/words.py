"""What happened, in words for somebody who has never seen a call log: entries of a timeline, and outcomes."""

from typing import Final

from logic.outcomes import Outcome

_ENTRIES: Final = {
    "entered": "the call exists in Asterisk",
    "dialled": "dialling",
    "ringing": "their telephone rings",
    "progress": "the network is trying",
    "proceeding": "the network is trying",
    "answered": "they answered",
    "bridged": "connected to the call's bridge",
    "saying": "we say {detail}",
    "said": "said it",
    "not_said": "could not be said: {detail}",
    "listening": "we listen ({detail})",
    "heard": "recorded {detail}",
    "measured": "in the recording: {detail}",
    "not_heard": "nothing could be recorded",
    "pressed": "they pressed {detail}",
    "hanging_up": "the line is being closed",
    "gone": "the line is closed ({detail})",
    "vanished": "Asterisk does not know the call any more",
    "stopping": "we are asked to end the call ({detail})",
    "busy": "their telephone is busy",
    "noanswer": "nobody answers",
    "cancel": "the dialling was cancelled",
    "congestion": "the network has no room",
    "chanunavail": "their telephone cannot be reached",
    "dial_failed": "could not be dialled: {detail}",
    "failed": "something did not work: {detail}",
    "ended": "over: {outcome}",
}

_OUTCOMES: Final[dict[Outcome, str]] = {
    Outcome.DENIED: "not allowed, so not dialled",
    Outcome.NOT_SENT: "never dialled",
    Outcome.BUSY: "was on the telephone",
    Outcome.NO_ANSWER: "did not pick up",
    Outcome.REJECTED: "declined the call",
    Outcome.INVALID_NUMBER: "has a number that does not exist",
    Outcome.CONGESTION: "could not be reached: the network had no room",
    Outcome.ABANDONED: "was not reached before we gave up",
    Outcome.MACHINE: "has an answering machine",
    Outcome.VOICEMAIL_LEFT: "has a message on the answering machine",
    Outcome.SILENT: "picked up and said nothing",
    Outcome.HUNG_UP: "picked up and hung up",
    Outcome.NOT_INTERESTED: "is not interested",
    Outcome.INTERESTED: "is interested",
    Outcome.COMPLETED: "talked to us to the end",
    Outcome.CALLBACK: "wants to be called later",
    Outcome.WRONG_NUMBER: "is not who we meant to call",
    Outcome.OPTED_OUT: "does not want to be called again",
    Outcome.CONNECTED_TO_OPERATOR: "was connected to a person of ours",
    Outcome.LEFT_BEFORE_OPERATOR: "left before a person of ours answered",
    Outcome.EMERGENCY: "reported an emergency",
    Outcome.FAILED_TECHNICAL: "was failed by us: a technical fault",
    Outcome.FAILED_PROVIDER: "was failed by us: a provider did not work",
    Outcome.LOST: "was lost in the middle of the call",
    Outcome.UNKNOWN: "was called, and what came of it is not known",
}


def entry_words(what: str, detail: str) -> str:
    """One entry of a timeline as a sentence."""
    form = _ENTRIES.get(what)
    if form is None:
        return f"{what} {detail}".rstrip()
    if "{outcome}" in form:
        return form.format(outcome=outcome_words(detail))
    return form.format(detail=detail).replace(" ()", "").rstrip()


def outcome_words(outcome: str) -> str:
    """An outcome as a sentence about the one who was called."""
    try:
        return _OUTCOMES[Outcome(outcome)]
    except ValueError:
        return outcome
