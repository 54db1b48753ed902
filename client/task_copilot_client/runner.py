"""The connection thread: performs what the machine decides, until it is told to stop."""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from task_copilot_client.backoff import full_jitter
from task_copilot_client.clock import Clock
from task_copilot_client.machine import RECONNECT_TRIES, Action, Mode, Outcome, Rhythm, Situation, State, step
from task_copilot_client.polling_source import PollingSource
from task_copilot_client.signals import Signals
from task_copilot_client.websocket_source import WebSocketSource

__all__ = ["Options", "Runner"]

_log: Final = logging.getLogger("task_copilot_client")

_FAILURE: Final = {
    Action.OPEN: Outcome.REFUSED,
    Action.LISTEN: Outcome.DROPPED,
    Action.POLL: Outcome.POLL_FAILED,
}
"""What a defect in an action counts as; the thread goes on."""


@dataclass(frozen=True, slots=True)
class Options:
    """How a connection is kept; times in seconds."""

    use_websocket: bool
    poll_interval: float
    probe_interval: float
    max_backoff: float


class Runner:
    """One connect, from the start of its thread to its end. Not used again afterwards."""

    def __init__(
        self,
        websocket: WebSocketSource,
        polling: PollingSource,
        clock: Clock,
        options: Options,
        *,
        is_full: Callable[[], bool],
        report: Callable[[Mode], None],
    ) -> None:
        self._websocket = websocket
        self._polling = polling
        self._clock = clock
        self._options = options
        self._report = report
        self._bell = clock.bell()
        self._ready = threading.Event()
        self._decided = threading.Event()
        self._stopping = False
        self._situation = Situation()
        self._rhythm = Rhythm(options.poll_interval, options.probe_interval if options.use_websocket else math.inf)
        self._signals = Signals(self._bell, lambda: self._stopping, is_full, self._ready.set)
        self._thread = threading.Thread(target=self._run, name="task-copilot-connection", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Ask the thread to end. Any thread, any number of times."""
        self._stopping = True
        self._bell.ring()

    def join(self) -> None:
        """Wait until the thread has ended: at once when it waits, else when the network operation is over."""
        self._thread.join()

    @property
    def is_alive(self) -> bool:
        """True until the thread has ended."""
        return self._thread.is_alive()

    def wake(self) -> None:
        """Let the thread look at the registry, or at the room for more, again."""
        self._bell.ring()

    def wait_until_ready(self, answer_timeout: float) -> None:
        """Wait until it is known whether the bridge is there, and then for it to answer what was asked first."""
        self._decided.wait()
        self._ready.wait(answer_timeout)

    def _run(self) -> None:
        try:
            self._loop()
        finally:
            self._report(Mode.DISCONNECTED)
            self._websocket.close()
            self._decided.set()
            self._ready.set()
            self._bell.close()

    def _loop(self) -> None:
        outcome = Outcome.STARTED
        tries = RECONNECT_TRIES if self._options.use_websocket else 0
        while True:
            self._situation, action = step(self._situation, outcome, tries=tries)
            if action is Action.FINISH:
                return
            self._enter(self._situation.state)
            outcome = self._perform(action)
            if self._stopping:
                outcome = Outcome.STOPPED

    def _enter(self, state: State) -> None:
        if state is not State.CONNECTING:
            self._report(state.mode)
            self._decided.set()
        if state is State.RECONNECTING:
            self._ready.set()

    def _perform(self, action: Action) -> Outcome:
        try:
            return self._act(action)
        except Exception:
            if action not in _FAILURE:
                raise
            _log.exception("could not %s; this is a defect of the client", action.value)
            return _FAILURE[action]

    def _act(self, action: Action) -> Outcome:
        match action:
            case Action.OPEN:
                return self._open()
            case Action.LISTEN:
                return self._listen()
            case Action.POLL:
                outcome = self._polling.poll(self._signals)
                self._rhythm.polled(self._clock.monotonic())
                return outcome
            case Action.BACK_OFF:
                return self._back_off()
            case Action.REST:
                return self._rest()
            case Action.FINISH:
                return Outcome.STOPPED

    def _open(self) -> Outcome:
        outcome = self._websocket.open() if self._options.use_websocket else Outcome.REFUSED
        self._rhythm.probed(self._clock.monotonic())
        return outcome

    def _listen(self) -> Outcome:
        outcome = self._websocket.listen(self._signals)
        if outcome is not Outcome.DROPPED:
            self._polling.forget()
        return outcome

    def _back_off(self) -> Outcome:
        seconds = full_jitter(self._situation.failures, self._clock.random, cap=self._options.max_backoff)
        until = self._clock.monotonic() + seconds
        while not self._stopping and (left := until - self._clock.monotonic()) > 0:
            self._bell.wait(left)
        return Outcome.WAITED

    def _rest(self) -> Outcome:
        """Wait until something is due; a new subscription is due at once."""
        while not self._stopping and not self._polling.is_due:
            when, outcome = self._rhythm.next
            left = when - self._clock.monotonic()
            if left <= 0:
                return outcome
            self._bell.wait(left)
        return Outcome.WAITED
