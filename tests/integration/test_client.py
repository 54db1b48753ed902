"""The real client on the real bridge, each in a process of its own: events, calls, falls and returns."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from task_copilot_client import TaskCopilotClient, ToolError
from task_copilot_client.inbox import CAPACITY
from tests.helpers.processes import Running, running
from tests.helpers.waiting import DEADLINE


class Seen:
    """Keeps the events of a client, and waits for them."""

    def __init__(self) -> None:
        self.events: list[tuple[str, str, dict[str, Any]]] = []
        self._changed = threading.Condition()

    def __call__(self, topic: str, event_type: str, data: dict[str, Any]) -> None:
        with self._changed:
            self.events.append((topic, event_type, data))
            self._changed.notify_all()

    def wait(self, count: int) -> list[str]:
        """Return the titles of all events, once there are so many of them."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.events) >= count, DEADLINE), len(self.events)
            return [data["taskTitle"] for _, _, data in self.events]


@contextlib.contextmanager
def bridge(directory: Path, port: int = 0) -> Iterator[tuple[Running, str]]:
    """Run a bridge on the directory's database; yields it and its address."""
    with running(directory, "serve", "--db", "tasks.db", "--port", str(port), "--json", LOG_LEVEL="error") as process:
        yield process, json.loads(process.out.next())["url"]


@pytest.fixture
def port() -> int:
    """A port that is free now: a bridge that comes back needs the one that it had."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_call_and_its_event_go_round(tmp_path: Path) -> None:
    """Tools by `call`, events by callback, errors with code and field."""
    seen = Seen()
    with bridge(tmp_path) as (_, url), TaskCopilotClient(url) as client:
        assert client.get_mode() == "websocket"
        client.subscribe(["task:*", "*"], seen)
        task = client.call("task_create", title="first")
        assert seen.wait(1) == ["first"]
        assert seen.events[0][:2] == (f"task:{task['id']}", "task.created")
        with pytest.raises(ToolError) as caught:
            client.call("task_update", id=task["id"], status="finished")
        assert (caught.value.code, caught.value.status, caught.value.field) == ("INVALID_ARGUMENT", 400, "status")
        with pytest.raises(ToolError) as caught:
            client.call("task_get", id="TASK-none")
        assert (caught.value.code, caught.value.status) == ("NOT_FOUND", 404)


def test_nothing_is_lost_or_doubled_when_the_bridge_is_killed(tmp_path: Path, port: int) -> None:
    """D1, D4: kill -9 and a new process on the same port; another client writes while this one is away."""
    seen = Seen()
    with contextlib.ExitStack() as stack:
        first, url = stack.enter_context(bridge(tmp_path, port))
        client = stack.enter_context(TaskCopilotClient(url, max_backoff=0.5, probe_interval=0.2))
        client.subscribe(["task:*"], seen)
        for number in range(20):
            client.call("task_create", title=f"{number}")
        seen.wait(10)
        first.popen.kill()
        first.wait()
        stack.enter_context(bridge(tmp_path, port))
        writer = TaskCopilotClient(url)
        for number in range(20, 40):
            writer.call("task_create", title=f"{number}")
        writer.disconnect()
        assert seen.wait(40) == [str(number) for number in range(40)]


def test_polling_sees_the_same_events(tmp_path: Path) -> None:
    """H1: without a WebSocket, from one cursor."""
    seen = Seen()
    with bridge(tmp_path) as (_, url), TaskCopilotClient(url, use_websocket=False, poll_interval=0.05) as client:
        assert client.get_mode() == "http"
        client.subscribe(["task:*"], seen)
        for number in range(30):
            client.call("task_create", title=f"{number}")
        assert seen.wait(30) == [str(number) for number in range(30)]


def test_without_a_bridge_connect_says_no_at_once(port: int) -> None:
    """The original waited five seconds and then said yes."""
    client = TaskCopilotClient(f"http://127.0.0.1:{port}")
    assert client.connect() is False
    assert client.get_mode() == "disconnected"
    assert not [thread for thread in threading.enumerate() if "copilot" in thread.name]


def test_a_graceful_restart_is_noticed_at_once(tmp_path: Path, port: int) -> None:
    """C5: closed with 1001, the client comes back to the next process by itself."""
    seen, modes = Seen(), []
    with contextlib.ExitStack() as stack:
        first, url = stack.enter_context(bridge(tmp_path, port))
        client = stack.enter_context(TaskCopilotClient(url, max_backoff=0.5, probe_interval=0.2))
        client.on_state(modes.append)
        client.subscribe(["task:*"], seen)
        assert first.stop()[0] == 0
        stack.enter_context(bridge(tmp_path, port))
        writer = TaskCopilotClient(url)
        writer.call("task_create", title="after")
        writer.disconnect()
        assert seen.wait(1) == ["after"]
    assert modes[0] == "reconnecting"


@pytest.mark.slow
def test_a_slow_loop_gets_every_event_over_a_kill(tmp_path: Path, port: int) -> None:
    """D1, H1: far behind when the bridge is killed, it reads the rest from the next one's log, and is live again."""
    with contextlib.ExitStack() as stack:
        first, url = stack.enter_context(bridge(tmp_path, port))
        client = stack.enter_context(TaskCopilotClient(url, max_backoff=0.5, probe_interval=0.2))
        events = client.events()
        wanted = CAPACITY + 200
        written = write_until(client, wanted)
        first.popen.kill()
        first.wait()
        numbers = [next(events).seq for _ in range(CAPACITY // 2)]
        stack.enter_context(bridge(tmp_path, port))
        numbers += [next(events).seq for _ in range(written - len(numbers))]
        assert numbers == list(range(1, written + 1))
        client.call("task_create", title="live")
        assert next(events).data["taskTitle"] == "live"


def write_until(client: TaskCopilotClient, count: int) -> int:
    """Change a task of a stream until the log has so many events; returns how many it has."""
    task = client.call("task_create", title="t", metadata={"streamId": "S"})["id"]
    while (head := int(client.head().rpartition(":")[2])) < count:
        for status in ("in_progress", "blocked", "in_progress", "completed", "pending"):
            client.call("task_update", id=task, status=status)
    return head
