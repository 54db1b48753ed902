"""WebSocket as a client speaks it, by hand: a handshake, and masked frames (with a mask of zeros)."""

from __future__ import annotations

import json
import socket
import struct
from typing import Any, Final

__all__ = ["PONG", "connect", "receive_until", "send_text"]

_KEY: Final = "dGhlIHNhbXBsZSBub25jZQ=="
_NO_MASK: Final = bytes(4)
_BUFFER: Final = 1 << 16

PONG: Final = b"\x8a\x80" + _NO_MASK
"""A pong that nobody asked for: tells a server that we are still there."""


def connect(port: int, path: str) -> socket.socket:
    """Connect to the machine itself and shake hands."""
    peer = socket.create_connection(("127.0.0.1", port), timeout=60)
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    lines = (
        f"GET {path} HTTP/1.1",
        f"Host: 127.0.0.1:{port}",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Key: {_KEY}",
    )
    peer.sendall("\r\n".join([*lines, "", ""]).encode())
    head = b""
    while not head.endswith(b"\r\n\r\n"):  # byte by byte: what follows is the protocol's
        if not (byte := peer.recv(1)):
            raise ConnectionError(f"refused: {head!r}")
        head += byte
    if b" 101 " not in head:
        raise ConnectionError(head.decode())
    return peer


def send_text(peer: socket.socket, text: str) -> None:
    """Send a text frame."""
    data = text.encode()
    short = len(data) < 126
    head = bytes((0x81, 0x80 | len(data))) if short else struct.pack("!BBH", 0x81, 0xFE, len(data))
    peer.sendall(head + _NO_MASK + data)


def receive_until(peer: socket.socket, wanted: bytes) -> bytes:
    """Read until something has come; return all that came."""
    data = b""
    while wanted not in data:
        if not (chunk := peer.recv(_BUFFER)):
            raise ConnectionError(f"closed after {data!r}")
        data += chunk
    return data


def subscribe(peer: socket.socket, **payload: Any) -> bytes:
    """Subscribe in the bridge's protocol and wait for the answer; returns what came with it."""
    send_text(peer, json.dumps({"type": "subscribe", "payload": payload}))
    return receive_until(peer, b'"subscribed"')
