"""A subscription counts in whatever state it is made, and so do handlers of states and gaps."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from task_copilot_client import TaskCopilotClient
from tests.client.fake_bridge import FakeBridge
from tests.client.helpers import FakeClock, Recorder, until, until_websocket

NewClient = Callable[..., TaskCopilotClient]


def to_disconnected(client: TaskCopilotClient, _: FakeBridge) -> None:
    """It was connected once."""
    client.disconnect()


def to_websocket(_: TaskCopilotClient, __: FakeBridge) -> None:
    """It is there already."""


def to_reconnecting(client: TaskCopilotClient, bridge: FakeBridge) -> None:
    """The bridge is away."""
    bridge.stop()
    until(lambda: client.mode == "reconnecting")


def to_http(client: TaskCopilotClient, bridge: FakeBridge) -> None:
    """Upgrades are refused."""
    bridge.refuse = True
    bridge.drop()
    until(lambda: client.mode == "http")


def back(client: TaskCopilotClient, bridge: FakeBridge, clock: FakeClock) -> None:
    """Whatever state it is in, return to a WebSocket."""
    bridge.refuse = False
    bridge.start()
    assert client.mode != "disconnected" or client.connect()
    until_websocket(client, clock)


@pytest.mark.parametrize("move", [to_disconnected, to_websocket, to_reconnecting, to_http], ids=lambda f: f.__name__)
def test_a_subscription_made_in_any_state_counts(
    client: TaskCopilotClient, bridge: FakeBridge, clock: FakeClock, move: Callable[..., None]
) -> None:
    """It is in force once there is a connection, next to those of before."""
    before, recorder = Recorder(), Recorder()
    client.subscribe(["task:*"], before)
    move(client, bridge)
    client.subscribe(["task:*"], recorder)
    events = client.events("task:*")
    back(client, bridge, clock)
    until(lambda: all(client._connection.feed.is_active(each) for each in client._connection.registry.snapshot()))
    bridge.publish("task:1")
    recorder.wait(1)
    before.wait(1)
    assert next(events).topic == "task:1"
    assert recorder.topics == before.topics == ["task:1"]


def test_a_probe_in_the_background_returns_to_the_websocket(
    polling: TaskCopilotClient, bridge: FakeBridge, clock: FakeClock
) -> None:
    """Tries do not disturb the polls, and each state is told once."""
    states, recorder = Recorder(), Recorder()
    polling.on_state(states)
    polling.subscribe(["task:*"], recorder)
    for _ in range(2):
        upgrades = bridge.requests.count("/ws")
        clock.advance(10)
        until(lambda upgrades=upgrades: bridge.requests.count("/ws") > upgrades)
        assert polling.mode == "http"
    bridge.publish("task:1")
    bridge.refuse = False
    clock.advance(10)
    recorder.wait(1)
    states.wait(1)
    assert states.calls == [("websocket",)]


def test_handlers_that_raise_stop_nothing(
    client: TaskCopilotClient, bridge: FakeBridge, caplog: pytest.LogCaptureFixture
) -> None:
    """They are reported, and the next handler and the events come all the same."""
    states, recorder = Recorder(), Recorder()

    @client.on_state
    def fail(mode: str) -> None:
        raise ValueError(mode)

    client.on_state(states)
    client.subscribe(["task:*"], recorder)
    bridge.drop()
    until(lambda: states.calls[-1:] == [("websocket",)])
    bridge.publish("task:1")
    recorder.wait(1)
    assert [call[0] for call in states.calls] == ["reconnecting", "websocket"]
    assert sum("fail" in record.getMessage() for record in caplog.records) == 2


def test_callbacks_handlers_and_gaps_are_never_concurrent(client: TaskCopilotClient, bridge: FakeBridge) -> None:
    """One thread runs them all, one at a time, in order."""
    recorder = Recorder()
    client.on_state(recorder)
    client.on_gap(recorder)
    client.subscribe(["task:*"], recorder)
    client.subscribe(["*"], recorder.__call__)
    calls = recorder.calls
    bridge.publish("task:1")
    recorder.wait(2)
    for number in (2, 3):
        bridge.log.publish(f"task:{number}", "task.updated", None)
    bridge.send({"type": "gap", "payload": {"from": 2, "to": 3}})
    recorder.wait(3)
    bridge.drop()
    until(lambda: calls[-1:] == [("websocket",)])
    assert len(recorder.threads) == 1
    assert calls[2:4] == [(2, 3), ("reconnecting",)]
