"""GET /api/tasks and GET /api/tasks/:id."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter

from taskcopilot.auth.access import View
from taskcopilot.errors import NotFoundError
from taskcopilot.events import Change
from taskcopilot.store import task_rows
from taskcopilot.store.transaction import ReadTx
from taskcopilot.tools.fields import Omittable, ToolOutput
from taskcopilot.tools.task_board import Card, cards
from taskcopilot.tools.task_view import TaskView, encoded, shown

__all__ = ["TaskResource", "TaskViews", "get_task", "tasks_json"]


class TaskViews(ToolOutput):
    """Tasks, newest first. `totalTasks` is how many are in this list."""

    tasks: list[TaskView]
    total_tasks: int


class TaskResource(TaskView):
    """One task, which also reads like the data of a `task.updated` event that changed nothing.

    The original's Python client polls it and hands it to callbacks that expect such data.
    """

    task_id: str
    task_title: str
    stream_id: Omittable[str]
    changes: list[Change]


def tasks_json(
    tx: ReadTx,
    *,
    status: str | None = None,
    stream_id: str | None = None,
    assigned_agent: str | None = None,
    prd_id: str | None = None,
    limit: int | None = None,
    sight: View | None = None,
) -> bytes:
    """Return the JSON of a `TaskViews`: the tasks that match all given filters, newest first; never archived ones.

    A filter that nothing matches, an unknown status too, gives an empty list. Without a limit all tasks come, from the
    board, which has encoded most of them before.
    """
    filters = {"status": status, "stream_id": stream_id, "assigned_agent": assigned_agent, "prd_id": prd_id}
    where = {name: value for name, value in filters.items() if value is not None}
    if sight is None and (limit is not None or stream_id is not None):
        tasks = list(encoded(task_rows.newest(tx, where=where, limit=limit)))
    else:
        tasks = [card.json for card in _asked(cards(tx), where, sight)][:limit]
    return _enveloped(tasks)


def _enveloped(tasks: list[bytes]) -> bytes:
    """Put a list into its envelope in one join: copying 2 MB once more takes longer than all the rest."""
    if not tasks:
        return b'{"tasks":[],"totalTasks":0}'
    parts = tasks.copy()
    parts[0] = b'{"tasks":[' + parts[0]
    parts[-1] += b'],"totalTasks":%d}' % len(tasks)
    return b",".join(parts)


def _asked(board: Sequence[Card], where: Mapping[str, str], sight: View | None) -> Iterable[Card]:
    found: Iterable[Card] = reversed(board)
    for name, value in where.items():
        column = attrgetter(name)
        found = [card for card in found if column(card) == value]
    if sight is not None:
        found = [card for card in found if sight.sees_task(card.id, card.stream_id)]
    return found


def get_task(tx: ReadTx, task_id: str, *, sight: View | None = None) -> TaskResource:
    """Return one task, archived or not; raises NotFoundError with the detail `taskId`."""
    row = task_rows.find(tx, task_id)
    if row is None or not (sight is None or sight.sees_task(task_id, row["stream_id"])):
        raise NotFoundError("Task not found", field="taskId", taskId=task_id)
    return TaskResource(
        **shown([row])[0], task_id=row["id"], task_title=row["title"], stream_id=row["stream_id"], changes=[]
    )
