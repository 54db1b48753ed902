"""Requests that are no HTTP, or nearly: refused or cut off, in bounded time, and the next one on a new socket works."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.helpers.memory import MIB
from tests.security.frames import received
from tests.security.watched import Watched

pytestmark = pytest.mark.timeout(900)

HOST = b"Host: 127.0.0.1:PORT\r\n"
GET = b"GET /health HTTP/1.1\r\n" + HOST
POST = b"POST /api/tools/task_list HTTP/1.1\r\n" + HOST + b"Content-Type: application/json\r\n"
UPGRADE = b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "
KEY = b"dGhlIHNhbXBsZSBub25jZQ==\r\n"
END = b"\r\n"
CLOSE = b"Connection: close\r\n"

REFUSED: dict[str, bytes] = {
    "no request": END * 3 + b"\x00",
    "zeros": bytes(100),
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(64)),
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/0.9": b"GET /health\r\n\r\n",
    "HTTP/9.9": b"GET /health HTTP/9.9\r\n" + HOST + END,
    "no version": b"GET /health HTTP/\r\n" + HOST + END,
    "a method of signs": b"G@T /health HTTP/1.1\r\n" + HOST + END,
    "a small method": b"get /health HTTP/1.1\r\n" + HOST + END,
    "a method that is not there": b"BREW /health HTTP/1.1\r\n" + HOST + END,
    "TRACE": b"TRACE /health HTTP/1.1\r\n" + HOST + END,
    "CONNECT": b"CONNECT evil.example:443 HTTP/1.1\r\n" + HOST + END,
    "a connect to nowhere": b"CONNECT \r\n" + HOST + END,
    "no target": b"GET  HTTP/1.1\r\n" + HOST + END,
    "two targets": b"GET /a /b HTTP/1.1\r\n" + HOST + END,
    "a target of bytes": b"GET /\xff\xfe HTTP/1.1\r\n" + HOST + END,
    "a zero in the target": b"GET /\x00 HTTP/1.1\r\n" + HOST + END,
    "a tab in the target": b"GET /\thealth HTTP/1.1\r\n" + HOST + END,
    "a foreign target": b"GET http://evil.example/health HTTP/1.1\r\n" + HOST + END,
    "a long target": b"GET /" + b"a" * 9_000 + b" HTTP/1.1\r\n" + HOST + END,
    "no host": b"GET /health HTTP/1.1\r\n\r\n",
    "two hosts": GET + HOST + END,
    "a foreign host": b"GET /health HTTP/1.1\r\nHost: evil.example\r\n\r\n",
    "a foreign origin": GET + b"Origin: http://evil.example\r\n\r\n",
    "a long header": GET + b"X: " + b"a" * 9_000 + END * 2,
    "many headers": GET + b"".join(b"X%d: 1\r\n" % n for n in range(200)) + END,
    "a header without a colon": GET + b"nonsense\r\n\r\n",
    "a header without a name": GET + b": x\r\n\r\n",
    "a space before the colon": GET + b"X : x\r\n\r\n",
    "a folded header": GET + b"X: a\r\n b\r\n\r\n",
    "a zero in a header": GET + b"X: \x00\r\n\r\n",
    "bare line feeds in a header": GET + b"X: a\nEvil: b\r\n\r\n",
    "a bare carriage return": GET + b"X: a\rEvil: b\r\n\r\n",
    "a length of words": POST + b"Content-Length: two\r\n\r\n{}",
    "a length below zero": POST + b"Content-Length: -1\r\n\r\n{}",
    "a length with a sign": POST + b"Content-Length: +2\r\n\r\n{}",
    "a length of other digits": POST + "Content-Length: \u0662\r\n\r\n{}".encode(),
    "two lengths": POST + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{} ",
    "a length beyond 64 bits": POST + b"Content-Length: 99999999999999999999\r\n\r\n{}",
    "a length and chunks": POST + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks twice": POST + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "chunks not last": POST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "chunks with a space": POST + b"Transfer-Encoding: chunked\r\n\r\n2 \r\n{}\r\n0\r\n\r\n",
    "chunks of a negative size": POST + b"Transfer-Encoding: chunked\r\n\r\n-2\r\n{}\r\n0\r\n\r\n",
    "chunks of 2^64": POST + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n{}\r\n0\r\n\r\n",
    "gzip": POST + b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}",
    "a form": POST.replace(b"application/json", b"text/plain") + b"Content-Length: 2\r\n\r\n{}",
    "an upgrade without a key": b"GET /ws HTTP/1.1\r\n" + HOST + UPGRADE + END * 2,
    "an upgrade of version 7": b"GET /ws HTTP/1.1\r\n" + HOST + UPGRADE.replace(b"13", b"7") + KEY + END,
    "an upgrade of other bytes": b"GET /ws HTTP/1.1\r\n" + HOST + UPGRADE.replace(b"13", b"13\xa5\x9f") + KEY + END,
    "a connection of other bytes": b"GET /ws/mahavishnu HTTP/1.1\r\n"
    + HOST
    + UPGRADE.replace(b"Up", b"\xffp")
    + KEY
    + END,
    "a key of other bytes": b"GET /ws HTTP/1.1\r\n" + HOST + UPGRADE + b"\xff" + KEY + END,
    "an expectation": GET + b"Expect: miracles\r\n\r\n",
    "an expectation of other bytes": GET + b"Expect: \xa5\xff\r\n\r\n",
    "an upgrade by POST": b"POST /ws HTTP/1.1\r\n" + HOST + UPGRADE + KEY + END,
    "an upgrade elsewhere": b"GET /nowhere HTTP/1.1\r\n" + HOST + UPGRADE + KEY + END,
}
SOUND = (
    GET + CLOSE + END,
    POST + CLOSE + b"Content-Length: 2\r\n\r\n{}",
    POST + CLOSE + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    b"GET /api/events?since=0&topics=task:*&limit=5 HTTP/1.1\r\n" + HOST + CLOSE + END,
    b"GET /ws HTTP/1.1\r\n" + HOST + UPGRADE + KEY + END + b"\x81\x82\x00\x00\x00\x00{}",
    GET + b"Cookie: a=b\r\nRange: bytes=0-1\r\nExpect: 100-continue\r\nTE: trailers\r\n" + CLOSE + END,
)
STATUS = re.compile(rb"^HTTP/1\.[01] (\d{3}) ")


def exchange(port: int, data: bytes) -> bytes:
    """Send what is given and hang up; return what comes back. Fails when the other side does not end it in 20 s."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as peer:
        try:
            peer.sendall(data.replace(b"PORT", b"%d" % port))
            peer.shutdown(socket.SHUT_WR)
        except OSError:
            return b""  # it was cut off while it was talking
        return received(peer)[0]


def status(answer: bytes) -> int | None:
    """Return the status of the first answer, or None when there is none."""
    match = STATUS.match(answer)
    return int(match[1]) if match else None


@pytest.mark.parametrize("name", REFUSED)
def test_a_request_that_is_none_is_refused(watched: Watched, name: str) -> None:
    """H4, C1, C2: 4xx, or 501 from aiohttp for what it does not know, or the end; the next request works."""
    answer = exchange(watched.port, REFUSED[name])
    assert status(answer) is None or 400 <= (status(answer) or 0) < 500, answer
    assert b"Traceback" not in answer
    assert watched.answers()


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A request with bytes and lines changed, taken out, doubled or moved."""
    data = bytearray(draw(st.sampled_from([*SOUND, *REFUSED.values()])))
    for _ in range(draw(st.integers(1, 4))):
        place, length = draw(st.integers(0, len(data))), draw(st.sampled_from([0, 1, 1, 4, 20]))
        piece = draw(
            st.one_of(
                st.binary(max_size=4),
                st.sampled_from(
                    [b"\r\n", b"\n", b"\r", b" ", b":", b"\x00", HOST, b"chunked", b"-1", b"%00", b"a" * 9_000]
                ),
                st.just(bytes(data[place : place + 40])),
            )
        )
        data[place : place + length] = piece
    return bytes(data)


def test_no_request_is_a_defect(watched: Watched, size: Callable[[int, int], int], say: Callable[[str], None]) -> None:
    """H5: thousands of mutated requests: no 5xx, no traceback, nothing left behind, and memory stays flat."""
    wanted, statuses, memory = size(400, 20_000), dict[int | None, int](), []
    done = 0

    @settings(max_examples=wanted, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(mutated())
    def refuses(data: bytes) -> None:
        nonlocal done
        done += 1
        if done % (wanted // 10) == 0:
            memory.append(watched.memory())
        answered = status(exchange(watched.port, data))
        statuses[answered] = statuses.get(answered, 0) + 1
        assert answered is None or answered < 500

    with watched.holding_no_more():
        refuses()
        assert watched.answers()
    grown = memory[-1] - memory[len(memory) // 2]
    counts = ", ".join(f"{statuses[each]} x {each or 'no answer'}" for each in sorted(statuses, key=str))
    say(f"{done} requests: {counts}; {grown / MIB:+.1f} MiB in the second half")
    assert done >= wanted
    assert grown < 8 * MIB


def test_a_thousand_requests_at_once_on_one_connection(watched: Watched, say: Callable[[str], None]) -> None:
    """HTTP/1.1: a pipeline whose answers are not read holds little of the bridge, and is answered in order."""
    port = watched.port
    with socket.create_connection(("127.0.0.1", port), timeout=20) as peer:
        before = watched.memory()
        began = time.monotonic()
        host = HOST.replace(b"PORT", b"%d" % port)
        peer.sendall(b"".join(b"GET /nothing/%d HTTP/1.1\r\n%b\r\n" % (n, host) for n in range(1_000)))
        assert watched.answers()
        grown = watched.memory() - before
        peer.sendall(GET.replace(b"PORT", b"%d" % port) + CLOSE + END)
        data, _ = received(peer)
    answered = [int(n) for n in re.findall(rb'"detail":"Route GET:/nothing/(\d+) not found"', data)]
    assert answered == list(range(1_000))
    assert grown < 8 * MIB
    say(f"1,000 requests in {time.monotonic() - began:.1f} s, {grown / MIB:+.1f} MiB")
