"""A flow as states and the ways between them, for checks and drawings. Loops, never recursion: flows may be long."""

from collections import deque
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import assert_never

from logic.documents.tree import Path
from logic.flow.compiled import BranchState, EndState, RecordState, SayState, SetState, State
from logic.flow.guards import bounded_visits


@dataclass(frozen=True, slots=True)
class Way:
    """One way from a state to the next. `label` is what an author would call it.

    `few_visits` names states that must have been visited only a few times for this way to be taken.
    """

    source: str
    target: str
    label: str
    path: Path
    few_visits: frozenset[str] = frozenset()


def ways_out(state: State) -> tuple[Way, ...]:
    """Every way out of a state, in the order they are tried."""
    at: Path = ("states", state.name)
    match state:
        case SayState() | SetState():
            return (Way(state.name, state.next, "next", (*at, "next")),)
        case RecordState():
            onward = Way(state.name, state.next, "next", (*at, "next"))
            if state.on_failed == state.next:
                return (onward,)
            return (onward, Way(state.name, state.on_failed, "on_failed", (*at, "on_failed")))
        case BranchState():
            return _routes(state, at)
        case EndState():
            return ()
        case _:
            assert_never(state)


def _routes(state: BranchState, at: Path) -> tuple[Way, ...]:
    """The ways of a branch. Each also knows that the guards before it did not hold."""
    ways = []
    before: frozenset[str] = frozenset()
    for number, route in enumerate(state.routes):
        few = before | bounded_visits(route.when)
        ways.append(Way(state.name, route.goto, route.text, (*at, "routes", number, "goto"), few))
        before |= bounded_visits(route.when, answer=False)
    ways.append(Way(state.name, state.otherwise, "otherwise", (*at, "otherwise"), before))
    return tuple(ways)


def all_ways(states: Mapping[str, State]) -> tuple[Way, ...]:
    """Every way of a flow, in the order of the file."""
    return tuple(way for state in states.values() for way in ways_out(state))


def reached(starts: Iterable[str], ways: Iterable[Way], *, without: str | None = None) -> frozenset[str]:
    """The states that can be reached, the starts among them, never entering `without`."""
    onward: dict[str, list[str]] = {}
    for way in ways:
        onward.setdefault(way.source, []).append(way.target)
    found = {start for start in starts if start != without}
    to_do = list(found)
    while to_do:
        for target in onward.get(to_do.pop(), ()):
            if target != without and target not in found:
                found.add(target)
                to_do.append(target)
    return frozenset(found)


def reversed_ways(ways: Iterable[Way]) -> tuple[Way, ...]:
    """The same ways, walked backwards."""
    return tuple(Way(way.target, way.source, way.label, way.path) for way in ways)


def cycles(states: Collection[str], ways: Iterable[Way]) -> list[tuple[str, ...]]:
    """Cycles that share no state, until none is left. Each begins with the state that comes first in `states`."""
    left = list(states)
    ways = tuple(ways)
    found: list[tuple[str, ...]] = []
    while True:
        left, ways = _trimmed(left, ways)
        if not left:
            return found
        onward: dict[str, str] = {}
        for way in ways:
            onward.setdefault(way.source, way.target)
        walk = [left[0]]
        while onward[walk[-1]] not in walk:
            walk.append(onward[walk[-1]])
        cycle = walk[walk.index(onward[walk[-1]]) :]
        first = cycle.index(min(cycle, key=left.index))
        found.append((*cycle[first:], *cycle[:first]))
        left = [name for name in left if name not in cycle]


def way_around(way: Way, ways: Iterable[Way]) -> tuple[Way, ...]:
    """The shortest cycle that begins with a way; empty when nothing leads back."""
    onward: dict[str, list[Way]] = {}
    for each in ways:
        onward.setdefault(each.source, []).append(each)
    came_by: dict[str, Way] = {way.target: way}
    to_do = deque([way.target])
    while to_do and way.source not in came_by:
        for each in onward.get(to_do.popleft(), ()):
            if each.target not in came_by:
                came_by[each.target] = each
                to_do.append(each.target)
    if way.source not in came_by:
        return ()
    cycle = [came_by[way.source]]
    while cycle[-1] is not way:
        cycle.append(came_by[cycle[-1].source])
    return tuple(reversed(cycle))


def on_cycles(states: Collection[str], ways: Iterable[Way]) -> tuple[Way, ...]:
    """The ways among states that are left when everything that leads in or out of cycles is trimmed away."""
    return _trimmed(list(states), tuple(ways))[1]


def _trimmed(left: list[str], ways: tuple[Way, ...]) -> tuple[list[str], tuple[Way, ...]]:
    """Drop states without a way in or without a way out, until every state left has both."""
    while True:
        names = set(left)
        ways = tuple(way for way in ways if way.source in names and way.target in names)
        names = {way.source for way in ways} & {way.target for way in ways}
        if len(names) == len(left):
            return left, ways
        left = [name for name in left if name in names]
