"""WebSocket frames at the price of a few slices: a hundred listeners share the core with what they listen to."""

from __future__ import annotations

TEXT, CLOSE, PING, PONG = 1, 8, 9, 10


class FrameReader:
    """Splits what a server sends, unmasked and unfragmented, into frames."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        """Return (opcode, payload) of the frames that are whole now; a part of one is kept for the next call."""
        data = self._rest + data
        frames, at, end = [], 0, len(data)
        while end - at >= 2:
            start, length = at + 2, data[at + 1]
            if length >= 126:
                start += 2 if length == 126 else 8
                if start > end:
                    break
                length = int.from_bytes(data[at + 2 : start], "big")
            if start + length > end:
                break
            frames.append((data[at] & 0x0F, data[start : start + length]))
            at = start + length
        self._rest = data[at:]
        return frames


def client_frame(opcode: int, payload: bytes) -> bytes:
    """Return a frame as a client sends it, masked with zeros."""
    length = len(payload)
    if length < 126:
        head = bytes((0x80 | opcode, 0x80 | length))
    else:
        head = bytes((0x80 | opcode, 0x80 | 126)) + length.to_bytes(2, "big")
    return head + b"\0\0\0\0" + payload
