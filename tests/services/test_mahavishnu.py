"""mahavishnu over a real socket: every dialect, every request, every broadcast, every error."""

from __future__ import annotations

from typing import Any

import pytest

from taskcopilot.services.mahavishnu import Mahavishnu
from taskcopilot.services.mahavishnu.pool_broadcaster import PoolBroadcaster
from tests.helpers.dialects import House, check_dialects

TIME = "2026-01-08T12:00:00.000Z"

WORKFLOW = "workflow:wf"
POOL = "pool:p"
USER = ["goal-teams:u", "goal-teams", "global"]

BROADCASTS: list[tuple[str, tuple[Any, ...], str, dict[str, Any], list[str]]] = [
    (
        "workflow_started",
        ("wf", {"adapter": "llamaindex", "prompt": "Write code"}),
        "workflow.started",
        {"workflow_id": "wf", "adapter": "llamaindex", "prompt": "Write code"},
        [WORKFLOW, "global"],
    ),
    (
        "workflow_stage_completed",
        ("wf", "plan", {"output": "ok"}),
        "workflow.stage_completed",
        {"workflow_id": "wf", "stage_name": "plan", "result": {"output": "ok"}},
        [WORKFLOW, "global"],
    ),
    (
        "workflow_completed",
        ("wf", {"n": 1}),
        "workflow.completed",
        {"workflow_id": "wf", "result": {"n": 1}},
        [WORKFLOW, "global"],
    ),
    (
        "workflow_failed",
        ("wf", "time-out"),
        "workflow.failed",
        {"workflow_id": "wf", "error": "time-out"},
        [WORKFLOW, "global"],
    ),
    (
        "worker_status_changed",
        ("w", "busy", "pool:p"),
        "worker.status_changed",
        {"worker_id": "w", "status": "busy", "pool_id": "p"},
        [POOL, "worker:w", "global"],
    ),
    (
        "pool_status_changed",
        ("p", {"queue_size": 3}),
        "pool.status_changed",
        {"pool_id": "p", "status": {"queue_size": 3}},
        [POOL, "global"],
    ),
    (
        "team_created",
        ("t", "Blue", "ship", "auto", "u"),
        "team.created",
        {"team_id": "t", "team_name": "Blue", "goal": "ship", "mode": "auto"},
        USER,
    ),
    (
        "team_parsed",
        ("ship", "build", ["python"], 0.98765, "u"),
        "team.parsed",
        {"goal": "ship", "intent": "build", "skills": ["python"], "confidence": 0.988},
        USER,
    ),
    (
        "team_execution_started",
        ("t", "x" * 300),
        "team.execution_started",
        {"team_id": "t", "task": "x" * 200},
        ["goal-teams", "global"],
    ),
    (
        "team_execution_completed",
        ("t", True, 12.3456),
        "team.execution_completed",
        {"team_id": "t", "success": True, "duration_ms": 12.35},
        ["goal-teams", "global"],
    ),
    (
        "team_error",
        ("t", "E1", "broken"),
        "team.error",
        {"team_id": "t", "error_code": "E1", "message": "broken"},
        ["goal-teams", "global"],
    ),
    (
        "adapter_registered",
        ("a", "Ada", ["rag"], "local", "entry_point"),
        "adapter.registered",
        {
            "adapter_id": "a",
            "adapter_name": "Ada",
            "capabilities": ["rag"],
            "provider": "local",
            "source": "entry_point",
        },
        ["adapters", "global"],
    ),
    (
        "adapter_health_changed",
        ("a", "Ada", "healthy", "degraded"),
        "adapter.health_changed",
        {"adapter_id": "a", "adapter_name": "Ada", "old_status": "healthy", "new_status": "degraded", "details": {}},
        ["adapters", "global"],
    ),
    (
        "adapter_enabled",
        ("a", "Ada", True),
        "adapter.enabled",
        {"adapter_id": "a", "adapter_name": "Ada", "enabled": True, "reason": None},
        ["adapters", "global"],
    ),
    (
        "adapter_enabled",
        ("a", "Ada", False, "costs"),
        "adapter.disabled",
        {"adapter_id": "a", "adapter_name": "Ada", "enabled": False, "reason": "costs"},
        ["adapters", "global"],
    ),
    (
        "routing_decision",
        ("rag", "a", ["rag"], 1.23456, False),
        "adapter.routing_decision",
        {
            "task_type": "rag",
            "selected_adapter": "a",
            "capabilities_matched": ["rag"],
            "latency_ms": 1.23,
            "fallback_used": False,
        },
        ["adapters", "global"],
    ),
]


@pytest.fixture
def mahavishnu(house: House) -> Mahavishnu:
    """The broadcasts."""
    return Mahavishnu(house.publisher)


@pytest.mark.parametrize("broadcast", BROADCASTS, ids=lambda broadcast: broadcast[2])
async def test_a_broadcast_reaches_every_room_of_it(
    house: House, mahavishnu: Mahavishnu, broadcast: tuple[str, tuple[Any, ...], str, dict[str, Any], list[str]]
) -> None:
    """V7: who is in any of its rooms gets it once, with the room's name, its number, and the data of the contract."""
    method, arguments, event, data, rooms = broadcast
    clients = {room: await house.client("mahavishnu") for room in rooms}
    for room, client in clients.items():
        await client.subscribe(room)
    everywhere = await house.client("mahavishnu")
    await everywhere.subscribe(*reversed(rooms))
    elsewhere = await house.client("mahavishnu")
    await elsewhere.subscribe("workflow:other", "pool:other", "worker:other", "code")
    await getattr(mahavishnu, f"broadcast_{method}")(*arguments)
    for room, client in clients.items():
        (heard,) = await client.sync()
        assert (heard["type"], heard["event"], heard["room"], heard["seq"]) == ("event", event, room, 1)
        assert heard["data"] == {**data, "timestamp": TIME}
    assert [heard["room"] for heard in await everywhere.sync()] == [rooms[0]]
    assert await elsewhere.sync() == []


async def test_the_pool_broadcaster_names_the_pool_first(house: House) -> None:
    """Nine more events, to the pool, the worker and everybody; False for one that cannot be published."""
    pools = PoolBroadcaster(house.publisher)
    client = await house.client("mahavishnu")
    await client.subscribe("pool:p")
    assert await pools.broadcast_pool_spawned("p", {"kind": "local"})
    assert await pools.broadcast_pool_scaled("p", 2)
    assert await pools.broadcast_pool_status_changed("p", "draining")
    assert await pools.broadcast_worker_added("p", "w1")
    assert await pools.broadcast_worker_status_changed("p", "w1", "error")
    assert await pools.broadcast_task_assigned("p", "w2", {"id": 1})
    assert await pools.broadcast_task_completed("p", "w2", {"ok": True})
    status = (await client.sync(), await client.request("get_pool_status", pool_id="p"))[1]["data"]
    assert status == {
        "pool_id": "p",
        "status": "draining",
        "state": "draining",
        "workers": ["w1", "w2"],
        "worker_count": 2,
        "active_workers": 0,
        "idle_workers": 1,
        "error_workers": 1,
    }
    assert await pools.broadcast_worker_removed("p", "w1")
    assert await pools.broadcast_pool_closed("p")
    assert [heard["event"] for heard in await client.sync()] == ["worker.removed", "pool.closed"]
    closed = (await client.request("get_pool_status", pool_id="pool:p"))["data"]
    assert (closed["status"], closed["workers"]) == ("closed", [])
    assert not await pools.broadcast_pool_scaled("", 1)


async def test_a_workflow_is_told_from_its_events(house: House, mahavishnu: Mahavishnu) -> None:
    """Stages are counted once each; the numbers are those of the events, and never invented."""
    client = await house.client("mahavishnu")
    await mahavishnu.broadcast_workflow_started("wf", {"total_stages": 4})
    for stage in ("plan", "build", "plan"):
        await mahavishnu.broadcast_workflow_stage_completed("wf", stage, {})
    running = (await client.request("get_workflow_status", workflow_id="wf"))["data"]
    assert running == {
        "workflow_id": "wf",
        "status": "running",
        "stages_completed": 2,
        "total_stages": 4,
        "started_at": TIME,
        "current_stage": "plan",
        "progress": 0.5,
    }
    await mahavishnu.broadcast_workflow_failed("wf", "time-out")
    failed = await client.request("get_workflow_status", workflow_id="wf")
    assert failed["data"] | {"status": "failed", "error": "time-out", "completed_at": TIME} == failed["data"]
    assert failed["seq"] == 5
    await mahavishnu.broadcast_workflow_completed("wf2", {"n": 1})
    completed = (await client.request("get_workflow_status", workflow_id="wf2"))["data"]
    assert (completed["status"], completed["total_stages"], completed["result"]) == ("completed", None, {"n": 1})


@pytest.mark.parametrize(
    ("event", "data", "code"),
    [
        ("get_workflow_status", {"workflow_id": "nobody"}, "NOT_FOUND"),
        ("get_pool_status", {"pool_id": "nobody"}, "NOT_FOUND"),
        ("get_workflow_status", {}, "INVALID_ARGUMENT"),
        ("get_pool_status", {"pool_id": 5}, "INVALID_ARGUMENT"),
        ("get_status", {}, "UNKNOWN_REQUEST"),
        ("subscribe", {"channel": "session:1"}, "INVALID_CHANNEL"),
        ("subscribe", {"channel": "workflow:"}, "INVALID_CHANNEL"),
        ("subscribe", {}, "INVALID_CHANNEL"),
        ("subscribe", {"channel": "global", "since": "never"}, "INVALID_ARGUMENT"),
    ],
)
async def test_every_bad_request_gets_its_code(house: House, event: str, data: dict[str, Any], code: str) -> None:
    """With its correlation, and the connection goes on."""
    client = await house.client("mahavishnu")
    answer = await client.request(event, **data)
    assert (answer["type"], answer["event"], answer["error_code"]) == ("error", None, code)
    assert answer["error_message"]
    await client.subscribe("global")


@pytest.mark.parametrize("room", ["workflow:a b", "pool:ü", "worker:1:2", "goal-teams:u", "adapters", "global"])
async def test_every_dialect_joins_and_leaves(house: House, room: str) -> None:
    """The forms of the documents and of the clients; ids may hold colons and letters of any script."""
    await check_dialects(await house.client("mahavishnu"), room)


async def test_families_of_events_go_where_the_family_goes(house: House, mahavishnu: Mahavishnu) -> None:
    """`code.*` to `code`, learning to the ecosystem, backups to everybody."""
    client = await house.client("mahavishnu")
    await client.subscribe("code", "symbiotic:ecosystem", "global")
    for event in ("code.indexed", "learning.metrics", "skill.effectiveness", "strategy.recommender", "backup.done"):
        await mahavishnu.broadcast_event(event, {"n": 1})
    await mahavishnu.broadcast_event("worker.availability_changed", {"worker_type": "gpu", "state": "up"})
    assert [(heard["event"], heard["room"]) for heard in await client.sync()] == [
        ("code.indexed", "code"),
        ("learning.metrics", "symbiotic:ecosystem"),
        ("skill.effectiveness", "symbiotic:ecosystem"),
        ("strategy.recommender", "symbiotic:ecosystem"),
        ("backup.done", "global"),
        ("worker.availability_changed", "global"),
    ]


async def test_a_pool_keeps_the_workers_that_it_heard_of_last(
    house: House, mahavishnu: Mahavishnu, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some pools never say that a worker is gone."""
    monkeypatch.setattr("taskcopilot.services.mahavishnu.pools.MAX_WORKERS", 2)
    for worker in ("a", "b", "a", "c"):
        await mahavishnu.broadcast_worker_status_changed(worker, "idle", "p")
    client = await house.client("mahavishnu")
    assert (await client.request("get_pool_status", pool_id="p"))["data"]["workers"] == ["a", "c"]
