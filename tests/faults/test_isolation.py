"""What one client or receiver does wrong is its own loss: calls stay whole, events reach the others."""

from __future__ import annotations

import contextlib
import json
import random
import socket
import sqlite3
import struct
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from taskcopilot.events import Event
from tests.helpers.crowd import crowd, free_port
from tests.helpers.processes import bridge
from tests.helpers.server import running_server

RESET = struct.pack("ii", 1, 0)
"""SO_LINGER that ends a connection with a reset."""


def leave_in_the_middle(url: str, key: str, sent: float, patience: float, *, reset: bool) -> None:
    """Send the given part of a tool call, wait so many seconds for an answer, and go away."""
    host, _, port = url.removeprefix("http://").partition(":")
    body = json.dumps({"title": key, "idempotencyKey": key}).encode()
    head = f"POST /api/tools/task_create HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Type: application/json\r\n"
    request = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
    with socket.create_connection((host, int(port)), timeout=10) as client:
        client.sendall(request[: int(len(request) * sent)])
        client.settimeout(patience)
        with contextlib.suppress(TimeoutError):
            client.recv(1)
        if reset:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)


def test_a_call_whose_client_left_is_whole_or_nowhere(
    tmp_path: Path, size: Callable[[int, int], int], say: Callable[[str], None]
) -> None:
    """D6: a task and its event, or neither; what is there was published, and half a request is nothing."""
    chance = random.Random(5)
    where = ("--db", "tasks.db", "--port", str(free_port()))
    with bridge(tmp_path, *where) as (process, ready), crowd(ready["url"], publishers=0) as people:
        for number in range(size(100, 1_000)):
            sent = chance.choice([chance.random() * 0.99, 1.0])
            key = f"{'all' if sent == 1 else 'part'}-{number}"
            people.given_up.add(key)
            leave_in_the_middle(ready["url"], key, sent, chance.uniform(0.0001, 0.006), reset=chance.random() < 0.5)
        people.acknowledged["last"] = people.create("last").json()
        assert process.stop()[0] == 0  # whatever was still under way is finished or given up now
        assert "Traceback" not in process.err.text()
        with bridge(tmp_path, *where):
            people.check_log_rule(tmp_path / "tasks.db")
    with contextlib.closing(sqlite3.connect(tmp_path / "tasks.db")) as connection:
        tasks = {title for (title,) in connection.execute("SELECT title FROM tasks")}
    assert tasks == {data["taskTitle"] for _, _, data in people.heard}
    assert not [title for title in tasks if title.startswith("part")]
    assert [title for title in tasks if title.startswith("all")]
    say(f"{len(people.given_up)} clients left in the middle of a call: {len(tasks) - 1} calls were carried out")


async def test_a_receiver_that_fails_or_is_slow_takes_nothing_from_the_others(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """D1: clients get every event in order, the calls succeed, and the log names what is at fault."""

    def broken(_events: Sequence[Event]) -> None:
        raise RuntimeError("receiver")

    def slow(_events: Sequence[Event]) -> None:
        end = time.perf_counter() + 0.3
        while time.perf_counter() < end:
            pass

    async with running_server(tmp_path) as server, server.http.ws_connect("/ws") as client:
        for receiver in (broken, slow, broken):
            server.core.bus.subscribe(receiver)
        await client.send_json({"type": "subscribe", "payload": {"topics": ["*"]}})
        assert (await client.receive_json())["type"] == "subscribed"
        for number in range(4):
            await server.call("task_create", title=str(number))
        heard = [await client.receive_json() for _ in range(4)]
    assert [(event["seq"], event["payload"]["data"]["taskTitle"]) for event in heard] == [
        (number + 1, str(number)) for number in range(4)
    ]
    assert caplog.text.count("a bus receiver failed") == 8
    assert caplog.text.count("held everything up for 0.") >= 4
