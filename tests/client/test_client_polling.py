"""The client over HTTP, with a clock that stands still between polls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from task_copilot_client import TaskCopilotClient
from task_copilot_client.http import MAX_TOPICS, PAGE
from tests.client.fake_bridge import FakeBridge
from tests.client.helpers import FakeClock, Recorder, own_threads, until

NewClient = Callable[..., TaskCopilotClient]


def queries(bridge: FakeBridge) -> list[dict[str, list[str]]]:
    """Return the queries of the polls so far."""
    return [parse_qs(urlsplit(path).query) for path in bridge.requests if path.startswith("/api/events")]


def test_where_upgrades_are_refused_the_log_is_polled(polling: TaskCopilotClient, bridge: FakeBridge) -> None:
    """One small request shows that the bridge is there."""
    assert (polling.mode, polling.connected) == ("http", True)
    assert queries(bridge) == [{"limit": ["1"]}]


def test_without_websocket_none_is_tried(new_client: NewClient, bridge: FakeBridge, clock: FakeClock) -> None:
    """use_websocket=False polls, and never probes."""
    client = new_client(use_websocket=False)
    assert client.connect()
    clock.advance(1000)
    until(lambda: len(queries(bridge)) == 2)
    assert "/ws" not in bridge.requests


def test_events_come_at_the_poll_interval(polling: TaskCopilotClient, bridge: FakeBridge, clock: FakeClock) -> None:
    """Nothing before 30 seconds are over, everything then, in order."""
    recorder = Recorder()
    polling.subscribe(["task:*"], recorder)
    clock.advance(0)
    before = len(queries(bridge))
    for number in range(3):
        bridge.publish(f"task:{number}")
    bridge.publish("stream:1")
    clock.advance(29)
    until(lambda: bridge.requests.count("/ws") == 2)  # the probe after 10 s shows that the client looked
    assert len(queries(bridge)) == before
    clock.advance(1)
    recorder.wait(3)
    assert recorder.topics == ["task:0", "task:1", "task:2"]
    until(lambda: polling.cursor == "epoch-1:4")


def test_polling_starts_at_the_head(polling: TaskCopilotClient, bridge: FakeBridge, clock: FakeClock) -> None:
    """What was committed before the subscription is not delivered."""
    bridge.publish("task:old")
    recorder = Recorder()
    polling.subscribe(["*"], recorder)
    bridge.publish("task:new")
    clock.advance(30)
    recorder.wait(1)
    assert recorder.topics == ["task:new"]


def test_since_is_polled_at_once(polling: TaskCopilotClient, bridge: FakeBridge) -> None:
    """Old events come without waiting for the interval, and only to who asked."""
    first, second = Recorder(), Recorder()
    polling.subscribe(["*"], first)
    for number in range(3):
        bridge.publish(f"task:{number}")
    polling.subscribe(["task:*"], second, since="epoch-1:1")
    second.wait(2)
    first.wait(3)
    assert second.topics == ["task:1", "task:2"]
    assert first.topics == ["task:0", "task:1", "task:2"]


def test_many_events_are_read_page_by_page(polling: TaskCopilotClient, bridge: FakeBridge) -> None:
    """A poll does not end with a full page."""
    total = 2 * PAGE + 1
    for number in range(total):
        bridge.log.publish(f"task:{number}", "x", None)
    recorder = Recorder()
    polling.subscribe(["*"], recorder, since=0)
    recorder.wait(total)
    assert recorder.topics == [f"task:{number}" for number in range(total)]


def test_topics_too_many_for_a_url_are_left_out(polling: TaskCopilotClient, bridge: FakeBridge) -> None:
    """The client matches by itself then."""
    recorder = Recorder()
    bridge.publish("stream:1")
    bridge.publish(f"task:{'x' * 100}7")
    polling.subscribe([f"task:{'x' * 100}{number}" for number in range(MAX_TOPICS // 100)], recorder, since=0)
    recorder.wait(1)
    assert "topics" not in queries(bridge)[-1]
    assert len(recorder.calls) == 1


def test_a_pattern_with_a_comma_is_not_split(polling: TaskCopilotClient, bridge: FakeBridge) -> None:
    """H1 separates topics with commas; the pattern asks for any character there, and the client for the comma."""
    recorder = Recorder()
    bridge.publish("task:axb")
    bridge.publish("task:a,b")
    polling.subscribe(["task:a,b"], recorder, since=0)
    recorder.wait(1)
    assert queries(bridge)[-1]["topics"] == ["task:a?b"]
    assert recorder.topics == ["task:a,b"]


def test_a_gap_is_told_when_polling(polling: TaskCopilotClient, bridge: FakeBridge) -> None:
    """H2: as over a WebSocket."""
    gaps, recorder = Recorder(), Recorder()
    polling.on_gap(gaps)
    for number in range(4):
        bridge.publish(f"task:{number}")
    bridge.log.pruned_to = 2
    polling.subscribe(["*"], recorder, since="epoch-1:0")
    recorder.wait(2)
    assert gaps.calls == [(1, 2)]


def test_the_websocket_is_used_again_as_soon_as_it_answers(
    polling: TaskCopilotClient, bridge: FakeBridge, clock: FakeClock
) -> None:
    """A probe every probe_interval; what came in between is delivered once, from the same cursor."""
    recorder = Recorder()
    polling.subscribe(["*"], recorder)
    bridge.publish("task:1")
    bridge.refuse = False
    clock.advance(10)
    until(lambda: polling.mode == "websocket")
    bridge.publish("task:2")
    recorder.wait(2)
    assert recorder.topics == ["task:1", "task:2"]


def test_a_dead_bridge_is_noticed_and_found_again(
    polling: TaskCopilotClient, bridge: FakeBridge, clock: FakeClock
) -> None:
    """A poll that fails leads to trying both ways until one works."""
    recorder = Recorder()
    polling.subscribe(["*"], recorder)
    clock.advance(0)
    bridge.stop()
    clock.advance(30)
    until(lambda: polling.mode == "reconnecting")
    bridge.log.publish("task:1", "x", None)
    bridge.start()
    until(lambda: polling.mode == "http")
    recorder.wait(1)


def test_refused_polls_are_tried_again(polling: TaskCopilotClient, bridge: FakeBridge, clock: FakeClock) -> None:
    """503 is no answer, and no end."""
    recorder = Recorder()
    polling.subscribe(["*"], recorder)
    clock.advance(0)
    bridge.publish("task:1")
    bridge.no_http = True
    clock.advance(30)
    until(lambda: polling.mode == "reconnecting")
    bridge.no_http = False
    recorder.wait(1)


@pytest.mark.parametrize(
    "page",
    [[], {}, {"events": []}, {"events": [], "head": "x", "next": "e:1"}, {"events": [], "head": 1, "next": None}],
)
def test_an_answer_that_is_no_page_is_a_failed_poll(new_client: NewClient, bridge: FakeBridge, page: Any) -> None:
    """What is no bridge's answer is no connection."""
    bridge.refuse = True
    bridge.log.page = lambda _: page  # type: ignore[method-assign]
    assert not new_client().connect()


def test_a_strange_event_does_not_keep_the_others_from_coming(polling: TaskCopilotClient, bridge: FakeBridge) -> None:
    """It is skipped, or every later poll would fail on it again."""
    bridge.publish("task:1")
    bridge.log.events.append({"type": "event", "seq": 2, "payload": {"topic": "task:2", "eventType": None}})
    bridge.publish("task:3")
    recorder = Recorder()
    polling.subscribe(["*"], recorder, since=0)
    recorder.wait(2)
    assert recorder.topics == ["task:1", "task:3"]


def test_a_server_with_neither_log_nor_tasks_cannot_be_polled(
    new_client: NewClient, bridge: FakeBridge, caplog: pytest.LogCaptureFixture
) -> None:
    """connect says no, and once why."""
    bridge.old, bridge.refuse = True, True
    assert not new_client().connect()
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len(warnings) == 1
    assert warnings[0].startswith("cannot poll: GET /api/tasks failed: HTTP 404")
    assert own_threads() == []


def test_the_original_server_is_followed_over_a_websocket(new_client: NewClient, bridge: FakeBridge) -> None:
    """Events without numbers are delivered, also after a reconnect."""
    bridge.old = True
    client, recorder = new_client(), Recorder()
    assert client.connect()
    client.subscribe(["task:*"], recorder)
    bridge.publish("task:1")
    recorder.wait(1)
    bridge.drop()
    until(lambda: len(bridge.asked("subscribe")) == 2)
    bridge.turn()
    bridge.publish("task:2")
    recorder.wait(2)
    assert client.cursor is None
