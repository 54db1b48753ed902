"""Many readers in one cheap process: all of them read all, a few are looked at closely.

All readers of a bridge that hold the same patterns get the same bytes. So each of them only counts its bytes and sums
them up (CRC-32), one in SAMPLE is parsed, and in the end all have to have the same sum.
"""

from __future__ import annotations

import contextlib
import json
import re
import selectors
import statistics
import time
import zlib
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.helpers.peer import CHUNK, Peer
from tests.helpers.processes import Running, running
from tests.helpers.waiting import DEADLINE

SAMPLE = 40
EVENT = re.compile(rb'"timestamp":"([^"]+)","seq":(\d+),')


class Reader:
    """One of them; `watched` ones know what they read."""

    def __init__(self, url: str, watched: bool) -> None:
        self.peer = Peer(url)
        self.peer.subscribe("*")
        self.peer.socket.setblocking(False)
        self.watched = watched
        self.bytes = self.sum = self.seq = 0
        self.delays: list[float] = []
        self._rest = b""

    def take(self, data: memoryview) -> None:
        """Count what came."""
        self.bytes += len(data)
        self.sum = zlib.crc32(data, self.sum)
        if self.watched:
            self._parse(self._rest + bytes(data))

    def _parse(self, data: bytes) -> None:
        now, end, at, delay = time.time(), 0, b"", 0.0
        for match in EVENT.finditer(data):
            if match[1] != at:
                at = match[1]
                delay = now - datetime.fromisoformat(at.decode()).timestamp()
            assert int(match[2]) == self.seq + 1, f"{match[2]!r} came after {self.seq}"
            self.seq += 1
            self.delays.append(delay)
            end = match.end()
        self._rest = data[max(end, len(data) - 4096) :]


def main(url: str, count: str, last: str) -> None:
    """Read until the event with the number `last` has come to all; print a line when ready, and one in the end."""
    readers = [Reader(url, number % SAMPLE == 0) for number in range(int(count))]
    print(json.dumps({"ready": len(readers)}), flush=True)  # noqa: T201
    watched = [reader for reader in readers if reader.watched]
    _read(readers, watched, int(last))
    delays = sorted(delay for reader in watched for delay in reader.delays)
    result = {
        "sums": len({(reader.bytes, reader.sum) for reader in readers}),
        "bytes": readers[0].bytes,
        "p50": statistics.median(delays),
        "p99": delays[len(delays) * 99 // 100],
        "max": delays[-1],
    }
    print(json.dumps(result), flush=True)  # noqa: T201


def _read(readers: list[Reader], watched: list[Reader], last: int) -> None:
    buffer = memoryview(bytearray(CHUNK))
    with selectors.DefaultSelector() as selector:
        for reader in readers:
            selector.register(reader.peer.socket, selectors.EVENT_READ, reader)
        while watched[0].seq < last or any(reader.bytes != watched[0].bytes for reader in readers):
            ready = selector.select(DEADLINE)
            assert ready, f"nothing comes any more after event {watched[0].seq}"
            for key, _ in ready:
                got = key.fileobj.recv_into(buffer)  # type: ignore[union-attr]
                assert got, "the bridge has ended a connection"
                key.data.take(buffer[:got])


@contextlib.contextmanager
def fleet(home: Path, url: str, count: int, last: int) -> Iterator[Running]:
    """Run so many readers until the number `last`; they are subscribed when the block begins."""
    with running(
        home, url, str(count), str(last), code=f"import sys; from {__name__} import main; main(*sys.argv[1:])"
    ) as they:
        assert json.loads(they.out.next()) == {"ready": count}
        yield they


def outcome(readers: Running) -> dict[str, Any]:
    """Wait for the end of a fleet and return what it has measured: seconds from commit to reader, sums, bytes."""
    if readers.wait():
        raise AssertionError(readers.err.text())
    return dict(json.loads(readers.out.next()))
