"""checkpoint_create, checkpoint_get, checkpoint_list, checkpoint_cleanup."""

from __future__ import annotations

import sqlite3
from datetime import timedelta
from typing import Annotated, Any, Final

import orjson
from pydantic import Field

from taskcopilot.clock import iso
from taskcopilot.errors import InvalidArgumentError, NotFoundError
from taskcopilot.events import CheckpointCreated as CheckpointCreatedEvent
from taskcopilot.store import checkpoints
from taskcopilot.store.checkpoints import Checkpoint
from taskcopilot.store.tasks import Task, decode_metadata
from taskcopilot.store.transaction import ReadTx, Tx
from taskcopilot.tools.expiry import expire
from taskcopilot.tools.fields import (
    LARGEST,
    OF_JSON,
    AnyInteger,
    CheckpointTrigger,
    Identifier,
    Metadata,
    Text,
    ToolInput,
    ToolOutput,
    WorkProductType,
    WriteInput,
)
from taskcopilot.tools.registry import Tool
from taskcopilot.tools.tasks import require_task
from taskcopilot.tools.text import utf16_cut, utf16_length

__all__ = ["TOOLS", "CheckpointCreate", "CheckpointCreated", "checkpoint_create", "save", "stored_json", "stored_list"]

MAX_DRAFT: Final = 51_200
"""UTF-16 units of a draft that are kept."""

TRUNCATED: Final = "\n\n[TRUNCATED]"

_MANUAL_EXPIRY: Final = timedelta(days=7)
_AUTOMATIC_EXPIRY: Final = timedelta(hours=24)
_YEAR_IN_MINUTES: Final = 525_600


class IterationConfig(ToolInput):
    """How often a task may be tried again, and what to look for in the agent's words to know that it is done."""

    max_iterations: Annotated[int, Field(ge=1, le=LARGEST), OF_JSON]
    completion_promises: list[Text]
    validation_rules: list[Any] | None = None
    circuit_breaker_threshold: Annotated[int, Field(ge=1, le=LARGEST), OF_JSON] | None = None


class CheckpointCreate(WriteInput):
    """Arguments of checkpoint_create."""

    task_id: Identifier
    trigger: CheckpointTrigger = "manual"
    execution_phase: Text | None = None
    execution_step: AnyInteger | None = None
    agent_context: Metadata | None = Field(default=None, description="whatever the agent needs to go on")
    draft_content: Text | None = Field(default=None, description="work in progress; cut at 51,200 characters")
    draft_type: WorkProductType | None = None
    expires_in: Annotated[int, Field(ge=1, le=_YEAR_IN_MINUTES), OF_JSON] | None = Field(
        default=None, description="minutes; by default 7 days for manual checkpoints, 24 hours for others"
    )
    iteration_config: IterationConfig | None = None
    iteration_number: Annotated[int, Field(ge=0, le=LARGEST), OF_JSON] = 0


class CheckpointCreated(ToolOutput):
    """Answer of checkpoint_create."""

    id: str
    task_id: str
    sequence: int
    trigger: str
    created_at: str
    expires_at: str | None


def checkpoint_create(tx: Tx, call: CheckpointCreate) -> CheckpointCreated:
    """Save where a task stands, to resume from after a crash or in another session. A task keeps its newest five."""
    return save(tx, require_task(tx, call.task_id, field="taskId"), call)


def save(tx: Tx, task: Task, call: CheckpointCreate) -> CheckpointCreated:
    """Save a checkpoint of the task, and report it."""
    row = checkpoints.insert(tx, task, _checkpoint(tx, call))
    tx.emit(_event(task, row))
    return CheckpointCreated(
        id=row["id"],
        task_id=task.id,
        sequence=row["sequence"],
        trigger=row["trigger"],
        created_at=row["created_at"],
        expires_at=row["expires_at"],
    )


def _checkpoint(tx: ReadTx, call: CheckpointCreate) -> Checkpoint:
    default = _MANUAL_EXPIRY if call.trigger == "manual" else _AUTOMATIC_EXPIRY
    lasts = default if call.expires_in is None else timedelta(minutes=call.expires_in)
    iteration = call.iteration_config
    return Checkpoint(
        trigger=call.trigger,
        expires_at=iso(tx.now + lasts),
        execution_phase=call.execution_phase,
        execution_step=call.execution_step,
        agent_context=call.agent_context,
        draft_content=_shortened(call.draft_content),
        draft_type=call.draft_type,
        iteration_config=None if iteration is None else iteration.model_dump(exclude_none=True),
        iteration_number=call.iteration_number,
    )


def _shortened(draft: str | None) -> str | None:
    if draft is None or utf16_length(draft) <= MAX_DRAFT:
        return draft
    return utf16_cut(draft, MAX_DRAFT) + TRUNCATED


def _event(task: Task, row: sqlite3.Row) -> CheckpointCreatedEvent:
    return CheckpointCreatedEvent(
        checkpoint_id=row["id"],
        task_id=task.id,
        task_title=task.title,
        sequence=row["sequence"],
        trigger=row["trigger"],
        execution_phase=row["execution_phase"],
        execution_step=row["execution_step"],
        has_draft=bool(row["draft_content"]),
        expires_at=row["expires_at"],
        created_at=row["created_at"],
    )


class CheckpointGet(ToolInput):
    """Arguments of checkpoint_get."""

    id: Identifier


class CheckpointDetails(ToolOutput):
    """A whole checkpoint; null where there is no value."""

    id: str
    task_id: str
    task_title: str
    sequence: int
    trigger: str
    task_status: str
    task_notes: str | None
    task_metadata: Metadata
    blocked_reason: str | None
    assigned_agent: str | None
    execution_phase: str | None
    execution_step: int | None
    agent_context: Any
    draft_content: str | None
    draft_type: str | None
    subtask_states: list[Any]
    created_at: str
    expires_at: str | None


def checkpoint_get(tx: ReadTx, call: CheckpointGet) -> CheckpointDetails:
    """Read one checkpoint by its id, expired or not, with its draft."""
    row = checkpoints.find(tx, call.id)
    if row is None:
        raise NotFoundError(f"Checkpoint not found: {call.id}", field="id")
    values = {name: row[name] for name in CheckpointDetails.model_fields if name != "task_title"}
    values |= {
        "task_title": require_task(tx, row["task_id"]).title,
        "task_metadata": decode_metadata(row["task_metadata"]),
        "agent_context": stored_json(row["agent_context"]),
        "subtask_states": stored_list(row["subtask_states"]),
    }
    return CheckpointDetails(**values)


def stored_json(text: str | None) -> Any:
    """Read a JSON column; what is no JSON counts as no value."""
    try:
        return None if text is None else orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


def stored_list(text: str | None) -> list[Any]:
    """Read a JSON column that holds a list; anything else counts as an empty one."""
    value = stored_json(text)
    return value if isinstance(value, list) else []


class CheckpointList(ToolInput):
    """Arguments of checkpoint_list."""

    task_id: Identifier
    limit: Annotated[int, Field(ge=1, le=1_000), OF_JSON] = 5
    iteration_number: AnyInteger | None = None
    has_iteration: bool | None = None


class CheckpointItem(ToolOutput):
    """A checkpoint as checkpoint_list shows it."""

    id: str
    sequence: int
    trigger: str
    phase: str | None
    step: int | None
    has_draft: bool
    created_at: str
    expires_at: str | None


class CheckpointItems(ToolOutput):
    """Answer of checkpoint_list: newest first, expired ones included."""

    task_id: str
    checkpoints: list[CheckpointItem]


def checkpoint_list(tx: ReadTx, call: CheckpointList) -> CheckpointItems:
    """List the checkpoints of a task, newest first. An unknown task has none."""
    rows = checkpoints.listing(tx, call.task_id, call.limit, call.iteration_number, call.has_iteration)
    return CheckpointItems(task_id=call.task_id, checkpoints=[_item(row) for row in rows])


def _item(row: sqlite3.Row) -> CheckpointItem:
    return CheckpointItem(
        id=row["id"],
        sequence=row["sequence"],
        trigger=row["trigger"],
        phase=row["execution_phase"],
        step=row["execution_step"],
        has_draft=bool(row["draft_content"]),
        created_at=row["created_at"],
        expires_at=row["expires_at"],
    )


class CheckpointCleanup(WriteInput):
    """Arguments of checkpoint_cleanup."""

    task_id: Identifier | None = Field(default=None, description="only this task's checkpoints")
    older_than: Annotated[int, Field(ge=0, le=100 * _YEAR_IN_MINUTES), OF_JSON] | None = Field(
        default=None, description="minutes"
    )
    keep_latest: Annotated[int, Field(ge=0, le=LARGEST), OF_JSON] | None = Field(
        default=None, description="with taskId: how many to keep"
    )


class CheckpointsCleaned(ToolOutput):
    """Answer of checkpoint_cleanup. `remainingCount` counts the checkpoints of all tasks."""

    deleted_count: int
    remaining_count: int


def checkpoint_cleanup(tx: Tx, call: CheckpointCleanup) -> CheckpointsCleaned:
    """Delete expired checkpoints, and on request those older than some minutes, or all but a task's newest ones.

    With taskId only that task is touched; without, expired ones of all tasks go.
    """
    if call.keep_latest is not None and call.task_id is None:
        raise InvalidArgumentError("keepLatest: needs taskId", field="keepLatest")
    if call.task_id is not None:
        require_task(tx, call.task_id, field="taskId")
    before = checkpoints.count(tx)
    while expire(tx, call.task_id):
        pass
    if call.older_than is not None:
        at = iso(tx.now - timedelta(minutes=call.older_than))
        checkpoints.delete(tx, checkpoints.older_than(tx, at, call.task_id))
    if call.task_id is not None and call.keep_latest is not None:
        checkpoints.delete(tx, checkpoints.surplus(tx, call.task_id, call.keep_latest))
    remaining = checkpoints.count(tx)
    return CheckpointsCleaned(deleted_count=before - remaining, remaining_count=remaining)


TOOLS: Final = (
    Tool(
        name="checkpoint_create", input=CheckpointCreate, output=CheckpointCreated, run=checkpoint_create, writes=True
    ),
    Tool(name="checkpoint_get", input=CheckpointGet, output=CheckpointDetails, run=checkpoint_get),
    Tool(name="checkpoint_list", input=CheckpointList, output=CheckpointItems, run=checkpoint_list),
    Tool(
        name="checkpoint_cleanup",
        input=CheckpointCleanup,
        output=CheckpointsCleaned,
        run=checkpoint_cleanup,
        writes=True,
        destructive=True,
        repeatable=True,
    ),
)
