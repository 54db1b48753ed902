"""Addresses as clients write them."""

from __future__ import annotations

from typing import Final

__all__ = ["base_url"]

_WILDCARDS: Final = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - nothing is bound here


def base_url(host: str, port: int, *, secure: bool) -> str:
    """Return the base of all addresses of a server that listens there; a wildcard is reached by loopback."""
    name = _WILDCARDS.get(host, host)
    scheme = "https" if secure else "http"
    return f"{scheme}://[{name}]:{port}" if ":" in name else f"{scheme}://{name}:{port}"
