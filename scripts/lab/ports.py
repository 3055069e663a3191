"""Choosing ports on the loopback interface.

A port the person named is taken or refused. One left open is the first of a fixed row that is free, so that a lab
alone on a machine always has the same ports; zero means any free one.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable

from scripts.lab.errors import PortBusy

HTTP_DEFAULT = 8088
SIP_ROW = range(5060, 6060, 100)
FAR_END_OFFSET = 10


def http_port(wanted: int) -> int:
    """The port for ARI: the wanted one, or any free one for 0."""
    if wanted and not _is_free(wanted, socket.SOCK_STREAM):
        raise PortBusy(
            f"port {wanted} of 127.0.0.1 is in use by another program: stop it, or name another with --http-port"
            " (0 chooses a free one)"
        )
    return wanted or _any(socket.SOCK_STREAM)


def sip_port(wanted: int | None, last: int = 0) -> int:
    """The port for SIP: the wanted one; else the last one, or the first free pair (ours, the far end's) of the row."""
    if wanted is not None:
        if not _is_free(wanted, socket.SOCK_DGRAM):
            raise PortBusy(f"UDP port {wanted} of 127.0.0.1 is in use: name another with --sip-port")
        return wanted
    if last and _is_free(last, socket.SOCK_DGRAM):
        return last
    return _first_pair(SIP_ROW)


def udp_is_bound(port: int) -> bool:
    """Does somebody listen on this UDP port?"""
    return not _is_free(port, socket.SOCK_DGRAM)


def any_udp() -> int:
    """A UDP port that is free now."""
    return _any(socket.SOCK_DGRAM)


def _first_pair(row: Iterable[int]) -> int:
    for port in row:
        if _is_free(port, socket.SOCK_DGRAM) and _is_free(port + FAR_END_OFFSET, socket.SOCK_DGRAM):
            return port
    raise PortBusy(f"no free SIP port among {list(row)}: name one with --sip-port")


def _is_free(port: int, kind: socket.SocketKind) -> bool:
    with socket.socket(socket.AF_INET, kind) as probe:
        if kind == socket.SOCK_STREAM:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _any(kind: socket.SocketKind) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
