"""FS020, FS021, FS022: every state can be reached, every state leads to an end, and no conversation goes on for ever."""

from collections.abc import Iterator

from logic.flow.checks.finding import Finding
from logic.flow.compiled import WAITING, CompiledFlow, EndState
from logic.flow.errors import Code
from logic.flow.graph import Way, all_ways, cycles, on_cycles, reached, reversed_ways, way_around


def check_ways(flow: CompiledFlow) -> Iterator[Finding]:
    """Find states that cannot be reached, that never end, and cycles without a bound."""
    ways = all_ways(flow.states)
    reachable = reached([flow.start], ways)
    for name in flow.states:
        if name not in reachable:
            sentence = f"nothing leads from '{flow.start}' to '{name}'; lead somewhere to it or remove it"
            yield Finding(Code.UNREACHABLE, ("states", name), sentence, at_key=True)
    ends = [name for name, state in flow.states.items() if isinstance(state, EndState)]
    if not ends:
        yield Finding(Code.NO_END, ("states",), "no state ends the call; add one of kind end", at_key=True)
        return
    ending = reached(ends, reversed_ways(ways))
    for name in flow.states:
        if name in reachable and name not in ending:
            sentence = f"no end can be reached from '{name}'"
            yield Finding(Code.NO_END, ("states", name), sentence, at_key=True)
    yield from _endless(flow, ways)


def _endless(flow: CompiledFlow, ways: tuple[Way, ...]) -> Iterator[Finding]:
    hasty = [name for name, state in flow.states.items() if not isinstance(state, WAITING)]
    in_haste = cycles(hasty, ways)
    for cycle in in_haste:
        sentence = f"{_drawn(cycle)} goes in a circle in which nobody speaks or listens"
        yield Finding(Code.ENDLESS, ("states", cycle[0]), sentence, at_key=True)
    if flow.limits.max_turns is not None:
        return
    told = {name for cycle in in_haste for name in cycle}
    while left := _without_bounded([name for name in flow.states if name not in told], ways):
        cycle = _from_first(_clearest(left), list(flow.states))
        told.update(cycle)
        sentence = (
            f"{_drawn(cycle)} may go on for ever; "
            f"let a route need visits({cycle[0]}) < 3, or set max_turns in limits"
        )
        yield Finding(Code.ENDLESS, ("states", cycle[0]), sentence, at_key=True)


def _drawn(cycle: tuple[str, ...]) -> str:
    return " -> ".join((*cycle, cycle[0]))


def _from_first(cycle: tuple[str, ...], order: list[str]) -> tuple[str, ...]:
    at = cycle.index(min(cycle, key=order.index))
    return (*cycle[at:], *cycle[:at])


def _clearest(left: tuple[Way, ...]) -> tuple[str, ...]:
    """Choose the cycle to show: the first one that no guard bounds.

    There may be none, since circles that bound each other are refused, too; then any.
    """
    around = [cycle for way in left if (cycle := way_around(way, left))]
    bare = (
        cycle
        for cycle in around
        if not any(way.few_visits & {each.source for each in cycle} for way in cycle)
    )
    return tuple(way.source for way in next(bare, around[0]))


def _without_bounded(states: list[str], ways: tuple[Way, ...]) -> tuple[Way, ...]:
    """The ways that go in circles, without those that can be taken only so often.

    A way that needs few visits to a state is such a way when one cannot come back to it without passing that state.
    What is dropped makes others droppable, so this goes on until nothing changes. No endless circle is overlooked; a
    rare bounded one is refused: two circles that share ways, each bounded only by the other's guard.
    """
    left = on_cycles(states, ways)
    while True:
        kept = tuple(way for way in left if not _is_bounded(way, left))
        if len(kept) == len(left):
            return left
        left = on_cycles(states, kept)


def _is_bounded(way: Way, ways: tuple[Way, ...]) -> bool:
    return any(
        state in {way.source, way.target} or way.source not in reached([way.target], ways, without=state)
        for state in way.few_visits
    )
