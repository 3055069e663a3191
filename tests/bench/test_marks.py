"""What is noted of calls, and what the notes add up to."""

from datetime import UTC, datetime

import pytest

from scripts.bench.marks import Marks, add_up, in_percentiles, percentile


@pytest.mark.parametrize(
    ("percent", "expected"),
    [(0, 1.0), (1, 1.0), (50, 50.0), (90, 90.0), (99, 99.0), (99.5, 100.0), (100, 100.0)],
)
def test_the_nearest_rank(percent: float, expected: float) -> None:
    assert expected == percentile([float(n) for n in range(1, 101)], percent)


def test_a_percentile_of_one_value_is_that_value() -> None:
    assert in_percentiles([0.002]) == {"p50": 2.0, "p90": 2.0, "p99": 2.0, "max": 2.0}


def test_there_is_no_percentile_of_nothing() -> None:
    with pytest.raises(ValueError):
        percentile([], 50)


def created_and_dialled() -> Marks:
    """A call as both clients make it with create + dial, ten milliseconds a step."""
    marks = Marks(due=1.0)
    for n, path in enumerate(("bridges", "channels/create", "bridges/b/addChannel", "channels/c/dial")):
        marks.sent("POST", path, 1.01 + n / 50)
        marks.got("POST", path, 204, 1.02 + n / 50)
        if path == "channels/create":
            marks.entered = 1.04
    marks.answered = 1.5
    marks.sent("POST", "bridges/b/play/p", 1.501)
    marks.got("POST", "bridges/b/play/p", 201, 1.503)
    marks.completed, marks.came_to = True, "completed"
    return marks


def test_a_call_is_noted_where_it_passes() -> None:
    marks = created_and_dialled()
    assert (
        marks.asked,
        marks.bridged,
        marks.dialled,
        marks.reacted,
        marks.playing,
        marks.requests,
    ) == (1.03, 1.06, 1.07, 1.501, 1.503, 5)


def test_an_originate_asks_and_dials_at_once() -> None:
    marks = Marks(due=0.0)
    marks.sent("POST", "channels", 0.5)
    assert (marks.asked, marks.dialled) == (0.5, 0.5)


def test_hanging_up_and_refusals_are_no_progress() -> None:
    marks = Marks(due=0.0)
    marks.sent("DELETE", "channels/c", 0.1)
    marks.got("POST", "bridges/b/addChannel", 404, 0.2)
    assert (marks.dialled, marks.bridged, marks.refused) == (None, None, 1)


def test_notes_add_up() -> None:
    """Latencies are in milliseconds; a call that did not come so far is missing in them, and in the completed ones."""
    lost = Marks(due=1.0, came_to="no_answer")
    total = add_up([created_and_dialled(), lost], wall_minus_monotonic_s=0.0)
    assert (total.offered, total.completed, total.completion, total.requests_per_call) == (2, 1, 0.5, 2.5)
    assert total.came_to == {"completed": 1, "no_answer": 1}
    assert pytest.approx(20.0) == total.latencies_ms["stasis_to_bridged"]["p50"]
    assert pytest.approx(1.0) == total.latencies_ms["answered_to_first_request"]["p50"]
    assert "stasis_to_bridged_by_asterisk" not in total.latencies_ms


def test_by_asterisk_a_late_reader_is_late() -> None:
    """The time counts from the moment in the event, not from when it was read."""
    marks = created_and_dialled()
    marks.entered_by_asterisk = datetime.fromtimestamp(1000.5, UTC)
    total = add_up([marks], wall_minus_monotonic_s=1000.0)
    assert pytest.approx(560.0) == total.latencies_ms["stasis_to_bridged_by_asterisk"]["p50"]
