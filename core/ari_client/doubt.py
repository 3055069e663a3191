"""Did the channel come to be? What to believe after a `create` or `originate` without a clear answer.

We choose the id, so Asterisk can be asked for it. What the pair of answers proves:

- no answer, and `GET channels/{id}` finds it: it happened.
- no answer, and 404: nothing is proven. It may have lived and ended, or its request may still wait in Asterisk.
- 409 "already exists", and the channel is there: it is ours; an earlier request of ours made it.
- 409 and *at once* 404: it never existed. Asterisk says 409 for other failures, too, among them an endpoint that does not
  exist (docs/asterisk-facts-lab.md, E2), and an id that we ask for only once cannot be a duplicate.
- any other refusal: it never existed.

What is unknown is never dialled again: it is adopted when an event shows it, or ends as unknown.
"""

from collections.abc import Awaitable
from enum import Enum

from core.ari_client.channels import Channels
from core.errors import AriConflict, AriError, AriGone


class Creation(Enum):
    """What is known of a channel that we asked for."""

    MADE = "made"
    FOUND = "found"
    UNKNOWN = "unknown"
    REFUSED = "refused"


def judge(asking: AriError | None, looking: AriError | None) -> Creation:
    """What the two answers prove: of `create` or `originate`, and of the `GET` at once after it. None is a success."""
    match asking, looking:
        case None, _:
            return Creation.MADE
        case AriConflict(), None:
            return Creation.FOUND
        case AriConflict(), AriGone():
            return Creation.REFUSED
        case AriConflict(), _:
            return Creation.UNKNOWN
        case AriError(may_have_happened=True), None:
            return Creation.FOUND
        case AriError(may_have_happened=True), _:
            return Creation.UNKNOWN
        case _:
            return Creation.REFUSED


async def create_or_find(channels: Channels, channel_id: str, creating: Awaitable[None]) -> Creation:
    """Await a `create` or `originate` of this id; when its answer leaves a doubt, look at once.

    Returns MADE, FOUND or UNKNOWN. Raises the refusal when the channel never existed, and AriUnreachable when nothing
    was sent.
    """
    try:
        await creating
    except AriError as problem:
        if not (problem.may_have_happened or isinstance(problem, AriConflict)):
            raise
        creation = judge(problem, await _looked(channels, channel_id))
        if creation is Creation.REFUSED:
            raise
        return creation
    return Creation.MADE


async def _looked(channels: Channels, channel_id: str) -> AriError | None:
    try:
        await channels.get(channel_id)
    except AriError as problem:
        return problem
    return None
