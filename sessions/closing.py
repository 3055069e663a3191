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
from sessions.models import CallState, LegState

HANGUP_CAUSE: Final = 16
"""Normal clearing: what a leg is hung up with when we end the call (Q.850)."""


@dataclass(frozen=True, slots=True)
class Closed:
    """What closing came to. `leftovers` is True when Asterisk could not be asked, or something may still appear there."""

    leftovers: bool
    hangup_cause: int | None


async def close_in_asterisk(state: CallState, client: AriClient) -> Closed:
    """Leave no channel and no bridge of this call behind. Raises nothing that Asterisk may answer."""
    leftovers = False
    cause = state.customer.cause
    if state.has_leg and state.customer.state is not LegState.GONE:
        hung_up = await _quietly(client.channels.hangup(state.plan.channel_id, reason_code=HANGUP_CAUSE))
        leftovers |= hung_up is None
        if hung_up and cause is None:
            cause = CAUSE_OF_DIAL_STATUS.get(state.customer.dial_status, HANGUP_CAUSE)
    if state.has_bridge:
        leftovers |= await _quietly(client.bridges.destroy(state.plan.bridge_id)) is None
    return Closed(leftovers, cause)


async def _quietly(request: Awaitable[object]) -> bool | None:
    """True when it was done, False when there was nothing to do, None when nobody knows."""
    try:
        await request
    except AriRefused as error:
        return False if error.is_normal_after_hangup else None
    except AriError:
        return None
    return True
