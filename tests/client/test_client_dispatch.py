"""The callback thread: in order, one at a time, undisturbed by what callbacks do."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from task_copilot_client.cursor import Cursor
from task_copilot_client.dispatch import CAPACITY, Delivery, Dispatcher, Notice
from task_copilot_client.messages import Event
from tests.client.helpers import Recorder, until


def delivery(seq: int) -> Delivery:
    """An event, and the cursor before it."""
    return Delivery(Event(f"task:{seq}", "task.updated", None, seq), frozenset({1}), Cursor("e", seq - 1))


@pytest.fixture
def callbacks() -> list[Callable[..., object]]:
    """Who is called; a test fills it."""
    return []


@pytest.fixture
def dispatcher(callbacks: list[Callable[..., object]]) -> Iterator[Dispatcher]:
    """A dispatcher that runs."""
    dispatcher = Dispatcher(lambda _: list(callbacks))
    dispatcher.start()
    yield dispatcher
    dispatcher.close()
    dispatcher.join()


def test_callbacks_run_in_order_on_one_thread(dispatcher: Dispatcher, callbacks: list[Any]) -> None:
    """Every event once, as queued, and never two at a time."""
    recorder = Recorder()
    callbacks.append(recorder)
    for seq in range(1, 101):
        dispatcher.put(delivery(seq))
    recorder.wait(100)
    assert recorder.topics == [f"task:{seq}" for seq in range(1, 101)]
    assert len(recorder.threads) == 1


@pytest.mark.parametrize("error", [ValueError("no"), SystemExit(3)])
def test_a_callback_that_raises_is_reported_and_stops_nothing(
    dispatcher: Dispatcher, callbacks: list[Any], caplog: pytest.LogCaptureFixture, error: BaseException
) -> None:
    """The other callbacks and the next events come all the same."""

    def fail(*_: Any) -> None:
        raise error

    recorder = Recorder()
    callbacks.extend([fail, recorder])
    dispatcher.put(delivery(1))
    dispatcher.put(delivery(2))
    recorder.wait(2)
    assert [type(record.exc_info[1]) for record in caplog.records] == [type(error)] * 2


def test_what_is_left_at_the_end_comes_first_after_the_next_start(dispatcher: Dispatcher, callbacks: list[Any]) -> None:
    """Closing lets the running callback finish, and loses nothing."""
    running, go_on, recorder = threading.Event(), threading.Event(), Recorder()

    def slow(*arguments: Any) -> None:
        running.set()
        assert go_on.wait(20)
        recorder(*arguments)

    callbacks.append(slow)
    dispatcher.put(delivery(1))
    dispatcher.put(delivery(2))
    assert running.wait(20)
    dispatcher.close()
    go_on.set()
    dispatcher.join()
    assert recorder.topics == ["task:1"]
    assert dispatcher.positions() == [Cursor("e", 1)]
    dispatcher.start()
    recorder.wait(2)
    assert recorder.topics == ["task:1", "task:2"]


def test_notices_are_given_even_when_it_is_closed(callbacks: list[Any]) -> None:
    """The last change of state is told, ahead of deliveries that have to wait."""
    dispatcher, recorder = Dispatcher(lambda _: [pytest.fail]), Recorder()
    dispatcher.put(delivery(1))
    dispatcher.put(Notice((recorder,), ("disconnected",)))
    dispatcher.close()
    dispatcher._run()
    assert recorder.calls == [("disconnected",)]


def test_the_position_stays_before_an_event_until_its_callback_has_returned(
    dispatcher: Dispatcher, callbacks: list[Any]
) -> None:
    """A process that dies inside a callback gets that event again."""
    seen: list[Any] = []
    callbacks.append(lambda *_: seen.append(dispatcher.positions()))
    dispatcher.put(delivery(7))
    until(lambda: seen)
    assert seen == [[Cursor("e", 6)]]
    until(lambda: dispatcher.positions() == [])


def test_whoever_feeds_a_full_queue_is_told_when_there_is_room(dispatcher: Dispatcher, callbacks: list[Any]) -> None:
    """The bound is a signal to stop reading; half empty is the signal to go on."""
    go_on, relieved = threading.Event(), threading.Event()
    dispatcher.relieved = relieved.set
    callbacks.append(lambda *_: go_on.wait(20))
    for seq in range(1, CAPACITY + 1):
        dispatcher.put(delivery(seq))
    assert dispatcher.is_full
    assert not relieved.is_set()
    go_on.set()
    assert relieved.wait(20)
    until(lambda: not dispatcher.is_full)
