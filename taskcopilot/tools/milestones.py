"""Milestones: named sets of tasks in the metadata of a PRD."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from taskcopilot.tools.fields import Omittable, ToolOutput

__all__ = ["Milestone", "measure", "milestones_of", "task_ids_of"]


class Milestone(ToolOutput):
    """How far a milestone is. Cancelled tasks do not count; tasks that do not exist count as not completed."""

    id: str
    name: str
    description: Omittable[str]
    total_tasks: int
    completed_tasks: int
    percent_complete: int
    is_complete: bool


def milestones_of(metadata: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the milestones that a PRD declares; what has no id, name or list of tasks is none."""
    declared = metadata.get("milestones")
    return [entry for entry in declared if _is_milestone(entry)] if isinstance(declared, list) else []


def _is_milestone(entry: Any) -> bool:
    return (
        isinstance(entry, dict)
        and isinstance(entry.get("id"), str)
        and isinstance(entry.get("name"), str)
        and isinstance(entry.get("taskIds"), list)
    )


def task_ids_of(milestone: Mapping[str, Any]) -> list[str]:
    """Return the tasks that a milestone names."""
    return [task_id for task_id in milestone["taskIds"] if isinstance(task_id, str)]


def measure(milestone: Mapping[str, Any], statuses: Mapping[str, str]) -> Milestone:
    """Return the progress of a milestone, given the status of every task that exists."""
    found = [statuses.get(task_id) for task_id in task_ids_of(milestone)]
    total, completed = sum(status != "cancelled" for status in found), found.count("completed")
    description = milestone.get("description")
    return Milestone(
        id=milestone["id"],
        name=milestone["name"],
        description=description if isinstance(description, str) else None,
        total_tasks=total,
        completed_tasks=completed,
        percent_complete=100 * completed // total if total else 0,
        is_complete=0 < total == completed,
    )
