"""Out of file descriptors over TLS, where connections are accepted by a door of our own."""

from __future__ import annotations

import contextlib
import json
import resource
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.faults.test_descriptors import LIMIT, LOOPS
from tests.helpers.peer import Peer
from tests.helpers.processes import Running, running
from tests.helpers.waiting import wait_until


@pytest.fixture(params=LOOPS)
def served(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Running, dict[str, str]]]:
    """A bridge on either event loop, that may have few descriptors."""
    arguments = ("serve", "--json", "--port", "0", "--db", "tasks.db", "--tls-self-signed")
    with running(tmp_path, *arguments, code=LOOPS[request.param]) as process:
        ready = json.loads(process.out.next())
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (LIMIT, LIMIT))
        yield process, ready


@contextlib.contextmanager
def exhausted(process: Running, port: int) -> Iterator[None]:
    """Open far more connections than the bridge can have, until the block ends."""
    with contextlib.ExitStack() as stack:
        for _ in range(200):
            stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=10))
        wait_until(lambda: len(list(Path(f"/proc/{process.pid}/fd").iterdir())) >= LIMIT - 1)
        yield


def test_who_is_connected_is_served_and_others_are_later(served: tuple[Running, dict[str, str]]) -> None:
    """A few lines in the log, no traceback; it ends in good order."""
    process, ready = served
    port = int(ready["url"].rpartition(":")[2])
    with Peer(ready["url"], tls=ssl.create_default_context(cafile=ready["certificate"])) as peer:
        peer.subscribe("*")
        with exhausted(process, port):
            for number in range(50):
                peer.send({"type": "ping", "id": number})
                assert next(message["id"] for message in peer.messages() if message["type"] == "pong") == number
        wait_until(lambda: answers(ready), "a new connection being served")
        peer.send({"type": "ping", "id": "after"})
        assert next(message["id"] for message in peer.messages() if message["type"] == "pong") == "after"
    code, _ = process.stop()
    log = process.err.text()
    assert code == 0
    assert "no more connections can be accepted for now" in log
    assert "Traceback" not in log, log
    assert log.count("\n") < 20


def test_it_stops_in_good_order_without_descriptors(served: tuple[Running, dict[str, str]]) -> None:
    """Exit 0 with two hundred connections that have not begun to shake hands."""
    process, ready = served
    with exhausted(process, int(ready["url"].rpartition(":")[2])):
        code, seconds = process.stop()
    assert code == 0
    assert seconds < 20
    assert process.err.text().count("\n") < 20


def answers(ready: dict[str, str]) -> bool:
    """Tell whether a new connection is served."""
    try:
        return requests.get(f"{ready['url']}/health", verify=ready["certificate"], timeout=20).ok
    except requests.ConnectionError:
        return False
