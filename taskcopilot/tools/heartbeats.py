"""agent_heartbeat: an agent says that it is still at work."""

from __future__ import annotations

from typing import Final

from pydantic import Field

from taskcopilot.errors import ConflictError, InvalidArgumentError
from taskcopilot.events import AgentHeartbeat as AgentHeartbeatEvent
from taskcopilot.store import agent_activity
from taskcopilot.store.agent_activity import NO_STREAM
from taskcopilot.store.transaction import Tx
from taskcopilot.tools.fields import Identifier, Text, ToolOutput, WriteInput
from taskcopilot.tools.registry import Tool
from taskcopilot.tools.task_update import refuse_archived
from taskcopilot.tools.tasks import require_task

__all__ = ["TOOLS", "agent_heartbeat"]


class AgentHeartbeat(WriteInput):
    """Arguments of agent_heartbeat."""

    task_id: Identifier
    agent: Identifier | None = Field(default=None, description="by default the agent that the task is assigned to")
    activity_description: Text | None = None
    phase: Text | None = None


class HeartbeatAnswer(ToolOutput):
    """Answer of agent_heartbeat."""

    task_id: str
    agent_id: str
    stream_id: str
    last_heartbeat: str


def agent_heartbeat(tx: Tx, call: AgentHeartbeat) -> HeartbeatAnswer:
    """Say that an agent is still at work on a task, and on what; without one for 5 minutes it counts as idle.

    It does not renew a claim: claim again for that.
    """
    task = require_task(tx, call.task_id, field="taskId")
    refuse_archived(task)
    if task.status in ("completed", "cancelled"):
        raise ConflictError(f"task {task.id} is {task.status}: nobody is at work on it", field="taskId")
    agent = call.agent or task.assigned_agent
    if agent is None:
        raise InvalidArgumentError(f"agent: task {task.id} is assigned to nobody, so name the agent", field="agent")
    stream_id = task.stream_id or NO_STREAM
    agent_activity.touch(
        tx,
        task_id=task.id,
        agent_id=agent,
        stream_id=stream_id,
        description=call.activity_description,
        phase=call.phase,
    )
    tx.emit(AgentHeartbeatEvent(stream_id=stream_id, agent_id=agent, task_id=task.id, last_heartbeat=tx.at))
    return HeartbeatAnswer(task_id=task.id, agent_id=agent, stream_id=stream_id, last_heartbeat=tx.at)


TOOLS: Final = (
    Tool(
        name="agent_heartbeat",
        input=AgentHeartbeat,
        output=HeartbeatAnswer,
        run=agent_heartbeat,
        writes=True,
        repeatable=True,
    ),
)
