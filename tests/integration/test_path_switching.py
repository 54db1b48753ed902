"""Changing from one way of following to another, with one cursor: nothing is lost, doubled or out of order."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

import pytest

from tests.helpers.paths import PATHS
from tests.helpers.server import RunningServer

Size = Callable[[int, int], int]

END = "stream:END"
"""The topic of the last event, which everybody wants."""

CHOICES = [(("*",), ()), (("task:*", END), ()), (("stream:*", "*:A"), ()), (("*",), ("stream.*", "task.updated"))]
"""What a client asks for: topics, and types of events."""

WANTED: list[Callable[[str, str], bool]] = [
    lambda topic, kind: True,
    lambda topic, kind: topic.startswith("task:") or topic == END,
    lambda topic, kind: topic.startswith("stream:") or topic.endswith(":A"),
    lambda topic, kind: kind.startswith("stream.") or kind == "task.updated",
]
"""The same, by hand."""


async def work(server: RunningServer, chance: random.Random) -> None:
    """Create and move on tasks, in streams and outside, at an uneven pace."""
    tasks: list[str] = []
    for _ in range(60):
        if tasks and chance.random() < 0.5:
            await server.call("task_update", id=chance.choice(tasks), notes=f"note {chance.random()}")
        else:
            metadata = {"streamId": chance.choice("AB")} if chance.random() < 0.6 else {}
            tasks.append((await server.call("task_create", title="t", metadata=metadata))["id"])
        for _ in range(chance.randrange(40)):
            await asyncio.sleep(0)
    await server.call("task_create", title="the last", metadata={"streamId": "END"})


async def follow(server: RunningServer, chance: random.Random, start: int, choice: int) -> list[int]:
    """Take events up to the last, on another path after every few of them; return their numbers."""
    cursor, name, taken, topic = f"{server.core.recorder.epoch}:{start}", "", [], ""
    while topic != END:
        name = chance.choice([other for other in PATHS if other != name])
        path = PATHS[name](server)
        assert (await path.open(cursor, *CHOICES[choice])).gap is None
        for _ in range(chance.randrange(6)):
            event = await path.next()
            taken.append(event["seq"])
            if (topic := event["payload"]["topic"]) == END:
                break
        assert path.cursor
        cursor = path.cursor
        await path.close()
    return taken


@pytest.mark.timeout(300)
async def test_a_client_may_change_its_path_at_any_moment(server: RunningServer, size: Size) -> None:
    """D1, D4, H1, H7, H8: four clients, each with one cursor and its own wishes, while agents work."""
    for seed in range(size(3, 20)):
        start = server.core.recorder.head
        clients = [follow(server, random.Random(f"{seed} {choice}"), start, choice) for choice in range(len(CHOICES))]
        *seen, _ = await asyncio.gather(*clients, work(server, random.Random(seed)))
        _, log = await server.core.database.read_log(start, 10_000)
        for wanted, taken in zip(WANTED, seen, strict=True):
            assert taken == [event.seq for event in log if wanted(event.topic, event.type)], seed
