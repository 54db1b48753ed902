"""A task as lists and details show it: texts without content are absent."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import orjson

from taskcopilot.store.tasks import Task, decode_metadata
from taskcopilot.tools.fields import Metadata, Omittable, TaskStatus, ToolOutput

__all__ = ["TaskView", "encoded", "shown", "view_of"]


class TaskView(ToolOutput):
    """One task."""

    id: str
    prd_id: Omittable[str]
    parent_id: Omittable[str]
    title: str
    description: Omittable[str]
    assigned_agent: Omittable[str]
    status: TaskStatus
    blocked_reason: Omittable[str]
    notes: Omittable[str]
    metadata: Metadata
    created_at: str
    updated_at: str


_FIELDS: Final = frozenset(TaskView.model_fields)

_ALWAYS: Final = frozenset({"title", "metadata"})

_ALIASES: Final = {name: field.alias or name for name, field in TaskView.model_fields.items()}


def shown(rows: Sequence[sqlite3.Row]) -> list[dict[str, Any]]:
    """Return the fields of a `TaskView` for each row of one query, by the names of their columns.

    The rows may have further columns. Lists may be long, so the work for each row is kept small.
    """
    return list(_views(rows))


def encoded(rows: Sequence[sqlite3.Row]) -> Iterator[bytes]:
    """Yield the JSON of a `TaskView` for each row of one query."""
    for view in _views(rows):
        yield orjson.dumps({_ALIASES[name]: value for name, value in view.items()}, default=_from_blob)


def view_of(task: Task) -> dict[str, Any]:
    """Return the fields of a `TaskView` for a task."""
    values = ((name, getattr(task, name)) for name in _FIELDS - {"metadata"})
    return {name: value for name, value in values if value} | {"title": task.title, "metadata": task.metadata}


def _views(rows: Sequence[sqlite3.Row]) -> Iterator[dict[str, Any]]:
    columns = rows[0].keys() if rows else []
    return (_shown(zip(columns, row, strict=True)) for row in rows)


def _shown(columns: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    view = {name: value for name, value in columns if name in _FIELDS and (value or name in _ALWAYS)}
    view["title"] = view["title"] or ""
    view["metadata"] = decode_metadata(view["metadata"])
    return view


def _from_blob(value: object) -> str:
    """Show as text what an edit by hand stored as a blob."""
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    raise TypeError
