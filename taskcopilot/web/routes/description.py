"""GET /openapi.json: the description of this API."""

from __future__ import annotations

import asyncio
from functools import cache
from typing import Final

from aiohttp import web

from taskcopilot.tools.registry import Registry
from taskcopilot.web.json import encode, json_response
from taskcopilot.web.keys import CORE
from taskcopilot.web.openapi import describe
from taskcopilot.web.route import Route
from taskcopilot.web.routes import tools

__all__ = ["ROUTES", "TABLE", "documented"]

TABLE: Final = web.AppKey("table", tuple[Route, ...])
"""Every route of the application."""


async def get_openapi(request: web.Request) -> web.Response:
    """Answer the description; it is made once, off the event loop, because the schemas take a while."""
    registry = request.app[CORE].toolbox.registry
    return json_response(await asyncio.to_thread(_document, request.app[TABLE], registry))


def documented(table: tuple[Route, ...], registry: Registry) -> tuple[Route, ...]:
    """Return the table with one route for each tool in the place of the one for all: so each shows its own schemas."""
    return tuple(each for route in table for each in (tools.operations(registry) if route is tools.CALL else (route,)))


@cache
def _document(table: tuple[Route, ...], registry: Registry) -> bytes:
    return encode(describe(documented(table, registry)))


ROUTES: Final = (
    Route(
        method="GET",
        path="/openapi.json",
        confined=True,
        handler=get_openapi,
        summary="Describe this API",
        answer={"type": "object", "description": "An OpenAPI 3.1 document."},
    ),
)
