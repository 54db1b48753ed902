"""A WebSocket client by hand, which reads only when told to: what a stuck, a slow or a dying one looks like."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self

import orjson

from tests.helpers.waiting import DEADLINE

CHUNK = 1 << 18
TEXT, BINARY, CLOSE = 1, 2, 8


class Peer:
    """A connected client. Waits no longer than the deadline for anything; ends the connection with its block.

    `receive_buffer` is what its kernel takes for it while it does not read, in bytes; 0 leaves that to the kernel.
    With `tls` it speaks TLS.
    """

    def __init__(
        self, url: str, path: str = "/ws", *, receive_buffer: int = 0, tls: ssl.SSLContext | None = None
    ) -> None:
        host, _, port = url.partition("://")[2].rstrip("/").partition(":")
        self.socket = socket.socket()
        self.socket.settimeout(DEADLINE)
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.close_code: int | None = None
        self.seqs: list[int] = []
        """The numbers of the events that were read, in their order."""
        self.ended = False
        self._taken = bytearray()
        try:
            self.socket.connect((host, int(port)))
            if tls is not None:
                self.socket = tls.wrap_socket(self.socket, server_hostname=host)
            self._upgrade(host, port, path)
        except BaseException:
            self.socket.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.socket.close()

    def _upgrade(self, host: str, port: str, path: str) -> None:
        self.socket.sendall(
            f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
        )
        while b"\r\n\r\n" not in self._taken:
            self._read()
        head, _, rest = self._taken.partition(b"\r\n\r\n")
        assert b" 101 " in head, head
        self._taken = rest

    def send(self, message: dict[str, Any], times: int = 1) -> None:
        """Send a message so many times, masked with zeros."""
        self._send(TEXT, orjson.dumps(message), times)

    def send_bytes(self, data: bytes) -> None:
        """Send anything, as a binary message."""
        self._send(BINARY, data)

    def _send(self, opcode: int, data: bytes, times: int = 1) -> None:
        assert len(data) < 1 << 16
        self.socket.sendall((struct.pack("!BBH", 0x80 | opcode, 0x80 | 126, len(data)) + bytes(4) + data) * times)

    def subscribe(self, *topics: str, **options: Any) -> dict[str, Any]:
        """Subscribe, and return the payload of the answer."""
        self.send({"type": "subscribe", "id": 1, "payload": {"topics": list(topics), **options}})
        return next(message["payload"] for message in self.messages() if message["type"] == "subscribed")

    def messages(self) -> Iterator[dict[str, Any]]:
        """Read messages, until the connection ends or the caller has enough."""
        while True:
            while (found := _first(self._taken)) is not None:
                opcode, payload, length = found
                del self._taken[:length]
                if opcode == CLOSE:
                    self.close_code = int.from_bytes(payload[:2], "big")
                elif opcode == TEXT:
                    message = orjson.loads(payload)
                    if message["type"] == "event":
                        self.seqs.append(message["seq"])
                    yield message
            if self.ended:
                return
            self._read()

    def read_to(self, seq: int) -> None:
        """Read until the event of this number is there; fail when the connection ends before."""
        assert any(message.get("seq", 0) >= seq for message in self.messages()), f"ended at {self.seqs[-1:]}"

    def read_to_end(self) -> None:
        """Read until the connection has ended."""
        for _ in self.messages():
            pass

    def _read(self) -> None:
        data = b""
        with contextlib.suppress(ConnectionError):
            data = self.socket.recv(CHUNK)
        self._taken += data
        self.ended = not data


def event_stream(url: str, *, receive_buffer: int = 0, token: str = "") -> socket.socket:
    """Open a stream of server-sent events; returns once its first bytes are there."""
    shown = f"Authorization: Bearer {token}\r\n" if token else ""
    stream = socket.socket()
    stream.settimeout(DEADLINE)
    if receive_buffer:
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    host, _, port = url.partition("://")[2].partition(":")
    stream.connect((host, int(port)))
    stream.sendall(f"GET /api/events/stream HTTP/1.1\r\nHost: {host}:{port}\r\n{shown}\r\n".encode())
    assert b" 200 " in stream.recv(20)
    return stream


def _first(data: bytearray) -> tuple[int, bytes, int] | None:
    """Return opcode, payload and whole length of the first frame, None when not all of it is there."""
    if len(data) < 2:
        return None
    length, start = data[1] & 0x7F, 2
    if length >= 126:
        start = 4 if length == 126 else 10
        if len(data) < start:
            return None
        length = int.from_bytes(data[2:start], "big")
    end = start + length
    return None if len(data) < end else (data[0] & 0x0F, bytes(data[start:end]), end)
