"""Where the bridge is: one base URL, and what follows from it."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

__all__ = ["Address"]

_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Address:
    """The base URL of a bridge, without a slash at its end, and its parts."""

    api_base: str
    host: str
    port: int
    is_secure: bool

    @classmethod
    def parse(cls, url: str) -> Address:
        """Read a base URL; ValueError unless it is http or https with a host, and a port that exists."""
        base = url.rstrip("/")
        parts = urlsplit(base)
        if parts.scheme not in _PORTS or not parts.hostname or parts.query or parts.fragment:
            raise ValueError(f"api_base: expected http://host:port or https://host:port, got {url!r}")
        try:
            port = parts.port or _PORTS[parts.scheme]
        except ValueError as error:
            raise ValueError(f"api_base: {error}, got {url!r}") from None
        return cls(base, parts.hostname, port, is_secure=parts.scheme == "https")

    @property
    def ws_url(self) -> str:
        """Where the WebSocket is: ws for http, wss for https."""
        return f"{'wss' if self.is_secure else 'ws'}{self.api_base[self.api_base.index(':') :]}/ws"

    @property
    def is_local(self) -> bool:
        """True for this machine, which is reached past any proxy."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False
