"""A server of the original kind: its tasks are polled, and what differs becomes events with the same interface."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from task_copilot_client import TaskCopilotClient
from tests.client.fake_bridge import FakeBridge
from tests.client.helpers import FakeClock, Recorder, until
from tests.helpers.original_client import OriginalClient
from tests.helpers.original_server import OriginalServer, running_original

NewClient = Callable[..., TaskCopilotClient]


@pytest.fixture
def original() -> Iterator[OriginalServer]:
    """A server without a log and without a WebSocket."""
    with running_original() as server:
        yield server


@pytest.fixture
def follower(original: OriginalServer, new_client: NewClient) -> TaskCopilotClient:
    """A client of it that polls every 30 s."""
    client = new_client(api_base=original.url)
    assert client.connect()
    return client


def types(recorder: Recorder) -> list[tuple[str, str]]:
    """Topics and types of what came."""
    return [call[:2] for call in recorder.calls]


def test_the_imitation_has_the_defects_of_the_original(original: OriginalServer) -> None:
    """Contract 6.2: the original's own fallback gets not a single event out of it."""
    original.create("T1", stream="S")
    client, recorder = OriginalClient(original.url), Recorder()
    client.subscriptions = {"stream:*": [recorder], "task:T1": [recorder]}
    with pytest.raises(KeyError, match=r"completedTasks|totalTasks"):
        client.poll_once()
    assert recorder.calls == []


def test_it_is_polled_where_no_websocket_can_be_had(follower: TaskCopilotClient, original: OriginalServer) -> None:
    """connect says yes; one request for the log shows that there is none, one brings the tasks."""
    assert (follower.mode, follower.connected, follower.cursor) == ("http", True, None)
    assert original.requests == ["/ws", "/api/events?limit=1", "/api/tasks"]


@pytest.mark.parametrize("topics", [["task:T1", "stream:S"], ["task:*", "stream:?"], ["*"], ["*:*"]])
def test_changes_become_events_at_the_next_poll(
    follower: TaskCopilotClient, original: OriginalServer, clock: FakeClock, topics: list[str]
) -> None:
    """For topics and globs alike, every 30 s, in the order of the server."""
    original.create("T1", stream="S")
    recorder = Recorder()
    follower.subscribe(topics, recorder)
    original.update("T1", status="in_progress", assignedAgent="me")
    clock.advance(30)
    recorder.wait(3)
    original.update("T1", status="completed")
    clock.advance(30)
    recorder.wait(8)
    assert types(recorder) == [
        ("task:T1", "task.updated"),
        ("task:T1", "task.status_changed"),
        ("stream:S", "stream.progress"),
        ("task:T1", "task.updated"),
        ("task:T1", "task.status_changed"),
        ("task:T1", "task.completed"),
        ("stream:S", "stream.progress"),
        ("stream:S", "stream.completed"),
    ]
    assert recorder.calls[2][2]["streamName"] == "s"


def test_only_what_was_asked_for_comes(follower: TaskCopilotClient, original: OriginalServer, clock: FakeClock) -> None:
    """Patterns choose among synthetic events as among real ones."""
    one, streams = Recorder(), Recorder()
    follower.subscribe(["task:T2"], one)
    follower.subscribe(["stream:*"], streams)
    original.create("T1", stream="S")
    original.create("T2", stream="S")
    clock.advance(30)
    one.wait(1)
    streams.wait(1)
    assert types(one) == [("task:T2", "task.created")]
    assert types(streams) == [("stream:S", "stream.progress")]
    assert streams.calls[0][2]["totalTasks"] == 2


def test_what_was_there_before_is_no_event(
    follower: TaskCopilotClient, original: OriginalServer, clock: FakeClock
) -> None:
    """A subscription begins with the state of its own first poll; who was there already gets the difference then."""
    early, late = Recorder(), Recorder()
    follower.subscribe(["task:*"], early)
    original.create("T1")
    follower.subscribe(["task:*"], late)
    early.wait(1)
    original.create("T2")
    clock.advance(30)
    late.wait(1)
    early.wait(2)
    assert early.topics == ["task:T1", "task:T2"]
    assert late.topics == ["task:T2"]


def test_the_log_is_not_asked_for_again(
    follower: TaskCopilotClient, original: OriginalServer, clock: FakeClock
) -> None:
    """Once known, a poll is one request."""
    follower.subscribe(["*"], Recorder())
    before = original.requests.count("/api/tasks")
    clock.advance(30)
    until(lambda: original.requests.count("/api/tasks") > before)
    assert [path for path in original.requests if "events" in path] == ["/api/events?limit=1"]


def test_synthetic_events_say_so(follower: TaskCopilotClient, original: OriginalServer, clock: FakeClock) -> None:
    """An iterator's events have no number, but a mark; wait_for works as well."""
    events = follower.events("task:*", event_types="task.created")
    original.create("T1", assignedAgent="qa")
    clock.advance(30)
    event = next(events)
    assert (event.topic, event.synthetic, event.seq, event.cursor) == ("task:T1", True, None, None)
    assert event.at == event.data["createdAt"]


def test_what_cannot_be_had_is_said(follower: TaskCopilotClient, caplog: pytest.LogCaptureFixture) -> None:
    """Checkpoints and agents are in no task, and the past is nowhere."""
    follower.subscribe(["checkpoint:*", "agent:qa", "task:*"], Recorder(), since=5)
    messages = [record.getMessage() for record in caplog.records]
    assert "the server keeps no log: past events cannot be delivered" in messages
    assert "the server keeps no log: events of checkpoint:* cannot be had by polling" in messages
    assert "the server keeps no log: events of agent:qa cannot be had by polling" in messages
    assert not [message for message in messages if "task:*" in message]


def test_archived_tasks_show_in_their_stream(
    follower: TaskCopilotClient, original: OriginalServer, clock: FakeClock
) -> None:
    """The counts go down; nothing else can be known."""
    original.create("T1", stream="S")
    original.create("T2", stream="S", prd=None)
    recorder = Recorder()
    follower.subscribe(["*"], recorder)
    original.archive("T1")
    clock.advance(30)
    recorder.wait(1)
    assert types(recorder) == [("stream:S", "stream.progress")]


def test_what_a_websocket_has_told_is_not_told_again(
    new_client: NewClient, bridge: FakeBridge, clock: FakeClock
) -> None:
    """After a WebSocket that worked, the first poll is a new beginning."""
    bridge.old, bridge.refuse, bridge.tasks = True, True, [_task("pending", "1")]
    client, recorder = new_client(), Recorder()
    assert client.connect()
    client.subscribe(["task:*"], recorder)
    bridge.refuse = False
    clock.advance(10)
    until(lambda: bridge.asked("subscribe"))
    bridge.turn()
    bridge.tasks = [_task("completed", "2")]
    bridge.publish("task:T", "task.completed")
    recorder.wait(1)
    bridge.refuse = True
    bridge.drop()
    until(lambda: client.mode == "http")
    bridge.tasks = [_task("pending", "3")]
    clock.advance(30)
    recorder.wait(3)
    assert [call[1] for call in recorder.calls] == ["task.completed", "task.updated", "task.status_changed"]


def test_a_server_that_gets_a_log_is_read_from_it(new_client: NewClient, bridge: FakeBridge, clock: FakeClock) -> None:
    """After a failed poll nobody knows who answers next."""
    bridge.old, bridge.refuse, bridge.tasks = True, True, []
    client, recorder = new_client(), Recorder()
    assert client.connect()
    client.subscribe(["task:*"], recorder)
    bridge.stop()
    clock.advance(30)
    until(lambda: client.mode == "reconnecting")
    bridge.old, bridge.tasks = False, None
    bridge.start()
    until(lambda: client.mode == "http")
    bridge.publish("task:logged")
    clock.advance(30)
    recorder.wait(1)
    assert recorder.topics == ["task:logged"]


def _task(status: str, at: str) -> dict[str, Any]:
    return {"id": "T", "title": "t", "status": status, "metadata": {}, "createdAt": "0", "updatedAt": at}
