"""WebSocket frames of every kind, sound and unsound, and a socket that sends them as they are."""

from __future__ import annotations

import contextlib
import errno
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.helpers.waiting import DEADLINE

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
MASK = b"\x01\x80\xff\x33"


def frame(
    opcode: int,
    payload: bytes = b"",
    *,
    fin: bool = True,
    rsv: int = 0,
    masked: bool = True,
    declared: int | None = None,
    form: int | None = None,
) -> bytes:
    """Build a frame. `declared` is the length that it claims; `form` is 7, 16 or 64, the bits of its length."""
    length = len(payload) if declared is None else declared
    bits = form or (7 if length < 126 else 16 if length < 1 << 16 else 64)
    short = {7: length & 0x7F, 16: 126, 64: 127}[bits]
    head = bytes([fin << 7 | rsv << 4 | opcode, masked << 7 | short])
    head += {7: b"", 16: struct.pack("!H", length & 0xFFFF), 64: struct.pack("!Q", length & (1 << 64) - 1)}[bits]
    if not masked:
        return head + payload
    key = MASK * (len(payload) // 4 + 1)
    return head + MASK + (int.from_bytes(payload) ^ int.from_bytes(key[: len(payload)])).to_bytes(len(payload))


@dataclass
class Conversation:
    """What the server sent until it ended the connection."""

    frames: list[tuple[int, bytes]] = field(default_factory=list)
    close_code: int | None = None

    def texts(self) -> list[bytes]:
        """Return the text messages."""
        return [payload for opcode, payload in self.frames if opcode == TEXT]


def parsed(data: bytes, *, cut_off: bool = False) -> Conversation:
    """Read the server's frames; fails on one that a server may not send. The last may be half when it was cut off."""
    said, at = Conversation(), 0
    while at + 1 < len(data):
        length, start = data[at + 1], at + 2
        if length >= 126:
            start += 2 if length == 126 else 8
            length = int.from_bytes(data[at + 2 : start], "big")
        assert length < 1 << 32, "masked, or no frame"
        if start + length > len(data):
            assert cut_off, "half a frame"
            break
        opcode, payload = data[at] & 0x0F, data[start : start + length]
        assert data[at] & 0xF0 == 0x80, "no whole frame"
        if opcode == CLOSE:
            said.close_code = int.from_bytes(payload[:2], "big")
        said.frames.append((opcode, payload))
        at = start + length
    return said


@contextlib.contextmanager
def upgraded(port: int, path: str = "/ws") -> Iterator[socket.socket]:
    """Open a socket and upgrade it."""
    with socket.create_connection(("127.0.0.1", port), timeout=DEADLINE) as peer:
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        peer.sendall(
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
        )
        head = b""
        while not head.endswith(b"\r\n\r\n"):  # byte by byte: the welcome of a service may be right behind it
            byte = peer.recv(1)
            assert byte, head
            head += byte
        assert b" 101 " in head.partition(b"\r\n")[0]
        yield peer


def converse(peer: socket.socket, *pieces: bytes, hang_up: bool = False) -> Conversation:
    """Send the pieces and return what the server says until it ends the connection, as a close among them makes it.

    `hang_up`: say at once that nothing more comes; the server may then leave unanswered what it has not read yet.
    """
    try:
        for piece in pieces:
            peer.sendall(piece)
        if hang_up:
            peer.shutdown(socket.SHUT_WR)
    except OSError as error:  # it may have had enough
        assert error.errno in (errno.EPIPE, errno.ECONNRESET, errno.ENOTCONN), error
    data, cut_off = received(peer)
    return parsed(data, cut_off=cut_off)


def received(peer: socket.socket) -> tuple[bytes, bool]:
    """Read until the connection ends, and tell whether it was cut off."""
    data = bytearray()
    try:
        while chunk := peer.recv(1 << 16):
            data += chunk
    except ConnectionError:
        return bytes(data), True
    return bytes(data), False
