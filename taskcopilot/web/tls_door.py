"""The door of a port that speaks TLS: who comes is counted before the handshake, and shakes hands beside the others.

The first byte tells TLS from everything else; who speaks plain HTTP is told so, in plain HTTP, and gets nothing more.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Final

import orjson

from taskcopilot.tls.keeping import Keeping
from taskcopilot.web.crowd import Crowd
from taskcopilot.web.entrance import LINGER
from taskcopilot.web.sink import CLOSE_TIMEOUT

__all__ = ["TLS_REQUIRED", "TlsDoor"]

_log: Final = logging.getLogger(__name__)

TLS_REQUIRED: Final = "TLS_REQUIRED"
"""The code of the answer to plain HTTP."""

_HANDSHAKE: Final = 0x16
"""The first byte of every TLS connection."""

_EXHAUSTED_PAUSE: Final = 1.0
"""Seconds without accepting when the system has no descriptor left; as the event loop's own servers do it."""

_BEYOND: Final = 64
"""Handshakes at once with those for whom there is no place, so that they can be told; beyond that they are cut off."""

_REPEAT: Final = 10.0
"""Seconds between two lines about the same kind of failure: anybody could fill the log."""

Entry = Callable[[Callable[[], None]], asyncio.Protocol]
"""Makes the protocol of a connection that shook hands; it calls the argument before it asks for a place of its own."""


@dataclass(frozen=True, slots=True)
class _Failure:
    """Why nobody came in: under which name it is counted, and what the log says."""

    kind: str
    text: str


class TlsDoor:
    """Accepts connections on listening sockets until it is closed; from the event loop only."""

    def __init__(self, keeping: Keeping, crowd: Crowd, enter: Entry, timeout: float) -> None:
        """`timeout` bounds each handshake, in seconds, from the connection on."""
        self._keeping = keeping
        self._crowd = crowd
        self._enter = enter
        self._timeout = timeout
        self._arriving: set[asyncio.Task[None]] = set()
        self._beyond = 0
        self._due: dict[str, float] = {}

    @contextlib.asynccontextmanager
    async def open(self, listening: list[socket.socket]) -> AsyncIterator[None]:
        """Accept while the block runs; then close the sockets and cut off who has not come in yet."""
        accepting = [asyncio.create_task(self._accept(each), name="tls-door") for each in listening]
        try:
            yield
        finally:
            for task in (*accepting, *self._arriving):
                task.cancel()
            await asyncio.gather(*accepting, *self._arriving, return_exceptions=True)
            for each in listening:
                each.close()

    async def _accept(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                fresh, peer = await loop.sock_accept(listening)
            except ConnectionError:
                continue  # it was gone before it was looked at
            except OSError as error:
                loop.call_exception_handler({"message": "cannot accept a connection", "exception": error})
                await asyncio.sleep(_EXHAUSTED_PAUSE)
                continue
            task = asyncio.create_task(self._receive(fresh, str(peer[0])), name="tls-handshake")
            self._arriving.add(task)
            task.add_done_callback(self._arriving.discard)
            await asyncio.sleep(0)

    async def _receive(self, fresh: socket.socket, address: str) -> None:
        """Bring one connection in, or say why not. Counted as one of the crowd meanwhile."""
        place = _Place(self._crowd, address)
        if place.is_beyond:
            if self._beyond >= _BEYOND:
                fresh.close()
                return
            self._beyond += 1
        try:
            if (failure := await self._shake_hands(fresh, place)) is not None:
                self._tell(failure, address)
        finally:
            self._beyond -= place.is_beyond
            place.give_back()

    async def _shake_hands(self, fresh: socket.socket, place: _Place) -> _Failure | None:
        loop = asyncio.get_running_loop()
        until = loop.time() + self._timeout
        try:
            async with asyncio.timeout_at(until):
                first = await _peek(fresh)
            if first and first[0] != _HANDSHAKE:
                await _answer_in_plain(fresh)
                return _Failure("plain_http", "speaks no TLS and was told so")
            if first:
                await loop.connect_accepted_socket(
                    lambda: self._enter(place.give_back),
                    fresh,
                    ssl=self._keeping.certificate.context,
                    ssl_handshake_timeout=max(0.001, until - loop.time()),
                    ssl_shutdown_timeout=CLOSE_TIMEOUT,
                )
                return None
        except (TimeoutError, ConnectionError):
            fresh.close()
            return _Failure("tls_handshake", "did not finish the TLS handshake")
        except ssl.SSLError as error:
            return _Failure("tls_handshake", f"failed at the TLS handshake: {error.reason or error}")
        except OSError:
            pass  # it went away; nobody is left to be told anything
        except BaseException:
            fresh.close()
            raise
        fresh.close()
        return None

    def _tell(self, failure: _Failure, address: str) -> None:
        """Count it; of each kind one line now and then."""
        self._crowd.refused[failure.kind] += 1
        now = asyncio.get_running_loop().time()
        if now >= self._due.get(failure.kind, now):
            self._due[failure.kind] = now + _REPEAT
            _log.warning("%s %s; %d so far", address, failure.text, self._crowd.refused[failure.kind])


class _Place:
    """The place in the crowd that a connection holds until it has one of its own."""

    def __init__(self, crowd: Crowd, address: str) -> None:
        self._crowd = crowd
        self._address = address
        self.is_beyond = crowd.full_for(address) is not None
        self._is_held = not self.is_beyond
        if self._is_held:
            crowd.enter(address)

    def give_back(self) -> None:
        """Idempotent."""
        if self._is_held:
            self._is_held = False
            self._crowd.leave(self._address)


async def _peek(fresh: socket.socket) -> bytes:
    """Wait for the first byte and leave it where it is; nothing when the peer closes."""
    loop = asyncio.get_running_loop()
    while True:
        try:
            return fresh.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            readable = loop.create_future()
            loop.add_reader(fresh, _wake, readable)
            try:
                await readable
            finally:
                loop.remove_reader(fresh)


def _wake(waiting: asyncio.Future[None]) -> None:
    if not waiting.done():
        waiting.set_result(None)


async def _answer_in_plain(fresh: socket.socket) -> None:
    """Tell that this is TLS, and take in vain what still comes, so that the answer is not lost."""
    loop = asyncio.get_running_loop()
    with contextlib.suppress(TimeoutError, OSError):
        async with asyncio.timeout(LINGER):
            await loop.sock_sendall(fresh, _TLS_ONLY)
            fresh.shutdown(socket.SHUT_WR)
            while await loop.sock_recv(fresh, 65_536):
                pass
    fresh.close()


def _tls_only() -> bytes:
    detail = "this port speaks TLS only: use https:// or wss://"
    problem = {
        "type": "urn:taskcopilot:problem:tls-required",
        "title": "TLS required",
        "status": 400,
        "detail": detail,
        "code": TLS_REQUIRED,
        "error": detail,
    }
    body = orjson.dumps(problem)
    head = (
        "HTTP/1.1 400 Bad Request\r\nContent-Type: application/problem+json\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body


_TLS_ONLY: Final = _tls_only()
