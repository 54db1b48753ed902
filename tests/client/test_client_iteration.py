"""Events as an iterator: in order, once, in every mode, and at the reader's own pace."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from task_copilot_client import EventsLostError, SubscriptionError, TaskCopilotClient, UnreachableError
from task_copilot_client.inbox import CAPACITY
from task_copilot_client.iteration import EventIterator
from tests.client.fake_bridge import FakeBridge
from tests.client.helpers import FakeClock, Recorder, until, until_websocket

NewClient = Callable[..., TaskCopilotClient]


def topics(events: Iterator[Any], count: int) -> list[str]:
    """Return the topics of the next events."""
    return [next(events).topic for _ in range(count)]


def fill(client: TaskCopilotClient, bridge: FakeBridge, count: int) -> None:
    """Publish task:0, task:1 and so on, and return when every callback has had them."""
    recorder = Recorder()
    client.subscribe(["*"], recorder)
    for number in range(count):
        bridge.publish(f"task:{number}")
    recorder.wait(count)
    client.unsubscribe(["*"], recorder)


def test_events_are_iterated_in_order_and_once(client: TaskCopilotClient, bridge: FakeBridge) -> None:
    """D1: from the moment that `events` has returned; an event tells all that the log says of it."""
    bridge.publish("task:before")
    events = client.events(["task:*", "task:1"])
    for number in range(3):
        bridge.publish(f"task:{number}", "task.updated", {"n": number})
    bridge.publish("stream:1")
    bridge.publish("task:3")
    first = next(events)
    assert (first.topic, first.type, first.data, first.seq, first.cursor) == (
        "task:0",
        "task.updated",
        {"n": 0},
        2,
        "epoch-1:2",
    )
    assert not first.synthetic
    assert topics(events, 3) == ["task:1", "task:2", "task:3"]


def test_types_are_chosen_by_name_or_glob(client: TaskCopilotClient, bridge: FakeBridge) -> None:
    """Other types are passed over."""
    events = client.events("task:*", event_types=["task.completed", "task.b*"])
    for kind in ("task.updated", "task.blocked", "task.status_changed", "task.completed"):
        bridge.publish("task:1", kind)
    assert [next(events).type for _ in range(2)] == ["task.blocked", "task.completed"]


def test_since_brings_the_past_first(client: TaskCopilotClient, bridge: FakeBridge) -> None:
    """D4: a cursor of an earlier iterator's event goes on behind that event."""
    bridge.publish("task:1")
    bridge.publish("task:2")
    bridge.publish("task:3")
    cursor = next(client.events(since=0)).cursor
    events = client.events(since=cursor)
    bridge.publish("task:4")
    assert topics(events, 3) == ["task:2", "task:3", "task:4"]


def test_silence_ends_it(client: TaskCopilotClient) -> None:
    """After `timeout` seconds without an event the loop is over, and nothing stays subscribed."""
    assert list(client.events("task:*", timeout=0.01)) == []
    assert client._connection.registry.snapshot() == ()


def test_closing_ends_a_wait_in_another_thread(client: TaskCopilotClient) -> None:
    """At once, as the end of the loop."""
    events, got = client.events(), []
    thread = threading.Thread(target=lambda: got.extend(events))
    thread.start()
    events.close()
    thread.join(20)
    assert not thread.is_alive()
    assert (got, events.is_disconnected, client._connection.registry.snapshot()) == ([], False, ())


def test_with_ends_it(client: TaskCopilotClient, bridge: FakeBridge) -> None:
    """What had come in is not given after the block."""
    with client.events() as events:
        bridge.publish("task:1")
        bridge.publish("task:2")
        assert next(events).topic == "task:1"
    assert list(events) == []
    assert client._connection.registry.snapshot() == ()


def test_a_loop_that_was_left_ends_by_itself(client: TaskCopilotClient, bridge: FakeBridge) -> None:
    """Whoever breaks out of a `for` has nothing to clean up: the next event finds nobody and ends the subscription."""
    for number in range(2):
        bridge.publish(f"task:{number}")
    for event in client.events(since=0):
        assert event.topic == "task:0"
        break
    gc.collect()
    bridge.publish("task:2")
    until(lambda: client._connection.registry.snapshot() == ())


def test_disconnecting_ends_it_after_what_had_come_in(client: TaskCopilotClient, bridge: FakeBridge) -> None:
    """The loop ends, and the cursor of its last event is good for the next connection."""
    events = client.events()
    fill(client, bridge, 3)
    client.disconnect()
    got = list(events)
    assert [event.topic for event in got] == ["task:0", "task:1", "task:2"]
    assert events.is_disconnected
    bridge.publish("task:3")
    assert client.connect()
    assert next(client.events(since=got[-1].cursor)).topic == "task:3"


def test_disconnecting_ends_a_wait(client: TaskCopilotClient, bridge: FakeBridge) -> None:
    """Nobody waits for a client that is gone; wait_for says so."""
    errors: list[Exception] = []

    def wait() -> None:
        try:
            client.wait_for("task:1", "task.completed", timeout=20)
        except UnreachableError as error:
            errors.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    until(client._connection.registry.snapshot)
    client.disconnect()
    thread.join(20)
    assert [str(error) for error in errors] == ["disconnected while waiting for task.completed on task:1"]


def test_iterating_may_begin_before_connecting(new_client: NewClient, bridge: FakeBridge) -> None:
    """The first connection brings it into force."""
    client = new_client()
    events = client.events("task:*")
    assert client.connect()
    bridge.publish("task:1")
    assert next(events).topic == "task:1"


def test_a_failed_connect_ends_no_iterator(new_client: NewClient, bridge: FakeBridge) -> None:
    """Only `disconnect` does."""
    client = new_client()
    events = client.events("task:*")
    bridge.stop()
    assert not client.connect()
    bridge.start()
    assert client.connect()
    bridge.publish("task:1")
    assert next(events).topic == "task:1"


def test_it_goes_on_through_all_modes(client: TaskCopilotClient, bridge: FakeBridge, clock: FakeClock) -> None:
    """WebSocket, polling, WebSocket: the loop does not notice."""
    events = client.events()
    bridge.publish("task:live")
    bridge.refuse = True
    bridge.drop()
    bridge.publish("task:lost")
    until(lambda: client.mode == "http")
    bridge.publish("task:polled")
    bridge.refuse = False
    until_websocket(client, clock)
    bridge.publish("task:again")
    assert topics(events, 4) == ["task:live", "task:lost", "task:polled", "task:again"]


def test_a_slow_iterator_delays_nobody_and_loses_nothing(client: TaskCopilotClient, bridge: FakeBridge) -> None:
    """D9 on this side: callbacks run on, the rest is read from the log, then it is live again."""
    total = CAPACITY + 700
    with client.events("task:*") as events:
        fill(client, bridge, total)
        assert topics(events, total) == [f"task:{number}" for number in range(total)]
        bridge.publish("task:live")
        assert next(events).topic == "task:live"
    pages = [path for path in bridge.requests if path.startswith("/api/events")]
    assert len(pages) == 2


def test_an_iterator_that_falls_behind_again_loses_nothing_either(
    client: TaskCopilotClient, bridge: FakeBridge
) -> None:
    """While it reads the log, more comes than its inbox holds."""
    events = client.events("task:*")
    fill(client, bridge, CAPACITY + 1)
    got = topics(events, CAPACITY + 1)
    fill(client, bridge, CAPACITY + 1)
    got += topics(events, CAPACITY)
    fill(client, bridge, 5)
    got += topics(events, 6)
    round_trip = [f"task:{number}" for number in range(CAPACITY + 1)]
    assert got == [*round_trip, *round_trip, *round_trip[:5]]


def test_what_retention_removed_meanwhile_is_told(client: TaskCopilotClient, bridge: FakeBridge) -> None:
    """H2: the gap of a page goes to on_gap."""
    gaps = Recorder()
    client.on_gap(gaps)
    events = client.events()
    fill(client, bridge, CAPACITY + 10)
    bridge.log.pruned_to = CAPACITY + 4
    assert topics(events, CAPACITY + 1)[-1] == f"task:{CAPACITY + 4}"
    gaps.wait(1)
    assert gaps.calls == [(CAPACITY + 1, CAPACITY + 4)]


def test_a_log_that_cannot_be_read_now_is_read_later(client: TaskCopilotClient, bridge: FakeBridge) -> None:
    """503 costs a pause, not an event."""
    events = client.events()
    fill(client, bridge, CAPACITY + 1)
    assert topics(events, CAPACITY)[-1] == f"task:{CAPACITY - 1}"
    bridge.no_http = True
    asked = len(bridge.requests)
    got: list[Any] = []
    thread = threading.Thread(target=lambda: got.append(next(events)))
    thread.start()
    until(lambda: len(bridge.requests) > asked + 1)
    bridge.no_http = False
    thread.join(20)
    assert got[0].topic == f"task:{CAPACITY}"


def test_a_log_that_cannot_be_read_does_not_keep_it_from_ending(client: TaskCopilotClient, bridge: FakeBridge) -> None:
    """Disconnecting ends the pauses too."""
    events = client.events()
    fill(client, bridge, CAPACITY + 1)
    bridge.no_http = True
    client.disconnect()
    assert len(list(events)) == CAPACITY


def test_a_server_without_a_log_cannot_help_a_slow_iterator(new_client: NewClient, bridge: FakeBridge) -> None:
    """It is told what is gone, and may go on with what comes then."""
    bridge.old = True
    client = new_client()
    assert client.connect()
    events = client.events()
    fill(client, bridge, CAPACITY + 1)
    assert len(topics(events, CAPACITY)) == CAPACITY
    with pytest.raises(EventsLostError):
        next(events)
    bridge.publish("task:next")
    event = next(events)
    assert (event.topic, event.seq, event.cursor) == ("task:next", None, None)


def test_unsubscribing_everybody_does_not_mean_iterators(client: TaskCopilotClient, bridge: FakeBridge) -> None:
    """Who iterates would wait for ever; an iterator ends by its own `close`."""
    events, recorder = client.events("task:*"), Recorder()
    client.subscribe(["task:*"], recorder)
    client.unsubscribe(["task:*"])
    bridge.publish("task:1")
    assert next(events).topic == "task:1"
    assert recorder.calls == []


def test_a_refusal_is_raised(new_client: NewClient, bridge: FakeBridge) -> None:
    """At once where the bridge can be asked, else where it is iterated."""
    client = new_client()
    early = client.events("nonsense")
    assert client.connect()
    with pytest.raises(SubscriptionError) as caught:
        next(early)
    assert caught.value.code == "WS_INVALID_TOPIC"
    with pytest.raises(SubscriptionError):
        client.events("nonsense")
    assert client._connection.registry.snapshot() == ()


@pytest.mark.parametrize(
    ("arguments", "blamed"),
    [
        ({"topics": ""}, "topics"),
        ({"topics": []}, "topics"),
        ({"topics": [1]}, "topics"),
        ({"event_types": ["task.created", ""]}, "event_types"),
        ({"since": "yesterday"}, "since"),
    ],
)
def test_bad_arguments_name_the_one_at_fault(client: TaskCopilotClient, arguments: dict[str, Any], blamed: str) -> None:
    """And nothing is subscribed."""
    with pytest.raises((ValueError, TypeError), match=blamed):
        client.events(**arguments)
    assert client._connection.registry.snapshot() == ()


def test_a_callback_cannot_wait_for_events(client: TaskCopilotClient, bridge: FakeBridge) -> None:
    """It would wait for itself; making an iterator there is fine."""
    made: list[EventIterator] = []
    recorder = Recorder()

    def misuse(*_: Any) -> None:
        made.append(client.events("stream:*"))
        with pytest.raises(RuntimeError, match="callback"):
            next(made[0])
        recorder()

    client.subscribe(["task:*"], misuse)
    bridge.publish("task:1")
    recorder.wait(1)
    until(lambda: len(bridge.asked("subscribe")) == 2)
    bridge.turn()
    bridge.publish("stream:1")
    assert next(made[0]).topic == "stream:1"


def test_wait_for_works_inside_the_loop(client: TaskCopilotClient, bridge: FakeBridge) -> None:
    """The body of a loop is no callback: it may wait for other events."""
    bridge.publish("task:1")
    for event in client.events("task:*", since=0):
        threading.Thread(target=bridge.publish, args=("stream:1", "stream.completed", 7)).start()
        assert client.wait_for("stream:1", "stream.completed", since=event.cursor) == 7
        break
    else:
        pytest.fail("no event came")
