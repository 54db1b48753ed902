"""task_create, task_get, task_list."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import orjson
from pydantic import Field

from taskcopilot.errors import ConflictError, InvalidArgumentError, NotFoundError
from taskcopilot.events import TaskCreated as TaskCreatedEvent
from taskcopilot.store import activity_log, prds, streams, tasks
from taskcopilot.store.tasks import Task
from taskcopilot.store.transaction import ReadTx, Tx
from taskcopilot.tools.activation import resolve_activation_mode, ultrawork_warning
from taskcopilot.tools.fields import (
    Identifier,
    Metadata,
    Omittable,
    TaskStatus,
    Text,
    Title,
    ToolInput,
    ToolList,
    ToolOutput,
    WriteInput,
)
from taskcopilot.tools.registry import Tool
from taskcopilot.tools.stream_events import report_progress
from taskcopilot.tools.stream_rules import cycle_through, dependencies_of, refuse_bad_stream_metadata
from taskcopilot.tools.task_view import TaskView, view_of

__all__ = [
    "TOOLS",
    "TaskCreate",
    "TaskCreated",
    "TaskDetails",
    "TaskGet",
    "TaskItem",
    "TaskItems",
    "TaskList",
    "require_task",
    "task_create",
    "task_get",
    "task_list",
]


class TaskCreate(WriteInput):
    """Arguments of task_create."""

    title: Title
    description: Text | None = None
    prd_id: Identifier | None = None
    parent_id: Identifier | None = None
    assigned_agent: Identifier | None = None
    metadata: Metadata = Field(default_factory=dict, description="streamId, streamName, streamDependencies, files, ...")


class TaskCreated(ToolOutput):
    """Answer of task_create."""

    id: str
    prd_id: Omittable[str]
    parent_id: Omittable[str]
    status: TaskStatus
    created_at: str
    activation_mode_warning: Omittable[str]


def task_create(tx: Tx, call: TaskCreate) -> TaskCreated:
    """Create a pending task, alone, under a PRD, as a subtask, or in a stream (metadata.streamId)."""
    parent = None if call.parent_id is None else require_task(tx, call.parent_id, field="parentId")
    _refuse_locked_scope(tx, call)
    metadata = _complete_metadata(call)
    refuse_dependency_cycle(tx, metadata)
    task = tasks.insert(
        tx,
        title=call.title,
        description=call.description,
        prd_id=call.prd_id,
        parent_id=call.parent_id,
        assigned_agent=call.assigned_agent,
        metadata=metadata,
    )
    _write_diary(tx, task, parent)
    _announce(tx, task)
    return TaskCreated(
        id=task.id,
        prd_id=task.prd_id,
        parent_id=task.parent_id,
        status="pending",
        created_at=task.created_at,
        activation_mode_warning=None if parent is None else ultrawork_warning(tx, parent),
    )


def _refuse_locked_scope(tx: ReadTx, call: TaskCreate) -> None:
    if call.prd_id is None:
        return
    prd = prds.find(tx, call.prd_id)
    if prd is None:
        raise NotFoundError(f"PRD not found: {call.prd_id}", field="prdId")
    if prd.metadata.get("scopeLocked") is True and call.assigned_agent != "ta":
        raise ConflictError(
            f"the scope of PRD {prd.id} is locked: only agent 'ta' adds tasks to it; ask with scope_change_request",
            field="prdId",
        )


def _complete_metadata(call: TaskCreate) -> Metadata:
    """Return the metadata with what the rules derive from title, description and complexity."""
    refuse_bad_stream_metadata(call.metadata)
    metadata = {**call.metadata, "activationMode": resolve_activation_mode(call.metadata, call.title, call.description)}
    if "verificationRequired" not in metadata and metadata.get("complexity") in ("High", "Very High"):
        metadata["verificationRequired"] = True
    return metadata


def refuse_dependency_cycle(tx: ReadTx, metadata: Mapping[str, Any], task_id: str | None = None) -> None:
    """Raise InvalidArgumentError when the dependencies would make their stream wait for itself.

    All tasks of a stream count, whichever of them declared a dependency. `task_id` names the task that gets this
    metadata, where it exists already: what it declares now goes.
    """
    stream_id = metadata.get("streamId")
    declared = dependencies_of(metadata)
    if not isinstance(stream_id, str) or not declared:
        return
    known = _waits_for(tx, stream_id, task_id)
    if known.issuperset(declared):
        return  # what the stream waits for already closes no new circle
    known.update(declared)
    if cycle := cycle_through(
        stream_id, lambda stream: known if stream == stream_id else _waits_for(tx, stream, task_id)
    ):
        raise InvalidArgumentError(
            f"circular dependency of stream {stream_id}: {' -> '.join(cycle)}", field="metadata.streamDependencies"
        )


def _waits_for(tx: ReadTx, stream_id: str, but: str | None) -> set[str]:
    texts = streams.declared_dependencies(tx, stream_id, but=but)
    return {item for text in texts for item in dependencies_of({"streamDependencies": orjson.loads(text)})}


def _write_diary(tx: Tx, task: Task, parent: Task | None) -> None:
    prd_id = task.prd_id or (parent.prd_id if parent else None)
    activity_log.write(
        tx,
        activity_log.initiative_of_prd(tx, prd_id),
        kind="task_created",
        entity_type="task",
        entity_id=task.id,
        summary=f"Created task: {task.title}",
    )


def _announce(tx: Tx, task: Task) -> None:
    tx.emit(
        TaskCreatedEvent(
            task_id=task.id,
            task_title=task.title,
            assigned_agent=task.assigned_agent,
            stream_id=task.stream_id,
            created_at=task.created_at,
        )
    )
    report_progress(tx, task.stream_id)


class TaskGet(ToolInput):
    """Arguments of task_get."""

    id: Identifier
    include_subtasks: bool = False
    include_work_products: bool = False


class Subtask(ToolOutput):
    """A subtask as task_get lists it."""

    id: str
    title: str
    status: TaskStatus
    assigned_agent: Omittable[str]


class WorkProductBrief(ToolOutput):
    """A work product as task_get lists it."""

    id: str
    type: str
    title: str
    created_at: str


class TaskDetails(TaskView):
    """Answer of task_get: a whole task, on request with its subtasks and work products."""

    subtasks: Omittable[list[Subtask]]
    work_products: Omittable[list[WorkProductBrief]]


def task_get(tx: ReadTx, call: TaskGet) -> TaskDetails:
    """Read one task, on request with its subtasks and work products."""
    task = require_task(tx, call.id)
    return TaskDetails(
        **view_of(task),
        subtasks=[_subtask(child) for child in tasks.listing(tx, where={"parent_id": task.id})]
        if call.include_subtasks
        else None,
        work_products=[WorkProductBrief(**dict(row)) for row in tasks.work_product_briefs(tx, task.id)]
        if call.include_work_products
        else None,
    )


def _subtask(task: Task) -> Subtask:
    return Subtask(id=task.id, title=task.title, status=task.status, assigned_agent=task.assigned_agent or None)


class TaskList(ToolInput):
    """Arguments of task_list."""

    prd_id: Identifier | None = None
    parent_id: Identifier | None = Field(
        default=None, description="subtasks of this task; null asks for top-level tasks"
    )
    status: TaskStatus | None = None
    assigned_agent: Identifier | None = None


class TaskItem(ToolOutput):
    """A task as task_list shows it. `completedSubtasks` is null without subtasks."""

    id: str
    title: str
    status: TaskStatus
    assigned_agent: Omittable[str]
    subtask_count: int
    completed_subtasks: int | None
    has_work_products: bool


TaskItems = ToolList[TaskItem]


def task_list(tx: ReadTx, call: TaskList) -> ToolList[TaskItem]:
    """List tasks, oldest first, archived ones included."""
    given = call.model_dump(include=call.model_fields_set, by_alias=False)
    where = {name: value for name, value in given.items() if value is not None or name == "parent_id"}
    summaries = tasks.child_summaries(tx)
    with_products = tasks.ids_with_work_products(tx)
    return TaskItems(
        [
            TaskItem(
                id=task.id,
                title=task.title,
                status=task.status,
                assigned_agent=task.assigned_agent or None,
                subtask_count=summaries.get(task.id, (0, None))[0],
                completed_subtasks=summaries.get(task.id, (0, None))[1],
                has_work_products=task.id in with_products,
            )
            for task in tasks.listing(tx, where=where)
        ]
    )


def require_task(tx: ReadTx, task_id: str, field: str = "id") -> Task:
    """Return the task, or raise NotFoundError that names the argument."""
    task = tasks.find(tx, task_id)
    if task is None:
        raise NotFoundError(f"Task not found: {task_id}", field=field)
    return task


TOOLS: Final = (
    Tool(name="task_create", input=TaskCreate, output=TaskCreated, run=task_create, writes=True),
    Tool(name="task_get", input=TaskGet, output=TaskDetails, run=task_get),
    Tool(name="task_list", input=TaskList, output=TaskItems, run=task_list),
)
