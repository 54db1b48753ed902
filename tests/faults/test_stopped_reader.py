"""A client that stops reading costs nobody anything, and loses nothing itself."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import requests

from tests.helpers.fleet import fleet, outcome
from tests.helpers.listener import listening, numbers
from tests.helpers.memory import MIB, open_sockets, private_memory
from tests.helpers.peer import Peer, event_stream
from tests.helpers.processes import Running, bridge
from tests.helpers.waiting import DEADLINE, wait_until
from tests.helpers.writer import writing

AT_ONCE = 500
"""Events in a commit; the next one follows when a reader beside the fleet has these."""


def test_a_stopped_reader_costs_nobody_anything(tmp_path: Path, size, say) -> None:
    """D9, D1: the others get everything in order, the bridge holds little for it, and then it gets everything too."""
    readers, events = size((40, 5_000), (200, 100_000))
    options = ("--db", "tasks.db", "--ping-interval", "600", "--retention-events", str(2 * events))
    with (
        bridge(tmp_path, *options) as (server, ready),
        writing(tmp_path / "tasks.db") as writer,
        Peer(ready["url"], receive_buffer=4096) as stopped,
        Peer(ready["url"]) as pace,
    ):
        stopped.subscribe("*")
        pace.subscribe("*")
        with fleet(tmp_path, ready["url"], readers, events) as others:
            before = private_memory(server.pid)
            began = time.monotonic()
            for _ in range(events // AT_ONCE):
                pace.read_to(writer.commit(AT_ONCE))
            measured = outcome(others)
            took = time.monotonic() - began
        grown = private_memory(server.pid) - before
        began = time.monotonic()
        stopped.read_to(events)
        caught_up = time.monotonic() - began
        assert stopped.seqs == list(range(1, events + 1))
    delays = ", ".join(f"{name} {measured[name] * 1000:.0f} ms" for name in ("p50", "p99", "max"))
    say(
        f"{readers} readers beside a stopped one: {events} events in {took:.1f} s, from commit to reader {delays};"
        f" the bridge grew by {grown / MIB:.1f} MiB; the stopped one caught up in {caught_up:.1f} s"
    )
    assert measured["sums"] == 1
    assert measured["p50"] < 0.5
    assert grown < 10 * MIB


def test_one_that_is_stopped_for_too_long_is_cut_and_comes_back(tmp_path: Path) -> None:
    """C3, D4: what it holds of the bridge is given back; with its cursor it goes on where it stopped."""
    options = ("--db", "tasks.db", "--ping-interval", "0.5")
    with bridge(tmp_path, *options) as (server, ready), writing(tmp_path / "tasks.db") as writer:
        idle = open_sockets(server.pid)
        with Peer(ready["url"], receive_buffer=4096) as stopped:
            stopped.subscribe("*")
            writer.commit_many(20_000, 1_000)
            wait_until(lambda: open_sockets(server.pid) <= idle, "the bridge giving the connection back")
            stopped.read_to_end()
            assert stopped.close_code in (None, 4408)
        reached = len(stopped.seqs)
        assert stopped.seqs == list(range(1, reached + 1))
        assert reached < writer.head
        with Peer(ready["url"]) as returned:
            assert returned.subscribe("*", since=f"{writer.epoch}:{reached}")["recovered"]
            returned.read_to(writer.head)
            assert returned.seqs == list(range(reached + 1, writer.head + 1))


def test_one_that_asks_and_does_not_read_is_cut(tmp_path: Path, say) -> None:
    """D9, C3: answers do not pile up in the bridge: it takes no more questions, and then the peer counts as gone."""
    with bridge(tmp_path, "--db", "tasks.db", "--ping-interval", "1") as (server, ready):
        idle, before, asked = open_sockets(server.pid), private_memory(server.pid), 0
        with Peer(ready["url"], receive_buffer=4096) as peer, contextlib.suppress(ConnectionError):
            until = time.monotonic() + DEADLINE
            while time.monotonic() < until:
                peer.send({"type": "ping", "id": "x" * 100}, times=1000)
                asked += 1000
                assert private_memory(server.pid) - before < 10 * MIB, f"after {asked} questions"
        say(f"cut off after {asked} questions")
        wait_until(lambda: open_sockets(server.pid) == idle, "the bridge giving the connection back")


def test_a_client_of_a_service_that_does_not_read_is_cut(tmp_path: Path) -> None:
    """C3 holds on the services' sockets too: what a client holds of the bridge is given back."""
    with bridge(tmp_path, "--db", "tasks.db", "--ping-interval", "1") as (server, ready):
        idle = open_sockets(server.pid)
        with Peer(ready["url"], "/ws/mahavishnu", receive_buffer=4096) as stopped:
            stopped.send({"type": "request", "event": "subscribe", "data": {"channel": "global"}, "id": "1"})
            assert any(message.get("correlation_id") == "1" for message in stopped.messages())
            event = {"event": "workflow.started", "data": {"workflow_id": "1", "metadata": {"text": "x" * 200_000}}}
            with requests.Session() as publisher:
                for _ in range(50):
                    publisher.post(f"{ready['url']}/api/services/mahavishnu/events", json=event).raise_for_status()
            wait_until(lambda: open_sockets(server.pid) == idle, "the bridge giving the connection back")


def test_a_stream_of_events_that_nobody_reads_is_cut(tmp_path: Path) -> None:
    """H7: what it holds of the bridge is given back."""
    options = ("--db", "tasks.db", "--ping-interval", "0.5")
    with bridge(tmp_path, *options) as (server, ready), writing(tmp_path / "tasks.db") as writer:
        idle = open_sockets(server.pid)
        with event_stream(ready["url"], receive_buffer=4096):
            writer.commit_many(20_000, 1_000)
            wait_until(lambda: open_sockets(server.pid) == idle, "the bridge giving the connection back")


def test_a_client_that_is_suspended_for_a_moment_catches_up(tmp_path: Path) -> None:
    """D1, D9: SIGSTOP for less than the bridge's patience: the same connection brings everything, once, in order."""
    options = ("--db", "tasks.db", "--ping-interval", "30")
    with (
        bridge(tmp_path, *options) as (_, ready),
        writing(tmp_path / "tasks.db") as writer,
        listening(tmp_path, ready["url"]) as listener,
    ):
        with suspended(listener.process):
            writer.commit_many(10_000, 500)
        assert listener.titles(10_000) == numbers(10_000)
        assert listener.modes == ["websocket"]


def test_a_client_that_is_suspended_for_long_comes_back(tmp_path: Path, say) -> None:
    """C3, D4: SIGSTOP for longer than that: it is cut, reconnects with its cursor, and has every event once."""
    options = ("--db", "tasks.db", "--ping-interval", "0.5")
    with (
        bridge(tmp_path, *options) as (server, ready),
        writing(tmp_path / "tasks.db") as writer,
        listening(tmp_path, ready["url"], ping_interval=0.5) as listener,
    ):
        writer.commit(10)
        listener.titles(10)
        connected = open_sockets(server.pid)
        with suspended(listener.process):
            began = time.monotonic()
            writer.commit_many(10_000, 500)
            wait_until(lambda: open_sockets(server.pid) < connected, "the bridge cutting the client off")
            say(f"ping interval 0.5 s: cut off {time.monotonic() - began:.1f} s after it was suspended")
            writer.commit(10)
        assert listener.titles(10_020) == numbers(10_020)
        assert listener.modes[:2] == ["websocket", "reconnecting"]
        assert listener.modes[-1] == "websocket"


@contextlib.contextmanager
def suspended(process: Running) -> Iterator[None]:
    """Let a process stand still for the length of the block."""
    process.popen.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.popen.send_signal(signal.SIGCONT)
