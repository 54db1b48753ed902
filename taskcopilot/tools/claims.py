"""task_claim and task_release: of all agents that want a task at once, exactly one gets it."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Final

from pydantic import Field

from taskcopilot.clock import iso
from taskcopilot.errors import ClaimedError, ConflictError
from taskcopilot.store import claims
from taskcopilot.store.claims import Claim
from taskcopilot.store.tasks import Task
from taskcopilot.store.transaction import Tx
from taskcopilot.tools.fields import OF_JSON, Identifier, ToolOutput, WriteInput
from taskcopilot.tools.registry import Tool
from taskcopilot.tools.task_update import TaskUpdate, apply_update, refuse_archived
from taskcopilot.tools.tasks import require_task

__all__ = ["TOOLS", "task_claim", "task_release"]

_DAY: Final = 86_400


class TaskClaim(WriteInput):
    """Arguments of task_claim."""

    id: Identifier
    agent: Identifier
    lease_seconds: Annotated[int, Field(ge=1, le=_DAY), OF_JSON] = 300


class TaskClaimed(ToolOutput):
    """Answer of task_claim. `renewed`: the agent held the task already."""

    id: str
    agent: str
    claimed_at: str
    lease_expires_at: str
    renewed: bool


def task_claim(tx: Tx, call: TaskClaim) -> TaskClaimed:
    """Claim a task for an agent, so that no other agent works on it: exactly one of many claims at once succeeds.

    The claim holds for leaseSeconds; claim again to renew it. While another agent holds it, the error names the holder.
    The task is assigned to the agent. The claim ends when the task is completed or cancelled.
    """
    task = require_task(tx, call.id)
    refuse_archived(task)
    _refuse_finished(task)
    held = claims.find(tx, task.id)
    if held is not None and held.agent != call.agent:
        raise _claimed(task, held)
    claim = Claim(
        call.agent,
        held.claimed_at if held else tx.at,
        iso(tx.now + timedelta(seconds=call.lease_seconds)),
    )
    claims.hold(tx, task.id, claim)
    if task.assigned_agent != call.agent:
        apply_update(tx, task, TaskUpdate.model_validate({"id": task.id, "assignedAgent": call.agent}))
    return TaskClaimed(
        id=task.id,
        agent=claim.agent,
        claimed_at=claim.claimed_at,
        lease_expires_at=claim.expires_at,
        renewed=held is not None,
    )


def _refuse_finished(task: Task) -> None:
    if task.status in ("completed", "cancelled"):
        raise ConflictError(f"task {task.id} is {task.status}: there is nothing left to claim", field="id")


def _claimed(task: Task, held: Claim) -> ClaimedError:
    return ClaimedError(
        f"task {task.id} is held by {held.agent} until {held.expires_at}",
        field="id",
        holder=held.agent,
        leaseExpiresAt=held.expires_at,
    )


class TaskRelease(WriteInput):
    """Arguments of task_release."""

    id: Identifier
    agent: Identifier


class TaskReleased(ToolOutput):
    """Answer of task_release. `released` is false when nobody held the task."""

    id: str
    agent: str
    released: bool


def task_release(tx: Tx, call: TaskRelease) -> TaskReleased:
    """Give a claimed task back, so that another agent can claim it at once. Only its holder can."""
    task = require_task(tx, call.id)
    held = claims.find(tx, task.id)
    if held is not None and held.agent != call.agent:
        raise _claimed(task, held)
    claims.release(tx, task.id)
    return TaskReleased(id=task.id, agent=call.agent, released=held is not None)


TOOLS: Final = (
    Tool(name="task_claim", input=TaskClaim, output=TaskClaimed, run=task_claim, writes=True),
    Tool(name="task_release", input=TaskRelease, output=TaskReleased, run=task_release, writes=True, repeatable=True),
)
