"""How a websocket to Asterisk is opened: address, credentials, limits, and what a failure to open means.

Used by the event stream and by the REST sockets. Credentials travel in the header, never in the address.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final
from urllib.parse import quote

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI

from config.groups import AriSettings
from core.errors import AriUnreachable, refusal
from core.http import basic_authorization

OPEN_TIMEOUT_S: Final = 3.0
CLOSE_TIMEOUT_S: Final = 1.0
MAX_FRAME_BYTES: Final = 16 * 1024 * 1024
"""The list of 10,000 channels is about 6 MB; nothing that Asterisk says on purpose is longer than this."""

QUEUED_FRAMES: Final = 256
"""Frames kept before the socket stops reading. Asterisk then waits its `websocket_write_timeout` and hangs up on us."""


@asynccontextmanager
async def open_ari_socket(settings: AriSettings, app: str) -> AsyncIterator[ClientConnection]:
    """A websocket registered under an application name, closed at the end.

    Raises AriUnreachable, or the AriRefused of the status that answered the upgrade.
    """
    address = f"{settings.ws_url}?app={quote(app, safe='')}&subscribeAll=false"
    said = f"GET {settings.ws_url} (app {app})"
    try:
        socket = await connect(
            address,
            additional_headers={
                "Authorization": basic_authorization(settings.username, settings.password.reveal())
            },
            proxy=None,
            compression=None,
            open_timeout=OPEN_TIMEOUT_S,
            close_timeout=CLOSE_TIMEOUT_S,
            ping_interval=settings.ping_interval_s,
            ping_timeout=settings.ping_interval_s,
            max_size=MAX_FRAME_BYTES,
            max_queue=QUEUED_FRAMES,
        )
    except InvalidStatus as problem:
        answer = problem.response
        raise refusal(answer.status_code, answer.reason_phrase, request=said) from problem
    except (OSError, InvalidHandshake, InvalidURI) as problem:
        raise AriUnreachable(str(problem) or type(problem).__name__, request=said) from problem
    try:
        yield socket
    finally:
        await socket.close()


def closing_words(problem: ConnectionClosed) -> str:
    """Why a socket is closed, for a log line."""
    frame = problem.rcvd or problem.sent
    if frame is None:
        return "connection lost"
    who = "Asterisk" if problem.rcvd else "we"
    return f"{who} closed with {frame.code} {frame.reason}".rstrip()
