"""The middleware that keeps one address from asking for more changes than it may."""

from __future__ import annotations

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from taskcopilot.errors import TooManyRequestsError
from taskcopilot.web.crowd import WriteRates
from taskcopilot.web.guard import SAFE_METHODS
from taskcopilot.web.keys import CORE

__all__ = ["limiting"]


def limiting(rates: WriteRates) -> Middleware:
    """Return the middleware; who is too fast gets 429 before the body is read, and reading is never limited."""

    @web.middleware
    async def ask(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.method not in SAFE_METHODS:
            wait = rates.wait(request.remote or "", request.app[CORE].clock.monotonic())
            if wait:
                raise TooManyRequestsError("more changes than this address may ask for", wait)
        return await handler(request)

    return ask
