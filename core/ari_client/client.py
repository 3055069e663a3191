"""The client: resources over one sender. Knows what ARI can do, and nothing of calls but their id."""

from core.ari_client.applications import Applications
from core.ari_client.asterisk import Asterisk
from core.ari_client.bridges import Bridges
from core.ari_client.channels import Channels
from core.ari_client.endpoints import Endpoints
from core.ari_client.playbacks import Playbacks
from core.ari_client.recordings import Recordings
from core.ari_client.send import Count, Sender, count_nothing
from core.ari_client.sounds import Sounds
from core.ari_transport.seam import Transport


class AriClient:
    """ARI over any transport. Every method raises the `AriError`s of `core.errors`, and nothing else of the network."""

    __slots__ = (
        "_sender",
        "applications",
        "asterisk",
        "bridges",
        "channels",
        "endpoints",
        "playbacks",
        "recordings",
        "sounds",
    )

    def __init__(
        self, transport: Transport, *, timeout_s: float = 10.0, counter: Count = count_nothing
    ) -> None:
        self._bind(Sender(transport, timeout_s, counter))

    def for_call(self, call_id: str) -> "AriClient":
        """The same client, whose requests stay in order among themselves."""
        client = AriClient.__new__(AriClient)
        client._bind(self._sender.for_call(call_id))
        return client

    def _bind(self, sender: Sender) -> None:
        self._sender = sender
        self.channels = Channels(sender)
        self.bridges = Bridges(sender)
        self.playbacks = Playbacks(sender)
        self.recordings = Recordings(sender)
        self.applications = Applications(sender)
        self.asterisk = Asterisk(sender)
        self.endpoints = Endpoints(sender)
        self.sounds = Sounds(sender)
