"""A client's inner life: its subscriptions, its two threads, and what they tell each other."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from task_copilot_client.address import Address
from task_copilot_client.clock import Clock
from task_copilot_client.credentials import Credentials
from task_copilot_client.cursor import Gap
from task_copilot_client.dispatch import Delivery, Dispatcher, Notice
from task_copilot_client.errors import NO_ANSWER, SubscriptionError
from task_copilot_client.feed import Feed
from task_copilot_client.http import Http
from task_copilot_client.inbox import Inbox
from task_copilot_client.machine import Mode
from task_copilot_client.polling_source import PollingSource
from task_copilot_client.runner import Options, Runner
from task_copilot_client.subscriptions import Registration, Registry
from task_copilot_client.trust import trusting
from task_copilot_client.websocket_source import WebSocketSource

__all__ = ["Connection"]

_log: Final = logging.getLogger("task_copilot_client")


class Connection:
    """Started and stopped any number of times; the registry, the cursor and what waits for callbacks outlive that.

    Any thread may call any method.
    """

    def __init__(
        self,
        address: Address,
        credentials: Credentials,
        clock: Clock,
        *,
        connect_timeout: float,
        request_timeout: float,
        answer_timeout: float,
        ping_interval: float,
        ca_file: str | None,
    ) -> None:
        self._clock = clock
        self._answer_timeout = answer_timeout
        self._lifecycle = threading.Lock()
        self._runner: Runner | None = None
        self.mode = Mode.DISCONNECTED
        self.state_handlers: tuple[Callable[[str], object], ...] = ()
        self.gap_handlers: tuple[Callable[[int, int], object], ...] = ()
        self.registry = Registry()
        self.dispatcher = Dispatcher(self._callbacks_of)
        self.feed = Feed(self.registry, self.dispatcher, self.report_gap)
        self.credentials = credentials
        self.http = Http(
            address, credentials, connect_timeout=connect_timeout, timeout=request_timeout, ca_file=ca_file
        )
        tls = trusting(ca_file) if address.is_secure else None
        self.websocket = WebSocketSource(
            address, credentials, self.feed, clock, timeout=connect_timeout, ping_interval=ping_interval, tls=tls
        )
        self._polling = PollingSource(self.http, self.feed)

    @property
    def is_up(self) -> bool:
        """True while events come in, over a WebSocket or by polling."""
        return self.mode in (Mode.WEBSOCKET, Mode.HTTP)

    def start(self, options: Options) -> bool:
        """Start both threads unless they run; False when no bridge can be had, and then none is left."""
        with self._lifecycle:
            if self._runner is not None and self._runner.is_alive:
                return self.is_up
            self.dispatcher.join()
            self.dispatcher.start()
            self._runner = runner = self._new_runner(options)
            self.dispatcher.relieved = runner.wake
            runner.start()
            runner.wait_until_ready(self._answer_timeout)
            is_up = self.is_up
            if not is_up:
                self._end(runner)
            return is_up

    def _new_runner(self, options: Options) -> Runner:
        return Runner(
            self.websocket,
            self._polling,
            self._clock,
            options,
            is_full=lambda: self.dispatcher.is_full,
            report=self._report_mode,
        )

    def stop(self) -> None:
        """End both threads and every iterator; from inside a callback without waiting for that one."""
        if self.dispatcher.is_current:
            self._end(self._runner)
        else:
            with self._lifecycle:
                self._end(self._runner)
        for registration in self.registry.snapshot():
            if isinstance(registration.callback, Inbox):
                registration.callback.end()
                self.registry.discard({registration.id})

    def _end(self, runner: Runner | None) -> None:
        """End first the thread that brings events, then the one that hands them out."""
        if runner is not None:
            runner.stop()
            runner.join()
        self.dispatcher.close()
        self.dispatcher.join()

    def wake(self) -> None:
        """Let the connection thread look at the registry."""
        if (runner := self._runner) is not None:
            runner.wake()

    def bring_into_force(self, registration: Registration) -> None:
        """Have the bridge asked for it, and wait for the answer where there is a bridge and somebody who can wait.

        Raises SubscriptionError when the bridge refuses or does not answer; the registration is gone then.
        """
        registration.answer.is_awaited = self.is_up and not self.dispatcher.is_current
        self.wake()
        if registration.answer.is_awaited:
            self._await_answer(registration)

    def _await_answer(self, registration: Registration) -> None:
        answer = registration.answer
        if not answer.wait(self._answer_timeout):
            self.registry.discard({registration.id})
            self.wake()
            topics = registration.patterns
            raise SubscriptionError(f"no answer within {self._answer_timeout:g} s", code=NO_ANSWER, topics=topics)
        if answer.error is not None:
            raise answer.error

    def leave(self, patterns: Sequence[str], inbox: Inbox) -> None:
        """End the subscription of an iterator."""
        if self.registry.remove(patterns, inbox):
            self.wake()

    def report_gap(self, gap: Gap) -> None:
        """Have the handlers told, on the callback thread."""
        self.dispatcher.put(Notice(self.gap_handlers, (gap.first, gap.last)))

    def _report_mode(self, mode: Mode) -> None:
        """Take note of the mode; on the connection thread."""
        changed, self.mode = mode is not self.mode, mode
        if changed:
            _log.info("%s", mode.value)
            self.dispatcher.put(Notice(self.state_handlers, (mode.value,)))
        if not self.is_up:
            self.feed.let_go()

    def _callbacks_of(self, delivery: Delivery) -> Sequence[Callable[..., object]]:
        """Return whom to call with topic, type and data; an iterator's inbox gets the whole event."""
        callbacks = self.registry.callbacks(delivery.takers, delivery.event.topic)
        return [partial(each, delivery.event) if isinstance(each, Inbox) else each for each in callbacks]
