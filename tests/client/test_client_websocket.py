"""The client over real WebSockets."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest

from task_copilot_client import NoEventLogError, SubscriptionError, TaskCopilotClient, UnreachableError
from task_copilot_client.dispatch import CAPACITY
from tests.client.fake_bridge import FakeBridge
from tests.client.helpers import FakeClock, Recorder, own_threads, until

NewClient = Callable[..., TaskCopilotClient]


def test_connect_prefers_the_websocket(client: TaskCopilotClient, bridge: FakeBridge) -> None:
    """No poll is made where a WebSocket can be had, and no Origin is sent."""
    assert (client.get_mode(), client.mode, client.connected) == ("websocket", "websocket", True)
    assert bridge.requests == ["/ws"]
    assert bridge.origins == [None]


def test_connecting_again_changes_nothing(client: TaskCopilotClient, bridge: FakeBridge) -> None:
    """A connected client stays with its connection."""
    assert client.connect()
    assert bridge.upgrades == 1


def test_a_subscription_is_in_force_when_subscribe_returns(client: TaskCopilotClient, bridge: FakeBridge) -> None:
    """An event that is committed directly afterwards is delivered with topic, type and data."""
    recorder = Recorder()
    client.subscribe(["task:*"], recorder)
    bridge.publish("task:1", "task.created", {"taskId": "1"})
    recorder.wait(1)
    assert recorder.calls == [("task:1", "task.created", {"taskId": "1"})]


def test_what_was_subscribed_before_is_in_force_when_connect_returns(new_client: NewClient, bridge: FakeBridge) -> None:
    """connect waits for the bridge's answer."""
    client, recorder = new_client(), Recorder()
    client.subscribe(["task:*"], recorder)
    assert client.connect()
    bridge.publish("task:1")
    recorder.wait(1)


def test_only_matching_callbacks_are_called(client: TaskCopilotClient, bridge: FakeBridge) -> None:
    """Each gets what its own patterns match."""
    tasks, everything = Recorder(), Recorder()
    client.subscribe(["task:*"], tasks)
    client.subscribe(["*"], everything)
    bridge.publish("stream:1")
    bridge.publish("task:1")
    tasks.wait(1)
    everything.wait(2)
    assert tasks.topics == ["task:1"]
    assert everything.topics == ["stream:1", "task:1"]
    assert tasks.threads == everything.threads


def test_the_cursor_is_where_callbacks_have_returned(client: TaskCopilotClient, bridge: FakeBridge) -> None:
    """Inside the callback it is still before the event; a ping moves it on for who is quiet."""
    assert client.cursor is None
    cursors: list[str | None] = []
    client.subscribe(["task:*"], lambda *_: cursors.append(client.cursor))
    assert client.cursor == "epoch-1:0"
    bridge.publish("task:1")
    until(lambda: client.cursor == "epoch-1:1")
    assert cursors == ["epoch-1:0"]
    bridge.publish("stream:1")
    bridge.ping()
    until(lambda: client.cursor == "epoch-1:2")


def test_since_resumes_where_an_earlier_process_stopped(new_client: NewClient, bridge: FakeBridge) -> None:
    """D4: events after the cursor are delivered in order, on the first connection."""
    for number in range(4):
        bridge.publish(f"task:{number}")
    client, recorder = new_client(), Recorder()
    client.connect()
    client.subscribe(["task:*"], recorder, since="epoch-1:1")
    recorder.wait(3)
    assert recorder.topics == ["task:1", "task:2", "task:3"]
    assert bridge.upgrades == 1


def test_a_late_since_brings_the_past_to_the_new_callback_only(client: TaskCopilotClient, bridge: FakeBridge) -> None:
    """Nobody gets an event twice, and nobody notices a change of mode."""
    first, second, modes = Recorder(), Recorder(), Recorder()
    client.on_state(modes)
    client.subscribe(["*"], first)
    for number in range(3):
        bridge.publish(f"task:{number}")
    first.wait(3)
    client.subscribe(["task:*"], second, since=0)
    bridge.publish("task:3")
    second.wait(4)
    first.wait(4)
    assert first.topics == second.topics == ["task:0", "task:1", "task:2", "task:3"]
    assert modes.calls == []


def test_a_gap_is_told(client: TaskCopilotClient, bridge: FakeBridge) -> None:
    """D5: on_gap gets the first and the last number that are gone."""
    gaps, recorder = Recorder(), Recorder()
    client.on_gap(gaps)
    for number in range(4):
        bridge.publish(f"task:{number}")
    bridge.log.pruned_to = 2
    client.subscribe(["*"], recorder, since="epoch-1:0")
    recorder.wait(2)
    assert gaps.calls == [(1, 2)]
    assert recorder.topics == ["task:2", "task:3"]


def test_a_refused_subscription_raises_and_is_gone(client: TaskCopilotClient, bridge: FakeBridge) -> None:
    """The error carries code, field and topics; the others stay."""
    recorder = Recorder()
    client.subscribe(["task:*"], recorder)
    with pytest.raises(SubscriptionError) as caught:
        client.subscribe(["*", "nonsense"], Recorder())
    assert (caught.value.code, caught.value.field) == ("WS_INVALID_TOPIC", "topics.1")
    assert caught.value.topics == ("*", "nonsense")
    bridge.publish("task:1")
    recorder.wait(1)
    assert [registration.patterns for registration in client._connection.registry.snapshot()] == [("task:*",)]


def test_a_refused_subscription_does_not_keep_connect_from_working(new_client: NewClient) -> None:
    """It was registered offline: it is removed and logged, and connect is still a yes."""
    client = new_client()
    client.subscribe(["nonsense"], Recorder())
    assert client.connect()
    assert client._connection.registry.snapshot() == ()


def test_a_bridge_that_does_not_answer_costs_the_time_allowed(new_client: NewClient, bridge: FakeBridge) -> None:
    """No answer in time is a SubscriptionError too, and nothing is registered."""
    client = new_client(answer_timeout=0.05)
    client.connect()
    bridge.mute = True
    with pytest.raises(SubscriptionError, match="NO_ANSWER"):
        client.subscribe(["*"], Recorder())
    assert client._connection.registry.snapshot() == ()


def test_subscribe_inside_a_callback_does_not_wait_for_itself(client: TaskCopilotClient, bridge: FakeBridge) -> None:
    """It takes effect a moment later."""
    inner = Recorder()
    client.subscribe(["task:1"], lambda *_: client.subscribe(["stream:*"], inner))
    bridge.publish("task:1")
    until(lambda: len(bridge.asked("subscribe")) == 2)
    bridge.turn()
    bridge.publish("stream:1")
    inner.wait(1)


def test_a_ping_is_answered_with_a_pong(client: TaskCopilotClient, bridge: FakeBridge) -> None:
    """With the shape that the original server knows."""
    bridge.ping()
    until(lambda: bridge.asked("pong"))
    pong = bridge.asked("pong")[0]
    assert pong == {"type": "pong", "timestamp": pong["timestamp"], "payload": {}}


@pytest.mark.parametrize("frame", ["", "nonsense", b"\xff\xfe", '{"type":"event","seq":1}', "[" * 50_000])
def test_a_frame_that_makes_no_sense_ends_nothing(client: TaskCopilotClient, bridge: FakeBridge, frame: Any) -> None:
    """It is logged and skipped, on the same connection."""
    recorder = Recorder()
    client.subscribe(["*"], recorder)
    bridge.send(frame)
    bridge.publish("task:1")
    recorder.wait(1)
    assert bridge.upgrades == 1


def test_a_binary_frame_is_read_like_text(client: TaskCopilotClient, bridge: FakeBridge) -> None:
    """UTF-8 in either kind of frame."""
    recorder = Recorder()
    client.subscribe(["*"], recorder)
    event = {"type": "event", "seq": 1, "payload": {"topic": "task:ä", "eventType": "x", "data": "✓"}}
    bridge.send(json.dumps(event, ensure_ascii=False).encode())
    recorder.wait(1)
    assert recorder.calls == [("task:ä", "x", "✓")]


def test_a_slow_callback_stops_the_reading_and_loses_nothing(client: TaskCopilotClient, bridge: FakeBridge) -> None:
    """The queue has a bound; the bridge keeps the rest until there is room."""
    go_on, recorder = threading.Event(), Recorder()

    def slow(*arguments: Any) -> None:
        go_on.wait(20)
        recorder(*arguments)

    client.subscribe(["*"], slow)
    total = CAPACITY + 200
    for number in range(total):
        bridge.publish(f"task:{number}")
    until(lambda: client._connection.dispatcher.is_full)
    assert len(client._connection.dispatcher.positions()) == CAPACITY
    go_on.set()
    recorder.wait(total)
    assert recorder.topics == [f"task:{number}" for number in range(total)]


def test_wait_for_returns_the_data_of_the_event(client: TaskCopilotClient, bridge: FakeBridge) -> None:
    """Of the type and topic that were asked for; afterwards nothing stays subscribed."""
    before = client.cursor or 0
    bridge.publish("task:1", "task.updated", 1)
    bridge.publish("task:1", "task.completed", 2)
    assert client.wait_for("task:*", "task.completed", since=before) == 2
    assert client._connection.registry.snapshot() == ()


def test_the_head_of_before_an_action_misses_nothing_of_it(new_client: NewClient, bridge: FakeBridge) -> None:
    """Also for a client that has no cursor yet, because nothing was subscribed."""
    client = new_client()
    bridge.publish("task:old", "task.completed")
    before = client.head()
    assert (before, client.cursor) == ("epoch-1:1", None)
    assert client.connect()
    bridge.publish("task:1", "task.completed", 7)
    assert client.wait_for("task:*", "task.completed", since=before) == 7


def test_a_server_without_a_log_has_no_head(new_client: NewClient, bridge: FakeBridge) -> None:
    """It says so; so does one that is away."""
    bridge.old = True
    with pytest.raises(NoEventLogError):
        new_client().head()
    bridge.stop()
    with pytest.raises(UnreachableError):
        new_client().head()


def test_wait_for_gives_up_in_time(client: TaskCopilotClient) -> None:
    """TimeoutError when nothing comes."""
    with pytest.raises(TimeoutError, match=r"no task\.completed on task:1"):
        client.wait_for("task:1", "task.completed", timeout=0.01)


def test_what_would_wait_for_itself_is_refused(client: TaskCopilotClient, bridge: FakeBridge) -> None:
    """connect and wait_for say so inside a callback."""
    recorder = Recorder()

    def misuse(*_: Any) -> None:
        for act in (client.connect, lambda: client.wait_for("*", "x")):
            with pytest.raises(RuntimeError, match="callback"):
                act()
            recorder()

    client.subscribe(["*"], misuse)
    bridge.publish("task:1")
    recorder.wait(2)


def test_the_context_manager_connects_and_disconnects(new_client: NewClient) -> None:
    """The block is entered connected."""
    with new_client() as client:
        assert client.connected
    assert client.mode == "disconnected"
    assert own_threads() == []


def test_the_context_manager_needs_a_bridge(new_client: NewClient, bridge: FakeBridge) -> None:
    """Without one it raises instead of running the block in vain."""
    bridge.stop()
    with pytest.raises(UnreachableError, match="no bridge"), new_client():
        pytest.fail("entered")


def test_states_are_told_in_order(client: TaskCopilotClient, bridge: FakeBridge) -> None:
    """on_state hears of every change, the last one included, on the callback thread."""
    states, events = Recorder(), Recorder()
    assert client.on_state(states) is states
    client.subscribe(["*"], events)
    bridge.drop()
    states.wait(2)
    bridge.publish("task:1")
    events.wait(1)
    client.disconnect()
    assert [call[0] for call in states.calls] == ["reconnecting", "websocket", "disconnected"]
    assert states.threads == events.threads


def test_intervals_must_be_positive(clock: FakeClock) -> None:
    """Zero would poll without a pause."""
    with pytest.raises(ValueError, match="positive"):
        TaskCopilotClient(poll_interval=0, clock=clock)


def test_a_callback_must_be_callable(client: TaskCopilotClient) -> None:
    """The mistake is told where it is made."""
    with pytest.raises(TypeError, match="callback"):
        client.subscribe(["*"], "print")  # type: ignore[arg-type]
