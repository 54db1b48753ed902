"""The delivery promise, end to end: the real client on the real server, whatever happens to either.

Agents of two processes write, and a third is killed in the middle of its work; listeners subscribe, unsubscribe, are
slow, are cut off, lose the WebSocket to a proxy and get it back, live on in a new client with their cursor; the bridge
restarts and retention prunes. The model is the stored log and the pattern predicate; the invariant is that every
listener has got exactly what matches, in order, once, and has been told of what it could not get.
"""

from __future__ import annotations

import contextlib
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, precondition, rule

from task_copilot_client import TaskCopilotClient
from taskcopilot.errors import ClaimedError, ConflictError
from taskcopilot.topics import Pattern
from tests.helpers.bridge_thread import BridgeThread
from tests.helpers.doomed import die_writing
from tests.helpers.waiting import DEADLINE

PATTERNS = ["*", "task:*", "stream:*", "stream:A", "*:A", "agent:*", "checkpoint:*"]
WHO = st.integers(0, 1)
PHASES = [Phase.explicit, Phase.generate]
"""No shrinking: real servers take too long for it, and the steps that failed are printed."""

Record = tuple[str, str, str]


def record(topic: str, event_type: str, data: Any) -> Record:
    """Return an event in a form that can be compared."""
    return topic, event_type, orjson.dumps(data, option=orjson.OPT_SORT_KEYS).decode()


def wait_until(condition: Callable[[], bool]) -> None:
    """Ask until it holds."""
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline


class Listener:
    """A client, the patterns that it has, and what it has got. It may live in several clients, one after the other."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.got: list[Record] = []
        self.gaps: list[tuple[int, int]] = []
        self.patterns: dict[str, int] = {}
        self.expected: list[Record] = []
        self.checked = 0
        self.gate = threading.Event()
        self.gate.set()
        self._changed = threading.Condition()
        self.client = self._connect(use_websocket=True)

    def _connect(self, *, use_websocket: bool) -> TaskCopilotClient:
        client = TaskCopilotClient(
            self.url, use_websocket=use_websocket, poll_interval=0.05, probe_interval=0.1, max_backoff=0.2
        )
        client.on_gap(lambda first, last: self.gaps.append((first, last)))
        assert client.connect()
        return client

    def on_event(self, topic: str, event_type: str, data: Any) -> None:
        self.gate.wait()
        with self._changed:
            self.got.append(record(topic, event_type, data))
            self._changed.notify_all()

    def wait(self, count: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.got) >= count, DEADLINE), (len(self.got), count)

    def move(self, *, use_websocket: bool) -> None:
        """Go on in another client, by another path, from the cursor."""
        leaving = threading.Thread(target=self.client.disconnect)
        leaving.start()
        wait_until(lambda: self.client.get_mode() == "disconnected")
        self.gate.set()  # a slow callback ends, and what waited behind it is for the next client
        leaving.join()
        cursor = self.client.cursor
        self.client = self._connect(use_websocket=use_websocket)
        if self.patterns:
            self.client.subscribe(list(self.patterns), self.on_event, since=cursor)


class Promise(RuleBasedStateMachine):
    """Everything that may happen to a bridge and its listeners."""

    tasks = Bundle("tasks")

    def __init__(self) -> None:
        super().__init__()
        self.directory = tempfile.TemporaryDirectory()
        self.bridge = BridgeThread(
            Path(self.directory.name), max_outstanding_events=3, max_outstanding_bytes=1_000, ping_interval=0.2
        )
        self.listeners: list[Listener] = []
        self.log: list[Any] = []
        self.killed = 0

    @initialize()
    def listen(self) -> None:
        """Two listeners."""
        self.listeners = [Listener(self.bridge.url) for _ in range(2)]

    @rule(target=tasks, elsewhere=st.booleans(), stream=st.sampled_from([None, "A", "B"]))
    def create(self, elsewhere: bool, stream: str | None) -> str:
        """An agent creates a task, in the process that serves or in another."""
        call = self.bridge.call_elsewhere if elsewhere else self.bridge.call
        return str(call("task_create", title="t", metadata={"streamId": stream} if stream else {})["id"])

    @rule(
        task=tasks, elsewhere=st.booleans(), status=st.sampled_from(["in_progress", "blocked", "completed", "pending"])
    )
    def update(self, task: str, elsewhere: bool, status: str) -> None:
        """An agent moves a task on."""
        call = self.bridge.call_elsewhere if elsewhere else self.bridge.call
        call("task_update", id=task, status=status, assignedAgent="me")

    @rule(count=st.integers(1, 4))
    def create_at_once(self, count: int) -> None:
        """Agents of both processes create tasks at the same time."""
        self.bridge.call_everywhere("task_create", count, title="t", metadata={"streamId": "A"})

    @rule(task=tasks)
    def checkpoint(self, task: str) -> None:
        """An agent saves where it is."""
        self.bridge.call("checkpoint_create", taskId=task)

    @rule(task=tasks, elsewhere=st.booleans(), agent=st.sampled_from(["me", "you"]))
    def claim(self, task: str, elsewhere: bool, agent: str) -> None:
        """An agent takes a task; another may hold it, and it may be finished."""
        call = self.bridge.call_elsewhere if elsewhere else self.bridge.call
        with contextlib.suppress(ConflictError, ClaimedError):
            call("task_claim", id=task, agent=agent)

    @precondition(lambda self: self.killed < 1)
    @rule(committed=st.booleans())
    def kill_a_writer(self, committed: bool) -> None:
        """A process dies with kill -9: what it had committed is everybody's, what it had not is nobody's."""
        self.killed += 1
        before = len(self.read())
        die_writing(self.bridge.file.parent, self.bridge.file, committed=committed)
        fresh = [event.type for event in self.read()[before:]]
        assert fresh[:2] == (["task.created", "stream.progress"] if committed else [])

    @rule(who=WHO)
    def slow_down(self, who: int) -> None:
        """A listener's callback takes its time: until somebody needs what it has."""
        self.listeners[who].gate.clear()

    @rule(upgrades=st.booleans())
    def block_or_unblock_upgrades(self, upgrades: bool) -> None:
        """A proxy lets only HTTP through, or is mended: the clients change between the two by themselves."""
        self.bridge.upgrades = upgrades
        if not upgrades:
            self.bridge.cut_all()

    @rule(who=WHO, pattern=st.sampled_from(PATTERNS))
    def subscribe(self, who: int, pattern: str) -> None:
        """A listener wants more, from now on."""
        listener = self.listeners[who]
        if pattern not in listener.patterns:
            head = len(self.read())
            self.settle(listener)
            wait_until(lambda: listener.client.connected)  # otherwise it counts from the next connection on
            listener.client.subscribe([pattern], listener.on_event)
            listener.patterns[pattern] = head
            self.wait_for_position(listener)  # a cursor of before would bring a later client what came before this

    @rule(who=WHO, pattern=st.sampled_from(PATTERNS))
    def unsubscribe(self, who: int, pattern: str) -> None:
        """A listener wants less."""
        listener = self.listeners[who]
        self.settle(listener)
        listener.client.unsubscribe([pattern])
        listener.patterns.pop(pattern, None)

    @rule()
    def cut(self) -> None:
        """All connections break."""
        self.bridge.cut_all()

    @rule(task=tasks)
    def restart(self, task: str) -> None:
        """The bridge goes away and comes back; another process writes meanwhile."""
        self.bridge.stop()
        self.bridge.call_elsewhere("task_update", id=task, notes="while the bridge was away")
        self.bridge.start()

    @rule(who=WHO, use_websocket=st.booleans())
    def move(self, who: int, use_websocket: bool) -> None:
        """A listener changes its path, or its process, with whatever has come in and was not handed out yet."""
        self.listeners[who].move(use_websocket=use_websocket)

    @precondition(lambda self: self.log)
    @rule(keep=st.integers(0, 5))
    def prune(self, keep: int) -> None:
        """Retention removes what everybody has."""
        for listener in self.listeners:
            self.settle(listener)
        self.bridge.prune_to(keep)

    def read(self) -> list[Any]:
        """Return all events that ever were: what is pruned was read before."""
        known = self.log[-1].seq if self.log else 0
        self.log += [event for event in self.bridge.log() if event.seq > known]
        return self.log

    def settle(self, listener: Listener) -> None:
        """Wait until the listener has everything, and check that it has nothing else."""
        listener.gate.set()
        fresh = self.read()[listener.checked :]
        listener.checked = len(self.log)
        listener.expected += [
            record(event.topic, event.type, orjson.loads(event.data))
            for event in fresh
            if any(
                start < event.seq and Pattern.parse(p).matches(event.topic) for p, start in listener.patterns.items()
            )
        ]
        listener.wait(len(listener.expected))
        self.wait_for_position(listener)
        assert listener.expected == listener.got
        assert listener.gaps == []

    def wait_for_position(self, listener: Listener) -> None:
        """Wait until the client says that it has everything up to the head: then nothing is on its way any more."""
        if listener.patterns:
            wait_until(lambda: int((listener.client.cursor or "x:0").rpartition(":")[2]) >= len(self.log))

    def teardown(self) -> None:
        """In the end everybody has everything, and nothing is left."""
        try:
            for listener in self.listeners:
                self.settle(listener)
        finally:
            for listener in self.listeners:
                listener.gate.set()
                listener.client.disconnect()
            self.bridge.close()
            self.directory.cleanup()


class TestPromise(Promise.TestCase):
    """Run the machine for some seconds."""

    settings = settings(max_examples=8, stateful_step_count=14, deadline=None, phases=PHASES)


@pytest.mark.full
@pytest.mark.timeout(3_600)
class TestPromiseAtLength(Promise.TestCase):
    """Run the machine for long."""

    settings = settings(max_examples=200, stateful_step_count=30, deadline=None, phases=PHASES)
