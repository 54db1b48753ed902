"""The core without a network: the real store, recorder and tools, and what the bus carried."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
from pydantic import BaseModel

from taskcopilot.bus import Bus
from taskcopilot.events import Event
from taskcopilot.recorder import Recorder
from taskcopilot.store.database import Database
from taskcopilot.tools.dispatch import Toolbox
from taskcopilot.tools.table import REGISTRY
from taskcopilot.workspace import Workspace
from tests.helpers.clock import FakeClock


@dataclass
class Core:
    """A running core. `events` holds (topic, type, data) of all that was published, in order."""

    clock: FakeClock
    database: Database
    bus: Bus
    recorder: Recorder
    toolbox: Toolbox
    published: list[Event] = field(default_factory=list)

    @property
    def events(self) -> list[tuple[str, str, dict[str, Any]]]:
        """What the bus carried so far."""
        return [(event.topic, event.type, orjson.loads(event.data)) for event in self.published]

    @property
    def types(self) -> list[str]:
        """The types of what the bus carried so far."""
        return [event.type for event in self.published]

    def forget(self) -> None:
        """Start counting events anew."""
        self.published.clear()

    async def call(self, tool: str, **arguments: Any) -> Any:
        """Call a tool with wire names and return its answer as JSON."""
        return as_json(await self.toolbox.call(tool, arguments))


def as_json(answer: BaseModel) -> Any:
    """Return a tool's answer as it looks on the wire."""
    return orjson.loads(answer.model_dump_json())


@contextlib.asynccontextmanager
async def core(directory: Path, *, file: str = "tasks.db") -> AsyncIterator[Core]:
    """Open a core on a database file below the directory."""
    clock, bus = FakeClock(), Bus()
    async with (
        Database.open(Workspace.at(directory / file), clock) as database,
        Recorder(database, bus).running() as recorder,
    ):
        running = Core(clock, database, bus, recorder, Toolbox(REGISTRY, database, recorder))

        def keep(events: Sequence[Event]) -> None:
            running.published.extend(events)

        bus.subscribe(keep)
        yield running
