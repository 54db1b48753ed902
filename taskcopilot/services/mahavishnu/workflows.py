"""mahavishnu's workflows: their events, the state that they add up to, and who asks for it."""

from __future__ import annotations

from typing import Any, Final

from taskcopilot.services.event import Document, Identifier, JsonObject, OpenEvent, ServiceEvent
from taskcopilot.services.service import Arguments, Request
from taskcopilot.services.state import State

__all__ = ["GET_WORKFLOW_STATUS", "StageCompleted", "WorkflowCompleted", "WorkflowFailed", "WorkflowStarted"]

MAX_STAGES: Final = 1_000
"""Names of completed stages that are kept of one workflow; further ones are only counted."""

_ROOMS: Final = ("workflow:{workflow_id}", "global")
_ABOUT: Final = "workflow:{workflow_id}"


def _started(state: Document, event: WorkflowStarted) -> Document:
    """Begin anew: a workflow that is started again has no stages yet."""
    del state
    added = event.added()
    total = added.get("total_stages")
    if not isinstance(total, int) and isinstance(stages := added.get("stages"), list):
        total = len(stages)
    return {
        "workflow_id": event.workflow_id,
        "status": "running",
        "stages_completed": 0,
        "total_stages": total if isinstance(total, int) else None,
        "stages": [],
        "metadata": dict(added),
        "started_at": event.timestamp,
    }


def _stage_completed(state: Document, event: StageCompleted) -> Document:
    """Count a stage once, however often it is completed; a workflow whose start nobody told is running."""
    known: Document = {
        "workflow_id": event.workflow_id,
        "status": "running",
        "stages_completed": 0,
        "total_stages": None,
    } | state
    stages = known.get("stages", [])
    if event.stage_name in stages:
        return {**known, "current_stage": event.stage_name}
    return {
        **known,
        "stages": [*stages, event.stage_name][:MAX_STAGES],
        "stages_completed": known["stages_completed"] + 1,
        "current_stage": event.stage_name,
    }


def _ended(state: Document, event: WorkflowCompleted | WorkflowFailed) -> Document:
    known = {"stages_completed": 0, "total_stages": None} | state
    ended = {"workflow_id": event.workflow_id, "completed_at": event.timestamp}
    if isinstance(event, WorkflowFailed):
        return {**known, **ended, "status": "failed", "error": event.error}
    return {**known, **ended, "status": "completed", "result": event.result}


class WorkflowStarted(OpenEvent):
    """A workflow began. What the publisher adds, such as `adapter` and `prompt`, goes on as it is."""

    event = "workflow.started"
    about = _ABOUT
    goes_to = _ROOMS
    folds = ((_ABOUT, _started),)
    workflow_id: Identifier


class StageCompleted(ServiceEvent):
    """A stage of a workflow is done."""

    event = "workflow.stage_completed"
    about = _ABOUT
    goes_to = _ROOMS
    folds = ((_ABOUT, _stage_completed),)
    workflow_id: Identifier
    stage_name: Identifier
    result: JsonObject


class WorkflowCompleted(ServiceEvent):
    """A workflow is done."""

    event = "workflow.completed"
    about = _ABOUT
    goes_to = _ROOMS
    folds = ((_ABOUT, _ended),)
    workflow_id: Identifier
    result: JsonObject


class WorkflowFailed(ServiceEvent):
    """A workflow ended without success."""

    event = "workflow.failed"
    about = _ABOUT
    goes_to = _ROOMS
    folds = ((_ABOUT, _ended),)
    workflow_id: Identifier
    error: str


class _Which(Arguments):
    workflow_id: Identifier


def _status(state: State, asked: _Which) -> dict[str, Any]:
    """Answer how far a workflow is; `total_stages` is null when nobody told."""
    document = state.require("workflow", asked.workflow_id)
    shown = {name: value for name, value in document.items() if name not in ("stages", "metadata")}
    total = document["total_stages"]
    if total:
        shown["progress"] = round(min(1.0, document["stages_completed"] / total), 3)
    return shown


GET_WORKFLOW_STATUS: Final = Request("get_workflow_status", _Which, _status)
