"""Runs that look like real ones, made through the tools."""

from __future__ import annotations

import asyncio

from tests.helpers.bridge import as_json
from tests.helpers.bridge_thread import BridgeThread

__all__ = ["REASON", "many", "release"]

REASON = "The load balancer in staging closes idle requests after 30 s; waiting for operations to raise it to 75 s"

PLAN = {
    "schema": ("Database schema", "foundation", [], ["Write the event log migration", "Index tasks by stream"]),
    "protocol": ("Wire protocol", "foundation", [], ["Specify subscribe and since", "Golden frames", "Codec"]),
    "hub": ("Live delivery hub", "parallel", ["schema", "protocol"], ["Pattern index", "Join groups", "Catch up"]),
    "http": ("HTTP API", "parallel", ["schema"], ["Route table", "Long polling", "ETag for events"]),
    "client": ("Python client", "parallel", ["protocol"], ["State machine", "Reconnect with jitter", "Typed errors"]),
    "dashboard": ("Dashboard", "integration", ["hub", "http"], ["Layout and themes", "Board with search"]),
    "release": ("Release", "integration", ["dashboard", "client"], ["Build the wheel", "Write the changelog"]),
}


def release(bridge: BridgeThread) -> dict[str, str]:
    """Record a release that is half done and held up by one task; return title -> id."""
    ids = {
        title: bridge.call("task_create", title=title, metadata=metadata(stream))["id"]
        for stream, (_, _, _, titles) in PLAN.items()
        for title in titles
    }
    for title in (*PLAN["schema"][3], *PLAN["protocol"][3], "Pattern index", "Route table", "State machine"):
        work(bridge, ids[title], "me", "completed")
    work(bridge, ids["Catch up"], "me")
    work(bridge, ids["Reconnect with jitter"], "ta")
    bridge.call(
        "agent_heartbeat", taskId=ids["Catch up"], agent="me", phase="build", activityDescription="Reading the log"
    )
    work(bridge, ids["Long polling"], "do")
    record(bridge, ids["Long polling"])
    bridge.call("task_update", id=ids["Long polling"], status="blocked", blockedReason=REASON)
    return ids


def many(bridge: BridgeThread, count: int, streams: int = 0) -> list[str]:
    """Create tasks all at once, in so many streams, and return their ids."""

    async def create(number: int) -> str:
        metadata = {"streamId": f"stream-{number % streams}"} if streams else {}
        made = await bridge.core.toolbox.call("task_create", {"title": f"Task {number}", "metadata": metadata})
        return str(as_json(made)["id"])

    async def create_all() -> list[str]:
        return await asyncio.gather(*map(create, range(count)))

    return bridge.run(create_all())


def metadata(stream: str) -> dict[str, object]:
    """Return the metadata of the stream's tasks."""
    name, phase, needs, _ = PLAN[stream]
    return {"streamId": stream, "streamName": name, "streamPhase": phase, "streamDependencies": needs}


def work(bridge: BridgeThread, task_id: str, agent: str, end: str | None = None) -> None:
    """Start a task, and end it."""
    bridge.call("task_update", id=task_id, status="in_progress", assignedAgent=agent)
    if end:
        bridge.call("task_update", id=task_id, status=end)


def record(bridge: BridgeThread, task_id: str) -> None:
    """Leave on a task what agents leave: a work product, a checkpoint, a handoff."""
    product = bridge.call(
        "work_product_store",
        taskId=task_id,
        type="implementation",
        title="Long poll: design and code",
        content="# Long poll\n\nA waiter is a member of the hub that only rings a bell.\n",
    )
    bridge.call("checkpoint_create", taskId=task_id, executionPhase="implementation", executionStep=2)
    bridge.call(
        "agent_handoff",
        taskId=task_id,
        fromAgent="sd",
        toAgent="do",
        workProductId=product["id"],
        handoffContext="The waiter works, limits are missing",
        chainPosition=1,
        chainLength=2,
    )
