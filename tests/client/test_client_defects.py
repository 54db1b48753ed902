"""The 26 defects of the original client, by their numbers: each has its counterpart here."""

from __future__ import annotations

import inspect
import json
import logging
import threading
import time
import typing
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import task_copilot_client
from task_copilot_client import SubscriptionError, TaskCopilotClient
from task_copilot_client.clock import SYSTEM_CLOCK
from tests.client.fake_bridge import FakeBridge
from tests.client.helpers import FakeClock, Recorder, own_threads, until, until_websocket
from tests.client.test_client_imports import run

NewClient = Callable[..., TaskCopilotClient]
PROGRESS = {"streamId": "S", "streamName": "n", "totalTasks": 4, "completedTasks": 2, "progressPercentage": 50}


def polled(client: TaskCopilotClient, bridge: FakeBridge, clock: FakeClock, topics: list[str], *events: Any) -> Any:
    """Publish events, let a poll come due, and return what a callback for the topics gets."""
    recorder = Recorder()
    client.subscribe(topics, recorder)
    clock.advance(0)
    for event in events:
        bridge.publish(*event)
    clock.advance(30)
    recorder.wait(len(events))
    return recorder.calls


def test_defect_1_polling_brings_stream_events(
    polling: TaskCopilotClient, bridge: FakeBridge, clock: FakeClock
) -> None:
    """1: the original missed the counts and delivered no stream event at all."""
    event = ("stream:S", "stream.progress", PROGRESS)
    assert polled(polling, bridge, clock, ["stream:S"], event) == [event]


def test_defect_2_polling_brings_the_events_of_one_task(
    polling: TaskCopilotClient, bridge: FakeBridge, clock: FakeClock
) -> None:
    """2: the original asked for a route that is not there."""
    event = ("task:T", "task.updated", {"taskId": "T"})
    assert polled(polling, bridge, clock, ["task:T"], event) == [event]


def test_defect_3_polling_knows_every_pattern(polling: TaskCopilotClient, bridge: FakeBridge, clock: FakeClock) -> None:
    """3: the original never polled task:*, checkpoint:*, agent:* and *."""
    everything = Recorder()
    polling.subscribe(["*"], everything)
    events = [(f"{entity}:1", "x", None) for entity in ("task", "checkpoint", "agent")]
    assert polled(polling, bridge, clock, ["task:*", "checkpoint:*", "agent:*"], *events) == events
    assert everything.calls == events


def test_defect_4_a_polled_event_has_the_data_of_a_live_one(
    polling: TaskCopilotClient, bridge: FakeBridge, clock: FakeClock
) -> None:
    """4: the original handed out the raw resource instead."""
    data = {"taskId": "T", "taskTitle": "t", "changes": []}
    live = Recorder()
    assert polled(polling, bridge, clock, ["task:*"], ("task:T", "task.updated", data))[0][2] == data
    bridge.refuse = False
    clock.advance(10)
    until(lambda: polling.mode == "websocket")
    polling.subscribe(["task:*"], live)
    bridge.publish("task:T", "task.updated", data)
    live.wait(1)
    assert live.calls[0][2] == data


def test_defect_5_polling_brings_every_type(polling: TaskCopilotClient, bridge: FakeBridge, clock: FakeClock) -> None:
    """5: the original knew stream.progress only."""
    types = ["stream.completed", "stream.blocked", "stream.started"]
    events = [("stream:S", kind, {}) for kind in types]
    assert [call[1] for call in polled(polling, bridge, clock, ["stream:*"], *events)] == types


def test_defect_6_a_restart_of_the_bridge_is_survived(
    client: TaskCopilotClient, bridge: FakeBridge, clock: FakeClock
) -> None:
    """6: the original claimed to reconnect, and did not."""
    recorder = Recorder()
    client.subscribe(["*"], recorder)
    bridge.stop()
    bridge.start()
    until(lambda: bridge.upgrades == 2 or (client.mode == "http" and clock.advance(10)))
    bridge.publish("task:1")
    recorder.wait(1)


def test_defect_7_a_lost_websocket_falls_back_to_polling(
    client: TaskCopilotClient, bridge: FakeBridge, clock: FakeClock
) -> None:
    """7: the original stayed in the mode websocket and heard nothing."""
    recorder = Recorder()
    client.subscribe(["*"], recorder)
    bridge.refuse = True
    bridge.drop()
    until(lambda: client.get_mode() == "http")
    clock.advance(0)
    bridge.publish("task:1")
    clock.advance(30)
    recorder.wait(1)
    assert 2 <= bridge.requests.count("/ws") - 1 <= 3 + 3  # three tries before polling, then a probe every 10 s


def test_defect_8_subscriptions_may_come_before_connect(new_client: NewClient, bridge: FakeBridge) -> None:
    """8: the original never sent them."""
    client, recorder = new_client(), Recorder()
    client.subscribe(["task:*"], recorder)
    client.connect()
    bridge.publish("task:1")
    recorder.wait(1)


def test_defect_9_connect_says_no_where_nobody_is(new_client: NewClient, bridge: FakeBridge) -> None:
    """9: the original always said yes."""
    bridge.stop()
    assert new_client().connect() is False


def test_defect_10_a_refused_connection_is_refused_at_once(new_client: NewClient, bridge: FakeBridge) -> None:
    """10: the original waited 5 seconds all the same."""
    bridge.stop()
    started = time.monotonic()
    new_client(connect_timeout=60.0, request_timeout=60.0).connect()
    assert time.monotonic() - started < 3


def test_defect_11_no_late_websocket_appears(new_client: NewClient, bridge: FakeBridge, clock: FakeClock) -> None:
    """11: in the original a handshake that took too long connected behind the back of polling."""
    bridge.refuse = True
    client = new_client()
    client.connect()
    bridge.refuse = False
    clock.advance(5)
    client.disconnect()
    assert (client.mode, client.connected, own_threads(), bridge.upgrades) == ("disconnected", False, [], 0)


def test_defect_12_overlapping_patterns_call_once(client: TaskCopilotClient, bridge: FakeBridge) -> None:
    """12: the original called once for every pattern."""
    recorder = Recorder()
    client.subscribe(["task:*", "*"], recorder)
    client.subscribe(["task:1"], recorder)
    bridge.publish("task:1")
    bridge.publish("stream:end")
    recorder.wait(2)
    assert recorder.topics == ["task:1", "stream:end"]


def test_defect_13_subscribing_under_load_loses_nothing(client: TaskCopilotClient, bridge: FakeBridge) -> None:
    """13: the original changed a dict while another thread iterated over it."""
    recorder, done = Recorder(), threading.Event()
    client.subscribe(["task:*"], recorder)

    def churn() -> None:
        while not done.is_set():
            extra = Recorder()
            client.subscribe(["task:*", "stream:*"], extra)
            client.unsubscribe(["stream:*", "task:*"], extra)

    churning = threading.Thread(target=churn)
    churning.start()
    for number in range(300):
        bridge.publish(f"task:{number}")
    recorder.wait(300)
    done.set()
    churning.join(20)
    assert recorder.topics == [f"task:{number}" for number in range(300)]


def test_defect_14_a_refusal_is_raised_where_it_was_asked_for(client: TaskCopilotClient, bridge: FakeBridge) -> None:
    """14: the original printed refusals, kept the registration, and used an id twice within a millisecond."""
    bridge.max_patterns = 1
    client.disconnect()
    client.connect()
    for number in range(20):
        topics = [f"task:{number}", f"task:{number}x"]
        with pytest.raises(SubscriptionError, match="WS_SUBSCRIPTION_LIMIT"):
            client.subscribe(topics, Recorder())
    assert client._connection.registry.snapshot() == ()
    assert len({message["id"] for message in bridge.asked("subscribe")}) == 20


def test_defect_15_nothing_is_swallowed(
    client: TaskCopilotClient, bridge: FakeBridge, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """15: the original hid what callbacks raised, and dropped what was sent while it was disconnected."""
    recorder, late = Recorder(), Recorder()

    def fail(*_: Any) -> None:
        raise ValueError("the callback is wrong")

    client.subscribe(["*"], fail)
    client.subscribe(["*"], recorder)
    bridge.publish("task:1")
    recorder.wait(1)
    assert [record.levelno for record in caplog.records if record.exc_info] == [logging.ERROR]
    bridge.stop()
    until(lambda: not client.connected)
    client.subscribe(["stream:*"], late)
    bridge.start()
    until_websocket(client, clock)
    until(lambda: "stream:*" in bridge.asked("subscribe")[-1]["payload"]["topics"])
    bridge.turn()
    bridge.publish("stream:1")
    late.wait(1)


def test_defect_16_one_callback_can_be_removed(client: TaskCopilotClient, bridge: FakeBridge) -> None:
    """16: the original could drop whole patterns only; that works too."""
    first, second, third = Recorder(), Recorder(), Recorder()
    for recorder in (first, second, third):
        client.subscribe(["task:*", "stream:*"], recorder)
    client.unsubscribe(["task:*"], first)
    bridge.publish("task:1")
    second.wait(1)
    client.unsubscribe(["task:*"])
    bridge.publish("task:2")
    bridge.publish("stream:1")
    for recorder in (first, second, third):
        until(lambda calls=recorder.calls: calls and calls[-1][0] == "stream:1")
    assert (first.topics, second.topics, third.topics) == (["stream:1"], *[["task:1", "stream:1"]] * 2)


def test_defect_17_disconnect_joins_and_a_second_connect_leaks_nothing(client: TaskCopilotClient) -> None:
    """17: the original left threads behind and kept its mode."""
    client.disconnect()
    assert (own_threads(), client.get_mode()) == ([], "disconnected")
    client.connect()
    client.connect()
    assert len(own_threads()) == 2


def test_defect_18_polling_can_be_interrupted(polling: TaskCopilotClient, bridge: FakeBridge) -> None:
    """18: in the original a new subscription and disconnect waited for the interval; here the clock stands still."""
    bridge.publish("task:1")
    recorder = Recorder()
    polling.subscribe(["*"], recorder, since=0)
    recorder.wait(1)
    polling.disconnect()
    assert own_threads() == []


def test_defect_19_a_poll_is_one_request(polling: TaskCopilotClient, bridge: FakeBridge, clock: FakeClock) -> None:
    """19: the original sent one for every stream, and two for some."""
    recorder = Recorder()
    polling.subscribe(["stream:*", "stream:S"], recorder)
    polling.subscribe(["stream:S", "task:*"], recorder)
    clock.advance(0)
    before = len([path for path in bridge.requests if path != "/ws"])
    for number in range(9):
        bridge.publish(f"stream:{number}")
    clock.advance(30)
    recorder.wait(9)
    assert len([path for path in bridge.requests if path != "/ws"]) == before + 1


def test_defect_20_addresses_and_ids_are_made_safe(new_client: NewClient, bridge: FakeBridge) -> None:
    """20: the original asked for //ws after a trailing slash, and put ids into URLs as they were."""
    client = new_client(api_base=bridge.url + "/")
    assert (client.api_base, client.ws_url) == (bridge.url, bridge.url.replace("http", "ws") + "/ws")
    client.call("a/b?c")
    bridge.refuse = True
    client.connect()
    client.subscribe(["task:ä &=#/%"], Recorder(), since=0)
    client.disconnect()
    assert bridge.requests[0] == "/api/tools/a%2Fb%3Fc"
    assert "topics=task:%C3%A4+%26%3D%23/%25" in bridge.requests[-1].replace("%3A", ":").replace("%2F", "/")


def test_defect_21_nothing_is_printed_and_ascii_is_enough() -> None:
    """21: the original crashed on an ASCII stdout, with check marks. See also test_client_imports."""
    code = "from task_copilot_client import TaskCopilotClient as C; C('http://127.0.0.1:1', debug=True).connect()"
    assert run(code, PYTHONIOENCODING="ascii", LC_ALL="C") == ""


def test_defect_22_timestamps_know_their_zone(client: TaskCopilotClient, bridge: FakeBridge) -> None:
    """22: the original used utcnow, which is deprecated."""
    stamp = SYSTEM_CLOCK.timestamp()
    assert stamp.endswith("Z")
    assert datetime.fromisoformat(stamp).utcoffset() == timedelta(0)
    client.subscribe(["*"], Recorder())
    assert bridge.asked("subscribe")[0]["timestamp"] == "2026-01-08T12:00:00.000Z"
    sources = Path(task_copilot_client.__file__).parent.glob("*.py")
    assert not [path for path in sources if "utcnow" in path.read_text("utf-8")]


def test_defect_23_the_client_matches_as_the_bridge_does(client: TaskCopilotClient, bridge: FakeBridge) -> None:
    """23: in the original the two disagreed on patterns. See also test_client_matching."""
    recorder = Recorder()
    client.subscribe(["task:T-*", "stream:S?"], recorder)
    for topic in ("task:X", "task:T-1", "stream:S12", "stream:S1", "task:T-"):
        bridge.publish(topic)
    recorder.wait(3)
    assert recorder.topics == ["task:T-1", "stream:S1", "task:T-"]


def test_defect_24_a_dead_connection_is_noticed(
    client: TaskCopilotClient, bridge: FakeBridge, clock: FakeClock
) -> None:
    """24: the original would wait for a half-open connection for good."""
    recorder = Recorder()
    client.subscribe(["*"], recorder)
    clock.advance(75.1)
    until(lambda: bridge.upgrades == 2)
    bridge.publish("task:1")
    recorder.wait(1)


def test_defect_25_requests_is_loaded_only_for_http() -> None:
    """25: the original imported it always. See also test_client_imports."""
    assert run("import sys, task_copilot_client; print('requests' in sys.modules)").strip() == "False"


def test_defect_26_annotations_are_types() -> None:
    """26: the original used the builtin `any` as a type. The package is typed and checked."""
    assert (Path(task_copilot_client.__file__).parent / "py.typed").exists()
    for _, method in inspect.getmembers(TaskCopilotClient, inspect.isfunction):
        assert any not in typing.get_type_hints(method).values()


def test_the_examples_of_the_original_documentation_work(client: TaskCopilotClient, bridge: FakeBridge) -> None:
    """Its usage, word for word, with events that have the fields that it reads."""
    lines: list[str] = []

    def on_stream_progress(topic: str, event_type: str, data: Any) -> None:
        lines.append(f"Stream {data['streamId']}: {data['progressPercentage']:.1f}% complete")

    client.subscribe(["stream:Stream-A"], on_stream_progress)
    bridge.publish("stream:Stream-A", "stream.progress", json.loads(json.dumps(PROGRESS)))
    until(lambda: lines)
    assert lines == ["Stream S: 50.0% complete"]
