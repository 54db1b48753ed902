"""mahavishnu: workflows, pools and their workers, goal teams and adapters. Every event goes to `global`, too."""

from __future__ import annotations

from typing import Any, Final

from taskcopilot.services.event import JsonObject
from taskcopilot.services.mahavishnu.adapters import (
    AdapterDisabled,
    AdapterEnabled,
    AdapterHealthChanged,
    AdapterRegistered,
    RoutingDecision,
    WorkerAvailabilityChanged,
)
from taskcopilot.services.mahavishnu.others import EVENTS as OTHERS
from taskcopilot.services.mahavishnu.pools import EVENTS as POOL_EVENTS
from taskcopilot.services.mahavishnu.pools import GET_POOL_STATUS, PoolStatusChanged, WorkerStatusChanged
from taskcopilot.services.mahavishnu.teams import (
    TeamCreated,
    TeamError,
    TeamExecutionCompleted,
    TeamExecutionStarted,
    TeamParsed,
)
from taskcopilot.services.mahavishnu.workflows import (
    GET_WORKFLOW_STATUS,
    StageCompleted,
    WorkflowCompleted,
    WorkflowFailed,
    WorkflowStarted,
)
from taskcopilot.services.publishing import Broadcaster
from taskcopilot.services.service import Service

__all__ = ["SERVICE", "Mahavishnu"]

SERVICE: Final = Service(
    name="mahavishnu",
    port=8690,
    greeting="Connected to Mahavishnu orchestration",
    welcome={"secure": False, "rate_limit": 100},
    channels=(
        "workflow:{workflow_id}",
        "pool:{pool_id}",
        "worker:{worker_id}",
        "goal-teams",
        "goal-teams:{user_id}",
        "adapters",
        "symbiotic:ecosystem",
        "code",
        "global",
    ),
    events=(
        WorkflowStarted,
        StageCompleted,
        WorkflowCompleted,
        WorkflowFailed,
        *POOL_EVENTS,
        TeamCreated,
        TeamParsed,
        TeamExecutionStarted,
        TeamExecutionCompleted,
        TeamError,
        AdapterRegistered,
        AdapterHealthChanged,
        AdapterEnabled,
        AdapterDisabled,
        RoutingDecision,
        WorkerAvailabilityChanged,
        *OTHERS,
    ),
    requests=(GET_WORKFLOW_STATUS, GET_POOL_STATUS),
)


class Mahavishnu(Broadcaster):
    """The broadcasts of mahavishnu, with the signatures that its programs call. A named argument wins over metadata."""

    service = SERVICE

    async def broadcast_workflow_started(self, workflow_id: str, metadata: JsonObject) -> None:
        """Say that a workflow began; `total_stages` or `stages` of the metadata let its progress be known."""
        await self._broadcast(WorkflowStarted, **{**metadata, "workflow_id": workflow_id})

    async def broadcast_workflow_stage_completed(self, workflow_id: str, stage_name: str, result: JsonObject) -> None:
        """Say that a stage of a workflow is done."""
        await self._broadcast(StageCompleted, workflow_id=workflow_id, stage_name=stage_name, result=result)

    async def broadcast_workflow_completed(self, workflow_id: str, final_result: JsonObject) -> None:
        """Say that a workflow is done."""
        await self._broadcast(WorkflowCompleted, workflow_id=workflow_id, result=final_result)

    async def broadcast_workflow_failed(self, workflow_id: str, error: str) -> None:
        """Say that a workflow ended without success."""
        await self._broadcast(WorkflowFailed, workflow_id=workflow_id, error=error)

    async def broadcast_worker_status_changed(self, worker_id: str, status: str, pool_id: str) -> None:
        """Say what a worker does: idle, busy, error or offline."""
        await self._broadcast(WorkerStatusChanged, worker_id=worker_id, status=status, pool_id=pool_id)

    async def broadcast_pool_status_changed(self, pool_id: str, status: JsonObject) -> None:
        """Say how a pool is: active_workers, idle_workers, queue_size, tasks_completed, and what else is known."""
        await self._broadcast(PoolStatusChanged, pool_id=pool_id, status=status)

    async def broadcast_team_created(
        self, team_id: str, team_name: str, goal: str, mode: str, user_id: str | None = None
    ) -> None:
        """Say that a team was put together for a goal."""
        team = {"team_id": team_id, "team_name": team_name, "goal": goal, "mode": mode}
        await self._broadcast(TeamCreated, **team, user_id=user_id)

    async def broadcast_team_parsed(
        self, goal: str, intent: str, skills: list[str], confidence: float, user_id: str | None = None
    ) -> None:
        """Say how a goal was understood."""
        await self._broadcast(
            TeamParsed, goal=goal, intent=intent, skills=skills, confidence=round(confidence, 3), user_id=user_id
        )

    async def broadcast_team_execution_started(self, team_id: str, task: str, user_id: str | None = None) -> None:
        """Say that a team began a task; of long ones the first 200 characters."""
        await self._broadcast(TeamExecutionStarted, team_id=team_id, task=task[:200], user_id=user_id)

    async def broadcast_team_execution_completed(
        self, team_id: str, success: bool, duration_ms: float, user_id: str | None = None
    ) -> None:
        """Say that a team is done, with success or not."""
        outcome = {"success": success, "duration_ms": round(duration_ms, 2)}
        await self._broadcast(TeamExecutionCompleted, team_id=team_id, **outcome, user_id=user_id)

    async def broadcast_team_error(
        self, team_id: str, error_code: str, message: str, user_id: str | None = None
    ) -> None:
        """Say that a team cannot go on."""
        await self._broadcast(TeamError, team_id=team_id, error_code=error_code, message=message, user_id=user_id)

    async def broadcast_adapter_registered(
        self, adapter_id: str, adapter_name: str, capabilities: list[str], provider: str, source: str
    ) -> None:
        """Say that there is a new adapter."""
        about = {"adapter_id": adapter_id, "adapter_name": adapter_name, "provider": provider, "source": source}
        await self._broadcast(AdapterRegistered, **about, capabilities=capabilities)

    async def broadcast_adapter_health_changed(
        self,
        adapter_id: str,
        adapter_name: str,
        old_status: str,
        new_status: str,
        details: JsonObject | None = None,
    ) -> None:
        """Say that an adapter got better or worse."""
        about = {"adapter_id": adapter_id, "adapter_name": adapter_name, "details": details or {}}
        await self._broadcast(AdapterHealthChanged, **about, old_status=old_status, new_status=new_status)

    async def broadcast_adapter_enabled(
        self, adapter_id: str, adapter_name: str, enabled: bool, reason: str | None = None
    ) -> None:
        """Say that an adapter was switched on or off."""
        about: dict[str, Any] = {"adapter_id": adapter_id, "adapter_name": adapter_name, "reason": reason}
        await self._broadcast(AdapterEnabled if enabled else AdapterDisabled, **about, enabled=enabled)

    async def broadcast_routing_decision(
        self,
        task_type: str,
        selected_adapter: str,
        capabilities_matched: list[str],
        latency_ms: float,
        fallback_used: bool,
    ) -> None:
        """Say which adapter was chosen for a task."""
        await self._broadcast(
            RoutingDecision,
            task_type=task_type,
            selected_adapter=selected_adapter,
            capabilities_matched=capabilities_matched,
            latency_ms=round(latency_ms, 2),
            fallback_used=fallback_used,
        )

    async def broadcast_event(self, event_type: str, payload: JsonObject) -> None:
        """Publish any event of the declaration by its name; the rooms are the event's own."""
        await self._publisher.publish(SERVICE, event_type, payload)
