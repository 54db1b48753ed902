"""The delivery promise on the real server: D1 to D7 under any mix of calls, subscribes, disconnects and resumes.

Real sockets, the real store, the real tools. The model is the stored log and the pattern predicate.
"""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from pathlib import Path
from typing import Any

import aiohttp
import orjson
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule

from taskcopilot.errors import BridgeError
from taskcopilot.topics import Pattern
from tests.helpers.server import running_server
from tests.helpers.waiting import DEADLINE

PATTERNS = st.sampled_from(["*", "task:*", "stream:*", "stream:A", "stream:?", "*:A", "agent:*", "checkpoint:*"])
STATUSES = st.sampled_from(["pending", "in_progress", "blocked", "completed", "cancelled"])


class Listener:
    """A raw client: what it asked for, and what it got."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.patterns: dict[str, int] = {}
        self.seqs: list[int] = []

    async def subscribe(self, patterns: list[str], since: str | None) -> None:
        payload: dict[str, Any] = {"topics": patterns} | ({} if since is None else {"since": since})
        await self.socket.send_str(orjson.dumps({"type": "subscribe", "id": "s", "payload": payload}).decode())
        answer = await self.read_until("subscribed")
        assert answer["payload"].get("recovered") is (None if since is None else True)
        start = answer["payload"]["seq"] if since is None else int(since.rpartition(":")[2])
        for pattern in patterns:
            self.patterns[pattern] = min(start, self.patterns.get(pattern, start))

    async def read_until(self, kind: str) -> dict[str, Any]:
        """Take what comes, up to a message of a kind."""
        while True:
            message = orjson.loads((await asyncio.wait_for(self.socket.receive(), DEADLINE)).data)
            if message["type"] == "event":
                self.seqs.append(message["seq"])
            if message["type"] == kind:
                return message

    def expects(self, seq: int, topic: str) -> bool:
        return any(start < seq and Pattern.parse(pattern).matches(topic) for pattern, start in self.patterns.items())


class LiveDelivery(RuleBasedStateMachine):
    """Agents and listeners on one running bridge."""

    tasks = Bundle("tasks")
    listeners = Bundle("listeners")

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.stack = contextlib.AsyncExitStack()
        self.open: list[Listener] = []

    def run(self, work: Any) -> Any:
        return self.loop.run_until_complete(asyncio.wait_for(work, 60))

    @initialize()
    def start(self) -> None:
        """Start a bridge of its own on a fresh database."""
        directory = self.stack.enter_context(tempfile.TemporaryDirectory())
        self.server = self.run(self.stack.enter_async_context(running_server(Path(directory))))

    @rule(target=tasks, stream=st.none() | st.sampled_from(["A", "B", "long-name"]), agent=st.none() | st.just("me"))
    def create(self, stream: str | None, agent: str | None) -> str:
        """An agent creates a task."""
        metadata = {"streamId": stream} if stream else {}
        arguments = {"title": "t", "metadata": metadata} | ({"assignedAgent": agent} if agent else {})
        return self.run(self.server.call("task_create", **arguments))["id"]

    @rule(task=tasks, status=STATUSES)
    def update(self, task: str, status: str) -> None:
        """An agent moves a task on."""
        self.run(self.server.call("task_update", id=task, status=status))

    @rule(task=tasks)
    def checkpoint(self, task: str) -> None:
        """An agent saves where it is."""
        self.run(self.server.call("checkpoint_create", taskId=task))

    @rule(task=tasks, statuses=st.lists(STATUSES, min_size=2, max_size=5))
    def update_at_once(self, task: str, statuses: list[str]) -> None:
        """Several agents move one task at once."""

        async def work() -> None:
            await asyncio.gather(*(self.server.call("task_update", id=task, status=status) for status in statuses))

        self.run(work())

    @rule(task=tasks)
    def fail(self, task: str) -> None:
        """A call fails: nothing may come of it."""
        head = self.server.core.recorder.head
        try:
            self.run(self.server.call("task_update", id=task, status="no such status"))
        except BridgeError:
            assert head == self.server.core.recorder.head

    @rule(target=listeners, patterns=st.lists(PATTERNS, min_size=1, max_size=3), back=st.none() | st.integers(0, 12))
    def connect(self, patterns: list[str], back: int | None) -> Listener:
        """Somebody listens, from now on or from some events back."""

        async def work() -> Listener:
            listener = Listener(await self.server.http.ws_connect("/ws"))
            await listener.subscribe(patterns, self.cursor(back))
            return listener

        listener = self.run(work())
        self.open.append(listener)
        return listener

    @rule(listener=listeners, patterns=st.lists(PATTERNS, min_size=1, max_size=2), back=st.none() | st.integers(0, 12))
    def subscribe(self, listener: Listener, patterns: list[str], back: int | None) -> None:
        """A listener wants more."""
        self.run(listener.subscribe(patterns, self.cursor(back)))

    @rule(listener=consumes(listeners))
    def disconnect(self, listener: Listener) -> None:
        """A listener goes away, having got everything."""
        self.run(self.check(listener))
        self.open.remove(listener)
        self.run(listener.socket.close())

    @rule(target=listeners, listener=consumes(listeners))
    def come_back(self, listener: Listener) -> Listener:
        """A listener is cut off in the middle, and comes back with the number that it saw last."""
        self.run(self.check(listener))
        self.open.remove(listener)
        last = max(listener.seqs, default=0)
        patterns = [pattern for pattern, start in listener.patterns.items() if start <= last] or ["*"]

        async def work() -> Listener:
            await listener.socket.close()
            await self.server.call("task_create", title="while it was away", metadata={"streamId": "A"})
            again = Listener(await self.server.http.ws_connect("/ws"))
            await again.subscribe(patterns, f"{self.server.core.recorder.epoch}:{last}")
            return again

        again = self.run(work())
        self.open.append(again)
        return again

    def cursor(self, back: int | None) -> str | None:
        if back is None:
            return None
        return f"{self.server.core.recorder.epoch}:{max(0, self.server.core.recorder.head - back)}"

    async def check(self, listener: Listener) -> None:
        """A pong comes after everything that was on its way; then the listener has exactly what it was to get."""
        _, log = await self.server.core.database.read_log(0, 100_000)
        expected = [event.seq for event in log if listener.expects(event.seq, event.topic)]
        while len(listener.seqs) < len(expected):
            await listener.read_until("event")
        await listener.socket.send_str('{"type":"ping"}')
        await listener.read_until("pong")
        assert sorted(listener.seqs) == expected

    @invariant()
    def every_listener_has_exactly_what_matches(self) -> None:
        """In seq order, but for what a later subscribe asked to be replayed."""
        for listener in self.open:
            self.run(self.check(listener))
            if len(set(listener.patterns.values())) == 1:
                assert listener.seqs == sorted(listener.seqs)

    def teardown(self) -> None:
        """Nothing is left running."""
        for listener in self.open:
            self.run(listener.socket.close())
        self.run(self.stack.aclose())
        self.loop.run_until_complete(self.loop.shutdown_default_executor())
        self.loop.close()


LiveDelivery.TestCase.settings = settings(max_examples=12, stateful_step_count=15, deadline=None)


class TestLiveDelivery(LiveDelivery.TestCase):
    """Run the machine."""
