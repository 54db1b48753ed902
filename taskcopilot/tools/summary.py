"""progress_summary and health_check."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Annotated, Final, Literal

from pydantic import Field

from taskcopilot.model import whole
from taskcopilot.store import prds, summary
from taskcopilot.store.prds import Prd
from taskcopilot.store.tasks import decode_metadata
from taskcopilot.store.transaction import ReadTx
from taskcopilot.tools.fields import Identifier, Omittable, ToolInput, ToolOutput
from taskcopilot.tools.initiatives import require_initiative
from taskcopilot.tools.milestones import Milestone, measure, milestones_of, task_ids_of
from taskcopilot.tools.registry import Tool
from taskcopilot.tools.velocity import Velocity, velocity

__all__ = ["TOOLS", "HealthCheck", "HealthChecked", "Progress", "ProgressSummary", "health_check", "progress_summary"]

_BAR_CELLS: Final = 20
_RECENT: Final = 5
_HIGH: Final = 0.8
_MEDIUM: Final = 0.5


class ProgressSummary(ToolInput):
    """Arguments of progress_summary."""

    initiative_id: Identifier | None = Field(default=None, description="by default the current initiative")
    min_confidence: Annotated[float, Field(ge=0, le=1)] | None = Field(
        default=None, description="leave out work products with less confidence, or with none"
    )


class PrdFigures(ToolOutput):
    """PRDs of the initiative; the archived ones are the completed."""

    total: int
    active: int
    completed: int


class TaskFigures(ToolOutput):
    """Tasks of the initiative that are not archived; `total` leaves the cancelled ones out."""

    total: int
    pending: int
    in_progress: int
    completed: int
    blocked: int
    progress_bar: str


class ConfidenceStats(ToolOutput):
    """How sure agents were of their work products: high from 0.8, medium from 0.5."""

    average_confidence: int | float
    high_confidence: int
    medium_confidence: int
    low_confidence: int
    no_confidence: int


class ModelUsage(ToolOutput):
    """Work products by the model in their metadata (`modelUsed`)."""

    opus: int
    sonnet: int
    haiku: int
    unknown: int


class WorkProductFigures(ToolOutput):
    """Work products of the tasks that count. `confidenceStats` is absent when none states a confidence."""

    total: int
    by_type: dict[str, int]
    confidence_stats: Omittable[ConfidenceStats]
    model_usage: ModelUsage


class Activity(ToolOutput):
    """A row of the diary."""

    timestamp: str
    type: str
    summary: str


class Progress(ToolOutput):
    """Answer of progress_summary. `milestones` is absent when no active PRD declares any."""

    initiative_id: str
    title: str
    prds: PrdFigures
    tasks: TaskFigures
    work_products: WorkProductFigures
    milestones: Omittable[list[Milestone]]
    velocity: list[Velocity]
    recent_activity: list[Activity]


def progress_summary(tx: ReadTx, call: ProgressSummary) -> Progress:
    """Summarise an initiative: PRDs, tasks with a progress bar, work products, milestones, velocity, latest activity.

    Counts what belongs to the initiative and is not archived. A task counts as completed when it was last changed.
    """
    initiative = require_initiative(tx, call.initiative_id)
    documents = prds.listing(tx, where={"initiative_id": initiative.id})
    tasks = summary.tasks(tx, initiative.id)
    products = _confident(summary.work_products(tx, initiative.id), call.min_confidence)
    return Progress(
        initiative_id=initiative.id,
        title=initiative.title,
        prds=_prd_figures(documents),
        tasks=_task_figures(Counter(row["status"] for row in tasks)),
        work_products=_work_product_figures(products),
        milestones=_milestones(tx, documents) or None,
        velocity=velocity([row["updated_at"] for row in tasks if row["status"] == "completed"], tx.now),
        recent_activity=[
            Activity(timestamp=row["created_at"], type=row["type"], summary=row["summary"])
            for row in summary.recent_activity(tx, initiative.id, _RECENT)
        ],
    )


def _prd_figures(documents: Sequence[Prd]) -> PrdFigures:
    by_status = Counter(prd.status for prd in documents)
    return PrdFigures(total=len(documents), active=by_status["active"], completed=by_status["archived"])


def _task_figures(by_status: Counter[str]) -> TaskFigures:
    total, completed = by_status.total() - by_status["cancelled"], by_status["completed"]
    return TaskFigures(
        total=total,
        pending=by_status["pending"],
        in_progress=by_status["in_progress"],
        completed=completed,
        blocked=by_status["blocked"],
        progress_bar=_progress_bar(completed, total),
    )


def _progress_bar(completed: int, total: int) -> str:
    cells = _BAR_CELLS * completed // total if total else 0
    percentage = 100 * completed // total if total else 0
    return f"[{'█' * cells}{'░' * (_BAR_CELLS - cells)}] {percentage}% ({completed}/{total})"


def _confident(products: Iterable[sqlite3.Row], least: float | None) -> list[sqlite3.Row]:
    if least is None:
        return list(products)
    return [row for row in products if row["confidence"] is not None and row["confidence"] >= least]


def _work_product_figures(products: Sequence[sqlite3.Row]) -> WorkProductFigures:
    return WorkProductFigures(
        total=len(products),
        by_type=Counter(row["type"] for row in products),
        confidence_stats=_confidence_stats([row["confidence"] for row in products]),
        model_usage=_model_usage(products),
    )


def _confidence_stats(stated: Sequence[float | None]) -> ConfidenceStats | None:
    known = [confidence for confidence in stated if confidence is not None]
    if not known:
        return None
    high, low = sum(value >= _HIGH for value in known), sum(value < _MEDIUM for value in known)
    return ConfidenceStats(
        average_confidence=whole(sum(known) / len(known)),
        high_confidence=high,
        medium_confidence=len(known) - high - low,
        low_confidence=low,
        no_confidence=len(stated) - len(known),
    )


def _model_usage(products: Sequence[sqlite3.Row]) -> ModelUsage:
    models = [decode_metadata(row["metadata"]).get("modelUsed") for row in products]
    opus, sonnet, haiku = (models.count(name) for name in ("opus", "sonnet", "haiku"))
    return ModelUsage(opus=opus, sonnet=sonnet, haiku=haiku, unknown=len(models) - opus - sonnet - haiku)


def _milestones(tx: ReadTx, documents: Sequence[Prd]) -> list[Milestone]:
    """Measure the milestones of the active PRDs, over the tasks that they name, wherever these belong."""
    declared = [entry for prd in documents if prd.status == "active" for entry in milestones_of(prd.metadata)]
    named = {task_id for entry in declared for task_id in task_ids_of(entry)}
    statuses = summary.statuses(tx, sorted(named))
    return [measure(entry, statuses) for entry in declared]


class HealthCheck(ToolInput):
    """Arguments of health_check: none."""


class HealthChecked(ToolOutput):
    """Answer of health_check: counts over the whole workspace, archived tasks included."""

    status: Literal["healthy"]
    workspace_id: str
    prd_count: int
    task_count: int
    completed_tasks: int
    work_product_count: int


def health_check(tx: ReadTx, _call: HealthCheck) -> HealthChecked:
    """Tell that the task store works, which workspace it serves, and how much is in it."""
    counts = summary.workspace_counts(tx)
    return HealthChecked(
        status="healthy",
        workspace_id=tx.workspace.id,
        prd_count=counts["prds"],
        task_count=counts["tasks"],
        completed_tasks=counts["completed"],
        work_product_count=counts["work_products"],
    )


TOOLS: Final = (
    Tool(name="progress_summary", input=ProgressSummary, output=Progress, run=progress_summary),
    Tool(name="health_check", input=HealthCheck, output=HealthChecked, run=health_check),
)
