"""Losing the bridge and finding it again; connecting and disconnecting; threads."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from task_copilot_client import TaskCopilotClient
from task_copilot_client.clock import SystemClock
from tests.client.fake_bridge import FakeBridge
from tests.client.helpers import FakeClock, Recorder, own_threads, until, until_websocket

NewClient = Callable[..., TaskCopilotClient]


def test_a_cut_connection_is_resumed_where_it_broke(client: TaskCopilotClient, bridge: FakeBridge) -> None:
    """D4: what was committed meanwhile is delivered once, to all patterns."""
    tasks, streams = Recorder(), Recorder()
    client.subscribe(["task:*"], tasks)
    client.subscribe(["stream:*"], streams)
    bridge.publish("task:1")
    tasks.wait(1)
    bridge.drop()
    bridge.publish("task:2")
    bridge.publish("stream:1")
    tasks.wait(2)
    streams.wait(1)
    bridge.publish("task:3")
    tasks.wait(3)
    assert tasks.topics == ["task:1", "task:2", "task:3"]
    assert bridge.asked("subscribe")[-1]["payload"] == {"topics": ["task:*", "stream:*"], "since": "epoch-1:1"}


def test_a_restarted_bridge_is_found_again(client: TaskCopilotClient, bridge: FakeBridge) -> None:
    """Same port, same log: nothing is lost over the restart."""
    recorder = Recorder()
    client.subscribe(["*"], recorder)
    bridge.stop()
    until(lambda: client.mode == "reconnecting")
    assert not client.connected
    bridge.log.publish("task:1", "x", None)
    bridge.start()
    recorder.wait(1)
    assert client.connected


def test_a_bridge_with_a_new_log_is_followed_after_a_gap(
    client: TaskCopilotClient, bridge: FakeBridge, clock: FakeClock
) -> None:
    """D5: the numbers of the old log mean nothing in the new one."""
    recorder, gaps = Recorder(), Recorder()
    client.on_gap(gaps)
    client.subscribe(["*"], recorder)
    for _ in range(3):
        bridge.publish("task:old")
    recorder.wait(3)
    bridge.stop()
    bridge.log.__init__(epoch="epoch-2")  # type: ignore[misc]
    bridge.log.publish("task:unseen", "x", None)
    bridge.start()
    gaps.wait(1)
    until_websocket(client, clock)
    bridge.publish("task:new")
    recorder.wait(4)
    assert gaps.calls == [(1, 1)]
    assert recorder.topics[3:] == ["task:new"]
    until(lambda: client.cursor == "epoch-2:2")


def test_what_happens_in_between_goes_to_all_modes_once(
    client: TaskCopilotClient, bridge: FakeBridge, clock: FakeClock
) -> None:
    """WebSocket, polling, WebSocket: one cursor through everything."""
    recorder = Recorder()
    client.subscribe(["*"], recorder)
    for number in range(4):
        bridge.publish(f"task:{number}.live")
        bridge.refuse = True
        bridge.drop()
        bridge.publish(f"task:{number}.lost")
        until(lambda: client.mode == "http")
        bridge.publish(f"task:{number}.polled")
        bridge.refuse = False
        until_websocket(client, clock)
    recorder.wait(12)
    kinds = ("live", "lost", "polled")
    assert recorder.topics == [f"task:{number}.{kind}" for number in range(4) for kind in kinds]


def test_a_connection_lost_before_the_answer_lets_subscribe_go_on(
    client: TaskCopilotClient, bridge: FakeBridge
) -> None:
    """The registration stays, and the next connection brings it into force."""
    recorder = Recorder()
    bridge.mute = True
    subscribing = threading.Thread(target=client.subscribe, args=(["*"], recorder))
    subscribing.start()
    until(lambda: bridge.asked("subscribe"))
    bridge.mute = False
    bridge.drop()
    subscribing.join(20)
    assert not subscribing.is_alive()
    until(lambda: len(bridge.asked("subscribe")) == 2)
    bridge.turn()
    bridge.publish("task:1")
    recorder.wait(1)


def test_silence_for_two_and_a_half_pings_is_a_loss(
    client: TaskCopilotClient, bridge: FakeBridge, clock: FakeClock
) -> None:
    """Any frame counts as a sign of life; without one the connection is replaced."""
    client.subscribe(["*"], Recorder())
    clock.advance(74)
    bridge.ping()
    until(lambda: bridge.asked("pong"))
    clock.advance(74)
    bridge.ping()
    until(lambda: len(bridge.asked("pong")) == 2)
    assert bridge.upgrades == 1
    clock.advance(75)
    until(lambda: bridge.upgrades == 2)


def test_the_ping_interval_can_be_set(new_client: NewClient, bridge: FakeBridge) -> None:
    """A bridge that pings faster is missed earlier; real time, 2.5 times 20 ms."""
    assert new_client(ping_interval=0.02, clock=SystemClock()).connect()
    until(lambda: bridge.upgrades > 1)


def test_a_failed_connect_leaves_nothing_behind(new_client: NewClient, bridge: FakeBridge) -> None:
    """It can be tried again, and then works."""
    client, port = new_client(), bridge.port
    bridge.stop()
    assert not client.connect()
    assert (client.mode, own_threads()) == ("disconnected", [])
    bridge.start()
    assert bridge.port == port
    assert client.connect()


def test_disconnect_is_idempotent_and_leaves_nothing(client: TaskCopilotClient, bridge: FakeBridge) -> None:
    """Mode, threads and the socket on the other side are gone."""
    client.disconnect()
    client.disconnect()
    assert (client.mode, client.connected, own_threads()) == ("disconnected", False, [])
    until(lambda: bridge.sockets == 0)


def test_disconnecting_before_connecting_is_fine(new_client: NewClient) -> None:
    """There is nothing to end, and nothing begins."""
    client = new_client()
    client.disconnect()
    assert (client.mode, client.connected, own_threads()) == ("disconnected", False, [])


def test_connecting_again_goes_on_where_it_stopped(client: TaskCopilotClient, bridge: FakeBridge) -> None:
    """Subscriptions and cursor outlive a disconnect."""
    recorder = Recorder()
    client.subscribe(["*"], recorder)
    bridge.publish("task:1")
    recorder.wait(1)
    client.disconnect()
    bridge.publish("task:2")
    assert client.connect()
    recorder.wait(2)
    assert recorder.topics == ["task:1", "task:2"]


def test_events_that_were_not_handed_out_come_after_the_next_connect(
    client: TaskCopilotClient, bridge: FakeBridge
) -> None:
    """No call starts after disconnect has returned, and nothing is lost by that."""
    inside, go_on, recorder = threading.Event(), threading.Event(), Recorder()

    def slow(*arguments: Any) -> None:
        inside.set()
        go_on.wait(20)
        recorder(*arguments)

    client.subscribe(["*"], slow)
    for number in range(3):
        bridge.publish(f"task:{number}")
    assert inside.wait(20)
    until(lambda: len(client._connection.dispatcher.positions()) == 3)
    ending = threading.Thread(target=client.disconnect)
    ending.start()
    until(lambda: client._connection.dispatcher._closed)
    go_on.set()
    ending.join(20)
    assert recorder.topics == ["task:0"]
    until(lambda: client.cursor == "epoch-1:1")
    client.connect()
    recorder.wait(3)
    assert recorder.topics == ["task:0", "task:1", "task:2"]


def test_disconnect_works_inside_a_callback(client: TaskCopilotClient, bridge: FakeBridge) -> None:
    """That call is the last one, and the client can be connected again."""
    recorder = Recorder()

    def leave(*arguments: Any) -> None:
        client.disconnect()
        recorder(*arguments, client.mode)

    client.subscribe(["*"], leave)
    bridge.publish("task:1")
    bridge.publish("task:2")
    recorder.wait(1)
    until(lambda: own_threads() == [])
    assert [call[3] for call in recorder.calls] == ["disconnected"]
    client.connect()
    recorder.wait(2)
    assert recorder.topics == ["task:1", "task:2"]


def test_disconnecting_inside_and_outside_at_once_is_no_deadlock(client: TaskCopilotClient, bridge: FakeBridge) -> None:
    """Both return."""
    inside, go_on = threading.Event(), threading.Event()

    def leave(*_: Any) -> None:
        inside.set()
        go_on.wait(20)
        client.disconnect()

    client.subscribe(["*"], leave)
    bridge.publish("task:1")
    assert inside.wait(20)
    outside = threading.Thread(target=client.disconnect)
    outside.start()
    go_on.set()
    outside.join(20)
    assert not outside.is_alive()
    until(lambda: own_threads() == [])


def test_disconnect_ends_a_pause_between_tries(new_client: NewClient, bridge: FakeBridge, clock: FakeClock) -> None:
    """However long the pause was to be."""
    clock.random = lambda: 0.99  # type: ignore[method-assign]
    client = new_client()
    client.connect()
    bridge.stop()
    until(lambda: client.mode == "reconnecting")
    client.disconnect()
    assert own_threads() == []


def test_a_server_that_says_nothing_costs_the_connect_timeout(new_client: NewClient) -> None:
    """A port that accepts and is silent is no bridge; both ways are given up in bounded time."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        client = new_client(api_base=address, connect_timeout=0.05, request_timeout=0.05)
        started = time.monotonic()
        assert not client.connect()
        assert time.monotonic() - started < 5


def test_a_server_that_speaks_no_websocket_is_no_defect(new_client: NewClient) -> None:
    """Nonsense instead of a handshake is a refusal."""
    with socket.create_server(("127.0.0.1", 0)) as strange:

        def babble() -> None:
            for _ in range(2):
                peer, _ = strange.accept()
                with peer:
                    peer.recv(4096)
                    peer.sendall(b"\x00\xff nonsense\r\n\r\n")

        babbling = threading.Thread(target=babble)
        babbling.start()
        client = new_client(api_base=f"http://127.0.0.1:{strange.getsockname()[1]}", request_timeout=1.0)
        assert not client.connect()
        babbling.join(20)


def test_a_defect_in_a_source_counts_as_a_failure(
    client: TaskCopilotClient, bridge: FakeBridge, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The connection thread survives what nobody foresaw, says so, and the client polls."""

    def break_down() -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(client._connection.websocket, "open", break_down)
    bridge.drop()
    until(lambda: client.mode == "http")
    assert "defect of the client" in caplog.text


def test_many_threads_may_use_one_client(client: TaskCopilotClient, bridge: FakeBridge) -> None:
    """Subscriptions from eight threads at once are all in force when they return."""
    recorders = [Recorder() for _ in range(40)]

    def subscribe(mine: list[Recorder]) -> None:
        for recorder in mine:
            client.subscribe(["task:*"], recorder)

    threads = [threading.Thread(target=subscribe, args=(recorders[n::8],)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    bridge.publish("task:1")
    for recorder in recorders:
        recorder.wait(1)
    identifiers = [message["id"] for message in bridge.asked("subscribe")]
    assert len(set(identifiers)) == len(identifiers)
