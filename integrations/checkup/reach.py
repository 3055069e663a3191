"""Is Asterisk there, and does it know us? One question over plain HTTP with a short deadline, and an honest answer."""

from typing import Final

from config.groups import AriSettings
from core.ari_client import AriClient
from core.ari_models import AsteriskInfo
from core.ari_transport.http import HttpTransport
from core.http import HttpClient, HttpTimeout

ANSWER_S: Final = 3.0


async def ask_who_is_there(ari: AriSettings, *, timeout_s: float = ANSWER_S) -> AsteriskInfo:
    """What Asterisk says of itself. Raises the AriError of whatever is in the way, within `timeout_s`."""
    async with HttpClient(
        ari.base_url,
        username=ari.username,
        password=ari.password.reveal(),
        max_connections=1,
        timeout=HttpTimeout(connect_s=timeout_s),
    ) as http:
        return await AriClient(HttpTransport(http), timeout_s=timeout_s).asterisk.info()
