"""Where the bridge is: one base URL, and what follows from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

__all__ = ["Address"]

_SCHEMES: Final = {"http": "ws", "https": "wss"}


@dataclass(frozen=True, slots=True)
class Address:
    """The two URLs of a bridge, and whether it is on this machine: a local bridge is reached past any proxy."""

    api_base: str
    ws_url: str
    is_local: bool

    @classmethod
    def parse(cls, url: str) -> Address:
        """Read the base URL, with or without a trailing slash; ValueError unless it is http or https with a host."""
        base = url.rstrip("/")
        parts = urlsplit(base)
        if parts.scheme not in _SCHEMES or not parts.hostname or parts.query or parts.fragment:
            raise ValueError(f"api_base: expected http://host:port or https://host:port, got {url!r}")
        return cls(base, f"{_SCHEMES[parts.scheme]}{base[len(parts.scheme) :]}/ws", _is_loopback(parts.hostname))


def _is_loopback(host: str) -> bool:
    return host in ("localhost", "::1") or host.startswith("127.")
