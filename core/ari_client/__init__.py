"""The ARI client: one file per resource, over one `send`."""

from core.ari_client.client import AriClient as AriClient
