"""WebSocket frames as bytes (RFC 6455 section 5.2): unmasked, unfragmented, as servers send them.

Building them here, instead of one call into the web framework per client, is what lets many frames be joined
into one write and the same bytes go to every member of a group.
"""

from __future__ import annotations

import struct
from typing import Final

__all__ = ["PING", "text_frame"]

_TEXT: Final = 0x81
_TWO_BYTES: Final = 126
_EIGHT_BYTES: Final = 127
_MAX_TWO_BYTES: Final = 65_535

PING: Final = b"\x89\x00"
"""An empty ping frame: libraries and browsers answer it by themselves."""


def text_frame(payload: bytes) -> bytes:
    """Return the payload, which must be UTF-8, as one text frame."""
    length = len(payload)
    if length < _TWO_BYTES:
        return bytes((_TEXT, length)) + payload
    if length <= _MAX_TWO_BYTES:
        return struct.pack("!BBH", _TEXT, _TWO_BYTES, length) + payload
    return struct.pack("!BBQ", _TEXT, _EIGHT_BYTES, length) + payload
