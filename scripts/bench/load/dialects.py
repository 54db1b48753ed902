"""How a subscriber introduces itself to each kind of server."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Mapping
from typing import Final

from bench.load import frames

__all__ = ["DIALECTS"]

Join = Callable[[int, str], socket.socket]
"""Connects to a port as a member of a group, and returns when events can come."""


def _bridge(port: int, group: str) -> socket.socket:
    """The bridge's protocol, which the small peers speak too. The group is a pattern that never matches."""
    peer = frames.connect(port, "/ws")
    frames.subscribe(peer, topics=["task:*", f"agent:{group}"])
    return peer


def _idle(port: int, group: str) -> socket.socket:
    """A client of the bridge that wants what never happens."""
    peer = frames.connect(port, "/ws")
    frames.subscribe(peer, topics=[f"agent:{group}"])
    return peer


def _nats(port: int, _group: str) -> socket.socket:
    """NATS over WebSocket."""
    peer = frames.connect(port, "/")
    frames.receive_until(peer, b"INFO ")
    options = {"verbose": False, "pedantic": False, "lang": "bench", "version": "1", "protocol": 1}
    frames.send_text(peer, f"CONNECT {json.dumps(options)}\r\nSUB task.> 1\r\nPING\r\n")
    frames.receive_until(peer, b"PONG")
    return peer


def _socketio(port: int, _group: str) -> socket.socket:
    """Socket.IO, its WebSocket transport from the start."""
    peer = frames.connect(port, "/socket.io/?EIO=4&transport=websocket")
    frames.receive_until(peer, b'"sid"')
    frames.send_text(peer, "40")
    frames.receive_until(peer, b'40{"sid"')
    return peer


DIALECTS: Final[Mapping[str, Join]] = {"bridge": _bridge, "idle": _idle, "nats": _nats, "socketio": _socketio}
