"""The promise of an iterator as a state machine: however slow, nothing is lost, comes twice, or out of order."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from task_copilot_client.cursor import Cursor, Gap
from task_copilot_client.errors import UnreachableError
from task_copilot_client.http import Page
from task_copilot_client.inbox import Inbox
from task_copilot_client.iteration import EventIterator, Surroundings
from task_copilot_client.messages import Event
from tests.client.bridge_model import Log, matches
from tests.client.bridge_parts import FakeHttp

PATTERNS = ("task:*",)
TYPES = ("task.completed",)


class FlakyHttp(FakeHttp):
    """Pages of two; none while it is `down`."""

    down = False

    def page(self, since: Cursor, patterns: Sequence[str]) -> Page:
        if self.down:
            raise UnreachableError("down")
        return super().page(since, patterns)


class Iteration(RuleBasedStateMachine):
    """An iterator with room for three events, over a model of the log; live events are under way for any time."""

    def __init__(self) -> None:
        super().__init__()
        self.log = Log()
        self.http = FlakyHttp(lambda: self.log)
        self.live: deque[Event] = deque()
        self.gaps: list[Gap] = []
        self.got: list[int] = []
        self.inbox = Inbox(TYPES, capacity=3)
        around = Surroundings(self.http, self.gaps.append, lambda: False, lambda _: 0.0)
        self.events = EventIterator(self.inbox, PATTERNS, None, around)

    @rule(topic=st.sampled_from(["task:1", "stream:1"]), kind=st.sampled_from([*TYPES, "task.updated"]))
    def publish(self, topic: str, kind: str) -> None:
        """An event is committed; if it matches, it is under way to the callback thread."""
        event = self.log.publish(topic, kind, None)
        if matches(PATTERNS, event):
            self.live.append(Event(topic, kind, None, event["seq"], epoch=self.log.epoch))

    @rule(count=st.integers(4, 9))
    def burst(self, count: int) -> None:
        """More come at once than there is room for."""
        for _ in range(count):
            self.publish("task:1", TYPES[0])

    @precondition(lambda self: self.live)
    @rule(count=st.integers(1, 6))
    def dispatch(self, count: int) -> None:
        """The callback thread hands some of them on."""
        for _ in range(min(count, len(self.live))):
            self.inbox(self.live.popleft())

    @precondition(lambda self: self.can_step())
    @rule()
    def step(self) -> None:
        """The iterating thread gets on by a step; it never has to wait for one."""
        event = self.events._step()
        if event is not None:
            assert event.type in TYPES
            assert event.cursor == f"{self.log.epoch}:{event.seq}"
            assert not self.got or event.seq > self.got[-1]
            self.got.append(event.seq)

    @rule()
    def change_the_line(self) -> None:
        """The log cannot be read, or can be read again."""
        self.http.down = not self.http.down

    @rule(keep=st.integers(0, 5))
    def prune(self, keep: int) -> None:
        """Retention removes what is old."""
        self.log.pruned_to = max(self.log.pruned_to, self.log.head - keep)

    def can_step(self) -> bool:
        return bool(self.events._pages or self.events._is_behind or self.inbox._has_news())

    def teardown(self) -> None:
        """In the end everything has been given, or is in a gap that was told."""
        self.http.down = False
        while self.live or self.can_step():
            self.dispatch(6)
            if self.can_step():
                self.step()
        told = {seq for gap in self.gaps for seq in range(gap.first, gap.last + 1)}
        wanted = [event["seq"] for event in self.log.events if matches(PATTERNS, event)]
        completed = {event["seq"] for event in self.log.events if event["payload"]["eventType"] in TYPES}
        assert [seq for seq in wanted if seq in completed and seq not in told | set(self.got)] == []


Iteration.TestCase.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
TestIteration = Iteration.TestCase
