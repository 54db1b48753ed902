"""The broadcasts of mahavishnu's pools, which name the pool first and answer whether the event was published."""

from __future__ import annotations

import logging
from typing import Any, Final

from taskcopilot.errors import BridgeError
from taskcopilot.services.event import JsonObject
from taskcopilot.services.mahavishnu import SERVICE
from taskcopilot.services.publishing import Publisher

__all__ = ["PoolBroadcaster"]

_log: Final = logging.getLogger(__name__)


class PoolBroadcaster:
    """False stands for an event that was not published; the log says why. Nothing is buffered: the log is."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher

    async def broadcast_pool_spawned(self, pool_id: str, config: JsonObject) -> bool:
        """Say that there is a new pool."""
        return await self._publish("pool.spawned", pool_id=pool_id, config=config)

    async def broadcast_pool_scaled(self, pool_id: str, worker_count: int) -> bool:
        """Say that a pool has another number of workers."""
        return await self._publish("pool.scaled", pool_id=pool_id, worker_count=worker_count)

    async def broadcast_pool_status_changed(self, pool_id: str, status: str | JsonObject) -> bool:
        """Say how a pool is, in a word or in numbers."""
        return await self._publish("pool.status_changed", pool_id=pool_id, status=status)

    async def broadcast_worker_added(self, pool_id: str, worker_id: str) -> bool:
        """Say that a pool has a new worker."""
        return await self._publish("worker.added", pool_id=pool_id, worker_id=worker_id)

    async def broadcast_worker_removed(self, pool_id: str, worker_id: str) -> bool:
        """Say that a pool has a worker less."""
        return await self._publish("worker.removed", pool_id=pool_id, worker_id=worker_id)

    async def broadcast_worker_status_changed(self, pool_id: str, worker_id: str, status: str) -> bool:
        """Say what a worker does; mind the order of the arguments."""
        return await self._publish("worker.status_changed", pool_id=pool_id, worker_id=worker_id, status=status)

    async def broadcast_task_assigned(self, pool_id: str, worker_id: str, task: JsonObject) -> bool:
        """Say that a worker got a task."""
        return await self._publish("task.assigned", pool_id=pool_id, worker_id=worker_id, task=task)

    async def broadcast_task_completed(self, pool_id: str, worker_id: str, result: JsonObject) -> bool:
        """Say that a worker is done with a task."""
        return await self._publish("task.completed", pool_id=pool_id, worker_id=worker_id, result=result)

    async def broadcast_pool_closed(self, pool_id: str) -> bool:
        """Say that a pool is no more."""
        return await self._publish("pool.closed", pool_id=pool_id)

    async def _publish(self, event: str, /, **data: Any) -> bool:
        try:
            await self._publisher.publish(SERVICE, event, data)
        except BridgeError as error:
            _log.warning("%s was not published: %s", event, error.message)
            return False
        return True
