"""The bridge is told to stop while it is busy: it ends in time, says goodbye, and nobody loses anything."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from pathlib import Path

import pytest
import requests

from tests.helpers.peer import Peer
from tests.helpers.processes import bridge, running
from tests.helpers.waiting import wait_until
from tests.helpers.writer import Writer, writing


def test_it_ends_in_time_with_stuck_readers_and_a_busy_writer(tmp_path: Path, size, say) -> None:
    """C5, D4: exit 0 within 5 s; who reads gets 1001 and resumes from its cursor, and every event came once."""
    healthy, stuck = size((10, 5), (50, 5))
    with writing(tmp_path / "tasks.db") as writer, contextlib.ExitStack() as stack:
        with bridge(tmp_path, "--db", "tasks.db") as (server, ready):
            for _ in range(stuck):
                stack.enter_context(Peer(ready["url"], receive_buffer=4096)).subscribe("*")
            writer.commit_many(20_000, 1_000)
            readers = [stack.enter_context(Peer(ready["url"])) for _ in range(healthy)]
            for reader in readers:
                reader.subscribe("*")
            reading = [threading.Thread(target=reader.read_to_end) for reader in readers]
            for thread in reading:
                thread.start()
            _write(writer, 0.3)
            server.popen.send_signal(signal.SIGTERM)
            began = time.monotonic()
            _write(writer, 0.3)
            code, took = server.wait(), time.monotonic() - began
            for thread in reading:
                thread.join()
        say(f"{healthy} readers and {stuck} stuck ones: over {took:.2f} s after SIGTERM")
        assert (code, {reader.close_code for reader in readers}) == (0, {1001})
        assert took < 5
        assert "Traceback" not in server.err.text()
        with bridge(tmp_path, "--db", "tasks.db") as (_, ready):
            for reader in readers:
                _resume(ready["url"], reader, writer)


def test_one_that_is_slow_to_read_is_told_too(tmp_path: Path) -> None:
    """C5: what was written before the end comes first, and then the close, if it reads within the time for that."""
    with bridge(tmp_path, "--db", "tasks.db") as (server, ready), writing(tmp_path / "tasks.db") as writer:
        with Peer(ready["url"], receive_buffer=4096) as slow:
            slow.subscribe("*")
            writer.commit_many(20_000, 1_000)
            wait_until(lambda: requests.get(f"{ready['url']}/health", timeout=10).json()["seq"] == 20_000)
            server.popen.send_signal(signal.SIGTERM)
            server.err.until(lambda line: "stopping" in line)
            slow.read_to_end()
        assert server.wait() == 0
        assert slow.close_code == 1001
        assert slow.seqs == list(range(1, len(slow.seqs) + 1))


def _write(writer: Writer, seconds: float) -> None:
    """Commit about five thousand events a second for so long."""
    pace, until = threading.Event(), time.monotonic() + seconds
    while time.monotonic() < until:
        writer.commit(50)
        pace.wait(0.01)


def _resume(url: str, before: Peer, writer: Writer) -> None:
    """Go on where a reader was when the bridge ended, and see that both together had every event once, in order."""
    reached = before.seqs[-1]
    with Peer(url) as after:
        assert after.subscribe("*", since=f"{writer.epoch}:{reached}")["recovered"]
        after.read_to(writer.head)
    assert before.seqs + after.seqs == list(range(before.seqs[0], writer.head + 1))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_under_load_does_not_hang(tmp_path: Path, number: signal.Signals) -> None:
    """Twice the same signal while a stuck reader is being waited for: gone at once, and the database is whole."""
    with bridge(tmp_path, "--db", "tasks.db") as (server, ready), writing(tmp_path / "tasks.db") as writer:
        with Peer(ready["url"], receive_buffer=4096) as stuck:
            stuck.subscribe("*")
            writer.commit_many(20_000, 1_000)
            server.popen.send_signal(number)
            server.err.until(lambda line: "stopping" in line)
            code, took = server.stop(number)
        assert code == 128 + number
        assert took < 2
        assert writer.commit() == 20_001


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_at_any_moment_of_the_start_ends_it(tmp_path: Path, size, say, number: signal.Signals) -> None:
    """From before the imports to after the ready line: it ends in time, and leaves a database that opens."""
    moments, codes, longest = size(3, 8), set(), 0.0
    began = time.monotonic()
    with bridge(tmp_path, "--db", "tasks.db"):
        start = time.monotonic() - began
    for moment in range(moments):
        with running(tmp_path, "serve", "--json", "--port", "0", "--db", "tasks.db") as process:
            threading.Event().wait(1.2 * start * moment / (moments - 1))
            code, took = process.stop(number)
            codes.add(code)
            longest = max(longest, took)
    say(f"{number.name} at {moments} moments of {start:.2f} s: over after {longest:.2f} s at most, exit codes {codes}")
    assert codes <= {0, 1, -number, 128 + number}
    assert longest < 5
    with writing(tmp_path / "tasks.db") as writer:
        assert writer.commit() == 1
