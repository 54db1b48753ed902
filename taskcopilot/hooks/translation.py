"""From a hook to tasks and events: a unit of work, idempotent by the ids that the host gives.

Source of the hooks' meaning: https://code.claude.com/docs/en/hooks. TaskCreated and TaskCompleted carry the id of a
task in the list of the team or session; the tools TaskCreate, TaskUpdate and TodoWrite say the same through
PostToolUse. A hook that changes no task is noted as `agent.activity`, of whatever type it is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from taskcopilot.events import AgentActivity
from taskcopilot.hooks import lists
from taskcopilot.hooks.payload import HOST, Hook, clean
from taskcopilot.hooks.todos import STATUSES, rewrite
from taskcopilot.store import idempotency
from taskcopilot.store.idempotency import Remembered
from taskcopilot.store.transaction import Tx

__all__ = ["take"]


def take(tx: Tx, hook: Hook) -> None:
    """Do what the hook means. Taken again with the same ids it changes nothing; without ids it is noted again."""
    if hook.key is not None:
        if idempotency.find(tx, hook.key) is not None:
            return
        idempotency.remember(tx, hook.key, Remembered("hook", "", ""))
    if not _MEANINGS.get(hook.name, _nothing)(tx, hook):
        _note(tx, hook)


def _nothing(_tx: Tx, _hook: Hook) -> bool:
    return False


def _created(tx: Tx, hook: Hook) -> bool:
    identifier = hook.text("task_id")
    if identifier is None:
        return False
    lists.ensure(tx, hook, identifier, hook.payload.get("task_subject"), hook.payload.get("task_description"))
    return True


def _completed(tx: Tx, hook: Hook) -> bool:
    identifier = hook.text("task_id")
    if identifier is None:
        return False
    known = lists.find(tx, hook, identifier)
    title = hook.payload.get("task_subject") if known is None else known.title
    task = known or lists.ensure(tx, hook, identifier, title, hook.payload.get("task_description"))
    lists.complete(tx, task, hook.text("teammate_name") or task.assigned_agent or HOST)
    return True


def _tool_used(tx: Tx, hook: Hook) -> bool:
    given = hook.object("tool_input")
    match hook.text("tool_name"):
        case "TodoWrite":
            rewrite(tx, hook, given.get("todos"))
            return isinstance(given.get("todos"), list)
        case "TaskCreate":
            return _tool_created(tx, hook, given)
        case "TaskUpdate":
            return _tool_updated(tx, hook, given)
    return False


def _tool_created(tx: Tx, hook: Hook, given: Any) -> bool:
    answer = hook.object("tool_response").get("task")
    identifier = clean(answer.get("id")) if isinstance(answer, dict) else None
    if identifier is None:
        return False
    lists.ensure(tx, hook, identifier, given.get("subject"), given.get("description"))
    return True


def _tool_updated(tx: Tx, hook: Hook, given: Any) -> bool:
    identifier = clean(given.get("taskId"))
    if identifier is None:
        return False
    status, owner = STATUSES.get(str(given.get("status"))), clean(given.get("owner"))
    task = lists.find(tx, hook, identifier) or lists.ensure(tx, hook, identifier, given.get("subject"))
    if status in ("in_progress", "completed"):
        owner = owner or task.assigned_agent or hook.agent
    lists.change(tx, task, status, owner)
    return True


def _note(tx: Tx, hook: Hook) -> None:
    tx.emit(
        AgentActivity(
            agent_id=hook.agent,
            session_id=hook.session,
            activity=hook.name,
            team=hook.team,
            task_id=hook.text("task_id"),
            details=hook.details(),
            noted_at=tx.at,
        )
    )


_MEANINGS: Final[dict[str, Callable[[Tx, Hook], bool]]] = {
    "TaskCreated": _created,
    "TaskCompleted": _completed,
    "PostToolUse": _tool_used,
}
"""Hooks that change tasks; each tells whether it did find what it needs for that."""
