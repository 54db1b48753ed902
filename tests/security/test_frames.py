"""Frames beyond the limits and against the RFC: what is refused, with which code, and what it costs.

Also tests/integration/test_autobahn.py (the 301 cases of Autobahn's suite) and test_ws.py (1009 at the limit).
"""

from __future__ import annotations

import contextlib
import socket
import time
import zlib
from collections.abc import Callable

import orjson
import pytest

from tests.helpers.memory import MIB
from tests.helpers.peer import Peer
from tests.security.frames import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, converse, frame, parsed, upgraded
from tests.security.watched import Watched

LIMIT = 65_536
"""Bytes of the largest message of `/ws`."""

PATHS = pytest.mark.parametrize("path", ["/ws", "/ws/mahavishnu"])
QUESTION = frame(TEXT, b'{"type":"ping","id":"q"}')


def close_code(port: int, *pieces: bytes, path: str = "/ws") -> int | None:
    """Send the pieces on a new connection; return how the server ends it, which must not wait for our end."""
    with upgraded(port, path) as peer, contextlib.suppress(ConnectionError):
        for piece in pieces:
            peer.sendall(piece)
        data = bytearray()
        while (code := parsed(bytes(data), cut_off=True).close_code) is None and (chunk := peer.recv(1 << 16)):
            data += chunk
        return code
    return None


@PATHS
@pytest.mark.parametrize("declared", [1 << 21, 1 << 31, 1 << 62, (1 << 63) - 1, (1 << 64) - 1])
def test_a_frame_that_claims_too_much_is_refused_by_its_head(watched: Watched, path: str, declared: int) -> None:
    """C4: nobody waits for the bytes, and nothing is set aside for them."""
    before = watched.memory()
    assert close_code(watched.port, frame(TEXT, b"x", declared=declared, form=64), path=path) in (1009, 1002)
    assert watched.memory() - before < 2 * MIB


def test_a_message_in_many_small_pieces_has_the_same_limit(watched: Watched) -> None:
    """C4: one byte too many ends it, in however many frames it comes; up to the limit it is read."""
    piece = frame(CONTINUATION, b" ", fin=False)
    whole = frame(TEXT, b"{", fin=False) + piece * (LIMIT - 3) + frame(CONTINUATION, b"}")
    with upgraded(watched.port) as peer:
        said = converse(peer, whole, QUESTION, frame(CLOSE, b"\x03\xe8"))
    assert orjson.loads(said.texts()[0])["payload"]["code"] == "WS_UNKNOWN_TYPE"
    assert orjson.loads(said.texts()[1])["id"] == "q"
    before = watched.memory()
    assert close_code(watched.port, frame(TEXT, b"{", fin=False), piece * 200_000) in (1009, None)
    assert watched.memory() - before < 2 * MIB


def test_empty_pieces_without_end_cost_nothing(
    watched: Watched, size: Callable[[int, int], int], say: Callable[[str], None]
) -> None:
    """C4: 300,000 empty continuations leave the connection open and the memory flat, and others are served."""
    many = size(60_000, 300_000)
    with upgraded(watched.port) as peer:
        before = watched.memory()
        began = time.monotonic()
        peer.sendall(frame(TEXT, b"", fin=False))
        for _ in range(many // 1_000):
            peer.sendall(frame(CONTINUATION, b"", fin=False) * 1_000)
        assert watched.answers()
        said = converse(peer, frame(CONTINUATION, b'{"type":"ping","id":"end"}'), frame(CLOSE, b"\x03\xe8"))
        grown, took = watched.memory() - before, time.monotonic() - began
    assert orjson.loads(said.texts()[-1])["id"] == "end"
    assert grown < 2 * MIB
    say(f"{many} empty continuations in {took:.1f} s: {grown / MIB:+.1f} MiB")


BREACHES = {
    "RSV1 without an extension": (frame(TEXT, b"{}", rsv=4), 1002),
    "RSV2": (frame(TEXT, b"{}", rsv=2), 1002),
    "RSV3": (frame(TEXT, b"{}", rsv=1), 1002),
    "opcode 3": (frame(3, b"{}"), 1002),
    "opcode 11": (frame(11), 1002),
    "a ping of 126 bytes": (frame(PING, b"x" * 126), 1002),
    "a ping in pieces": (frame(PING, b"x", fin=False), 1002),
    "a continuation of nothing": (frame(CONTINUATION, b"{}"), 1002),
    "a message inside of a message": (frame(TEXT, b"{", fin=False) + frame(TEXT, b"}"), 1002),
    "bad UTF-8": (frame(TEXT, b"\xff"), 1007),
    "bad UTF-8 across pieces": (frame(TEXT, b"\xf0\x9f", fin=False) + frame(CONTINUATION, b"\x41"), 1007),
    "a surrogate": (frame(TEXT, b"\xed\xa0\x80"), 1007),
    "a close of one byte": (frame(CLOSE, b"x"), 1002),
    "a close of code 999": (frame(CLOSE, b"\x03\xe7"), 1002),
    "a close with bad UTF-8": (frame(CLOSE, b"\x03\xe8\xff"), 1007),
}


@PATHS
@pytest.mark.parametrize("breach", BREACHES)
def test_a_breach_of_the_rfc_ends_the_connection(watched: Watched, path: str, breach: str) -> None:
    """RFC 6455: with 1002, or 1007 where text is no text."""
    data, code = BREACHES[breach]
    assert close_code(watched.port, data, path=path) == code


@PATHS
def test_the_two_deviations_are_harmless(watched: Watched, path: str) -> None:
    """aiohttp reads an unmasked frame like a masked one, and takes 1006 from the wire; docs/security.md says so."""
    with upgraded(watched.port, path) as peer:
        unmasked = frame(TEXT, b'{"type":"ping","id":"unmasked"}', masked=False)
        said = converse(peer, unmasked, frame(CLOSE, (1006).to_bytes(2, "big")))
    assert b"unmasked" in said.texts()[-1]
    assert said.close_code in (1000, 1006)


FLOODS = {
    "pings": frame(PING, b"x" * 125),
    "empty texts": frame(TEXT),
    "empty binaries": frame(BINARY),
    "unsolicited pongs": frame(PONG, b"x" * 125),
    "questions": QUESTION,
}


@pytest.mark.parametrize("flood", FLOODS)
def test_a_flood_whose_answers_nobody_reads_is_bounded(
    watched: Watched, flood: str, say: Callable[[str], None]
) -> None:
    """D9: back-pressure stops the sender, or the bridge ends it; what it holds is bounded, and others are served."""
    block, sent, most = FLOODS[flood] * 500, 0, 40_000
    with Peer(watched.url) as other, upgraded(watched.port) as peer:
        other.subscribe("*")
        before = watched.memory()
        peer.settimeout(1)
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        with contextlib.suppress(TimeoutError, ConnectionError):
            while sent < most:
                peer.sendall(block)
                sent += 500
        other.send({"type": "ping", "id": "still there"})
        assert next(other.messages())["id"] == "still there"
        grown = watched.memory() - before
    say(f"{flood}: {sent} taken, {grown / MIB:+.1f} MiB")
    assert grown < 6 * MIB


@PATHS
def test_compression_is_not_agreed_on(watched: Watched, path: str) -> None:
    """A bomb of 204 KB that unpacks to 200 MB needs the extension; a frame that is marked as compressed is a breach."""
    with socket.create_connection(("127.0.0.1", watched.port), timeout=20) as peer:
        peer.sendall(
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{watched.port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n".encode()
        )
        head = b""
        while b"\r\n\r\n" not in head:
            head += peer.recv(1 << 16)
    assert b" 101 " in head
    assert b"extensions" not in head.partition(b"\r\n\r\n")[0].lower()
    assert close_code(watched.port, frame(TEXT, zlib.compress(bytes(1 << 20)), rsv=4), path=path) == 1002
