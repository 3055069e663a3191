"""What a dial came to, and what others call it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logic.outcomes import FACTS, SETTABLE, Group, Outcome, outcome_of_unanswered, panel_status, telling_cause

MEASURED = [
    ("BUSY", 17, None, Outcome.BUSY),
    ("BUSY", 0, None, Outcome.BUSY),
    ("CONGESTION", 34, None, Outcome.CONGESTION),
    ("CONGESTION", 0, None, Outcome.CONGESTION),
    ("", 21, None, Outcome.REJECTED),
    ("NOANSWER", 21, None, Outcome.REJECTED),
    ("RINGING", 19, None, Outcome.NO_ANSWER),
    ("RINGING", 16, None, Outcome.NO_ANSWER),
    ("RINGING", 0, None, Outcome.NO_ANSWER),
    ("", 16, None, Outcome.INVALID_NUMBER),
    ("", 0, None, Outcome.INVALID_NUMBER),
    ("", 17, 486, Outcome.BUSY),
    ("", 21, 603, Outcome.REJECTED),
    ("", 1, 404, Outcome.INVALID_NUMBER),
    ("", 34, 503, Outcome.CONGESTION),
    ("RINGING", 19, 480, Outcome.NO_ANSWER),
    ("", 20, None, Outcome.NO_ANSWER),
    ("", 42, None, Outcome.CONGESTION),
    ("CHANUNAVAIL", 1, None, Outcome.INVALID_NUMBER),
    ("CANCEL", None, None, Outcome.NO_ANSWER),
]


@pytest.mark.parametrize(("status", "cause", "tech_cause", "expected"), MEASURED)
def test_what_real_asterisks_say_of_a_dial_that_reached_nobody(
    status: str, cause: int | None, tech_cause: int | None, expected: Outcome
) -> None:
    """Each row was seen on a real Asterisk, 16 or 22, Local or SIP (docs/asterisk-facts-lab.md)."""
    assert outcome_of_unanswered(status, cause, tech_cause) is expected


@given(st.text(max_size=12), st.none() | st.integers(-5, 300), st.none() | st.integers(0, 999))
def test_whatever_asterisk_says_the_outcome_is_one_of_not_reached(
    status: str, cause: int | None, tech_cause: int | None
) -> None:
    """A dial that nobody answered never counts as somebody reached."""
    assert FACTS[outcome_of_unanswered(status, cause, tech_cause)].group is Group.NOT_REACHED


def test_every_outcome_has_its_facts_and_a_panel_status() -> None:
    """The list and its data are the same set; what has no word of the panel's is FAILED."""
    assert set(FACTS) == set(Outcome)
    assert {panel_status(outcome) for outcome in Outcome} >= {"CONNECTED", "FAILED", "BUSY", "HANGUP"}
    assert panel_status(Outcome.LOST) == "FAILED"


def test_scenarios_may_say_only_what_was_reached() -> None:
    """No scenario can claim that a line was busy or a call was lost."""
    assert Outcome.INTERESTED in SETTABLE
    assert SETTABLE.isdisjoint({Outcome.BUSY, Outcome.LOST, Outcome.DENIED, Outcome.UNKNOWN})


@pytest.mark.parametrize(
    ("first", "last", "believed"),
    [
        (21, 16, 21),
        (17, 0, 17),
        (None, 16, 16),
        (32, 19, 19),
        (32, 16, 16),
        (16, 17, 17),
        (21, 17, 17),
        (127, 0, 0),
    ],
)
def test_the_more_telling_of_two_causes_is_believed(first: int | None, last: int, believed: int) -> None:
    """The end's cause counts, unless it is the plain one and the hangup request named a better."""
    assert telling_cause(first, last) == believed
