"""The server: one port for HTTP and WebSocket, opened and closed in bounded time."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeVar

from aiohttp import hdrs, web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.http_parser import RawRequestMessage
from yarl import URL

from taskcopilot.core import Core, background
from taskcopilot.errors import InvalidArgumentError
from taskcopilot.tls.certificate import Certificate
from taskcopilot.tls.keeping import Keeping, files_for
from taskcopilot.web.address import base_url
from taskcopilot.web.entrance import Entrance
from taskcopilot.web.gate import refuse_open_door
from taskcopilot.web.keys import CORE, CROWD, TLS
from taskcopilot.web.neighbour import port_taken
from taskcopilot.web.problems import problem_response
from taskcopilot.web.tls_door import TlsDoor

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
    certificate: Certificate | None = None
    """What it shows who it is with; None where it speaks plain HTTP."""

    @property
    def url(self) -> str:
        """The base of all addresses, without a slash at the end."""
        return base_url(self.host, self.port, secure=self.certificate is not None)


@contextlib.asynccontextmanager
async def serving(core: Core, app: web.Application) -> AsyncIterator[Server]:
    """Serve the application where the settings say; on leaving, end all conversations within 3 s (promise C5).

    Port 0 picks a free port. Where the settings ask for TLS, nothing is served without it. Raises PortTakenError that
    says by whom the port is held, and InvalidArgumentError when the address is none of this machine, others
    could come in by it without a token, or the certificate cannot be used.
    """
    settings = core.settings
    refuse_open_door(settings, settings.host, guarded=settings.tls_client_ca is not None)
    async with contextlib.AsyncExitStack() as stack:
        app[TLS] = None
        if settings.wants_tls:
            find = partial(files_for, settings, core.database.path, core.clock)
            app[TLS] = keeping = await Keeping.start(find, core.clock)
            await stack.enter_async_context(background(keeping.run(), "certificate"))
        yield await stack.enter_async_context(listening(app, settings.host, settings.port))


@contextlib.asynccontextmanager
async def listening(app: web.Application, host: str, port: int) -> AsyncIterator[Server]:
    """Serve an application on an address, with the certificate that it holds; as `serving`."""
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
        inside = partial(Entrance, app[CROWD], leaving, runner.server)
        runner.server.request_factory = partial(_with_target, runner.server.request_factory)
        runner.server.request_handler = partial(_expecting, runner.server.request_handler)
        try:
            async with _open(app, inside, host, port) as found:
                tls = app[TLS]
                yield Server(host, found, None if tls is None else tls.certificate)
        finally:
            for transport in tuple(leaving):
                transport.abort()
    finally:
        await runner.cleanup()


def _with_target(make: Callable[..., web.BaseRequest], message: RawRequestMessage, *more: Any) -> web.BaseRequest:
    """Give a CONNECT without a target an empty one: aiohttp has none, fails, and would keep the connection for ever."""
    if not message.path:
        message = message._replace(path="", url=URL())
    return make(message, *more)


async def _expecting(
    handle: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]], request: web.BaseRequest
) -> web.StreamResponse:
    """Refuse what a client expects and nobody knows: aiohttp quotes it, and fails when it is no text."""
    if request.headers.get(hdrs.EXPECT, "100-continue").lower() != "100-continue":
        return problem_response(417, "EXPECTATION_FAILED", "only 100-continue can be expected")
    return await handle(request)


@contextlib.asynccontextmanager
async def _open(
    app: web.Application, inside: Callable[..., asyncio.Protocol], host: str, port: int
) -> AsyncIterator[int]:
    """Let connections in while the block runs, and give the port that they come to."""
    tls, settings = app[TLS], app[CORE].settings
    if tls is None:
        server = await _bound(partial(_listen, inside, host, port), host, port)
        try:
            yield int(server.sockets[0].getsockname()[1])
        finally:
            server.close()
        return
    sockets = await _bound(partial(_bind, host, port), host, port, tls)
    async with TlsDoor(tls, app[CROWD], inside, settings.tls_handshake_timeout).open(sockets):
        yield int(sockets[0].getsockname()[1])


_T = TypeVar("_T")


async def _bound(bind: Callable[[], Awaitable[_T]], host: str, port: int, tls: Keeping | None = None) -> _T:
    try:
        return await bind()
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise await port_taken(host, port, tls.certificate.asking if tls else None) from error
        raise InvalidArgumentError(f"cannot listen on {host}:{port}: {error.strerror}", field="--host") from error


async def _listen(inside: Callable[[], asyncio.Protocol], host: str, port: int) -> asyncio.Server:
    return await asyncio.get_running_loop().create_server(inside, host, port, backlog=_BACKLOG)


async def _bind(host: str, port: int) -> list[socket.socket]:
    """Listen on every address of a host, as `create_server` of the event loop does."""
    infos = await asyncio.get_running_loop().getaddrinfo(
        host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )
    with contextlib.ExitStack() as undone:
        sockets = []
        for family, kind, protocol, _, address in dict.fromkeys(infos):
            fresh = undone.enter_context(contextlib.closing(socket.socket(family, kind, protocol)))
            fresh.setblocking(False)
            fresh.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                fresh.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            fresh.bind(address)
            fresh.listen(_BACKLOG)
            sockets.append(fresh)
        undone.pop_all()
    return sockets
