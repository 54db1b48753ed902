"""The real client on the real bridge, with a bad path in between: the log rule holds whatever happens to the bytes."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from task_copilot_client import TaskCopilotClient
from tests.helpers.chaos_proxy import FAIR, ChaosProxy, Weather
from tests.helpers.listener import numbers
from tests.helpers.processes import bridge
from tests.helpers.waiting import wait_until
from tests.helpers.writer import Writer, writing

WEATHERS = {
    "latency": Weather(latency=0.2),
    "stalls": Weather(stall_chance=0.2, stall=0.5),
    "resets": Weather(reset_every=1.0),
    "torn": Weather(tear_chance=0.05),
    "single bytes": Weather(slice=1),
}
CUTTING = {"resets", "torn"}


class Heard:
    """What one client was told, in the order of its callbacks."""

    def __init__(self) -> None:
        self.titles: list[str] = []
        self.modes: list[str] = []
        self.gaps: list[tuple[int, int]] = []

    def event(self, _topic: str, _kind: str, data: Any) -> None:
        self.titles.append(data["taskTitle"])


@dataclass
class Course:
    """A bridge, a writer beside it, and a client behind the proxy."""

    proxy: ChaosProxy
    writer: Writer
    client: TaskCopilotClient
    heard: Heard

    def write(self, seconds: float) -> None:
        """Commit about two hundred events a second for so long."""
        pace, until = threading.Event(), time.monotonic() + seconds
        while time.monotonic() < until:
            self.writer.commit(2)
            pace.wait(0.01)

    def check(self) -> None:
        """See that every event came, once and in order: the log rule, as the client sees it."""
        wait_until(lambda: len(self.heard.titles) >= self.writer.head, "the last event")
        assert self.heard.titles == numbers(self.writer.head)
        assert self.heard.gaps == []


@contextlib.contextmanager
def course(directory: Path, **options: Any) -> Iterator[Course]:
    """Have all of it run, in fair weather and subscribed."""
    heard = Heard()
    with (
        ChaosProxy() as proxy,
        bridge(directory, "--db", "tasks.db", "--allow-hosts", proxy.host) as (_, ready),
        writing(directory / "tasks.db") as writer,
        contextlib.ExitStack() as stack,
    ):
        proxy.target = int(ready["url"].rpartition(":")[2])
        client = TaskCopilotClient(proxy.url, max_backoff=0.5, poll_interval=0.1, probe_interval=0.2, **options)
        stack.enter_context(client)
        client.on_state(heard.modes.append)
        client.on_gap(lambda first, last: heard.gaps.append((first, last)))
        client.subscribe(["task:*"], heard.event)
        yield Course(proxy, writer, client, heard)


@pytest.mark.parametrize("name", WEATHERS)
def test_a_bad_path_loses_and_doubles_nothing(tmp_path: Path, size, say, name: str) -> None:
    """D1, D4: under steady writes every event comes once and in order, with no more reconnects than cuts."""
    with course(tmp_path) as run:
        run.proxy.become(WEATHERS[name])
        run.write(size(2.5, 15.0))
        wait_until(lambda: run.proxy.resets or name not in CUTTING, "a cut")
        run.proxy.become(FAIR)
        began = time.monotonic()
        run.check()
        took = time.monotonic() - began
        cuts, losses = run.proxy.resets, run.heard.modes.count("reconnecting")
        say(f"{run.writer.head} events, {cuts} cuts, {losses} losses noticed, current {took * 1000:.0f} ms after it")
        assert run.proxy.upgrades <= cuts + 1
        assert cuts == 0 or name in CUTTING
        assert losses <= cuts


@pytest.mark.parametrize("name", [name for name in WEATHERS if name != "resets"])
def test_a_bad_path_does_the_polls_no_harm(tmp_path: Path, size, say, name: str) -> None:
    """H1: the same without a WebSocket; an answer that was torn is asked for again."""
    with course(tmp_path, use_websocket=False) as run:
        run.proxy.become(WEATHERS[name])
        run.write(size(1.5, 15.0))
        wait_until(lambda: run.proxy.resets or name not in CUTTING, "a cut")
        run.proxy.become(FAIR)
        run.check()
        say(f"{run.writer.head} events, {run.proxy.resets} cuts")
        assert run.proxy.resets == 0 or name in CUTTING


def test_without_websockets_it_polls_until_they_are_back(tmp_path: Path, size, say) -> None:
    """H1, D1: a path that lets only HTTP through costs delay, no event; the WebSocket returns when it is healed."""
    with course(tmp_path) as run:
        run.write(size(0.5, 5.0))
        began = time.monotonic()
        run.proxy.become(Weather(blocks_websockets=True))
        wait_until(lambda: run.client.get_mode() == "http", "polling")
        fell = time.monotonic() - began
        run.write(size(0.5, 5.0))
        run.check()
        assert run.client.get_mode() == "http"
        began = time.monotonic()
        run.proxy.become(FAIR)
        wait_until(lambda: run.client.get_mode() == "websocket", "the WebSocket")
        say(
            f"polls after {fell:.2f} s, has a WebSocket again {time.monotonic() - began:.2f} s after the path is healed"
        )
        run.write(size(0.5, 5.0))
        run.check()
        assert run.heard.modes == ["reconnecting", "http", "websocket"]
        assert run.proxy.upgrades == 2
