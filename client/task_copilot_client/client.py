"""The public face: TaskCopilotClient."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial
from os import PathLike, fspath
from types import TracebackType
from typing import Any, Final, Self

from task_copilot_client.address import Address
from task_copilot_client.backoff import full_jitter
from task_copilot_client.clock import SYSTEM_CLOCK, Clock
from task_copilot_client.connection import Connection
from task_copilot_client.credentials import Credentials, TokenSource
from task_copilot_client.cursor import Cursor
from task_copilot_client.debugging import log_to_stderr
from task_copilot_client.errors import AuthenticationError, UnreachableError
from task_copilot_client.inbox import Inbox
from task_copilot_client.iteration import EventIterator, Surroundings
from task_copilot_client.runner import Options
from task_copilot_client.subscriptions import Answer, Callback, checked_topics

__all__ = ["TaskCopilotClient"]

_log: Final = logging.getLogger("task_copilot_client")


class TaskCopilotClient:
    """Follows a bridge: over a WebSocket where one can be had, by polling where not, from one cursor all the while.

    **Delivery.** Every callback gets each event that matches its patterns once, in the order of the log, also across
    lost connections, restarts of the bridge and changes between WebSocket and polling. What retention has removed in
    the meantime is told to `on_gap`. Subscriptions and the cursor outlive `disconnect`: a later `connect` of the same
    client goes on where it stopped. A server that keeps no log (the original one) gives none of this across a loss.

    **Threads.** Any thread may call any method. All callbacks run on one thread of the client's, one at a time; one
    that raises is logged and stops nothing, one that is slow delays the others. `data` is shared by the callbacks of an
    event. From inside a callback everything works but `connect`, `wait_for`, waiting for an iterator's events and
    leaving the context manager's block; and `subscribe` does not wait for the bridge's answer.

    **Time.** Seconds everywhere. Every wait for the network is bounded by the keyword-only time-outs.
    """

    def __init__(
        self,
        api_base: str = "http://127.0.0.1:9090",
        use_websocket: bool = True,
        poll_interval: float = 30,
        debug: bool = False,
        *,
        token: TokenSource = None,
        connect_timeout: float = 5.0,
        request_timeout: float = 10.0,
        answer_timeout: float = 10.0,
        ping_interval: float = 30.0,
        probe_interval: float = 10.0,
        max_backoff: float = 10.0,
        ca_file: str | PathLike[str] | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        """Prepare a client; nothing is sent before `connect`.

        `token` is what a bridge with authentication wants to see, or a function that returns it: called, by any thread
        of the client's or yours, for each new connection and when its token was refused. By default it is the value of
        the variable TASKCOPILOT_TOKEN.
        `ping_interval` is the bridge's: after 2.5 of them without a byte the connection counts as lost.
        `probe_interval` is how often a WebSocket is tried while polling, `max_backoff` caps the pause between two tries
        to reconnect. `ca_file` holds the authorities (PEM) that an https bridge's certificate has to come from, or its
        own certificate; by default those of the system are trusted. ValueError for an address or a token that is none,
        an interval that is not positive, and a `ca_file` that cannot be used.
        """
        if min(poll_interval, ping_interval, probe_interval, connect_timeout, request_timeout) <= 0:
            raise ValueError("intervals and time-outs must be positive")
        address = Address.parse(api_base)
        if ca_file is not None and not address.is_secure:
            raise ValueError(f"ca_file: there is no certificate to check at {api_base!r}; use https")
        self.api_base = address.api_base
        self.ws_url = address.ws_url
        self.use_websocket = use_websocket
        self.poll_interval = poll_interval
        self.debug = debug
        self._probe_interval = probe_interval
        self._max_backoff = max_backoff
        self._clock = clock
        self._connection = Connection(
            address,
            Credentials(token),
            clock,
            connect_timeout=connect_timeout,
            request_timeout=request_timeout,
            answer_timeout=answer_timeout,
            ping_interval=ping_interval,
            ca_file=None if ca_file is None else fspath(ca_file),
        )
        if debug:
            log_to_stderr()

    # -- connection ------------------------------------------------------------------------------------------------

    def connect(self) -> bool:
        """Connect over a WebSocket, or else by polling; False when neither works, and then nothing is left running.

        When this returns True, what was subscribed before is in force, unless the bridge took longer than
        `answer_timeout`. Connecting while connected changes nothing. Once connected, the client stays with the bridge
        until `disconnect`: `get_mode` tells how it does. Subscriptions that the bridge refuses are removed and logged.
        """
        if self._connection.dispatcher.is_current:
            raise RuntimeError("connect() cannot be called from inside a callback")
        return self._connection.start(
            Options(self.use_websocket, self.poll_interval, self._probe_interval, self._max_backoff)
        )

    def disconnect(self) -> None:
        """Disconnect; when this returns the mode is 'disconnected', no thread is left and no callback runs.

        Waits for a callback that is running, and at most `connect_timeout` or `request_timeout` for a network operation
        under way. From inside a callback it returns without waiting for that one, which is the last. Events that had
        not been handed out are handed out after the next `connect`. Iterators end, and `wait_for` raises. Idempotent.
        """
        self._connection.stop()

    def get_mode(self) -> str:
        """Return 'disconnected', 'websocket', 'http' or 'reconnecting' (neither works now; both are being tried)."""
        return self._connection.mode.value

    @property
    def mode(self) -> str:
        """The same as `get_mode()`."""
        return self._connection.mode.value

    @property
    def connected(self) -> bool:
        """True while events come in, over a WebSocket or by polling."""
        return self._connection.is_up

    @property
    def refusal(self) -> AuthenticationError | None:
        """Why the bridge lets us in no longer, or never did: the token is missing or not good. None while it does.

        The client goes on trying, with a token that is a function as soon as that returns a better one.
        """
        return self._connection.credentials.refusal

    @property
    def cursor(self) -> str | None:
        """Up to where every callback has returned, as "<epoch>:<seq>"; None before anything is known.

        Kept somewhere and given as `since` to the subscriptions of a later process, nothing is lost between the two;
        the event whose callback was running may come again. Goes back when a subscription asks for older events.
        """
        position = self._connection.feed.position
        return None if position is None else str(position)

    def head(self) -> str:
        """Ask the bridge where its log ends now, as a cursor; any thread, also without `connect`.

        Given as `since`, nothing is missed that is committed after this. UnreachableError when the bridge does not
        answer, NoEventLogError when it keeps no log.
        """
        return str(self._connection.http.head())

    def __enter__(self) -> Self:
        """Connect; raises UnreachableError when that fails, AuthenticationError when it is for the token."""
        if not self.connect():
            if self.refusal is not None:
                raise self.refusal
            raise UnreachableError(f"no bridge answers at {self.api_base}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Disconnect."""
        self.disconnect()

    # -- subscriptions ---------------------------------------------------------------------------------------------

    def subscribe(self, topics: Sequence[str], callback: Callback, *, since: str | int | None = None) -> None:
        """Have `callback(topic, event_type, data)` called for every event that matches any of the topic patterns.

        Without `since` from now on: when this returns, the bridge has confirmed it. With `since`, a cursor or an event
        number, every retained event after it comes first; callbacks that had these already do not get them again, but
        their new events wait for that replay to end. Not connected, it only registers; the next connection sees to it.

        Raises SubscriptionError when the bridge refuses, or does not answer in time; nothing is registered then.
        ValueError or TypeError for topics that are no list of non-empty strings, or a `since` that is no cursor.
        """
        patterns = checked_topics(topics)
        if not callable(callback):
            raise TypeError(f"callback: expected something to call, got {callback!r}")
        self._connection.bring_into_force(
            self._connection.registry.add(patterns, callback, None if since is None else Cursor.parse(since))
        )

    def unsubscribe(self, topics: Sequence[str], callback: Callback | None = None) -> None:
        """Stop calling the callback for these patterns, or everybody when no callback is given.

        When this returns no call for them starts any more; one may be running. Patterns that nobody has are fine.
        """
        if not self._connection.registry.remove(checked_topics(topics), callback):
            _log.debug("nothing to unsubscribe from: %s", ", ".join(topics))
        self._connection.wake()

    def wait_for(self, topic: str, event_type: str, timeout: float = 30.0, *, since: str | int | None = None) -> Any:
        """Wait for the next event of a type on a topic or pattern, and return its data; TimeoutError when none comes.

        The wait begins when the subscription is confirmed. What may have happened before is found with `since`, e.g.
        the `head()` of before the action that causes the event. Raises as `subscribe` does, and UnreachableError when
        the client is disconnected meanwhile; not for callbacks.
        """
        if self._connection.dispatcher.is_current:
            raise RuntimeError("wait_for() cannot be called from inside a callback: it would wait for itself")
        with self.events([topic], event_types=[event_type], since=since, timeout=timeout) as events:
            for event in events:
                return event.data
        if events.is_disconnected:
            raise UnreachableError(f"disconnected while waiting for {event_type} on {topic}")
        raise TimeoutError(f"no {event_type} on {topic} within {timeout:g} s")

    def events(
        self,
        topics: str | Sequence[str] = "*",
        *,
        event_types: str | Sequence[str] = (),
        since: str | int | None = None,
        timeout: float | None = None,
    ) -> EventIterator:
        """Return an iterator over the events that match any of the topic patterns, each once, in the order of the log.

        Subscribes as `subscribe` does, with its `since` and its errors; `event_types` are types or globs, none means
        all of them. Usable in every mode, also before `connect`. `timeout` is how many seconds without an event end it.

        The loop's body runs on the thread that iterates, so it may take its time and call everything: callbacks and
        other iterators are not delayed. 1,000 events wait for it; when it is slower than that, it reads the rest
        from the log over HTTP, so nothing is lost, and `on_gap` tells what retention has removed. On a server that
        keeps no log the iterator raises EventsLostError then. `client.cursor` knows nothing of iterators: to resume
        one, keep the `cursor` of the last event that was dealt with.
        """
        patterns = checked_topics(_listed(topics))
        inbox = Inbox(_listed(event_types) and checked_topics(_listed(event_types), "event_types"))
        answer = Answer(inbox.answered)
        cursor = None if since is None else Cursor.parse(since)
        inbox.leave = partial(self._connection.leave, patterns, inbox)
        events = EventIterator(inbox, patterns, timeout, self._surroundings())
        self._connection.bring_into_force(
            self._connection.registry.add(patterns, inbox, cursor, answer, is_private=True)
        )
        return events

    def on_state(self, handler: Callable[[str], object]) -> Callable[[str], object]:
        """Have `handler(mode)` called at every change of `get_mode()`, in order, between the events. Returns it."""
        self._connection.state_handlers = (*self._connection.state_handlers, handler)
        return handler

    def on_gap(self, handler: Callable[[int, int], object]) -> Callable[[int, int], object]:
        """Have `handler(first, last)` called when events can no longer be delivered, both ends included. Returns it.

        A gap that begins at 1 and ends at the head also tells of a new log: read the present state anew.
        """
        self._connection.gap_handlers = (*self._connection.gap_handlers, handler)
        return handler

    # -- tools -----------------------------------------------------------------------------------------------------

    def call(self, tool: str, /, **arguments: Any) -> dict[str, Any]:
        """Call a tool of the bridge with wire names and return its output. Needs no `connect`; any thread.

        Raises ToolError (code, status, field, message) when it is refused, and UnreachableError when no answer comes:
        then it may have been carried out or not, and repeating it is safe with the same `idempotencyKey`.
        """
        return self._connection.http.call(tool, arguments)

    # -- inside ----------------------------------------------------------------------------------------------------

    def _surroundings(self) -> Surroundings:
        return Surroundings(
            self._connection.http,
            self._connection.report_gap,
            lambda: self._connection.dispatcher.is_current,
            lambda failures: full_jitter(failures, self._clock.random, cap=self._max_backoff),
        )


def _listed(names: str | Sequence[str]) -> Sequence[str]:
    return [names] if isinstance(names, str) else names
