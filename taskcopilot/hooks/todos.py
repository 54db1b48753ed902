"""The todo list that an agent rewrites as a whole: new todos are created, changed ones follow, gone ones are cancelled.

Source: `tool_input` of TodoWrite is `{"todos": [{"content", "status", "activeForm"}]}`
(https://code.claude.com/docs/en/hooks, PostToolUse; the tool's input schema). Todos have no ids: their text is one.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import Any, Final

from taskcopilot.events import TaskStatus
from taskcopilot.hooks import lists
from taskcopilot.hooks.payload import HOST, Hook
from taskcopilot.store import host_tasks, tasks
from taskcopilot.store.transaction import Tx

__all__ = ["STATUSES", "rewrite"]

STATUSES: Final[dict[str, TaskStatus]] = {
    "pending": "pending",
    "in_progress": "in_progress",
    "completed": "completed",
    "deleted": "cancelled",
}
"""The host's word -> ours."""

MOST: Final = 200
"""Todos that are looked at: a longer list is no list."""

_PREFIX: Final = "todo-"


def rewrite(tx: Tx, hook: Hook, todos: Any) -> None:
    """Bring the tasks of the list to what the todos say."""
    wanted = _identified(todos if isinstance(todos, list) else [])
    for identifier, todo in wanted.items():
        status = STATUSES.get(str(todo.get("status")), "pending")
        agent = hook.agent if status != "pending" else None
        lists.change(tx, lists.ensure(tx, hook, identifier, todo["content"]), status, agent)
    for identifier, task_id in host_tasks.of_list(tx, HOST, hook.list).items():
        if identifier.startswith(_PREFIX) and identifier not in wanted:
            task = tasks.find(tx, task_id)
            if task is not None and task.status not in lists.FINISHED:
                lists.change(tx, task, "cancelled", None)


def _identified(todos: list[Any]) -> dict[str, dict[str, Any]]:
    """Return id -> todo; of several with the same text, the second gets an id of its own, and so on."""
    seen: Counter[str] = Counter()
    found = {}
    for todo in todos[:MOST]:
        if isinstance(todo, dict) and isinstance(todo.get("content"), str) and todo["content"].strip():
            digest = hashlib.sha256(todo["content"].strip().encode()).hexdigest()[:16]
            seen[digest] += 1
            found[f"{_PREFIX}{digest}-{seen[digest]}"] = todo
    return found
