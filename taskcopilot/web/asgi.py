"""Serves an ASGI application within a handler of aiohttp.

The MCP SDK speaks HTTP as ASGI. What it relies on, and what froze the event loop where another adapter did otherwise:
the body comes once, and whoever asks for more is kept until the conversation is over.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from typing import Any, Final

from aiohttp import hdrs, web
from multidict import CIMultiDict

from taskcopilot.web.keys import CORE, ENDING
from taskcopilot.web.sink import TransportSink
from taskcopilot.web.waiting import until_over

__all__ = ["Application", "respond"]

_log: Final = logging.getLogger(__name__)

Message = MutableMapping[str, Any]
Application = Callable[
    [MutableMapping[str, Any], Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]
]
"""An ASGI 3 application, of which only HTTP is used."""

_OURS: Final = frozenset({b"connection", b"transfer-encoding", b"content-length"})
"""Headers that are aiohttp's own business."""

_SILENT_INTERVALS: Final = 2
"""Ping intervals in which a peer may take nothing of what waits for it; the same patience as with a WebSocket (C3)."""


async def respond(
    application: Application, request: web.Request, body: bytes, state: Mapping[str, Any]
) -> web.StreamResponse:
    """Let the application answer a request whose body was read; it finds `state` in its scope.

    It is told `http.disconnect` when the peer has gone or the server ends. Where it then says nothing, the answer is
    503. Cancellation reaches it.
    """
    exchange = _Exchange(request, body)
    try:
        await application(_scope(request, state), exchange.receive, exchange.send)
    except Exception:
        if not exchange.is_streaming:
            raise
        _log.exception("an answer of %s broke off", request.path)
        exchange.break_off()
    return exchange.response()


class _Exchange:
    """One request and its answer, as the application sees them."""

    def __init__(self, request: web.Request, body: bytes) -> None:
        self._request = request
        self._body: bytes | None = body
        self._sink = TransportSink(request)
        self._start: Message = {}
        self._stream: web.StreamResponse | None = None
        self._whole: bytes | None = None

    @property
    def is_streaming(self) -> bool:
        """True when the head of the answer has gone out already."""
        return self._stream is not None

    async def receive(self) -> Message:
        """Give the body once; then wait until there is nobody left to talk to."""
        if self._body is None:
            await until_over(self._request)
            return {"type": "http.disconnect"}
        body, self._body = self._body, None
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(self, message: Message) -> None:
        """Take a part of the answer. To a peer that has gone it is sent in vain: `receive` tells."""
        try:
            if message["type"] == "http.response.start":
                await self._begin(message)
            elif self._stream is None:
                self._whole = (self._whole or b"") + message.get("body", b"")
            elif chunk := message.get("body"):
                await self._stream.write(chunk)
        except ConnectionError:
            _log.debug("%s: the peer has gone", self._request.path)

    async def _begin(self, start: Message) -> None:
        """Send the head of a stream at once: its first event may be long in coming. An answer of known length waits."""
        self._start = start
        if any(name.lower() == b"content-length" for name, _ in start["headers"]):
            self._whole = b""
            return
        self._stream = web.StreamResponse(status=start["status"], headers=_headers(start["headers"]))
        self._sink.give_up_after(_SILENT_INTERVALS * self._request.app[CORE].settings.ping_interval)
        await self._stream.prepare(self._request)

    def response(self) -> web.StreamResponse:
        """Return the answer, which aiohttp finishes; raises when the application gave none."""
        if self._stream is not None:
            if self._sink.buffered() and self._request.app[ENDING].is_set():
                self._sink.abort()
            return self._stream
        if self._whole is None:
            if self._request.app[ENDING].is_set():
                raise web.HTTPServiceUnavailable
            raise ConnectionResetError("the peer left before it was answered")
        start = self._start
        return web.Response(status=start["status"], headers=_headers(start["headers"]), body=self._whole)

    def break_off(self) -> None:
        """Cut the connection: that is how a peer learns that a stream is not whole."""
        self._sink.abort()


def _scope(request: web.Request, state: Mapping[str, Any]) -> MutableMapping[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": f"{request.version.major}.{request.version.minor}",
        "method": request.method,
        "scheme": request.scheme,
        "path": request.path,
        "raw_path": request.raw_path.encode("utf-8", "surrogateescape"),
        "query_string": request.rel_url.raw_query_string.encode(),
        "root_path": "",
        "headers": [(name.lower(), value) for name, value in request.raw_headers],
        "client": (request.remote or "", 0),
        "server": (request.url.host or "", request.url.port or 0),
        "state": dict(state),
    }


def _headers(headers: Iterable[tuple[bytes, bytes]]) -> CIMultiDict[str]:
    """Keep every header, the repeated ones too."""
    kept: CIMultiDict[str] = CIMultiDict()
    for name, value in headers:
        if name.lower() not in _OURS:
            kept.add(name.decode("latin-1"), value.decode("latin-1"))
    kept.setdefault("X-Content-Type-Options", "nosniff")
    kept.setdefault(hdrs.CACHE_CONTROL, "no-store")
    return kept
