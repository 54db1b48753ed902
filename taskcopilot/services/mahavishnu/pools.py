"""mahavishnu's pools and workers: their events, the state that they add up to, and who asks for it."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import BeforeValidator

from taskcopilot.services.event import Document, Identifier, JsonObject, ServiceEvent
from taskcopilot.services.service import Arguments, Request
from taskcopilot.services.state import State

__all__ = ["EVENTS", "GET_POOL_STATUS", "PoolStatusChanged", "WorkerStatusChanged"]


def _bare(pool_id: Any) -> Any:
    """Take the id out of the name of its channel."""
    return pool_id.removeprefix("pool:") if isinstance(pool_id, str) else pool_id


def _state_of(status: Any) -> Any:
    return {"state": status} if isinstance(status, str) else status


PoolId = Annotated[Identifier, BeforeValidator(_bare)]

MAX_WORKERS: Final = 1_000
"""Workers that are kept of one pool: those heard of last, for some pools never say that one is gone."""

_POOL: Final = "pool:{pool_id}"
_POOL_ROOMS: Final[tuple[str, ...]] = (_POOL, "global")
_WORKER_ROOMS: Final[tuple[str, ...]] = (_POOL, "worker:{worker_id}", "global")


def _pool(state: Document, event: Any) -> Document:
    """Return the pool as it is known, before the event changes it."""
    return {"pool_id": event.pool_id, "status": "active", "workers": {}, "details": {}} | state


def _spawned(state: Document, event: PoolSpawned) -> Document:
    del state
    return {**_pool({}, event), "config": event.config}


def _scaled(state: Document, event: PoolScaled) -> Document:
    pool = _pool(state, event)
    return {**pool, "details": {**pool["details"], "worker_count": event.worker_count}}


def _told(state: Document, event: PoolStatusChanged) -> Document:
    pool = _pool(state, event)
    word = event.status.get("state", event.status.get("status"))
    status = word if isinstance(word, str) else pool["status"]
    return {**pool, "status": status, "details": {**pool["details"], **event.status}}


def _worker_told(state: Document, event: WorkerStatusChanged) -> Document:
    return _with_worker(state, event, event.status)


def _worker_added(state: Document, event: WorkerAdded) -> Document:
    return _with_worker(state, event, "idle")


def _worker_removed(state: Document, event: WorkerRemoved) -> Document:
    pool = _pool(state, event)
    return {**pool, "workers": {name: of for name, of in pool["workers"].items() if name != event.worker_id}}


def _task_assigned(state: Document, event: TaskAssigned) -> Document:
    return _with_worker(state, event, "busy")


def _task_completed(state: Document, event: TaskCompleted) -> Document:
    return _with_worker(state, event, "idle", done=1)


def _with_worker(state: Document, event: Any, status: str, done: int = 0) -> Document:
    pool = _pool(state, event)
    before = pool["workers"].get(event.worker_id, {}).get("tasks_completed", 0)
    worker = {"worker_id": event.worker_id, "status": status, "tasks_completed": before + done}
    others = {name: of for name, of in pool["workers"].items() if name != event.worker_id}
    for name in list(others)[: max(0, len(others) + 1 - MAX_WORKERS)]:
        del others[name]
    return {**pool, "workers": {**others, event.worker_id: worker}}


def _closed(state: Document, event: PoolClosed) -> Document:
    return {**_pool(state, event), "status": "closed", "workers": {}}


class _PoolEvent(ServiceEvent):
    about = _POOL
    goes_to = _POOL_ROOMS
    pool_id: PoolId


class _WorkerEvent(_PoolEvent):
    about = "worker:{worker_id}"
    goes_to = _WORKER_ROOMS
    worker_id: Identifier


class PoolSpawned(_PoolEvent):
    """There is a new pool."""

    event = "pool.spawned"
    folds = ((_POOL, _spawned),)
    config: JsonObject


class PoolScaled(_PoolEvent):
    """A pool has another number of workers."""

    event = "pool.scaled"
    folds = ((_POOL, _scaled),)
    worker_count: int


class PoolStatusChanged(_PoolEvent):
    """A pool is in another state; a bare word stands for `{"state": word}`."""

    event = "pool.status_changed"
    folds = ((_POOL, _told),)
    status: Annotated[JsonObject, BeforeValidator(_state_of)]


class PoolClosed(_PoolEvent):
    """A pool is no more."""

    event = "pool.closed"
    folds = ((_POOL, _closed),)


class WorkerStatusChanged(_WorkerEvent):
    """A worker does something else: idle, busy, error or offline."""

    event = "worker.status_changed"
    folds = ((_POOL, _worker_told),)
    status: Identifier


class WorkerAdded(_WorkerEvent):
    """A pool has a new worker, which is idle."""

    event = "worker.added"
    folds = ((_POOL, _worker_added),)


class WorkerRemoved(_WorkerEvent):
    """A pool has a worker less."""

    event = "worker.removed"
    folds = ((_POOL, _worker_removed),)


class TaskAssigned(_WorkerEvent):
    """A worker got a task, and is busy."""

    event = "task.assigned"
    folds = ((_POOL, _task_assigned),)
    task: JsonObject


class TaskCompleted(_WorkerEvent):
    """A worker is done with a task, and idle."""

    event = "task.completed"
    folds = ((_POOL, _task_completed),)
    result: JsonObject


EVENTS: Final = (
    WorkerStatusChanged,
    PoolStatusChanged,
    PoolSpawned,
    PoolScaled,
    PoolClosed,
    WorkerAdded,
    WorkerRemoved,
    TaskAssigned,
    TaskCompleted,
)


class _Which(Arguments):
    pool_id: PoolId


def _status(state: State, asked: _Which) -> dict[str, Any]:
    """Answer how a pool is. `workers` are ids; the numbers are counted unless a pool told them itself."""
    pool = state.require("pool", asked.pool_id)
    statuses = [worker["status"] for worker in pool["workers"].values()]
    counted = {
        "worker_count": len(statuses),
        "active_workers": statuses.count("busy"),
        "idle_workers": statuses.count("idle"),
        "error_workers": statuses.count("error"),
    }
    own = {"pool_id": pool["pool_id"], "status": pool["status"], "workers": sorted(pool["workers"])}
    return {**counted, **pool["details"], **own}


GET_POOL_STATUS: Final = Request("get_pool_status", _Which, _status)
