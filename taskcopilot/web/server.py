"""The server: one port for HTTP and WebSocket, opened and closed in bounded time."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from taskcopilot.core import Core
from taskcopilot.errors import InvalidArgumentError
from taskcopilot.web.address import base_url
from taskcopilot.web.entrance import Entrance
from taskcopilot.web.keys import CORE, CROWD
from taskcopilot.web.neighbour import port_taken

__all__ = ["Server", "listening", "serving"]

_SHUTDOWN: Final = 1.0
"""Seconds that a running handler may still take at the end; aiohttp waits this long twice, and the sockets before."""

_LINGERING: Final = 2.0
"""Seconds in which the rest of a body that nobody wants may still come in before the connection is closed."""

_BACKLOG: Final = 512
"""Connections that may wait to be accepted when many clients come back at once."""


class _FaultOfThePeer(logging.Filter):
    """Keeps out the tracebacks that aiohttp writes for what is no HTTP or for who left: anybody could fill the log."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError | ConnectionError))


_log: Final = logging.getLogger(__name__)
_log.addFilter(_FaultOfThePeer())


@dataclass(frozen=True, slots=True)
class Server:
    """Where a running server is reached."""

    host: str
    port: int

    @property
    def url(self) -> str:
        """The base of all addresses, without a slash at the end."""
        return base_url(self.host, self.port)


@contextlib.asynccontextmanager
async def serving(core: Core, app: web.Application) -> AsyncIterator[Server]:
    """Serve the application where the settings say; on leaving, end all conversations within 3 s (promise C5).

    Port 0 picks a free port. Raises PortTakenError that says by whom the port is held, and InvalidArgumentError when
    the address is none of this machine.
    """
    async with listening(app, core.settings.host, core.settings.port) as server:
        yield server


@contextlib.asynccontextmanager
async def listening(app: web.Application, host: str, port: int) -> AsyncIterator[Server]:
    """Serve an application on an address; as `serving`."""
    settings, leaving = app[CORE].settings, set[asyncio.Transport]()
    runner = web.AppRunner(
        app,
        handle_signals=False,
        access_log=None,
        logger=_log,
        keepalive_timeout=settings.header_timeout,
        max_line_size=settings.max_header,
        max_field_size=settings.max_header,
        lingering_time=_LINGERING,
        shutdown_timeout=_SHUTDOWN,
        handler_cancellation=False,
        auto_decompress=False,
    )
    try:
        await runner.setup()
        assert runner.server is not None  # noqa: S101 - set up
        door = await _listen(partial(Entrance, app[CROWD], leaving, runner.server), host, port)
        try:
            yield Server(host, int(door.sockets[0].getsockname()[1]))
        finally:
            door.close()
            for transport in tuple(leaving):
                transport.abort()
    finally:
        await runner.cleanup()


async def _listen(entrance: Callable[[], asyncio.Protocol], host: str, port: int) -> asyncio.Server:
    try:
        return await asyncio.get_running_loop().create_server(entrance, host, port, backlog=_BACKLOG)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise await port_taken(host, port) from error
        raise InvalidArgumentError(f"cannot listen on {host}:{port}: {error.strerror}", field="--host") from error
