"""How a call, or an attempt that never became one, ended: one closed list, and what others call it.

The panel's status and Retell's disposition stand beside each outcome as data. Which outcome a dial that reached nobody
gets is decided from the dial status first and the Q.850 cause second, because causes differ between Asterisk releases
(a dial timeout was cause 16 and is 19 on newer ones). Table rows: `specs` appendix A of the owner's notes, RFC 3398.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Outcome(StrEnum):
    """The list. The groups are `Group`."""

    DENIED = "denied"
    NOT_SENT = "not_sent"

    BUSY = "busy"
    NO_ANSWER = "no_answer"
    REJECTED = "rejected"
    INVALID_NUMBER = "invalid_number"
    CONGESTION = "congestion"
    ABANDONED = "abandoned"

    MACHINE = "machine"
    VOICEMAIL_LEFT = "voicemail_left"
    SILENT = "silent"
    HUNG_UP = "hung_up"
    NOT_INTERESTED = "not_interested"
    INTERESTED = "interested"
    COMPLETED = "completed"
    CALLBACK = "callback"
    WRONG_NUMBER = "wrong_number"
    OPTED_OUT = "opted_out"
    CONNECTED_TO_OPERATOR = "connected_to_operator"
    LEFT_BEFORE_OPERATOR = "left_before_operator"
    EMERGENCY = "emergency"

    FAILED_TECHNICAL = "failed_technical"
    FAILED_PROVIDER = "failed_provider"
    LOST = "lost"
    UNKNOWN = "unknown"


class Group(StrEnum):
    """What kind of ending it is."""

    NOT_DIALLED = "not_dialled"
    NOT_REACHED = "not_reached"
    REACHED = "reached"
    OURS = "ours"


@dataclass(frozen=True, slots=True)
class OutcomeFacts:
    """What others call an outcome. None where the panel must not be told anything but FAILED."""

    group: Group
    panel_status: str | None
    retell_disposition: str


_D, _N, _R, _O = Group.NOT_DIALLED, Group.NOT_REACHED, Group.REACHED, Group.OURS

FACTS: Final[dict[Outcome, OutcomeFacts]] = {
    Outcome.DENIED: OutcomeFacts(_D, None, "not_dialled"),
    Outcome.NOT_SENT: OutcomeFacts(_D, None, "not_dialled"),
    Outcome.BUSY: OutcomeFacts(_N, "BUSY", "dial_busy"),
    Outcome.NO_ANSWER: OutcomeFacts(_N, "MISSED", "dial_no_answer"),
    Outcome.REJECTED: OutcomeFacts(_N, "BANNED", "dial_failed"),
    Outcome.INVALID_NUMBER: OutcomeFacts(_N, "POWER_OFF", "dial_failed"),
    Outcome.CONGESTION: OutcomeFacts(_N, "BANNED", "dial_failed"),
    Outcome.ABANDONED: OutcomeFacts(_N, "MISSED", "dial_no_answer"),
    Outcome.MACHINE: OutcomeFacts(_R, "MISSED", "voicemail"),
    Outcome.VOICEMAIL_LEFT: OutcomeFacts(_R, "MISSED", "voicemail"),
    Outcome.SILENT: OutcomeFacts(_R, "HANGUP", "inactivity"),
    Outcome.HUNG_UP: OutcomeFacts(_R, "HANGUP", "user_hangup"),
    Outcome.NOT_INTERESTED: OutcomeFacts(_R, "NOT_INTERESTED", "agent_hangup"),
    Outcome.INTERESTED: OutcomeFacts(_R, "CONNECTED", "agent_hangup"),
    Outcome.COMPLETED: OutcomeFacts(_R, "UNKNOWN", "agent_hangup"),
    Outcome.CALLBACK: OutcomeFacts(_R, "UNKNOWN", "agent_hangup"),
    Outcome.WRONG_NUMBER: OutcomeFacts(_R, "NOT_INTERESTED", "agent_hangup"),
    Outcome.OPTED_OUT: OutcomeFacts(_R, "NOT_INTERESTED", "agent_hangup"),
    Outcome.CONNECTED_TO_OPERATOR: OutcomeFacts(_R, "CONNECTED", "call_transfer"),
    Outcome.LEFT_BEFORE_OPERATOR: OutcomeFacts(_R, "DISCONNECTED", "user_hangup"),
    Outcome.EMERGENCY: OutcomeFacts(_R, "UNKNOWN", "agent_hangup"),
    Outcome.FAILED_TECHNICAL: OutcomeFacts(_O, None, "error"),
    Outcome.FAILED_PROVIDER: OutcomeFacts(_O, None, "error"),
    Outcome.LOST: OutcomeFacts(_O, None, "error"),
    Outcome.UNKNOWN: OutcomeFacts(_O, "UNKNOWN", "error"),
}

SETTABLE: Final = frozenset(o for o, facts in FACTS.items() if facts.group is Group.REACHED)
"""What a scenario may say of a call: only endings in which somebody was reached."""


def panel_status(outcome: Outcome) -> str:
    """The panel's word for it; FAILED for what it has no word for."""
    return FACTS[outcome].panel_status or "FAILED"


_BY_DIAL_STATUS: Final = {
    "BUSY": Outcome.BUSY,
    "NOANSWER": Outcome.NO_ANSWER,
    "CANCEL": Outcome.NO_ANSWER,
    "DONTCALL": Outcome.REJECTED,
    "TORTURE": Outcome.REJECTED,
    "CONGESTION": Outcome.CONGESTION,
    "CHANUNAVAIL": Outcome.CONGESTION,
}

_BY_CAUSE: Final = {
    1: Outcome.INVALID_NUMBER,  # unallocated number
    2: Outcome.INVALID_NUMBER,
    3: Outcome.INVALID_NUMBER,  # no route to destination
    17: Outcome.BUSY,
    18: Outcome.NO_ANSWER,  # no user responding
    19: Outcome.NO_ANSWER,  # alerting, no answer
    20: Outcome.NO_ANSWER,  # subscriber absent
    21: Outcome.REJECTED,
    22: Outcome.INVALID_NUMBER,  # number changed
    27: Outcome.NO_ANSWER,  # destination out of order: the phone is off
    28: Outcome.INVALID_NUMBER,  # invalid number format
    34: Outcome.CONGESTION,
    38: Outcome.CONGESTION,
    41: Outcome.CONGESTION,
    42: Outcome.CONGESTION,
    44: Outcome.CONGESTION,
    58: Outcome.CONGESTION,
}

CAUSE_OF_DIAL_STATUS: Final = {"BUSY": 17, "NOANSWER": 19, "CONGESTION": 34}
"""The Q.850 cause a dial status stands for, where the channel was hung up before Asterisk named one."""

_VAGUE: Final = frozenset({Outcome.CONGESTION, Outcome.NO_ANSWER})
_PRECISE_CAUSES: Final = frozenset({1, 2, 3, 17, 21, 22, 28})
"""Causes that say more than those dial statuses: an originated call that is rejected has NOANSWER and cause 21."""


def telling_cause(first: int | None, last: int) -> int:
    """Which of two causes to believe: of the hangup request (None when it named none), and of the end.

    The end's, unless it is the plain one and the request's says more: a busy Asterisk forgets the cause of a Local
    channel between the two.
    """
    return first if last in {0, 16} and first in _BY_CAUSE else last


def outcome_of_unanswered(dial_status: str, cause: int | None, tech_cause: int | None = None) -> Outcome:
    """What a dial came to that nobody answered.

    `dial_status` is the last one of the Dial events ("" when there was none at all, any word when there was), `cause` the Q.850 cause of the end,
    `tech_cause` the SIP status where Asterisk tells it. A channel that ends without any dial status and with the
    plain cause 16 never reached a phone: the dialplan had nothing to dial.
    """
    if tech_cause in {603, 607, 608}:  # declined, unwanted, rejected (RFC 3261, 8197, 8688)
        return Outcome.REJECTED
    if tech_cause in {404, 410, 484, 604}:
        return Outcome.INVALID_NUMBER
    by_status = _BY_DIAL_STATUS.get(dial_status)
    if by_status in _VAGUE and cause in _PRECISE_CAUSES:
        return _BY_CAUSE[cause]
    if by_status is not None:
        return by_status
    if cause in _BY_CAUSE:
        return _BY_CAUSE[cause]
    if dial_status == "" and cause in {None, 0, 16}:
        return Outcome.INVALID_NUMBER
    return Outcome.NO_ANSWER
