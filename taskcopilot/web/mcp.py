"""`/mcp`: the tools and resources for agents over streamable HTTP, in every revision that the SDK speaks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Final

from aiohttp import hdrs, web

from taskcopilot.core import Core, background
from taskcopilot.web.asgi import Application, respond
from taskcopilot.web.bodies import read_json
from taskcopilot.web.gate import access_of
from taskcopilot.web.keys import CORE

__all__ = ["PATH", "add_routes"]

PATH: Final = "/mcp"


class _Endpoint:
    """Makes the SDK's application when somebody asks for it first: importing it takes longer than all the rest."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._wanted = asyncio.Event()
        self._made: asyncio.Future[Application] = asyncio.get_running_loop().create_future()

    async def application(self) -> Application:
        """Return the application, once it is ready; raises what kept it from getting so."""
        self._wanted.set()
        return await asyncio.shield(self._made)

    async def run(self) -> None:
        """Hold the sessions of all clients until cancelled: the SDK wants one task for their whole life."""
        await self._wanted.wait()
        try:
            sessions = await asyncio.to_thread(_load)
        except ImportError as error:
            self._made.set_exception(error)
            return
        async with sessions(self._core) as application:
            self._made.set_result(application)
            await asyncio.get_running_loop().create_future()


def _load() -> Callable[[Core], AbstractAsyncContextManager[Application]]:
    from taskcopilot.mcp.http import sessions  # noqa: PLC0415 - most bridges start faster without

    return sessions


_ENDPOINT: Final = web.AppKey("mcp", _Endpoint)


def add_routes(app: web.Application) -> None:
    """Serve `/mcp` on the application; the sessions end with it."""
    app.cleanup_ctx.append(_conversations)
    app.router.add_route("*", PATH, _serve)


async def _conversations(app: web.Application) -> AsyncIterator[None]:
    app[_ENDPOINT] = endpoint = _Endpoint(app[CORE])
    async with background(endpoint.run(), "mcp"):
        yield


async def _serve(request: web.Request) -> web.StreamResponse:
    body = await read_json(request) if request.method == hdrs.METH_POST else b""
    return await respond(await request.app[_ENDPOINT].application(), request, body, {"access": access_of(request)})
