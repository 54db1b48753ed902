"""The event vocabulary: one typed payload per event type, and Event, what the log holds.

A payload knows its type and its topic. Field names, their order and their meaning are those of the original system;
what it declared but never sent (stream.started, checkpoint.expired, agent.*) is sent here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Final, Literal

from taskcopilot.model import Omittable, WireModel
from taskcopilot.topics import topic

__all__ = [
    "NO_STREAM",
    "PAYLOADS",
    "AgentActivity",
    "AgentCompleted",
    "AgentHandoff",
    "AgentHeartbeat",
    "AgentStarted",
    "Change",
    "ChangedField",
    "CheckpointCreated",
    "CheckpointExpired",
    "CheckpointResumed",
    "Event",
    "Payload",
    "StreamBlocked",
    "StreamCompleted",
    "StreamProgress",
    "StreamStarted",
    "TaskBlocked",
    "TaskCompleted",
    "TaskCreated",
    "TaskStatus",
    "TaskStatusChanged",
    "TaskUpdated",
]

NO_STREAM: Final = "default"
"""What agents at a task without a stream report as their stream."""

TaskStatus = Literal["pending", "in_progress", "blocked", "completed", "cancelled"]


@dataclass(frozen=True, slots=True)
class Event:
    """One committed fact. `data` is the payload as UTF-8 JSON, encoded once and spliced wherever it goes.

    `rooms` are the rooms of a service that it also goes to, each as `service/room`, the most specific first; after them
    the mark of the connection that published it, if one did, as `service/~connection`. An event with the number 0
    is passing: it is delivered to who is in its rooms now, and never was in the log. `about` are the topics of the task
    and the stream that it belongs to, beside its own: who may see one of them may see the event.
    """

    seq: int
    at: str
    topic: str
    type: str
    data: bytes
    rooms: tuple[str, ...] = ()
    about: tuple[str, ...] = ()


class Payload(WireModel):
    """Base of the payloads. Subclasses set `type`, and `about`: the topic's entity and the field that holds its id."""

    type: ClassVar[str]
    about: ClassVar[tuple[str, str]]

    def topic(self) -> str:
        """Return the topic that this event is about."""
        entity, field = self.about
        return topic(entity, getattr(self, field))

    def encode(self) -> bytes:
        """Return the payload as compact JSON."""
        return self.model_dump_json().encode()


class TaskCreated(Payload):
    """A task was created. Followed by `stream.progress` when it belongs to a stream."""

    type = "task.created"
    about = ("task", "task_id")
    task_id: str
    task_title: str
    assigned_agent: Omittable[str]
    stream_id: Omittable[str]
    created_at: str


ChangedField = Literal["status", "assignedAgent", "notes", "blockedReason"]
"""The fields whose changes `task.updated` lists."""


class Change(WireModel):
    """One field that an update changed; null stands for "no value"."""

    field: ChangedField
    old_value: str | None
    new_value: str | None


class TaskUpdated(Payload):
    """A task update succeeded, even one that changed nothing. `changes` lists status, agent, notes and reason only."""

    type = "task.updated"
    about = ("task", "task_id")
    task_id: str
    task_title: str
    status: TaskStatus
    assigned_agent: Omittable[str]
    stream_id: Omittable[str]
    changes: list[Change]
    updated_at: str


class TaskStatusChanged(Payload):
    """A task's status differs from before. `blockedReason` comes with the status blocked."""

    type = "task.status_changed"
    about = ("task", "task_id")
    task_id: str
    task_title: str
    old_status: TaskStatus
    new_status: TaskStatus
    blocked_reason: Omittable[str]
    stream_id: Omittable[str]
    status_changed_at: str


class TaskBlocked(Payload):
    """A task became blocked; the reason is `Unknown` when nobody gave one."""

    type = "task.blocked"
    about = ("task", "task_id")
    task_id: str
    task_title: str
    blocked_reason: str
    blocked_at: str


class TaskCompleted(Payload):
    """A task was completed. `duration` is in milliseconds since an agent started it, where that is known."""

    type = "task.completed"
    about = ("task", "task_id")
    task_id: str
    task_title: str
    completed_at: str
    duration: Omittable[int]


class StreamStarted(Payload):
    """The first task of a stream was started."""

    type = "stream.started"
    about = ("stream", "stream_id")
    stream_id: str
    stream_name: str
    total_tasks: int
    started_at: str


class StreamProgress(Payload):
    """Counts over the stream's tasks that are not archived. `totalTasks` leaves the cancelled ones out."""

    type = "stream.progress"
    about = ("stream", "stream_id")
    stream_id: str
    stream_name: str
    total_tasks: int
    completed_tasks: int
    in_progress_tasks: int
    blocked_tasks: int
    cancelled_tasks: int
    progress_percentage: int | float
    last_updated: str


class StreamCompleted(Payload):
    """All tasks of the stream that are not cancelled are completed. `duration` is in ms since the stream started."""

    type = "stream.completed"
    about = ("stream", "stream_id")
    stream_id: str
    stream_name: str
    total_tasks: int
    completed_at: str
    duration: int


class StreamBlocked(Payload):
    """The stream has blocked tasks; repeated with every progress while it does."""

    type = "stream.blocked"
    about = ("stream", "stream_id")
    stream_id: str
    stream_name: str
    blocked_reason: str
    blocked_task_ids: list[str]


class CheckpointCreated(Payload):
    """A checkpoint was created by a tool or route; the automatic ones of status changes are silent."""

    type = "checkpoint.created"
    about = ("checkpoint", "task_id")
    checkpoint_id: str
    task_id: str
    task_title: str
    sequence: int
    trigger: str
    execution_phase: Omittable[str]
    execution_step: Omittable[int]
    has_draft: bool
    expires_at: str | None
    created_at: str


class CheckpointResumed(Payload):
    """A checkpoint was handed out to resume its task."""

    type = "checkpoint.resumed"
    about = ("checkpoint", "task_id")
    checkpoint_id: str
    task_id: str
    task_title: str
    sequence: int
    resumed_at: str


class CheckpointExpired(Payload):
    """A checkpoint passed its expiry and was removed. Its topic is the checkpoint's own id."""

    type = "checkpoint.expired"
    about = ("checkpoint", "checkpoint_id")
    checkpoint_id: str
    task_id: str
    sequence: int
    expired_at: str


class AgentHandoff(Payload):
    """One agent handed its task to another. Its topic is the agent that gives."""

    type = "agent.handoff"
    about = ("agent", "from_agent")
    handoff_id: str
    task_id: str
    from_agent: str
    to_agent: str
    chain_position: int
    chain_length: int
    handoff_context: str
    work_product_id: str
    handoff_at: str


class AgentStarted(Payload):
    """An agent started a task. Tasks without a stream report the stream `default`."""

    type = "agent.started"
    about = ("agent", "agent_id")
    stream_id: str
    stream_name: str
    agent_id: str
    agent_name: str
    task_id: str
    task_title: str
    activity_description: Omittable[str]
    phase: Omittable[str]
    started_at: str


class AgentHeartbeat(Payload):
    """An agent said that it is still at work on a task."""

    type = "agent.heartbeat"
    about = ("agent", "agent_id")
    stream_id: str
    agent_id: str
    task_id: str
    last_heartbeat: str


class AgentCompleted(Payload):
    """An agent completed a task; `duration` is in milliseconds since it started."""

    type = "agent.completed"
    about = ("agent", "agent_id")
    stream_id: str
    agent_id: str
    task_id: str
    completed_at: str
    duration: int


class AgentActivity(Payload):
    """An agent did something by itself that its host told us of, and that changed no task: `activity` is the hook."""

    type = "agent.activity"
    about = ("agent", "agent_id")
    agent_id: str
    session_id: str
    activity: str
    team: Omittable[str]
    task_id: Omittable[str]
    details: dict[str, Any]
    noted_at: str


PAYLOADS: Final[dict[str, type[Payload]]] = {payload.type: payload for payload in Payload.__subclasses__()}
"""Event type -> payload model, in the order of this file."""
