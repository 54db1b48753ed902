"""The bridge itself: the real application on a database of its own, with a way to publish from inside.

python -m bench.peers.bridge LOOP DATABASE [EVENTS-TO-KEEP]
"""

from __future__ import annotations

import asyncio
import cProfile
import sys
import time
from pathlib import Path
from typing import Any, Final

from bench.peers.control import Commands, obey, pacing, publishing
from bench.profiling import by_function
from bench.workload import new_event, on_loop, opened
from taskcopilot.core import Core
from taskcopilot.events import Event
from taskcopilot.process import keep_the_loop_prompt
from taskcopilot.store.transaction import Emitted, Tx
from taskcopilot.upkeep import upkeep
from taskcopilot.web.app import make_app
from taskcopilot.web.keys import HUB
from taskcopilot.web.server import serving

_LOOK: Final = 0.001


async def serve(database: Path, retention: int) -> None:
    """Serve until standard input ends, in a process that is tuned as `taskcopilot serve` tunes its own."""
    keep_the_loop_prompt()
    async with opened(database, retention=retention) as core:
        app = make_app(core)
        async with serving(core, app) as server, upkeep(core):
            hub = app[HUB]

            async def publish(_number: int) -> None:
                core.bus.publish([new_event(hub.head + 1)])

            commands = {**publishing(publish), **_further(core)}
            await obey(commands, port=server.port, epoch=core.recorder.epoch)


def _further(core: Core) -> Commands:
    async def recorded(command: dict[str, Any]) -> dict[str, Any]:
        """Let a thousand units of one event each go through the recorder at once: group commits, on disk."""
        began = time.perf_counter_ns()
        await asyncio.gather(*(core.recorder.record(_unit) for _ in range(command["count"])))
        return {"began": began}

    async def tasks(_command: dict[str, Any]) -> dict[str, Any]:
        """Count the tasks of the event loop, our own left out."""
        return {"tasks": len(asyncio.all_tasks()) - 1}

    async def lag(command: dict[str, Any]) -> dict[str, Any]:
        """Look at the clock every millisecond for a while; return how late the looks were, in ms."""
        late = []
        until = time.perf_counter() + command["seconds"]
        while (began := time.perf_counter()) < until:
            await asyncio.sleep(_LOOK)
            late.append((time.perf_counter() - began - _LOOK) * 1_000)
        return {"late": late}

    profile = cProfile.Profile()

    async def profiled(command: dict[str, Any]) -> dict[str, Any]:
        """Begin to profile the event loop's thread; or end it, and say what it found."""
        if command["on"]:
            profile.enable()
            return {}
        profile.disable()
        return {"found": by_function(command["what"], profile)}

    at_a_rate = pacing(lambda: core.recorder.record(_unit))
    return {
        "recorded": recorded,
        "recorded_at_a_rate": at_a_rate,
        "tasks": tasks,
        "lag": lag,
        "profile": profiled,
    }


def _unit(tx: Tx) -> None:
    event: Event = new_event(0)
    emitted: Emitted = (event.topic, event.type, event.data)
    tx.emitted.append(emitted)


if __name__ == "__main__":
    on_loop(sys.argv[1], serve, Path(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 100_000)
