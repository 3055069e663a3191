"""Whose is the application? One engine per name, and Asterisk refuses nobody: the newcomer has to ask first.

An application that exists without channels has a living owner, because it vanishes with its socket otherwise. One that
exists with channels may be what a dead engine left behind: then it is ours to recover, if our own lock file says that
its holder died.
"""

import asyncio
from typing import Final

from core.ari_client import AriClient
from core.errors import ApplicationTaken, AriGone

GRACE_S: Final = 3.0
"""How long the application of an engine that has just died may linger until Asterisk notices."""
_LOOK_AGAIN_S: Final = 0.25


async def claim(client: AriClient, app: str, *, holder_died: bool, take_over: bool = False) -> None:
    """Return when the application is free, or ours to recover. Raises ApplicationTaken, AriError.

    `holder_died`: our lock file says that the last engine of this application on this data folder died.
    """
    waited_s = 0.0
    while True:
        try:
            application = await client.applications.get(app)
        except AriGone:
            return
        if take_over or (holder_died and application.channel_ids):
            return
        if not holder_died or waited_s >= GRACE_S:
            raise ApplicationTaken(
                f"another engine holds the application {app!r} in Asterisk"
                f" ({len(application.channel_ids)} channels in it): stop that engine, set ARI_APP_NAME to a name of its"
                " own, or start with --take-over if you are sure that it is dead"
            )
        await asyncio.sleep(_LOOK_AGAIN_S)
        waited_s += _LOOK_AGAIN_S
