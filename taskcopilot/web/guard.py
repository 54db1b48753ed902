"""Who may talk to us: the rules for `Origin` and `Host` (promise C2).

Any web page can make a browser send requests to a port of this machine. The browser tells the page in `Origin`, and
the name that it looked up in `Host`; a page that does not belong to us, and a foreign name that was made to point here
(DNS rebinding), are refused before anything else is looked at. Programs send no `Origin` and are let in.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from taskcopilot.config import Settings
from taskcopilot.errors import InvalidArgumentError, RefusedError

__all__ = ["SAFE_METHODS", "Claims", "Guard", "guarding"]

LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "[::1]"})
"""The names under which this machine reaches itself."""

_ANY_ADDRESS: Final = frozenset({"", "0.0.0.0", "[::]"})  # noqa: S104 - what is never a name of ours
SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
"""The methods that change nothing."""

_DEFAULT_PORTS: Final = {"http": 80, "https": 443, "ws": 80, "wss": 443}

_NAME: Final = r"(\[[0-9a-f:.]+\]|[a-z0-9_](?:[a-z0-9._-]*[a-z0-9_])?)(?::([1-9][0-9]{0,4}))?"
_HOST: Final = re.compile(_NAME)
_ORIGIN: Final = re.compile(r"([a-z][a-z0-9+.-]*)://" + _NAME)
_TARGET: Final = re.compile(r"(?:[a-z][a-z0-9+.-]*://)?([^/?#]*).*", re.DOTALL)

Address = tuple[str, int | None]
"""A host name in lower case, and the port where one is given."""


@dataclass(frozen=True, slots=True)
class Claims:
    """What a request says about where it comes from and where it wants to go."""

    method: str
    target: str
    """The request target as it stands in the request line; proxies send it in absolute form, with a host."""
    hosts: Sequence[str]
    origins: Sequence[str]
    fetch_site: str | None = None
    scheme: str = "http"
    """How the request came in; pages of ours came the same way."""


class Guard:
    """Decides on claims, without I/O. Loopback names with the port that the request came in by are ours."""

    def __init__(self, *, hosts: Iterable[str] = (), origins: Iterable[str] = ()) -> None:
        """Allow further hosts (`name`, on our port or the default one, or `name:port`) and origins (`scheme://name`).

        Raises InvalidArgumentError for what is neither.
        """
        self._hosts = frozenset(map(_allowed_host, hosts))
        self._origins = frozenset(map(_allowed_origin, origins))

    @classmethod
    def of(cls, settings: Settings, listening: str | None = None) -> Guard:
        """Build the guard that the settings ask for.

        The addresses that we were told to listen on are names of ours: `--host`, and that of a port of its own.
        """
        told = (settings.host, listening or settings.host)
        names = {f"[{address}]" if ":" in address else address for address in told}
        own = names - LOOPBACK - _ANY_ADDRESS
        return cls(hosts=(*own, *settings.allow_hosts), origins=settings.allow_origins)

    def refusal(self, claims: Claims, port: int) -> RefusedError | None:
        """Say why the request is not welcome on the port, or None."""
        for host in (*claims.hosts, *_host_of(claims.target)):
            if not self._is_our_host(host, claims.scheme, port):
                return _foreign_host(host)
        if not claims.hosts:
            return _foreign_host("")
        if not claims.origins:
            return _cross_site() if _is_cross_site_write(claims) else None
        if len(claims.origins) > 1 or not self._is_our_origin(claims.origins[0], claims.scheme, port):
            return _foreign_origin(", ".join(claims.origins))
        return None

    def _is_our_host(self, text: str, scheme: str, port: int) -> bool:
        match = _match(_HOST, text)
        return match is not None and self._is_ours(_address(match[1], match[2]), scheme, port)

    def _is_our_origin(self, text: str, used: str, port: int) -> bool:
        origin = _parse_origin(text)
        if origin is None:
            return False
        scheme, address = origin
        if origin in self._origins:
            return True
        if scheme == used:
            return self._is_ours(address, scheme, port)
        return scheme == "https" and self._is_allowed(address, port)

    def _is_ours(self, address: Address, scheme: str, port: int) -> bool:
        name, given = address
        is_local = name in LOOPBACK and (given or _DEFAULT_PORTS[scheme]) == port
        return is_local or self._is_allowed(address, port)

    def _is_allowed(self, address: Address, port: int) -> bool:
        name, given = address
        return address in self._hosts or ((name, None) in self._hosts and given == port)


def guarding(guard: Guard) -> Middleware:
    """Return the middleware that asks the guard before anything else of the request is looked at."""

    @web.middleware
    async def ask(request: web.Request, handler: Handler) -> web.StreamResponse:
        if refusal := guard.refusal(_claims(request), _own_port(request)):
            raise refusal
        return await handler(request)

    return ask


def _claims(request: web.Request) -> Claims:
    headers = request.headers
    return Claims(
        method=request.method,
        target=request.raw_path,
        hosts=headers.getall(hdrs.HOST, []),
        origins=headers.getall(hdrs.ORIGIN, []),
        fetch_site=headers.get("Sec-Fetch-Site"),
        scheme="https" if request.secure else "http",
    )


def _own_port(request: web.Request) -> int:
    """Return the port that the connection came in by; 0, which nobody can name, when it is gone already."""
    address = None if request.transport is None else request.transport.get_extra_info("sockname")
    return int(address[1]) if isinstance(address, tuple) else 0


def _host_of(target: str) -> tuple[str, ...]:
    """Return the host of a target in absolute form, or of CONNECT; none when it is a path."""
    if target.startswith("/") or target == "*":
        return ()
    match = _TARGET.fullmatch(target.lower())
    return ("" if match is None else match[1],)


def _is_cross_site_write(claims: Claims) -> bool:
    return claims.method not in SAFE_METHODS and (claims.fetch_site or "").lower() == "cross-site"


def _match(grammar: re.Pattern[str], text: str) -> re.Match[str] | None:
    """Match the whole text whatever its case; not ASCII is never ours, for some letters are ASCII in lower case."""
    return grammar.fullmatch(text.lower()) if text.isascii() else None


def _address(name: str, port: str | None) -> Address:
    return name, None if port is None else int(port)


def _parse_origin(text: str) -> tuple[str, Address] | None:
    """Split an origin into scheme and address, without the port that is the scheme's default anyway."""
    match = _match(_ORIGIN, text)
    if match is None:
        return None
    scheme, (name, port) = match[1], _address(match[2], match[3])
    return scheme, (name, None if port == _DEFAULT_PORTS.get(scheme) else port)


def _allowed_host(text: str) -> Address:
    match = _match(_HOST, text)
    if match is None:
        raise InvalidArgumentError(
            f"--allow-hosts: {text!r} is no host name with an optional port", field="--allow-hosts"
        )
    return _address(match[1], match[2])


def _allowed_origin(text: str) -> tuple[str, Address]:
    origin = _parse_origin(text)
    if origin is None:
        raise InvalidArgumentError(
            f"--allow-origins: {text!r} is no origin such as https://app.example", field="--allow-origins"
        )
    return origin


def _foreign_host(host: str) -> RefusedError:
    return RefusedError(
        f"this is not {host[:200]!r}; a name by which this bridge is reached is allowed with --allow-hosts",
        code="FOREIGN_HOST",
        status=421,
    )


def _foreign_origin(origin: str) -> RefusedError:
    return RefusedError(
        f"pages of {origin[:200]!r} may not talk to this bridge; an origin is allowed with --allow-origins",
        code="FOREIGN_ORIGIN",
        status=403,
    )


def _cross_site() -> RefusedError:
    return RefusedError("a page of another site may not change anything here", code="FOREIGN_ORIGIN", status=403)
