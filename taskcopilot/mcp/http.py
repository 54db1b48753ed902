"""The sessions of the clients that come over HTTP."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Final

from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from starlette.types import ASGIApp

from taskcopilot.core import Core
from taskcopilot.mcp.server import make_server

__all__ = ["sessions"]

MAX_SESSIONS: Final = 1_000
"""Sessions of old clients that may be open; those that nobody uses are forgotten after half an hour."""


@contextlib.asynccontextmanager
async def sessions(core: Core) -> AsyncIterator[ASGIApp]:
    """Give the ASGI application that serves MCP, old revisions with sessions and 2026-07-28 without, on any path.

    On leaving, every conversation ends. To be entered and left by one task. Origin and Host are the caller's business.
    """
    manager = StreamableHTTPSessionManager(
        make_server(core), max_sessions=MAX_SESSIONS, max_request_body_size=core.settings.max_body
    )
    async with manager.run():
        yield manager.handle_request
