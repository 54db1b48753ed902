"""A bridge as a process of its own that tells what it holds: tasks, members, descriptors and memory.

Run as a program this is `taskcopilot`, with one more route that counts the tasks of the event loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import requests
from aiohttp import web

from taskcopilot.cli import main
from taskcopilot.core import Core
from taskcopilot.web import app as application
from tests.helpers.memory import private_memory
from tests.helpers.processes import Running, running
from tests.helpers.waiting import wait_until

_CLIENTS = re.compile(r"^(?:taskcopilot_clients|websocket_connections_active)\{.*\} (\d+)", re.MULTILINE)


@dataclass(frozen=True)
class Holdings:
    """What a process holds at one moment."""

    tasks: int
    clients: int
    descriptors: int


class Watched:
    """A bridge that runs, and what it holds."""

    def __init__(self, process: Running, url: str) -> None:
        self.process = process
        self.url = url
        self.port = int(url.rpartition(":")[2])
        self.session = requests.Session()

    def holdings(self) -> Holdings:
        """Count what it holds now, the connection that asks included."""
        tasks = self.session.get(f"{self.url}/tasks", timeout=20).json()
        metrics = self.session.get(f"{self.url}/metrics", timeout=20).text
        clients = sum(map(int, _CLIENTS.findall(metrics)))
        return Holdings(tasks, clients, len(list(Path(f"/proc/{self.process.pid}/fd").iterdir())))

    def memory(self) -> int:
        """Return the bytes of memory that only it has."""
        return private_memory(self.process.pid)

    def answers(self) -> bool:
        """Tell whether it serves a new connection."""
        return requests.get(f"{self.url}/health", timeout=20).ok

    @contextlib.contextmanager
    def holding_no_more(self) -> Iterator[None]:
        """What the block does must leave nothing behind: everything goes back to what it was."""
        self.holdings()  # whatever is made once, is made now
        before = self.holdings()
        yield
        after = before

        def back() -> bool:
            nonlocal after
            after = self.holdings()
            return after.tasks <= before.tasks and after.clients == 0 and after.descriptors <= before.descriptors

        wait_until(back, f"{before} again")


@contextlib.contextmanager
def watching(home: Path, *arguments: str) -> Iterator[Watched]:
    """Run a bridge; at the end it must stop in good order, with no traceback and no complaint of asyncio in its log."""
    options = ("serve", "--json", "--port", "0", "--db", "tasks.db", "--durability", "normal", *arguments)
    with running(home, *options, code=f"from {__name__} import run; run()") as process:
        url = re.search(r'"url":"([^"]+)"', process.out.next())
        assert url is not None
        bridge = Watched(process, url[1])
        with bridge.session:
            yield bridge
        code, _ = process.stop()
        log = process.err.text()
        assert code == 0
        assert "Traceback" not in log, log[-5_000:]
        assert "never retrieved" not in log


async def _count(_request: web.Request) -> web.Response:
    return web.json_response(len(asyncio.all_tasks()))


def run() -> None:
    """Be `taskcopilot`, with the route `/tasks`."""
    make_app = application.make_app

    def with_count(core: Core) -> web.Application:
        app = make_app(core)
        app.router.add_get("/tasks", _count)
        return app

    application.make_app = with_count
    main()
