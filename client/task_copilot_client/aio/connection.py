"""One connection to a service: a socket, the questions that were asked over it, and what reads it."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Mapping
from typing import Any, Final, Protocol, Self

import aiohttp

from task_copilot_client.aio.messages import ChannelError, ChannelMessage, encode
from task_copilot_client.aio.resumption import Stretch
from task_copilot_client.errors import UnreachableError
from task_copilot_client.trust import unreachable

__all__ = ["Connection", "Receiver"]

_log: Final = logging.getLogger("task_copilot_client")

HEARTBEAT: Final = 20.0
"""Seconds between two pings; a peer that does not answer one within half of that counts as gone."""

MAX_MESSAGE: Final = 16 * 1024 * 1024
"""Bytes; services send at most a sixteenth of that."""

_CLOSING: Final = aiohttp.ClientWSTimeout(ws_close=1.0)
"""Seconds that the service gets to take part in the closing handshake."""


class Receiver(Protocol):
    """Who is told what a connection reads, in its order."""

    async def take(self, message: ChannelMessage) -> None:
        """Take what is no answer to a question, and pongs; nothing is read on meanwhile."""
        ...

    def entered(self, stretch: Stretch, answer: ChannelMessage) -> None:
        """Learn that rooms were entered."""
        ...

    def ended(self) -> None:
        """Learn that nothing comes any more."""
        ...


class Connection:
    """A connection that was welcomed. `close` must be awaited."""

    def __init__(self, url: str, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._url = url
        self._socket = socket
        self._numbers = itertools.count(1)
        self._questions: dict[str, tuple[asyncio.Future[ChannelMessage], Stretch | None]] = {}
        self._reader: asyncio.Task[None] | None = None
        self.welcome: ChannelMessage | None = None

    @classmethod
    async def open(cls, http: aiohttp.ClientSession, url: str, token: str | None) -> Self:
        """Connect and show the token; raises UnreachableError, and ChannelError when the token is refused."""
        try:
            socket = await http.ws_connect(url, heartbeat=HEARTBEAT, max_msg_size=MAX_MESSAGE, timeout=_CLOSING)
        except (aiohttp.ClientError, OSError) as error:
            raise unreachable(url, error) from error
        connection = cls(url, socket)
        try:
            await connection._greet(token)
        except BaseException:
            await socket.close()
            raise
        return connection

    async def _greet(self, token: str | None) -> None:
        """Read up to the welcome and, with a token, the answer to it; a service without a secret welcomes first."""
        if token is not None:
            await self._send(encode("request", "token", "auth", {"token": token}))
        is_known = token is None
        while self.welcome is None or not is_known:
            message = await self._first_message()
            if message.error is not None:
                raise message.error
            if message.event == "session.created":
                self.welcome = message
            is_known = is_known or message.correlation_id == "token"

    async def _first_message(self) -> ChannelMessage:
        frame = await self._socket.receive()
        if frame.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
            try:
                return ChannelMessage.parse(frame.data)
            except ValueError as error:
                raise UnreachableError(f"{self._url} speaks another language: {error}") from error
        if self._socket.close_code == aiohttp.WSCloseCode.POLICY_VIOLATION:
            raise ChannelError(f"{self._url} wants a token", code="AUTH_REQUIRED")
        raise UnreachableError(f"{self._url} has closed with {self._socket.close_code}")

    def listen(self, receiver: Receiver) -> None:
        """Begin to read."""
        self._reader = asyncio.create_task(self._read(receiver), name="channel-reader")

    async def lost(self) -> None:
        """Wait until the connection has ended, and everything that was read was taken."""
        if self._reader is not None:
            await asyncio.wait([self._reader])

    async def exchange(
        self, kind: str, event: str | None = None, data: Mapping[str, Any] | None = None, stretch: Stretch | None = None
    ) -> ChannelMessage:
        """Ask, and return the answer; raises ChannelError when refused, UnreachableError when the end comes first."""
        if self._reader is None or self._reader.done():
            raise UnreachableError(f"{self._url}: the connection is lost")
        number = f"q{next(self._numbers)}"
        text = encode(kind, number, event, data)
        answer: asyncio.Future[ChannelMessage] = asyncio.get_running_loop().create_future()
        self._questions[number] = (answer, stretch)
        try:
            await self._send(text)
            return await answer
        finally:
            self._questions.pop(number, None)

    async def _send(self, text: str) -> None:
        try:
            await self._socket.send_str(text)
        except (aiohttp.ClientError, OSError) as error:
            await asyncio.sleep(0)  # the reader is to notice before somebody tries again
            raise UnreachableError(f"{self._url}: the connection is lost") from error

    async def _read(self, receiver: Receiver) -> None:
        """Read to the end; then nobody waits for an answer any longer."""
        try:
            async for frame in self._socket:
                try:
                    message = ChannelMessage.parse(frame.data)
                except (TypeError, ValueError) as error:
                    _log.warning("%s sends what is no message: %s", self._url, error)
                    continue
                if message.is_answer:
                    self._answered(message, receiver)
                if message.type == "pong" or not message.is_answer:
                    await receiver.take(message)
            _log.info("%s has closed with %s", self._url, self._socket.close_code)
        finally:
            receiver.ended()
            self._fail()

    def _answered(self, message: ChannelMessage, receiver: Receiver) -> None:
        answer, stretch = self._questions.get(message.correlation_id or "", (None, None))
        if answer is None or answer.done():
            return
        if message.error is not None:
            answer.set_exception(message.error)
            return
        if stretch is not None:
            receiver.entered(stretch, message)
        answer.set_result(message)

    def _fail(self) -> None:
        for answer, _ in self._questions.values():
            if not answer.done():
                answer.set_exception(UnreachableError(f"{self._url}: the connection is lost"))

    def abandon(self) -> None:
        """Read nothing more, and throw away what was read and not taken."""
        if self._reader is not None:
            self._reader.cancel()

    async def close(self) -> None:
        """End it, and wait until what was read was taken. Idempotent."""
        self._fail()
        await self._socket.close()
        await self.lost()
