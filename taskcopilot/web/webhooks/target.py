"""Where events may be sent: https to public addresses, and, where that was allowed, http and private ones too.

The address is judged when the connection is made, by what the name means then: a name that was public when the
endpoint was added cannot turn into one of this machine. Link-local addresses are never allowed: clouds give out
credentials there.
"""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import urlsplit

from aiohttp import ThreadedResolver
from aiohttp.abc import AbstractResolver, ResolveResult

from taskcopilot.errors import InvalidArgumentError

__all__ = ["GuardedResolver", "check_url", "is_allowed"]


def check_url(url: str, *, private: bool) -> None:
    """Raise InvalidArgumentError when the URL is none that may be used."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise InvalidArgumentError(f"{url!r} is no URL: {error}", field="url") from None
    if (
        parts.scheme not in {"http", "https"}
        or not host
        or parts.username
        or not url.isascii()
        or not url.isprintable()
    ):
        raise InvalidArgumentError("expected an http or https URL without a user name", field="url")
    if parts.scheme == "http" and not private:
        raise InvalidArgumentError("http is for private addresses only (--private); use https", field="url")
    if not is_allowed(host, private=private):
        raise InvalidArgumentError(f"{host} is no public address (--private allows private ones)", field="url")


def is_allowed(host: str, *, private: bool) -> bool:
    """Tell whether an address may be connected to; a name may, its addresses are judged when they are known."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return True
    address = getattr(address, "ipv4_mapped", None) or address
    if address.is_link_local or address.is_multicast or address.is_unspecified:
        return False
    return address.is_global or (private and (address.is_private or address.is_loopback))


class GuardedResolver(AbstractResolver):
    """Finds the addresses of a name, and refuses the name when one of them is not allowed."""

    def __init__(self, *, private: bool) -> None:
        self._private = private
        self._inner = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """See AbstractResolver; raises OSError for what is not allowed."""
        found = await self._inner.resolve(host, port, family)
        for result in found:
            if not is_allowed(result["host"], private=self._private):
                raise OSError(f"{host} is {result['host']}, which is not allowed")
        return found

    async def close(self) -> None:
        """See AbstractResolver."""
        await self._inner.close()
