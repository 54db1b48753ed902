"""prd_create, prd_get, prd_list."""

from __future__ import annotations

from typing import Any, Final, Literal

from pydantic import Field

from taskcopilot.errors import NotFoundError
from taskcopilot.store import activity_log, initiatives, prds
from taskcopilot.store.initiatives import Initiative
from taskcopilot.store.prds import Prd, TaskCount
from taskcopilot.store.transaction import ReadTx, Tx
from taskcopilot.tools.fields import (
    Identifier,
    Metadata,
    Omittable,
    Text,
    Title,
    ToolInput,
    ToolList,
    ToolOutput,
    WriteInput,
)
from taskcopilot.tools.initiatives import require_initiative
from taskcopilot.tools.prd_types import complete_metadata
from taskcopilot.tools.registry import Tool
from taskcopilot.tools.text import preview

__all__ = [
    "TOOLS",
    "PrdCreate",
    "PrdCreated",
    "PrdDetails",
    "PrdGet",
    "PrdItem",
    "PrdItems",
    "PrdList",
    "prd_create",
    "prd_get",
    "prd_list",
]

_SUMMARY_UNITS: Final = 200


class PrdCreate(WriteInput):
    """Arguments of prd_create."""

    title: Title
    content: Text
    description: Text | None = None
    metadata: Metadata = Field(
        default_factory=dict,
        description="priority, complexity, tags, milestones [{id, name, description, taskIds}]; scopeLocked lets only "
        "agent 'ta' add tasks, and is true by default for features and user interfaces; prdType is set by detection",
    )


class PrdCreated(ToolOutput):
    """Answer of prd_create."""

    id: str
    initiative_id: str
    created_at: str
    summary: str


def prd_create(tx: Tx, call: PrdCreate) -> PrdCreated:
    """Create a PRD (product requirements document) in the current initiative, to hang tasks on.

    Without any initiative, one named "Default Initiative" is made first.
    """
    metadata = complete_metadata(call.metadata, call.title, call.description)
    prd = prds.insert(
        tx,
        initiative_id=_current_or_default(tx).id,
        title=call.title,
        description=call.description or None,
        content=call.content,
        metadata=metadata,
    )
    activity_log.write(
        tx,
        prd.initiative_id,
        kind="prd_created",
        entity_type="prd",
        entity_id=prd.id,
        summary=f"Created PRD: {prd.title}",
    )
    return PrdCreated(
        id=prd.id,
        initiative_id=prd.initiative_id,
        created_at=prd.created_at,
        summary=preview(prd.content, _SUMMARY_UNITS),
    )


def _current_or_default(tx: Tx) -> Initiative:
    return initiatives.current(tx) or initiatives.save(
        tx, tx.new_id("INIT"), title="Default Initiative", description="Auto-created initiative for PRDs"
    )


class PrdGet(ToolInput):
    """Arguments of prd_get."""

    id: Identifier
    include_content: bool = False


class PrdDetails(ToolOutput):
    """A PRD. `taskCount` includes archived and cancelled tasks; `completedTasks` is null without tasks."""

    id: str
    initiative_id: str
    title: str
    description: Omittable[str]
    content: Omittable[str]
    metadata: Metadata
    task_count: int
    completed_tasks: int | None
    created_at: str
    updated_at: str


def prd_get(tx: ReadTx, call: PrdGet) -> PrdDetails:
    """Read one PRD and how far its tasks are; its content only on request."""
    prd = prds.find(tx, call.id)
    if prd is None:
        raise NotFoundError(f"PRD not found: {call.id}", field="id")
    count = prds.count_tasks(tx, prd.id)
    return PrdDetails(
        id=prd.id,
        initiative_id=prd.initiative_id,
        title=prd.title,
        description=prd.description or None,
        content=prd.content if call.include_content else None,
        metadata=prd.metadata,
        task_count=count.total,
        completed_tasks=count.completed,
        created_at=prd.created_at,
        updated_at=prd.updated_at,
    )


class PrdList(ToolInput):
    """Arguments of prd_list."""

    initiative_id: Identifier | None = Field(default=None, description="by default PRDs of all initiatives are listed")
    status: Literal["active", "archived", "cancelled"] | None = None


class PrdItem(ToolOutput):
    """A PRD as prd_list shows it. `completedTasks` is null without tasks."""

    id: str
    title: str
    description: Omittable[str]
    task_count: int
    completed_tasks: int | None
    progress: str = Field(description="completed/total (percent), such as 1/8 (13%)")


PrdItems = ToolList[PrdItem]


def prd_list(tx: ReadTx, call: PrdList) -> ToolList[PrdItem]:
    """List PRDs with their progress, newest first; without a filter those of all initiatives."""
    if call.initiative_id is not None:
        require_initiative(tx, call.initiative_id)
    where: dict[str, Any] = {"initiative_id": call.initiative_id, "status": call.status}
    counts = prds.task_counts(tx)
    found = prds.listing(tx, where={column: value for column, value in where.items() if value is not None})
    return PrdItems([_item(prd, counts.get(prd.id, TaskCount())) for prd in found])


def _item(prd: Prd, count: TaskCount) -> PrdItem:
    return PrdItem(
        id=prd.id,
        title=prd.title,
        description=prd.description or None,
        task_count=count.total,
        completed_tasks=count.completed,
        progress=_progress(count.completed or 0, count.total),
    )


def _progress(completed: int, total: int) -> str:
    """Show a share with its percentage, rounded half up."""
    return f"{completed}/{total} ({(200 * completed + total) // (2 * total)}%)" if total else "0/0"


TOOLS: Final = (
    Tool(name="prd_create", input=PrdCreate, output=PrdCreated, run=prd_create, writes=True),
    Tool(name="prd_get", input=PrdGet, output=PrdDetails, run=prd_get),
    Tool(name="prd_list", input=PrdList, output=PrdItems, run=prd_list),
)
