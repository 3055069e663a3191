"""Verdicts: what passes a step, and which figure is reached."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from scripts.bench.report import (
    Step,
    faster_safe_method,
    latency_figure,
    method_rows,
    rate_figure,
)


def step(p50: float = 1.0, p99: float = 10.0, **changes: object) -> Step:
    """A step that passes, unless changed."""
    sound = Step(
        who="engine",
        method="create",
        rate=20,
        offered=500,
        completed=500,
        came_to={"completed": 500},
        latencies_ms={
            "stasis_to_bridged": {"p50": p50, "p99": p99},
            "stasis_to_bridged_by_asterisk": {"p50": p50, "p99": p99},
            "due_to_asked": {"p50": 1.0, "p99": 2.0},
            "answered_to_playing": {"p50": p50, "p99": p99},
        },
        requests_per_call=7.0,
        cpu_ms_per_call=5.0,
        asterisk_cpu_ms_per_call=9.0,
        cores_busy={"others_cores": 0.1},
        done_per_s=20.0,
    )
    return replace(sound, **changes)  # type: ignore[arg-type]  # what each test names


def test_a_sound_step_passes() -> None:
    assert step().reasons == []


@pytest.mark.parametrize(
    ("failing", "reason"),
    [
        (step(completed=494), "494 of 500 calls completed"),
        (step(p99=500.1), "StasisStart to bridged: p99 500 ms"),
        (step(books=("499 journals, 500 calls placed",)), "499 journals"),
        (step(latencies_ms={}), "nothing was measured"),
    ],
)
def test_a_step_fails_for_a_reason(failing: Step, reason: str) -> None:
    assert not failing.passed
    assert any(reason in found for found in failing.reasons)


def test_99_percent_and_500_ms_are_enough() -> None:
    assert step(completed=495, p99=500.0).passed


def test_a_rate_that_was_not_kept_was_not_offered() -> None:
    late: Mapping[str, Mapping[str, float]] = {
        **step().latencies_ms,
        "due_to_asked": {"p50": 1.0, "p99": 700.0},
    }
    assert any("rate was not kept" in reason for reason in step(latencies_ms=late).reasons)


@pytest.mark.parametrize(
    ("engine", "bare", "value", "reached"),
    [
        ([80, 100, 90], [100, 100, 130], 0.9, True),
        ([80, 80, 80], [100, 100, 100], 0.8, True),
        ([75, 75, 200], [100, 100, 100], 0.75, False),
        ([0, 0, 0], [100, 100, 100], 0.0, False),
        ([100, 100, 100], [0, 0, 0], None, False),
    ],
)
def test_the_rate_figure_is_a_ratio_of_medians(
    engine: Sequence[int], bare: Sequence[int], value: float | None, reached: bool
) -> None:
    figure = rate_figure(engine, bare, bare_at_the_top=False)
    assert (value, reached) == (figure.value, figure.reached)


def test_the_latency_figure_is_a_ratio_of_medians() -> None:
    figure = latency_figure([step(1.5), step(1.4), step(9.0)], [step(1.0)] * 3, what="bare client")
    assert (figure.value, figure.reached, figure.to_json()["verdict"]) == (1.5, True, "reached")
    assert not latency_figure([step(1.6)], [step(1.0)], what="bare client").reached


def test_a_fast_engine_with_faults_in_its_books_reaches_nothing() -> None:
    assert not latency_figure([step(books=("1 channels left",))], [step()], what="bare client").reached
    assert not latency_figure([step(completed=0)], [step()], what="bare client").reached


def test_the_faster_method_must_lose_no_calls() -> None:
    """The shorter silence after the answer wins, unless it costs calls."""
    create, originate = step(2.0), step(1.0, method="originate")
    assert faster_safe_method(method_rows([create, originate])) == "originate"
    assert faster_safe_method(method_rows([create, replace(originate, completed=400)])) == "create"
    assert faster_safe_method(method_rows([])) is None


def test_rows_are_medians_over_the_runs() -> None:
    rows = method_rows([step(1.0), step(3.0), step(2.0, completed=490)])
    assert (len(rows), rows[0]["answered_to_playing_p50_ms"], rows[0]["completion"]) == (1, 2.0, 0.98)
