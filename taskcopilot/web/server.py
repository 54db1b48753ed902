"""The server: one port for HTTP and WebSocket, opened and closed in bounded time."""

from __future__ import annotations

import contextlib
import errno
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from taskcopilot.core import Core
from taskcopilot.errors import InvalidArgumentError
from taskcopilot.web.address import base_url
from taskcopilot.web.neighbour import port_taken

__all__ = ["Server", "listening", "serving"]

_KEEPALIVE: Final = 10.0
"""Seconds a connection may be idle, or take to send its first headers (aiohttp's default is an hour)."""

_SHUTDOWN: Final = 1.0
"""Seconds that a running handler may still take at the end; aiohttp waits this long twice, and the sockets before."""

_LINGERING: Final = 2.0
"""Seconds in which the rest of a body that nobody wants may still come in before the connection is closed."""

_BACKLOG: Final = 512
"""Connections that may wait to be accepted when many clients come back at once."""


class _Malformed(logging.Filter):
    """Keeps out the tracebacks that aiohttp writes for requests that are no HTTP: anybody could fill the log."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))


_log: Final = logging.getLogger(__name__)
_log.addFilter(_Malformed())


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
    runner = web.AppRunner(
        app,
        handle_signals=False,
        access_log=None,
        logger=_log,
        keepalive_timeout=_KEEPALIVE,
        lingering_time=_LINGERING,
        shutdown_timeout=_SHUTDOWN,
        handler_cancellation=False,
        auto_decompress=False,
    )
    try:
        await runner.setup()
        yield await _listen(runner, host, port)
    finally:
        await runner.cleanup()


async def _listen(runner: web.AppRunner, host: str, port: int) -> Server:
    site = web.TCPSite(runner, host, port, backlog=_BACKLOG)
    try:
        await site.start()
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise await port_taken(host, port) from error
        raise InvalidArgumentError(f"cannot listen on {host}:{port}: {error.strerror}", field="--host") from error
    return Server(host, int(runner.addresses[0][1]))
