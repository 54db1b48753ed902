"""Many subscribers in one process, fast: large reads, and events counted by one search for a marker.

    python -m bench.load.subscribers PORT CLIENTS GROUPS DIALECT

Tells `{"ready": ...}` once all are subscribed; then for each `{"count": N}` answers at once, and again when N events
have come.
"""

from __future__ import annotations

import json
import re
import select
import socket
import sys
import time
from typing import Any, Final

from bench.load.counting import Counter
from bench.load.dialects import DIALECTS
from bench.load.frames import PONG
from bench.workload import MARKER

__all__ = ["Subscribers"]

_BUFFER: Final = 1 << 18
_MARKER: Final = MARKER.encode()
_PUBLISHED: Final = re.compile(rb'"t":"(\d{18})"')
_SAMPLED: Final = 20
"""Clients whose events are timed, spread evenly over all."""

_DEADLINE: Final = 120.0
_SIGN_OF_LIFE: Final = 20.0


class Subscribers:
    """Connected clients, and what has come to them."""

    def __init__(self, port: int, clients: int, groups: int, dialect: str) -> None:
        join = DIALECTS[dialect]
        self._peers = [join(port, f"g{number % groups}") for number in range(clients)]
        self._poll = select.epoll()
        self._by_descriptor: dict[int, socket.socket] = {}
        for peer in self._peers:
            peer.setblocking(False)
            self._by_descriptor[peer.fileno()] = peer
            self._poll.register(peer, select.EPOLLIN)
        step = max(1, clients // _SAMPLED)
        self._sampled = {peer.fileno() for peer in self._peers[::step]}
        self._counters = {descriptor: Counter(_MARKER) for descriptor in self._by_descriptor}
        self._buffer = bytearray(_BUFFER)
        self._last_sign = time.monotonic()

    def count(self, wanted: int, *, sample: bool, seconds: float = _DEADLINE) -> dict[str, Any]:
        """Read until so many events have come; or until no more may be expected, which is an error."""
        found = 0
        latencies: list[float] = []
        deadline = time.monotonic() + seconds
        while found < wanted:
            for descriptor, _ in self._poll.poll(1.0):
                found += self._read(descriptor, latencies if sample and descriptor in self._sampled else None)
            self._show_life()
            if time.monotonic() > deadline:
                return {"error": f"{found} events of {wanted} came within {seconds:g} s"}
        return {"last": time.perf_counter_ns(), "events": found, "latencies": latencies}

    def _read(self, descriptor: int, latencies: list[float] | None) -> int:
        size = self._by_descriptor[descriptor].recv_into(self._buffer)
        if not size:
            raise ConnectionError("the server closed a connection")
        found = self._counters[descriptor].feed(self._buffer, size)
        if latencies is not None:
            now = time.perf_counter_ns()
            latencies += [(now - int(at)) / 1e6 for at in _PUBLISHED.findall(self._buffer, 0, size)]
        return found

    def _show_life(self) -> None:
        if time.monotonic() - self._last_sign > _SIGN_OF_LIFE:
            self._last_sign = time.monotonic()
            for peer in self._peers:
                peer.send(PONG)

    def idle(self, seconds: float) -> None:
        """Read and forget for a while."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            for descriptor, _ in self._poll.poll(min(left, 1.0)):
                self._read(descriptor, None)
            self._show_life()


def main() -> None:
    """Obey the commands of standard input."""
    port, clients, groups, dialect = sys.argv[1:]
    subscribers = Subscribers(int(port), int(clients), int(groups), dialect)
    _say({"ready": int(clients)})
    for line in sys.stdin:
        command = json.loads(line)
        _say({"counting": True})
        if "count" in command:
            _say(subscribers.count(command["count"], sample=command.get("sample", False)))
        else:
            subscribers.idle(command["idle"])
            _say({"idled": True})


def _say(answer: dict[str, Any]) -> None:
    print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
