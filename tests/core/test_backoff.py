"""Delays between tries."""

import random
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.backoff import backoff

limits = st.tuples(st.floats(0.001, 10), st.floats(1, 100)).map(lambda pair: (pair[0], pair[0] * pair[1]))


@given(limits=limits, seed=st.integers())
def test_every_delay_is_between_nothing_and_the_cap(limits: tuple[float, float], seed: int) -> None:
    """No delay is negative or longer than the cap, and the first is at most the initial one."""
    initial_s, cap_s = limits
    delays = list(islice(backoff(initial_s, cap_s, random.Random(seed)), 40))
    assert 0 <= delays[0] <= initial_s
    assert all(0 <= delay <= cap_s for delay in delays)


@given(limits=limits, seed=st.integers())
def test_delays_grow_until_the_cap_and_stay_near_it(limits: tuple[float, float], seed: int) -> None:
    """Until the cap is near each delay is at least as long as the one before; afterwards none is below half the cap."""
    initial_s, cap_s = limits
    delays = list(islice(backoff(initial_s, cap_s, random.Random(seed)), 40))
    growing = [delay for delay in delays if delay < cap_s / 2]
    assert growing == sorted(growing)
    assert delays[: len(growing)] == growing
    assert all(delay >= cap_s / 2 for delay in delays[20:])


def test_the_same_dice_give_the_same_delays() -> None:
    """Randomness comes from the generator passed in, and from nowhere else."""
    first, second = (list(islice(backoff(0.1, 5, random.Random(7)), 10)) for _ in range(2))
    assert first == second


@pytest.mark.parametrize(("initial_s", "cap_s"), [(0, 1), (-1, 1), (2, 1)])
def test_limits_that_make_no_sense_are_refused(initial_s: float, cap_s: float) -> None:
    """A backoff that could not grow, or would not wait, is a mistake of ours."""
    with pytest.raises(ValueError, match="backoff from"):
        next(backoff(initial_s, cap_s, random.Random(1)))
