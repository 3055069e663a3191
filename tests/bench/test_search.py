"""The search for the highest rate: it ends, and it finds the limit of a client that has one."""

import pytest

from scripts.bench.search import Search, Tried, highest


def searched(search: Search, limit: int, hiccups: frozenset[int] = frozenset()) -> list[Tried]:
    """All steps of a search for a client that carries `limit`, and fails once more at each hiccup."""
    tried: list[Tried] = []
    left = set(hiccups)
    while (rate := search.next_rate(tried)) is not None:
        assert len(tried) < 50, "a search must end"
        passed = rate <= limit and rate not in left
        left.discard(rate)
        tried.append(Tried(rate, passed))
    return tried


@pytest.mark.parametrize("limit", range(261))
def test_it_finds_every_limit_to_the_grain(limit: int) -> None:
    """The answer is the highest multiple of the grain that the client carries, and no rate above it was passed."""
    search = Search()
    found = highest(searched(search, limit))
    assert min(limit // search.grain * search.grain, search.ramp[-1]) == found


def test_it_climbs_then_halves() -> None:
    search = Search(ramp=(50, 100, 200), grain=10, tries=1)
    assert [one.rate for one in searched(search, 130)] == [50, 100, 200, 150, 120, 130, 140]


def test_a_hiccup_is_not_a_limit() -> None:
    """A rate that fails once and passes at the second try has passed."""
    search = Search(ramp=(50, 100, 200), grain=10)
    tried = searched(search, 130, hiccups=frozenset({50, 120}))
    assert [Tried(50, passed=False), Tried(50, passed=True)] == tried[:2]
    assert highest(tried) == 130


def test_a_limit_is_tried_so_often_before_it_counts() -> None:
    search = Search(ramp=(50, 100), grain=50, tries=3)
    assert [one.rate for one in searched(search, 60)] == [50, 100, 100, 100]


def test_a_client_that_carries_nothing_has_zero() -> None:
    tried = searched(Search(), 0)
    assert highest(tried) == 0
    assert not any(one.passed for one in tried)


def test_the_top_of_the_ramp_is_known_as_such() -> None:
    search = Search(ramp=(25, 50), grain=5)
    assert search.is_at_the_top(searched(search, 1000))
    assert not search.is_at_the_top(searched(search, 45))
