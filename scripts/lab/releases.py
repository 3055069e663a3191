"""Which Debian release gives which Asterisk, and where it is kept."""

from __future__ import annotations

DEFAULT = "sid"
WITH_ASTERISK = ("sid", "bullseye")
"""Releases known to carry an asterisk package, newest first."""

MIRRORS = ("http://deb.debian.org/debian", "http://archive.debian.org/debian")
"""Where to look, in this order: old releases move from the first to the second."""


def candidates(wanted: str) -> list[str]:
    """The releases to try: the wanted one, then the newest others that have an Asterisk."""
    return [wanted, *(release for release in WITH_ASTERISK if release != wanted)]
