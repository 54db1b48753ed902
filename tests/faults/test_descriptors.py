"""Out of file descriptors: whoever is connected is served, the log stays readable, and later it is as before."""

from __future__ import annotations

import contextlib
import json
import resource
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.helpers.crowd import Crowd, crowd
from tests.helpers.processes import Running, running
from tests.helpers.waiting import wait_until

LIMIT = 64
LOOPS = {
    "uvloop": "import uvloop; from taskcopilot.cli import main; main()",
    "asyncio": "import sys; sys.modules['uvloop'] = None; from taskcopilot.cli import main; main()",
}


@pytest.fixture(params=LOOPS)
def served(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Running, str]]:
    """A bridge on either event loop, that may have few descriptors; gives the process and its URL."""
    if request.param == "uvloop":
        pytest.importorskip("uvloop")
    code = LOOPS[request.param]
    with running(tmp_path, "serve", "--json", "--port", "0", "--db", "tasks.db", code=code) as process:
        url = json.loads(process.out.next())["url"]
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (LIMIT, LIMIT))
        yield process, url


@contextlib.contextmanager
def exhausted(process: Running, url: str) -> Iterator[None]:
    """Open far more connections than the bridge can have, until the block ends."""
    address = ("127.0.0.1", int(url.rpartition(":")[2]))
    with contextlib.ExitStack() as stack:
        for _ in range(200):
            stack.enter_context(socket.create_connection(address, timeout=10))
        wait_until(lambda: len(list(Path(f"/proc/{process.pid}/fd").iterdir())) >= LIMIT - 1)
        yield


def test_who_is_connected_is_served_and_others_are_later(
    tmp_path: Path, served: tuple[Running, str], say: Callable[[str], None]
) -> None:
    """Calls and events go on over open connections; 200 sockets too many cost a line in the log, not thousands."""
    process, url = served
    with crowd(url, publishers=0) as people, requests.Session() as session:
        publish(people, session, "before")
        began = time.monotonic()
        with exhausted(process, url):
            for number in range(20):
                publish(people, session, str(number))
            wait_until(lambda: len(people.heard) == 21)
            with pytest.raises(subprocess.TimeoutExpired):
                process.popen.wait(2)  # asyncio tries again every second
        seconds = time.monotonic() - began
        released = time.monotonic()
        wait_until(lambda: answers(url))
        took = time.monotonic() - released
        people.check_log_rule(tmp_path / "tasks.db")
    code, _ = process.stop()
    assert code == 0
    lines = process.err.text().count("\n")
    assert lines <= 10 * seconds
    assert took < 10
    say(f"{lines} lines of log in {seconds:.1f} s without descriptors; accepts again after {took:.2f} s")


def test_it_stops_in_good_order_without_descriptors(served: tuple[Running, str]) -> None:
    """Exit 0, and no flood in the log from what asyncio still meant to do."""
    process, url = served
    with exhausted(process, url):
        code, seconds = process.stop()
    assert code == 0
    assert seconds < 20
    assert process.err.text().count("\n") < 20


def publish(people: Crowd, session: requests.Session, key: str) -> None:
    """Create a task over a connection that is open, once it is."""
    people.acknowledged[key] = answer(people.create(key, session))


def answer(response: requests.Response) -> Any:
    """Return what was answered."""
    assert response.ok, response.text
    return response.json()


def answers(url: str) -> bool:
    """Tell whether a new connection is served."""
    try:
        return requests.get(f"{url}/health", timeout=20).ok
    except requests.ConnectionError:
        return False
