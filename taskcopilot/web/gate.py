"""Lets in who may come in: the middleware that asks for a token before a handler runs (promises A1 to A4).

Without authentication it is not there at all.
"""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import AsyncIterator
from typing import Final

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from taskcopilot.auth.access import EVERYTHING, NOTHING, Access, Scope, View, forbidden
from taskcopilot.auth.identity import Identity, unauthorized
from taskcopilot.auth.presented import refuse_in_query, token_in_headers
from taskcopilot.config import Settings
from taskcopilot.errors import InvalidArgumentError
from taskcopilot.web.doorkeeper import Doorkeeper
from taskcopilot.web.keys import CONFINED, CORE, DOOR
from taskcopilot.web.verifying import jwt_verifier

__all__ = [
    "access_of",
    "demanding_tokens",
    "door",
    "identity_of",
    "is_welcome",
    "refuse_open_door",
    "require_reader",
    "show_token",
    "view_of",
]

_IDENTITY: Final = web.RequestKey("identity", Identity)

_OPEN: Final = frozenset({"/", "/health"})
"""Paths that need no token: the page asks for one, and health checkers have none."""

_OPEN_BELOW: Final = "/dashboard/"

_TOOL_BELOW: Final = "/api/tools/"
"""What a tool needs, it says itself."""

_SPEAKS_MCP: Final = "/mcp"

_SAFE: Final = frozenset({hdrs.METH_GET, hdrs.METH_HEAD, hdrs.METH_OPTIONS})


class _NoOffers(logging.Filter):
    """Keeps out aiohttp's line about subprotocols that it does not know: a token may be among them."""

    def filter(self, record: logging.LogRecord) -> bool:
        return "protocols" not in record.getMessage()


logging.getLogger("aiohttp.websocket").addFilter(_NoOffers())


async def door(app: web.Application) -> AsyncIterator[None]:
    """Have a doorkeeper at work while the application lives."""
    core = app[CORE]
    kinds = core.settings.auth
    jwt = await jwt_verifier(core.settings, core.clock) if "jwt" in kinds else None
    async with Doorkeeper(core.database, core.clock, static="token" in kinds, jwt=jwt).at_work() as keeper:
        app[DOOR] = keeper
        yield


def refuse_open_door(settings: Settings, host: str, flag: str = "--host", *, guarded: bool = False) -> None:
    """Raise InvalidArgumentError when everybody on the network could come in by this address.

    `guarded`: those who come in have to show something else: a certificate, or the token of a service.
    """
    if not settings.auth and not guarded and not _is_loopback(host):
        raise InvalidArgumentError(
            f"{flag} {host} can be reached by others, so they have to show a token: add --auth token, and make one "
            "with `taskcopilot token create`",
            field=flag,
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


@web.middleware
async def demanding_tokens(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Check the token of a request, and what its kind of request needs. Sockets may show theirs later."""
    identity = await show_token(request)
    if identity is not None:
        _require(identity.access, request)
    elif not _is_open(request):
        raise unauthorized()
    return await handler(request)


async def show_token(request: web.Request) -> Identity | None:
    """Check the token that a request shows and keep whose it is; None when it shows none, or none is asked for.

    Raises RefusedError for one that is not good, for more than one, and for one in the address.
    """
    if DOOR not in request.app:
        return None
    if _IDENTITY in request:
        return identity_of(request)
    refuse_in_query(request.query)
    headers = request.headers
    token = token_in_headers(headers.getall(hdrs.AUTHORIZATION, []), headers.getall(hdrs.SEC_WEBSOCKET_PROTOCOL, []))
    if token is not None:
        request[_IDENTITY] = await request.app[DOOR].identify(token)
    return identity_of(request)


async def require_reader(request: web.Request) -> None:
    """Where tokens are asked for, raise RefusedError unless the request shows one that reads and sees everything."""
    if DOOR not in request.app:
        return
    identity = await show_token(request)
    if identity is None:
        raise unauthorized()
    identity.access.require(Scope.READ)
    if identity.access.view is not None:
        raise forbidden("this is for tokens that see everything")


def identity_of(request: web.Request) -> Identity | None:
    """Return whose token came with the request, None when none did."""
    return request.get(_IDENTITY)


def is_welcome(request: web.Request) -> bool:
    """Tell whether the token that the request came with is still good; an answer without an end asks now and then."""
    identity = identity_of(request)
    return identity is None or request.app[DOOR].is_good(identity)


def access_of(request: web.Request) -> Access:
    """Return what the caller may do: everything where authentication is off."""
    identity = identity_of(request)
    if identity is not None:
        return identity.access
    return NOTHING if request.app[CORE].settings.auth else EVERYTHING


def view_of(request: web.Request) -> View | None:
    """Return what the caller may see; None for everything."""
    return access_of(request).view


def _is_open(request: web.Request) -> bool:
    path = request.path
    is_safe = request.method in _SAFE
    return is_safe and (path in _OPEN or path.startswith(_OPEN_BELOW) or _is_socket(request))


def _is_socket(request: web.Request) -> bool:
    """Tell whether only a socket is to be had there; its token may come as its first message."""
    return request.path == "/ws" or request.path.startswith("/ws/")


def _require(access: Access, request: web.Request) -> None:
    if request.path in _OPEN or request.path == _SPEAKS_MCP or request.path.startswith((_TOOL_BELOW, _OPEN_BELOW)):
        return
    if _is_socket(request):
        return
    access.require(Scope.READ if request.method in _SAFE else Scope.WRITE)
    resource = request.match_info.route.resource
    if access.view is not None and resource is not None and resource.canonical not in request.app[CONFINED]:
        raise forbidden("this is for tokens that see everything")
