"""Who is let in: pure.

A caller whom we do not take goes on in the dialplan, where the operator's own fallback stands behind `Stasis()`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

INBOUND: Final = "inbound"
"""The first argument of `Stasis(APP,inbound,${EXTEN})`."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A channel that entered our application and is not of our making."""

    channel_id: str
    args: Sequence[str]
    caller: str
    """The number it shows; empty when it shows none."""
    dialled: str
    """The extension it was sent in with."""


@dataclass(frozen=True, slots=True)
class Doors:
    """How open we are at this moment. `cap` is None when there is no cap."""

    takes_inbound: bool
    is_draining: bool
    inbound_now: int
    cap: int | None
    scenario: str
    known_scenarios: frozenset[str]


@dataclass(frozen=True, slots=True)
class Accept:
    """Let the caller in, to this scenario, on this line of ours."""

    scenario: str
    line: str


@dataclass(frozen=True, slots=True)
class Decline:
    """Send the caller on in the dialplan. `reason` is one word for the log."""

    reason: str


def admit(arrival: Arrival, doors: Doors) -> Accept | Decline:
    """Decide about one arrival. `Stasis(APP,inbound,LINE,SCENARIO)`: line and scenario may be left out."""
    args = list(arrival.args)
    if not args or args[0] != INBOUND:
        return Decline("not_inbound")
    if not doors.takes_inbound:
        return Decline("takes_no_inbound")
    if doors.is_draining:
        return Decline("draining")
    if doors.cap is not None and doors.inbound_now >= doors.cap:
        return Decline("full")
    scenario = args[2] if len(args) > 2 and args[2] else doors.scenario
    if scenario not in doors.known_scenarios:
        return Decline("unknown_scenario")
    return Accept(scenario, line=args[1] if len(args) > 1 and args[1] else arrival.dialled)
