"""`taskcopilot serve` as it is, on a database of its own."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.processes import in_process, started
from bench.workload import fill, on_loop, opened

__all__ = ["Bridge", "prepare", "serving"]


@dataclass(frozen=True)
class Bridge:
    """A bridge that answers."""

    pid: int
    port: int
    epoch: str


def prepare(database: Path, tasks: int) -> list[str]:
    """Make a database with tasks, in a process of its own, and return their ids."""
    return in_process(_prepare, database, tasks)


@contextlib.contextmanager
def serving(database: Path, *options: str) -> Iterator[Bridge]:
    """Serve a database on the server's core."""
    command = [sys.executable, "-m", "taskcopilot", "serve", "--json", "--port", "0", "--db", str(database), *options]
    with started(command) as process:
        ready = process.answer()
        yield Bridge(process.pid, int(ready["url"].rpartition(":")[2]), ready["epoch"])


def _prepare(database: Path, tasks: int) -> list[str]:
    return on_loop("asyncio", _fill, database, tasks)


async def _fill(database: Path, tasks: int) -> list[str]:
    async with opened(database, follow=False) as core:
        return await fill(core, tasks)
