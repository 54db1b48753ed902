"""A path that goes dead without a word: both sides find out, give back what the connection held, and begin anew."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest

from task_copilot_client import TaskCopilotClient
from taskcopilot.clock import SystemClock
from taskcopilot.web.keys import HUB
from taskcopilot.web.ws import SOCKETS
from tests.helpers.cable import cable
from tests.helpers.chaos_proxy import FAIR, ChaosProxy, Weather
from tests.helpers.memory import open_sockets
from tests.helpers.peer import event_stream
from tests.helpers.processes import bridge, run
from tests.helpers.server import RunningServer, running_server
from tests.helpers.tokens import Tokens
from tests.helpers.waiting import until, wait_until
from tests.helpers.writer import writing

T = TypeVar("T")

PING = 0.4
"""Seconds between two pings; a peer that is silent for two of them and a part of a third is given up."""

CLIENTS = 5
FILE = ("--db", "tasks.db")


@dataclass
class Way:
    """A way to a bridge that can go dead."""

    flags: dict[str, Any]
    go_dead: Callable[[], None]
    heal: Callable[[], None]
    there: Callable[[Callable[[], TaskCopilotClient]], TaskCopilotClient]
    url: Callable[[RunningServer], str]


@dataclass
class Heard:
    """What one client was told."""

    titles: list[str] = field(default_factory=list)
    modes: list[str] = field(default_factory=list)


@contextlib.contextmanager
def through_proxy() -> Iterator[Way]:
    """A proxy that swallows everything and keeps its sockets."""
    with ChaosProxy() as proxy:

        def url(server: RunningServer) -> str:
            proxy.target = server.port
            return proxy.url

        yield Way(
            {"allow_hosts": (proxy.host,)},
            lambda: proxy.become(Weather(swallows=True)),
            lambda: proxy.become(FAIR),
            lambda work: work(),
            url,
        )


@contextlib.contextmanager
def over_cable() -> Iterator[Way]:
    """A network device that is taken down."""
    with cable() as laid:
        yield Way(
            {"host": laid.here, "auth": ("token",)}, laid.pull, laid.plug_in, laid.there, lambda server: server.url
        )


@pytest.mark.parametrize("way", [through_proxy, over_cable])
async def test_a_dead_path_is_noticed_and_everything_is_given_back(tmp_path: Path, say, way: Any) -> None:
    """C3, D4: members and sockets return to none within three intervals, and healed, nobody has missed an event."""
    with way() as path:
        async with (
            running_server(tmp_path, clock=SystemClock(), ping_interval=PING, **path.flags) as server,
            contextlib.AsyncExitStack() as stack,
        ):
            heard = [Heard() for _ in range(CLIENTS)]
            token = await Tokens(server).make()
            for each in heard:
                await _connect(stack, path, path.url(server), each, token)
            alive = time.monotonic() + 4 * PING
            await until(lambda: time.monotonic() > alive)
            assert server.app[HUB].statistics().members == CLIENTS
            path.go_dead()
            began = time.monotonic()
            await _create(server, 10)
            await until(lambda: not server.app[HUB].statistics().members and not server.app[SOCKETS], "giving back")
            noticed = time.monotonic() - began
            say(f"ping interval {PING} s: given up {noticed:.1f} s after the path went dead")
            assert noticed < 3 * PING + 5
            await until(lambda: all("reconnecting" in each.modes for each in heard), "the clients noticing")
            path.heal()
            await _create(server, 10)
            wanted = [str(number) for number in range(20)]
            await until(lambda: all(len(each.titles) >= len(wanted) for each in heard), "the clients' return")
            assert [each.titles for each in heard] == [wanted] * CLIENTS


def test_a_stream_of_events_over_a_dead_path_is_given_back(tmp_path: Path, say) -> None:
    """H7: who only listens cannot be asked; what it does not acknowledge tells that it is gone."""
    with (
        cable() as laid,
        bridge(tmp_path, *FILE, "--host", laid.here, "--auth", "token", "--ping-interval", str(PING)) as (
            server,
            ready,
        ),
        writing(tmp_path / "tasks.db") as writer,
    ):
        token = run(tmp_path, "token", "create", *FILE).stdout.strip()
        idle = open_sockets(server.pid)
        with laid.there(lambda: event_stream(ready["url"], token=token)):
            assert open_sockets(server.pid) == idle + 1
            laid.pull()
            began = time.monotonic()
            writer.commit()
            wait_until(lambda: open_sockets(server.pid) == idle, "the bridge giving the connection back")
            say(f"ping interval {PING} s: given up {time.monotonic() - began:.1f} s after the path went dead")


async def _connect(stack: contextlib.AsyncExitStack, path: Way, url: str, heard: Heard, token: str) -> None:
    """Connect a real client at the other end and subscribe it."""

    def connect() -> TaskCopilotClient:
        client = TaskCopilotClient(
            url,
            token=token,
            ping_interval=PING,
            connect_timeout=1,
            request_timeout=1,
            max_backoff=0.3,
            probe_interval=0.3,
        )
        client.on_state(heard.modes.append)
        client.subscribe(["task:*"], lambda _topic, _kind, data: heard.titles.append(data["taskTitle"]))
        assert client.connect()
        return client

    client = await asyncio.to_thread(path.there, connect)
    stack.push_async_callback(asyncio.to_thread, client.disconnect)


async def _create(server: RunningServer, count: int) -> None:
    for _ in range(count):
        await server.call("task_create", title=str(server.core.recorder.head))
