"""The one way out of a call.

Whatever ended it, this routine runs: it hangs up the leg, deletes the bridge, and says whether anything may be left
over. It may run twice; what is gone already is no error. It decides nothing and keeps nothing.
"""

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Final

from core.ari_client import AriClient
from core.errors import AriError, AriRefused
from logic.outcomes import CAUSE_OF_DIAL_STATUS
from sessions.models import CallState, Leg, LegState

HANGUP_CAUSE: Final = 16
"""Normal clearing: what a leg is hung up with when we end the call (Q.850)."""


@dataclass(frozen=True, slots=True)
class Closed:
    """What closing came to. `leftovers` is True when Asterisk could not be asked, or something may still appear there."""

    leftovers: bool
    hangup_cause: int | None


async def close_in_asterisk(state: CallState, client: AriClient) -> Closed:
    """Leave no channel and no bridge of this call behind. Raises nothing that Asterisk may answer."""
    customer, leftovers, hung_up = state.customer, False, False
    if state.has_leg and customer.state not in {LegState.LEFT, LegState.GONE}:
        answer = await _quietly(client.channels.hangup(state.plan.channel_id, reason_code=HANGUP_CAUSE))
        leftovers |= answer is None
        hung_up = answer is True
    if state.has_bridge:
        leftovers |= await _quietly(client.bridges.destroy(state.plan.bridge_id)) is None
    return Closed(leftovers, _cause(customer, hung_up=hung_up))


def _cause(customer: Leg, *, hung_up: bool) -> int | None:
    """The cause Asterisk named; where it named none (0, or not yet), what the dial status stands for, or our own."""
    if customer.cause:
        return customer.cause
    by_status = CAUSE_OF_DIAL_STATUS.get(customer.dial_status)
    if by_status is not None:
        return by_status
    return HANGUP_CAUSE if hung_up else customer.cause


async def _quietly(request: Awaitable[object]) -> bool | None:
    """True when it was done, False when there was nothing to do, None when nobody knows."""
    try:
        await request
    except AriRefused as error:
        return False if error.is_normal_after_hangup else None
    except AriError:
        return None
    return True
