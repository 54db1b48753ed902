"""A bridge, a clock, and clients that are disconnected when the test is over."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from task_copilot_client import TaskCopilotClient
from tests.client.fake_bridge import FakeBridge, running
from tests.client.helpers import FakeClock, own_threads


@pytest.fixture
def bridge() -> Iterator[FakeBridge]:
    """A bridge on a port of its own."""
    with running() as bridge:
        yield bridge


@pytest.fixture
def clock() -> FakeClock:
    """Time that stands still."""
    return FakeClock()


@pytest.fixture
def new_client(bridge: FakeBridge, clock: FakeClock) -> Iterator[Callable[..., TaskCopilotClient]]:
    """Make clients of the bridge; time-outs are short, because nothing here is far away."""
    clients: list[TaskCopilotClient] = []

    def make(**options: Any) -> TaskCopilotClient:
        settings = {"api_base": bridge.url, "clock": clock, "connect_timeout": 5.0, "answer_timeout": 10.0}
        clients.append(TaskCopilotClient(**(settings | options)))
        return clients[-1]

    yield make
    for client in clients:
        client.disconnect()
    assert own_threads() == []


@pytest.fixture
def client(new_client: Callable[..., TaskCopilotClient]) -> TaskCopilotClient:
    """A connected client."""
    client = new_client()
    assert client.connect()
    return client


@pytest.fixture
def polling(bridge: FakeBridge, new_client: Callable[..., TaskCopilotClient]) -> TaskCopilotClient:
    """A client that polls every 30 s and probes every 10 s, because upgrades are refused."""
    bridge.refuse = True
    client = new_client()
    assert client.connect()
    return client
